#include "archive/text_parts.h"

#include <string.h>

bool archive_is_safe(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void archive_put_name(struct buf *out, const char *name)
{
    buf_put(out, "`");
    for (; *name != '\0'; name++) {
        if (*name == '`')
            buf_put(out, "`");
        buf_putn(out, name, 1);
    }
    buf_put(out, "`");
}

void archive_put_comment(struct buf *out, const char *label, const char *name)
{
    buf_putf(out, "-- %s: ", label);
    for (; *name != '\0'; name++) {
        if (archive_is_safe(*name))
            buf_putn(out, name, 1);
        else
            buf_putf(out, "\\0%03o", (unsigned char)*name);
    }
    buf_put(out, "\n");
}

void archive_put_text(struct buf *out, const char *text)
{
    buf_put(out, "'");
    for (; *text != '\0'; text++) {
        const char *escape = *text == '\n' ? "\\n" : *text == '\r' ? "\\r" : *text == '\\' ? "\\\\" : NULL;
        if (*text == '\'')
            buf_put(out, "'");
        if (escape != NULL)
            buf_put(out, escape);
        else
            buf_putn(out, text, 1);
    }
    buf_put(out, "'");
}

enum err_code archive_first_line(const char *text, size_t bytes, const char *start, const char **rest,
                                 size_t *rest_bytes, struct err *err)
{
    const size_t skip = strlen(start);
    const char *newline = bytes > skip ? memchr(text, '\n', bytes) : NULL;
    if (newline == NULL || memcmp(text, start, skip) != 0)
        return err_set(err, ERR_DAMAGED, "its first line does not start with '%s'", start);
    *rest = text + skip;
    *rest_bytes = (size_t)(newline - text) - skip;
    return ERR_OK;
}
