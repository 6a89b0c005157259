#include "support/test.h"

#include "rows/range.h"

#include <string.h>

#define KEY_MAX 4

/* ---- tables and ranges ---- */

struct sample {
    struct manifest_column columns[KEY_MAX];
    unsigned key[KEY_MAX];
    struct manifest_table table;
};

/* Columns `a`, `b`, ... of one type, all of them the key. */
static void make_sample(struct sample *s, unsigned columns, const char *type, const char *charset, bool plain)
{
    static const char *const names[KEY_MAX] = {"a", "b", "c", "d"};
    static const char *const quoted[KEY_MAX] = {"`a`", "`b`", "`c`", "`d`"};
    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < columns; i++) {
        s->columns[i] = (struct manifest_column){
            .name = names[i], .type = type, .charset = charset, .select_expr = quoted[i], .plain = plain};
        s->key[i] = i;
    }
    s->table = (struct manifest_table){.schema = "s",
                                       .name = "t",
                                       .column_count = columns,
                                       .columns = s->columns,
                                       .key = {"PRIMARY", columns, s->key, false}};
}

static struct key_tuple *tuple_of(const struct sample *s, const char *const *texts)
{
    unsigned long lengths[KEY_MAX];
    for (unsigned i = 0; i < s->table.key.column_count; i++)
        lengths[i] = strlen(texts[i]);
    struct row row = {(char *const *)texts, lengths};
    return key_tuple_of_key_row(&s->table, &row);
}

static struct key_tuple *tuple_of_numbers(const struct sample *s, const int *numbers)
{
    char texts[KEY_MAX][16];
    const char *given[KEY_MAX];
    for (unsigned i = 0; i < KEY_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", numbers[i]);
        given[i] = texts[i];
    }
    return tuple_of(s, given);
}

static void assert_where(const struct sample *s, const struct range *r, const char *want)
{
    struct buf sql;
    buf_init(&sql, 100000);
    range_where(&s->table, r, &sql);
    assert_string_equal(buf_cstr(&sql), want);
    buf_free(&sql);
}

/* ---- SQL text ---- */

static void one_column_bounds(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s, 1, "int(11)", NULL, true);
    struct range *r = range_new(0, RANGE_KEYS, 0);
    assert_where(&s, r, "");
    r->low = tuple_of(&s, (const char *[]){"5"});
    assert_where(&s, r, " WHERE `a`>5");
    r->low_included = true;
    assert_where(&s, r, " WHERE `a`>=5");
    r->high = tuple_of(&s, (const char *[]){"-9"});
    assert_where(&s, r, " WHERE `a`>=5 AND `a`<-9");
    key_tuple_free(r->low);
    r->low = NULL;
    assert_where(&s, r, " WHERE `a`<-9");
    range_free(r);
}

static void composite_bounds_lead_with_what_the_index_needs(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s, 3, "int(11)", NULL, true);
    struct range *r = range_new(0, RANGE_KEYS, 0);
    r->low = tuple_of(&s, (const char *[]){"1", "2", "3"});
    assert_where(&s, r, " WHERE `a`>=1 AND (`a`>1 OR (`a`=1 AND (`b`>2 OR (`b`=2 AND `c`>3))))");
    r->low_included = true;
    r->high = tuple_of(&s, (const char *[]){"4", "5", "6"});
    assert_where(&s, r,
                 " WHERE `a`>=1 AND (`a`>1 OR (`a`=1 AND (`b`>2 OR (`b`=2 AND `c`>=3))))"
                 " AND `a`<=4 AND (`a`<4 OR (`a`=4 AND (`b`<5 OR (`b`=5 AND `c`<6))))");
    range_free(r);
}

static void nulls_are_a_range_of_their_own(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s, 1, "int(11)", NULL, true);
    s.table.key.nullable = true;
    struct range *r = range_new(0, RANGE_KEYS, 0), *nulls = range_new(0, RANGE_NULLS, 0);
    assert_where(&s, r, " WHERE `a` IS NOT NULL");
    assert_where(&s, nulls, " WHERE `a` IS NULL");
    r->low = tuple_of(&s, (const char *[]){"7"});
    r->high = tuple_of(&s, (const char *[]){"8"});
    assert_where(&s, r, " WHERE `a` IS NOT NULL AND `a`>7 AND `a`<8");
    range_free(r);
    range_free(nulls);
}

static void whole_queries(void **state)
{
    (void)state;
    struct sample s;
    struct buf sql;
    buf_init(&sql, 100000);
    make_sample(&s, 2, "int(11)", NULL, true);
    s.columns[1].name = "b`x";
    s.columns[1].select_expr = "`b``x`+0";
    s.table.key.name = "k`1";
    struct range *r = range_new(0, RANGE_KEYS, 0), *whole = range_new(0, RANGE_WHOLE, 0);
    range_select(&s.table, "`s`.`t`", r, 10, &sql);
    assert_string_equal(buf_cstr(&sql),
                        "SELECT `a`, `b``x`+0 FROM `s`.`t` FORCE INDEX (`k``1`) ORDER BY `a`, `b``x`"
                        " LIMIT 10");
    buf_clear(&sql);
    r->low = tuple_of(&s, (const char *[]){"1", "2"});
    range_select(&s.table, "`s`.`t`", r, 0, &sql);
    assert_string_equal(buf_cstr(&sql),
                        "SELECT `a`, `b``x`+0 FROM `s`.`t` FORCE INDEX (`k``1`)"
                        " WHERE `a`>=1 AND (`a`>1 OR (`a`=1 AND `b``x`>2)) ORDER BY `a`, `b``x`");
    buf_clear(&sql);
    s.table.system_versioned = true;
    range_select(&s.table, "`s`.`t`", whole, 0, &sql);
    assert_string_equal(buf_cstr(&sql), "SELECT `a`, `b``x`+0 FROM `s`.`t` FOR SYSTEM_TIME ALL");
    range_free(r);
    range_free(whole);
    buf_free(&sql);
}

static void literals_of_each_type(void **state)
{
    (void)state;
    static const struct {
        const char *type, *charset;
        bool plain;
        const char *value;
        size_t bytes;
        const char *want;
    } known[] = {
        {"int(11)", NULL, true, "-5", 2, "-5"},
        {"bigint(20) unsigned", NULL, true, "18446744073709551615", 20, "18446744073709551615"},
        {"tinyint(3) unsigned zerofill", NULL, true, "007", 3, "007"},
        {"mediumint(9)", NULL, true, "0", 1, "0"},
        {"smallint", NULL, true, "1", 1, "1"},
        {"decimal(30,10)", NULL, true, "-12345678901234567890.0123456789", 32,
         "-12345678901234567890.0123456789"},
        {"year(4)", NULL, true, "0000", 4, "0000"},
        {"float", NULL, true, "0.10000000149011612", 19, "0.10000000149011612e0"},
        {"float unsigned", NULL, true, "16777216", 8, "16777216e0"},
        {"float(7,3)", NULL, true, "-1e-45", 6, "-1e-45"},
        {"double", NULL, true, "1.7976931348623157e308", 22, "1.7976931348623157e308"},
        {"double(10,2)", NULL, true, "-0", 2, "-0e0"},
        {"uuid", NULL, true, "123e4567-e89b-12d3-a456-426614174000", 36,
         "_utf8mb4'123e4567-e89b-12d3-a456-426614174000'"},
        {"inet6", NULL, true, "::ffff:1.2.3.4", 14, "_utf8mb4'::ffff:1.2.3.4'"},
        {"inet4", NULL, true, "1.2.3.4", 7, "_utf8mb4'1.2.3.4'"},
        {"date", NULL, true, "0000-00-00", 10, "'0000-00-00'"},
        {"datetime(6)", NULL, true, "2020-02-29 01:02:03.000004", 26, "'2020-02-29 01:02:03.000004'"},
        {"timestamp", NULL, true, "1970-01-01 00:00:01", 19, "'1970-01-01 00:00:01'"},
        {"timestamp /* mariadb-5.3 */", NULL, true, "1970-01-01 00:00:01", 19, "'1970-01-01 00:00:01'"},
        {"time(3)", NULL, true, "-838:59:59.999", 14, "'-838:59:59.999'"},
        {"varchar(40)", "utf8mb4", false, "a'b", 3, "_utf8mb4 0x612762"},
        {"char(4)", "latin1", false, "\xE9\\", 2, "_latin1 0xe95c"},
        {"varchar(4)", "ucs2", false, "\0a", 2, "_ucs2 0x0061"},
        {"varchar(40)", "utf8mb4", false, "", 0, "''"},
        {"varbinary(40)", NULL, false, "\0\xFF'", 3, "0x00ff27"},
        {"binary(2)", NULL, false, "\0\0", 2, "0x0000"},
        {"varbinary(40)", NULL, false, "", 0, "''"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct sample s;
        make_sample(&s, 1, known[i].type, known[i].charset, known[i].plain);
        char *values[] = {(char *)known[i].value};
        unsigned long lengths[] = {known[i].bytes};
        struct row row = {values, lengths};
        struct key_tuple *k = key_tuple_of_row(&s.table, &row);
        assert_int_equal(k->count, 1);
        assert_string_equal(k->literals[0], known[i].want);
        key_tuple_free(k);
    }
}

/* Key columns may stand anywhere and in any order in the row. */
static void tuples_take_the_key_columns_of_a_row(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s, 4, "int(11)", NULL, true);
    s.columns[3] = (struct manifest_column){.name = "d", .type = "varchar(5)", .charset = "utf8mb4"};
    s.key[0] = 3;
    s.key[1] = 1;
    s.table.key.column_count = 2;
    char *values[] = {"1", "2", "3", "x"}, *key_values[] = {"x", "2"};
    unsigned long lengths[] = {1, 1, 1, 1};
    struct row row = {values, lengths}, key_row = {key_values, lengths};
    struct key_tuple *k = key_tuple_of_row(&s.table, &row), *same = key_tuple_of_key_row(&s.table, &key_row),
                     *copy = key_tuple_copy(k);
    struct buf text;
    buf_init(&text, 1000);
    key_tuple_print(k, &text);
    assert_string_equal(buf_cstr(&text), "(_utf8mb4 0x78, 2)");
    buf_clear(&text);
    key_tuple_print(same, &text);
    key_tuple_free(same);
    key_tuple_free(k);
    key_tuple_print(copy, &text);
    assert_string_equal(buf_cstr(&text), "(_utf8mb4 0x78, 2)(_utf8mb4 0x78, 2)");
    key_tuple_free(copy);
    assert_null(key_tuple_copy(NULL));
    key_tuple_free(NULL);
    range_free(NULL);
    buf_free(&text);
}

/* ---- what the conditions mean ---- */

/* Evaluates a condition on integer columns `a` to `d`: comparisons, AND, OR, parentheses; precedence as in
 * SQL. */
struct evaluator {
    const char *at;
    const int *row;
};

static bool eval_or(struct evaluator *e);

static bool eval_term(struct evaluator *e)
{
    if (*e->at == '(') {
        e->at++;
        bool value = eval_or(e);
        assert_int_equal(*e->at, ')');
        e->at++;
        return value;
    }
    assert_int_equal(e->at[0], '`');
    assert_int_equal(e->at[2], '`');
    int left = e->row[e->at[1] - 'a'];
    char op = e->at[3];
    assert_non_null(strchr("<>=", op));
    e->at += 4;
    bool or_equal = op != '=' && *e->at == '=';
    e->at += or_equal;
    char *end;
    int right = (int)strtol(e->at, &end, 10);
    assert_true(end > e->at);
    e->at = end;
    return op == '=' ? left == right
                     : (or_equal && left == right) || (op == '<' ? left < right : left > right);
}

static bool eval_list(struct evaluator *e, const char *glue, bool (*part)(struct evaluator *), bool all)
{
    bool value = part(e);
    while (strncmp(e->at, glue, strlen(glue)) == 0) {
        e->at += strlen(glue);
        bool next = part(e);
        value = all ? value && next : value || next;
    }
    return value;
}

static bool eval_and(struct evaluator *e)
{
    return eval_list(e, " AND ", eval_term, true);
}

static bool eval_or(struct evaluator *e)
{
    return eval_list(e, " OR ", eval_and, false);
}

static bool range_has(const struct sample *s, const struct range *r, const int *row)
{
    struct buf sql;
    buf_init(&sql, 100000);
    range_where(&s->table, r, &sql);
    const char *text = buf_cstr(&sql);
    bool value = true;
    if (*text) {
        assert_true(strncmp(text, " WHERE ", 7) == 0);
        struct evaluator e = {text + 7, row};
        value = eval_or(&e);
        assert_int_equal(*e.at, '\0');
    }
    buf_free(&sql);
    return value;
}

static unsigned key_columns; /* of compare_rows */

static int compare_rows(const void *x, const void *y)
{
    const int *a = x, *b = y;
    for (unsigned i = 0; i < key_columns; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static void random_row(int *row, unsigned *seed)
{
    for (unsigned i = 0; i < KEY_MAX; i++)
        row[i] = rand_r(seed) % 4 - 1; /* few values: many ties */
}

#define BOUNDS_MAX 6

/* The ranges between bounds sorted ascending: each bound starts one and ends the one before. */
static unsigned make_ranges(const struct sample *s, int bounds[][KEY_MAX], unsigned bound_count,
                            struct range **out)
{
    unsigned n = 0;
    for (unsigned i = 0; i <= bound_count; i++) {
        struct range *r = range_new(0, RANGE_KEYS, 0);
        if (i > 0) {
            r->low = tuple_of_numbers(s, bounds[i - 1]);
            r->low_included = true;
        }
        if (i < bound_count)
            r->high = tuple_of_numbers(s, bounds[i]);
        out[n++] = r;
    }
    return n;
}

static void adjacent_ranges_have_each_row_exactly_once(void **state)
{
    (void)state;
    unsigned seed = 31;
    for (int round = 0; round < 600; round++) {
        struct sample s;
        int bounds[BOUNDS_MAX][KEY_MAX], row[KEY_MAX];
        struct range *ranges[BOUNDS_MAX + 1];
        key_columns = 1 + (unsigned)rand_r(&seed) % KEY_MAX;
        unsigned bound_count = (unsigned)rand_r(&seed) % (BOUNDS_MAX + 1);
        make_sample(&s, key_columns, "int(11)", NULL, true);
        for (unsigned i = 0; i < bound_count; i++)
            random_row(bounds[i], &seed);
        qsort(bounds, bound_count, sizeof bounds[0], compare_rows);
        unsigned count = make_ranges(&s, bounds, bound_count, ranges);
        for (int try = 0; try < 40; try++) {
            random_row(row, &seed);
            unsigned should = 0;
            while (should < bound_count && compare_rows(row, bounds[should]) >= 0)
                should++;
            for (unsigned i = 0; i < count; i++)
                assert_int_equal(range_has(&s, ranges[i], row), i == should);
        }
        for (unsigned i = 0; i < count; i++)
            range_free(ranges[i]);
    }
}

/* As a reader goes on behind the last row it got. */
static void what_remains_begins_right_behind_the_last_row(void **state)
{
    (void)state;
    unsigned seed = 77;
    for (int round = 0; round < 4000; round++) {
        struct sample s;
        int last[KEY_MAX], row[KEY_MAX];
        key_columns = 1 + (unsigned)rand_r(&seed) % KEY_MAX;
        make_sample(&s, key_columns, "int(11)", NULL, true);
        random_row(last, &seed);
        random_row(row, &seed);
        struct range *r = range_new(0, RANGE_KEYS, 0);
        r->low = tuple_of_numbers(&s, last);
        assert_int_equal(range_has(&s, r, row), compare_rows(row, last) > 0);
        range_free(r);
    }
}

/* A split by the leading column alone makes bounds of fewer columns than the key: they compare as a prefix.
 */
static void shorter_bounds_compare_as_prefixes(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int round = 0; round < 4000; round++) {
        struct sample s;
        int bound[KEY_MAX], row[KEY_MAX];
        make_sample(&s, 3, "int(11)", NULL, true);
        random_row(bound, &seed);
        random_row(row, &seed);
        key_columns = 1 + (unsigned)rand_r(&seed) % 2;
        struct range *above = range_new(0, RANGE_KEYS, 0), *below = range_new(0, RANGE_KEYS, 0);
        above->low = tuple_of_numbers(&s, bound);
        above->low_included = true;
        below->high = key_tuple_copy(above->low);
        unsigned whole = above->low->count;
        above->low->count = below->high->count = key_columns;
        assert_int_equal(range_has(&s, above, row), compare_rows(row, bound) >= 0);
        assert_int_equal(range_has(&s, below, row), compare_rows(row, bound) < 0);
        above->low->count = below->high->count = whole;
        range_free(above);
        range_free(below);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_column_bounds),
        cmocka_unit_test(composite_bounds_lead_with_what_the_index_needs),
        cmocka_unit_test(nulls_are_a_range_of_their_own),
        cmocka_unit_test(whole_queries),
        cmocka_unit_test(literals_of_each_type),
        cmocka_unit_test(tuples_take_the_key_columns_of_a_row),
        cmocka_unit_test(adjacent_ranges_have_each_row_exactly_once),
        cmocka_unit_test(what_remains_begins_right_behind_the_last_row),
        cmocka_unit_test(shorter_bounds_compare_as_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
