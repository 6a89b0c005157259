#include "archive/manifest.h"

#include "archive/reader.h"
#include "archive/tar.h"
#include "archive/text.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rowsum_add(struct rowsum *sum, struct rowsum other)
{
    sum->low += other.low;
    sum->high += other.high + (sum->low < other.low); /* the carry */
}

bool rowsum_equal(struct rowsum a, struct rowsum b)
{
    return a.low == b.low && a.high == b.high;
}

void rowsum_format(struct rowsum sum, char out[ROWSUM_HEX_BYTES])
{
    snprintf(out, ROWSUM_HEX_BYTES, "%016" PRIx64 "%016" PRIx64, sum.high, sum.low);
}

bool rowsum_parse(const char *text, struct rowsum *out)
{
    if (strlen(text) != ROWSUM_HEX_BYTES - 1 || strspn(text, "0123456789abcdef") != ROWSUM_HEX_BYTES - 1)
        return false;
    char high[17] = "";
    memcpy(high, text, 16);
    out->high = strtoull(high, NULL, 16);
    out->low = strtoull(text + 16, NULL, 16);
    return true;
}

struct manifest *manifest_new(void)
{
    struct manifest *m = xcalloc(1, sizeof *m);
    m->arena = arena_new();
    m->format = MANIFEST_FORMAT;
    return m;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    arena_free(m->arena);
    free(m);
}

static const char *copy_text(struct manifest *m, const char *s)
{
    return s != NULL ? arena_strdup(m->arena, s) : NULL;
}

void manifest_add_member(struct manifest *m, const struct manifest_member *member)
{
    if (m->member_count == m->member_cap) {
        /* the arena keeps the older, smaller arrays: together as large as this one */
        size_t cap = m->member_cap > 0 ? 2 * m->member_cap : 64;
        struct manifest_member *larger = arena_calloc(m->arena, cap, sizeof *larger);
        if (m->member_count > 0)
            memcpy(larger, m->members, m->member_count * sizeof *larger);
        m->members = larger;
        m->member_cap = cap;
    }
    struct manifest_member *added = &m->members[m->member_count++];
    *added = *member;
    added->path = copy_text(m, member->path);
    added->key_first = copy_text(m, member->key_first);
    added->key_last = copy_text(m, member->key_last);
}

void manifest_add_warning(struct manifest *m, const char *object, const char *text)
{
    unsigned n = m->warning_count;
    if ((n & (n - 1)) == 0) { /* 0 or a power of two: full */
        struct manifest_warning *larger = arena_calloc(m->arena, n > 0 ? 2 * (size_t)n : 1, sizeof *larger);
        if (n > 0)
            memcpy(larger, m->warnings, n * sizeof *larger);
        m->warnings = larger;
    }
    m->warnings[n] = (struct manifest_warning){.object = copy_text(m, object), .text = copy_text(m, text)};
    m->warning_count++;
}

struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name)
{
    for (unsigned i = 0; i < m->table_count; i++)
        if (strcmp(m->tables[i].name, name) == 0 && strcmp(m->tables[i].schema, schema) == 0)
            return &m->tables[i];
    return NULL;
}

/* ---- manifest_check ---- */

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
static enum member_kind expected_head(const struct manifest *m, size_t i, unsigned *table, struct buf *path)
{
    *table = 0;
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
    unsigned table;
    struct buf path;
    enum err_code rc = ERR_OK;
    buf_init(&path, 4096);
    enum member_kind kind = expected_head(m, i, &table, &path);
    if (strcmp(member->path, buf_cstr(&path)) != 0 || member->kind != kind || member->table != table)
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
    size_t head = 2 + (size_t)m->schema_count + 2 * (size_t)m->table_count;
    uint64_t end = 0;
    enum err_code rc = ERR_OK;
    if (m->member_count < head)
        return err_set(err, ERR_DAMAGED, "%zu members are too few for %u schemas and %u tables",
                       m->member_count, m->schema_count, m->table_count);
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
        rc = check_members(m, sums, err);
    if (rc == ERR_OK)
        rc = check_totals(m, sums, err);
    free(sums);
    return rc;
}

uint64_t manifest_members_end(const struct manifest *m)
{
    if (m->member_count == 0)
        return 0;
    const struct manifest_member *last = &m->members[m->member_count - 1];
    return last->offset + tar_padded(last->length);
}
