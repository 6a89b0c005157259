#include "support/store_sample.h"

#include "cli/command.h"
#include "cli/proof.h"
#include "cli/signals.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define NEW     "20240101T000000Z-shop-00000000000b.dbsafe.tar"
#define DAMAGED "20250101T000000Z-crm-00000000000c.dbsafe.tar"

struct fixture {
    char *dir;
    char store[256], out[256], log[256];
};

/* One run of the program in a child, its streams in files. */
struct call {
    const struct fixture *f;
    char *const *argv;
    const char *input; /* path */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    snprintf(f->store, sizeof f->store, "%s/store", f->dir);
    snprintf(f->out, sizeof f->out, "%s/out", f->dir);
    snprintf(f->log, sizeof f->log, "%s/log", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static int run_program(void *arg)
{
    const struct call *call = arg;
    char home[300];
    snprintf(home, sizeof home, "HOME=%s", call->f->dir);
    char *const environment[] = {home, NULL};
    int argc = 0;
    while (call->argv[argc])
        argc++;
    int out = open(call->f->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int log = open(call->f->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int in = open(call->input ? call->input : "/dev/null", O_RDONLY);
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(in, STDIN_FILENO) < 0)
        return 99;
    close(out);
    close(log);
    close(in);
    signals_block();
    return command_main(argc, call->argv, environment);
}

#define ARGUMENTS_MAX 12

/* Runs "list --json"; %s stands for the store. */
static void run(const struct fixture *f, const char *line, int status)
{
    char text[1024], copy[1024];
    char *argv[ARGUMENTS_MAX + 1] = {"dbsafe"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    char *at = text;
    for (char *word = strtok(copy, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " ")) {
        argv[argc++] = at;
        if (strncmp(word, "%s", 2) == 0)
            at += snprintf(at, 300, "%s%s", f->store, word + 2) + 1;
        else
            at += snprintf(at, 300, "%s", word) + 1;
    }
    struct call call = {.f = f, .argv = argv};
    print_message("%s\n", line);
    int got = child_run(run_program, &call);
    assert_true(WIFEXITED(got));
    assert_int_equal(WEXITSTATUS(got), status);
}

static char *read_text(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t n = fread(text, 1, (1 << 20) - 1, file);
    (void)n;
    fclose(file);
    return text;
}

static void assert_text(const char *path, const char *says)
{
    char *text = read_text(path);
    if (!strstr(text, says))
        fail_msg("\"%s\" does not say \"%s\"", text, says);
    free(text);
}

/* The one object on standard output; caller decrefs. */
static json_t *object(const struct fixture *f)
{
    json_error_t error;
    char *text = read_text(f->out);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        fail_msg("%s: %s", error.text, text);
    assert_true(json_is_object(root));
    free(text);
    return root;
}

static void assert_json_text(const json_t *o, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(o, key));
    assert_non_null(found);
    assert_string_equal(found, value);
}

static void assert_json_number(const json_t *o, const char *key, json_int_t value)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    assert_true(json_integer_value(json_object_get(o, key)) == value);
}

static void lists_archives_a_damaged_one_too(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct store *store;
    put_sample(f->store, NEW);
    put_bytes(f->store, DAMAGED, "garbage");
    put_bytes(f->store, "notes.txt", "not an archive");
    assert_ok(store_folder_open(f->store, false, &store, &err), &err);
    struct stat st;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", f->store, NEW);
    assert_int_equal(stat(path, &st), 0);
    assert_ok(proof_write(store, NEW, "0123456789ab", (uint64_t)st.st_size, PROOF_BYTES, 1000, &err), &err);
    store_free(store);

    run(f, "list --json --store %s", 0);
    json_t *root = object(f), *archives = json_object_get(root, "archives");
    assert_int_equal(json_array_size(archives), 2);
    const json_t *sound = json_array_get(archives, 0), *damaged = json_array_get(archives, 1);
    assert_json_text(sound, "name", NEW);
    assert_json_text(sound, "created", "2023-11-14T22:13:20Z");
    assert_json_text(sound, "label", "sample");
    assert_json_text(sound, "proof", "bytes 1970-01-01T00:00:01Z");
    assert_json_text(sound, "state", "readable");
    assert_json_number(sound, "bytes", st.st_size);
    assert_json_number(sound, "tables", SAMPLE_TABLES);
    assert_json_number(sound, "rows", 9);
    assert_json_text(damaged, "name", DAMAGED);
    assert_json_text(damaged, "created", "2025-01-01T00:00:00Z");
    assert_json_text(damaged, "label", "crm");
    assert_json_text(damaged, "state", "damaged");
    assert_non_null(strstr(json_string_value(json_object_get(damaged, "reason")), DAMAGED));
    assert_true(json_is_null(json_object_get(sound, "reason")));
    assert_json_text(damaged, "proof", "none");
    assert_true(json_is_null(json_object_get(damaged, "tables")));
    json_decref(root);

    run(f, "list --store %s", 0);
    assert_text(f->out, "CREATED               LABEL   TABLES  ROWS");
    assert_text(f->out, "damaged");
    assert_text(f->out, "2023-11-14T22:13:20Z  sample       4     9");
    run(f, "list --store %s --label crm --json", 0);
    root = object(f);
    assert_int_equal(json_array_size(json_object_get(root, "archives")), 1);
    json_decref(root);
}

static void lists_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->store, 0700), 0);
    run(f, "list --json --store %s", 0);
    json_t *root = object(f);
    assert_int_equal(json_array_size(json_object_get(root, "archives")), 0);
    json_decref(root);
    run(f, "list --store %s", 0);
    assert_text(f->log, "there is no archive in");
    run(f, "list --store %s/absent", 11);
}

static void shows_an_archive(void **state)
{
    struct fixture *f = *state;
    put_sample(f->store, NEW);
    run(f, "show --store %s latest", 0);
    assert_text(f->out, "server       10.11.6-MariaDB (MariaDB)");
    assert_text(f->out, "consistency  binlog-position: both workers saw the same position");
    assert_text(f->out, "binlog       bin.000007:4711");
    assert_text(f->out, "content      4 tables, 9 rows");
    assert_text(f->out, "warning      shop.orders.note: something to look at");
    assert_text(f->out, "\nshop.orders ");
    assert_text(f->out, "proof        none");
    run(f, "show --store %s shop --json", 0);
    char *text = read_text(f->out);
    json_t *root = json_loads(text, 0, NULL);
    assert_json_text(root, "label", "sample");
    json_decref(root);
    free(text);
}

/* One message on the log, one object on standard output, the exit status of the code. */
static void errors_are_told_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        int status;
        const char *code, *says;
    } cases[] = {
        {"dump --json", 2, "ERR_USAGE", "needs the names of databases or tables, or --all-databases"},
        {"dump --json --all-databases db", 2, "ERR_USAGE", "exclude each other"},
        {"dump --json db --label a.b", 2, "ERR_USAGE", "'a.b' is not a label"},
        {"dump --json db --label latest", 2, "ERR_USAGE", "'latest' is not a label"},
        {"dump --json db -o -", 2, "ERR_USAGE", "where --json would put its result"},
        {"dump --json db --max-rate 50", 2, "ERR_USAGE", "bytes a second"},
        {"point create --json p1 db --max-rate 50", 2, "ERR_USAGE", "bytes a second"},
        {"doctor --json x.tar --rto 5", 2, "ERR_USAGE", "does nothing without --estimate"},
        {"verify --json x.tar --drill-dir /tmp", 2, "ERR_USAGE", "does nothing without --drill"},
        {"dump --json db -o x --store %s", 2, "ERR_USAGE", "exclude each other"},
        {"dump --json db --bogus", 2, "ERR_USAGE", "unknown option '--bogus'"},
        {"dump --json db --password-file /nonexistent", 3, "ERR_CONFIG",
         "open the password file /nonexistent"},
        {"dump --json db --defaults-file /nonexistent", 3, "ERR_CONFIG", "read the option file /nonexistent"},
        {"list --json --config /nonexistent", 3, "ERR_CONFIG", "open the configuration file /nonexistent"},
        {"restore --json absent.dbsafe.tar --store /nonexistent", 11, "ERR_NOT_FOUND", "absent.dbsafe.tar"},
        {"restore --json --into a,b latest --store %s", 2, "ERR_USAGE", "'a' is not OLD=NEW"},
        {"undo --json --purge --list", 2, "ERR_USAGE", "exclude each other"},
        {"undo --json --list 1", 2, "ERR_USAGE", "takes no RESTORE-ID"},
        {"show --json " DAMAGED " --store %s", 8, "ERR_DAMAGED", DAMAGED},
        {"keygen --json", 2, "ERR_USAGE", "'keygen' is not in this version"},
    };
    put_bytes(f->store, DAMAGED, "garbage");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run(f, cases[i].line, cases[i].status);
        json_t *root = object(f), *error = json_object_get(root, "error");
        assert_json_text(error, "code", cases[i].code);
        assert_json_number(error, "exit", cases[i].status);
        const char *message = json_string_value(json_object_get(error, "message"));
        if (!message || !strstr(message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", message, cases[i].says);
        char *log = read_text(f->log);
        char *first = strstr(log, "dbsafe: error: ");
        assert_non_null(first);
        assert_non_null(strstr(first, cases[i].says));
        assert_null(strstr(first + 1, "dbsafe: error: "));
        free(log);
        json_decref(root);
    }
}

static void shows_help_and_version(void **state)
{
    struct fixture *f = *state;
    run(f, "help", 0);
    assert_text(f->out, "Usage: dbsafe COMMAND");
    run(f, "dump --help", 0);
    assert_text(f->out, "Usage: dbsafe dump [OPTION]...");
    run(f, "help exit-codes", 0);
    run(f, "help config", 0);
    run(f, "help completion", 0);
    run(f, "help frobnicate", 2);
    assert_text(f->log, "there is no help on 'frobnicate'");
    run(f, "help keygen", 2);
    assert_text(f->log, "'keygen' is not in this version");
    run(f, "version", 0);
    assert_text(f->out, "dbsafe ");
    run(f, "version --json", 0);
    json_t *root = object(f);
    assert_json_number(root, "archive_format", MANIFEST_FORMAT);
    assert_true(json_is_string(json_object_get(root, "version")));
    json_decref(root);
}

static void commands_know_their_names(void **state)
{
    (void)state;
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        const struct command *c = command_get(id);
        assert_int_equal(c->id, id);
        assert_ptr_equal(command_find(c->name), c);
        assert_false(command_is_later(c->name));
    }
    assert_null(command_find("dum"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_archives_a_damaged_one_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_an_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_help_and_version, set_up, tear_down),
        cmocka_unit_test(commands_know_their_names),
    };
    return cmocka_run_group_tests_name("cli/command", tests, NULL, NULL);
}
