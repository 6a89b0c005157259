/*
 * What every store must do, run on each of them.  A new kind of store is one more entry in the
 * table of backends.
 */
#include "support/test.h"

#include "core/clock.h"
#include "core/store.h"

#include <string.h>

struct backend {
    const char *name;
    /* Opens an empty store; *place is what close needs to remove it again. */
    struct store *(*open)(void **place);
    void (*close)(struct store *s, void *place);
};

static struct store *open_folder(void **place)
{
    struct store *s;
    struct err err;
    *place = tmpdir_make();
    assert_ok(store_folder_open(*place, false, &s, &err), &err);
    return s;
}

static void close_folder(struct store *s, void *place)
{
    store_free(s);
    tmpdir_remove(place);
}

static const struct backend folder_backend = {"folder", open_folder, close_folder};

struct fixture {
    const struct backend *backend;
    struct store *store;
    void *place;
};

/* cmocka hands the backend over in *state. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->store = f->backend->open(&f->place);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store, f->place);
    free(f);
    return 0;
}

static void put(struct store *s, const char *name, const char *text)
{
    struct sink *sink;
    struct err err;
    assert_ok(store_create(s, name, 0, &sink, &err), &err);
    assert_ok(sink_write(sink, text, strlen(text), &err), &err);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
}

static void assert_content(struct store *s, const char *name, const char *want)
{
    struct buf b;
    struct err err;
    buf_init(&b, 10000);
    assert_ok(store_get_small(s, name, &b, &err), &err);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static enum err_code join_names(void *arg, const struct store_entry *entry, struct err *err)
{
    return buf_addf(arg, err, "%s=%d;", entry->name, (int)entry->bytes);
}

static void assert_listed(struct store *s, const char *want)
{
    struct buf b;
    struct err err;
    buf_init(&b, 10000);
    assert_ok(store_list(s, join_names, &b, &err), &err);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void assert_missing(struct store *s, const char *name)
{
    struct source *source;
    struct err err;
    assert_err(store_open(s, name, &source, &err), ERR_NOT_FOUND, &err);
}

static void a_committed_object_is_there(void **state)
{
    struct fixture *f = *state;
    put(f->store, "a.dbsafe.tar", "content");
    assert_listed(f->store, "a.dbsafe.tar=7;");
    assert_content(f->store, "a.dbsafe.tar", "content");
}

static void an_empty_object_is_an_object(void **state)
{
    struct fixture *f = *state;
    put(f->store, "empty", "");
    assert_listed(f->store, "empty=0;");
    assert_content(f->store, "empty", "");
}

static void an_unfinished_object_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct sink *sink;
    struct err err;
    assert_ok(store_create(f->store, "half", 0, &sink, &err), &err);
    assert_ok(sink_write(sink, "half", 4, &err), &err);
    assert_listed(f->store, "");
    assert_missing(f->store, "half");
    assert_err(store_remove(f->store, "half", &err), ERR_NOT_FOUND, &err);
    sink_free(sink);
    assert_listed(f->store, "");
    assert_missing(f->store, "half");
    put(f->store, "half", "whole"); /* the name is free */
    assert_content(f->store, "half", "whole");
}

static void nothing_is_overwritten(void **state)
{
    struct fixture *f = *state;
    struct sink *first, *second;
    struct err err;
    assert_ok(store_create(f->store, "x", 0, &first, &err), &err);
    assert_ok(store_create(f->store, "x", 0, &second, &err), &err);
    assert_ok(sink_write(first, "first", 5, &err), &err);
    assert_ok(sink_write(second, "the second", 10, &err), &err);
    assert_ok(sink_commit(first, &err), &err);
    assert_err(sink_commit(second, &err), ERR_REFUSED, &err);
    sink_free(second);
    sink_free(first);
    assert_content(f->store, "x", "first");
    assert_listed(f->store, "x=5;");
    assert_err(store_create(f->store, "x", 0, &second, &err), ERR_REFUSED, &err);
}

/* More than one part of any upload, in pieces that fit nothing. */
static void a_large_object_is_read_back_in_ranges(void **state)
{
    struct fixture *f = *state;
    const size_t total = 20000003;
    unsigned char *piece = malloc(77777);
    struct sink *sink;
    struct source *source;
    struct err err;
    assert_ok(store_create(f->store, "large", 0, &sink, &err), &err);
    for (size_t at = 0; at < total;) {
        size_t n = total - at < 77777 ? total - at : 77777;
        for (size_t i = 0; i < n; i++)
            piece[i] = (unsigned char)((at + i) * 31 % 251);
        assert_ok(sink_write(sink, piece, n, &err), &err);
        at += n;
    }
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
    assert_ok(store_open(f->store, "large", &source, &err), &err);
    assert_true(source->seekable);
    assert_int_equal(source->size, total);
    for (size_t at = total - 77777; at > 3000000; at -= 3000000) {
        assert_ok(source_read_full(source, at, piece, 77777, &err), &err);
        for (size_t i = 0; i < 77777; i++)
            assert_int_equal(piece[i], (at + i) * 31 % 251);
    }
    size_t got;
    assert_ok(source_read(source, total - 5, piece, 100, &got, &err), &err);
    assert_int_equal(got, 5);
    assert_err(source_read_full(source, total - 5, piece, 6, &err), ERR_DAMAGED, &err);
    source_free(source);
    free(piece);
}

static void the_list_is_in_byte_order(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"b", "B", "\xC3\xA4", "a b", "a", "aa", "10", "9", "a-", "~%41+"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put(f->store, names[i], "1");
    assert_listed(f->store, "10=1;9=1;B=1;a=1;a b=1;a-=1;aa=1;b=1;~%41+=1;\xC3\xA4=1;");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_content(f->store, names[i], "1");
}

static enum err_code stop_at_b(void *arg, const struct store_entry *entry, struct err *err)
{
    ++*(int *)arg;
    return entry->name[0] == 'b' ? err_set(err, ERR_DIFFERS, "b came") : ERR_OK;
}

static enum err_code check_time(void *arg, const struct store_entry *entry, struct err *err)
{
    int64_t now = clock_wall_ms(clock_system());
    ++*(int *)arg;
    if (entry->modified_ms < now - 3600 * 1000 || entry->modified_ms > now + 3600 * 1000)
        return err_set(err, ERR_DIFFERS, "the time is %lld", (long long)entry->modified_ms);
    return ERR_OK;
}

static void the_list_stops_at_the_first_error(void **state)
{
    struct fixture *f = *state;
    struct err err;
    int calls = 0;
    put(f->store, "c", "");
    put(f->store, "b", "");
    put(f->store, "a", "");
    assert_err(store_list(f->store, stop_at_b, &calls, &err), ERR_DIFFERS, &err);
    assert_int_equal(calls, 2);
    calls = 0;
    assert_ok(store_list(f->store, check_time, &calls, &err), &err);
    assert_int_equal(calls, 3);
}

struct removal {
    struct store *store;
    int count;
};

static enum err_code remove_listed(void *arg, const struct store_entry *entry, struct err *err)
{
    struct removal *r = arg;
    r->count++;
    return store_remove(r->store, entry->name, err);
}

static void objects_are_removed_even_while_listing(void **state)
{
    struct fixture *f = *state;
    struct removal r = {.store = f->store};
    struct err err;
    assert_err(store_remove(f->store, "a", &err), ERR_NOT_FOUND, &err);
    put(f->store, "a", "1");
    put(f->store, "b", "2");
    assert_ok(store_remove(f->store, "a", &err), &err);
    assert_missing(f->store, "a");
    assert_listed(f->store, "b=1;");
    put(f->store, "a", "new");
    assert_content(f->store, "a", "new");
    assert_ok(store_list(f->store, remove_listed, &r, &err), &err);
    assert_int_equal(r.count, 2);
    assert_listed(f->store, "");
}

static void bad_names_are_refused_by_every_call(void **state)
{
    struct fixture *f = *state;
    char longest[202];
    memset(longest, 'n', sizeof longest);
    longest[201] = '\0';
    const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "/a", "../a", longest};
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sink *sink;
        struct source *source;
        struct buf b;
        buf_init(&b, 10);
        assert_err(store_create(f->store, bad[i], 0, &sink, &err), ERR_USAGE, &err);
        assert_err(store_open(f->store, bad[i], &source, &err), ERR_USAGE, &err);
        assert_err(store_remove(f->store, bad[i], &err), ERR_USAGE, &err);
        assert_err(store_get_small(f->store, bad[i], &b, &err), ERR_USAGE, &err);
        assert_err(store_put_small(f->store, bad[i], "", 0, &err), ERR_USAGE, &err);
        buf_free(&b);
    }
    longest[200] = '\0';
    put(f->store, longest, "fits");
    assert_content(f->store, longest, "fits");
}

static void small_objects_are_replaced(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct err err;
    buf_init(&b, 5);
    assert_err(store_get_small(f->store, "proof", &b, &err), ERR_NOT_FOUND, &err);
    assert_ok(store_put_small(f->store, "proof", "one", 3, &err), &err);
    assert_ok(store_put_small(f->store, "proof", "three", 5, &err), &err);
    assert_content(f->store, "proof", "three");
    assert_ok(store_put_small(f->store, "proof", "22", 2, &err), &err);
    assert_content(f->store, "proof", "22");
    assert_listed(f->store, "proof=2;");
    assert_ok(store_put_small(f->store, "proof", "larger", 6, &err), &err);
    assert_err(store_get_small(f->store, "proof", &b, &err), ERR_NOMEM, &err);
    buf_free(&b);
}

static void sinks_and_sources_live_on_their_own(void **state)
{
    struct fixture *f = *state;
    struct sink *sink;
    struct source *source;
    struct err err;
    char data[4];
    put(f->store, "old", "data");
    assert_ok(store_open(f->store, "old", &source, &err), &err);
    assert_ok(store_create(f->store, "new", 0, &sink, &err), &err);
    assert_ok(store_remove(f->store, "old", &err), &err);
    assert_ok(store_put_small(f->store, "old", "atad", 4, &err), &err);
    assert_ok(sink_write(sink, "x", 1, &err), &err);
    enum err_code rc = source_read_full(source, 0, data, 4, &err);
    /* Either the object as it was opened or an error, never another object's bytes. */
    assert_true(rc != ERR_OK || memcmp(data, "data", 4) == 0);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
    source_free(source);
    assert_listed(f->store, "new=1;old=4;");
}

static void a_sweep_leaves_what_is_being_written(void **state)
{
    struct fixture *f = *state;
    struct sink *sink;
    struct err err;
    unsigned removed = 99;
    put(f->store, "done", "1");
    assert_ok(store_create(f->store, "live", 0, &sink, &err), &err);
    assert_ok(sink_write(sink, "23", 2, &err), &err);
    assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 0);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
    assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 0);
    assert_listed(f->store, "done=1;live=2;");
}

static void the_url_has_no_slash_at_its_end(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(f->store->url, "://"));
    assert_int_not_equal(f->store->url[strlen(f->store->url) - 1], '/');
}

#define TEST(function)                                                                                       \
    {                                                                                                        \
#function, function, set_up, tear_down, (void *)&folder_backend                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_committed_object_is_there),           TEST(an_empty_object_is_an_object),
        TEST(an_unfinished_object_is_not_there),     TEST(nothing_is_overwritten),
        TEST(a_large_object_is_read_back_in_ranges), TEST(the_list_is_in_byte_order),
        TEST(the_list_stops_at_the_first_error),     TEST(objects_are_removed_even_while_listing),
        TEST(bad_names_are_refused_by_every_call),   TEST(small_objects_are_replaced),
        TEST(sinks_and_sources_live_on_their_own),   TEST(a_sweep_leaves_what_is_being_written),
        TEST(the_url_has_no_slash_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
