/*
 * The parts of an archive that stock tools use: the LOAD DATA statement, .load.sql, README.txt, restore.sh,
 * and the path of each member.
 */
#ifndef DBSAFE_ARCHIVE_TEXT_H
#define DBSAFE_ARCHIVE_TEXT_H

#include "archive/manifest.h"

/* "<number>-<slug>": the slug is ASCII [A-Za-z0-9_-], at most 40 bytes, other characters become "_". */
char *archive_slug(struct arena *arena, unsigned number, const char *name);
/* Paths, appended to out: data/<dir>/<n>.tsv.zst (n from 1, at least 6 digits), schema/<dir>.sql,
 * schema/<dir>.load.sql, schema/<dir>.<kind>.sql, and schema/database-<number>-<slug>.sql (number from 1, the
 * place in manifest.schemas plus one). */
void archive_data_path(const struct manifest_table *t, uint64_t n, struct buf *out);
void archive_ddl_path(const struct manifest_table *t, struct buf *out);
void archive_load_path(const struct manifest_table *t, struct buf *out);
void archive_object_path(const struct manifest_object *o, struct buf *out);
void archive_schema_path(unsigned number, const struct manifest_schema *schema, struct buf *out);

/* The whole file of a schema: "-- dbsafe-database {json}\n", CREATE DATABASE IF NOT EXISTS with its character
 * set and comment, and USE. */
enum err_code archive_schema_sql(const struct manifest_schema *schema, struct buf *out, struct err *err);
/* Reads its first line back.  Format 1 has no such line: then *format is 1, and out has no name. */
enum err_code archive_schema_sql_parse(const char *text, size_t bytes, struct arena *arena,
                                       struct manifest_schema *out, unsigned *format, struct err *err);

/* The whole file of an object: "-- dbsafe-object {json}\n", its database, its character set, the settings of
 * the session that creates it, and the definition between DELIMITER lines, byte for byte as the server
 * printed it; then a sequence's state.  Around the definition the database gets, where it is another than
 * schema_collation (what it has), the collation that it had when the object was made: that is recorded with a
 * routine, trigger or event, and decides which strings its variables hold.  The stock client can run it. */
enum err_code archive_object_sql(const struct manifest_object *o, const char *schema_collation,
                                 const char *definition, size_t bytes, struct buf *out, struct err *err);
/* Reads it back; *definition points into text.  ERR_DAMAGED unless the definition has the digest of the
 * object.
 */
enum err_code archive_object_sql_parse(const char *text, size_t bytes, struct arena *arena,
                                       struct manifest_object *out, const char **definition,
                                       size_t *definition_bytes, struct err *err);
/* The settings of the session that creates it, one statement with ";\n": sql_mode, character set, collation
 * and time zone as they were. */
void archive_object_session(const struct manifest_object *o, struct buf *out);
/* The statement that puts a sequence (quoted SQL) where it stood, without a semicolon. */
void archive_sequence_state(const struct manifest_object *o, const char *sequence, struct buf *out);

/* LOAD DATA LOCAL INFILE '<file>' INTO TABLE <into> CHARACTER SET binary ... (columns) SET ...   without a
 * semicolon. into is quoted SQL (`schema`.`table`). */
void archive_load_statement(const struct manifest_table *t, const char *file, const char *into,
                            struct buf *out);
/* The settings of a loading session, as SET statements ended by ";\n": the same in .load.sql and in restore.
 */
const char *archive_load_session(const struct manifest_table *t);
/* The whole .load.sql: "-- dbsafe-table {json}\n", session settings, the LOAD DATA statement with file
 * '/dev/stdin'. */
enum err_code archive_load_sql(const struct manifest_table *t, unsigned format, struct buf *out,
                               struct err *err);
/* Reads the first line of a .load.sql back. */
enum err_code archive_load_sql_parse(const char *text, size_t bytes, unsigned format, struct arena *arena,
                                     struct manifest_table *out, struct err *err);

/* Texts of README.txt and restore.sh (constant but for the label and time in README). */
void archive_readme(const struct manifest *m, struct buf *out);
void archive_restore_script(struct buf *out);

#endif
