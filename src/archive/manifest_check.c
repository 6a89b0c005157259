/* Whether a manifest contradicts itself. */
#include "archive/manifest.h"
#include "archive/reader.h"
#include "archive/tar.h"
#include "archive/text.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Schema names, sorted; ERR_DAMAGED when two are equal. */
static enum err_code sort_schemas(const struct manifest *m, const char **names, struct err *err)
{
    for (unsigned i = 0; i < m->schema_count; i++)
        names[i] = m->schemas[i].name;
    qsort(names, m->schema_count, sizeof *names, by_text);
    for (unsigned i = 1; i < m->schema_count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return err_set(err, ERR_DAMAGED, "schema '%s' is listed twice", names[i]);
    return ERR_OK;
}

static int by_table_name(const void *a, const void *b)
{
    const struct manifest_table *x = *(const struct manifest_table *const *)a;
    const struct manifest_table *y = *(const struct manifest_table *const *)b;
    int schema = strcmp(x->schema, y->schema);
    return schema != 0 ? schema : strcmp(x->name, y->name);
}

static enum err_code check_table_names(const struct manifest *m, struct err *err)
{
    const struct manifest_table **sorted = xcalloc((size_t)m->table_count + 1, sizeof *sorted);
    enum err_code rc = ERR_OK;
    for (unsigned i = 0; i < m->table_count; i++)
        sorted[i] = &m->tables[i];
    qsort(sorted, m->table_count, sizeof *sorted, by_table_name);
    for (unsigned i = 1; rc == ERR_OK && i < m->table_count; i++)
        if (by_table_name(&sorted[i - 1], &sorted[i]) == 0)
            rc = err_set(err, ERR_DAMAGED, "table '%s'.'%s' is listed twice", sorted[i]->schema,
                         sorted[i]->name);
    free(sorted);
    return rc;
}

/* Tables, views and sequences share one namespace, as do the routines of each kind, packages, triggers and
 * events theirs. */
static int by_object_name(const void *a, const void *b)
{
    const struct manifest_object *x = *(const struct manifest_object *const *)a;
    const struct manifest_object *y = *(const struct manifest_object *const *)b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int schema = strcmp(x->schema, y->schema);
    return schema != 0 ? schema : strcmp(x->name, y->name);
}

static enum err_code check_object_names(const struct manifest *m, struct err *err)
{
    const struct manifest_object **sorted = xcalloc((size_t)m->object_count + 1, sizeof *sorted);
    enum err_code rc = ERR_OK;
    for (unsigned i = 0; i < m->object_count; i++)
        sorted[i] = &m->objects[i];
    qsort(sorted, m->object_count, sizeof *sorted, by_object_name);
    for (unsigned i = 1; rc == ERR_OK && i < m->object_count; i++)
        if (by_object_name(&sorted[i - 1], &sorted[i]) == 0)
            rc = err_set(err, ERR_DAMAGED, "%s '%s'.'%s' is listed twice", object_kind_name(sorted[i]->kind),
                         sorted[i]->schema, sorted[i]->name);
    free(sorted);
    return rc;
}

static enum err_code check_object(const struct manifest *m, unsigned i, const char *const *schemas,
                                  struct err *err)
{
    const struct manifest_object *o = &m->objects[i];
    const char *kind = object_kind_name(o->kind);
    if (o->number != i + 1)
        return err_set(err, ERR_DAMAGED, "%s '%s' is number %u instead of %u", kind, o->name, o->number,
                       i + 1);
    if (i > 0 && m->objects[i - 1].kind > o->kind)
        return err_set(err, ERR_DAMAGED, "%s '%s' stands behind a %s", kind, o->name,
                       object_kind_name(m->objects[i - 1].kind));
    if (bsearch(&o->schema, schemas, m->schema_count, sizeof *schemas, by_text) == NULL)
        return err_set(err, ERR_DAMAGED, "%s '%s' is in the schema '%s', which is not listed", kind, o->name,
                       o->schema);
    if ((o->kind == OBJECT_VIEW || o->kind == OBJECT_SEQUENCE) &&
        manifest_find_table(m, o->schema, o->name) != NULL)
        return err_set(err, ERR_DAMAGED, "%s '%s'.'%s' is listed as a table too", kind, o->schema, o->name);
    if (o->kind == OBJECT_TRIGGER && manifest_find_table(m, o->schema, o->table) == NULL)
        return err_set(err, ERR_DAMAGED, "trigger '%s'.'%s' is of '%s', which is not listed", o->schema,
                       o->name, o->table);
    return ERR_OK;
}

static enum err_code check_objects(const struct manifest *m, struct err *err)
{
    const char **schemas = xcalloc((size_t)m->schema_count + 1, sizeof *schemas);
    enum err_code rc = sort_schemas(m, schemas, err);
    for (unsigned i = 0; rc == ERR_OK && i < m->object_count; i++)
        rc = check_object(m, i, schemas, err);
    free(schemas);
    return rc == ERR_OK ? check_object_names(m, err) : rc;
}

static enum err_code check_tables(const struct manifest *m, struct err *err)
{
    const char **names = xcalloc((size_t)m->schema_count + 1, sizeof *names);
    enum err_code rc = sort_schemas(m, names, err);
    for (unsigned i = 0; rc == ERR_OK && i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        if (t->number != i + 1)
            rc =
                err_set(err, ERR_DAMAGED, "table '%s' is number %u instead of %u", t->name, t->number, i + 1);
        else if (bsearch(&t->schema, names, m->schema_count, sizeof *names, by_text) == NULL)
            rc = err_set(err, ERR_DAMAGED, "table '%s' is in the schema '%s', which is not listed", t->name,
                         t->schema);
    }
    free(names);
    return rc == ERR_OK ? check_table_names(m, err) : rc;
}

/* What the members of one table sum up to. */
struct figures {
    uint64_t rows, plain_bytes, stored_bytes;
    struct rowsum checksum;
};

static void figures_add(struct figures *f, const struct manifest_member *member)
{
    f->rows += member->rows;
    f->plain_bytes += member->plain_length;
    f->stored_bytes += member->length;
    rowsum_add(&f->checksum, member->checksum);
}

/* The path and kind that members[i] must have, as far as the manifest's other parts decide it: all but the
 * data. */
static enum member_kind expected_head(const struct manifest *m, size_t i, unsigned *table, unsigned *object,
                                      struct buf *path)
{
    *table = *object = 0;
    if (i < 2) {
        buf_put(path, i == 0 ? "README.txt" : "restore.sh");
        return i == 0 ? MEMBER_README : MEMBER_SCRIPT;
    }
    i -= 2;
    if (i < m->schema_count) {
        archive_schema_path((unsigned)i + 1, &m->schemas[i], path);
        return MEMBER_SCHEMA;
    }
    i -= m->schema_count;
    if (i >= 2 * (size_t)m->table_count) {
        *object = (unsigned)(i - 2 * (size_t)m->table_count) + 1;
        archive_object_path(&m->objects[*object - 1], path);
        return MEMBER_OBJECT;
    }
    *table = (unsigned)(i / 2) + 1;
    if (i % 2 == 0)
        archive_ddl_path(&m->tables[i / 2], path);
    else
        archive_load_path(&m->tables[i / 2], path);
    return i % 2 == 0 ? MEMBER_TABLE_DDL : MEMBER_LOAD;
}

static enum err_code check_head(const struct manifest *m, size_t i, struct err *err)
{
    const struct manifest_member *member = &m->members[i];
    unsigned table, object;
    struct buf path;
    enum err_code rc = ERR_OK;
    buf_init(&path, 4096);
    enum member_kind kind = expected_head(m, i, &table, &object, &path);
    if (strcmp(member->path, buf_cstr(&path)) != 0 || member->kind != kind || member->table != table ||
        member->object != object)
        rc = err_set(err, ERR_DAMAGED, "member %zu is '%s' of table %u instead of '%s' of table %u", i + 1,
                     member->path, member->table, buf_cstr(&path), table);
    buf_free(&path);
    return rc;
}

/* n of "data/<dir>/<n>.tsv.zst", or 0. */
static uint64_t data_number(const struct manifest_table *t, const char *path)
{
    struct buf again;
    const char *slash = strrchr(path, '/');
    uint64_t n = slash != NULL ? strtoull(slash + 1, NULL, 10) : 0;
    buf_init(&again, 4096);
    archive_data_path(t, n, &again);
    if (strcmp(path, buf_cstr(&again)) != 0)
        n = 0;
    buf_free(&again);
    return n;
}

static enum err_code check_data(const struct manifest *m, size_t i, struct err *err)
{
    const struct manifest_member *member = &m->members[i];
    if (member->kind != MEMBER_DATA || member->table == 0 || member->table > m->table_count)
        return err_set(err, ERR_DAMAGED, "member %zu, '%s', belongs to no table", i + 1, member->path);
    if (data_number(&m->tables[member->table - 1], member->path) == 0)
        return err_set(err, ERR_DAMAGED, "member '%s' is not named as data of table %u", member->path,
                       member->table);
    if (member->rows == 0 || member->plain_length < member->rows || member->length == 0)
        return err_set(err, ERR_DAMAGED, "member '%s' cannot have %" PRIu64 " rows in %" PRIu64 " bytes",
                       member->path, member->rows, member->plain_length);
    return ERR_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct manifest_member *const *)a)->path,
                  (*(const struct manifest_member *const *)b)->path);
}

static enum err_code check_paths_differ(const struct manifest *m, struct err *err)
{
    const struct manifest_member **sorted = xcalloc(m->member_count + 1, sizeof *sorted);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < m->member_count; i++)
        sorted[i] = &m->members[i];
    qsort(sorted, m->member_count, sizeof *sorted, by_path);
    for (size_t i = 1; rc == ERR_OK && i < m->member_count; i++)
        if (strcmp(sorted[i - 1]->path, sorted[i]->path) == 0)
            rc = err_set(err, ERR_DAMAGED, "member '%s' is listed twice", sorted[i]->path);
    free(sorted);
    return rc;
}

/* Every member stands right behind the one before, with nothing between but its own header. */
static enum err_code check_place(const struct manifest_member *member, uint64_t *end, struct err *err)
{
    if (member->length > MEMBER_MAX_BYTES)
        return err_set(err, ERR_DAMAGED, "member '%s' is too long: %" PRIu64 " bytes", member->path,
                       member->length);
    if (member->offset != *end + TAR_BLOCK)
        return err_set(err, ERR_DAMAGED, "member '%s' is at %" PRIu64 " instead of %" PRIu64, member->path,
                       member->offset, *end + TAR_BLOCK);
    *end = member->offset + tar_padded(member->length);
    return ERR_OK;
}

static enum err_code check_members(const struct manifest *m, struct figures *sums, struct err *err)
{
    size_t head = 2 + (size_t)m->schema_count + 2 * (size_t)m->table_count + m->object_count;
    uint64_t end = 0;
    enum err_code rc = ERR_OK;
    if (m->member_count < head)
        return err_set(err, ERR_DAMAGED, "%zu members are too few for %u schemas, %u tables and %u objects",
                       m->member_count, m->schema_count, m->table_count, m->object_count);
    for (size_t i = 0; rc == ERR_OK && i < m->member_count; i++) {
        rc = i < head ? check_head(m, i, err) : check_data(m, i, err);
        if (rc == ERR_OK)
            rc = check_place(&m->members[i], &end, err);
        if (rc == ERR_OK && i >= head)
            figures_add(&sums[m->members[i].table - 1], &m->members[i]);
    }
    return rc == ERR_OK ? check_paths_differ(m, err) : rc;
}

static enum err_code check_totals(const struct manifest *m, const struct figures *sums, struct err *err)
{
    uint64_t rows = 0, plain_bytes = 0;
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        if (t->rows != sums[i].rows || t->plain_bytes != sums[i].plain_bytes ||
            t->stored_bytes != sums[i].stored_bytes || !rowsum_equal(t->checksum, sums[i].checksum))
            return err_set(err, ERR_DAMAGED,
                           "the figures of table '%s'.'%s' are not the sums over its members", t->schema,
                           t->name);
        rows += t->rows;
        plain_bytes += t->plain_bytes;
    }
    if (m->rows != rows || m->plain_bytes != plain_bytes)
        return err_set(err, ERR_DAMAGED, "the total of rows or bytes is not the sum over the tables");
    return ERR_OK;
}

enum err_code manifest_check(const struct manifest *m, struct err *err)
{
    struct figures *sums = xcalloc((size_t)m->table_count + 1, sizeof *sums);
    enum err_code rc = check_tables(m, err);
    if (rc == ERR_OK)
        rc = check_objects(m, err);
    if (rc == ERR_OK)
        rc = check_members(m, sums, err);
    if (rc == ERR_OK)
        rc = check_totals(m, sums, err);
    free(sums);
    return rc;
}
