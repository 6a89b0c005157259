#include "recovery/html.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

void html_put(struct buf *out, const char *markup)
{
    /* Once something did not fit nothing more is added: half a page must not look whole. */
    if (buf_add(out, markup, strlen(markup), NULL) != ERR_OK)
        out->max = out->len;
}

void html_begin(struct buf *out, const char *title, const char *style)
{
    html_put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                  "'unsafe-inline'\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html_text(out, title);
    html_put(out, "</title>\n<style>");
    html_put(out, style);
    html_put(out, "</style>\n</head>\n<body>\n");
}

/* Bytes of the character at s, 0 when it is not UTF-8 (RFC 3629). */
static size_t character_bytes(const unsigned char *s)
{
    static const struct {
        unsigned char first, last; /* of the leading byte */
        unsigned char low, high;   /* of the second one */
        size_t bytes;
    } forms[] = {{0x20, 0x7E, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                 {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (forms[i].bytes == 1)
            return 1;
        if (s[1] < forms[i].low || s[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k < forms[i].bytes; k++)
            if ((s[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].bytes;
    }
    return 0;
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(struct buf *out, const char *text)
{
    while (*text) {
        size_t n = character_bytes((const unsigned char *)text);
        const char *escaped = n == 0 ? REPLACEMENT : entity(*text);
        char piece[5] = "";
        if (*text == '\n' || *text == '\t')
            escaped = " ";
        if (!escaped)
            memcpy(piece, text, n);
        html_put(out, escaped ? escaped : piece);
        text += n ? n : 1;
    }
}

enum err_code html_end(struct buf *out, struct err *err)
{
    html_put(out, "</body>\n</html>\n");
    if (out->len == out->max)
        return err_set(err, ERR_NOMEM, "the page is longer than %zu bytes", out->max);
    return ERR_OK;
}
