/*
 * What every unit test includes first: cmocka with the headers it needs, and helpers for
 * folders, child processes and threads.
 */
#ifndef DBSAFE_TESTS_SUPPORT_TEST_H
#define DBSAFE_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/err.h"

#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The call succeeds; else its message is shown. */
#define assert_ok(call, err)                                                                                 \
    do {                                                                                                     \
        if ((call) != ERR_OK)                                                                                \
            fail_msg("%s: %s: %s", #call, err_name((err)->code), (err)->text);                               \
    } while (0)

/* The call fails with this very code, in its result and in err. */
#define assert_err(call, want, err)                                                                          \
    do {                                                                                                     \
        enum err_code got_ = (call);                                                                         \
        assert_string_equal(err_name(got_), err_name(want));                                                 \
        assert_string_equal(err_name((err)->code), err_name(want));                                          \
        assert_true((err)->text[0] != '\0');                                                                 \
    } while (0)

/* A fresh folder; tmpdir_remove removes it with all that is in it and frees the path. */
static inline char *tmpdir_make(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/dbsafe-test-XXXXXX", base == NULL ? "/tmp" : base) < 0 || mkdtemp(path) == NULL)
        abort();
    return path;
}

static inline int tmpdir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void tmpdir_remove(char *path)
{
    nftw(path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

/* Runs fn in a forked child, whose exit status is fn's result; returns the wait status.  In a child
 * no assert may be used: it would go on with the parent's tests. */
static inline pid_t child_start(int (*fn)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0)
        _exit(fn(arg));
    return pid;
}

static inline int child_run(int (*fn)(void *arg), void *arg)
{
    int status;
    pid_t pid = child_start(fn, arg);
    if (waitpid(pid, &status, 0) != pid)
        abort();
    return status;
}

static inline bool child_exited(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* The calling thread's id, and a wait until that thread is blocked in the kernel. */
static inline int thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

static inline void thread_wait_blocked(int tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    for (char state = 'R'; state != 'S';) {
        FILE *f = fopen(path, "re");
        if (f == NULL)
            return; /* the thread has ended */
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 'R';
        fclose(f);
        sched_yield();
    }
}

#endif
