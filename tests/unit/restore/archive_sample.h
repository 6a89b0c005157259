/* An archive in memory, and what a restore makes of it. */
#ifndef DBSAFE_TESTS_RESTORE_ARCHIVE_SAMPLE_H
#define DBSAFE_TESTS_RESTORE_ARCHIVE_SAMPLE_H

#include "restore/target.h"

#include <string.h>

#define TABLES_MAX 8

struct archive {
    struct manifest manifest;
    struct manifest_table tables[TABLES_MAX];
    struct manifest_object objects[TABLES_MAX];
    const char *ddl[TABLES_MAX];
    struct input_text texts[TABLES_MAX];
    bool chosen[TABLES_MAX];
};

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct manifest_table *add_table(struct archive *a, const char *schema, const char *name,
                                        uint64_t rows, const char *ddl)
{
    unsigned i = a->manifest.table_count++;
    a->manifest.tables = a->tables;
    a->tables[i] = (struct manifest_table){
        .number = i + 1, .schema = schema, .name = name, .rows = rows, .ddl_sha256 = "as dumped"};
    a->ddl[i] = ddl;
    a->chosen[i] = true;
    return &a->tables[i];
}

static enum err_code make(struct archive *a, const struct restore_options *options, struct targets *t,
                          struct err *err)
{
    const struct input in = {
        .manifest = &a->manifest, .chosen = a->chosen, .ddl_texts = a->ddl, .objects = a->texts};
    return targets_make(&in, options, arena, t, err);
}

#endif
