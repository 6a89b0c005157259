#include "archive/text_parts.h"

#include "core/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLUG_BYTES  40
#define TABLE_START "-- dbsafe-table "

char *archive_slug(struct arena *arena, unsigned number, const char *name)
{
    char slug[SLUG_BYTES + 1];
    size_t n = 0;
    for (; *name != '\0' && n < SLUG_BYTES; name++) {
        if (archive_is_safe(*name))
            slug[n++] = *name;
        else if (((unsigned char)*name & 0xC0) != 0x80) /* one _ for a whole UTF-8 character */
            slug[n++] = '_';
    }
    slug[n] = '\0';
    return arena_printf(arena, "%04u-%s", number, slug);
}

void archive_data_path(const struct manifest_table *t, uint64_t n, struct buf *out)
{
    buf_putf(out, "data/%s/%06" PRIu64 ".tsv.zst", t->dir, n);
}

void archive_ddl_path(const struct manifest_table *t, struct buf *out)
{
    buf_putf(out, "schema/%s.sql", t->dir);
}

void archive_load_path(const struct manifest_table *t, struct buf *out)
{
    buf_putf(out, "schema/%s.load.sql", t->dir);
}

void archive_object_path(const struct manifest_object *o, struct buf *out)
{
    buf_putf(out, "schema/%s.%s.sql", o->dir, object_kind_name(o->kind));
}

void archive_schema_path(unsigned number, const struct manifest_schema *schema, struct buf *out)
{
    struct arena *arena = arena_new();
    buf_putf(out, "schema/database-%s.sql", archive_slug(arena, number, schema->name));
    arena_free(arena);
}

/* Puts the field's user variable where a LOAD expression says @v. */
static void put_load_expr(struct buf *out, const char *expr, unsigned column)
{
    for (const char *v = strstr(expr, "@v"); v != NULL; v = strstr(expr, "@v")) {
        buf_putn(out, expr, (size_t)(v - expr));
        buf_putf(out, "@v%u", column);
        expr = v + 2;
    }
    buf_put(out, expr);
}

void archive_load_statement(const struct manifest_table *t, const char *file, const char *into,
                            struct buf *out)
{
    const char *before = " SET ";
    buf_putf(out, "LOAD DATA LOCAL INFILE '%s' INTO TABLE %s CHARACTER SET binary", file, into);
    buf_put(out, " FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (");
    for (unsigned i = 0; i < t->column_count; i++) {
        buf_put(out, i > 0 ? ", " : "");
        if (t->columns[i].load_expr != NULL)
            buf_putf(out, "@v%u", i + 1);
        else
            archive_put_name(out, t->columns[i].name);
    }
    buf_put(out, ")");
    for (unsigned i = 0; i < t->column_count; i++) {
        if (t->columns[i].load_expr == NULL)
            continue;
        buf_put(out, before);
        before = ", ";
        archive_put_name(out, t->columns[i].name);
        buf_put(out, " = ");
        put_load_expr(out, t->columns[i].load_expr, i + 1);
    }
}

/* MariaDB alone runs what stands in M! comments (101100: from 10.11 on); to MySQL they are comments. */
#define SESSION                                                                                              \
    "SET NAMES binary;\n"                                                                                    \
    "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', /*M! check_constraint_checks=0, */ "  \
    "foreign_key_checks=0, unique_checks=1, time_zone='+00:00'"

const char *archive_load_session(const struct manifest_table *t)
{
    return t->system_versioned ? SESSION " /*M!101100 , system_versioning_insert_history=1 */;\n"
                               : SESSION ";\n";
}

enum err_code archive_load_sql(const struct manifest_table *t, unsigned format, struct buf *out,
                               struct err *err)
{
    struct buf into;
    buf_put(out, TABLE_START);
    enum err_code rc = manifest_table_write(t, format, out, err);
    if (rc != ERR_OK)
        return rc;
    buf_put(out, "\n");
    archive_put_comment(out, "database", t->schema);
    archive_put_comment(out, "table", t->name);
    buf_putf(out, "-- rows: %s\n", t->system_versioned ? "FOR SYSTEM_TIME ALL" : "");
    buf_put(out, archive_load_session(t));
    buf_init(&into, 4096);
    archive_put_name(&into, t->name);
    archive_load_statement(t, "/dev/stdin", buf_cstr(&into), out);
    buf_put(out, ";\n");
    buf_free(&into);
    return ERR_OK;
}

enum err_code archive_load_sql_parse(const char *text, size_t bytes, unsigned format, struct arena *arena,
                                     struct manifest_table *out, struct err *err)
{
    const char *json;
    size_t json_bytes;
    enum err_code rc = archive_first_line(text, bytes, TABLE_START, &json, &json_bytes, err);
    return rc == ERR_OK ? manifest_table_read(json, json_bytes, format, arena, out, err) : rc;
}

static const char readme_text[] =
    "It is a plain tar file with what %u database(s) hold, made by dbsafe %s\n"
    "from a %s server, version %s.\n"
    "Label: %s\n"
    "\n"
    "RESTORE WITH DBSAFE\n"
    "    dbsafe restore ARCHIVE --dry-run     what would happen\n"
    "    dbsafe restore ARCHIVE               load beside the live tables, compare, then\n"
    "                                         swap in one step; `dbsafe undo` takes it back\n"
    "\n"
    "RESTORE WITHOUT DBSAFE\n"
    "You need tar, zstd, sh, sha256sum and the mariadb client, a server that allows\n"
    "local_infile, and an account that may name others as DEFINER.  Tables and other\n"
    "objects must not exist yet; nothing is overwritten.\n"
    "    mkdir x && tar -xf ARCHIVE -C x && cd x\n"
    "    sh restore.sh [options of the mariadb client]\n"
    "    sh restore.sh --into NEWDB [...]     into another database than the original one\n"
    "restore.sh first checks the SHA-256 of every file, and stops with an error unless each\n"
    "table gets exactly the rows that were dumped and every object is created.  Of views\n"
    "that were broken already it tells, and goes on.  With --into, what the definitions of\n"
    "tables and views call by its database is renamed; the text of routines, triggers and\n"
    "events is not.\n"
    "\n"
    "CHECK\n"
    "    dbsafe verify ARCHIVE                every byte, and every row's checksum\n"
    "    dbsafe verify ARCHIVE --live         the rows of a database against the archive\n"
    "\n"
    "WHAT IS IN IT\n"
    "    schema/database-N-NAME.sql    CREATE DATABASE\n"
    "    schema/N-NAME.sql             CREATE TABLE, as the server printed it\n"
    "    schema/N-NAME.load.sql        session settings and the LOAD DATA statement\n"
    "    schema/N-NAME.KIND.sql        sequences, views, routines, packages, triggers, events:\n"
    "                                  in the character set that stands in the third line\n"
    "    data/N-NAME/NNNNNN.tsv.zst    rows as text for LOAD DATA, compressed by zstd\n"
    "    manifest.json                 tables, columns, row counts, checksums, every file\n"
    "    index.dbsafe                  where manifest.json stands, and its SHA-256\n"
    "The manual page dbsafe-archive(5) describes all of it to the last byte.\n";

void archive_readme(const struct manifest *m, struct buf *out)
{
    char when[CLOCK_ISO_BYTES];
    clock_format_iso(m->started_ms, when);
    buf_putf(out, "This is a database backup (a dbsafe archive), taken at %s.\n", when);
    buf_putf(out, readme_text, m->schema_count, m->tool_version != NULL ? m->tool_version : "",
             m->server.flavour != NULL ? m->server.flavour : "MariaDB or MySQL",
             m->server.version != NULL ? m->server.version : "unknown",
             m->label != NULL && m->label[0] != '\0' ? m->label : "(none)");
}
