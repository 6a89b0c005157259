#include "restore/refusals.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REFUSALS_MAX_BYTES ((size_t)1 << 20)

void refusals_begin(struct refusals *r)
{
    buf_init(&r->text, REFUSALS_MAX_BYTES);
    r->count = 0;
}

static bool is_said(struct refusals *r, const char *line)
{
    size_t n = strlen(line);
    const char *text = buf_cstr(&r->text), *end = text + r->text.len;
    while (end - text >= 3) { /* a name may hold line feeds too */
        text += strlen("\n  ");
        const char *next = memchr(text, '\n', (size_t)(end - text));
        next = next ? next : end;
        if ((size_t)(next - text) == n && memcmp(text, line, n) == 0)
            return true;
        text = next;
    }
    return false;
}

void refuse(struct refusals *r, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (is_said(r, line))
        return;
    r->count++;
    buf_addf(&r->text, NULL, "\n  %s", line);
}

enum err_code refusals_end(struct refusals *r, const char *what, struct err *err)
{
    enum err_code code = ERR_OK;
    if (r->count)
        code = err_set(err, ERR_REFUSED, "%s: refused, nothing was changed:%s", what, buf_cstr(&r->text));
    buf_free(&r->text);
    return code;
}
