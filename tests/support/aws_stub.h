/*
 * tests/lib/aws_stub.py as a child of a unit test, controlled over its standard input.  It ends when the test does.
 * Run from the top of the repository, as make does.
 */
#ifndef DBSAFE_TESTS_SUPPORT_AWS_STUB_H
#define DBSAFE_TESTS_SUPPORT_AWS_STUB_H

#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>

struct stub {
    pid_t pid;
    FILE *to, *from;
    unsigned port;
    char url[64];      /* http://127.0.0.1:port, or https */
    char answer[4096]; /* of the last command */
};

static inline void stub_fail(const char *what)
{
    fprintf(stderr, "aws_stub: %s\n", what);
    abort();
}

static inline void stub_read(struct stub *s)
{
    if (fgets(s->answer, sizeof s->answer, s->from) == NULL)
        stub_fail("it has ended");
    s->answer[strcspn(s->answer, "\n")] = '\0';
}

/* certificate and key: PEM files, or NULL for plain HTTP. */
static inline void stub_start_tls(struct stub *s, const char *certificate, const char *key)
{
    char *plain[] = {"/usr/bin/python3", "tests/lib/aws_stub.py", NULL};
    char *tls[] = {"/usr/bin/python3", "tests/lib/aws_stub.py", "--tls", (char *)certificate, (char *)key, NULL};
    char *environment[] = {"PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1", NULL};
    int to[2], from[2];
    posix_spawn_file_actions_t files;
    *s = (struct stub){0};
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&files) != 0 ||
        posix_spawn_file_actions_adddup2(&files, to[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&files, from[1], 1) != 0 ||
        posix_spawn(&s->pid, plain[0], &files, NULL, certificate ? tls : plain, environment) != 0)
        stub_fail("cannot be started");
    posix_spawn_file_actions_destroy(&files);
    close(to[0]);
    close(from[1]);
    s->to = fdopen(to[1], "w");
    s->from = fdopen(from[0], "r");
    stub_read(s);
    s->port = (unsigned)strtoul(s->answer, NULL, 10);
    snprintf(s->url, sizeof s->url, "%s://127.0.0.1:%u", certificate ? "https" : "http", s->port);
}

static inline void stub_start(struct stub *s)
{
    stub_start_tls(s, NULL, NULL);
}

static inline void stub_stop(struct stub *s)
{
    int status;
    fclose(s->to);
    fclose(s->from);
    if (waitpid(s->pid, &status, 0) != s->pid)
        abort();
}

/* Gives the answer: "ok", or what was asked for. */
__attribute__((format(printf, 2, 3))) static inline const char *stub_say(struct stub *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(s->to, format, args);
    va_end(args);
    fputc('\n', s->to);
    fflush(s->to);
    stub_read(s);
    if (strncmp(s->answer, "unknown: ", 9) == 0)
        stub_fail(s->answer);
    return s->answer;
}

/* Requests whose "METHOD target" has that text. */
static inline unsigned stub_count(struct stub *s, const char *text)
{
    return (unsigned)strtoul(stub_say(s, "count %s", text), NULL, 10);
}

#endif
