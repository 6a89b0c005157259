/* The .sql files of schemas and objects. */
#include "archive/digest.h"
#include "archive/text_parts.h"

#include <stdio.h>
#include <string.h>

#define DATABASE_START "-- dbsafe-database "
#define OBJECT_START   "-- dbsafe-object "

enum err_code archive_schema_sql(const struct manifest_schema *schema, struct buf *out, struct err *err)
{
    buf_put(out, DATABASE_START);
    enum err_code rc = manifest_schema_write(schema, MANIFEST_FORMAT, out, err);
    if (rc != ERR_OK)
        return rc;
    struct buf options;
    buf_init(&options, 1 << 16);
    buf_putf(&options, "CHARACTER SET %s COLLATE %s", schema->charset, schema->collation);
    if (schema->comment != NULL && schema->comment[0] != '\0') {
        buf_put(&options, " COMMENT ");
        archive_put_text(&options, schema->comment);
    }
    buf_putf(out, "\n-- %s\nSET SESSION sql_mode='';\nCREATE DATABASE IF NOT EXISTS ", buf_cstr(&options));
    archive_put_name(out, schema->name);
    buf_putf(out, " %s;\nUSE ", buf_cstr(&options));
    archive_put_name(out, schema->name);
    buf_put(out, ";\n");
    buf_free(&options);
    return ERR_OK;
}

enum err_code archive_schema_sql_parse(const char *text, size_t bytes, struct arena *arena,
                                       struct manifest_schema *out, unsigned *format, struct err *err)
{
    static const char first_format[] = "-- CHARACTER SET ";
    const char *json;
    size_t json_bytes;
    *out = (struct manifest_schema){0};
    *format = 1;
    if (bytes >= sizeof first_format - 1 && memcmp(text, first_format, sizeof first_format - 1) == 0)
        return ERR_OK;
    enum err_code rc = archive_first_line(text, bytes, DATABASE_START, &json, &json_bytes, err);
    return rc == ERR_OK ? manifest_schema_read(json, json_bytes, arena, out, format, err) : rc;
}

void archive_object_session(const struct manifest_object *o, struct buf *out)
{
    const char *charset = o->charset != NULL ? o->charset : "utf8mb4";
    buf_putf(out, "SET NAMES %s", charset);
    if (o->collation != NULL)
        buf_putf(out, ", SESSION collation_connection=%s", o->collation);
    buf_put(out, ", SESSION sql_mode=");
    archive_put_text(out, o->sql_mode != NULL ? o->sql_mode : "");
    if (o->time_zone != NULL) {
        buf_put(out, ", SESSION time_zone=");
        archive_put_text(out, o->time_zone);
    }
    buf_put(out, ";\n");
}

void archive_sequence_state(const struct manifest_object *o, const char *sequence, struct buf *out)
{
    const struct manifest_sequence *s = &o->sequence;
    buf_putf(out, "INSERT INTO %s VALUES (%s, %s, %s, %s, %s, %s, %d, %s)", sequence, s->next, s->minimum,
             s->maximum, s->start, s->increment, s->cache, s->cycle, s->cycle_count);
}

/* A word that ends the definition for the stock client because it does not occur in it.  It means nothing to
 * a shell in quotes, nor in a regular expression. */
static void choose_delimiter(const char *definition, size_t bytes, char out[24])
{
    unsigned n = 0;
    snprintf(out, 24, ";;");
    while (memmem(definition, bytes, out, strlen(out)) != NULL)
        snprintf(out, 24, ";%u;", ++n);
}

/* Only creating it in a database with that collation gives a routine the one it had: no session setting does.
 */
static bool needs_collation(const struct manifest_object *o, const char *schema_collation)
{
    return o->db_collation != NULL && schema_collation != NULL &&
           strcmp(o->db_collation, schema_collation) != 0;
}

static void put_state(const struct manifest_object *o, struct buf *out)
{
    struct buf name;
    buf_init(&name, 1024);
    archive_put_name(&name, o->name);
    archive_sequence_state(o, buf_cstr(&name), out);
    buf_put(out, ";\n");
    buf_free(&name);
}

enum err_code archive_object_sql(const struct manifest_object *o, const char *schema_collation,
                                 const char *definition, size_t bytes, struct buf *out, struct err *err)
{
    char delimiter[24];
    buf_put(out, OBJECT_START);
    enum err_code rc = manifest_object_write(o, out, err);
    if (rc != ERR_OK)
        return rc;
    buf_put(out, "\n");
    archive_put_comment(out, "database", o->schema);
    buf_putf(out, "-- charset: %s\n", o->charset != NULL ? o->charset : "utf8mb4");
    archive_object_session(o, out);
    bool collation = needs_collation(o, schema_collation);
    if (collation)
        buf_putf(out, "ALTER DATABASE COLLATE %s;\n", o->db_collation);
    choose_delimiter(definition, bytes, delimiter);
    buf_putf(out, "DELIMITER %s\n", delimiter);
    rc = buf_add(out, definition, bytes, err);
    if (rc != ERR_OK)
        return rc;
    buf_putf(out, "\n%s\nDELIMITER ;\n", delimiter);
    if (collation)
        buf_putf(out, "ALTER DATABASE COLLATE %s;\n", schema_collation);
    if (o->kind == OBJECT_SEQUENCE)
        put_state(o, out);
    return ERR_OK;
}

/* Finds the definition between its DELIMITER lines. */
static enum err_code find_definition(const char *text, size_t bytes, const char **definition,
                                     size_t *definition_bytes, struct err *err)
{
    static const char word[] = "\nDELIMITER ";
    char end[64];
    const char *line = memmem(text, bytes, word, sizeof word - 1);
    const char *limit = text + bytes;
    const char *delimiter = line != NULL ? line + sizeof word - 1 : limit;
    const char *newline = memchr(delimiter, '\n', (size_t)(limit - delimiter));
    if (newline == NULL || newline - delimiter > 23)
        return err_set(err, ERR_DAMAGED, "its definition does not begin with a line DELIMITER");
    int n = snprintf(end, sizeof end, "\n%.*s\nDELIMITER ;\n", (int)(newline - delimiter), delimiter);
    const char *at = memmem(newline + 1, (size_t)(limit - newline - 1), end, (size_t)n);
    if (at == NULL)
        return err_set(err, ERR_DAMAGED, "its definition does not end");
    *definition = newline + 1;
    *definition_bytes = (size_t)(at - newline - 1);
    return ERR_OK;
}

enum err_code archive_object_sql_parse(const char *text, size_t bytes, struct arena *arena,
                                       struct manifest_object *out, const char **definition,
                                       size_t *definition_bytes, struct err *err)
{
    const char *json;
    size_t json_bytes;
    char sha256[SHA256_HEX_BYTES];
    enum err_code rc = archive_first_line(text, bytes, OBJECT_START, &json, &json_bytes, err);
    if (rc == ERR_OK)
        rc = manifest_object_read(json, json_bytes, arena, out, err);
    if (rc == ERR_OK)
        rc = find_definition(text, bytes, definition, definition_bytes, err);
    if (rc != ERR_OK)
        return rc;
    digest_of(*definition, *definition_bytes, sha256);
    if (strcmp(sha256, out->ddl_sha256) != 0)
        return err_set(err, ERR_DAMAGED, "the definition of %s %s.%s is not the one that was dumped",
                       object_kind_name(out->kind), out->schema, out->name);
    return ERR_OK;
}
