#include "support/store_sample.h"

#include "cli/locate.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OLD   "20230101T000000Z-shop-00000000000a.dbsafe.tar"
#define NEW   "20240101T000000Z-shop-00000000000b.dbsafe.tar"
#define OTHER "20250101T000000Z-crm-00000000000c.dbsafe.tar"

/* A working folder "here" and a store "store", and the command line that knows the store. */
struct fixture {
    char *dir;
    char here[256], store[256], log_path[256], before[4096];
    struct options *options;
    struct run run;
    struct log *log;
    struct progress progress;
    int log_fd;
    struct cli cli;
};

static char *const no_environment[] = {NULL};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    snprintf(f->here, sizeof f->here, "%s/here", f->dir);
    snprintf(f->store, sizeof f->store, "%s/store", f->dir);
    snprintf(f->log_path, sizeof f->log_path, "%s/log", f->dir);
    if (!getcwd(f->before, sizeof f->before) || mkdir(f->here, 0700) != 0 || chdir(f->here) != 0)
        return -1;
    f->options = options_new();
    options_set(f->options, OPTION_STORE, ORIGIN_ARGUMENT, "--store", f->store, NULL);
    FILE *log_file = fopen(f->log_path, "w+e");
    f->log_fd = dup(fileno(log_file));
    fclose(log_file);
    f->log = log_new(f->log_fd, LOG_INFO, LOG_TEXT, clock_system());
    f->run = (struct run){.log = f->log,
                          .cancel = cancel_new(),
                          .clock = clock_system(),
                          .progress = &f->progress,
                          .run_id = "0123456789ab"};
    f->cli = (struct cli){.run = &f->run, .options = f->options, .environment = no_environment};
    put_sample(f->store, OLD);
    put_sample(f->store, NEW);
    put_sample(f->store, OTHER);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (chdir(f->before) != 0)
        return -1;
    cancel_free(f->run.cancel);
    log_free(f->log);
    close(f->log_fd);
    options_free(f->options);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static enum err_code locate(struct fixture *f, const char *argument, const char *table, struct located *out,
                            struct err *err)
{
    return locate_archive(&f->cli, argument, &table, table ? 1 : 0, out, err);
}

static void finds(struct fixture *f, const char *argument, const char *table, const char *folder,
                  const char *name)
{
    struct err err;
    struct located l;
    char path[600];
    print_message("%s\n", argument);
    assert_ok(locate(f, argument, table, &l, &err), &err);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_string_equal(l.name, name);
    assert_string_equal(l.path, path);
    assert_true(l.source->seekable);
    located_free(&l);
}

static void refuses(struct fixture *f, const char *argument, const char *table, enum err_code code,
                    const char *says)
{
    struct err err;
    struct located l;
    print_message("%s\n", argument);
    assert_err(locate(f, argument, table, &l, &err), code, &err);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    located_free(&l);
}

static void assert_logged(struct fixture *f, const char *says)
{
    char text[4096] = "";
    ssize_t n = pread(f->log_fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    if (!strstr(text, says))
        fail_msg("\"%s\" does not say \"%s\"", text, says);
}

static void paths(void **state)
{
    struct fixture *f = *state;
    char path[1024], url[1100];
    snprintf(path, sizeof path, "%s/%s", f->store, NEW);
    snprintf(url, sizeof url, "file://%s", path);
    finds(f, path, NULL, f->store, NEW);
    finds(f, url, NULL, f->store, NEW);
    finds(f, "../store/" OLD, NULL, f->store, OLD);
    refuses(f, "../store/absent.dbsafe.tar", NULL, ERR_NOT_FOUND, "absent.dbsafe.tar");
    refuses(f, "file://relative", NULL, ERR_USAGE, "three slashes");
    refuses(f, "s3:bucket/key", NULL, ERR_USAGE, "s3://BUCKET/PREFIX");
    refuses(f, "s3://bucket", NULL, ERR_USAGE, "names no object");
    refuses(f, "s3://b!/x", NULL, ERR_USAGE, "not the name of a bucket");
    refuses(f, "http://x/y", NULL, ERR_USAGE, "neither a path nor a file:// or s3:// URL");
}

static void names_are_files_here_or_objects_of_the_store(void **state)
{
    struct fixture *f = *state;
    finds(f, NEW, NULL, f->store, NEW);
    put_sample(f->here, NEW);
    finds(f, NEW, NULL, f->here, NEW);
    refuses(f, "absent.dbsafe.tar", NULL, ERR_NOT_FOUND, "there is no archive 'absent.dbsafe.tar'");
}

static void latest_is_the_newest(void **state)
{
    struct fixture *f = *state;
    put_bytes(f->store, "zzz.dbsafe.tar", "not by dbsafe's name");
    put_bytes(f->store, OTHER ".proof.json", "{}");
    finds(f, "latest", NULL, f->store, OTHER);
    assert_logged(f, "archive: " OTHER);
    options_set(f->options, OPTION_LABEL, ORIGIN_ARGUMENT, "--label", "shop", NULL);
    finds(f, "latest", NULL, f->store, NEW);
    finds(f, "latest", "orders", f->store, NEW);
    refuses(f, "latest", "absent", ERR_NOT_FOUND, "no archive with the label shop that holds these tables");
    refuses(f, NEW, NULL, ERR_USAGE, "--label chooses among the archives of 'latest'");
}

/* Two dumps within one second: the names alone do not tell. */
static void the_last_finished_of_one_second_is_the_newest(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"20260101T000000Z-shop-bbbbbbbbbbbb.dbsafe.tar",
                                        "20260101T000000Z-shop-aaaaaaaaaaaa.dbsafe.tar"};
    for (int i = 0; i < 2; i++) {
        char path[600];
        struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        put_sample(f->store, names[i]);
        snprintf(path, sizeof path, "%s/%s", f->store, names[i]);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    finds(f, "latest", NULL, f->store, names[1]);
}

static void a_label_from_the_settings_does_not_disturb_a_path(void **state)
{
    struct fixture *f = *state;
    options_set(f->options, OPTION_LABEL, ORIGIN_FILE, "label", "shop", NULL);
    finds(f, OTHER, NULL, f->store, OTHER);
    finds(f, "latest", NULL, f->store, NEW);
}

static void labels(void **state)
{
    struct fixture *f = *state;
    finds(f, "shop", NULL, f->store, NEW);
    assert_logged(f, "archive: " NEW);
    finds(f, "crm", "shop.*", f->store, OTHER);
    refuses(f, "sho", NULL, ERR_NOT_FOUND, "no archive with the label sho");
    put_sample(f->here, "shop");
    put_sample(f->here, "nolabel");
    finds(f, "nolabel", NULL, f->here, "nolabel");
    finds(f, "shop", NULL, f->store, NEW);
    assert_logged(f, "'shop' is taken as a label; ./shop would be the file here");
}

/* An older archive in place of a damaged newest one would restore old rows without a word. */
static void a_damaged_newest_is_not_passed_over(void **state)
{
    struct fixture *f = *state;
    put_bytes(f->store, "20260101T000000Z-shop-00000000000d.dbsafe.tar", "garbage");
    refuses(f, "latest", "orders", ERR_DAMAGED, "20260101T000000Z-shop-00000000000d.dbsafe.tar");
    refuses(f, "shop", "orders", ERR_DAMAGED, "20260101T000000Z-shop-00000000000d.dbsafe.tar");
    finds(f, "latest", NULL, f->store, "20260101T000000Z-shop-00000000000d.dbsafe.tar");
}

static void a_missing_store_is_said(void **state)
{
    struct fixture *f = *state;
    options_set(f->options, OPTION_STORE, ORIGIN_ARGUMENT, "--store", "/nonexistent/store", NULL);
    refuses(f, "latest", NULL, ERR_NOT_FOUND, "/nonexistent/store");
    refuses(f, "shop", NULL, ERR_NOT_FOUND, "look for the archive 'shop'");
    options_set(f->options, OPTION_STORE, ORIGIN_ARGUMENT, "--store", "s3:bucket/prefix", NULL);
    refuses(f, "latest", NULL, ERR_USAGE, "s3://BUCKET/PREFIX");
}

/* The proof is kept beside archives only. */
static void companions_lie_beside_archives(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct located l;
    put_sample(f->here, "plain.tar");
    assert_ok(locate(f, "./plain.tar", NULL, &l, &err), &err);
    assert_null(l.store);
    located_free(&l);
    assert_ok(locate(f, "../store/" NEW, NULL, &l, &err), &err);
    assert_string_equal(l.store->url + strlen("file://"), f->store);
    located_free(&l);
}

static void default_stores(void **state)
{
    (void)state;
    char *const all[] = {"HOME=/home/u", "XDG_DATA_HOME=/data", NULL};
    char *const home[] = {"HOME=/home/u", "XDG_DATA_HOME=relative", NULL};
    static const struct {
        const char *expected;
        bool root;
    } cases[] = {{"/var/lib/dbsafe", true}, {"/data/dbsafe", false}, {"/home/u/.local/share/dbsafe", false}};
    for (size_t i = 0; i < 3; i++) {
        char *path = locate_default_store(i == 2 ? home : all, cases[i].root);
        assert_string_equal(path, cases[i].expected);
        free(path);
    }
    assert_null(locate_default_store(no_environment, false));
}

static void the_manifest_of_a_stream(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char path[600];
    struct manifest *m;
    snprintf(path, sizeof path, "%s/%s", f->store, NEW);
    FILE *file = fopen(path, "re");
    struct source *source = source_fd_new(fileno(file), "pipe", f->run.cancel);
    assert_ok(locate_manifest(source, &m, &err), &err);
    assert_int_equal(m->table_count, SAMPLE_TABLES);
    assert_string_equal(m->tables[0].name, "orders");
    manifest_free(m);
    source_free(source);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_files_here_or_objects_of_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(latest_is_the_newest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_finished_of_one_second_is_the_newest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_label_from_the_settings_does_not_disturb_a_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_newest_is_not_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_store_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(companions_lie_beside_archives, set_up, tear_down),
        cmocka_unit_test(default_stores),
        cmocka_unit_test_setup_teardown(the_manifest_of_a_stream, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli/locate", tests, NULL, NULL);
}
