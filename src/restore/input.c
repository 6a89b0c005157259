#include "restore/input.h"

#include "archive/digest.h"
#include "archive/select.h"
#include "archive/text.h"
#include "core/mem.h"
#include "db/ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)64 << 20)

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* Takes a definition in the form that the server printed: in the archive it ends like a statement. */
static const char *keep_ddl(struct arena *arena, const struct buf *text)
{
    size_t bytes = text->len;
    while (bytes && (text->data[bytes - 1] == '\n' || text->data[bytes - 1] == ';'))
        bytes--;
    return arena_strndup(arena, text->data, bytes);
}

static struct input_text keep_text(struct arena *arena, const char *text, size_t bytes)
{
    return (struct input_text){arena_strndup(arena, text, bytes), bytes};
}

/* ---- a file ---- */

static bool same_object(const struct manifest_object *a, const struct manifest_object *b)
{
    struct buf left, right;
    buf_init(&left, TEXT_MAX_BYTES);
    buf_init(&right, TEXT_MAX_BYTES);
    bool same = manifest_object_write(a, &left, NULL) == ERR_OK &&
                manifest_object_write(b, &right, NULL) == ERR_OK && left.len == right.len &&
                memcmp(left.data, right.data, left.len) == 0;
    buf_free(&left);
    buf_free(&right);
    return same;
}

/* The file of an object says what the manifest says, and has the definition that was dumped. */
static enum err_code take_object(struct input *in, unsigned number, const struct buf *file, struct err *err)
{
    struct arena *arena = in->manifest->arena;
    const struct manifest_object *o = &in->manifest->objects[number - 1];
    struct manifest_object own;
    const char *text;
    size_t bytes;
    enum err_code code = archive_object_sql_parse(file->data, file->len, arena, &own, &text, &bytes, err);
    if (code != ERR_OK)
        return err_wrap(err, "read the archive");
    if (!same_object(&own, o))
        return err_set(err, ERR_DAMAGED, "read the archive: manifest and .sql describe %s %s.%s differently",
                       object_kind_name(o->kind), o->schema, o->name);
    in->objects[number - 1] = keep_text(arena, text, bytes);
    return ERR_OK;
}

/* Every text member is read, chosen or not: they are small, and damage must show before anything is done. */
static enum err_code read_texts(struct input *in, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < in->manifest->member_count; i++) {
        const struct manifest_member *member = &in->manifest->members[i];
        if (member->kind == MEMBER_DATA)
            continue;
        code = archive_read_member(in->src, in->manifest, member, &text, err);
        if (code == ERR_OK && member->kind == MEMBER_TABLE_DDL)
            in->ddl_texts[member->table - 1] = keep_ddl(in->manifest->arena, &text);
        else if (code == ERR_OK && member->kind == MEMBER_OBJECT)
            code = take_object(in, member->object, &text, err);
    }
    buf_free(&text);
    return code == ERR_OK ? archive_check_tail(in->src, in->manifest, err) : code;
}

static enum err_code open_seekable(struct input *in, struct err *err)
{
    enum err_code code = archive_read_manifest(in->src, &in->manifest, err);
    if (code != ERR_OK)
        return code;
    in->ddl_texts = xcalloc(in->manifest->table_count + 1, sizeof *in->ddl_texts);
    in->objects = xcalloc(in->manifest->object_count + 1, sizeof *in->objects);
    return read_texts(in, err);
}

/* ---- a pipe ---- */

/* A .load.sql says nearly everything twice, as JSON and as statements. */
static bool is_as_written(const struct manifest_table *t, unsigned format, const struct buf *text)
{
    struct buf again;
    buf_init(&again, (size_t)MEMBER_MAX_BYTES);
    bool same = archive_load_sql(t, format, &again, NULL) == ERR_OK && again.len == text->len &&
                memcmp(again.data, text->data, text->len) == 0;
    buf_free(&again);
    return same;
}

/* The engine stands in it once only, and in the definition, whose digest it holds. */
static bool has_engine(const char *ddl, const char *engine)
{
    char option[128];
    snprintf(option, sizeof option, "ENGINE=%s", engine ? engine : "");
    return ddl && strcasestr(ddl, option) != NULL;
}

/* What comes one by one grows by realloc; the manifest, which owns an arena, gets a copy in the end. */
struct streaming {
    struct input *in;
    unsigned table_cap, object_cap, schema_cap;
    const char *ddl; /* the definition that came last, of the table whose .load.sql comes next */
};

static void *grow(void *list, unsigned count, unsigned *cap, size_t bytes)
{
    if (count < *cap)
        return list;
    *cap = *cap ? 2 * *cap : 64;
    return xreallocarray(list, *cap, bytes);
}

static enum err_code add_table(struct streaming *s, const struct buf *text, struct err *err)
{
    struct input *in = s->in;
    struct manifest *m = in->manifest;
    unsigned cap = s->table_cap;
    m->tables = grow(m->tables, m->table_count, &s->table_cap, sizeof *m->tables);
    in->ddl_texts = grow(in->ddl_texts, m->table_count, &cap, sizeof *in->ddl_texts);
    struct manifest_table *t = &m->tables[m->table_count];
    memset(t, 0, sizeof *t);
    enum err_code code = archive_load_sql_parse(text->data, text->len, m->format, m->arena, t, err);
    if (code == ERR_OK && t->number != m->table_count + 1)
        code = err_set(err, ERR_DAMAGED, "read the archive: table %u stands where %u is expected", t->number,
                       m->table_count + 1);
    in->is_odd |= code == ERR_OK && (!is_as_written(t, m->format, text) || !has_engine(s->ddl, t->engine));
    in->ddl_texts[m->table_count] = s->ddl;
    s->ddl = NULL;
    if (code == ERR_OK)
        m->table_count++;
    return code;
}

static enum err_code add_object(struct streaming *s, const struct buf *file, struct err *err)
{
    struct input *in = s->in;
    struct manifest *m = in->manifest;
    unsigned cap = s->object_cap;
    const char *text;
    size_t bytes;
    m->objects = grow(m->objects, m->object_count, &s->object_cap, sizeof *m->objects);
    in->objects = grow(in->objects, m->object_count, &cap, sizeof *in->objects);
    struct manifest_object *o = &m->objects[m->object_count];
    enum err_code code = archive_object_sql_parse(file->data, file->len, m->arena, o, &text, &bytes, err);
    if (code == ERR_OK && o->number != m->object_count + 1)
        code = err_set(err, ERR_DAMAGED, "object %u stands where %u is expected", o->number,
                       m->object_count + 1);
    if (code != ERR_OK)
        return err_wrap(err, "read the archive");
    in->objects[m->object_count++] = keep_text(m->arena, text, bytes);
    return ERR_OK;
}

/* A database's file: from it a pipe tells the format of the archive too. */
static enum err_code add_schema(struct streaming *s, const struct buf *text, struct err *err)
{
    struct manifest *m = s->in->manifest;
    m->schemas = grow(m->schemas, m->schema_count, &s->schema_cap, sizeof *m->schemas);
    struct manifest_schema *schema = &m->schemas[m->schema_count];
    enum err_code code = archive_schema_sql_parse(text->data, text->len, m->arena, schema, &m->format, err);
    if (code == ERR_OK && schema->name)
        m->schema_count++;
    return code;
}

static enum err_code add_text(struct streaming *s, const char *path, const struct buf *text, struct err *err)
{
    static const char *const objects[] = {".sequence.sql", ".package.sql",   ".package_body.sql",
                                          ".function.sql", ".procedure.sql", ".view.sql",
                                          ".trigger.sql",  ".event.sql"};
    if (strncmp(path, "schema/database-", 16) == 0)
        return add_schema(s, text, err);
    if (ends_with(path, ".load.sql"))
        return add_table(s, text, err);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (ends_with(path, objects[i]))
            return add_object(s, text, err);
    if (ends_with(path, ".sql"))
        s->ddl = keep_ddl(s->in->manifest->arena, text);
    return ERR_OK;
}

static void *into_arena(struct arena *arena, void *list, unsigned count, size_t bytes)
{
    void *copy = arena_calloc(arena, count + 1, bytes);
    if (list)
        memcpy(copy, list, count * bytes);
    free(list);
    return copy;
}

static enum err_code read_until_data(struct streaming *s, struct buf *text, struct err *err)
{
    struct input *in = s->in;
    for (;;) {
        const char *path;
        char sha256[SHA256_HEX_BYTES];
        enum err_code code = archive_stream_next(in->stream, &path, text, sha256, err);
        if (code != ERR_OK || !path)
            return code;
        if (strncmp(path, "data/", 5) == 0) {
            unsigned first;
            code = input_table_of(in, path, &first, err);
            in->first_path = xstrdup(path);
            in->first = *text; /* ownership moves */
            buf_init(text, 1);
            return code;
        }
        code = add_text(s, path, text, err);
        if (code != ERR_OK)
            return code;
    }
}

static enum err_code open_stream(struct input *in, struct err *err)
{
    struct streaming s = {.in = in};
    struct buf text;
    buf_init(&text, (size_t)MEMBER_MAX_BYTES);
    struct manifest *m = in->manifest = manifest_new();
    in->stream = archive_stream_new(in->src);
    enum err_code code = read_until_data(&s, &text, err);
    buf_free(&text);
    if (!in->ddl_texts)
        in->ddl_texts = xcalloc(1, sizeof *in->ddl_texts);
    if (!in->objects)
        in->objects = xcalloc(1, sizeof *in->objects);
    m->tables = into_arena(m->arena, m->tables, m->table_count, sizeof *m->tables);
    m->objects = into_arena(m->arena, m->objects, m->object_count, sizeof *m->objects);
    m->schemas = into_arena(m->arena, m->schemas, m->schema_count, sizeof *m->schemas);
    return code;
}

/* "data/<dir>/..." belongs to the table with that folder; the number stands before the first dash. */
enum err_code input_table_of(const struct input *in, const char *path, unsigned *number, struct err *err)
{
    unsigned long n = strncmp(path, "data/", 5) == 0 ? strtoul(path + 5, NULL, 10) : 0;
    if (n == 0 || n > in->manifest->table_count)
        return err_set(err, ERR_DAMAGED, "read the archive: member %s belongs to no table", path);
    *number = (unsigned)n;
    return ERR_OK;
}

static enum err_code compare_table(const struct manifest *m, const struct manifest *early, unsigned i,
                                   struct err *err)
{
    struct buf a, b;
    buf_init(&a, TEXT_MAX_BYTES);
    buf_init(&b, TEXT_MAX_BYTES);
    enum err_code code = manifest_table_write(&m->tables[i], m->format, &a, err);
    if (code == ERR_OK)
        code = manifest_table_write(&early->tables[i], m->format, &b, err);
    if (code == ERR_OK && (a.len != b.len || memcmp(a.data, b.data, a.len) != 0))
        code =
            err_set(err, ERR_DAMAGED, "read the archive: manifest and .load.sql describe %s.%s differently",
                    m->tables[i].schema, m->tables[i].name);
    buf_free(&a);
    buf_free(&b);
    return code;
}

enum err_code input_compare_end(struct input *in, struct err *err)
{
    struct manifest *m = archive_stream_manifest(in->stream), *early = in->manifest;
    enum err_code code = archive_stream_matches(in->stream, err);
    if (code == ERR_OK && (m->table_count != early->table_count || m->object_count != early->object_count))
        code =
            err_set(err, ERR_DAMAGED,
                    "read the archive: its manifest has %u tables and %u objects, %u and %u came before it",
                    m->table_count, m->object_count, early->table_count, early->object_count);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        code = compare_table(m, early, i, err);
    for (unsigned i = 0; code == ERR_OK && i < m->object_count; i++)
        if (!same_object(&m->objects[i], &early->objects[i]))
            code =
                err_set(err, ERR_DAMAGED, "read the archive: manifest and .sql describe %s %s.%s differently",
                        object_kind_name(m->objects[i].kind), m->objects[i].schema, m->objects[i].name);
    return code;
}

enum err_code input_skip_data(struct input *in, struct err *err)
{
    struct buf stored;
    const char *path = in->first_path;
    char sha256[SHA256_HEX_BYTES];
    buf_init(&stored, (size_t)MEMBER_MAX_BYTES);
    enum err_code code = ERR_OK;
    while (code == ERR_OK && path)
        code = archive_stream_next(in->stream, &path, &stored, sha256, err);
    buf_free(&stored);
    return code == ERR_OK ? input_compare_end(in, err) : code;
}

/* ---- both ---- */

/* The server is given no definition but the one that was dumped. */
static enum err_code check_ddl(const struct manifest_table *t, const char *ddl, struct err *err)
{
    struct buf plain;
    char hex[SHA256_HEX_BYTES];
    buf_init(&plain, TEXT_MAX_BYTES);
    ddl_without_auto_increment(ddl ? ddl : "", &plain);
    digest_of(plain.data, plain.len, hex);
    buf_free(&plain);
    if (strcmp(hex, t->ddl_sha256) == 0)
        return ERR_OK;
    return err_set(err, ERR_DAMAGED, "read the archive: the definition of %s.%s is %s", t->schema, t->name,
                   ddl ? "not the one that was dumped" : "missing");
}

static enum err_code choose(struct input *in, const struct restore_options *options, struct err *err)
{
    enum err_code code =
        archive_select(in->manifest, options->tables, options->table_count, &in->chosen, err);
    for (unsigned i = 0; code == ERR_OK && i < in->manifest->table_count; i++)
        if (in->chosen[i])
            code = check_ddl(&in->manifest->tables[i], in->ddl_texts[i], err);
    return code;
}

enum err_code input_open(struct source *src, const struct restore_options *options, struct input *in,
                         struct err *err)
{
    *in = (struct input){.src = src};
    enum err_code code = src->seekable ? open_seekable(in, err) : open_stream(in, err);
    return code == ERR_OK ? choose(in, options, err) : code;
}

void input_close(struct input *in)
{
    if (in->stream && in->manifest == archive_stream_manifest(in->stream))
        in->manifest = NULL; /* the stream's own */
    manifest_free(in->manifest);
    archive_stream_free(in->stream);
    free(in->chosen);
    free(in->ddl_texts);
    free(in->objects);
    free(in->first_path);
    buf_free(&in->first);
}

const struct manifest *input_manifest(const struct input *in)
{
    const struct manifest *end = in->stream ? archive_stream_manifest(in->stream) : NULL;
    return end ? end : in->manifest;
}

enum err_code input_explain(const struct input *in, enum err_code code, struct err *err)
{
    bool by_content = code == ERR_DB || code == ERR_DB_DENIED || code == ERR_REFUSED || code == ERR_NOT_FOUND;
    if (!by_content || !in->is_odd)
        return code;
    err_hint(err, "; the archive is damaged: a .load.sql in it contradicts itself");
    return err->code = ERR_DAMAGED;
}
