#include "core/store.h"

#include "core/mem.h"

#include <inttypes.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define FILE_SCHEME    "file://"

static enum err_code check_name(const char *name, struct err *err)
{
    if (name[0] == '\0')
        return err_set(err, ERR_USAGE, "the name of an object in a store is empty");
    if (name[0] == '.')
        return err_set(err, ERR_USAGE, "the name '%s' starts with a dot: a store does not keep such objects",
                       name);
    if (strchr(name, '/') != NULL)
        return err_set(err, ERR_USAGE, "the name '%s' has a slash: a store has no folders", name);
    if (strlen(name) > NAME_MAX_BYTES)
        return err_set(err, ERR_USAGE, "the name '%s' has more than %d bytes", name, NAME_MAX_BYTES);
    return ERR_OK;
}

char *store_location(const struct store *s, const char *name)
{
    bool folder = strncmp(s->url, FILE_SCHEME, strlen(FILE_SCHEME)) == 0;
    const char *place = folder ? s->url + strlen(FILE_SCHEME) : s->url;
    if (name == NULL)
        return xstrdup(place[0] == '\0' ? "/" : place);
    return xasprintf("%s/%s", place, name);
}

enum err_code store_create(struct store *s, const char *name, uint64_t most_bytes, struct sink **out,
                           struct err *err)
{
    enum err_code rc = check_name(name, err);
    return rc == ERR_OK ? s->ops->create(s, name, most_bytes, false, false, out, err) : rc;
}

enum err_code store_create_sized(struct store *s, const char *name, uint64_t bytes, struct sink **out,
                                 struct err *err)
{
    enum err_code rc = check_name(name, err);
    return rc == ERR_OK ? s->ops->create(s, name, bytes, true, false, out, err) : rc;
}

enum err_code store_open(struct store *s, const char *name, struct source **out, struct err *err)
{
    enum err_code rc = check_name(name, err);
    return rc == ERR_OK ? s->ops->open(s, name, out, err) : rc;
}

enum err_code store_list(struct store *s, store_list_fn *fn, void *arg, struct err *err)
{
    return s->ops->list(s, fn, arg, err);
}

enum err_code store_remove(struct store *s, const char *name, struct err *err)
{
    enum err_code rc = check_name(name, err);
    return rc == ERR_OK ? s->ops->remove(s, name, err) : rc;
}

enum err_code store_sweep(struct store *s, int64_t stale_after_ms, bool dry_run, unsigned *removed,
                          struct err *err)
{
    *removed = 0;
    return s->ops->sweep(s, stale_after_ms, dry_run, removed, err);
}

enum err_code store_lock(struct store *s, struct err *err)
{
    return s->ops->lock(s, err);
}

void store_free(struct store *s)
{
    if (s != NULL)
        s->ops->free(s);
}

enum err_code store_get_small(struct store *s, const char *name, struct buf *out, struct err *err)
{
    struct source *src = NULL;
    enum err_code rc = store_open(s, name, &src, err);
    if (rc != ERR_OK)
        return rc;
    buf_clear(out);
    if (src->size > out->max)
        rc = err_set(err, ERR_NOMEM, "%s has %" PRIu64 " bytes, more than the %zu that are expected at most",
                     src->name, src->size, out->max);
    if (rc == ERR_OK)
        rc = buf_reserve(out, (size_t)src->size, err);
    if (rc == ERR_OK)
        rc = source_read_full(src, 0, out->data, (size_t)src->size, err);
    if (rc == ERR_OK)
        out->len = (size_t)src->size;
    source_free(src);
    return rc;
}

enum err_code store_put_small(struct store *s, const char *name, const void *data, size_t bytes,
                              struct err *err)
{
    struct sink *sink = NULL;
    enum err_code rc = check_name(name, err);
    if (rc == ERR_OK)
        rc = s->ops->create(s, name, bytes, true, true, &sink, err);
    if (rc == ERR_OK)
        rc = sink_write(sink, data, bytes, err);
    if (rc == ERR_OK)
        rc = sink_commit(sink, err);
    sink_free(sink);
    return rc;
}
