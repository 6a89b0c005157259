/* A folder store with real archives for the tests. */
#ifndef DBSAFE_TESTS_SUPPORT_STORE_SAMPLE_H
#define DBSAFE_TESTS_SUPPORT_STORE_SAMPLE_H

#include "support/sample.h"
#include "support/test.h"

#include "core/store.h"

/* Puts the sample archive (tables shop.orders, shop.empty, shop.history and a weird one) under that name. */
static inline void put_sample(const char *folder, const char *name)
{
    struct err err;
    struct store *store;
    struct sink *sink;
    assert_ok(store_folder_open(folder, true, &store, &err), &err);
    assert_ok(store_create(store, name, 0, &sink, &err), &err);
    struct manifest *m = sample_write(sink);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
    manifest_free(m);
    store_free(store);
}

static inline void put_bytes(const char *folder, const char *name, const char *text)
{
    struct err err;
    struct store *store;
    assert_ok(store_folder_open(folder, true, &store, &err), &err);
    assert_ok(store_put_small(store, name, text, strlen(text), &err), &err);
    store_free(store);
}

#endif
