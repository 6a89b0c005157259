/*
 * The kinds of store that the conformance suite runs on.  A place is where one test's objects are: a folder,
 * a prefix in a bucket.  The folder needs nothing; the S3 store takes its bucket from DBSAFE_CONFORM_STORE
 * (s3://bucket/prefix), keys and endpoint from AWS's own variables, and runs only when that is set.
 */
#ifndef DBSAFE_TESTS_CONFORM_BACKEND_H
#define DBSAFE_TESTS_CONFORM_BACKEND_H

#include "support/test.h"

#include "core/store.h"

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

#endif
