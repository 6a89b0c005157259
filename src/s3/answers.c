#include "s3/answers.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t count_of(const struct xml_node *root, const char *name)
{
    size_t n = 0;
    for (const struct xml_node *e = xml_child(root, name); e; e = xml_again(e))
        n++;
    return n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* encoding-type=url: percent escapes, and + for a blank. */
static const char *decode_url(const char *text, struct arena *arena)
{
    char *out = arena_strdup(arena, text), *to = out;
    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? hex_value(p[1]) : -1, low = high >= 0 ? hex_value(p[2]) : -1;
        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *to++ = *p == '+' ? ' ' : *p;
        }
    }
    *to = '\0';
    return out;
}

/* A key as it is; servers that do not encode leave out EncodingType. */
static const char *key_of(const struct xml_node *root, const char *text, struct arena *arena)
{
    return strcmp(xml_text(root, "EncodingType", NULL), "url") == 0 ? decode_url(text, arena)
                                                                    : arena_strdup(arena, text);
}

static bool is_truncated(const struct xml_node *root)
{
    return strcmp(xml_text(root, "IsTruncated", NULL), "true") == 0;
}

bool s3_read_time(const char *text, int64_t *wall_ms)
{
    char iso[CLOCK_ISO_BYTES];
    if (strlen(text) < 20)
        return false;
    snprintf(iso, sizeof iso, "%.19sZ", text);
    int64_t fraction = 0, unit = 100;
    const char *p = text + 19;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            fraction += unit * (*p - '0');
    if (strcmp(p, "Z") != 0 || !clock_parse_iso(iso, wall_ms))
        return false;
    *wall_ms += fraction;
    return true;
}

/* Digits followed by end. */
static bool read_number(const char **text, char end, uint64_t *out)
{
    char *rest;
    if (**text < '0' || **text > '9')
        return false;
    *out = strtoull(*text, &rest, 10);
    if (*rest != end)
        return false;
    *text = rest + (end != '\0');
    return true;
}

bool s3_read_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *size)
{
    if (strncmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return read_number(&text, '-', first) && read_number(&text, '/', last) &&
           read_number(&text, '\0', size) && *first <= *last && *last < *size;
}

static enum err_code unexpected(const char *what, const char *key, struct err *err)
{
    return err_set(err, ERR_STORAGE, "the server's list of %s is not understood at '%s'", what, key);
}

enum err_code s3_read_objects(const struct xml *x, struct arena *arena, struct s3_object_page *out,
                              struct err *err)
{
    const struct xml_node *root = xml_root(x);
    *out = (struct s3_object_page){0};
    out->items = arena_calloc(arena, count_of(root, "Contents") + 1, sizeof *out->items);
    for (const struct xml_node *e = xml_child(root, "Contents"); e; e = xml_again(e)) {
        struct s3_object *o = &out->items[out->count++];
        o->key = key_of(root, xml_text(e, "Key", NULL), arena);
        if (!*o->key || !xml_number(e, "Size", &o->bytes) ||
            !s3_read_time(xml_text(e, "LastModified", NULL), &o->modified_ms))
            return unexpected("objects", o->key, err);
    }
    const char *next = xml_text(root, "NextContinuationToken", NULL);
    if (!is_truncated(root))
        return ERR_OK;
    if (!*next)
        return err_set(err, ERR_STORAGE, "the server cut its list of objects and does not say how to go on");
    out->next = arena_strdup(arena, next);
    return ERR_OK;
}

enum err_code s3_read_uploads(const struct xml *x, struct arena *arena, struct s3_upload_page *out,
                              struct err *err)
{
    const struct xml_node *root = xml_root(x);
    *out = (struct s3_upload_page){0};
    out->items = arena_calloc(arena, count_of(root, "Upload") + 1, sizeof *out->items);
    for (const struct xml_node *e = xml_child(root, "Upload"); e; e = xml_again(e)) {
        struct s3_upload *u = &out->items[out->count++];
        u->key = key_of(root, xml_text(e, "Key", NULL), arena);
        u->id = arena_strdup(arena, xml_text(e, "UploadId", NULL));
        if (!*u->key || !*u->id || !s3_read_time(xml_text(e, "Initiated", NULL), &u->begun_ms))
            return unexpected("uploads", u->key, err);
    }
    if (!is_truncated(root))
        return ERR_OK;
    out->next_key = key_of(root, xml_text(root, "NextKeyMarker", NULL), arena);
    out->next_id = arena_strdup(arena, xml_text(root, "NextUploadIdMarker", NULL));
    if (!*out->next_key)
        return err_set(err, ERR_STORAGE, "the server cut its list of uploads and does not say how to go on");
    return ERR_OK;
}

enum err_code s3_read_parts(const struct xml *x, struct arena *arena, struct s3_part_page *out,
                            struct err *err)
{
    const struct xml_node *root = xml_root(x);
    *out = (struct s3_part_page){.newest_ms = INT64_MIN};
    for (const struct xml_node *e = xml_child(root, "Part"); e; e = xml_again(e)) {
        int64_t ms;
        out->count++;
        if (!s3_read_time(xml_text(e, "LastModified", NULL), &ms))
            return unexpected("parts", xml_text(e, "PartNumber", NULL), err);
        if (ms > out->newest_ms)
            out->newest_ms = ms;
    }
    if (!is_truncated(root))
        return ERR_OK;
    out->next = arena_strdup(arena, xml_text(root, "NextPartNumberMarker", NULL));
    if (!*out->next)
        return err_set(err, ERR_STORAGE, "the server cut its list of parts and does not say how to go on");
    return ERR_OK;
}
