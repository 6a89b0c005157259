#include "support/test.h"

#include "cli/command.h"
#include "cli/options.h"

#include <string.h>

#define ARGUMENTS_MAX 16

/* Parses "dump -q a b"; no argument has a blank. */
static enum err_code parse(struct options *o, const char *line, struct err *err)
{
    static char copy[1024];
    char *argv[ARGUMENTS_MAX + 1] = {"dbsafe"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(o, argc, argv, err);
}

static void takes_what_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum command_id command;
        enum option_id id;
        const char *text; /* value of id; NULL: not asked */
        unsigned operands;
    } cases[] = {
        {"dump db", COMMAND_DUMP, OPTION_THREADS, NULL, 1},
        {"dump --threads 3 db", COMMAND_DUMP, OPTION_THREADS, "3", 1},
        {"dump --threads=3 db", COMMAND_DUMP, OPTION_THREADS, "3", 1},
        {"--threads 3 dump db", COMMAND_DUMP, OPTION_THREADS, "3", 1},
        {"dump db a.b c.* --threads 3", COMMAND_DUMP, OPTION_THREADS, "3", 3},
        {"-h server dump db", COMMAND_DUMP, OPTION_HOST, "server", 1},
        {"dump -hserver db", COMMAND_DUMP, OPTION_HOST, "server", 1},
        {"dump -P 3307 db", COMMAND_DUMP, OPTION_PORT, "3307", 1},
        {"dump -o - db", COMMAND_DUMP, OPTION_OUTPUT, "-", 1},
        {"dump -qp db", COMMAND_DUMP, OPTION_PASSWORD, "yes", 1},
        {"dump -p db", COMMAND_DUMP, OPTION_PASSWORD, "yes", 1},
        {"restore -", COMMAND_RESTORE, OPTION_VERIFY, "yes", 1},
        {"restore --no-verify x", COMMAND_RESTORE, OPTION_VERIFY, "no", 1},
        {"restore --no-verify --verify x", COMMAND_RESTORE, OPTION_VERIFY, "yes", 1},
        {"restore -- --odd-name", COMMAND_RESTORE, OPTION_VERIFY, "yes", 1},
        {"verify --tables a,b x --tables c", COMMAND_VERIFY, OPTION_TABLES, "c", 1},
        {"undo", COMMAND_UNDO, OPTION_LOCK_TIMEOUT, "60", 0},
        {"list", COMMAND_LIST, OPTION_STORE, NULL, 0},
        {"--help", COMMAND_HELP, OPTION_HELP, NULL, 0},
        {"-?", COMMAND_HELP, OPTION_HELP, NULL, 0},
        {"dump --help", COMMAND_HELP, OPTION_HELP, NULL, 1},
        {"restore -?", COMMAND_HELP, OPTION_HELP, NULL, 1},
        {"help dump", COMMAND_HELP, OPTION_HELP, NULL, 1},
        {"--version", COMMAND_VERSION, OPTION_VERSION, NULL, 0},
        {"dump --version", COMMAND_VERSION, OPTION_VERSION, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        unsigned operands;
        struct options *o = options_new();
        print_message("%s\n", cases[i].line);
        assert_ok(parse(o, cases[i].line, &err), &err);
        assert_int_equal(options_command(o), cases[i].command);
        if (cases[i].text)
            assert_string_equal(options_text(o, cases[i].id), cases[i].text);
        options_operands(o, &operands);
        assert_int_equal(operands, cases[i].operands);
        options_free(o);
    }
}

static void refuses_what_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"", "a command is missing; see 'dbsafe help'"},
        {"frobnicate", "unknown command 'frobnicate'; see 'dbsafe help'"},
        {"dump --frob db", "unknown option '--frob'; see 'dbsafe help dump'"},
        {"dump --frob=secret db", "unknown option '--frob'; see"},
        {"dump -Z db", "unknown option '-Z'; see 'dbsafe help dump'"},
        {"dump -qZ db", "unknown option '-Z'"},
        {"dump --thread 3 db", "unknown option '--thread'"},
        {"dump --quie db", "unknown option '--quie'"},
        {"dump --quie=x db", "unknown option '--quie'"},
        {"dump --verb db", "unknown option '--verb'"},
        {"dump --json=1 db", "option '--json' takes no value"},
        {"restore --no-verify=1 db", "option '--no-verify' takes no value"},
        {"dump db --host", "option '--host' needs a value"},
        {"dump db -h", "option '-h' needs a value"},
        {"dump db --host=", "--host: the value is empty"},
        {"dump -psecret db", "option '-p' takes no value: a password on the command line is visible"},
        {"dump --password=secret db", "option '--password' takes no value: a password on the command line"},
        {"dump --threads 0 db", "--threads: '0' is not a number from 1 to 64; see 'dbsafe help dump'"},
        {"dump --threads 65 db", "'65' is not a number from 1 to 64"},
        {"dump --threads x db", "'x' is not a number from 1 to 64"},
        {"dump --threads 3x db", "'3x' is not a number"},
        {"dump --threads -1 db", "'-1' is not a number"},
        {"dump --threads 18446744073709551617 db", "is not a number"},
        {"dump -P 65536 db", "-P: '65536' is not a number from 1 to 65535"},
        {"dump --chunk-size 1 db",
         "--chunk-size: '1' is not a size from 1K to 256M (bytes, or with K, M or G behind it)"},
        {"dump --chunk-size 16X db", "'16X' is not a size"},
        {"dump --chunk-size 1G db", "'1G' is not a size from 1K to 256M"},
        {"dump --count-check some db", "--count-check: 'some' is not one of auto|always|never"},
        {"dump --count-check auto|always db", "is not one of"},
        {"dump --tables a db",
         "option '--tables' does not belong to 'dump'; it is for: restore, verify, doctor; see"},
        {"list -h x", "option '--host' does not belong to 'list'; it is for: dump, restore, undo, verify, "
                      "point, rollback, doctor"},
        {"restore --exclude a x", "option '--exclude' does not belong to 'restore'; it is for: dump"},
        {"restore --tables a,,b x", "--tables: 'a,,b' has an empty item"},
        {"restore", "'restore' needs ARCHIVE; see 'dbsafe help restore'"},
        {"verify", "'verify' needs ARCHIVE"},
        {"restore a b", "'b' is one argument too many for 'restore'"},
        {"list x", "'x' is one argument too many for 'list'"},
        {"undo a b", "'b' is one argument too many for 'undo'"},
        {"copy", "'copy' needs ARCHIVE"},
        {"prune x", "'x' is one argument too many for 'prune'"},
        {"prune --keep-last 0", "--keep-last: '0' is not a number from 1 to"},
        {"snapshot", "'snapshot' needs create|list"},
        {"snapshot delete a b", "'b' is one argument too many for 'snapshot'"},
        {"keygen", "'keygen' is not in this version"},
        {"rollback x", "'x' is one argument too many for 'rollback'"},
        {"rollback --via nothing", "--via: 'nothing' is not one of tables|instance"},
        {"point", "'point' needs create NAME"},
        {"point list --live", "option '--live' does not belong to 'point'; it is for: verify"},
        {"point create --expires 1 x y", "--expires: '1' is not a number from 2 to"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct options *o = options_new();
        assert_err(parse(o, cases[i].line, &err), ERR_USAGE, &err);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].line, err.text, cases[i].says);
        assert_null(strstr(err.text, "secret"));
        options_free(o);
    }
}

static void knows_json_in_spite_of_an_error(void **state)
{
    (void)state;
    struct err err;
    struct options *o = options_new();
    assert_err(parse(o, "dump --bogus --json db", &err), ERR_USAGE, &err);
    assert_true(options_flag(o, OPTION_JSON));
    options_free(o);
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        uint64_t bytes;
    } cases[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"16M", true, 16u << 20},
        {"16m", true, 16u << 20},
        {"16MiB", true, 16u << 20},
        {"16MB", true, 16u << 20},
        {"3k", true, 3072},
        {"2G", true, (uint64_t)2 << 30},
        {"1T", true, (uint64_t)1 << 40},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"17179869184G", false, 0},
        {"", false, 0},
        {"M", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 M", false, 0},
        {"1.5M", false, 0},
        {"1P", false, 0},
        {"1MiBs", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 0;
        print_message("'%s'\n", cases[i].text);
        assert_int_equal(size_parse(cases[i].text, &bytes), cases[i].valid);
        if (cases[i].valid)
            assert_true(bytes == cases[i].bytes);
    }
}

static void set(struct options *o, enum option_id id, enum origin origin, const char *text)
{
    struct err err;
    assert_ok(options_set(o, id, origin, "here", text, &err), &err);
}

/* Whatever is read first: argument, environment, profile, file, default. */
static void ranks_where_values_come_from(void **state)
{
    (void)state;
    static const char *const texts[] = {
        [ORIGIN_FILE] = "2", [ORIGIN_PROFILE] = "3", [ORIGIN_ENVIRONMENT] = "4", [ORIGIN_ARGUMENT] = "5"};
    for (enum origin first = ORIGIN_FILE; first <= ORIGIN_ARGUMENT; first++)
        for (enum origin second = ORIGIN_FILE; second <= ORIGIN_ARGUMENT; second++) {
            struct options *o = options_new();
            assert_int_equal(options_number(o, OPTION_COMPRESS_LEVEL), 1);
            set(o, OPTION_COMPRESS_LEVEL, first, texts[first]);
            set(o, OPTION_COMPRESS_LEVEL, second, texts[second]);
            enum origin winner = first > second ? first : second;
            assert_string_equal(options_text(o, OPTION_COMPRESS_LEVEL), texts[winner]);
            assert_int_equal(options_origin(o, OPTION_COMPRESS_LEVEL), winner);
            options_free(o);
        }
}

static void checks_values_that_lose_too(void **state)
{
    (void)state;
    struct err err;
    struct options *o = options_new();
    set(o, OPTION_THREADS, ORIGIN_ARGUMENT, "2");
    assert_err(options_set(o, OPTION_THREADS, ORIGIN_FILE, "f:1: threads", "many", &err), ERR_CONFIG, &err);
    assert_int_equal(options_number(o, OPTION_THREADS), 2);
    options_free(o);
}

static void lists_grow_within_a_source_and_are_replaced_by_another(void **state)
{
    (void)state;
    struct options *o = options_new();
    unsigned count;
    set(o, OPTION_EXCLUDE, ORIGIN_FILE, "a,b");
    set(o, OPTION_EXCLUDE, ORIGIN_FILE, "c");
    options_items(o, OPTION_EXCLUDE, &count);
    assert_int_equal(count, 3);
    set(o, OPTION_EXCLUDE, ORIGIN_ARGUMENT, "d\\,e,f\\");
    set(o, OPTION_EXCLUDE, ORIGIN_ARGUMENT, "g");
    set(o, OPTION_EXCLUDE, ORIGIN_ENVIRONMENT, "h");
    const char *const *items = options_items(o, OPTION_EXCLUDE, &count);
    assert_int_equal(count, 3);
    assert_string_equal(items[0], "d,e");
    assert_string_equal(items[1], "f\\");
    assert_string_equal(items[2], "g");
    options_free(o);
}

static void reads_the_environment(void **state)
{
    (void)state;
    static char *const environment[] = {"PATH=/bin",
                                        "DBSAFE_THREADS=7",
                                        "DBSAFE_LOCK_TIMEOUT=",
                                        "DBSAFE_THREADSX=8",
                                        "DBSAFE_JSON=yes",
                                        "DBSAFE_FAULT=kill:x",
                                        "DBSAFE_VERIFY=no",
                                        "DBSAFE_HOST=db1",
                                        "DBSAFE_PASSWORD=no",
                                        "DBSAFE_EXCLUDE=a,b",
                                        NULL};
    struct err err;
    unsigned count;
    struct options *o = options_new();
    assert_ok(options_read_environment(o, environment, &err), &err);
    assert_int_equal(options_number(o, OPTION_THREADS), 7);
    assert_int_equal(options_number(o, OPTION_LOCK_TIMEOUT), 60);
    assert_string_equal(options_text(o, OPTION_HOST), "db1");
    assert_false(options_flag(o, OPTION_JSON));
    assert_false(options_flag(o, OPTION_VERIFY));
    options_items(o, OPTION_EXCLUDE, &count);
    assert_int_equal(count, 2);
    options_free(o);
}

static void names_a_bad_variable(void **state)
{
    (void)state;
    static char *const environment[] = {"DBSAFE_VERIFY=perhaps", NULL};
    struct err err;
    struct options *o = options_new();
    assert_err(options_read_environment(o, environment, &err), ERR_CONFIG, &err);
    assert_string_equal(err.text, "DBSAFE_VERIFY: 'perhaps' is neither yes nor no");
    options_free(o);
}

/* The parts of the table hang together. */
static void the_table_is_whole(void **state)
{
    (void)state;
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        const struct option_spec *spec = option_spec(id);
        assert_non_null(spec->name);
        assert_non_null(spec->help);
        assert_true(spec->commands != 0);
        assert_int_equal(option_find(spec->name), id);
        assert_int_equal(spec->kind == KIND_FLAG || spec->kind == KIND_PROMPT, spec->word == NULL);
        if (spec->kind == KIND_UINT || spec->kind == KIND_SIZE)
            assert_true(spec->max > spec->min);
        for (enum option_id other = 0; other < id; other++) {
            assert_string_not_equal(spec->name, option_spec(other)->name);
            assert_true(!spec->letter || spec->letter != option_spec(other)->letter);
        }
        if (spec->preset)
            assert_int_equal(options_check(id, ORIGIN_DEFAULT, spec->name, spec->preset, NULL), ERR_OK);
    }
    /* What destroys or only asks is never switched on from afar, nor is a password taken from there. */
    static const enum option_id direct[] = {OPTION_YES,           OPTION_PURGE,    OPTION_DRY_RUN,
                                            OPTION_ALL_DATABASES, OPTION_PASSWORD, OPTION_TABLES,
                                            OPTION_INTO};
    for (size_t i = 0; i < sizeof direct / sizeof direct[0]; i++)
        assert_int_equal(option_spec(direct[i])->from, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_should),
        cmocka_unit_test(refuses_what_it_should),
        cmocka_unit_test(knows_json_in_spite_of_an_error),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(ranks_where_values_come_from),
        cmocka_unit_test(checks_values_that_lose_too),
        cmocka_unit_test(lists_grow_within_a_source_and_are_replaced_by_another),
        cmocka_unit_test(reads_the_environment),
        cmocka_unit_test(names_a_bad_variable),
        cmocka_unit_test(the_table_is_whole),
    };
    return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
