#include "support/test.h"

#include "core/group.h"
#include "core/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static int set_up(void **state)
{
    *state = tmpdir_make();
    return 0;
}

static int tear_down(void **state)
{
    tmpdir_remove(*state);
    return 0;
}

static struct store *open_store(const char *path)
{
    struct store *s;
    struct err err;
    assert_ok(store_folder_open(path, false, &s, &err), &err);
    return s;
}

/* Every name in the folder, hidden ones too. */
static int count_files(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static enum err_code count_entry(void *arg, const struct store_entry *entry, struct err *err)
{
    (void)entry;
    (void)err;
    ++*(int *)arg;
    return ERR_OK;
}

static int count_listed(struct store *s)
{
    int count = 0;
    struct err err;
    assert_ok(store_list(s, count_entry, &count, &err), &err);
    return count;
}

static void touch(const char *dir, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void folders_are_made_private_whatever_the_umask(void **state)
{
    char path[600], file[700];
    struct store *s = NULL;
    struct sink *sink;
    struct err err;
    snprintf(path, sizeof path, "%s/a/b//c/", (char *)*state);
    assert_err(store_folder_open(path, false, &s, &err), ERR_NOT_FOUND, &err);
    mode_t before = umask(0777);
    enum err_code rc = store_folder_open(path, true, &s, &err);
    umask(before);
    assert_ok(rc, &err);
    assert_int_equal(mode_of(path), 0700);
    snprintf(file, sizeof file, "%s/a", (char *)*state);
    assert_int_equal(mode_of(file), 0700);
    snprintf(file, sizeof file, "file://%s/a/b/c", (char *)*state);
    assert_string_equal(s->url, file);
    for (int round = 0; round < 2; round++) {
        const char *name = round == 0 ? "closed" : "open";
        before = umask(round == 0 ? 0777 : 0);
        rc = store_create(s, name, 0, &sink, &err);
        umask(before);
        assert_ok(rc, &err);
        assert_ok(sink_commit(sink, &err), &err);
        sink_free(sink);
        snprintf(file, sizeof file, "%s/%s", path, name);
        assert_int_equal(mode_of(file), 0600);
    }
    store_free(s);
    assert_ok(store_folder_open(path, true, &s, &err), &err);
    store_free(s);
}

static void what_is_no_folder_is_not_opened(void **state)
{
    char path[600];
    struct store *s;
    struct err err;
    touch(*state, "file");
    snprintf(path, sizeof path, "%s/file", (char *)*state);
    assert_err(store_folder_open(path, true, &s, &err), ERR_STORAGE, &err);
    snprintf(path, sizeof path, "%s/file/sub", (char *)*state);
    assert_err(store_folder_open(path, true, &s, &err), ERR_STORAGE, &err);
    assert_err(store_folder_open("", true, &s, &err), ERR_USAGE, &err);
    store_free(NULL);
}

static void a_relative_path_gets_an_absolute_url(void **state)
{
    char want[600];
    char *before = getcwd(NULL, 0);
    struct store *s;
    struct err err;
    assert_int_equal(chdir(*state), 0);
    enum err_code rc = store_folder_open("sub", true, &s, &err);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_ok(rc, &err);
    snprintf(want, sizeof want, "file://%s/sub", (char *)*state);
    assert_string_equal(s->url, want);
    store_free(s);
}

static void only_regular_visible_files_are_listed(void **state)
{
    char path[600];
    struct store *s = open_store(*state);
    touch(*state, "archive");
    touch(*state, ".hidden");
    touch(*state, ".x.0123456789abcdef.tmp");
    snprintf(path, sizeof path, "%s/folder", (char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/link", (char *)*state);
    assert_int_equal(symlink("archive", path), 0);
    snprintf(path, sizeof path, "%s/fifo", (char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(count_listed(s), 1);
    store_free(s);
}

static void nothing_remains_of_an_abort(void **state)
{
    struct store *s = open_store(*state);
    struct sink *sink;
    struct err err;
    assert_ok(store_create(s, "x", 0, &sink, &err), &err);
    assert_ok(sink_write(sink, "abc", 3, &err), &err);
    assert_int_equal(count_files(*state), 1);
    sink_free(sink);
    assert_int_equal(count_files(*state), 0);
    assert_ok(store_create(s, "x", 0, &sink, &err), &err);
    assert_ok(sink_commit(sink, &err), &err);
    assert_err(sink_commit(sink, &err), ERR_INTERNAL, &err);
    sink_free(sink);
    assert_int_equal(count_files(*state), 1);
    assert_err(store_create(s, "x", 0, &sink, &err), ERR_REFUSED, &err);
    assert_int_equal(count_files(*state), 1);
    store_free(s);
}

static void a_sweep_takes_only_our_temporary_files(void **state)
{
    static const char *const kept[] = {"a",
                                       ".a.tmp",
                                       ".a.0123456789abcde.tmp",
                                       ".a.0123456789ABCDEF.tmp",
                                       ".a.0123456789abcdef.tm",
                                       "a.0123456789abcdef.tmp",
                                       ".0123456789abcdef.tmp",
                                       ".a-0123456789abcdef.tmp"};
    struct store *s = open_store(*state);
    struct err err;
    unsigned removed;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        touch(*state, kept[i]);
    touch(*state, ".a.0123456789abcdef.tmp");
    touch(*state, ".b.c.tar.00000000000000ff.tmp");
    assert_ok(store_sweep(s, STORE_STALE_AFTER_MS, true, &removed, &err), &err);
    assert_int_equal(removed, 2);
    assert_int_equal(count_files(*state), 2 + (int)(sizeof kept / sizeof kept[0]));
    assert_ok(store_sweep(s, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 2);
    assert_int_equal(count_files(*state), (int)(sizeof kept / sizeof kept[0]));
    store_free(s);
}

struct writer {
    const char *path;
    int ready; /* written once the object is begun */
};

static int write_until_killed(void *arg)
{
    struct writer *w = arg;
    struct store *s;
    struct sink *sink;
    struct err err;
    if (store_folder_open(w->path, false, &s, &err) != ERR_OK ||
        store_create(s, "x", 0, &sink, &err) != ERR_OK || sink_write(sink, "half", 4, &err) != ERR_OK ||
        write(w->ready, "r", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void a_sweep_leaves_what_another_process_writes(void **state)
{
    struct store *s = open_store(*state);
    struct err err;
    unsigned removed;
    int fds[2], status;
    char byte;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct writer w = {.path = *state, .ready = fds[1]};
    pid_t pid = child_start(write_until_killed, &w);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_ok(store_sweep(s, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 0);
    assert_int_equal(count_files(*state), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(count_files(*state), 1);
    assert_int_equal(count_listed(s), 0);
    assert_ok(store_sweep(s, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 1);
    assert_int_equal(count_files(*state), 0);
    close(fds[0]);
    close(fds[1]);
    store_free(s);
}

static void a_lock_keeps_others_out_until_its_store_is_freed(void **state)
{
    struct store *first = open_store(*state), *second = open_store(*state);
    struct sink *sink;
    struct err err;
    assert_ok(store_lock(first, &err), &err);
    assert_ok(store_lock(first, &err), &err);
    assert_err(store_lock(second, &err), ERR_LOCKED, &err);
    assert_int_equal(count_listed(first), 0);
    assert_ok(store_create(second, "x", 0, &sink, &err), &err); /* writers are not kept out */
    sink_free(sink);
    store_free(first);
    assert_ok(store_lock(second, &err), &err);
    store_free(second);
}

static void places_are_told_as_paths(void **state)
{
    struct store *s = open_store(*state), *root = open_store("/");
    char want[600];
    char *place = store_location(s, "x.tar");
    snprintf(want, sizeof want, "%s/x.tar", (char *)*state);
    assert_string_equal(place, want);
    free(place);
    place = store_location(s, NULL);
    assert_string_equal(place, *state);
    free(place);
    place = store_location(root, NULL);
    assert_string_equal(place, "/");
    free(place);
    place = store_location(root, "x");
    assert_string_equal(place, "/x");
    free(place);
    store_free(root);
    store_free(s);
}

struct race {
    const char *path;
    int number;
};

#define RACE_OBJECTS 60

static enum err_code create_many(void *arg, struct err *err)
{
    struct race *r = arg;
    struct store *s = NULL;
    enum err_code rc = store_folder_open(r->path, false, &s, err);
    for (int i = 0; i < RACE_OBJECTS && rc == ERR_OK; i++) {
        char name[32];
        struct sink *sink = NULL;
        snprintf(name, sizeof name, "%d-%d", r->number, i);
        rc = store_create(s, name, 0, &sink, err);
        if (rc == ERR_OK)
            rc = sink_write(sink, name, strlen(name), err);
        if (rc == ERR_OK)
            rc = sink_commit(sink, err);
        sink_free(sink);
    }
    store_free(s);
    return rc;
}

static enum err_code sweep_often(void *arg, struct err *err)
{
    struct race *r = arg;
    struct store *s = NULL;
    unsigned removed;
    enum err_code rc = store_folder_open(r->path, false, &s, err);
    for (int i = 0; i < 300 && rc == ERR_OK; i++)
        rc = store_sweep(s, STORE_STALE_AFTER_MS, false, &removed, err);
    store_free(s);
    return rc;
}

static void writers_and_sweepers_do_not_hurt_each_other(void **state)
{
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct race races[4];
    struct err err;
    for (int i = 0; i < 4; i++) {
        races[i] = (struct race){*state, i};
        assert_ok(group_spawn(g, "race", i < 2 ? create_many : sweep_often, &races[i], &err), &err);
    }
    assert_ok(group_join(g, &err), &err);
    assert_int_equal(count_files(*state), 2 * RACE_OBJECTS);
    struct store *s = open_store(*state);
    assert_int_equal(count_listed(s), 2 * RACE_OBJECTS);
    store_free(s);
    group_free(g);
    cancel_free(c);
}

static void a_single_file_has_the_same_guarantees(void **state)
{
    char path[600], leftover[64];
    struct sink *sink, *other;
    struct err err;
    snprintf(path, sizeof path, "%s/dump.tar", (char *)*state);
    snprintf(leftover, sizeof leftover, ".dump.tar.0123456789abcdef.tmp");
    touch(*state, leftover);                          /* of a killed run: removed */
    touch(*state, ".other.tar.0123456789abcdef.tmp"); /* of another file: kept */
    assert_ok(sink_file_create(path, &sink, &err), &err);
    assert_int_equal(count_files(*state), 2);
    assert_ok(sink_file_create(path, &other, &err), &err);
    assert_ok(sink_write(sink, "abc", 3, &err), &err);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(sink_commit(sink, &err), &err);
    assert_int_equal(mode_of(path), 0600);
    assert_err(sink_commit(other, &err), ERR_REFUSED, &err);
    sink_free(other);
    sink_free(sink);
    assert_int_equal(count_files(*state), 2);
    assert_err(sink_file_create(path, &sink, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, path));
}

static void bad_paths_are_refused(void **state)
{
    char path[600];
    struct sink *sink;
    struct err err;
    static const char *const bad[] = {"", "/", "a/", ".", "..", "/tmp/.."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_err(sink_file_create(bad[i], &sink, &err), ERR_USAGE, &err);
    snprintf(path, sizeof path, "%s/missing/dump.tar", (char *)*state);
    assert_err(sink_file_create(path, &sink, &err), ERR_STORAGE, &err);
}

static void a_long_file_name_has_a_temporary_one(void **state)
{
    char path[600];
    struct sink *sink;
    struct err err;
    int n = snprintf(path, sizeof path, "%s/", (char *)*state);
    memset(path + n, 'n', 255);
    path[n + 255] = '\0';
    assert_ok(sink_file_create(path, &sink, &err), &err);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(count_files(*state), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    /* The one that forks stands before those that start threads. */
    const struct CMUnitTest tests[] = {
        TEST(folders_are_made_private_whatever_the_umask),
        TEST(what_is_no_folder_is_not_opened),
        TEST(a_relative_path_gets_an_absolute_url),
        TEST(only_regular_visible_files_are_listed),
        TEST(nothing_remains_of_an_abort),
        TEST(a_sweep_takes_only_our_temporary_files),
        TEST(a_sweep_leaves_what_another_process_writes),
        TEST(a_single_file_has_the_same_guarantees),
        TEST(bad_paths_are_refused),
        TEST(a_long_file_name_has_a_temporary_one),
        TEST(a_lock_keeps_others_out_until_its_store_is_freed),
        TEST(places_are_told_as_paths),
        TEST(writers_and_sweepers_do_not_hurt_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
