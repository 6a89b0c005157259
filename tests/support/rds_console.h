/*
 * The RDS double (tests/lib/rds_double.py) as a child of a unit test, spoken to in Python (tests/lib/rds_console.py),
 * and a struct rds that asks it.  Run from the top of the repository, as make does.
 */
#ifndef DBSAFE_TESTS_SUPPORT_RDS_CONSOLE_H
#define DBSAFE_TESTS_SUPPORT_RDS_CONSOLE_H

#include "support/test.h"

#include "core/mem.h"
#include "rds/rds.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>

#define CONSOLE_VARIABLES 20

struct rds_console {
    pid_t pid;
    FILE *to, *from;
    char answer[8192];
    char *environment[CONSOLE_VARIABLES + 1];
    struct cancel *cancel;
    struct progress progress;
    struct run run;
    struct aws_settings settings;
    struct rds_options options;
    struct rds *rds;
    struct err err;
};

static inline void console_fail(struct rds_console *c, const char *what)
{
    fprintf(stderr, "rds_console: %s: %s\n", what, c->answer);
    abort();
}

static inline const char *console_read(struct rds_console *c)
{
    if (fgets(c->answer, sizeof c->answer, c->from) == NULL)
        console_fail(c, "it has ended");
    c->answer[strcspn(c->answer, "\n")] = '\0';
    return c->answer;
}

/* The value of a line of Python. */
__attribute__((format(printf, 2, 3))) static inline const char *console_say(struct rds_console *c, const char *format,
                                                                             ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(c->to, format, args);
    va_end(args);
    fputc('\n', c->to);
    fflush(c->to);
    if (strncmp(console_read(c), "ERROR ", 6) == 0)
        console_fail(c, "an exception");
    return c->answer;
}

static inline void console_spawn(struct rds_console *c)
{
    char *argv[] = {"/usr/bin/python3", "tests/lib/rds_console.py", NULL};
    char *path = xasprintf("DBSAFE_TEST_TMP=%s", getenv("DBSAFE_TEST_TMP") ? getenv("DBSAFE_TEST_TMP") : "/tmp");
    char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", path, NULL};
    int to[2], from[2];
    posix_spawn_file_actions_t files;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&files) != 0 ||
        posix_spawn_file_actions_adddup2(&files, to[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&files, from[1], 1) != 0 ||
        posix_spawn(&c->pid, argv[0], &files, NULL, argv, environment) != 0)
        console_fail(c, "cannot be started");
    posix_spawn_file_actions_destroy(&files);
    free(path);
    close(to[0]);
    close(from[1]);
    c->to = fdopen(to[1], "w");
    c->from = fdopen(from[0], "r");
}

static inline struct rds_console *console_open(void)
{
    struct rds_console *c = xcalloc(1, sizeof *c);
    console_spawn(c);
    for (unsigned i = 0; strcmp(console_read(c), "ready") != 0; i++) {
        if (i == CONSOLE_VARIABLES)
            console_fail(c, "too many variables");
        c->environment[i] = xstrdup(c->answer);
    }
    c->cancel = cancel_new();
    c->run = (struct run){.cancel = c->cancel, .clock = clock_system(), .progress = &c->progress, .run_id = "0123456789ab"};
    c->settings = (struct aws_settings){.environment = c->environment, .clock = clock_system()};
    c->options = (struct rds_options){.snapshot_poll_ms = 30, .instance_poll_ms = 30, .limit_ms = 60000};
    assert_ok(rds_open(&c->run, &c->settings, &c->options, &c->rds, &c->err), &c->err);
    return c;
}

/* Fails when something was wrong inside the double. */
static inline void console_close(struct rds_console *c)
{
    int status;
    assert_string_equal(console_say(c, "rds.all_problems()"), "[]");
    rds_free(c->rds);
    cancel_free(c->cancel);
    fclose(c->to);
    fclose(c->from);
    if (waitpid(c->pid, &status, 0) != c->pid || status != 0)
        console_fail(c, "it did not end well");
    for (unsigned i = 0; i < CONSOLE_VARIABLES; i++)
        free(c->environment[i]);
    free(c);
}

#endif
