/*
 * Settings for tests of src/aws: a home folder and an environment of their own, the stub as every endpoint, a clock that
 * can be moved, waits that are noted and not slept, a log that is kept.
 */
#ifndef DBSAFE_TESTS_SUPPORT_AWS_WORLD_H
#define DBSAFE_TESTS_SUPPORT_AWS_WORLD_H

#include "support/aws_stub.h"

#include "aws/settings.h"
#include "core/mem.h"

#include <sys/stat.h>

#define WORLD_VARIABLES 32

struct aws_world {
    struct stub stub;
    char *home;
    char *environment[WORLD_VARIABLES + 1];
    struct aws_settings settings;
    struct clock clock;
    int64_t ahead_ms; /* added to both clocks */
    uint64_t random;  /* what the random numbers are */
    int64_t waits[64];
    unsigned wait_count;
    struct log *log;
    FILE *log_file;
    char log_text[65536];
    struct err err;
};

/* "NAME=value" into the environment, in place of what NAME had. */
__attribute__((format(printf, 2, 3))) static inline void world_set(struct aws_world *w, const char *format, ...)
{
    va_list args;
    char *entry = NULL;
    va_start(args, format);
    if (vasprintf(&entry, format, args) < 0)
        abort();
    va_end(args);
    size_t name = strcspn(entry, "=") + 1;
    size_t i = 0;
    while (w->environment[i] != NULL && strncmp(w->environment[i], entry, name) != 0)
        i++;
    if (i == WORLD_VARIABLES)
        abort();
    free(w->environment[i]);
    w->environment[i] = entry;
}

/* A file in the home folder, below .aws/; gives its path, valid until the next call. */
static inline const char *world_file(struct aws_world *w, const char *name, const char *text)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/.aws", w->home);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/.aws/%s", w->home, name);
    FILE *f = fopen(path, "we");
    if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0)
        abort();
    return path;
}

static inline int64_t world_wall(void *self)
{
    return clock_wall_ms(clock_system()) + ((struct aws_world *)self)->ahead_ms;
}

static inline int64_t world_monotonic(void *self)
{
    return clock_monotonic_ms(clock_system()) + ((struct aws_world *)self)->ahead_ms;
}

static inline uint64_t world_random(void *arg)
{
    return ((struct aws_world *)arg)->random;
}

static inline enum err_code world_wait(void *arg, int64_t ms, struct cancel *cancel, struct err *err)
{
    struct aws_world *w = arg;
    if (w->wait_count < sizeof w->waits / sizeof w->waits[0])
        w->waits[w->wait_count++] = ms;
    return cancel_check(cancel, err);
}

static inline struct aws_world *world_open(void)
{
    struct aws_world *w = calloc(1, sizeof *w);
    stub_start(&w->stub);
    w->home = tmpdir_make();
    w->clock = (struct clock){world_wall, world_monotonic, w};
    w->log_file = tmpfile();
    w->log = log_new(fileno(w->log_file), LOG_DEBUG, LOG_TEXT, &w->clock);
    w->settings = (struct aws_settings){
        .environment = w->environment,
        .clock = &w->clock,
        .log = w->log,
        .retry = {.wait = world_wait, .wait_arg = w},
        .random = world_random,
        .random_arg = w,
        .imds_url = w->stub.url,
        .ecs_url = w->stub.url,
        .metadata_timeout_ms = 60000, /* long: a busy machine must not fail a test */
    };
    world_set(w, "HOME=%s", w->home);
    world_set(w, "PATH=/usr/bin:/bin");
    world_set(w, "AWS_ENDPOINT_URL=%s", w->stub.url);
    return w;
}

/* All that was logged so far. */
static inline const char *world_log(struct aws_world *w)
{
    ssize_t n = pread(fileno(w->log_file), w->log_text, sizeof w->log_text - 1, 0);
    w->log_text[n > 0 ? n : 0] = '\0';
    return w->log_text;
}

/* No secret of the tests is in an error or in the log. */
static inline void world_check_secrets(struct aws_world *w)
{
    static const char *const secrets[] = {"issued-secret", "issued-token", "env-secret",  "env-token", "file-secret",
                                          "file-token",    "web-identity", "the-boarding-pass"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strstr(world_log(w), secrets[i]) != NULL || strstr(w->err.text, secrets[i]) != NULL)
            fail_msg("the secret %s was shown: %s\n%s", secrets[i], w->err.text, w->log_text);
}

static inline void world_close(struct aws_world *w)
{
    world_check_secrets(w);
    log_free(w->log);
    fclose(w->log_file);
    for (size_t i = 0; w->environment[i] != NULL; i++)
        free(w->environment[i]);
    tmpdir_remove(w->home);
    stub_stop(&w->stub);
    free(w);
}

#endif
