/* Requests as data: pairs, encoding, URLs.  Nothing here touches the network. */
#include "aws/http.h"

#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_pairs_add(struct http_pairs *p, const char *name, const char *value)
{
    p->items = xreallocarray(p->items, p->count + 1, sizeof *p->items);
    p->items[p->count++] = (struct http_pair){xstrdup(name), xstrdup(value != NULL ? value : "")};
}

void http_pairs_addf(struct http_pairs *p, const char *name, const char *format, ...)
{
    va_list args;
    char *value = NULL;
    va_start(args, format);
    int n = vasprintf(&value, format, args);
    va_end(args);
    http_pairs_add(p, name, n < 0 ? "" : value);
    if (n >= 0)
        secret_free(value);
}

const char *http_pairs_get(const struct http_pairs *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcasecmp(p->items[i].name, name) == 0)
            return p->items[i].value;
    return NULL;
}

void http_pairs_clear(struct http_pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].name);
        secret_free(p->items[i].value);
    }
    free(p->items);
    *p = (struct http_pairs){0};
}

void http_request_init(struct http_request *r, const char *method)
{
    *r = (struct http_request){.method = method};
}

void http_request_end(struct http_request *r)
{
    http_pairs_clear(&r->query);
    http_pairs_clear(&r->headers);
}

void http_encode(struct buf *out, const char *text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0'; s++) {
        bool plain = (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') ||
                     strchr("-._~", *s) != NULL || (keep_slash && *s == '/');
        char coded[3] = {'%', digits[*s >> 4], digits[*s & 15]};
        if (plain)
            buf_putn(out, s, 1);
        else
            buf_putn(out, coded, sizeof coded);
    }
}

void http_request_host(const struct http_request *r, struct buf *out)
{
    unsigned usual = r->plain ? 80 : 443;
    buf_putf(out, strchr(r->host, ':') != NULL ? "[%s]" : "%s", r->host);
    if (r->port != 0 && r->port != usual)
        buf_putf(out, ":%u", r->port);
}

static void put_address(const struct http_request *r, struct buf *out)
{
    buf_put(out, r->plain ? "http://" : "https://");
    http_request_host(r, out);
    http_encode(out, r->path != NULL && *r->path != '\0' ? r->path : "/", true);
}

void http_request_describe(const struct http_request *r, struct buf *out)
{
    buf_putf(out, "%s ", r->method);
    put_address(r, out);
}

void http_request_url(const struct http_request *r, struct buf *out)
{
    put_address(r, out);
    for (size_t i = 0; i < r->query.count; i++) {
        buf_put(out, i == 0 ? "?" : "&");
        http_encode(out, r->query.items[i].name, false);
        buf_put(out, "=");
        http_encode(out, r->query.items[i].value, false);
    }
}
