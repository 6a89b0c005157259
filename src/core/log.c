#include "core/log.h"

#include "core/buf.h"
#include "core/json_out.h"
#include "core/lock.h"
#include "core/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_BYTES  8192                /* longer messages are cut */
#define LINE_MAX_BYTES (8 * MESSAGE_BYTES) /* bytes after escaping, with a status line */
#define STATUS_BYTES   1024

struct log {
    int fd; /* borrowed */
    enum log_level level;
    enum log_format format;
    const struct clock *clock;
    struct lock *lock;
    struct {
        char status[STATUS_BYTES]; /* "" when there is none */
        struct buf line;
    } locked;
};

static const struct {
    const char *json;
    const char *prefix;
} levels[] = {
    [LOG_ERROR] = {"error", "dbsafe: error: "},
    [LOG_WARN] = {"warning", "dbsafe: warning: "},
    [LOG_INFO] = {"info", "dbsafe: "},
    [LOG_DEBUG] = {"debug", "dbsafe: debug: "},
};

struct log *log_new(int fd, enum log_level level, enum log_format format, const struct clock *clock)
{
    struct log *l = xcalloc(1, sizeof *l);
    l->fd = fd;
    l->level = level;
    l->format = format;
    l->clock = clock;
    l->lock = lock_new();
    buf_init(&l->locked.line, LINE_MAX_BYTES);
    return l;
}

void log_free(struct log *l)
{
    if (l == NULL)
        return;
    buf_free(&l->locked.line);
    lock_free(l->lock);
    free(l);
}

bool log_wants(const struct log *l, enum log_level level)
{
    return l != NULL && level <= l->level;
}

/* One write for a line, so that lines of several processes do not mix.  When the log cannot be written
 * there is nowhere to say so. */
static void write_line(struct log *l)
{
    const struct buf *b = &l->locked.line;
    size_t done = 0;
    while (done < b->len) {
        ssize_t n = write(l->fd, b->data + done, b->len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return;
    }
}

/* Names and server messages may hold anything: no control character reaches the terminal, and a
 * second line is indented so that it cannot pass for a message of its own. */
static void put_printable(struct buf *b, const char *text)
{
    for (const char *s = text; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n')
            buf_put(b, "\n  ");
        else
            buf_putn(b, c < 0x20 || c == 0x7F ? "?" : s, 1);
    }
}

static void make_text_line(struct log *l, enum log_level level, const char *message)
{
    struct buf *b = &l->locked.line;
    bool status = l->locked.status[0] != '\0';
    if (status)
        buf_put(b, "\r\033[K");
    buf_put(b, levels[level].prefix);
    put_printable(b, message);
    buf_put(b, "\n");
    if (status)
        buf_put(b, l->locked.status);
}

static void make_json_line(struct log *l, enum log_level level, const char *message)
{
    struct buf *b = &l->locked.line;
    struct json_out j;
    char now[CLOCK_ISO_BYTES];
    clock_format_iso(clock_wall_ms(l->clock), now);
    json_out_begin(&j, b, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "time", now);
    json_out_string(&j, "level", levels[level].json);
    json_out_string(&j, "message", message);
    json_out_object_close(&j);
    buf_put(b, "\n");
}

static void log_message(struct log *l, enum log_level level, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void log_message(struct log *l, enum log_level level, const char *format, va_list args)
{
    if (!log_wants(l, level))
        return;
    char message[MESSAGE_BYTES];
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';
    lock_take(l->lock);
    buf_clear(&l->locked.line);
    if (l->format == LOG_JSON)
        make_json_line(l, level, message);
    else
        make_text_line(l, level, message);
    write_line(l);
    lock_drop(l->lock);
}

void log_error(struct log *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(l, LOG_ERROR, format, args);
    va_end(args);
}

void log_warn(struct log *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(l, LOG_WARN, format, args);
    va_end(args);
}

void log_info(struct log *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(l, LOG_INFO, format, args);
    va_end(args);
}

void log_debug(struct log *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(l, LOG_DEBUG, format, args);
    va_end(args);
}

void log_status(struct log *l, const char *line)
{
    if (l == NULL || l->format != LOG_TEXT)
        return;
    lock_take(l->lock);
    if (line[0] != '\0' || l->locked.status[0] != '\0') {
        snprintf(l->locked.status, sizeof l->locked.status, "%s", line);
        buf_clear(&l->locked.line);
        buf_putf(&l->locked.line, "\r%s\033[K", l->locked.status);
        write_line(l);
    }
    lock_drop(l->lock);
}
