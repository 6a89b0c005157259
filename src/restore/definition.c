#include "restore/definition.h"

#include "archive/text.h"
#include "core/fault.h"
#include "core/text.h"
#include "db/catalog_objects.h"
#include "db/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)64 << 20)

static const struct {
    const char *words;
    enum catalog_kind kind;
} KINDS[OBJECT_KINDS] = {
    [OBJECT_SEQUENCE] = {"SEQUENCE", CATALOG_SEQUENCE},
    [OBJECT_PACKAGE] = {"PACKAGE", CATALOG_PACKAGE},
    [OBJECT_PACKAGE_BODY] = {"PACKAGE BODY", CATALOG_PACKAGE_BODY},
    [OBJECT_FUNCTION] = {"FUNCTION", CATALOG_FUNCTION},
    [OBJECT_PROCEDURE] = {"PROCEDURE", CATALOG_PROCEDURE},
    [OBJECT_VIEW] = {"VIEW", CATALOG_VIEW},
    [OBJECT_TRIGGER] = {"TRIGGER", CATALOG_TRIGGER},
    [OBJECT_EVENT] = {"EVENT", CATALOG_EVENT},
};
#define NO_SUCH_SCHEMA 1049 /* the server's error */

enum err_code definition_plain(struct db_conn *c, struct err *err)
{
    return db_exec(c, "SET NAMES utf8mb4, SESSION sql_mode=''", err);
}

enum err_code definition_use(struct db_conn *c, const char *schema, struct err *err)
{
    struct buf sql;
    enum err_code code = definition_plain(c, err);
    if (code != ERR_OK)
        return code;
    buf_init(&sql, 1024);
    buf_put(&sql, "USE ");
    db_quote_name(&sql, schema);
    code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* ---- heads ---- */

enum err_code definition_head(const struct definition *d, struct create_head *out, struct err *err)
{
    return create_find(object_kind_name(d->object.kind), d->text, d->bytes, d->object.charset,
                       d->object.sql_mode, out, err);
}

/* Appends a name without its quotes. */
static void put_unquoted(struct buf *out, const char *text, size_t bytes)
{
    char quote = bytes ? *text : 0;
    if (quote != '`' && quote != '"' && quote != '\'') {
        buf_putn(out, text, bytes);
        return;
    }
    for (size_t i = 1; i + 1 < bytes; i++) {
        buf_putn(out, text + i, 1);
        i += text[i] == quote;
    }
}

/* "user@host" of a definer as it is written. */
static void put_definer(struct buf *out, const char *text, size_t bytes)
{
    char quote = bytes ? *text : 0;
    size_t user = 1;
    if (quote == '`' || quote == '"' || quote == '\'')
        while (user < bytes && (text[user] != quote || (user + 1 < bytes && text[user + 1] == quote)))
            user += 1 + (text[user] == quote);
    while (user < bytes && text[user] != '@')
        user++;
    put_unquoted(out, text, user < bytes ? user : bytes);
    if (user >= bytes)
        return;
    buf_put(out, "@");
    put_unquoted(out, text + user + 1, bytes - user - 1);
}

/* The text without what may be written in two ways: its definer's quotes. */
static void put_canonical(struct buf *out, const struct definition *d)
{
    struct create_head head = {.definer = {0, 0}};
    definition_head(d, &head, NULL);
    size_t end = head.definer.at + head.definer.bytes;
    buf_putn(out, d->text, head.definer.at);
    put_definer(out, d->text + head.definer.at, head.definer.bytes);
    buf_putn(out, d->text + end, d->bytes - end);
}

bool definition_equal(const struct definition *a, const struct definition *b)
{
    const struct manifest_object *x = &a->object, *y = &b->object;
    if (!a->text || !b->text)
        return a->text == b->text;
    if (!text_equal(x->sql_mode, y->sql_mode) || !text_equal(x->charset, y->charset) ||
        !text_equal(x->collation, y->collation) || !text_equal(x->db_collation, y->db_collation) ||
        !text_equal(x->time_zone, y->time_zone))
        return false;
    struct buf left, right;
    buf_init(&left, TEXT_MAX_BYTES);
    buf_init(&right, TEXT_MAX_BYTES);
    put_canonical(&left, a);
    put_canonical(&right, b);
    bool equal = left.len == right.len && memcmp(left.data, right.data, left.len) == 0;
    buf_free(&left);
    buf_free(&right);
    return equal;
}

/* ---- reading ---- */

/* What one database holds of views, of routines and packages, of triggers, or of events. */
struct shelf {
    struct shelf *next;
    const char *schema;
    enum catalog_kind kind; /* CATALOG_PROCEDURE stands for all routines */
    struct catalog_object *items;
    unsigned count;
};

struct definitions {
    struct db_conn *c;
    struct arena *arena;
    struct shelf *shelves;
};

struct definitions *definitions_new(struct db_conn *c, struct arena *arena)
{
    struct definitions *all = arena_calloc(arena, 1, sizeof *all);
    *all = (struct definitions){.c = c, .arena = arena};
    return all;
}

static enum err_code read_shelf(struct definitions *all, struct shelf *s, struct err *err)
{
    enum err_code code = definition_plain(all->c, err);
    if (code != ERR_OK)
        return code;
    if (s->kind == CATALOG_TRIGGER)
        return catalog_table_triggers(all->c, all->arena, s->schema, NULL, &s->items, &s->count, err);
    if (s->kind == CATALOG_VIEW)
        return catalog_views(all->c, all->arena, s->schema, &s->items, &s->count, err);
    return s->kind == CATALOG_EVENT
               ? catalog_events(all->c, all->arena, s->schema, &s->items, &s->count, err)
               : catalog_routines(all->c, all->arena, s->schema, &s->items, &s->count, err);
}

static enum err_code find_shelf(struct definitions *all, enum catalog_kind kind, const char *schema,
                                struct shelf **out, struct err *err)
{
    for (struct shelf *s = all->shelves; s; s = s->next)
        if (s->kind == kind && strcmp(s->schema, schema) == 0) {
            *out = s;
            return ERR_OK;
        }
    struct shelf *s = arena_calloc(all->arena, 1, sizeof *s);
    *s = (struct shelf){.schema = arena_strdup(all->arena, schema), .kind = kind};
    enum err_code code = read_shelf(all, s, err);
    s->next = all->shelves;
    all->shelves = s;
    *out = s;
    return code;
}

static enum event_state state_of(const char *status)
{
    if (!status || strcmp(status, "ENABLED") == 0)
        return EVENT_ENABLED;
    return strcmp(status, "DISABLED") == 0 ? EVENT_DISABLED : EVENT_REPLICA_DISABLED;
}

static enum err_code define(struct definitions *all, const struct catalog_object *o, struct definition *out,
                            struct err *err)
{
    struct catalog_definition d;
    enum err_code code = definition_plain(all->c, err);
    if (code == ERR_OK)
        code = catalog_define(all->c, all->arena, o, &d, err);
    if (code == ERR_NOT_FOUND)
        return ERR_OK; /* gone at this moment */
    if (code != ERR_OK)
        return code;
    out->text = d.text;
    out->bytes = d.bytes;
    out->object.definer = o->definer;
    out->object.sql_mode = d.sql_mode;
    out->object.charset = d.charset;
    out->object.collation = d.collation;
    out->object.db_collation = d.db_collation;
    out->object.time_zone = d.time_zone;
    out->object.table = o->table;
    out->object.timing = o->timing;
    out->object.action = o->action;
    out->object.order = o->order;
    out->object.state = state_of(o->status);
    return ERR_OK;
}

/* The server takes Label, label and lábel for one routine or event: the name of the one that it has, or NULL.
 */
static enum err_code stored_name(struct definitions *all, enum object_kind kind, const char *schema,
                                 const char *name, const char **out, struct err *err)
{
    bool event = kind == OBJECT_EVENT, found;
    struct buf sql, stored;
    buf_init(&sql, 4096);
    buf_init(&stored, 1024);
    buf_put(
        &sql,
        event ? "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE CAST(EVENT_SCHEMA AS BINARY)="
              : "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE CAST(ROUTINE_SCHEMA AS BINARY)=");
    db_quote_text(&sql, schema);
    if (!event)
        buf_putf(&sql, " AND ROUTINE_TYPE='%s'", KINDS[kind].words);
    buf_put(&sql, event ? " AND EVENT_NAME=" : " AND ROUTINE_NAME=");
    db_quote_text(&sql, name);
    enum err_code code = definition_plain(all->c, err);
    if (code == ERR_OK)
        code = db_scalar(all->c, buf_cstr(&sql), &stored, &found, err);
    *out = code == ERR_OK && found ? arena_strdup(all->arena, buf_cstr(&stored)) : NULL;
    buf_free(&sql);
    buf_free(&stored);
    return code;
}

static const struct catalog_object *find_on_shelf(const struct shelf *s, enum catalog_kind kind,
                                                  const char *name)
{
    for (unsigned i = 0; name && i < s->count; i++)
        if (s->items[i].kind == kind && strcmp(s->items[i].name, name) == 0)
            return &s->items[i];
    return NULL;
}

enum err_code definitions_read(struct definitions *all, enum object_kind kind, const char *schema,
                               const char *name, struct definition *out, struct err *err)
{
    enum catalog_kind wanted = KINDS[kind].kind;
    bool routine = wanted != CATALOG_VIEW && wanted != CATALOG_EVENT && wanted != CATALOG_TRIGGER;
    struct shelf *s;
    *out = (struct definition){.object = {.kind = kind,
                                          .schema = arena_strdup(all->arena, schema),
                                          .name = arena_strdup(all->arena, name)}};
    enum err_code code = find_shelf(all, routine ? CATALOG_PROCEDURE : wanted, schema, &s, err);
    const struct catalog_object *found = code == ERR_OK ? find_on_shelf(s, wanted, name) : NULL;
    if (code == ERR_OK && !found && (routine || wanted == CATALOG_EVENT)) {
        code = stored_name(all, kind, schema, name, &name, err);
        found = find_on_shelf(s, wanted, name);
    }
    return code == ERR_OK && found ? define(all, found, out, err) : code;
}

enum err_code definitions_of_table(struct definitions *all, const char *schema, const char *table,
                                   struct definition **out, unsigned *count, struct err *err)
{
    struct catalog_object *found;
    unsigned n = 0;
    *count = 0;
    enum err_code code = definition_plain(all->c, err);
    if (code == ERR_OK)
        code = catalog_table_triggers(all->c, all->arena, schema, table, &found, &n, err);
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(all->arena, n + 1, sizeof **out);
    for (unsigned i = 0; code == ERR_OK && i < n; i++) {
        struct definition *d = &(*out)[*count];
        *d = (struct definition){.object = {.kind = OBJECT_TRIGGER,
                                            .schema = arena_strdup(all->arena, schema),
                                            .name = found[i].name}};
        code = define(all, &found[i], d, err);
        *count += d->text != NULL;
    }
    return code;
}

/* ---- making ---- */

/* archive_object_session gives statements, each ended by ";\n". */
enum err_code definition_session(struct db_conn *c, const struct definition *d, struct err *err)
{
    struct buf settings;
    enum err_code code = ERR_OK;
    buf_init(&settings, 1 << 16);
    archive_object_session(&d->object, &settings);
    const char *p = buf_cstr(&settings);
    for (const char *end; code == ERR_OK && (end = strstr(p, ";\n")); p = end + 2)
        code = db_execf(c, err, "%.*s", (int)(end - p), p);
    buf_free(&settings);
    return code;
}

enum err_code definition_return_collation(struct db_conn *c, const char *schema, const char *before,
                                          struct err *err)
{
    struct buf sql;
    if (!before[0])
        return ERR_OK;
    buf_init(&sql, 1024);
    buf_put(&sql, "ALTER DATABASE ");
    db_quote_name(&sql, schema);
    buf_put(&sql, " COLLATE ");
    db_quote_text(&sql, before); /* it may come from an archive: as a text it cannot be anything else */
    enum err_code code = definition_plain(c, err);
    if (code == ERR_OK)
        code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

enum err_code definition_lend_collation(struct db_conn *c, const struct definition *d, char before[65],
                                        struct err *err)
{
    const char *wanted = d->object.db_collation;
    struct buf now;
    before[0] = '\0';
    if (!wanted)
        return ERR_OK;
    buf_init(&now, 1024);
    /* The database is the current one. */
    enum err_code code = db_scalar(c, "SELECT @@collation_database", &now, NULL, err);
    if (code == ERR_OK && strcmp(buf_cstr(&now), wanted) != 0) {
        code = definition_return_collation(c, d->object.schema, wanted, err);
        if (code == ERR_OK)
            snprintf(before, 65, "%s", buf_cstr(&now));
    }
    buf_free(&now);
    return code;
}

/* Puts OR REPLACE behind CREATE, unless somebody typed it. */
static enum err_code replacing(const struct definition *d, const struct buf *text, struct buf *out,
                               struct err *err)
{
    struct create_head head;
    const struct create_change change = {{strlen("CREATE "), 0}, "OR REPLACE ", strlen("OR REPLACE ")};
    const char *from = text ? text->data : d->text;
    size_t bytes = text ? text->len : d->bytes;
    enum err_code code = create_find(object_kind_name(d->object.kind), from, bytes, d->object.charset,
                                     d->object.sql_mode, &head, err);
    if (code != ERR_OK)
        return code;
    bool as_it_is = d->object.kind == OBJECT_TRIGGER || head.if_exists.bytes > 0;
    return create_rewrite(from, bytes, &change, as_it_is ? 0 : 1, out, err);
}

/* Texts may hold any byte; as hex digits they reach the server whole. */
static enum err_code run_text(struct db_conn *c, struct buf *text, struct err *err)
{
    if (!memchr(text->data, '\0', text->len))
        return db_exec(c, buf_cstr(text), err);
    struct buf sql;
    buf_init(&sql, 3 * TEXT_MAX_BYTES);
    buf_put(&sql, "EXECUTE IMMEDIATE X'");
    for (size_t i = 0; i < text->len; i++)
        buf_putf(&sql, "%02x", (unsigned char)text->data[i]);
    buf_put(&sql, "'");
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* That the scheduler is off is told of every event; that the definer or the time is gone matters. */
static void take_notes(struct db_conn *c, struct buf *notes)
{
    static const char *const told[] = {"1449", "1544", "1588"};
    struct db_rows *rows;
    const char *const *row;
    if (db_query(c, "SHOW WARNINGS", &rows, NULL) != ERR_OK)
        return;
    while ((row = db_row(rows)))
        for (size_t i = 0; row[1] && row[2] && i < sizeof told / sizeof told[0]; i++)
            if (strcmp(row[1], told[i]) == 0)
                buf_addf(notes, NULL, "%s\n", row[2]);
    db_rows_free(rows);
}

enum err_code definition_create(struct db_conn *c, const struct definition *d, const struct buf *text,
                                struct buf *notes, struct err *err)
{
    char before[65];
    struct buf sql;
    struct err late;
    buf_init(&sql, TEXT_MAX_BYTES);
    enum err_code code = definition_use(c, d->object.schema, err);
    if (code == ERR_OK)
        code = definition_lend_collation(c, d, before, err);
    if (code != ERR_OK)
        goto out;
    if (before[0])
        code = fault_point("collation_lent", ERR_DB, err);
    if (code == ERR_OK)
        code = replacing(d, text, &sql, err);
    if (code == ERR_OK)
        code = definition_session(c, d, err);
    if (code == ERR_OK)
        code = run_text(c, &sql, err);
    if (code == ERR_OK && notes)
        take_notes(c, notes);
    enum err_code returned = definition_return_collation(c, d->object.schema, before, &late);
    if (code == ERR_OK && returned != ERR_OK)
        code = err_copy(err, &late);
out:
    buf_free(&sql);
    if (code != ERR_OK) {
        buf_init(&sql, 1024);
        definition_describe(d, &sql);
        err_wrap(err, "make %s", buf_cstr(&sql));
        buf_free(&sql);
    }
    return code;
}

enum err_code definition_drop(struct db_conn *c, const struct definition *d, struct err *err)
{
    struct buf sql;
    enum err_code code = definition_use(c, d->object.schema, err);
    if (code == ERR_DB && db_errno(c) == NO_SUCH_SCHEMA)
        return ERR_OK;
    if (code != ERR_OK)
        return code;
    /* Packages are known to this mode alone. */
    if (d->object.kind == OBJECT_PACKAGE || d->object.kind == OBJECT_PACKAGE_BODY)
        code = db_exec(c, "SET SESSION sql_mode='ORACLE'", err);
    if (code != ERR_OK)
        return code;
    buf_init(&sql, 1024);
    buf_putf(&sql, "DROP %s IF EXISTS ", KINDS[d->object.kind].words);
    db_quote_pair(&sql, d->object.schema, d->object.name);
    code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}
