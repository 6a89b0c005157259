#include "restore/foreign_keys.h"

#include "db/catalog.h"
#include "db/quote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES   ((size_t)8 << 20)
#define ORPHANS_COUNTED 1000
#define EXAMPLES        3
#define NO_SUCH_TABLE   1146 /* the server's error; a sequence is a table too */

enum err_code keys_read_ddl(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                            struct ddl *out, struct err *err)
{
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    enum err_code code = catalog_ddl(c, schema, name, &text, err);
    if (code == ERR_OK)
        code = ddl_parse(buf_cstr(&text), arena, out, err);
    buf_free(&text);
    return code;
}

/* ---- taking apart ---- */

/* Behind the quoted name at p. */
static const char *skip_name(const char *p)
{
    for (p++; *p && !(*p == '`' && p[1] != '`'); p++)
        if (*p == '`')
            p++;
    return *p ? p + 1 : p;
}

/* The text between the first parentheses at or behind p; *end is behind them.  NULL when there are none. */
static const char *take_list(const char *p, struct arena *arena, const char **end)
{
    while (*p && *p != '(')
        p = *p == '`' ? skip_name(p) : p + 1;
    const char *start = p + 1;
    while (*p && *p != ')')
        p = *p == '`' ? skip_name(p) : p + 1;
    if (!*p)
        return NULL;
    *end = p + 1;
    return arena_strndup(arena, start, (size_t)(p - start));
}

bool key_parse(const struct ddl_item *item, const char *schema, struct arena *arena, struct foreign_key *out)
{
    const char *end, *words = strstr(item->text, "FOREIGN KEY");
    if (item->kind != DDL_FOREIGN || !item->name || !item->parent_table)
        return false;
    /* A name may hold these words too. */
    if (strncmp(item->text, "CONSTRAINT `", 12) == 0)
        words = strstr(skip_name(item->text + 11), "FOREIGN KEY");
    *out = (struct foreign_key){.constraint = item->name,
                                .parent_schema = item->parent_schema ? item->parent_schema : schema,
                                .parent_name = item->parent_table};
    out->columns = words ? take_list(words, arena, &end) : NULL;
    out->parent_columns = out->columns ? take_list(end, arena, &end) : NULL;
    if (!out->parent_columns)
        return false;
    out->actions = arena_strdup(arena, end + strspn(end, " "));
    return true;
}

void key_write(const struct foreign_key *k, struct buf *out)
{
    buf_putf(out, "FOREIGN KEY (%s) REFERENCES ", k->columns);
    db_quote_pair(out, k->parent_schema, k->parent_name);
    buf_putf(out, " (%s)%s%s", k->parent_columns, k->actions[0] ? " " : "", k->actions);
}

struct foreign_key *keys_add(struct operation *op, struct arena *arena, const struct foreign_key *k)
{
    /* The arena cannot grow a block: room doubles whenever the count is a power of two. */
    if ((op->key_count & (op->key_count - 1)) == 0) {
        struct foreign_key *grown =
            arena_calloc(arena, op->key_count ? 2 * (size_t)op->key_count : 1, sizeof *grown);
        if (op->key_count)
            memcpy(grown, op->keys, op->key_count * sizeof *grown);
        op->keys = grown;
    }
    op->keys[op->key_count] = *k;
    return &op->keys[op->key_count++];
}

/* ---- orphans ---- */

/* The n-th quoted name of a list, or "" behind its end. */
static void put_column(struct buf *out, const char *list, unsigned n)
{
    const char *p = list;
    for (;; n--) {
        p += strspn(p, " ,");
        const char *end = *p == '`' ? skip_name(p) : p + strcspn(p, ",");
        if (n == 0) {
            buf_putn(out, p, (size_t)(end - p));
            return;
        }
        p = end;
    }
}

static unsigned count_columns(const char *list)
{
    unsigned n = 0;
    for (const char *p = list; *p; n++) {
        p += strspn(p, " ,");
        p = *p == '`' ? skip_name(p) : p + strcspn(p, ",");
    }
    return n;
}

/* MATCH SIMPLE: a key of which any column is NULL refers to nothing. */
static void orphans_query(const struct foreign_key *k, const char *child, const char *parent, struct buf *sql)
{
    unsigned count = count_columns(k->columns);
    buf_put(sql, "SELECT CONCAT_WS(', '");
    for (unsigned i = 0; i < count; i++) {
        buf_put(sql, ", CAST(c.");
        put_column(sql, k->columns, i);
        buf_put(sql, " AS CHAR)");
    }
    buf_putf(sql, ") FROM %s c LEFT JOIN %s p ON ", child, parent);
    for (unsigned i = 0; i < count; i++) {
        buf_put(sql, i ? " AND p." : "p.");
        put_column(sql, k->parent_columns, i);
        buf_put(sql, " = c.");
        put_column(sql, k->columns, i);
    }
    buf_put(sql, " WHERE p.");
    put_column(sql, k->parent_columns, 0);
    buf_put(sql, " IS NULL");
    for (unsigned i = 0; i < count; i++) {
        buf_put(sql, " AND c.");
        put_column(sql, k->columns, i);
        buf_put(sql, " IS NOT NULL");
    }
    buf_putf(sql, " LIMIT %d", ORPHANS_COUNTED);
}

enum err_code keys_count_orphans(struct db_conn *c, const struct foreign_key *k, const char *child,
                                 const char *parent, uint64_t *orphans, struct buf *examples, struct err *err)
{
    struct buf sql;
    struct db_rows *rows;
    buf_init(&sql, SQL_MAX_BYTES);
    orphans_query(k, child, parent, &sql);
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return err_wrap(err, "look for rows of %s whose parent in %s is missing", child, parent);
    *orphans = db_row_count(rows);
    const char *const *row;
    buf_clear(examples);
    for (unsigned n = 0; n < EXAMPLES && (row = db_row(rows)); n++)
        buf_addf(examples, NULL, "%s(%.100s)", n ? ", " : "", row[0] ? row[0] : "");
    db_rows_free(rows);
    return ERR_OK;
}

/* ---- one ALTER ---- */

struct alteration {
    struct buf sql;
    size_t head;
};

static void alter_begin(struct alteration *a, const char *table)
{
    buf_init(&a->sql, SQL_MAX_BYTES);
    buf_putf(&a->sql, "ALTER TABLE %s", table);
    a->head = a->sql.len;
}

static void alter_drop(struct alteration *a, const char *constraint)
{
    buf_put(&a->sql, a->sql.len > a->head ? ", DROP FOREIGN KEY " : " DROP FOREIGN KEY ");
    db_quote_name(&a->sql, constraint);
}

/* An index that the server made for a foreign key is replaced by the one that it makes for the next, which
 * costs a scan and puts it last; renamed to its own name it becomes one that somebody asked for, and stays.
 */
static void alter_keep_indexes(struct alteration *a, const struct ddl *ddl)
{
    for (unsigned i = 0; i < ddl->item_count; i++) {
        if (ddl->items[i].kind != DDL_KEY || !ddl->items[i].name)
            continue;
        buf_put(&a->sql, a->sql.len > a->head ? ", RENAME INDEX " : " RENAME INDEX ");
        db_quote_name(&a->sql, ddl->items[i].name);
        buf_put(&a->sql, " TO ");
        db_quote_name(&a->sql, ddl->items[i].name);
    }
}

static void alter_add(struct alteration *a, const char *constraint, const struct foreign_key *k)
{
    buf_put(&a->sql, a->sql.len > a->head ? ", ADD CONSTRAINT " : " ADD CONSTRAINT ");
    db_quote_name(&a->sql, constraint);
    buf_put(&a->sql, " ");
    key_write(k, &a->sql);
}

static bool alter_is_empty(const struct alteration *a)
{
    return a->sql.len == a->head;
}

/* The rows were checked before, and the table is locked for a moment only. */
#define IN_PLACE ", ALGORITHM=INPLACE"

static enum err_code alter_end(struct db_conn *c, struct alteration *a, enum err_code code, struct err *err)
{
    if (code == ERR_OK && !alter_is_empty(a)) {
        buf_put(&a->sql, IN_PLACE);
        code = db_exec(c, buf_cstr(&a->sql), err);
    }
    buf_free(&a->sql);
    return code;
}

/* ---- steps ---- */

static const struct ddl_item *find_key(const struct ddl *ddl, const char *constraint)
{
    for (unsigned i = 0; constraint && i < ddl->item_count; i++)
        if (ddl->items[i].kind == DDL_FOREIGN && ddl->items[i].name &&
            strcmp(ddl->items[i].name, constraint) == 0)
            return &ddl->items[i];
    return NULL;
}

/* Renames the key if it is there under its first name: drops it and adds it as it stands. */
static enum err_code alter_rename(struct alteration *a, const struct ddl *ddl, const char *schema,
                                  struct arena *arena, const char *from, const char *to, struct err *err)
{
    const struct ddl_item *item = find_key(ddl, from);
    struct foreign_key now;
    if (!item)
        return ERR_OK;
    if (!key_parse(item, schema, arena, &now))
        return err_set(err, ERR_DB, "rename foreign key %s: its definition is not understood: %.200s", from,
                       item->text);
    if (alter_is_empty(a))
        alter_keep_indexes(a, ddl);
    alter_drop(a, from);
    alter_add(a, to, &now);
    return ERR_OK;
}

/* Where a table does not exist (any more), there is nothing to do. */
static enum err_code read_if_there(struct db_conn *c, struct arena *arena, const char *schema,
                                   const char *name, struct ddl *ddl, struct err *err)
{
    enum err_code code = keys_read_ddl(c, arena, schema, name, ddl, err);
    if (code != ERR_NOT_FOUND)
        return code;
    *ddl = (struct ddl){0};
    return ERR_OK;
}

static enum err_code rename_keys(struct db_conn *c, const struct operation *op, unsigned exchange,
                                 const char *schema, bool back, struct err *err)
{
    struct arena *arena = arena_new();
    struct alteration a;
    struct buf table;
    struct ddl ddl;
    const char *name = op->exchanges[exchange].name;
    buf_init(&table, 1024);
    db_quote_pair(&table, schema, name);
    alter_begin(&a, buf_cstr(&table));
    enum err_code code = read_if_there(c, arena, schema, name, &ddl, err);
    for (unsigned i = 0; code == ERR_OK && i < op->key_count; i++) {
        const struct foreign_key *k = &op->keys[i];
        if (k->exchange != exchange || !k->temporary || (k->role != KEY_INSIDE && k->role != KEY_JOIN))
            continue;
        code = alter_rename(&a, &ddl, schema, arena, back ? k->temporary : k->constraint,
                            back ? k->constraint : k->temporary, err);
    }
    code = alter_end(c, &a, code, err);
    buf_free(&table);
    arena_free(arena);
    return code;
}

enum err_code keys_rename_away(struct db_conn *c, const struct operation *op, unsigned exchange,
                               struct err *err)
{
    return rename_keys(c, op, exchange, op->exchanges[exchange].incoming_schema, false, err);
}

enum err_code keys_rename_back(struct db_conn *c, const struct operation *op, unsigned exchange, bool at_rest,
                               struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    return rename_keys(c, op, exchange, at_rest ? x->incoming_schema : x->schema, true, err);
}

enum err_code keys_leave_parents(struct db_conn *c, const struct operation *op, unsigned exchange,
                                 struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    struct arena *arena = arena_new();
    struct alteration a;
    struct buf table;
    struct ddl ddl;
    char own[OWN_NAME_BYTES];
    operation_own_name(op, "old", exchange, own);
    buf_init(&table, 1024);
    operation_outgoing(op, exchange, &table);
    alter_begin(&a, buf_cstr(&table));
    enum err_code code = read_if_there(c, arena, x->parks_out ? x->schema : x->outgoing_schema,
                                       x->parks_out ? own : x->name, &ddl, err);
    for (unsigned i = 0; code == ERR_OK && i < op->key_count; i++)
        if (op->keys[i].role == KEY_LEAVE && op->keys[i].exchange == exchange &&
            find_key(&ddl, op->keys[i].constraint))
            alter_drop(&a, op->keys[i].constraint);
    code = alter_end(c, &a, code, err);
    buf_free(&table);
    arena_free(arena);
    return code;
}

void keys_write_leave_parents(const struct operation *op, unsigned exchange, struct buf *out)
{
    struct alteration a;
    struct buf table;
    buf_init(&table, 1024);
    operation_outgoing(op, exchange, &table);
    alter_begin(&a, buf_cstr(&table));
    for (unsigned i = 0; i < op->key_count; i++)
        if (op->keys[i].role == KEY_LEAVE && op->keys[i].exchange == exchange)
            alter_drop(&a, op->keys[i].constraint);
    if (!alter_is_empty(&a))
        buf_putf(out, "%s" IN_PLACE, buf_cstr(&a.sql));
    buf_free(&a.sql);
    buf_free(&table);
}

enum err_code keys_join_parents(struct db_conn *c, const struct operation *op, unsigned exchange,
                                struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    struct arena *arena = arena_new();
    struct alteration a;
    struct buf table;
    struct ddl ddl;
    buf_init(&table, 1024);
    db_quote_pair(&table, x->schema, x->name);
    alter_begin(&a, buf_cstr(&table));
    enum err_code code = keys_read_ddl(c, arena, x->schema, x->name, &ddl, err);
    for (unsigned i = 0; code == ERR_OK && i < op->key_count; i++) {
        const struct foreign_key *k = &op->keys[i];
        if (k->role != KEY_JOIN || k->exchange != exchange || k->parent_missing ||
            find_key(&ddl, k->constraint) || find_key(&ddl, k->temporary))
            continue;
        if (alter_is_empty(&a))
            alter_keep_indexes(&a, &ddl);
        alter_add(&a, k->temporary ? k->temporary : k->constraint, k);
    }
    code = alter_end(c, &a, code, err);
    buf_free(&table);
    arena_free(arena);
    return code;
}

/* One ALTER of the child: drops the key under one name and adds it under the other. */
static enum err_code change_child(struct db_conn *c, const struct foreign_key *k, const struct ddl *ddl,
                                  const char *from, const char *to, struct err *err)
{
    struct alteration a;
    struct buf table;
    buf_init(&table, 1024);
    db_quote_pair(&table, k->schema, k->name);
    alter_begin(&a, buf_cstr(&table));
    alter_keep_indexes(&a, ddl);
    alter_drop(&a, from);
    alter_add(&a, to, k);
    enum err_code code = alter_end(c, &a, ERR_OK, err);
    buf_free(&table);
    return code;
}

/* A key cannot be dropped and added under one name in one ALTER: it takes the way by a temporary one, and is
 * there all the time. */
enum err_code keys_move_child(struct db_conn *c, const struct operation *op, unsigned key, struct err *err)
{
    const struct foreign_key *k = &op->keys[key];
    struct arena *arena = arena_new();
    struct ddl ddl;
    enum err_code code = read_if_there(c, arena, k->schema, k->name, &ddl, err);
    const struct ddl_item *own = code == ERR_OK ? find_key(&ddl, k->constraint) : NULL;
    struct foreign_key now;
    bool moves =
        own && (!key_parse(own, k->schema, arena, &now) || strcmp(now.parent_schema, k->parent_schema) != 0 ||
                strcmp(now.parent_name, k->parent_name) != 0);
    if (moves)
        code = change_child(c, k, &ddl, k->constraint, k->temporary, err);
    if (code == ERR_OK && (moves || find_key(&ddl, k->temporary)))
        code = change_child(c, k, &ddl, k->temporary, k->constraint, err);
    arena_free(arena);
    return code;
}

/* ---- trying ---- */

static enum err_code try_on_copy(struct db_conn *c, const struct foreign_key *k, const char *table,
                                 const char *copy, bool *fits, struct err *err)
{
    struct alteration a;
    struct err late;
    enum err_code code = db_execf(c, &late, "CREATE TABLE %s LIKE %s", copy, table);
    if (code != ERR_OK) /* not for us to say: a default may name a sequence that comes with the swap */
        return code == ERR_DB || code == ERR_DB_RETRY ? ERR_OK : err_copy(err, &late);
    alter_begin(&a, copy);
    alter_add(&a, k->temporary ? k->temporary : k->constraint, k);
    code = alter_end(c, &a, ERR_OK, err);
    *fits = code != ERR_DB || db_errno(c) == NO_SUCH_TABLE;
    enum err_code dropped = db_execf(c, &late, "DROP TABLE %s", copy);
    if (code == ERR_DB ||
        code == ERR_DB_RETRY) /* somebody has the parent locked: then it shows behind the swap */
        code = ERR_OK;
    return code == ERR_OK && dropped != ERR_OK ? err_copy(err, &late) : code;
}

enum err_code keys_try(struct db_conn *c, const struct operation *op, const struct foreign_key *k, bool *fits,
                       struct err *err)
{
    const struct exchange *x = &op->exchanges[k->exchange];
    struct buf table, copy;
    char own[OWN_NAME_BYTES];
    *fits = true;
    buf_init(&table, 1024);
    buf_init(&copy, 1024);
    operation_own_name(op, "try", k->exchange, own);
    db_quote_pair(&table, x->incoming_schema, x->name);
    db_quote_pair(&copy, x->incoming_schema, own);
    enum err_code code = try_on_copy(c, k, buf_cstr(&table), buf_cstr(&copy), fits, err);
    buf_free(&table);
    buf_free(&copy);
    return code;
}
