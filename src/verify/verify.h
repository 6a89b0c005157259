/*
 * Verification.  verify_archive: every byte of an archive against its manifest, and every row's text against
 * the content checksums.  verify_live: the rows and objects of a database against the manifest of an
 * archive.
 *
 * Problems are collected, not printed: the caller shows them.  A struct verify_result is released with
 * verify_result_free.
 */
#ifndef DBSAFE_VERIFY_VERIFY_H
#define DBSAFE_VERIFY_VERIFY_H

#include "archive/manifest.h"
#include "core/run.h"
#include "core/source.h"
#include "db/conn.h"

struct verify_problem {
    char *where; /* member path, "trailer", or schema.name */
    char *what;  /* one sentence */
};

struct verify_result {
    uint64_t members, bytes, tables, rows; /* what was checked */
    unsigned problem_count;
    struct verify_problem *problems;
};

void verify_result_free(struct verify_result *r);
void verify_add_problem(struct verify_result *r, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct verify_options {
    unsigned threads;
    const char *const *tables; /* patterns SCHEMA.TABLE or TABLE; NULL: all */
    unsigned table_count;
};

/* Reads the whole source (or the chosen tables' members) with options->threads threads; seekable or stream.
 * ERR_OK: checked and sound.  ERR_DAMAGED: problems say where.  ERR_NOT_FOUND: a pattern names no table.
 * *manifest is set when it could be read (owned by the caller), else NULL. */
enum err_code verify_archive(const struct run *run, struct source *src, const struct verify_options *options,
                             struct verify_result *result, struct manifest **manifest, struct err *err);

/* Compares the live tables (named as in the manifest) in one consistent snapshot, and the definitions of the
 * other objects (with options->tables: of these tables' triggers only).
 * ERR_OK: equal.  ERR_DIFFERS: problems name each that differs or is missing, tables with row counts. */
enum err_code verify_live(const struct run *run, const struct db_params *db, const struct manifest *m,
                          const struct verify_options *options, struct verify_result *result,
                          struct err *err);

#endif
