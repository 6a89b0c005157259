#include "recovery/point.h"

#include "core/fault.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAX_BYTES ((size_t)4 << 20)
#define LOCK_TRIES       100
#define LOCK_POLL_MS     50

struct point *point_new(const char *name)
{
    struct point *p = xcalloc(1, sizeof *p);
    p->arena = arena_new();
    p->name = arena_strdup(p->arena, name);
    p->tool_version = DBSAFE_VERSION;
    return p;
}

void point_free(struct point *p)
{
    if (!p)
        return;
    arena_free(p->arena);
    free(p);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

enum err_code point_check_name(const char *name, struct err *err)
{
    size_t n = 0;
    while (is_name_byte(name[n]))
        n++;
    if (n == 0 || name[n] || n > POINT_NAME_MAX || *name == '.' || *name == '-')
        return err_set(
            err, ERR_USAGE,
            "'%s' cannot be the name of a point: letters, digits, '.', '_' and '-', at most %d, the first no"
            " '.' and no '-'",
            name, POINT_NAME_MAX);
    return ERR_OK;
}

const char *point_state_text(enum point_state s)
{
    static const char *const texts[] = {"creating", "complete", "deleting"};
    return texts[s];
}

bool point_is_protected(const struct point *p, int64_t now_ms)
{
    return p->state == POINT_COMPLETE && now_ms < p->created_ms + POINT_PROTECTED_MS;
}

bool point_is_expired(const struct point *p, int64_t now_ms)
{
    return p->state == POINT_COMPLETE && !p->keep && p->expires_ms && now_ms >= p->expires_ms &&
           !point_is_protected(p, now_ms);
}

const char *point_kind_text(const struct point *p)
{
    return p->snapshot.instance ? "archive and snapshot" : "archive";
}

/* ---- the store ---- */

enum err_code point_lock(const struct run *run, const struct point_stores *stores, struct store **locked,
                         struct err *err)
{
    enum err_code code = stores->open_points(stores->arg, locked, err);
    if (code != ERR_OK)
        return code;
    code = store_lock(*locked, err);
    for (int i = 0; code == ERR_LOCKED && i < LOCK_TRIES; i++) {
        code = clock_backoff(LOCK_POLL_MS, run->cancel, err);
        if (code == ERR_OK)
            code = store_lock(*locked, err);
    }
    if (code != ERR_OK) {
        store_free(*locked);
        *locked = NULL;
    }
    return code;
}

static char *record_name(const char *name)
{
    return xasprintf("%s" POINT_SUFFIX, name);
}

enum err_code point_get(struct store *points, const char *name, struct point **out, struct err *err)
{
    char *object = record_name(name);
    struct buf text;
    buf_init(&text, RECORD_MAX_BYTES);
    *out = NULL;
    enum err_code code = store_get_small(points, object, &text, err);
    if (code == ERR_NOT_FOUND) {
        char *place = store_location(points, NULL);
        err_set(err, code, "there is no recovery point '%s' in %s", name, place);
        free(place);
    }
    if (code == ERR_OK) {
        code = point_read_json(text.data, text.len, out, err);
        if (code != ERR_OK)
            err_wrap(err, "recovery point %s", object);
    }
    if (code == ERR_OK && strcmp((*out)->name, name) != 0) {
        code = err_set(err, ERR_DAMAGED, "recovery point %s: the record is of '%s'", object, (*out)->name);
        point_free(*out);
        *out = NULL;
    }
    buf_free(&text);
    free(object);
    return code;
}

static enum err_code put_fresh(struct store *points, const char *object, const struct buf *text,
                               struct err *err)
{
    struct sink *sink = NULL;
    enum err_code code = store_create(points, object, text->len, &sink, err);
    if (code == ERR_OK)
        code = sink_write(sink, text->data, text->len, err);
    if (code == ERR_OK)
        code = sink_commit(sink, err);
    sink_free(sink);
    return code;
}

enum err_code point_put(struct store *points, const struct point *p, bool fresh, struct err *err)
{
    char *object = record_name(p->name);
    struct buf text;
    struct json_out j;
    buf_init(&text, RECORD_MAX_BYTES);
    json_out_begin(&j, &text, 1);
    json_out_object_open(&j, NULL);
    point_put_json(p, &j);
    json_out_object_close(&j);
    enum err_code code = json_out_end(&j, err);
    if (code == ERR_OK)
        code = buf_addc(&text, '\n', err);
    if (code == ERR_OK)
        code = fault_point("point_put", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = fresh ? put_fresh(points, object, &text, err)
                     : store_put_small(points, object, text.data, text.len, err);
    buf_free(&text);
    free(object);
    return code == ERR_OK ? ERR_OK : err_wrap(err, "record the point '%s'", p->name);
}

enum err_code point_forget(struct store *points, const char *name, struct err *err)
{
    char *object = record_name(name);
    enum err_code code = store_remove(points, object, err);
    free(object);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

struct names {
    char **items;
    size_t count;
};

/* Reports of rollbacks lie there too; their names are none of points. */
static enum err_code add_name(void *arg, const struct store_entry *entry, struct err *err)
{
    struct names *names = arg;
    size_t n = strlen(entry->name), suffix = strlen(POINT_SUFFIX);
    (void)err;
    if (n <= suffix || strcmp(entry->name + n - suffix, POINT_SUFFIX) != 0)
        return ERR_OK;
    char *name = xstrndup(entry->name, n - suffix);
    if (point_check_name(name, NULL) != ERR_OK) {
        free(name);
        return ERR_OK;
    }
    names->items = xreallocarray(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = name;
    return ERR_OK;
}

static int compare_points(const void *a, const void *b)
{
    const struct point *x = *(struct point *const *)a, *y = *(struct point *const *)b;
    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    return strcmp(x->name, y->name);
}

enum err_code point_list(struct store *points, struct point_list *out, unsigned *unreadable, struct err *err)
{
    struct names names = {0};
    *out = (struct point_list){0};
    if (unreadable)
        *unreadable = 0;
    enum err_code code = store_list(points, add_name, &names, err);
    out->items = xcalloc(names.count + 1, sizeof *out->items);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++) {
        code = point_get(points, names.items[i], &out->items[out->count], err);
        out->count += code == ERR_OK;
        if (unreadable && (code == ERR_DAMAGED || code == ERR_REFUSED)) {
            ++*unreadable;
            code = ERR_OK;
        }
        if (code == ERR_NOT_FOUND) /* deleted meanwhile */
            code = ERR_OK;
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, compare_points);
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    return code;
}

void point_list_free(struct point_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        point_free(l->items[i]);
    free(l->items);
}
