#include "core/json_out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void json_out_begin(struct json_out *j, struct buf *out, int indent)
{
    *j = (struct json_out){.out = out, .indent = indent};
}

enum err_code json_out_end(struct json_out *j, struct err *err)
{
    if (j->failed)
        return err_copy(err, &j->err);
    if (j->depth != 0)
        return err_set(err, ERR_INTERNAL, "%d JSON objects or arrays were left open", j->depth);
    return ERR_OK;
}

static void add(struct json_out *j, const char *data, size_t bytes)
{
    if (!j->failed && buf_add(j->out, data, bytes, &j->err) != ERR_OK)
        j->failed = true;
}

static void add_text(struct json_out *j, const char *text)
{
    add(j, text, strlen(text));
}

static void misuse(struct json_out *j, const char *what)
{
    if (!j->failed)
        err_set(&j->err, ERR_INTERNAL, "JSON output: %s", what);
    j->failed = true;
}

/* Bytes of the valid UTF-8 character (RFC 3629, section 4) at s, or 0. */
static size_t utf8_bytes(const unsigned char *s, size_t left)
{
    unsigned char c = s[0];
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    /* overlong forms, surrogates, and what is above U+10FFFF */
    if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F) || (c == 0xF0 && s[1] < 0x90) ||
        (c == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

/* The escape of a character that cannot stand for itself, or NULL. */
static const char *escape(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static void add_control(struct json_out *j, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    add(j, text, sizeof text);
}

static void add_quoted(struct json_out *j, const char *value, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)value;
    size_t clean = 0; /* start of what was not yet written */
    add_text(j, "\"");
    for (size_t i = 0; i < bytes;) {
        size_t n = utf8_bytes(s + i, bytes - i);
        const char *escaped = n == 0 ? "\xEF\xBF\xBD" : escape(s[i]); /* U+FFFD */
        if (escaped == NULL && s[i] >= 0x20) {
            i += n;
            continue;
        }
        add(j, value + clean, i - clean);
        if (escaped != NULL)
            add_text(j, escaped);
        else
            add_control(j, s[i]);
        clean = ++i;
    }
    add(j, value + clean, bytes - clean);
    add_text(j, "\"");
}

static void new_line(struct json_out *j)
{
    if (j->indent <= 0)
        return;
    add_text(j, "\n");
    for (int i = 0; i < j->indent * j->depth; i++)
        add_text(j, " ");
}

/* What stands in front of every value: comma, line, key. */
static void begin_item(struct json_out *j, const char *key)
{
    if (j->has_item[j->depth])
        add_text(j, ",");
    j->has_item[j->depth] = true;
    if (j->depth > 0)
        new_line(j);
    if (key != NULL) {
        add_quoted(j, key, strlen(key));
        add_text(j, j->indent > 0 ? ": " : ":");
    }
}

static void open_level(struct json_out *j, const char *key, const char *bracket)
{
    begin_item(j, key);
    add_text(j, bracket);
    if (j->depth + 1 >= JSON_MAX_DEPTH) {
        misuse(j, "nested too deeply");
        return;
    }
    j->has_item[++j->depth] = false;
}

static void close_level(struct json_out *j, const char *bracket)
{
    if (j->depth == 0) {
        misuse(j, "closed more than was opened");
        return;
    }
    bool had_items = j->has_item[j->depth];
    j->depth--;
    if (had_items)
        new_line(j);
    add_text(j, bracket);
}

void json_out_object_open(struct json_out *j, const char *key)
{
    open_level(j, key, "{");
}

void json_out_object_close(struct json_out *j)
{
    close_level(j, "}");
}

void json_out_array_open(struct json_out *j, const char *key)
{
    open_level(j, key, "[");
}

void json_out_array_close(struct json_out *j)
{
    close_level(j, "]");
}

void json_out_string(struct json_out *j, const char *key, const char *value)
{
    if (value == NULL)
        json_out_null(j, key);
    else
        json_out_stringn(j, key, value, strlen(value));
}

void json_out_stringn(struct json_out *j, const char *key, const char *value, size_t bytes)
{
    begin_item(j, key);
    add_quoted(j, value, bytes);
}

static void add_number(struct json_out *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_number(struct json_out *j, const char *format, ...)
{
    char text[32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_text(j, text);
}

void json_out_uint(struct json_out *j, const char *key, uint64_t value)
{
    begin_item(j, key);
    add_number(j, "%" PRIu64, value);
}

void json_out_int(struct json_out *j, const char *key, int64_t value)
{
    begin_item(j, key);
    add_number(j, "%" PRId64, value);
}

void json_out_fixed3(struct json_out *j, const char *key, int64_t thousandths)
{
    uint64_t magnitude = thousandths < 0 ? 0 - (uint64_t)thousandths : (uint64_t)thousandths;
    begin_item(j, key);
    add_number(j, "%s%" PRIu64 ".%03" PRIu64, thousandths < 0 ? "-" : "", magnitude / 1000, magnitude % 1000);
}

void json_out_bool(struct json_out *j, const char *key, bool value)
{
    begin_item(j, key);
    add_text(j, value ? "true" : "false");
}

void json_out_null(struct json_out *j, const char *key)
{
    begin_item(j, key);
    add_text(j, "null");
}
