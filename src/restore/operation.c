#include "restore/operation.h"

#include "db/quote.h"

#include <stdio.h>
#include <string.h>

static const char *const STATES[OPERATION_STATES] = {"loading", "verified", "swapped", "undone"};

const char *operation_state_name(enum operation_state s)
{
    return STATES[s];
}

static const char *const STEPS[STEP_KINDS] = {
    [STEP_MAKE_SCHEMA] = "make_schema",
    [STEP_RENAME_KEYS] = "rename_keys",
    [STEP_PARK] = "park",
    [STEP_MAKE_TRIGGERS] = "make_triggers",
    [STEP_MAKE_OBJECT] = "make_object",
    [STEP_SWAP] = "swap",
    [STEP_LEAVE_PARENTS] = "leave_parents",
    [STEP_JOIN_PARENTS] = "join_parents",
    [STEP_MOVE_CHILD] = "move_child",
    [STEP_DROP_TRIGGERS] = "drop_triggers",
    [STEP_NAME_TRIGGERS] = "name_triggers",
    [STEP_MOVE_OUT] = "move_out",
    [STEP_NAME_KEYS] = "name_keys",
    [STEP_REPLACE_OBJECT] = "replace_object",
    [STEP_DROP_OBJECT] = "drop_object",
    [STEP_SET_SCHEMA] = "set_schema",
    [STEP_CHECK] = "check",
};

const char *step_kind_name(enum step_kind kind)
{
    return STEPS[kind];
}

enum step_kind step_kind_parse(const char *name)
{
    unsigned kind = 0;
    while (kind < STEP_KINDS && strcmp(STEPS[kind], name) != 0)
        kind++;
    return (enum step_kind)kind;
}

static const char *const ROLES[KEY_ROLES] = {"inside", "join", "leave", "child"};

const char *key_role_name(enum key_role role)
{
    return ROLES[role];
}

enum key_role key_role_parse(const char *name)
{
    unsigned role = 0;
    while (role < KEY_ROLES && strcmp(ROLES[role], name) != 0)
        role++;
    return (enum key_role)role;
}

void operation_make_id(const struct run *run, char out[OPERATION_ID_BYTES])
{
    char compact[CLOCK_COMPACT_BYTES];
    int64_t now_ms = clock_wall_ms(run->clock);
    clock_format_compact(now_ms, compact);
    /* Lower case: schema names may be folded by the server. */
    snprintf(out, OPERATION_ID_BYTES, "%.8st%.6s%03d_%.4s", compact, compact + 9, (int)(now_ms % 1000),
             run->run_id);
}

void operation_own_name(const struct operation *op, const char *what, unsigned number,
                        char out[OWN_NAME_BYTES])
{
    snprintf(out, OWN_NAME_BYTES, "dbsafe_%s_%s_%u", what, op->id, number + 1);
}

void operation_incoming(const struct operation *op, unsigned exchange, struct buf *out)
{
    const struct exchange *x = &op->exchanges[exchange];
    char own[OWN_NAME_BYTES];
    operation_own_name(op, "new", exchange, own);
    if (x->parks_in)
        db_quote_pair(out, x->schema, own);
    else
        db_quote_pair(out, x->incoming_schema, x->name);
}

void operation_outgoing(const struct operation *op, unsigned exchange, struct buf *out)
{
    const struct exchange *x = &op->exchanges[exchange];
    char own[OWN_NAME_BYTES];
    operation_own_name(op, "old", exchange, own);
    if (x->parks_out)
        db_quote_pair(out, x->schema, own);
    else
        db_quote_pair(out, x->outgoing_schema, x->placeholder ? own : x->name);
}

bool exchange_is_late(const struct exchange *x)
{
    return x->kind == EXCHANGE_SEQUENCE && !x->incoming_schema;
}

int operation_find(const struct operation *op, const char *schema, const char *name)
{
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (strcmp(op->exchanges[i].name, name) == 0 && strcmp(op->exchanges[i].schema, schema) == 0)
            return (int)i;
    return -1;
}

bool definition_is_of(const struct definition *d, const struct exchange *x)
{
    return d->object.kind == OBJECT_TRIGGER && strcmp(d->object.table, x->name) == 0 &&
           strcmp(d->object.schema, x->schema) == 0;
}

void definition_describe(const struct definition *d, struct buf *out)
{
    const char *kind = object_kind_name(d->object.kind);
    for (; *kind; kind++)
        buf_putn(out, *kind == '_' ? " " : kind, 1);
    buf_putf(out, " %s.%s", d->object.schema, d->object.name);
}

/* Longer lists are cut: what is read before a decision must be readable. */
#define NAMES_TOLD 5

static bool is_told(const struct exchange *x, bool outgoing)
{
    return x->kind == EXCHANGE_TABLE && (!outgoing || x->outgoing_schema);
}

unsigned operation_count_tables(const struct operation *op, bool outgoing)
{
    unsigned count = 0;
    for (unsigned i = 0; i < op->exchange_count; i++)
        count += is_told(&op->exchanges[i], outgoing);
    return count;
}

void operation_name_tables(const struct operation *op, bool outgoing, struct buf *out)
{
    unsigned count = operation_count_tables(op, outgoing), told = 0;
    unsigned most = count <= NAMES_TOLD + 1 ? count : NAMES_TOLD; /* "and 1 more" is no shorter than a name */
    for (unsigned i = 0; i < op->exchange_count && told < most; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (is_told(x, outgoing))
            buf_putf(out, "%s%s.%s", told++ ? ", " : "", x->schema, x->name);
    }
    if (told < count)
        buf_putf(out, " and %u more", count - told);
}
