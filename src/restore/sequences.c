#include "restore/sequences.h"

#include "archive/text.h"
#include "db/quote.h"
#include "restore/schemas.h"

#include <string.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)
#define CREATE        "CREATE SEQUENCE "

/* Behind the quoted name at p. */
static const char *skip_name(const char *p)
{
    for (p++; *p && !(*p == '`' && p[1] != '`'); p++)
        if (*p == '`')
            p++;
    return *p ? p + 1 : p;
}

/* The archive's definition with another name. */
static enum err_code write_create(const struct target_sequence *s, const char *into, struct buf *sql,
                                  struct err *err)
{
    if (strncmp(s->text, CREATE "`", sizeof CREATE) != 0)
        return err_set(err, ERR_DAMAGED,
                       "read the archive: the definition of sequence %s.%s has not the form"
                       " in which servers print it: %.200s",
                       s->object->schema, s->object->name, s->text);
    buf_putf(sql, CREATE "%s%s", into, skip_name(s->text + sizeof CREATE - 1));
    if (s->collation) {
        buf_put(sql, " COLLATE ");
        db_quote_text(sql, s->collation);
    }
    return ERR_OK;
}

static enum err_code compare_text(struct db_conn *c, const struct target_sequence *s, const char *staging,
                                  struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SHOW CREATE SEQUENCE %s", staging);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (!row || !row[1] || strcmp(row[1], s->text) != 0)
        code =
            err_set(err, ERR_DIFFERS, "restore sequence %s.%s: its definition came back differently: %.400s",
                    s->object->schema, s->object->name, row && row[1] ? row[1] : "");
    db_rows_free(rows);
    return code;
}

static enum err_code compare_state(struct db_conn *c, const struct target_sequence *s, const char *staging,
                                   struct err *err)
{
    const struct manifest_sequence *q = &s->object->sequence;
    const char *const wanted[] = {q->next,      q->minimum, q->maximum,           q->start,
                                  q->increment, q->cache,   q->cycle ? "1" : "0", q->cycle_count};
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err,
                                   "SELECT next_not_cached_value, minimum_value, maximum_value, start_value,"
                                   " increment, cache_size, cycle_option, cycle_count FROM %s",
                                   staging);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    bool same = row != NULL;
    for (size_t i = 0; same && i < sizeof wanted / sizeof wanted[0]; i++)
        same = row[i] && strcmp(row[i], wanted[i]) == 0;
    if (!same)
        code = err_set(err, ERR_DIFFERS, "restore sequence %s.%s: it does not stand where it stood (%s): %s",
                       s->object->schema, s->object->name, q->next, row && row[0] ? row[0] : "");
    db_rows_free(rows);
    return code;
}

enum err_code sequences_stage(struct db_conn *c, const struct target_sequence *s, struct err *err)
{
    struct buf sql, staging;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&staging, 1024);
    db_quote_pair(&staging, s->staging_schema, s->name);
    enum err_code code = write_create(s, buf_cstr(&staging), &sql, err);
    if (code == ERR_OK)
        code = db_exec(c, buf_cstr(&sql), err);
    buf_clear(&sql);
    archive_sequence_state(s->object, buf_cstr(&staging), &sql);
    if (code == ERR_OK)
        code = db_exec(c, buf_cstr(&sql), err);
    if (code == ERR_OK)
        code = compare_text(c, s, buf_cstr(&staging), err);
    if (code == ERR_OK)
        code = compare_state(c, s, buf_cstr(&staging), err);
    if (code != ERR_OK)
        err_wrap(err, "make the staging sequence of %s.%s", s->object->schema, s->object->name);
    buf_free(&sql);
    buf_free(&staging);
    return code;
}

/* ---- placeholders ---- */

static enum err_code make_placeholder(struct db_conn *c, const struct operation *op, const struct exchange *x,
                                      struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, CREATE);
    db_quote_pair(&sql, x->schema, x->name);
    buf_putf(&sql, " COMMENT='dbsafe placeholder %s'", op->id);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code == ERR_OK ? code : err_wrap(err, "make a placeholder for sequence %s.%s", x->schema, x->name);
}

enum err_code sequences_make_placeholders(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (!x->placeholder)
            continue;
        for (unsigned k = 0; code == ERR_OK && k < op->schema_change_count; k++)
            if (!op->schema_changes[k].before.charset && strcmp(op->schema_changes[k].schema, x->schema) == 0)
                code = schemas_make(c, &op->schema_changes[k], err);
        if (code == ERR_OK)
            code = make_placeholder(c, op, x, err);
    }
    return code;
}

static enum err_code is_ours(struct db_conn *c, const struct operation *op, const struct exchange *x,
                             bool *ours, struct err *err)
{
    struct buf sql, comment;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&comment, SQL_MAX_BYTES);
    buf_put(&sql, "SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_TYPE='SEQUENCE'"
                  " AND TABLE_SCHEMA=");
    db_quote_text(&sql, x->schema);
    buf_put(&sql, " AND TABLE_NAME=");
    db_quote_text(&sql, x->name);
    enum err_code code = db_scalar(c, buf_cstr(&sql), &comment, NULL, err);
    static const char mark[] = "dbsafe placeholder ";
    *ours = code == ERR_OK && strncmp(buf_cstr(&comment), mark, sizeof mark - 1) == 0 &&
            strcmp(comment.data + sizeof mark - 1, op->id) == 0;
    buf_free(&sql);
    buf_free(&comment);
    return code;
}

enum err_code sequences_drop_placeholder(struct db_conn *c, const struct operation *op, unsigned exchange,
                                         struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    bool ours = false;
    enum err_code code = x->placeholder ? is_ours(c, op, x, &ours, err) : ERR_OK;
    if (code != ERR_OK || !ours)
        return code;
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "DROP SEQUENCE IF EXISTS ");
    db_quote_pair(&sql, x->schema, x->name);
    code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}
