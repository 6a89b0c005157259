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
    const char *text = buf_cstr(&r->text);
    size_t n = strlen(line);
    while ((text = strstr(text, "\n  "))) {
        text += 3;
        if (strncmp(text, line, n) == 0 && (text[n] == '\0' || text[n] == '\n'))
            return true;
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
