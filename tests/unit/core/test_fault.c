/*
 * Faults at the steps of writing an archive, and the parser of the variable.  The variable is
 * read once in a process, so each test passes its fault points in a child only.
 */
#include "support/test.h"

#include "core/fault.h"
#include "core/group.h"
#include "core/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>

#ifdef DBSAFE_FAULTS

struct fixture {
    char *path;
    struct store *store;
    const char *fault; /* for the next child */
    bool small;        /* the child uses store_put_small */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    f->path = tmpdir_make();
    assert_ok(store_folder_open(f->path, false, &f->store, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

/* Writes the object "x" in two pieces; the exit status is the error code. */
static int write_object(void *arg)
{
    struct fixture *f = arg;
    struct sink *sink = NULL;
    struct err err = {.code = ERR_OK};
    setenv("DBSAFE_FAULT", f->fault, 1);
    if (f->small)
        return (int)store_put_small(f->store, "x", "new", 3, &err);
    enum err_code rc = store_create(f->store, "x", 0, &sink, &err);
    if (rc == ERR_OK)
        rc = sink_write(sink, "first ", 6, &err);
    if (rc == ERR_OK)
        rc = sink_write(sink, "second", 6, &err);
    if (rc == ERR_OK)
        rc = sink_commit(sink, &err);
    sink_free(sink);
    return rc == err.code ? (int)rc : 99;
}

static int run(struct fixture *f, const char *fault)
{
    f->fault = fault;
    return child_run(write_object, f);
}

static int count_files(struct fixture *f)
{
    int count = 0;
    DIR *dir = opendir(f->path);
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

static int count_listed(struct fixture *f)
{
    int count = 0;
    struct err err;
    assert_ok(store_list(f->store, count_entry, &count, &err), &err);
    return count;
}

/* Not by the store, as objects are removed below: that passes fault points, and this process must not. */
static void assert_content(struct fixture *f, const char *want)
{
    char path[600], text[100] = "";
    snprintf(path, sizeof path, "%s/x", f->path);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), strlen(want));
    fclose(file);
    assert_string_equal(text, want);
}

static void remove_object(struct fixture *f)
{
    char path[600];
    snprintf(path, sizeof path, "%s/x", f->path);
    assert_int_equal(unlink(path), 0);
}

static bool killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void any_failing_step_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fault;
        enum err_code want;
    } cases[] = {
        {"fail:sink_write:1:ENOSPC", ERR_NOSPACE},
        {"fail:sink_write:2:ENOSPC", ERR_NOSPACE},
        {"fail:sink_write", ERR_STORAGE},
        {"fail:sink_fsync:1:EDQUOT", ERR_NOSPACE},
        {"fail:sink_fsync", ERR_STORAGE},
        {"fail:sink_commit:1:EACCES", ERR_STORAGE},
        {"fail:sink_rename:1:EROFS", ERR_STORAGE},
        {"fail:sink_folder_fsync:1:EIO", ERR_STORAGE},
        {"fail:sink_rename:1:EEXIST", ERR_REFUSED},
        {"fail:sink_rename:1:EINVAL,fail:sink_link:1:EIO", ERR_STORAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = run(f, cases[i].fault);
        if (!child_exited(status, (int)cases[i].want))
            fail_msg("%s: wait status %#x", cases[i].fault, (unsigned)status);
        assert_int_equal(count_files(f), 0);
    }
    assert_true(child_exited(run(f, "fail:sink_write:3"), ERR_OK)); /* that pass never comes */
    assert_content(f, "first second");
}

static void interrupted_writes_go_on(void **state)
{
    struct fixture *f = *state;
    assert_true(child_exited(run(f, "fail:sink_write:1:EINTR,fail:sink_write:2:EAGAIN"), ERR_OK));
    assert_content(f, "first second");
}

static void a_kill_before_the_name_leaves_nothing_listed(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = {"kill:sink_write:2", "kill:sink_fsync", "kill:sink_commit"};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct err err;
        unsigned removed = 0;
        assert_true(killed(run(f, faults[i])));
        assert_int_equal(count_listed(f), 0);
        assert_int_equal(count_files(f), 1);
        assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
        assert_int_equal(removed, 1);
        assert_int_equal(count_files(f), 0);
    }
}

static void a_kill_after_the_name_leaves_it_whole(void **state)
{
    struct fixture *f = *state;
    assert_true(killed(run(f, "kill:sink_folder_fsync")));
    assert_int_equal(count_files(f), 1);
    assert_content(f, "first second");
}

static void a_stopped_writer_is_not_swept_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct err err;
    unsigned removed;
    int status;
    f->fault = "stop:sink_commit";
    pid_t pid = child_start(write_object, f);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(count_listed(f), 0);
    assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(child_exited(status, ERR_OK));
    assert_content(f, "first second");
}

/* The only name in the folder: the file that a stopped writer has made but not yet locked. */
static char *path_of_temp(struct fixture *f)
{
    char *path = NULL;
    DIR *dir = opendir(f->path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_type == DT_REG && asprintf(&path, "%s/%s", f->path, e->d_name) < 0)
            abort();
    closedir(dir);
    assert_non_null(path);
    return path;
}

/* A sweeper may come between the making of a file and its lock: the writer takes another name. */
static void a_writer_evades_a_sweeper(void **state)
{
    struct fixture *f = *state;
    for (int sweeper_is_done = 0; sweeper_is_done < 2; sweeper_is_done++) {
        int status, fd = -1;
        f->fault = "stop:sink_hold";
        pid_t pid = child_start(write_object, f);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        char *temp = path_of_temp(f);
        if (sweeper_is_done) {
            struct err err;
            unsigned removed;
            assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
            assert_int_equal(removed, 1);
        } else {
            fd = open(temp, O_RDONLY | O_CLOEXEC);
            assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        }
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(child_exited(status, ERR_OK));
        assert_content(f, "first second");
        remove_object(f);
        if (fd >= 0) {
            assert_int_equal(unlink(temp), 0); /* as the sweeper would */
            close(fd);
        }
        assert_int_equal(count_files(f), 0);
        free(temp);
    }
}

static void simpler_file_systems_do_not_overwrite_either(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = {"fail:sink_rename:1:EINVAL",
                                         "fail:sink_rename:1:EINVAL,fail:sink_link:1:EPERM"};
    for (size_t i = 0; i < 2; i++) {
        int status;
        char stop_too[200];
        assert_true(child_exited(run(f, faults[i]), ERR_OK));
        assert_int_equal(count_files(f), 1);
        assert_content(f, "first second");
        remove_object(f);
        /* the name is taken while the writer stands before its commit */
        snprintf(stop_too, sizeof stop_too, "stop:sink_commit,%s", faults[i]);
        f->fault = stop_too;
        pid_t pid = child_start(write_object, f);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(child_exited(run(f, ""), ERR_OK));
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(child_exited(status, ERR_REFUSED));
        assert_int_equal(count_files(f), 1);
        remove_object(f);
    }
}

static void a_failed_replacement_keeps_the_old_object(void **state)
{
    struct fixture *f = *state;
    f->small = true;
    f->fault = "";
    assert_true(child_exited(run(f, ""), ERR_OK));
    f->small = false;
    assert_true(child_exited(run(f, ""), ERR_REFUSED)); /* it is there now */
    f->small = true;
    assert_true(child_exited(run(f, "fail:sink_write:1:ENOSPC"), ERR_NOSPACE));
    assert_true(killed(run(f, "kill:sink_commit")));
    assert_content(f, "new");
    assert_int_equal(count_listed(f), 1);
}

static int read_object(void *arg)
{
    struct fixture *f = arg;
    struct source *source = NULL;
    struct err err = {.code = ERR_OK};
    char data[12];
    setenv("DBSAFE_FAULT", "fail:source_read:2:EIO", 1);
    enum err_code rc = store_open(f->store, "x", &source, &err);
    if (rc == ERR_OK)
        rc = source_read_full(source, 0, data, sizeof data, &err);
    if (rc != ERR_OK)
        return 99; /* the first pass is fine */
    rc = source_read_full(source, 0, data, sizeof data, &err);
    source_free(source);
    return (int)rc;
}

static void a_failing_read_is_a_storage_error(void **state)
{
    struct fixture *f = *state;
    assert_true(child_exited(run(f, ""), ERR_OK));
    assert_true(child_exited(child_run(read_object, f), ERR_STORAGE));
}

static enum err_code never_run(void *arg, struct err *err)
{
    (void)arg;
    return err_set(err, ERR_INTERNAL, "this thread was not to be started");
}

static int spawn_in_vain(void *arg)
{
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err = {.code = ERR_OK};
    (void)arg;
    setenv("DBSAFE_FAULT", "fail:group_spawn:1:EAGAIN", 1);
    enum err_code rc = group_spawn(g, "worker", never_run, NULL, &err);
    bool right = rc == ERR_NOMEM && err.code == rc && cancel_fired(c) && group_join(g, NULL) == ERR_NOMEM;
    group_free(g);
    cancel_free(c);
    return right ? 0 : 1;
}

static void a_thread_that_cannot_start_cancels_the_group(void **state)
{
    (void)state;
    assert_true(child_exited(child_run(spawn_in_vain, NULL), 0));
}

/* The variable itself. */

struct passes {
    const char *fault;
    const char *point;
    int want[4]; /* errno of each pass */
};

static int check_passes(void *arg)
{
    const struct passes *p = arg;
    setenv("DBSAFE_FAULT", p->fault, 1);
    for (int i = 0; i < 4; i++)
        if (fault_errno(p->point) != p->want[i])
            return i + 1;
    return 0;
}

static void passes_are_counted(void **state)
{
    (void)state;
    static struct passes cases[] = {
        {"", "a", {0, 0, 0, 0}},
        {"fail:a", "a", {5, 0, 0, 0}},
        {"fail:a", "ab", {0, 0, 0, 0}},
        {"fail:a:3", "a", {0, 0, 5, 0}},
        {"fail:a:2:ENOSPC", "a", {0, 28, 0, 0}},
        {"fail:b,fail:a:1:EPIPE,fail:a:4:EACCES", "a", {32, 0, 0, 13}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = child_run(check_passes, &cases[i]);
        if (!child_exited(status, 0))
            fail_msg("%s: wait status %#x", cases[i].fault, (unsigned)status);
    }
}

static int pass_quietly(void *arg)
{
    close(STDERR_FILENO);
    setenv("DBSAFE_FAULT", arg, 1);
    struct err err = {.code = ERR_OK};
    enum err_code rc = fault_point("a", ERR_DB, &err);
    return rc == err.code ? (int)rc : 99;
}

static void a_point_fails_with_the_callers_code(void **state)
{
    (void)state;
    char fail[] = "fail:a", none[] = "fail:b";
    assert_true(child_exited(child_run(pass_quietly, fail), ERR_DB));
    assert_true(child_exited(child_run(pass_quietly, none), ERR_OK));
}

static void a_malformed_variable_aborts(void **state)
{
    (void)state;
    static char bad[][40] = {"fail",      "break:a",     "fail:a:x", "fail:a:0",       "fail:a:-1",
                             "fail:a:1x", "fail:a:1:E2", ":",        "fail:a:1:EIO:5", "fail:b,a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int status = child_run(pass_quietly, bad[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("'%s': wait status %#x", bad[i], (unsigned)status);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_failing_step_leaves_nothing),
        TEST(interrupted_writes_go_on),
        TEST(a_kill_before_the_name_leaves_nothing_listed),
        TEST(a_kill_after_the_name_leaves_it_whole),
        TEST(a_stopped_writer_is_not_swept_and_goes_on),
        TEST(a_writer_evades_a_sweeper),
        TEST(simpler_file_systems_do_not_overwrite_either),
        TEST(a_failed_replacement_keeps_the_old_object),
        TEST(a_failing_read_is_a_storage_error),
        cmocka_unit_test(a_thread_that_cannot_start_cancels_the_group),
        cmocka_unit_test(passes_are_counted),
        cmocka_unit_test(a_point_fails_with_the_callers_code),
        cmocka_unit_test(a_malformed_variable_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* A release build has no fault points, whatever the variable says. */
static void the_variable_is_not_read(void **state)
{
    (void)state;
    struct err err;
    setenv("DBSAFE_FAULT", "kill:a", 1);
    assert_int_equal(fault_point("a", ERR_DB, &err), ERR_OK);
    assert_int_equal(fault_errno("a"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_variable_is_not_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
