#include "restore/swap_plan_parts.h"

#include "core/mem.h"
#include "db/catalog.h"
#include "restore/definition.h"
#include "restore/foreign_keys.h"

#include <stdlib.h>
#include <string.h>

void swap_plan_keep(struct planner *p, const struct definition *d)
{
    struct operation *op = p->op;
    if (op->kept_count == p->kept_cap) {
        p->kept_cap = p->kept_cap ? 2 * p->kept_cap : 16;
        struct definition *grown = arena_calloc(p->arena, p->kept_cap, sizeof *grown);
        if (op->kept_count)
            memcpy(grown, op->kept, op->kept_count * sizeof *grown);
        op->kept = grown;
    }
    op->kept[op->kept_count++] = *d;
}

enum err_code swap_plan_unseen(struct planner *p, const struct err *err)
{
    if (!p->unseen)
        p->unseen = arena_strdup(p->arena, err->text);
    return ERR_OK;
}

/* ---- tables ---- */

static enum err_code read_outgoing(struct planner *p, unsigned i, struct err *err)
{
    struct exchange *x = &p->op->exchanges[i];
    struct definition *triggers;
    unsigned count;
    enum err_code code = keys_read_ddl(p->control, p->arena, x->schema, x->name, &p->outgoing[i], err);
    if (code == ERR_OK)
        code = definitions_of_table(p->now, x->schema, x->name, &triggers, &count, err);
    if (code == ERR_DB_DENIED)
        return swap_plan_unseen(p, err);
    for (unsigned k = 0; code == ERR_OK && k < count; k++)
        swap_plan_keep(p, &triggers[k]);
    x->parks_out = code == ERR_OK && count > 0;
    if (code == ERR_OK && (ddl_tail_has(p->outgoing[i].tail, "DATA DIRECTORY") ||
                           ddl_tail_has(p->outgoing[i].tail, "INDEX DIRECTORY")))
        refuse(p->refusals, "%s.%s has a DATA DIRECTORY now, which moving a table between databases loses",
               x->schema, x->name);
    return code;
}

static enum err_code read_incoming(struct planner *p, unsigned i, struct err *err)
{
    struct exchange *x = &p->op->exchanges[i];
    x->parks_in = false;
    for (unsigned k = 0; k < p->op->made_count; k++)
        x->parks_in |= definition_is_of(&p->op->made[k], x);
    if (p->options->incoming) {
        if (p->options->incoming[i])
            p->incoming[i] = *p->options->incoming[i];
        return ERR_OK;
    }
    return keys_read_ddl(p->control, p->arena, x->incoming_schema, x->name, &p->incoming[i], err);
}

enum err_code swap_plan_tables(struct planner *p, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->op->exchange_count; i++) {
        const struct exchange *x = &p->op->exchanges[i];
        if (x->kind == EXCHANGE_SEQUENCE)
            continue;
        if (x->outgoing_schema)
            code = read_outgoing(p, i, err);
        if (code == ERR_OK && x->incoming_schema)
            code = read_incoming(p, i, err);
    }
    return code;
}

/* ---- the whole ---- */

/* What an earlier plan of this operation found may not be so any more. */
static void forget(struct planner *p)
{
    struct operation *op = p->op;
    unsigned joins = 0;
    op->kept_count = op->step_count = 0;
    op->kept = NULL;
    op->steps = NULL;
    for (unsigned i = 0; i < op->key_count; i++)
        if (op->keys[i].role == KEY_JOIN)
            op->keys[joins++] = op->keys[i];
    op->key_count = joins;
    /* keys_add grows at powers of two. */
    struct foreign_key *keys = op->keys;
    op->keys = NULL;
    op->key_count = 0;
    for (unsigned i = 0; i < joins; i++) {
        keys[i].temporary = NULL;
        keys_add(op, p->arena, &keys[i]);
    }
}

static enum err_code make_parts(struct planner *p, struct err *err)
{
    enum err_code code = grants_read(p->control, &p->grants, err);
    if (code == ERR_OK)
        code = swap_plan_tables(p, err);
    if (code == ERR_OK)
        code = swap_plan_keys(p, err);
    if (code == ERR_OK)
        code = swap_plan_objects(p, err);
    if (code == ERR_OK)
        code = swap_plan_schemas(p, err);
    if (code == ERR_OK)
        code = swap_plan_privileges(p, err);
    /* The longest part comes last, and only when all else allows the swap. */
    if (code == ERR_OK && findings_count(p->refusals, FINDING_REFUSAL) == 0 && !p->options->incoming)
        code = swap_plan_check_rows(p, err);
    if (code == ERR_OK)
        swap_plan_steps(p);
    return code;
}

enum err_code swap_plan_make(const struct run *run, struct db_conn *control, struct db_conn *maker,
                             struct arena *arena, struct operation *op,
                             const struct swap_plan_options *options, struct err *err)
{
    struct findings own = {0};
    struct planner p = {.run = run,
                        .control = control,
                        .maker = maker,
                        .arena = arena,
                        .op = op,
                        .options = options,
                        .refusals = options->found ? options->found : &own,
                        .now = definitions_new(maker, arena)};
    p.incoming = xcalloc(op->exchange_count + 1, sizeof *p.incoming);
    p.outgoing = xcalloc(op->exchange_count + 1, sizeof *p.outgoing);
    p.replaces = xcalloc(op->made_count + 1, sizeof *p.replaces);
    p.makes = xcalloc(op->made_count + 1, sizeof *p.makes);
    p.drops = xcalloc(op->made_count + 1, sizeof *p.drops);
    forget(&p);
    enum err_code code = make_parts(&p, err);
    if (code == ERR_OK)
        code = findings_check(&own, op->is_undo ? "undo" : "restore", err);
    findings_free(&own);
    grants_free(p.grants);
    free(p.incoming);
    free(p.outgoing);
    free(p.replaces);
    free(p.makes);
    free(p.drops);
    return code;
}

void swap_plan_tell(const struct run *run, const struct operation *op)
{
    for (unsigned i = 0; i < op->step_count; i++)
        log_info(run->log, "step %u of %u: %s", i + 1, op->step_count, op->steps[i].what);
}
