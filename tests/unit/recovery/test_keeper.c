#include "support/test.h"

#include "core/group.h"
#include "recovery/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <utime.h>

static const struct keeper_account own = {.given = false};

static char *path_in(const struct keeper *k, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", keeper_path(k), name) < 0)
        abort();
    return path;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static struct keeper *start(const char *parent)
{
    struct err err;
    struct keeper *k;
    assert_ok(keeper_start(&k, &err), &err);
    assert_ok(keeper_folder(k, parent, "one", &own, &err), &err);
    return k;
}

static pid_t run_shell(struct keeper *k, const char *script)
{
    struct err err;
    pid_t pid = 0;
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", "with space", "", NULL};
    const struct keeper_program program = {.argv = argv, .output = "log"};
    assert_ok(keeper_run(k, &program, &pid, &err), &err);
    assert_true(pid > 0);
    return pid;
}

static int wait_end(struct keeper *k)
{
    struct err err;
    int status = -1;
    assert_ok(keeper_wait(k, -1, NULL, &status, &err), &err);
    return status;
}

static void assert_text(const char *path, const char *want)
{
    char text[1000] = "";
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    assert_string_equal(text, want);
}

/* Until the process is gone; it is not our child. */
static void wait_gone(pid_t pid)
{
    while (kill(pid, 0) == 0)
        sched_yield();
}

static void a_program_runs_in_the_folder_and_both_go(void **state)
{
    (void)state;
    struct err err;
    char *parent = tmpdir_make();
    struct keeper *k = start(parent);
    char *folder = strdup(keeper_path(k)), *log = path_in(k, "log");
    run_shell(
        k, "pwd; echo \"$# $1 [$2]\"; echo $HOME $TMPDIR $LC_ALL; mkdir -p a/b; ln -s /etc a/b/link; exit 3");
    int status = wait_end(k);
    assert_true(child_exited(status, 3));
    char *want;
    assert_true(asprintf(&want, "%s\n2 with space []\n%s %s/tmp C\n", folder, folder, folder) > 0);
    assert_text(log, want);
    assert_ok(keeper_end(k, &err), &err);
    assert_false(exists(folder));
    assert_true(exists("/etc"));
    keeper_free(k);
    free(want);
    free(log);
    free(folder);
    tmpdir_remove(parent);
}

static void a_running_program_is_ended(void **state)
{
    (void)state;
    char *parent = tmpdir_make();
    struct keeper *k = start(parent);
    char *folder = strdup(keeper_path(k));
    pid_t pid = run_shell(k, "trap '' TERM INT HUP; sleep 1000 & wait");
    keeper_free(k);
    assert_int_equal(kill(pid, 0), -1);
    assert_false(exists(folder));
    free(folder);
    tmpdir_remove(parent);
}

struct owner {
    const char *parent;
    int report; /* where the pid of its program goes */
};

/* A command that is killed while its program runs. */
static int be_killed(void *arg)
{
    const struct owner *o = arg;
    struct keeper *k = start(o->parent);
    pid_t pid = run_shell(k, "sleep 1000");
    if (write(o->report, &pid, sizeof pid) != (ssize_t)sizeof pid)
        return 1;
    raise(SIGKILL);
    return 2;
}

static void the_end_of_its_owner_ends_all(void **state)
{
    (void)state;
    int ends[2];
    pid_t pid;
    char *parent = tmpdir_make(), *folder;
    assert_int_equal(pipe(ends), 0);
    struct owner o = {parent, ends[1]};
    assert_true(WIFSIGNALED(child_run(be_killed, &o)));
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    wait_gone(pid);
    assert_true(asprintf(&folder, "%s/" KEEPER_PREFIX "one", parent) > 0);
    while (exists(folder))
        sched_yield();
    close(ends[0]);
    close(ends[1]);
    free(folder);
    tmpdir_remove(parent);
}

static void one_program_at_a_time_and_errors_are_told(void **state)
{
    (void)state;
    struct err err;
    char *parent = tmpdir_make();
    struct keeper *k;
    assert_ok(keeper_start(&k, &err), &err);
    const char *const none[] = {"/no/such/program", NULL}, *const sleeping[] = {"/bin/sleep", "1000", NULL};
    struct keeper_program program = {.argv = none, .output = "log"};
    assert_err(keeper_run(k, &program, NULL, &err), ERR_STORAGE, &err); /* no folder yet */
    assert_ok(keeper_folder(k, parent, "one", &own, &err), &err);
    assert_err(keeper_run(k, &program, NULL, &err), ERR_STORAGE, &err);
    assert_non_null(strstr(err.text, "/no/such/program"));
    assert_non_null(strstr(err.text, strerror(ENOENT)));
    program.argv = sleeping;
    program.input = "missing";
    assert_err(keeper_run(k, &program, NULL, &err), ERR_STORAGE, &err);
    program.input = NULL;
    assert_ok(keeper_run(k, &program, NULL, &err), &err);
    assert_err(keeper_run(k, &program, NULL, &err), ERR_STORAGE, &err);
    int status;
    assert_err(keeper_wait(k, 10, NULL, &status, &err), ERR_TIMEOUT, &err);
    struct cancel *c = cancel_new();
    struct err why;
    err_set(&why, ERR_SIGINT, "enough");
    cancel_fire(c, &why);
    assert_err(keeper_wait(k, -1, c, &status, &err), ERR_SIGINT, &err);
    cancel_free(c);
    assert_ok(keeper_end(k, &err), &err);
    assert_ok(keeper_end(k, &err), &err);
    assert_err(keeper_run(k, &program, NULL, &err), ERR_INTERNAL, &err);
    keeper_free(k);
    tmpdir_remove(parent);
}

static void a_folder_that_is_there_is_not_taken(void **state)
{
    (void)state;
    struct err err;
    char *parent = tmpdir_make(), *folder;
    assert_true(asprintf(&folder, "%s/" KEEPER_PREFIX "one", parent) > 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    struct keeper *k;
    assert_ok(keeper_start(&k, &err), &err);
    assert_err(keeper_folder(k, parent, "one", &own, &err), ERR_STORAGE, &err);
    assert_non_null(strstr(err.text, folder));
    keeper_free(k);
    assert_true(exists(folder));
    free(folder);
    tmpdir_remove(parent);
}

static void folders_of_dead_keepers_are_removed(void **state)
{
    (void)state;
    struct err err;
    char *parent = tmpdir_make(), *dead, *young, *old, *other, *lock;
    struct utimbuf hours_ago = {time(NULL) - 7200, time(NULL) - 7200};
    assert_true(asprintf(&dead, "%s/" KEEPER_PREFIX "dead", parent) > 0);
    assert_true(asprintf(&lock, "%s/lock", dead) > 0);
    assert_true(asprintf(&young, "%s/" KEEPER_PREFIX "young", parent) > 0);
    assert_true(asprintf(&old, "%s/" KEEPER_PREFIX "old", parent) > 0);
    assert_true(asprintf(&other, "%s/other", parent) > 0);
    assert_int_equal(mkdir(dead, 0700) | mkdir(young, 0700) | mkdir(old, 0700) | mkdir(other, 0700), 0);
    close(open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(utime(old, &hours_ago) | utime(other, &hours_ago), 0);
    struct keeper *living = start(parent), *k;
    assert_ok(keeper_start(&k, &err), &err);
    assert_ok(keeper_folder(k, parent, "two", &own, &err), &err);
    assert_false(exists(dead));
    assert_false(exists(old));
    assert_true(exists(young)); /* about to be locked, perhaps */
    assert_true(exists(other));
    assert_true(exists(keeper_path(living)));
    keeper_free(k);
    keeper_free(living);
    free(dead);
    free(lock);
    free(young);
    free(old);
    free(other);
    tmpdir_remove(parent);
}

#define BESIDE 6

struct maker {
    struct keeper *k;
    const char *parent;
    char name[16];
    struct err err;
};

static void *make_folder(void *arg)
{
    struct maker *m = arg;
    keeper_folder(m->k, m->parent, m->name, &own, &m->err);
    return NULL;
}

/* Each sweeps before it makes its own: none may find another's that is just being made. */
static void folders_made_at_once_all_stay(void **state)
{
    (void)state;
    char *parent = tmpdir_make();
    for (int round = 0; round < 150; round++) {
        struct maker makers[BESIDE];
        pthread_t threads[BESIDE];
        for (int i = 0; i < BESIDE; i++) {
            makers[i] = (struct maker){.parent = parent};
            snprintf(makers[i].name, sizeof makers[i].name, "%d", i);
            assert_ok(keeper_start(&makers[i].k, &makers[i].err), &makers[i].err);
        }
        for (int i = 0; i < BESIDE; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, make_folder, &makers[i]), 0);
        for (int i = 0; i < BESIDE; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < BESIDE; i++) {
            assert_ok(makers[i].err.code, &makers[i].err);
            char *data = path_in(makers[i].k, "data");
            assert_true(exists(data));
            free(data);
        }
        for (int i = 0; i < BESIDE; i++)
            keeper_free(makers[i].k);
    }
    tmpdir_remove(parent);
}

static void another_account_owns_only_its_part(void **state)
{
    (void)state;
    struct err err;
    struct stat st;
    if (geteuid() != 0)
        skip(); /* only root can give it away */
    char *parent = tmpdir_make();
    assert_int_equal(chmod(parent, 0755), 0);
    const struct keeper_account nobody = {.given = true, .uid = 65534, .gid = 65534};
    struct keeper *k;
    assert_ok(keeper_start(&k, &err), &err);
    assert_ok(keeper_folder(k, parent, "one", &nobody, &err), &err);
    assert_int_equal(stat(keeper_path(k), &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_mode & 0777, 0711);
    char *data = path_in(k, "data"), *log = path_in(k, "log");
    assert_int_equal(stat(data, &st), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_mode & 0777, 0700);
    run_shell(k, "id -u; id -g; id -G; touch data/x tmp/y; touch here 2>/dev/null || echo refused");
    assert_true(child_exited(wait_end(k), 0));
    assert_text(log, "65534\n65534\n65534\nrefused\n");
    assert_ok(keeper_end(k, &err), &err);
    assert_false(exists(data));
    keeper_free(k);
    free(data);
    free(log);
    tmpdir_remove(parent);
}

static void the_program_dies_with_a_keeper_that_is_killed(void **state)
{
    (void)state;
    struct err err;
    char *parent = tmpdir_make();
    struct keeper *k = start(parent);
    pid_t pid = run_shell(k, "exec sleep 1000");
    char stat_path[64];
    snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(stat_path, "re");
    int keeper = 0;
    assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %d", &keeper), 1);
    fclose(f);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    wait_gone(pid);
    int status;
    assert_err(keeper_wait(k, -1, NULL, &status, &err), ERR_INTERNAL, &err);
    assert_err(keeper_end(k, &err), ERR_STORAGE, &err);
    assert_non_null(strstr(err.text, keeper_path(k)));
    assert_true(exists(keeper_path(k)));
    keeper_free(k);
    k = start(parent); /* the next one removes it */
    keeper_free(k);
    assert_int_equal(rmdir(parent), 0);
    free(parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_in_the_folder_and_both_go),
        cmocka_unit_test(a_running_program_is_ended),
        cmocka_unit_test(the_end_of_its_owner_ends_all),
        cmocka_unit_test(one_program_at_a_time_and_errors_are_told),
        cmocka_unit_test(a_folder_that_is_there_is_not_taken),
        cmocka_unit_test(folders_of_dead_keepers_are_removed),
        cmocka_unit_test(folders_made_at_once_all_stay),
        cmocka_unit_test(another_account_owns_only_its_part),
        cmocka_unit_test(the_program_dies_with_a_keeper_that_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
