#include "recovery/rollback_journal.h"

#include "core/mem.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_FORM      1
#define JOURNAL_MAX_BYTES ((size_t)64 << 10)

/* Every text of the journal, under its key. */
static const struct {
    const char *key;
    size_t offset, bytes;
} texts[] = {
#define TEXT(field)                                                                                          \
    {                                                                                                        \
#field, offsetof(struct rollback_journal, field), sizeof((struct rollback_journal *)0)->field        \
    }
    TEXT(owner),       TEXT(snapshot), TEXT(name),   TEXT(resource), TEXT(to),
    TEXT(to_resource), TEXT(old_name), TEXT(served), TEXT(copy),     TEXT(copy_tables),
#undef TEXT
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

static char *object_of(const char *point)
{
    return xasprintf("%s~instance.json", point);
}

enum err_code rollback_journal_put(struct store *points, const char *point, const struct rollback_journal *j,
                                   struct err *err)
{
    char *object = object_of(point);
    struct buf text;
    struct json_out out;
    buf_init(&text, JOURNAL_MAX_BYTES);
    json_out_begin(&out, &text, 1);
    json_out_object_open(&out, NULL);
    json_out_uint(&out, "dbsafe_rollback", JOURNAL_FORM);
    json_out_string(&out, "point", point);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *value = (const char *)j + texts[i].offset;
        json_out_string(&out, texts[i].key, *value ? value : NULL);
    }
    json_out_bool(&out, "cluster", j->cluster);
    json_out_bool(&out, "loaded", j->loaded);
    json_out_bool(&out, "finished", j->finished);
    json_out_object_close(&out);
    enum err_code code = json_out_end(&out, err);
    if (code == ERR_OK)
        code = store_put_small(points, object, text.data, text.len, err);
    buf_free(&text);
    free(object);
    return code == ERR_OK ? ERR_OK : err_wrap(err, "the journal of the rollback to '%s'", point);
}

static enum err_code read_journal(const json_t *root, struct rollback_journal *out, struct err *err)
{
    const json_t *form = json_object_get(root, "dbsafe_rollback");
    if (!json_is_integer(form) || json_integer_value(form) < 1)
        return err_set(err, ERR_DAMAGED, "it is no journal of a rollback");
    if (json_integer_value(form) > JOURNAL_FORM)
        return err_set(err, ERR_REFUSED, "it was written by a newer dbsafe (form %lld)",
                       (long long)json_integer_value(form));
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *value = json_string_value(json_object_get(root, texts[i].key));
        if (value && strlen(value) >= texts[i].bytes)
            return err_set(err, ERR_DAMAGED, "its key \"%s\" is too long", texts[i].key);
        if (value)
            strcpy((char *)out + texts[i].offset, value); /* fits, as was checked */
    }
    out->cluster = json_is_true(json_object_get(root, "cluster"));
    out->loaded = json_is_true(json_object_get(root, "loaded"));
    out->finished = json_is_true(json_object_get(root, "finished"));
    if (!*out->name || !*out->resource || !*out->to || !*out->snapshot)
        return err_set(err, ERR_DAMAGED, "names are missing in it");
    return ERR_OK;
}

enum err_code rollback_journal_get(struct store *points, const char *point, struct rollback_journal *out,
                                   struct err *err)
{
    char *object = object_of(point);
    struct buf text;
    json_error_t why;
    json_t *root = NULL;
    *out = (struct rollback_journal){.loaded = false};
    buf_init(&text, JOURNAL_MAX_BYTES);
    enum err_code code = store_get_small(points, object, &text, err);
    if (code == ERR_OK) {
        root = json_loadb(buf_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &why);
        code = root ? read_journal(root, out, err) : err_set(err, ERR_DAMAGED, "it is no JSON: %s", why.text);
    }
    json_decref(root);
    buf_free(&text);
    free(object);
    return code == ERR_OK || code == ERR_NOT_FOUND
               ? code
               : err_wrap(err, "the journal of the rollback to '%s'", point);
}

enum err_code rollback_journal_forget(struct store *points, const char *point, struct err *err)
{
    char *object = object_of(point);
    enum err_code code = store_remove(points, object, err);
    free(object);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}
