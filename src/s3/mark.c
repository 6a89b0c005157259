#include "s3/mark.h"

#include "core/mem.h"
#include "s3/digest.h"
#include "s3/uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER ".dbsafe/"
#define NOBODY "unknown"

static const char *const kinds[] = {[MARK_UPLOAD] = "upload", [MARK_LOCK] = "lock"};

/* ---- owners ---- */

/* A key has no room for all that names a machine, and others can read it. */
static void shorten_machine(struct process *p)
{
    struct s3_digest digest;
    if (strcmp(p->machine, NOBODY) == 0)
        return;
    bool done = s3_digest_of(p->machine, strlen(p->machine), false, &digest, NULL) == ERR_OK;
    snprintf(p->machine, sizeof p->machine, "%.16s", done ? digest.sha256_hex : NOBODY);
}

void mark_owner_self(struct process *out)
{
    process_self(out);
    shorten_machine(out);
}

void mark_owner_format(const struct process *o, char out[MARK_OWNER_BYTES])
{
    snprintf(out, MARK_OWNER_BYTES, "%s/%s-%ld-%llu", o->host, o->machine, o->pid, o->started);
}

bool mark_owner_parse(const char *text, size_t length, struct process *out)
{
    char copy[MARK_OWNER_BYTES], again[MARK_OWNER_BYTES];
    *out = (struct process){.pid = 0};
    if (length >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", (int)length, text);
    if (sscanf(copy, "%40[^/]/%16[0-9a-z]-%ld-%llu", out->host, out->machine, &out->pid, &out->started) != 4)
        return false;
    mark_owner_format(out, again);
    return out->pid > 0 && strcmp(copy, again) == 0;
}

/* ---- setting and clearing ---- */

/* "<prefix>/.dbsafe/upload/<host>/<machine>-<pid>-<started>/<name>" */
static char *key_of(const struct s3_bucket *b, enum mark_kind kind, const char *name)
{
    struct process self;
    char owner[MARK_OWNER_BYTES];
    mark_owner_self(&self);
    mark_owner_format(&self, owner);
    char *tail = xasprintf(FOLDER "%s/%s/%s", kinds[kind], owner, name);
    char *key = s3_bucket_key(b, tail);
    free(tail);
    return key;
}

/* All uploads of this key, which is this process's alone: a lost answer may have made a second one. */
static enum err_code abort_all(struct s3_bucket *b, struct aws_client *client, const char *key,
                               struct err *err)
{
    struct arena *arena = arena_new();
    struct s3_upload_page all;
    enum err_code rc = s3_uploads_list(b, client, key, arena, &all, NULL, err);
    for (size_t i = 0; rc == ERR_OK && i < all.count; i++)
        if (strcmp(all.items[i].key, key) == 0)
            rc = s3_upload_abort_empty(b, client, key, all.items[i].id, err);
    arena_free(arena);
    return rc;
}

enum err_code s3_mark_set(struct s3_bucket *b, struct aws_client *client, enum mark_kind kind,
                          const char *name, struct s3_mark *out, struct err *err)
{
    struct s3_call c;
    *out = (struct s3_mark){.key = key_of(b, kind, name)};
    s3_call_init(&c, b, "POST", out->key);
    s3_call_query(&c, "uploads", "");
    s3_call_encrypt(&c);
    c.call.wants_xml = true;
    enum err_code rc = s3_call_send(&c, client, err);
    const char *id = rc == ERR_OK ? xml_text(xml_root(c.answer.xml), "UploadId", NULL) : "";
    if (rc == ERR_OK && !*id)
        rc = err_set(err, ERR_STORAGE, "the server gave no upload id");
    out->lost = c.answer.ambiguous || (c.answer.tries > 0 && c.answer.http.status == 0);
    if (rc == ERR_OK)
        out->upload_id = xstrdup(id);
    s3_call_end(&c);
    return rc == ERR_OK ? rc : err_wrap(err, "set a mark in s3://%s/%s", b->url.bucket, b->url.prefix);
}

enum err_code s3_mark_clear(struct s3_bucket *b, struct aws_client *client, struct s3_mark *m,
                            struct err *err)
{
    enum err_code rc = ERR_OK;
    if (m->upload_id != NULL)
        rc = s3_upload_abort_empty(b, client, m->key, m->upload_id, err);
    if (rc == ERR_OK && m->lost)
        rc = abort_all(b, client, m->key, err);
    if (rc == ERR_OK)
        s3_mark_forget(m);
    return rc;
}

void s3_mark_forget(struct s3_mark *m)
{
    free(m->key);
    free(m->upload_id);
    *m = (struct s3_mark){0};
}

/* ---- finding ---- */

/* Reads "<kind>/<host>/<owner>/<name>" behind the folder. */
static bool parse_key(const char *text, struct s3_found_mark *out)
{
    for (enum mark_kind kind = MARK_UPLOAD; kind <= MARK_LOCK; kind++) {
        size_t n = strlen(kinds[kind]);
        if (strncmp(text, kinds[kind], n) != 0 || text[n] != '/')
            continue;
        const char *owner = text + n + 1, *slash = strrchr(owner, '/');
        out->kind = kind;
        out->name = slash ? slash + 1 : "";
        return slash && *out->name && mark_owner_parse(owner, (size_t)(slash - owner), &out->owner);
    }
    return false;
}

enum err_code s3_marks_read(struct s3_bucket *b, struct aws_client *client, struct arena *arena,
                            struct s3_found_marks *out, bool *denied, struct err *err)
{
    struct s3_upload_page all;
    struct process self;
    char *folder = s3_bucket_key(b, FOLDER);
    size_t n = strlen(folder);
    mark_owner_self(&self);
    *out = (struct s3_found_marks){0};
    enum err_code rc = s3_uploads_list(b, client, folder, arena, &all, denied, err);
    if (rc == ERR_OK)
        out->items = arena_calloc(arena, all.count + 1, sizeof *out->items);
    for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
        struct s3_found_mark *m = &out->items[out->count];
        const struct s3_upload *u = &all.items[i];
        if (strncmp(u->key, folder, n) != 0 || !parse_key(u->key + n, m))
            continue;
        m->key = u->key;
        m->upload_id = u->id;
        m->begun_ms = u->begun_ms;
        m->life = process_life("/proc", &self, &m->owner);
        out->count++;
    }
    free(folder);
    return rc;
}
