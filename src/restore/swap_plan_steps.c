/* The steps in their order, and what each of them does in plain words. */
#include "restore/swap_plan_parts.h"

#include "restore/schemas.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)1 << 20)
/* What one pair of renames takes, roughly (measured). */
#define PAIR_MS 2

static void add_step(struct planner *p, enum step_kind kind, unsigned subject, const struct buf *what)
{
    struct operation *op = p->op;
    if (op->step_count == p->step_cap) {
        p->step_cap = p->step_cap ? 2 * p->step_cap : 16;
        struct step *grown = arena_calloc(p->arena, p->step_cap, sizeof *grown);
        if (op->step_count)
            memcpy(grown, op->steps, op->step_count * sizeof *grown);
        op->steps = grown;
    }
    op->steps[op->step_count++] = (struct step){
        .kind = kind, .subject = subject, .what = arena_strndup(p->arena, what->data, what->len)};
}

/* Ends in "...", and not within a character: the journal takes none that is cut in two. */
static void cut_short(char *line, size_t bytes)
{
    bytes -= strlen("...");
    while (bytes > 0 && (line[bytes] & 0xc0) == 0x80)
        bytes--;
    memcpy(line + bytes, "...", strlen("...") + 1);
}

static void add(struct planner *p, enum step_kind kind, unsigned subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void add(struct planner *p, enum step_kind kind, unsigned subject, const char *format, ...)
{
    char line[1024];
    struct buf what;
    va_list args;
    va_start(args, format);
    if (vsnprintf(line, sizeof line, format, args) >= (int)sizeof line)
        cut_short(line, sizeof line - 1);
    va_end(args);
    buf_init(&what, TEXT_MAX_BYTES);
    buf_put(&what, line);
    add_step(p, kind, subject, &what);
    buf_free(&what);
}

/* "a, b" of the triggers of a table in one of the lists. */
static const char *trigger_names(struct planner *p, const struct definition *list, unsigned count,
                                 const struct exchange *x)
{
    struct buf names;
    buf_init(&names, TEXT_MAX_BYTES);
    for (unsigned i = 0; i < count; i++)
        if (definition_is_of(&list[i], x))
            buf_putf(&names, "%s%s", names.len ? ", " : "", list[i].object.name);
    const char *text = arena_strdup(p->arena, buf_cstr(&names));
    buf_free(&names);
    return text;
}

/* "k1 (to crm.people), k2 (to crm.people)"; "" when there are none of this role. */
static const char *key_names(struct planner *p, unsigned exchange, enum key_role role)
{
    struct buf names;
    buf_init(&names, TEXT_MAX_BYTES);
    for (unsigned i = 0; i < p->op->key_count; i++) {
        const struct foreign_key *k = &p->op->keys[i];
        if (k->role != role || k->exchange != exchange || (role == KEY_JOIN && k->parent_missing))
            continue;
        buf_putf(&names, "%s%s", names.len ? ", " : "", k->constraint);
        if (role != KEY_INSIDE)
            buf_putf(&names, " (to %s.%s)", k->parent_schema, k->parent_name);
    }
    const char *text = arena_strdup(p->arena, buf_cstr(&names));
    buf_free(&names);
    return text;
}

static bool has_temporary_keys(const struct planner *p, unsigned exchange)
{
    for (unsigned i = 0; i < p->op->key_count; i++) {
        const struct foreign_key *k = &p->op->keys[i];
        if (k->exchange == exchange && k->temporary && (k->role == KEY_INSIDE || k->role == KEY_JOIN))
            return true;
    }
    return false;
}

static void add_object(struct planner *p, enum step_kind kind, unsigned made, const char *verb,
                       const char *tail)
{
    struct buf what;
    buf_init(&what, TEXT_MAX_BYTES);
    buf_putf(&what, "%s ", verb);
    definition_describe(&p->op->made[made], &what);
    buf_put(&what, tail);
    add_step(p, kind, made, &what);
    buf_free(&what);
}

/* ---- before the swap ---- */

static bool is_routine(enum object_kind kind)
{
    return kind == OBJECT_PACKAGE || kind == OBJECT_PACKAGE_BODY || kind == OBJECT_FUNCTION ||
           kind == OBJECT_PROCEDURE;
}

static void prepare_table(struct planner *p, unsigned i)
{
    const struct exchange *x = &p->op->exchanges[i];
    const char *keys = key_names(p, i, KEY_INSIDE);
    if (keys[0])
        add(p, STEP_RENAME_KEYS, i,
            "give foreign keys of the new %s.%s temporary names, which the table there has now: %s",
            x->schema, x->name, keys);
    if (!x->parks_in)
        return;
    add(p, STEP_PARK, i, "move the new %s.%s into its database, under a name of dbsafe's own", x->schema,
        x->name);
    add(p, STEP_MAKE_TRIGGERS, i, "give it its triggers, under temporary names: %s",
        trigger_names(p, p->op->made, p->op->made_count, x));
}

static void before_swap(struct planner *p)
{
    for (unsigned i = 0; i < p->op->schema_change_count; i++)
        if (!p->op->schema_changes[i].before.charset)
            add(p, STEP_MAKE_SCHEMA, i, "create database %s", p->op->schema_changes[i].schema);
    for (unsigned i = 0; i < p->op->made_count; i++)
        if (is_routine(p->op->made[i].object.kind) && p->makes[i])
            add_object(p, STEP_MAKE_OBJECT, i, "create", ", which is not there now");
    for (unsigned i = 0; i < p->op->exchange_count; i++)
        if (p->op->exchanges[i].kind == EXCHANGE_TABLE && p->op->exchanges[i].incoming_schema)
            prepare_table(p, i);
}

/* ---- the swap and what is behind it ---- */

static void add_swap(struct planner *p)
{
    unsigned tables = 0, sequences = 0, renames = 0;
    for (unsigned i = 0; i < p->op->exchange_count; i++) {
        const struct exchange *x = &p->op->exchanges[i];
        tables += x->kind == EXCHANGE_TABLE;
        sequences += x->kind == EXCHANGE_SEQUENCE;
        renames += (x->incoming_schema != NULL) + (x->outgoing_schema && !exchange_is_late(x));
    }
    add(p, STEP_SWAP, 0, "exchange %u tables and %u sequences in one RENAME TABLE (%u renames, about %u ms)",
        tables, sequences, renames, PAIR_MS * renames);
}

static void change_parents(struct planner *p)
{
    for (unsigned i = 0; i < p->op->exchange_count; i++) {
        const char *keys = key_names(p, i, KEY_LEAVE);
        if (keys[0])
            add(p, STEP_LEAVE_PARENTS, i,
                "drop the foreign keys of the replaced %s.%s to tables that are not exchanged (noted for "
                "undo):"
                " %s",
                p->op->exchanges[i].schema, p->op->exchanges[i].name, keys);
    }
    for (unsigned i = 0; i < p->op->exchange_count; i++) {
        const char *keys = key_names(p, i, KEY_JOIN);
        if (keys[0])
            add(p, STEP_JOIN_PARENTS, i, "add the foreign keys of %s.%s to tables that are not exchanged: %s",
                p->op->exchanges[i].schema, p->op->exchanges[i].name, keys);
    }
    for (unsigned i = 0; i < p->op->key_count; i++) {
        const struct foreign_key *k = &p->op->keys[i];
        if (k->role == KEY_CHILD)
            add(p, STEP_MOVE_CHILD, i, "make foreign key %s of %s.%s refer to the new %s.%s", k->constraint,
                k->schema, k->name, k->parent_schema, k->parent_name);
    }
}

static void settle_tables(struct planner *p)
{
    const struct operation *op = p->op;
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (op->exchanges[i].parks_out)
            add(p, STEP_DROP_TRIGGERS, i, "drop the triggers of the replaced %s.%s (noted for undo): %s",
                op->exchanges[i].schema, op->exchanges[i].name,
                trigger_names(p, op->kept, op->kept_count, &op->exchanges[i]));
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (op->exchanges[i].parks_in)
            add(p, STEP_NAME_TRIGGERS, i, "give the triggers of %s.%s their names, under a lock: %s",
                op->exchanges[i].schema, op->exchanges[i].name,
                trigger_names(p, op->made, op->made_count, &op->exchanges[i]));
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (op->exchanges[i].parks_out)
            add(p, STEP_MOVE_OUT, i, "move the replaced %s.%s to %s", op->exchanges[i].schema,
                op->exchanges[i].name, op->exchanges[i].outgoing_schema);
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (has_temporary_keys(p, i))
            add(p, STEP_NAME_KEYS, i, "give the foreign keys of %s.%s their names", op->exchanges[i].schema,
                op->exchanges[i].name);
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (exchange_is_late(&op->exchanges[i]))
            add(p, STEP_MOVE_OUT, i, "move the sequence %s.%s to %s", op->exchanges[i].schema,
                op->exchanges[i].name, op->exchanges[i].outgoing_schema);
}

static void replace_objects(struct planner *p)
{
    for (unsigned i = 0; i < p->op->made_count; i++) {
        enum object_kind kind = p->op->made[i].object.kind;
        if (p->replaces[i])
            add_object(p, STEP_REPLACE_OBJECT, i, "replace", " (the one there is noted for undo)");
        else if (p->makes[i] && !is_routine(kind))
            add_object(p, STEP_REPLACE_OBJECT, i, "create", ", which is not there now");
    }
    /* What others are made of goes last. */
    for (unsigned i = p->op->made_count; i-- > 0;)
        if (p->drops[i])
            add_object(p, STEP_DROP_OBJECT, i, "drop", " (noted for undo)");
}

static void set_schemas(struct planner *p)
{
    for (unsigned i = 0; i < p->op->schema_change_count; i++) {
        const struct schema_change *s = &p->op->schema_changes[i];
        if (!s->after.charset && !s->keeps)
            add(p, STEP_SET_SCHEMA, i, "drop database %s if nothing is left in it", s->schema);
        else if (s->after.charset && (swap_plan_lends_collation(p, i) ||
                                      (s->before.charset && !schemas_equal(&s->before, &s->after))))
            add(p, STEP_SET_SCHEMA, i, "database %s: character set %s, collation %s", s->schema,
                s->after.charset, s->after.collation);
    }
}

static unsigned count_made(const struct operation *op)
{
    unsigned n = 0;
    for (unsigned i = 0; i < op->made_count; i++)
        n += op->made[i].text != NULL;
    return n;
}

void swap_plan_steps(struct planner *p)
{
    before_swap(p);
    add_swap(p);
    change_parents(p);
    settle_tables(p);
    replace_objects(p);
    set_schemas(p);
    unsigned made = count_made(p->op);
    if (made || p->op->key_count)
        add(p, STEP_CHECK, 0,
            "read back %u triggers, views, programs and events, and compare them; look at"
            " the rows of foreign keys that were added",
            made);
}
