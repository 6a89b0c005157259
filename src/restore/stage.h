/*
 * Staging: the archive's tables are created beside the live ones, loaded, given their keys, and compared with
 * what was dumped.  Nothing live is touched here.
 */
#ifndef DBSAFE_RESTORE_STAGE_H
#define DBSAFE_RESTORE_STAGE_H

#include "archive/reader.h"
#include "restore/target.h"

/* The archive as restore reads it: a file with its manifest first, or a pipe that brings it last. */
struct stage_input {
    struct source *src;
    struct archive_stream *stream; /* NULL for a seekable source */
    struct manifest *manifest;     /* of a pipe: the tables as their .load.sql describe them, until the end */
    bool *chosen;                  /* per table */
    const char **ddl_texts;        /* per table; NULL where not chosen */
    /* of a pipe: the first data member, read while looking for the end of the texts */
    char *first_path;
    struct buf first;
    bool is_odd; /* one of its .load.sql is not as dbsafe would write it: of another version, or damaged */
};

/* Reads everything before the data: manifest, definitions; checks all of it and, on a seekable source, the
 * archive's end. */
enum err_code stage_open(struct source *src, const struct restore_options *options, struct stage_input *in,
                         struct err *err);
void stage_close(struct stage_input *in);
/* A pipe is loaded before its manifest can be compared: ERR_DAMAGED where damage is why something was
 * refused.
 */
enum err_code stage_explain(const struct stage_input *in, enum err_code code, struct err *err);

/* Creates the staging tables (their schemas exist). */
enum err_code stage_create(struct db_conn *c, const struct targets *t, struct err *err);
/* Loads all chosen members with options->threads connections, which are noted in the journal. At the end of a
 * pipe its manifest replaces in->manifest, and what was loaded is compared with it. */
enum err_code stage_load(const struct run *run, const struct db_params *params, struct db_conn *control,
                         const struct operation *op, struct stage_input *in, struct targets *t,
                         unsigned threads, struct err *err);
/* Adds the deferred keys, and checks that each definition is what it was. */
enum err_code stage_finish_tables(const struct run *run, const struct db_params *params,
                                  struct db_conn *control, const struct operation *op,
                                  const struct stage_input *in, struct targets *t, unsigned threads,
                                  struct err *err);
/* Re-reads every staging table and compares row counts and content checksums; ERR_DIFFERS names the tables.
 */
enum err_code stage_verify(const struct run *run, const struct db_params *params, const struct targets *t,
                           unsigned threads, struct err *err);

#endif
