#include "support/test.h"

#include "restore/operation.h"

#include <string.h>

static int64_t fixed_ms(void *self)
{
    return *(int64_t *)self;
}

static void make_id(int64_t wall_ms, const char *run_id, char out[OPERATION_ID_BYTES])
{
    const struct clock clock = {fixed_ms, fixed_ms, &wall_ms};
    const struct run run = {.clock = &clock, .run_id = run_id};
    operation_make_id(&run, out);
}

static void ids_have_a_form_that_schema_names_can_take(void **state)
{
    (void)state;
    char id[OPERATION_ID_BYTES];
    make_id(INT64_C(1700000000123), "0123456789ab", id);
    assert_string_equal(id, "20231114t221320123_0123");
    make_id(0, "ffffffffffff", id);
    assert_string_equal(id, "19700101t000000000_ffff");
    assert_true(strlen("dbsafe_stage_") + strlen(id) + strlen("_100000") <= 64);
}

static void ids_sort_by_time(void **state)
{
    (void)state;
    static const int64_t later_by[] = {1, 9, 990, 1000, 59000, 86400000, INT64_C(31622400000)};
    char before[OPERATION_ID_BYTES], after[OPERATION_ID_BYTES];
    int64_t now = INT64_C(1703980799000); /* shortly before a year ends */
    for (int round = 0; round < 200; round++) {
        make_id(now, "ffff", before);
        now += later_by[(size_t)round % (sizeof later_by / sizeof later_by[0])];
        make_id(now, "0000", after);
        assert_true(strcmp(before, after) < 0);
    }
}

static void ids_of_the_same_moment_differ_by_run(void **state)
{
    (void)state;
    char a[OPERATION_ID_BYTES], b[OPERATION_ID_BYTES];
    make_id(5, "0a1b00000000", a);
    make_id(5, "0a1c00000000", b);
    assert_string_not_equal(a, b);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(operation_state_name(OPERATION_LOADING), "loading");
    assert_string_equal(operation_state_name(OPERATION_VERIFIED), "verified");
    assert_string_equal(operation_state_name(OPERATION_SWAPPED), "swapped");
    assert_string_equal(operation_state_name(OPERATION_UNDONE), "undone");
}

static void steps_and_roles_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STEP_KINDS; i++)
        assert_int_equal(step_kind_parse(step_kind_name((enum step_kind)i)), i);
    assert_int_equal(step_kind_parse("dance"), STEP_KINDS);
    for (unsigned i = 0; i < KEY_ROLES; i++)
        assert_int_equal(key_role_parse(key_role_name((enum key_role)i)), i);
    assert_int_equal(key_role_parse(""), KEY_ROLES);
}

static const char *place(void (*write)(const struct operation *, unsigned, struct buf *),
                         const struct operation *op, unsigned exchange, struct buf *out)
{
    buf_clear(out);
    write(op, exchange, out);
    return buf_cstr(out);
}

static void parked_tables_have_names_of_our_own(void **state)
{
    (void)state;
    struct exchange exchanges[] = {
        {.schema = "shop", .name = "t", .incoming_schema = "in", .outgoing_schema = "out"},
        {.schema = "shop", .name = "u", .incoming_schema = "in", .outgoing_schema = "out", .parks_in = true},
        {.schema = "shop", .name = "v", .incoming_schema = "in", .outgoing_schema = "out", .parks_out = true},
        {.kind = EXCHANGE_SEQUENCE,
         .schema = "shop",
         .name = "s",
         .incoming_schema = "in",
         .outgoing_schema = "in",
         .placeholder = true},
        {.kind = EXCHANGE_SEQUENCE, .schema = "shop", .name = "gone", .outgoing_schema = "out"},
    };
    const struct operation op = {
        .id = "20231114t221320123_0123", .exchanges = exchanges, .exchange_count = 5};
    struct buf b;
    buf_init(&b, 4096);
    assert_string_equal(place(operation_incoming, &op, 0, &b), "`in`.`t`");
    assert_string_equal(place(operation_outgoing, &op, 0, &b), "`out`.`t`");
    assert_string_equal(place(operation_incoming, &op, 1, &b),
                        "`shop`.`dbsafe_new_20231114t221320123_0123_2`");
    assert_string_equal(place(operation_outgoing, &op, 1, &b), "`out`.`u`");
    assert_string_equal(place(operation_incoming, &op, 2, &b), "`in`.`v`");
    assert_string_equal(place(operation_outgoing, &op, 2, &b),
                        "`shop`.`dbsafe_old_20231114t221320123_0123_3`");
    assert_string_equal(place(operation_outgoing, &op, 3, &b), "`in`.`dbsafe_old_20231114t221320123_0123_4`");
    buf_free(&b);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(exchange_is_late(&exchanges[i]), i == 4);
    assert_int_equal(operation_find(&op, "shop", "v"), 2);
    assert_int_equal(operation_find(&op, "out", "v"), -1);
}

static void definitions_are_described_in_plain_words(void **state)
{
    (void)state;
    const struct definition d = {.object = {.kind = OBJECT_PACKAGE_BODY, .schema = "s", .name = "p"}},
                            t = {
                                .object = {.kind = OBJECT_TRIGGER, .schema = "s", .name = "a", .table = "t"}};
    const struct exchange x = {.schema = "s", .name = "t"}, other = {.schema = "r", .name = "t"};
    struct buf b;
    buf_init(&b, 4096);
    definition_describe(&d, &b);
    assert_string_equal(buf_cstr(&b), "package body s.p");
    buf_free(&b);
    assert_true(definition_is_of(&t, &x));
    assert_false(definition_is_of(&t, &other));
    assert_false(definition_is_of(&d, &x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_a_form_that_schema_names_can_take),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(ids_of_the_same_moment_differ_by_run),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(steps_and_roles_have_names),
        cmocka_unit_test(parked_tables_have_names_of_our_own),
        cmocka_unit_test(definitions_are_described_in_plain_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
