#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

static struct manifest *sample_manifest(void)
{
    struct memory_sink sink;
    memory_sink_init(&sink);
    struct manifest *m = sample_write(&sink.base);
    sink_free(&sink.base);
    return m;
}

static void assert_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void assert_same(const struct manifest_object *a, const struct manifest_object *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->kind, b->kind);
    const char *const texts[][2] = {
        {a->schema, b->schema},
        {a->name, b->name},
        {a->dir, b->dir},
        {a->ddl_sha256, b->ddl_sha256},
        {a->definer, b->definer},
        {a->sql_mode, b->sql_mode},
        {a->charset, b->charset},
        {a->collation, b->collation},
        {a->time_zone, b->time_zone},
        {a->db_collation, b->db_collation},
        {a->table, b->table},
        {a->timing, b->timing},
        {a->action, b->action},
        {a->sequence.next, b->sequence.next},
        {a->sequence.start, b->sequence.start},
        {a->sequence.minimum, b->sequence.minimum},
        {a->sequence.maximum, b->sequence.maximum},
        {a->sequence.increment, b->sequence.increment},
        {a->sequence.cache, b->sequence.cache},
        {a->sequence.cycle_count, b->sequence.cycle_count},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_text(texts[i][0], texts[i][1]);
    assert_int_equal(a->order, b->order);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->broken, b->broken);
    assert_int_equal(a->sequence.cycle, b->sequence.cycle);
    assert_int_equal(a->use_count, b->use_count);
    for (unsigned i = 0; i < a->use_count; i++) {
        assert_text(a->uses[i].schema, b->uses[i].schema);
        assert_text(a->uses[i].name, b->uses[i].name);
    }
}

static void objects_come_back_from_the_manifest_and_from_one_line(void **state)
{
    (void)state;
    struct err err;
    struct buf json, line;
    struct manifest *m = sample_manifest(), *back;
    buf_init(&json, MANIFEST_MAX_BYTES);
    buf_init(&line, 100000);
    assert_ok(manifest_write(m, &json, &err), &err);
    assert_ok(manifest_read(json.data, json.len, &back, &err), &err);
    assert_int_equal(back->object_count, SAMPLE_OBJECTS);
    for (unsigned i = 0; i < m->object_count; i++) {
        struct arena *arena = arena_new();
        struct manifest_object one;
        assert_same(&m->objects[i], &back->objects[i]);
        buf_clear(&line);
        assert_ok(manifest_object_write(&m->objects[i], &line, &err), &err);
        assert_null(memchr(line.data, '\n', line.len));
        assert_ok(manifest_object_read(line.data, line.len, arena, &one, &err), &err);
        assert_same(&m->objects[i], &one);
        for (size_t n = 0; n < line.len; n++)
            assert_err(manifest_object_read(line.data, n, arena, &one, &err), ERR_DAMAGED, &err);
        arena_free(arena);
    }
    manifest_free(back);
    manifest_free(m);
    buf_free(&json);
    buf_free(&line);
}

static void objects_are_found_by_kind_and_name(void **state)
{
    (void)state;
    struct manifest *m = sample_manifest();
    assert_int_equal(manifest_find_object(m, OBJECT_PACKAGE_BODY, "shop", "till")->number, 3);
    assert_int_equal(manifest_find_object(m, OBJECT_PACKAGE, "shop", "till")->number, 2);
    assert_null(manifest_find_object(m, OBJECT_VIEW, "shop", "till"));
    assert_null(manifest_find_object(m, OBJECT_PACKAGE, "Shop", "till"));
    manifest_free(m);
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (unsigned k = 0; k < OBJECT_KINDS; k++)
        assert_int_equal(object_kind_parse(object_kind_name((enum object_kind)k)), k);
    assert_int_equal(object_kind_parse("table"), OBJECT_KINDS);
    assert_int_equal(object_kind_parse(""), OBJECT_KINDS);
}

/* The last place of old (that of an object, for keys that others have too) becomes new. */
static void check_replaced(const struct buf *json, const char *old, const char *new, const char *message)
{
    struct err err;
    struct buf changed;
    struct manifest *m = NULL;
    const char *at = NULL, *objects = memmem(json->data, json->len, "\"objects\":", 10);
    const char *end = json->data + json->len;
    for (const char *p = objects; (p = memmem(p, (size_t)(end - p), old, strlen(old))) != NULL; p++)
        at = at == NULL ? p : at;
    if (at == NULL)
        fail_msg("there is no %s", old);
    buf_init(&changed, MANIFEST_MAX_BYTES);
    buf_putn(&changed, json->data, (size_t)(at - json->data));
    buf_put(&changed, new);
    buf_putn(&changed, at + strlen(old), (size_t)(end - at) - strlen(old));
    if (manifest_read(changed.data, changed.len, &m, &err) != ERR_DAMAGED ||
        strstr(err.text, message) == NULL)
        fail_msg("%s -> %s: %s", old, new, m != NULL ? "was read" : err.text);
    buf_free(&changed);
}

static void malformed_ones_are_rejected(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"objects\": [", "\"objects\": {}, \"x\": [", "objects"},
        {"\"objects\": [", "\"objects\": [7,", "objects[0].number"},
        {"\"number\": 1,", "\"number\": 0,", "objects[0].dir"},
        {"\"number\": 9,", "\"number\": 1,", "objects[8].dir"},
        {"\"kind\": \"sequence\"", "\"kind\": \"table\"", "objects[0].kind"},
        {"\"kind\": \"view\"", "\"kind\": null", "objects[5].kind"},
        {"\"dir\": \"0006-paid\"", "\"dir\": \"../paid\"", "objects[5].dir"},
        {"\"ddl_sha256\": \"", "\"ddl_sha256\": \"0", "objects[0].ddl_sha256"},
        {"\"definer\": \"root@localhost\"", "\"definer\": null", "objects[1].definer"},
        {"\"sql_mode\": \"\"", "\"sql_mode\": null", "objects[3].sql_mode"},
        {"\"charset\": \"latin1\"", "\"charset\": \"latin1; DROP\"", "objects[3].charset"},
        {"\"collation\": \"latin1_german1_ci\"", "\"collation\": \"\"", "objects[3].collation"},
        {"\"db_collation\": \"latin1_german2_ci\"", "\"db_collation\": 1", "objects[3].db_collation"},
        {"\"time_zone\": \"+05:30\"", "\"time_zone\": null", "objects[8].time_zone"},
        {"\"table\": \"orders\"", "\"table\": null", "objects[7].table"},
        {"\"table\": \"orders\"", "\"table\": \"Orders\"", "trigger 'shop'.'audit' is of 'Orders'"},
        {"\"timing\": \"AFTER\"", "\"timing\": \"A'\"", "objects[7].timing"},
        {"\"action\": \"UPDATE\"", "\"action\": []", "objects[7].action"},
        {"\"order\": 1", "\"order\": 0", "objects[7].order"},
        {"\"state\": \"replica_disabled\"", "\"state\": \"on\"", "objects[8].state"},
        {"\"sequence\": {", "\"sequence\": 1, \"x\": {", "objects[0].sequence"},
        {"\"next\": \"9", "\"next\": \"x9", "objects[0].next"},
        {"\"minimum\": \"-5\"", "\"minimum\": \"-\"", "objects[0].minimum"},
        {"\"cycle\": true", "\"cycle\": 1", "objects[0].cycle"},
        {"\"broken\": true", "\"broken\": 0", "objects[6].broken"},
        {"\"uses\": []", "\"uses\": 0", "objects[0].uses"},
        {"\"object\": 1", "\"object\": 10", "object"},
        {"\"object\": 1\n", "\"object\": 2\n", "instead of 'schema/0001-numbers.sequence.sql'"},
        {"\"path\": \"schema/0006-paid.view.sql\"", "\"path\": \"schema/0006-paid.sql\"",
         "0006-paid.view.sql"},
        {"\"path\": \"schema/0006-paid.view.sql\"", "\"path\": \"schema/0006-paid.event.sql\"",
         "0006-paid.view.sql"},
    };
    struct err err;
    struct buf json;
    struct manifest *m = sample_manifest();
    buf_init(&json, MANIFEST_MAX_BYTES);
    assert_ok(manifest_write(m, &json, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_replaced(&json, cases[i][0], cases[i][1], cases[i][2]);
    manifest_free(m);
    buf_free(&json);
}

static void equal_names(struct manifest *m)
{
    m->objects[6].name = m->objects[5].name;
}
static void kinds_out_of_order(struct manifest *m)
{
    struct manifest_object first = m->objects[0];
    m->objects[0] = m->objects[1];
    m->objects[1] = first;
    m->objects[0].number = 1;
    m->objects[1].number = 2;
}
static void an_unknown_schema(struct manifest *m)
{
    m->objects[8].schema = "other";
}
static void a_view_like_a_table(struct manifest *m)
{
    m->objects[5].name = "orders";
}
static void a_wrong_number(struct manifest *m)
{
    m->objects[8].number = 8;
}

static void contradictions_are_found(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct manifest *m);
        const char *message;
    } cases[] = {
        {equal_names, "view 'shop'.'paid' is listed twice"},
        {kinds_out_of_order, "sequence 'numbers' stands behind a package"},
        {an_unknown_schema, "event 'nightly' is in the schema 'other'"},
        {a_view_like_a_table, "view 'shop'.'orders' is listed as a table too"},
        {a_wrong_number, "event 'nightly' is number 8 instead of 9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct manifest *m = sample_manifest();
        assert_ok(manifest_check(m, &err), &err);
        cases[i].change(m);
        assert_err(manifest_check(m, &err), ERR_DAMAGED, &err);
        if (strstr(err.text, cases[i].message) == NULL)
            fail_msg("case %zu: %s", i, err.text);
        manifest_free(m);
    }
}

/* Whoever reads format 1 needs no key that came later. */
static void the_first_format_has_no_objects(void **state)
{
    (void)state;
    struct err err;
    struct buf line;
    struct manifest *m = sample_manifest();
    struct manifest_table back;
    buf_init(&line, 100000);
    assert_ok(manifest_table_write(&m->tables[2], 1, &line, &err), &err);
    assert_null(memmem(line.data, line.len, "foreign_keys", 12));
    assert_ok(manifest_table_read(line.data, line.len, 1, m->arena, &back, &err), &err);
    assert_int_equal(back.foreign_key_count + back.sequence_count, 0);
    assert_err(manifest_table_read(line.data, line.len, 2, m->arena, &back, &err), ERR_DAMAGED, &err);
    buf_free(&line);
    manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_back_from_the_manifest_and_from_one_line),
        cmocka_unit_test(objects_are_found_by_kind_and_name),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(malformed_ones_are_rejected),
        cmocka_unit_test(contradictions_are_found),
        cmocka_unit_test(the_first_format_has_no_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
