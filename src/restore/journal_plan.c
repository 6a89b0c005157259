#include "restore/journal_plan.h"

#include "archive/digest.h"
#include "archive/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)64 << 20)
/* One INSERT takes rows until it is as long as this. */
#define BATCH_BYTES ((size_t)512 << 10)

/* ---- writing ---- */

/* Rows of one table, in as many INSERTs as they need. */
struct rows {
    struct db_conn *c;
    struct buf sql;
    size_t head; /* bytes of the statement before its first row */
    enum err_code code;
    struct err *err;
};

static void rows_begin(struct rows *r, struct db_conn *c, const struct operation *op, const char *table,
                       struct err *err)
{
    *r = (struct rows){.c = c, .err = err};
    buf_init(&r->sql, SQL_MAX_BYTES);
    buf_putf(&r->sql, "INSERT INTO `dbsafe_%s`.%s VALUES ", op->id, table);
    r->head = r->sql.len;
}

static void rows_send(struct rows *r)
{
    if (r->code == ERR_OK && r->sql.len > r->head)
        r->code = db_exec(r->c, buf_cstr(&r->sql), r->err);
    r->sql.len = r->head;
}

static void row_open(struct rows *r, unsigned number)
{
    if (r->sql.len > BATCH_BYTES)
        rows_send(r);
    buf_putf(&r->sql, "%s(%u", r->sql.len > r->head ? ", " : "", number);
}

static void row_text(struct rows *r, const char *text)
{
    buf_put(&r->sql, ", ");
    if (text)
        db_quote_text(&r->sql, text);
    else
        buf_put(&r->sql, "NULL");
}

static void row_number(struct rows *r, unsigned number)
{
    buf_putf(&r->sql, ", %u", number);
}

static void row_bytes(struct rows *r, const char *text, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (!text) {
        buf_put(&r->sql, ", NULL");
        return;
    }
    buf_put(&r->sql, ", X'");
    for (size_t i = 0; i < bytes; i++) {
        const char hex[2] = {digits[(unsigned char)text[i] >> 4], digits[text[i] & 15]};
        buf_putn(&r->sql, hex, 2);
    }
    buf_put(&r->sql, "'");
}

static void row_close(struct rows *r)
{
    buf_put(&r->sql, ")");
}

static enum err_code rows_end(struct rows *r)
{
    rows_send(r);
    buf_free(&r->sql);
    return r->code;
}

/* The session of an object as the archive writes it; number, dir and digest are what its reader demands. */
static void put_definition(struct rows *r, unsigned n, const char *side, const struct definition *d)
{
    struct arena *arena = arena_new();
    struct manifest_object object = d->object;
    char sha256[SHA256_HEX_BYTES];
    struct buf json;
    buf_init(&json, SQL_MAX_BYTES);
    object.number = 1;
    object.dir = archive_slug(arena, 1, object.name);
    digest_of(d->text, d->text ? d->bytes : 0, sha256);
    object.ddl_sha256 = sha256;
    if (d->text && r->code == ERR_OK)
        r->code = manifest_object_write(&object, &json, r->err);
    row_open(r, n);
    row_text(r, side);
    row_text(r, object_kind_name(object.kind));
    row_text(r, object.schema);
    row_text(r, object.name);
    row_text(r, object.table);
    row_text(r, d->text ? buf_cstr(&json) : NULL);
    row_bytes(r, d->text, d->bytes);
    row_close(r);
    buf_free(&json);
    arena_free(arena);
}

static enum err_code write_definitions(struct db_conn *c, const struct operation *op, const char *side,
                                       const struct definition *definitions, unsigned count, struct err *err)
{
    struct rows r;
    rows_begin(&r, c, op, "object", err);
    for (unsigned i = 0; i < count; i++)
        put_definition(&r, i, side, &definitions[i]);
    return rows_end(&r);
}

static enum err_code write_keys(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct rows r;
    rows_begin(&r, c, op, "foreign_key", err);
    for (unsigned i = 0; i < op->key_count; i++) {
        const struct foreign_key *k = &op->keys[i];
        row_open(&r, i);
        row_text(&r, key_role_name(k->role));
        row_number(&r, k->exchange);
        row_text(&r, k->schema);
        row_text(&r, k->name);
        row_text(&r, k->constraint);
        row_text(&r, k->temporary);
        row_text(&r, k->parent_schema);
        row_text(&r, k->parent_name);
        row_text(&r, k->columns);
        row_text(&r, k->parent_columns);
        row_text(&r, k->actions);
        row_number(&r, k->parent_missing);
        row_close(&r);
    }
    return rows_end(&r);
}

static void put_defaults(struct rows *r, const struct schema_defaults *d)
{
    row_text(r, d->charset);
    row_text(r, d->collation);
    row_text(r, d->comment);
}

static enum err_code write_schema_changes(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct rows r;
    rows_begin(&r, c, op, "schema_change", err);
    for (unsigned i = 0; i < op->schema_change_count; i++) {
        row_open(&r, i);
        row_text(&r, op->schema_changes[i].schema);
        put_defaults(&r, &op->schema_changes[i].before);
        put_defaults(&r, &op->schema_changes[i].after);
        row_close(&r);
    }
    return rows_end(&r);
}

static enum err_code write_steps(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct rows r;
    rows_begin(&r, c, op, "step", err);
    for (unsigned i = 0; i < op->step_count; i++) {
        row_open(&r, i);
        row_text(&r, step_kind_name(op->steps[i].kind));
        row_number(&r, op->steps[i].subject);
        row_number(&r, op->steps[i].done);
        row_text(&r, op->steps[i].what);
        row_close(&r);
    }
    return rows_end(&r);
}

enum err_code journal_create_plan(struct db_conn *c, const struct operation *op, struct err *err)
{
    static const char tail[] = " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    static const struct {
        const char *name, *columns;
    } tables[] = {
        {"object", "n INT, side VARCHAR(8), kind VARCHAR(16) NOT NULL, target_schema VARCHAR(64) NOT NULL,"
                   " target_name VARCHAR(64) NOT NULL, table_name VARCHAR(64), meta LONGTEXT,"
                   " definition LONGBLOB, PRIMARY KEY (side, n)"},
        {"foreign_key", "n INT PRIMARY KEY, role VARCHAR(8) NOT NULL, exchange INT NOT NULL,"
                        " table_schema VARCHAR(64), table_name VARCHAR(64), name VARCHAR(64) NOT NULL,"
                        " temporary_name VARCHAR(64), parent_schema VARCHAR(64), parent_name VARCHAR(64),"
                        " columns TEXT, parent_columns TEXT, actions TEXT, parent_missing BOOL NOT NULL"},
        {"schema_change", "n INT PRIMARY KEY, name VARCHAR(64) NOT NULL, before_charset VARCHAR(64),"
                          " before_collation VARCHAR(64), before_comment TEXT, after_charset VARCHAR(64),"
                          " after_collation VARCHAR(64), after_comment TEXT"},
        {"step", "n INT PRIMARY KEY, kind VARCHAR(32) NOT NULL, subject INT NOT NULL, done BOOL NOT NULL,"
                 " what TEXT NOT NULL"},
    };
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof tables / sizeof tables[0]; i++)
        code = db_execf(c, err, "CREATE TABLE `dbsafe_%s`.%s (%s)%s", op->id, tables[i].name,
                        tables[i].columns, tail);
    if (code == ERR_OK)
        code = write_definitions(c, op, "made", op->made, op->made_count, err);
    if (code == ERR_OK)
        code = write_keys(c, op, err);
    return code == ERR_OK ? write_schema_changes(c, op, err) : code;
}

static enum err_code write_parking(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = db_execf(
        c, err, "UPDATE `dbsafe_%s`.exchange SET parks_in = 0, parks_out = 0 WHERE parks_in OR parks_out",
        op->id);
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (x->parks_in || x->parks_out)
            code =
                db_execf(c, err, "UPDATE `dbsafe_%s`.exchange SET parks_in = %d, parks_out = %d WHERE n = %u",
                         op->id, x->parks_in, x->parks_out, i + 1);
    }
    return code;
}

static enum err_code write_plan(struct db_conn *c, const struct operation *op, struct err *err)
{
    static const char *const remove[] = {"object WHERE side = 'kept'", "foreign_key", "schema_change",
                                         "step"};
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof remove / sizeof remove[0]; i++)
        code = db_execf(c, err, "DELETE FROM `dbsafe_%s`.%s", op->id, remove[i]);
    if (code == ERR_OK)
        code = write_definitions(c, op, "kept", op->kept, op->kept_count, err);
    if (code == ERR_OK)
        code = write_keys(c, op, err);
    if (code == ERR_OK)
        code = write_schema_changes(c, op, err);
    if (code == ERR_OK)
        code = write_parking(c, op, err);
    return code == ERR_OK ? write_steps(c, op, err) : code;
}

enum err_code journal_write_plan(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = db_exec(c, "START TRANSACTION", err);
    if (code == ERR_OK)
        code = write_plan(c, op, err);
    if (code == ERR_OK)
        code = db_exec(c, "COMMIT", err);
    else
        db_exec(c, "ROLLBACK", NULL);
    return code == ERR_OK ? code : err_wrap(err, "write the plan into the journal `dbsafe_%s`", op->id);
}

enum err_code journal_step_done(struct db_conn *c, struct operation *op, unsigned step, struct err *err)
{
    op->steps[step].done = true;
    return db_execf(c, err, "UPDATE `dbsafe_%s`.step SET done = 1 WHERE n = %u", op->id, step);
}

/* ---- reading ---- */

static const char *copy_or_null(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static unsigned number_of(const char *text)
{
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static enum err_code odd_journal(const struct operation *op, const char *what, struct err *err)
{
    return err_set(err, ERR_REFUSED,
                   "read the journal `dbsafe_%s`: its %s is none that this dbsafe knows: use the one that"
                   " wrote it",
                   op->id, what);
}

static enum err_code take_definition(struct arena *arena, const struct operation *op, const char *const *row,
                                     const unsigned long *lengths, struct definition *d, struct err *err)
{
    enum object_kind kind = object_kind_parse(row[0]);
    if (kind == OBJECT_KINDS)
        return odd_journal(op, "object", err);
    *d = (struct definition){.object = {.kind = kind}};
    if (row[4] && row[5]) {
        enum err_code code = manifest_object_read(row[4], lengths[4], arena, &d->object, err);
        if (code != ERR_OK)
            return code;
        d->text = arena_strndup(arena, row[5], lengths[5]);
        d->bytes = lengths[5];
    }
    d->object.schema = arena_strdup(arena, row[1]);
    d->object.name = arena_strdup(arena, row[2]);
    d->object.table = copy_or_null(arena, row[3]);
    return ERR_OK;
}

static enum err_code read_definitions(struct db_conn *c, struct arena *arena, const struct operation *op,
                                      const char *side, struct definition **out, unsigned *count,
                                      struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err,
                                   "SELECT kind, target_schema, target_name, table_name, meta, definition"
                                   " FROM `dbsafe_%s`.object WHERE side = '%s' ORDER BY n",
                                   op->id, side);
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows)))
        code = take_definition(arena, op, row, db_row_lengths(rows), &(*out)[(*count)++], err);
    db_rows_free(rows);
    return code;
}

static enum err_code read_keys(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err,
                  "SELECT role, exchange, table_schema, table_name, name, temporary_name,"
                  " parent_schema, parent_name, columns, parent_columns, actions, parent_missing"
                  " FROM `dbsafe_%s`.foreign_key ORDER BY n",
                  op->id);
    if (code != ERR_OK)
        return code;
    op->keys = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->keys);
    op->key_count = 0;
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows))) {
        struct foreign_key *k = &op->keys[op->key_count++];
        *k = (struct foreign_key){.role = key_role_parse(row[0]),
                                  .exchange = number_of(row[1]),
                                  .schema = copy_or_null(arena, row[2]),
                                  .name = copy_or_null(arena, row[3]),
                                  .constraint = arena_strdup(arena, row[4]),
                                  .temporary = copy_or_null(arena, row[5]),
                                  .parent_schema = copy_or_null(arena, row[6]),
                                  .parent_name = copy_or_null(arena, row[7]),
                                  .columns = copy_or_null(arena, row[8]),
                                  .parent_columns = copy_or_null(arena, row[9]),
                                  .actions = copy_or_null(arena, row[10]),
                                  .parent_missing = number_of(row[11]) != 0};
        if (k->role == KEY_ROLES || k->exchange >= op->exchange_count)
            code = odd_journal(op, "foreign key", err);
    }
    db_rows_free(rows);
    return code;
}

static enum err_code read_schema_changes(struct db_conn *c, struct arena *arena, struct operation *op,
                                         struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err,
                  "SELECT name, before_charset, before_collation, before_comment, after_charset,"
                  " after_collation, after_comment FROM `dbsafe_%s`.schema_change ORDER BY n",
                  op->id);
    if (code != ERR_OK)
        return code;
    op->schema_changes = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->schema_changes);
    op->schema_change_count = 0;
    const char *const *row;
    while ((row = db_row(rows)))
        op->schema_changes[op->schema_change_count++] = (struct schema_change){
            .schema = arena_strdup(arena, row[0]),
            .before = {copy_or_null(arena, row[1]), copy_or_null(arena, row[2]), copy_or_null(arena, row[3])},
            .after = {copy_or_null(arena, row[4]), copy_or_null(arena, row[5]), copy_or_null(arena, row[6])}};
    db_rows_free(rows);
    return ERR_OK;
}

/* How many subjects a kind of step can have. */
static unsigned subjects_of(const struct operation *op, enum step_kind kind)
{
    switch (kind) {
    case STEP_MAKE_SCHEMA:
    case STEP_SET_SCHEMA:
        return op->schema_change_count;
    case STEP_MAKE_OBJECT:
    case STEP_REPLACE_OBJECT:
    case STEP_DROP_OBJECT:
        return op->made_count;
    case STEP_MOVE_CHILD:
        return op->key_count;
    case STEP_SWAP:
    case STEP_CHECK:
        return 1;
    case STEP_KINDS:
        return 0;
    default:
        return op->exchange_count;
    }
}

static enum err_code read_steps(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err, "SELECT kind, subject, done, what FROM `dbsafe_%s`.step ORDER BY n", op->id);
    if (code != ERR_OK)
        return code;
    op->steps = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->steps);
    op->step_count = 0;
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows))) {
        struct step *s = &op->steps[op->step_count++];
        *s = (struct step){step_kind_parse(row[0]), number_of(row[1]), number_of(row[2]) != 0,
                           arena_strdup(arena, row[3])};
        if (s->subject >= subjects_of(op, s->kind))
            code = odd_journal(op, "step", err);
    }
    db_rows_free(rows);
    return code;
}

enum err_code journal_read_plan(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err)
{
    enum err_code code = read_definitions(c, arena, op, "made", &op->made, &op->made_count, err);
    if (code == ERR_OK)
        code = read_definitions(c, arena, op, "kept", &op->kept, &op->kept_count, err);
    if (code == ERR_OK)
        code = read_keys(c, arena, op, err);
    if (code == ERR_OK)
        code = read_schema_changes(c, arena, op, err);
    return code == ERR_OK ? read_steps(c, arena, op, err) : code;
}
