/* Objects, and the one-line forms of schemas and objects, as JSON and back. */
#include "archive/manifest_parts.h"
#include "archive/text.h"

#include <string.h>

static const char *const object_names[OBJECT_KINDS] = {
    [OBJECT_SEQUENCE] = "sequence", [OBJECT_PACKAGE] = "package",     [OBJECT_PACKAGE_BODY] = "package_body",
    [OBJECT_FUNCTION] = "function", [OBJECT_PROCEDURE] = "procedure", [OBJECT_VIEW] = "view",
    [OBJECT_TRIGGER] = "trigger",   [OBJECT_EVENT] = "event",
};

const char *object_kind_name(enum object_kind kind)
{
    return object_names[kind];
}

enum object_kind object_kind_parse(const char *name)
{
    unsigned kind = 0;
    while (kind < OBJECT_KINDS && strcmp(object_names[kind], name) != 0)
        kind++;
    return (enum object_kind)kind;
}

static const char *const event_states[EVENT_STATES] = {
    [EVENT_ENABLED] = "enabled",
    [EVENT_DISABLED] = "disabled",
    [EVENT_REPLICA_DISABLED] = "replica_disabled",
};

/* ---- writing ---- */

void manifest_put_names(struct json_out *j, const char *key, const struct manifest_name *names,
                        unsigned count)
{
    json_out_array_open(j, key);
    for (unsigned i = 0; i < count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "schema", names[i].schema);
        json_out_string(j, "name", names[i].name);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_sequence(struct json_out *j, const struct manifest_sequence *s)
{
    json_out_object_open(j, "sequence");
    json_out_string(j, "next", s->next);
    json_out_string(j, "minimum", s->minimum);
    json_out_string(j, "maximum", s->maximum);
    json_out_string(j, "start", s->start);
    json_out_string(j, "increment", s->increment);
    json_out_string(j, "cache", s->cache);
    json_out_bool(j, "cycle", s->cycle);
    json_out_string(j, "cycle_count", s->cycle_count);
    json_out_object_close(j);
}

void manifest_put_object(struct json_out *j, const struct manifest_object *o)
{
    json_out_uint(j, "number", o->number);
    json_out_string(j, "kind", object_kind_name(o->kind));
    json_out_string(j, "schema", o->schema);
    json_out_string(j, "name", o->name);
    json_out_string(j, "dir", o->dir);
    json_out_string(j, "ddl_sha256", o->ddl_sha256);
    json_out_string(j, "definer", o->definer);
    json_out_string(j, "sql_mode", o->sql_mode);
    json_out_string(j, "charset", o->charset);
    json_out_string(j, "collation", o->collation);
    json_out_string(j, "db_collation", o->db_collation);
    json_out_string(j, "time_zone", o->time_zone);
    json_out_string(j, "table", o->table);
    json_out_string(j, "timing", o->timing);
    json_out_string(j, "action", o->action);
    json_out_uint(j, "order", o->order);
    json_out_string(j, "state", o->kind == OBJECT_EVENT ? event_states[o->state] : NULL);
    if (o->kind == OBJECT_SEQUENCE)
        put_sequence(j, &o->sequence);
    else
        json_out_null(j, "sequence");
    json_out_bool(j, "broken", o->broken);
    manifest_put_names(j, "uses", o->uses, o->use_count);
}

void manifest_put_schema(struct json_out *j, const struct manifest_schema *s, unsigned format)
{
    json_out_string(j, "name", s->name);
    json_out_string(j, "charset", s->charset);
    json_out_string(j, "collation", s->collation);
    if (format >= 2)
        json_out_string(j, "comment", s->comment != NULL ? s->comment : "");
}

enum err_code manifest_object_write(const struct manifest_object *o, struct buf *out, struct err *err)
{
    struct json_out j;
    json_out_begin(&j, out, 0);
    json_out_object_open(&j, NULL);
    manifest_put_object(&j, o);
    json_out_object_close(&j);
    return json_out_end(&j, err);
}

enum err_code manifest_schema_write(const struct manifest_schema *s, unsigned format, struct buf *out,
                                    struct err *err)
{
    struct json_out j;
    json_out_begin(&j, out, 0);
    json_out_object_open(&j, NULL);
    json_out_uint(&j, "format", format);
    manifest_put_schema(&j, s, format);
    json_out_object_close(&j);
    return json_out_end(&j, err);
}

/* ---- reading ---- */

const struct manifest_name *manifest_take_names(struct json_in *r, const json_t *from, const char *key,
                                                unsigned *count)
{
    const json_t *a;
    *count = (unsigned)json_in_list(r, from, key, JSON_IN_LIST_MAX, &a);
    struct manifest_name *names = arena_calloc(r->arena, *count, sizeof *names);
    for (unsigned i = 0; i < *count; i++) {
        const json_t *o = json_array_get(a, i);
        names[i] = (struct manifest_name){json_in_text(r, o, "schema"), json_in_text(r, o, "name")};
    }
    return names;
}

static void take_sequence(struct json_in *r, const json_t *from, struct manifest_sequence *s)
{
    const json_t *o = json_in_object_in(r, from, "sequence");
    *s = (struct manifest_sequence){
        .next = json_in_digits(r, o, "next"),
        .minimum = json_in_digits(r, o, "minimum"),
        .maximum = json_in_digits(r, o, "maximum"),
        .start = json_in_digits(r, o, "start"),
        .increment = json_in_digits(r, o, "increment"),
        .cache = json_in_digits(r, o, "cache"),
        .cycle = json_in_flag(r, o, "cycle"),
        .cycle_count = json_in_digits(r, o, "cycle_count"),
    };
}

static enum event_state take_state(struct json_in *r, const json_t *from)
{
    const char *text = json_in_text(r, from, "state");
    for (unsigned i = 0; i < EVENT_STATES; i++)
        if (strcmp(text, event_states[i]) == 0)
            return (enum event_state)i;
    json_in_fail(r, "state is not that of an event");
    return EVENT_DISABLED;
}

/* What one kind must have and others must not: it becomes part of SQL statements. */
static void take_own(struct json_in *r, const json_t *from, struct manifest_object *o)
{
    bool session = o->kind != OBJECT_SEQUENCE, stored = session && o->kind != OBJECT_VIEW,
         trigger = o->kind == OBJECT_TRIGGER;
    const struct {
        const char *key, **out;
        bool wanted, word;
    } texts[] = {{"definer", &o->definer, session, false},
                 {"sql_mode", &o->sql_mode, stored, false},
                 {"charset", &o->charset, session, true},
                 {"collation", &o->collation, session, true},
                 {"db_collation", &o->db_collation, stored, true},
                 {"time_zone", &o->time_zone, o->kind == OBJECT_EVENT, false},
                 {"table", &o->table, trigger, false},
                 {"timing", &o->timing, trigger, true},
                 {"action", &o->action, trigger, true}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].wanted)
            *texts[i].out =
                texts[i].word ? json_in_word(r, from, texts[i].key) : json_in_text(r, from, texts[i].key);
    if (o->kind == OBJECT_EVENT)
        o->state = take_state(r, from);
    if (o->kind == OBJECT_SEQUENCE)
        take_sequence(r, from, &o->sequence);
    if (trigger && o->order == 0)
        json_in_fail(r, "order is 0");
}

void manifest_take_object(struct json_in *r, const json_t *from, struct manifest_object *o)
{
    *o = (struct manifest_object){
        .number = (unsigned)json_in_number(r, from, "number", JSON_IN_LIST_MAX),
        .kind = object_kind_parse(json_in_text(r, from, "kind")),
        .schema = json_in_text(r, from, "schema"),
        .name = json_in_text(r, from, "name"),
        .dir = json_in_text(r, from, "dir"),
        .ddl_sha256 = json_in_hex_digest(r, from, "ddl_sha256"),
        .order = (unsigned)json_in_number(r, from, "order", JSON_IN_LIST_MAX),
        .broken = json_in_flag(r, from, "broken"),
    };
    if (o->kind == OBJECT_KINDS) {
        json_in_fail(r, "kind is none that is known");
        o->kind = OBJECT_VIEW; /* a harmless value */
    }
    /* dir becomes part of paths */
    if (o->number == 0 || strcmp(o->dir, archive_slug(r->arena, o->number, o->name)) != 0)
        json_in_fail(r, "dir does not follow from number and name");
    take_own(r, from, o);
    o->uses = manifest_take_names(r, from, "uses", &o->use_count);
}

void manifest_take_schema(struct json_in *r, const json_t *from, unsigned format, struct manifest_schema *s)
{
    *s = (struct manifest_schema){.name = json_in_text(r, from, "name"),
                                  .charset = json_in_text(r, from, "charset"),
                                  .collation = json_in_text(r, from, "collation"),
                                  .comment = format >= 2 ? json_in_text(r, from, "comment") : ""};
}

enum err_code manifest_check_format(const json_t *root, unsigned *format, struct err *err)
{
    const json_t *v = json_object_get(root, "format");
    if (!json_is_integer(v) || json_integer_value(v) < 1)
        return err_set(err, ERR_DAMAGED, "format is missing or no number from 1");
    if (json_integer_value(v) > MANIFEST_FORMAT)
        return err_set(
            err, ERR_REFUSED,
            "the archive has format %lld, and this dbsafe reads formats up to %d: use a newer dbsafe",
            (long long)json_integer_value(v), MANIFEST_FORMAT);
    *format = (unsigned)json_integer_value(v);
    return ERR_OK;
}

enum err_code manifest_object_read(const char *data, size_t bytes, struct arena *arena,
                                   struct manifest_object *out, struct err *err)
{
    json_t *root = NULL;
    struct json_in r = {.arena = arena};
    enum err_code rc = json_in_parse(data, bytes, &root, err);
    if (rc == ERR_OK) {
        manifest_take_object(&r, root, out);
        if (r.failed)
            rc = err_copy(err, &r.err);
    }
    json_decref(root);
    return rc;
}

enum err_code manifest_schema_read(const char *data, size_t bytes, struct arena *arena,
                                   struct manifest_schema *out, unsigned *format, struct err *err)
{
    json_t *root = NULL;
    struct json_in r = {.arena = arena};
    enum err_code rc = json_in_parse(data, bytes, &root, err);
    if (rc == ERR_OK)
        rc = manifest_check_format(root, format, err);
    if (rc == ERR_OK) {
        manifest_take_schema(&r, root, *format, out);
        if (r.failed)
            rc = err_copy(err, &r.err);
    }
    json_decref(root);
    return rc;
}
