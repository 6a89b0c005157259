/* SHOW CREATE of views, sequences, routines, packages, triggers and events, so that it can be run again. */
#include "db/catalog_objects.h"
#include "db/charset.h"
#include "db/create.h"
#include "db/flavour.h"
#include "db/grants.h"
#include "db/quote.h"
#include "db/sqlerror.h"

#include <mysqld_error.h>
#include <string.h>

#define QUERY_MAX_BYTES      ((size_t)1 << 20)
#define DEFINITION_MAX_BYTES ((size_t)1 << 30)

/* Numbers of newer servers that Connector/C's header may lack. */
#define NO_SUCH_VIEW     4092
#define NO_SUCH_SEQUENCE 4091

struct show {
    const char *words;
    int text, sql_mode, time_zone, charset, db_collation; /* columns; -1: none.  collation follows charset */
    const char *what;                                     /* for messages */
};

static const struct show SHOWS[] = {
    [CATALOG_VIEW] = {"VIEW", 1, -1, -1, 2, -1, "view"},
    [CATALOG_SEQUENCE] = {"SEQUENCE", 1, -1, -1, -1, -1, "sequence"},
    [CATALOG_PACKAGE] = {"PACKAGE", 2, 1, -1, 3, 5, "package"},
    [CATALOG_PACKAGE_BODY] = {"PACKAGE BODY", 2, 1, -1, 3, 5, "package body"},
    [CATALOG_FUNCTION] = {"FUNCTION", 2, 1, -1, 3, 5, "function"},
    [CATALOG_PROCEDURE] = {"PROCEDURE", 2, 1, -1, 3, 5, "procedure"},
    [CATALOG_TRIGGER] = {"TRIGGER", 2, 1, -1, 3, 5, "trigger"},
    [CATALOG_EVENT] = {"EVENT", 3, 1, 2, 4, 6, "event"},
};

static bool is_gone(unsigned number)
{
    return number == ER_NO_SUCH_TABLE || number == ER_BAD_DB_ERROR || number == ER_SP_DOES_NOT_EXIST ||
           number == ER_TRG_DOES_NOT_EXIST || number == ER_EVENT_DOES_NOT_EXIST ||
           number == ER_WRONG_OBJECT || number == NO_SUCH_VIEW || number == NO_SUCH_SEQUENCE;
}

/* What shows the definition to an account that may not see it. */
static enum err_code missing_privilege(struct db_conn *c, const struct catalog_object *o, struct err *err)
{
    static const char *const privileges[] = {[CATALOG_VIEW] = "SELECT, SHOW VIEW",
                                             [CATALOG_SEQUENCE] = "SELECT",
                                             [CATALOG_TRIGGER] = "TRIGGER",
                                             [CATALOG_EVENT] = "EVENT"};
    struct buf grant;
    buf_init(&grant, QUERY_MAX_BYTES);
    if (o->kind < sizeof privileges / sizeof privileges[0] && privileges[o->kind]) {
        buf_putf(&grant, "%s ON ", privileges[o->kind]);
        grants_put_database(o->schema, &grant);
    } else {
        grants_put_show_routine(flavour_of(db_version(c)), o->schema, &grant);
    }
    enum err_code code = err_set(
        err, ERR_DB_DENIED, "read the definition of %s %s.%s: this account may not see it; GRANT %s shows it",
        SHOWS[o->kind].what, o->schema, o->name, buf_cstr(&grant));
    buf_free(&grant);
    return code;
}

/* Of any bytes, NUL too. */
static const char *keep(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

/* ---- what the server prints ---- */

static enum err_code show(struct db_conn *c, const struct catalog_object *o, struct db_rows **rows,
                          struct err *err)
{
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    /* A view of one database is printed without its name, where that database is the current one. */
    buf_put(&sql, "USE ");
    db_quote_name(&sql, o->schema);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    /* Definitions are stored in the bytes of whoever made them. */
    if (code == ERR_OK && o->kind != CATALOG_SEQUENCE)
        code = db_exec(c, "SET SESSION character_set_results=NULL", err);
    if (code != ERR_OK)
        return code;
    buf_clear(&sql);
    buf_putf(&sql, "SHOW CREATE %s ", SHOWS[o->kind].words);
    db_quote_pair(&sql, o->schema, o->name);
    code = db_query(c, buf_cstr(&sql), rows, err);
    buf_free(&sql);
    unsigned number = code == ERR_OK ? 0 : db_errno(c);
    struct err later;
    enum err_code back =
        code == ERR_DB_LOST ? ERR_OK : db_exec(c, "SET SESSION character_set_results=utf8mb4", &later);
    if (code == ERR_OK && back != ERR_OK) {
        db_rows_free(*rows);
        *rows = NULL;
        return err_copy(err, &later);
    }
    if (code == ERR_DB && is_gone(number))
        return err->code = ERR_NOT_FOUND;
    if (code == ERR_DB && sql_error_is_denied(number))
        return missing_privilege(c, o, err);
    if (code == ERR_DB && number == ER_VIEW_RECURSIVE)
        return err->code = ERR_REFUSED; /* for catalog_define alone */
    return code;
}

static const char *column(struct arena *arena, const char *const *row, int i)
{
    return i >= 0 && row[i] ? arena_strdup(arena, row[i]) : NULL;
}

/* Views in a circle cannot be shown, but their parts can be read. */
static enum err_code put_together(struct db_conn *c, struct arena *arena, const struct catalog_object *o,
                                  struct catalog_definition *out, struct err *err)
{
    struct buf sql, text;
    struct db_rows *rows = NULL;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_init(&text, DEFINITION_MAX_BYTES);
    buf_put(&sql, "SELECT VIEW_DEFINITION, CHECK_OPTION, SECURITY_TYPE, COLLATION_CONNECTION, ");
    buf_put(&sql, flavour_of(db_version(c)).mariadb ? "ALGORITHM" : "'UNDEFINED'");
    buf_put(&sql, " FROM information_schema.VIEWS WHERE TABLE_SCHEMA=");
    db_quote_text(&sql, o->schema);
    buf_put(&sql, " AND TABLE_NAME=");
    db_quote_text(&sql, o->name);
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    const char *const *row = code == ERR_OK ? db_row(rows) : NULL;
    const char *at = o->definer ? strrchr(o->definer, '@') : NULL;
    if (row && row[0] && row[0][0] && at) {
        char *user = arena_strndup(arena, o->definer, (size_t)(at - o->definer));
        buf_putf(&text, "CREATE ALGORITHM=%s DEFINER=", row[4]);
        db_quote_name(&text, user);
        if (at[1]) {
            buf_put(&text, "@");
            db_quote_name(&text, at + 1);
        }
        buf_putf(&text, " SQL SECURITY %s VIEW ", row[2]);
        db_quote_name(&text, o->name);
        buf_putf(&text, " AS %s", row[0]);
        if (strcmp(row[1], "NONE") != 0)
            buf_putf(&text, " WITH %s CHECK OPTION", row[1]);
        *out = (struct catalog_definition){.text = arena_strndup(arena, text.data, text.len),
                                           .bytes = text.len,
                                           .charset = "utf8mb4",
                                           .collation = "utf8mb4_general_ci",
                                           .warning =
                                               "refers to itself through other views: no statement makes it "
                                               "again as it is"};
    } else if (code == ERR_OK) {
        code = missing_privilege(c, o, err);
    }
    db_rows_free(rows);
    buf_free(&text);
    buf_free(&sql);
    return code;
}

/* ---- what is mixed in in the wrong form ---- */

struct repair {
    struct db_conn *c;
    struct arena *arena;
    const struct catalog_object *o;
    struct catalog_definition *d;
    bool no_backslash;
    struct create_change changes[4];
    unsigned count;
};

/* name in these quotes, which are doubled in it. */
static void quote_by(struct buf *out, char quote, const char *name)
{
    buf_putn(out, &quote, 1);
    for (; *name; name++) {
        if (*name == quote)
            buf_putn(out, &quote, 1);
        buf_putn(out, name, 1);
    }
    buf_putn(out, &quote, 1);
}

/* A comment as the server prints it: always as if a backslash escaped. */
static void put_comment(struct buf *out, const char *comment, bool backslash)
{
    static const char special[] = "\n\r\\", letters[] = "nr\\";
    buf_put(out, "'");
    for (; *comment; comment++) {
        const char *found = backslash ? strchr(special, *comment) : NULL;
        if (*comment == '\'')
            buf_put(out, "'");
        if (found) {
            buf_put(out, "\\");
            buf_putn(out, &letters[found - special], 1);
        } else {
            buf_putn(out, comment, 1);
        }
    }
    buf_put(out, "'");
}

/* Has what stands at this place written as text in the definition's character set. */
static enum err_code change(struct repair *r, const char *at, size_t bytes, const struct buf *text,
                            const char *what, struct err *err)
{
    struct buf converted;
    buf_init(&converted, DEFINITION_MAX_BYTES);
    enum err_code code = charset_convert(r->c, text->data, text->len, r->d->charset, &converted, err);
    if (code == ERR_REFUSED) { /* it was given later, by somebody with another character set */
        r->d->warning =
            arena_printf(r->arena, "its %s cannot be written in its character set, %s", what, r->d->charset);
        buf_clear(&converted);
        code = strcmp(what, "comment") == 0 ? buf_add(&converted, "''", 2, err) : ERR_OK;
    }
    if (code == ERR_OK && converted.len)
        r->changes[r->count++] = (struct create_change){
            {(size_t)(at - r->d->text), bytes}, keep(r->arena, converted.data, converted.len), converted.len};
    buf_free(&converted);
    return code;
}

/* Triggers and events begin with their definer, events with their name behind it, in UTF-8. */
static enum err_code repair_head(struct repair *r, struct err *err)
{
    static const char start[] = "CREATE DEFINER=", event[] = " EVENT ";
    const char *at = strrchr(r->o->definer, '@');
    size_t skip = sizeof start - 1;
    if (r->d->bytes <= skip || memcmp(r->d->text, start, skip) != 0 || !at)
        return ERR_OK;
    struct buf text;
    buf_init(&text, QUERY_MAX_BYTES);
    char quote = r->d->text[skip];
    quote_by(&text, quote, arena_strndup(r->arena, r->o->definer, (size_t)(at - r->o->definer)));
    if (at[1]) {
        buf_put(&text, "@");
        quote_by(&text, quote, at + 1);
    }
    enum err_code code = ERR_OK;
    size_t end = skip + text.len;
    bool same = r->d->bytes > end && memcmp(r->d->text + skip, text.data, text.len) == 0;
    if (same)
        code = change(r, r->d->text + skip, text.len, &text, "definer", err);
    if (code == ERR_OK && same && r->o->kind == CATALOG_EVENT) {
        size_t name = end + sizeof event - 1;
        buf_clear(&text);
        quote_by(&text, quote, r->o->name);
        if (r->d->bytes > name + text.len && memcmp(r->d->text + name, text.data, text.len) == 0)
            code = change(r, r->d->text + name, text.len, &text, "name", err);
    }
    buf_free(&text);
    return code;
}

/* RENAME TABLE writes the new name into a trigger's statement, in UTF-8. */
static enum err_code repair_table(struct repair *r, struct err *err)
{
    static const char quotes[] = "`\"";
    enum err_code code = ERR_OK;
    if (charset_is_ascii(r->o->table, strlen(r->o->table)))
        return ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < 2; i++) {
        struct buf text;
        buf_init(&text, QUERY_MAX_BYTES);
        buf_put(&text, "ON ");
        quote_by(&text, quotes[i], r->o->table);
        const char *found = memmem(r->d->text, r->d->bytes, text.data, text.len);
        if (found)
            code = change(r, found, text.len, &text, "table", err);
        buf_free(&text);
    }
    return code;
}

/* Comments are always in UTF-8, and escaped by backslashes. */
static enum err_code repair_comment(struct repair *r, struct err *err)
{
    struct buf printed, text;
    if (!r->o->comment || !r->o->comment[0])
        return ERR_OK;
    buf_init(&printed, DEFINITION_MAX_BYTES);
    buf_init(&text, DEFINITION_MAX_BYTES);
    buf_put(&printed, " COMMENT ");
    size_t words = printed.len;
    put_comment(&printed, r->o->comment, true);
    buf_put(&printed, r->o->kind == CATALOG_EVENT ? " DO " : "\n");
    size_t behind = r->o->kind == CATALOG_EVENT ? 4 : 1;
    put_comment(&text, r->o->comment, !r->no_backslash);
    const char *found = memmem(r->d->text, r->d->bytes, printed.data, printed.len);
    enum err_code code = ERR_OK;
    if (found)
        code = change(r, found + words, printed.len - words - behind, &text, "comment", err);
    buf_free(&printed);
    buf_free(&text);
    return code;
}

static enum err_code repair(struct db_conn *c, struct arena *arena, const struct catalog_object *o,
                            struct catalog_definition *d, struct err *err)
{
    struct repair r = {.c = c, .arena = arena, .o = o, .d = d};
    r.no_backslash = d->sql_mode && strstr(d->sql_mode, "NO_BACKSLASH_ESCAPES");
    if (!d->sql_mode || (charset_is_utf8(d->charset) && !r.no_backslash))
        return ERR_OK;
    enum err_code code = ERR_OK;
    if ((o->kind == CATALOG_TRIGGER || o->kind == CATALOG_EVENT) && !charset_is_utf8(d->charset))
        code = repair_head(&r, err);
    if (code == ERR_OK && o->kind == CATALOG_TRIGGER && !charset_is_utf8(d->charset))
        code = repair_table(&r, err);
    if (code == ERR_OK)
        code = repair_comment(&r, err);
    if (code != ERR_OK || r.count == 0)
        return code;
    struct buf text;
    buf_init(&text, DEFINITION_MAX_BYTES);
    code = create_rewrite(d->text, d->bytes, r.changes, r.count, &text, err);
    if (code == ERR_OK) {
        d->text = keep(arena, text.data, text.len);
        d->bytes = text.len;
    }
    buf_free(&text);
    return code;
}

enum err_code catalog_define(struct db_conn *c, struct arena *arena, const struct catalog_object *o,
                             struct catalog_definition *out, struct err *err)
{
    const struct show *s = &SHOWS[o->kind];
    struct db_rows *rows;
    *out = (struct catalog_definition){0};
    enum err_code code = show(c, o, &rows, err);
    if (code == ERR_REFUSED)
        return put_together(c, arena, o, out, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (!row || !row[s->text]) {
        db_rows_free(rows);
        return missing_privilege(c, o, err);
    }
    out->bytes = db_row_lengths(rows)[s->text];
    out->text = keep(arena, row[s->text], out->bytes);
    out->sql_mode = column(arena, row, s->sql_mode);
    out->time_zone = column(arena, row, s->time_zone);
    out->charset = column(arena, row, s->charset);
    out->collation = column(arena, row, s->charset >= 0 ? s->charset + 1 : -1);
    out->db_collation = column(arena, row, s->db_collation);
    db_rows_free(rows);
    return repair(c, arena, o, out, err);
}
