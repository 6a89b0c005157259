/* The record of a point as JSON, and back: recovery/point.h. */
#include "recovery/point.h"

#include <jansson.h>
#include <string.h>

/* ---- writing ---- */

/* 0 stands for "not yet": null. */
static void put_time(struct json_out *j, const char *key, int64_t wall_ms)
{
    char text[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, text);
    json_out_string(j, key, wall_ms ? text : NULL);
}

static void put_coordinates(struct json_out *j, const char *key, const struct coordinates *c)
{
    if (!c->at_ms) {
        json_out_null(j, key);
        return;
    }
    json_out_object_open(j, key);
    put_time(j, "at", c->at_ms);
    json_out_string(j, "binlog_file", c->file);
    json_out_uint(j, "binlog_position", c->position);
    json_out_string(j, "gtid", c->gtid);
    json_out_object_close(j);
}

static void put_strings(struct json_out *j, const char *key, const char *const *items, unsigned count)
{
    json_out_array_open(j, key);
    for (unsigned i = 0; i < count; i++)
        json_out_string(j, NULL, items[i]);
    json_out_array_close(j);
}

static void put_archive(struct json_out *j, const struct point_archive *a)
{
    if (!a->name) {
        json_out_null(j, "archive");
        return;
    }
    json_out_object_open(j, "archive");
    json_out_string(j, "name", a->name);
    json_out_bool(j, "done", a->done);
    json_out_string(j, "run_id", a->run_id);
    json_out_string(j, "manifest_sha256", a->manifest_sha256);
    json_out_string(j, "consistency", a->method);
    json_out_uint(j, "bytes", a->bytes);
    json_out_uint(j, "plain_bytes", a->plain_bytes);
    json_out_uint(j, "tables", a->tables);
    json_out_uint(j, "rows", a->rows);
    put_coordinates(j, "coordinates", &a->at);
    put_time(j, "verified", a->verified_ms);
    json_out_bool(j, "unusable", a->unusable);
    json_out_object_close(j);
}

static void put_drill(struct json_out *j, const struct point_drill *d)
{
    json_out_object_open(j, "drill");
    put_time(j, "passed", d->passed_ms);
    json_out_fixed3(j, "seconds", d->took_ms);
    json_out_string(j, "server_version", d->server_version);
    json_out_string(j, "skipped", d->skipped);
    json_out_object_close(j);
}

static void put_snapshot(struct json_out *j, const struct point_snapshot *s)
{
    if (!s->instance) {
        json_out_null(j, "snapshot");
        return;
    }
    json_out_object_open(j, "snapshot");
    json_out_string(j, "instance", s->instance);
    json_out_string(j, "id", s->id);
    json_out_string(j, "arn", s->arn);
    json_out_bool(j, "cluster", s->cluster);
    put_time(j, "requested", s->requested_ms);
    put_time(j, "created", s->created_ms);
    put_time(j, "available", s->available_ms);
    if (s->gib)
        json_out_uint(j, "gib", s->gib);
    else
        json_out_null(j, "gib");
    json_out_object_close(j);
}

static void put_git(struct json_out *j, const struct point_git *g)
{
    if (!g->commit) {
        json_out_null(j, "git");
        return;
    }
    json_out_object_open(j, "git");
    json_out_string(j, "commit", g->commit);
    json_out_string(j, "branch", g->branch);
    put_strings(j, "tags", g->tags, g->tag_count);
    json_out_object_close(j);
}

static void put_estimate(struct json_out *j, const struct point_estimate *e)
{
    json_out_object_open(j, "estimate");
    if (e->known) {
        json_out_fixed3(j, "seconds", e->likely_ms);
        json_out_fixed3(j, "at_most", e->most_ms);
    } else {
        json_out_null(j, "seconds");
        json_out_null(j, "at_most");
    }
    json_out_string(j, "unknown", e->unknown_why);
    json_out_fixed3(j, "rto", e->rto_ms);
    json_out_object_close(j);
}

void point_put_json(const struct point *p, struct json_out *j)
{
    json_out_uint(j, "dbsafe_point", POINT_RECORD);
    json_out_string(j, "name", p->name);
    json_out_string(j, "state", point_state_text(p->state));
    put_time(j, "created", p->created_ms);
    put_time(j, "completed", p->completed_ms);
    put_time(j, "protected_until", p->created_ms + POINT_PROTECTED_MS);
    put_time(j, "expires", p->expires_ms);
    json_out_bool(j, "keep", p->keep);
    json_out_string(j, "operator", p->person);
    json_out_string(j, "owner", p->owner);
    json_out_string(j, "tool_version", p->tool_version);
    json_out_string(j, "target", p->target);
    json_out_string(j, "server_version", p->server_version);
    json_out_string(j, "server_identity", p->server_identity);
    put_strings(j, "names", p->names, p->name_count);
    put_strings(j, "excludes", p->excludes, p->exclude_count);
    put_coordinates(j, "before", &p->before);
    put_coordinates(j, "after", &p->after);
    put_archive(j, &p->archive);
    put_drill(j, &p->drill);
    put_snapshot(j, &p->snapshot);
    put_git(j, &p->git);
    put_estimate(j, &p->estimate);
    put_strings(j, "obstacles", p->obstacles, p->obstacle_count);
}

/* ---- reading ---- */

/* A key of the wrong type is noted in bad; one that is missing or null counts as not there. */
struct reading {
    struct arena *arena;
    const char *bad;
};

static json_t *member(struct reading *r, const json_t *from, const char *key, json_type type)
{
    json_t *v = json_object_get(from, key);
    if (!v || json_is_null(v))
        return NULL;
    if (json_typeof(v) == type || (type == JSON_TRUE && json_is_boolean(v)) ||
        (type == JSON_REAL && json_is_number(v)))
        return v;
    r->bad = r->bad ? r->bad : key;
    return NULL;
}

static const char *text_of(struct reading *r, const json_t *from, const char *key)
{
    const json_t *v = member(r, from, key, JSON_STRING);
    return v ? arena_strdup(r->arena, json_string_value(v)) : NULL;
}

static const char *needed(struct reading *r, const json_t *from, const char *key)
{
    const char *text = text_of(r, from, key);
    if (!text)
        r->bad = r->bad ? r->bad : key;
    return text;
}

static uint64_t number_of(struct reading *r, const json_t *from, const char *key)
{
    const json_t *v = member(r, from, key, JSON_INTEGER);
    json_int_t n = v ? json_integer_value(v) : 0;
    if (n < 0)
        r->bad = r->bad ? r->bad : key;
    return n < 0 ? 0 : (uint64_t)n;
}

static int64_t ms_of(struct reading *r, const json_t *from, const char *key)
{
    const json_t *v = member(r, from, key, JSON_REAL);
    double seconds = v ? json_number_value(v) : 0;
    if (seconds < 0 || seconds > 1e9) {
        r->bad = r->bad ? r->bad : key;
        return 0;
    }
    return (int64_t)(seconds * 1000 + 0.5);
}

static bool flag_of(struct reading *r, const json_t *from, const char *key)
{
    return json_is_true(member(r, from, key, JSON_TRUE));
}

static int64_t time_of(struct reading *r, const json_t *from, const char *key)
{
    const json_t *v = member(r, from, key, JSON_STRING);
    int64_t ms = 0;
    if (v && !clock_parse_iso(json_string_value(v), &ms))
        r->bad = r->bad ? r->bad : key;
    return ms;
}

static const char *const *strings_of(struct reading *r, const json_t *from, const char *key, unsigned *count)
{
    const json_t *v = member(r, from, key, JSON_ARRAY);
    size_t n = json_array_size(v);
    const char **items = arena_calloc(r->arena, n + 1, sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(v, i));
        if (!text)
            r->bad = r->bad ? r->bad : key;
        items[i] = arena_strdup(r->arena, text ? text : "");
    }
    *count = (unsigned)n;
    return items;
}

static struct coordinates coordinates_of(struct reading *r, const json_t *from, const char *key)
{
    const json_t *v = member(r, from, key, JSON_OBJECT);
    struct coordinates c = {.at_ms = 0};
    if (v)
        c = (struct coordinates){.at_ms = time_of(r, v, "at"),
                                 .file = needed(r, v, "binlog_file"),
                                 .position = number_of(r, v, "binlog_position"),
                                 .gtid = text_of(r, v, "gtid")};
    return c;
}

static void read_archive(struct reading *r, const json_t *v, struct point_archive *a)
{
    if (!v)
        return;
    a->name = needed(r, v, "name");
    a->done = flag_of(r, v, "done");
    a->run_id = text_of(r, v, "run_id");
    a->manifest_sha256 = text_of(r, v, "manifest_sha256");
    a->method = text_of(r, v, "consistency");
    a->bytes = number_of(r, v, "bytes");
    a->plain_bytes = number_of(r, v, "plain_bytes");
    a->tables = number_of(r, v, "tables");
    a->rows = number_of(r, v, "rows");
    a->at = coordinates_of(r, v, "coordinates");
    a->verified_ms = time_of(r, v, "verified");
    a->unusable = flag_of(r, v, "unusable");
    if (a->done && (!a->run_id || !a->manifest_sha256))
        r->bad = r->bad ? r->bad : "archive";
}

static void read_snapshot(struct reading *r, const json_t *v, struct point_snapshot *s)
{
    if (!v)
        return;
    s->instance = needed(r, v, "instance");
    s->id = text_of(r, v, "id");
    s->arn = text_of(r, v, "arn");
    s->cluster = flag_of(r, v, "cluster");
    s->requested_ms = time_of(r, v, "requested");
    s->created_ms = time_of(r, v, "created");
    s->available_ms = time_of(r, v, "available");
    s->gib = number_of(r, v, "gib");
}

static void read_rest(struct reading *r, const json_t *root, struct point *p)
{
    const json_t *drill = member(r, root, "drill", JSON_OBJECT), *git = member(r, root, "git", JSON_OBJECT),
                 *estimate = member(r, root, "estimate", JSON_OBJECT);
    p->drill = (struct point_drill){.passed_ms = time_of(r, drill, "passed"),
                                    .took_ms = ms_of(r, drill, "seconds"),
                                    .server_version = text_of(r, drill, "server_version"),
                                    .skipped = text_of(r, drill, "skipped")};
    if (git) {
        p->git.commit = needed(r, git, "commit");
        p->git.branch = text_of(r, git, "branch");
        p->git.tags = strings_of(r, git, "tags", &p->git.tag_count);
    }
    p->estimate = (struct point_estimate){.known = member(r, estimate, "seconds", JSON_REAL) != NULL,
                                          .likely_ms = ms_of(r, estimate, "seconds"),
                                          .most_ms = ms_of(r, estimate, "at_most"),
                                          .unknown_why = text_of(r, estimate, "unknown"),
                                          .rto_ms = ms_of(r, estimate, "rto")};
}

static void read_state(struct reading *r, const json_t *root, struct point *p)
{
    const char *text = needed(r, root, "state");
    for (enum point_state s = POINT_CREATING; text && s <= POINT_DELETING; s++)
        if (strcmp(text, point_state_text(s)) == 0) {
            p->state = s;
            return;
        }
    r->bad = r->bad ? r->bad : "state";
}

static void read_record(struct reading *r, const json_t *root, struct point *p)
{
    read_state(r, root, p);
    p->created_ms = time_of(r, root, "created");
    p->completed_ms = time_of(r, root, "completed");
    p->expires_ms = time_of(r, root, "expires");
    p->keep = flag_of(r, root, "keep");
    p->person = text_of(r, root, "operator");
    p->owner = text_of(r, root, "owner");
    p->tool_version = text_of(r, root, "tool_version");
    p->target = text_of(r, root, "target");
    p->server_version = text_of(r, root, "server_version");
    p->server_identity = text_of(r, root, "server_identity");
    p->names = strings_of(r, root, "names", &p->name_count);
    p->excludes = strings_of(r, root, "excludes", &p->exclude_count);
    p->before = coordinates_of(r, root, "before");
    p->after = coordinates_of(r, root, "after");
    read_archive(r, member(r, root, "archive", JSON_OBJECT), &p->archive);
    read_snapshot(r, member(r, root, "snapshot", JSON_OBJECT), &p->snapshot);
    read_rest(r, root, p);
    p->obstacles = strings_of(r, root, "obstacles", &p->obstacle_count);
    if (!p->created_ms)
        r->bad = r->bad ? r->bad : "created";
    if (p->state == POINT_COMPLETE && (!p->archive.done || !p->completed_ms))
        r->bad = r->bad ? r->bad : "state";
}

enum err_code point_read_json(const char *data, size_t bytes, struct point **out, struct err *err)
{
    json_error_t why;
    *out = NULL;
    json_t *root = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_DAMAGED, "it is no JSON object: %s", root ? "another value" : why.text);
    }
    const json_t *form = json_object_get(root, "dbsafe_point");
    const char *name = json_string_value(json_object_get(root, "name"));
    enum err_code code = ERR_OK;
    if (!json_is_integer(form) || json_integer_value(form) < 1 || !name ||
        point_check_name(name, NULL) != ERR_OK)
        code = err_set(err, ERR_DAMAGED, "it is no record of a recovery point");
    else if (json_integer_value(form) > POINT_RECORD)
        code = err_set(err, ERR_REFUSED, "it was written by a newer dbsafe (form %lld)",
                       (long long)json_integer_value(form));
    if (code == ERR_OK) {
        struct point *p = point_new(name);
        struct reading r = {.arena = p->arena};
        read_record(&r, root, p);
        *out = p;
        if (r.bad) {
            code = err_set(err, ERR_DAMAGED, "its key \"%s\" is missing or wrong", r.bad);
            point_free(p);
            *out = NULL;
        }
    }
    json_decref(root);
    return code;
}
