#include "restore/check.h"

#include "db/quote.h"
#include "restore/definition.h"
#include "restore/foreign_keys.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)1 << 20)

struct checking {
    const struct run *run;
    struct db_conn *maker;
    const struct operation *op;
    struct arena *arena;
    struct definitions *now;
    struct buf problems; /* "; "-parted */
};

static void add_problem(struct checking *k, const struct definition *d, const char *what)
{
    struct buf name;
    buf_init(&name, 1024);
    definition_describe(d, &name);
    buf_addf(&k->problems, NULL, "%s%s %s", k->problems.len ? "; " : "", buf_cstr(&name), what);
    buf_free(&name);
}

/* An event that is over is dropped by the server as soon as it is made. */
static bool is_over(const struct definition *d)
{
    struct create_head head;
    return d->object.kind == OBJECT_EVENT && definition_head(d, &head, NULL) == ERR_OK &&
           memmem(d->text, head.completion.at, " AT ", 4) != NULL &&
           head.completion.bytes > strlen("PRESERVE");
}

/* Another server version may print the same object in other words. */
static bool is_of_this_server(const struct checking *k)
{
    return !k->op->server || strcmp(k->op->server, db_version(k->maker)) == 0;
}

static enum err_code check_definition(struct checking *k, const struct definition *d, struct err *err)
{
    struct definition now;
    enum err_code code =
        definitions_read(k->now, d->object.kind, d->object.schema, d->object.name, &now, err);
    if (code != ERR_OK)
        return code;
    if (now.text && definition_equal(&now, d))
        return ERR_OK;
    if (d->object.broken) /* a view that was broken, or names another database: it was told of */
        return ERR_OK;
    if (!now.text && is_over(d))
        log_warn(k->run->log, "event %s.%s: its time is over, the server did not keep it", d->object.schema,
                 d->object.name);
    else if (now.text && !is_of_this_server(k))
        log_warn(k->run->log, "%s %s.%s: this server (%s) prints it in other words than the archive's (%s)",
                 object_kind_name(d->object.kind), d->object.schema, d->object.name, db_version(k->maker),
                 k->op->server);
    else
        add_problem(k, d, now.text ? "came back differently" : "is missing");
    return ERR_OK;
}

/* The new live table has its keys, under their own names. */
static enum err_code check_key(struct checking *k, const struct foreign_key *key, struct err *err)
{
    const struct exchange *x = &k->op->exchanges[key->exchange];
    struct ddl ddl;
    bool found = false;
    enum err_code code = keys_read_ddl(k->maker, k->arena, x->schema, x->name, &ddl, err);
    for (unsigned i = 0; code == ERR_OK && i < ddl.item_count; i++)
        found |= ddl.items[i].kind == DDL_FOREIGN && ddl.items[i].name &&
                 strcmp(ddl.items[i].name, key->constraint) == 0;
    if (code == ERR_NOT_FOUND || (code == ERR_OK && !found)) {
        buf_addf(&k->problems, NULL, "%sforeign key %s of %s.%s is missing", k->problems.len ? "; " : "",
                 key->constraint, x->schema, x->name);
        return ERR_OK;
    }
    return code;
}

/* Keys are added without a look at the rows, which was taken before; since then others may have written. */
static enum err_code check_rows(struct checking *k, const struct foreign_key *key, struct err *err)
{
    const struct exchange *x = &k->op->exchanges[key->exchange];
    struct buf child, parent, examples;
    uint64_t orphans = 0;
    buf_init(&child, 1024);
    buf_init(&parent, 1024);
    buf_init(&examples, TEXT_MAX_BYTES);
    if (key->role == KEY_CHILD)
        db_quote_pair(&child, key->schema, key->name);
    else
        db_quote_pair(&child, x->schema, x->name);
    db_quote_pair(&parent, key->parent_schema, key->parent_name);
    enum err_code code =
        keys_count_orphans(k->maker, key, buf_cstr(&child), buf_cstr(&parent), &orphans, &examples, err);
    if (code == ERR_OK && orphans)
        buf_addf(&k->problems, NULL,
                 "%sforeign key %s: %" PRIu64 "%s rows of %s came in during the swap that refer to none in %s"
                 " (%s)",
                 k->problems.len ? "; " : "", key->constraint, orphans, orphans >= 1000 ? " or more" : "",
                 buf_cstr(&child), buf_cstr(&parent), buf_cstr(&examples));
    buf_free(&child);
    buf_free(&parent);
    buf_free(&examples);
    return code;
}

static enum err_code check_keys(struct checking *k, struct err *err)
{
    enum err_code code = definition_plain(k->maker, err);
    for (unsigned i = 0; code == ERR_OK && i < k->op->key_count; i++) {
        const struct foreign_key *key = &k->op->keys[i];
        if ((key->role == KEY_INSIDE || key->role == KEY_JOIN) && !key->parent_missing)
            code = check_key(k, key, err);
        if (code == ERR_OK && (key->role == KEY_CHILD || key->role == KEY_JOIN) && !key->parent_missing)
            code = check_rows(k, key, err);
    }
    return code;
}

enum err_code check_made(const struct run *run, struct db_conn *maker, const struct operation *op,
                         struct err *err)
{
    struct checking k = {.run = run, .maker = maker, .op = op, .arena = arena_new()};
    buf_init(&k.problems, TEXT_MAX_BYTES);
    k.now = definitions_new(maker, k.arena);
    enum err_code code = check_keys(&k, err);
    for (unsigned i = 0; code == ERR_OK && i < op->made_count; i++)
        if (op->made[i].text)
            code = check_definition(&k, &op->made[i], err);
    if (code == ERR_OK && k.problems.len)
        code = err_set(err, ERR_DIFFERS, "compare what was made with what was to be made: %s",
                       buf_cstr(&k.problems));
    buf_free(&k.problems);
    arena_free(k.arena);
    return code;
}

enum err_code check_and_drop(const struct run *run, struct db_conn *maker, const struct definition *d,
                             struct err *err)
{
    struct arena *arena = arena_new();
    struct definition now;
    enum err_code code = definitions_read(definitions_new(maker, arena), d->object.kind, d->object.schema,
                                          d->object.name, &now, err);
    if (code == ERR_OK && now.text && definition_equal(&now, d))
        code = definition_drop(maker, d, err);
    else if (code == ERR_OK && now.text)
        log_warn(run->log, "%s %s.%s was made for a swap that is taken back, and changed since: it stays",
                 object_kind_name(d->object.kind), d->object.schema, d->object.name);
    arena_free(arena);
    return code;
}
