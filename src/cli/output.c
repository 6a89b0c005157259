#include "cli/output.h"

#include "core/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *figure_count(uint64_t n, char out[FIGURE_BYTES])
{
    char digits[FIGURE_BYTES];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *p = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}

const char *figure_of(uint64_t n, const char *word, char out[FIGURE_BYTES])
{
    char count[FIGURE_BYTES];
    snprintf(out, FIGURE_BYTES, "%.20s %.15s%s", figure_count(n, count), word, n == 1 ? "" : "s");
    return out;
}

const char *figure_bytes(uint64_t bytes, char out[FIGURE_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024)
        return figure_of(bytes, "byte", out);
    unsigned unit = 0;
    uint64_t scale = 1024; /* bytes of one unit */
    while (unit < 3 && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    uint64_t whole = bytes / scale, tenths = bytes % scale * 10 / scale;
    snprintf(out, FIGURE_BYTES, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[unit]);
    return out;
}

const char *figure_duration(uint64_t seconds, char out[FIGURE_BYTES])
{
    uint64_t minutes = seconds / 60;
    if (minutes < 60)
        snprintf(out, FIGURE_BYTES, "%" PRIu64 ":%02" PRIu64, minutes, seconds % 60);
    else
        snprintf(out, FIGURE_BYTES, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, minutes / 60, minutes % 60,
                 seconds % 60);
    return out;
}

const char *figure_seconds(int64_t ms, char out[FIGURE_BYTES])
{
    snprintf(out, FIGURE_BYTES, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
    return out;
}

static void put_printable(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        buf_putn(out, c < 0x20 || c == 0x7F ? "?" : p, 1);
    }
}

void output_line(struct buf *out, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        abort(); /* no memory, as in xmalloc */
    put_printable(out, text);
    buf_put(out, "\n");
    free(text);
}

/* Characters of UTF-8 text: what a terminal shows as columns for all but wide letters. */
static size_t text_width(const char *text)
{
    size_t n = 0;
    for (const char *p = text; *p; p++)
        n += ((unsigned char)*p & 0xC0) != 0x80;
    return n;
}

static void put_padding(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_putn(out, " ", 1);
}

void output_columns(struct buf *out, const char *const *cells, size_t rows, unsigned columns, unsigned right)
{
    size_t *widths = xcalloc(columns, sizeof *widths);
    for (size_t i = 0; i < rows * columns; i++) {
        size_t width = text_width(cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; i < rows * columns; i++) {
        unsigned column = (unsigned)(i % columns);
        size_t padding = widths[column] - text_width(cells[i]);
        if (right >> column & 1)
            put_padding(out, padding);
        put_printable(out, cells[i]);
        if (column + 1 == columns) {
            buf_put(out, "\n");
            continue;
        }
        if (!(right >> column & 1))
            put_padding(out, padding);
        buf_put(out, "  ");
    }
    free(widths);
}

enum err_code output_write(int fd, const struct buf *out, struct err *err)
{
    size_t done = 0;
    while (done < out->len) {
        ssize_t n = write(fd, out->data + done, out->len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return err_set_errno(err, ERR_STORAGE, errno, "write the result to standard output");
    }
    return ERR_OK;
}

enum err_code output_answer(struct cli *cli, struct json_out *j, struct buf *out, struct err *err)
{
    json_out_object_close(j);
    enum err_code code = json_out_end(j, err);
    if (code != ERR_OK)
        return code;
    buf_put(out, "\n");
    cli->answered = true;
    return output_write(STDOUT_FILENO, out, err);
}

void output_json_error(struct json_out *j, const struct err *err)
{
    json_out_object_open(j, "error");
    json_out_string(j, "code", err_name(err->code));
    json_out_int(j, "exit", err_exit_status(err->code));
    json_out_string(j, "message", err->text);
    json_out_object_close(j);
}

int64_t output_elapsed_ms(const struct cli *cli)
{
    return clock_monotonic_ms(cli->run->clock) - cli->started_ms;
}
