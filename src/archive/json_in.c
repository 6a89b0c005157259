#include "archive/json_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum err_code json_in_parse(const char *data, size_t bytes, json_t **root, struct err *err)
{
    json_error_t why;
    *root = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &why);
    if (*root == NULL)
        return err_set(err, ERR_DAMAGED, "it is no valid JSON: line %d: %s", why.line, why.text);
    return ERR_OK;
}

void json_in_fail(struct json_in *r, const char *format, ...)
{
    char text[256];
    va_list args;
    if (r->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(&r->err, ERR_DAMAGED, "%s%s", r->where, text);
    r->failed = true;
}

void json_in_at(struct json_in *r, const char *list, size_t i)
{
    if (list == NULL)
        r->where[0] = '\0';
    else
        snprintf(r->where, sizeof r->where, "%s[%zu].", list, i);
}

const char *json_in_text_or_null(struct json_in *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_string(v))
        return arena_strdup(r->arena, json_string_value(v));
    if (!json_is_null(v))
        json_in_fail(r, "%s is missing or no string", key);
    return NULL;
}

const char *json_in_text(struct json_in *r, const json_t *object, const char *key)
{
    const char *s = json_in_text_or_null(r, object, key);
    if (s == NULL)
        json_in_fail(r, "%s is missing or no string", key);
    return s != NULL ? s : "";
}

const char *json_in_hex_digest(struct json_in *r, const json_t *object, const char *key)
{
    const char *s = json_in_text(r, object, key);
    if (strlen(s) != SHA256_HEX_BYTES - 1 || strspn(s, "0123456789abcdef") != SHA256_HEX_BYTES - 1)
        json_in_fail(r, "%s is no SHA-256 in hexadecimal digits", key);
    return s;
}

struct rowsum json_in_rowsum(struct json_in *r, const json_t *object, const char *key)
{
    struct rowsum sum = {0};
    if (!rowsum_parse(json_in_text(r, object, key), &sum))
        json_in_fail(r, "%s is no content checksum", key);
    return sum;
}

uint64_t json_in_number_value(struct json_in *r, const json_t *v, const char *key, uint64_t max)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max) {
        json_in_fail(r, "%s is missing or no number from 0 to %llu", key, (unsigned long long)max);
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

uint64_t json_in_number(struct json_in *r, const json_t *object, const char *key, uint64_t max)
{
    return json_in_number_value(r, json_object_get(object, key), key, max);
}

bool json_in_flag(struct json_in *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_boolean(v))
        json_in_fail(r, "%s is missing or neither true nor false", key);
    return json_is_true(v);
}

size_t json_in_list(struct json_in *r, const json_t *object, const char *key, size_t max, const json_t **out)
{
    *out = json_object_get(object, key);
    if (!json_is_array(*out) || json_array_size(*out) > max) {
        json_in_fail(r, "%s is missing or no array of at most %zu", key, max);
        return 0;
    }
    return json_array_size(*out);
}

const json_t *json_in_object_in(struct json_in *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_object(v))
        json_in_fail(r, "%s is missing or no object", key);
    return v;
}

const char *json_in_digits(struct json_in *r, const json_t *object, const char *key)
{
    const char *s = json_in_text(r, object, key);
    size_t sign = s[0] == '-';
    if (s[sign] == '\0' || strspn(s + sign, "0123456789") != strlen(s + sign))
        json_in_fail(r, "%s is no number in a string", key);
    return s;
}

const char *json_in_word(struct json_in *r, const json_t *object, const char *key)
{
    const char *s = json_in_text(r, object, key);
    if (s[0] == '\0' ||
        s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
        json_in_fail(r, "%s is no word", key);
    return s;
}
