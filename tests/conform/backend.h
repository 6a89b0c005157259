/*
 * The kinds of store that the conformance suite runs on.  A place is where one test's objects are: a folder,
 * a prefix in a bucket.  The folder needs nothing; the S3 store takes its bucket from DBSAFE_CONFORM_STORE
 * (s3://bucket/prefix), keys and endpoint from AWS's own variables, and runs only when that is set.
 */
#ifndef DBSAFE_TESTS_CONFORM_BACKEND_H
#define DBSAFE_TESTS_CONFORM_BACKEND_H

#include "support/test.h"

#include "core/run.h"
#include "core/store.h"
#include "s3/store_s3.h"

#include <string.h>

extern char **environ;

struct backend {
    const char *name;
    void *(*make)(void); /* a new place without objects */
    struct store *(*open)(void *place);
    void (*remove)(void *place);
};

static inline void *folder_make(void)
{
    return tmpdir_make();
}

static inline struct store *folder_open(void *place)
{
    struct store *s;
    struct err err;
    assert_ok(store_folder_open(place, false, &s, &err), &err);
    return s;
}

static inline void folder_remove(void *place)
{
    tmpdir_remove(place);
}

static const struct backend folder_backend = {"folder", folder_make, folder_open, folder_remove};

/* Everything a store borrows. */
struct s3_place {
    char *url;
    struct progress progress;
    struct run run;
    struct s3_options options;
};

static inline void *s3_make(void)
{
    static unsigned number; /* a prefix of its own for each test */
    struct s3_place *p = calloc(1, sizeof *p);
    if (asprintf(&p->url, "%s/%d-%u", getenv("DBSAFE_CONFORM_STORE"), (int)getpid(), ++number) < 0)
        abort();
    p->run = (struct run){.log = log_new(STDERR_FILENO, LOG_WARN, LOG_TEXT, clock_system()),
                          .cancel = cancel_new(),
                          .clock = clock_system(),
                          .progress = &p->progress,
                          .run_id = "0123456789ab"};
    p->options =
        (struct s3_options){.aws = {.environment = environ, .clock = clock_system(), .log = p->run.log},
                            .part_bytes = getenv("DBSAFE_CONFORM_PART_BYTES")
                                              ? strtoull(getenv("DBSAFE_CONFORM_PART_BYTES"), NULL, 10)
                                              : 0};
    return p;
}

static inline struct store *s3_open(void *place)
{
    struct s3_place *p = place;
    struct store *s;
    struct err err;
    assert_ok(store_s3_open(p->url, &p->options, &p->run, &s, &err), &err);
    return s;
}

/* Objects stay: whoever made the bucket looks at it and throws it away. */
static inline void s3_remove(void *place)
{
    struct s3_place *p = place;
    cancel_free(p->run.cancel);
    log_free(p->run.log);
    free(p->url);
    free(p);
}

static const struct backend s3_backend = {"s3", s3_make, s3_open, s3_remove};

static inline const struct backend *backend_chosen(void)
{
    return getenv("DBSAFE_CONFORM_STORE") ? &s3_backend : &folder_backend;
}

#endif
