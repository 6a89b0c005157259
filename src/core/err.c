#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_status;
    bool retryable;
    const char *summary;
} table[ERR_COUNT] = {
    [ERR_OK] = {"ERR_OK", 0, false, "success"},
    [ERR_INTERNAL] = {"ERR_INTERNAL", 1, false, "internal error"},
    [ERR_NOMEM] = {"ERR_NOMEM", 1, false, "out of memory"},
    [ERR_USAGE] = {"ERR_USAGE", 2, false, "usage"},
    [ERR_CONFIG] = {"ERR_CONFIG", 3, false, "configuration, credentials or keys"},
    [ERR_DB] = {"ERR_DB", 4, false, "database error"},
    [ERR_DB_LOST] = {"ERR_DB_LOST", 4, true, "database connection lost"},
    [ERR_DB_DENIED] = {"ERR_DB_DENIED", 4, false, "database privilege missing"},
    [ERR_DB_RETRY] = {"ERR_DB_RETRY", 4, true, "deadlock or lock wait timeout"},
    [ERR_STORAGE] = {"ERR_STORAGE", 5, false, "storage error"},
    [ERR_NOSPACE] = {"ERR_NOSPACE", 5, false, "no space left"},
    [ERR_AWS] = {"ERR_AWS", 6, false, "AWS API error"},
    [ERR_DIFFERS] = {"ERR_DIFFERS", 7, false, "verification found a difference"},
    [ERR_DAMAGED] = {"ERR_DAMAGED", 8, false, "archive damaged or incomplete"},
    [ERR_SNAPSHOT] = {"ERR_SNAPSHOT", 9, false, "no consistent snapshot"},
    [ERR_REFUSED] = {"ERR_REFUSED", 10, false, "refused for safety"},
    [ERR_NOT_FOUND] = {"ERR_NOT_FOUND", 11, false, "not found"},
    [ERR_LOCKED] = {"ERR_LOCKED", 12, true, "another run holds the lock"},
    [ERR_TIMEOUT] = {"ERR_TIMEOUT", 13, true, "timed out"},
    [ERR_SIGINT] = {"ERR_SIGINT", 130, false, "cancelled by SIGINT"},
    [ERR_SIGTERM] = {"ERR_SIGTERM", 143, false, "cancelled by SIGTERM"},
};

/* Ends text[0..len) before a UTF-8 character that the cut at len left incomplete. */
static void cut_at_character(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (start - 1 + need > len)
        text[start - 1] = '\0';
}

/* Every text is first made in a local buffer: the arguments may point into the error itself. */
static void format_text(char out[ERR_TEXT_BYTES], const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void format_text(char out[ERR_TEXT_BYTES], const char *format, va_list args)
{
    int n = vsnprintf(out, ERR_TEXT_BYTES, format, args);
    if (n < 0)
        out[0] = '\0';
    else if (n >= ERR_TEXT_BYTES)
        cut_at_character(out, ERR_TEXT_BYTES - 1);
}

static void join_text(struct err *err, const char *first, const char *between, const char *second)
{
    char joined[ERR_TEXT_BYTES];
    int n = snprintf(joined, sizeof joined, "%s%s%s", first, between, second);
    if (n >= ERR_TEXT_BYTES)
        cut_at_character(joined, ERR_TEXT_BYTES - 1);
    memcpy(err->text, joined, sizeof joined);
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (err == NULL)
        return code;
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return code;
}

enum err_code err_set_errno(struct err *err, enum err_code code, int errnum, const char *format, ...)
{
    if (code == ERR_STORAGE && (errnum == ENOSPC || errnum == EDQUOT))
        code = ERR_NOSPACE;
    if (err == NULL)
        return code;
    char text[ERR_TEXT_BYTES];
    char reason[256];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    err->code = code;
    join_text(err, text, ": ", strerror_r(errnum, reason, sizeof reason));
    return code;
}

enum err_code err_wrap(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return ERR_INTERNAL;
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    join_text(err, text, ": ", err->text);
    return err->code;
}

enum err_code err_hint(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return ERR_INTERNAL;
    char text[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    bool punctuated = text[0] == '\0' || strchr(" ;,.:(\n", text[0]) != NULL;
    join_text(err, err->text, punctuated ? "" : "; ", text);
    return err->code;
}

enum err_code err_recode(struct err *err, enum err_code code)
{
    if (err != NULL)
        err->code = code;
    return code;
}

enum err_code err_copy(struct err *to, const struct err *from)
{
    if (from == NULL)
        return err_set(to, ERR_INTERNAL, "an error was reported without its cause");
    if (to != NULL && to != from)
        *to = *from;
    return from->code;
}

/* A code from outside the enum is a bug, and is shown as one. */
static enum err_code known(enum err_code code)
{
    return (unsigned)code < ERR_COUNT ? code : ERR_INTERNAL;
}

int err_exit_status(enum err_code code)
{
    return table[known(code)].exit_status;
}

const char *err_name(enum err_code code)
{
    return table[known(code)].name;
}

const char *err_summary(enum err_code code)
{
    return table[known(code)].summary;
}

bool err_is_retryable(enum err_code code)
{
    return table[known(code)].retryable;
}
