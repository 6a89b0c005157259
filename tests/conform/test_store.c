/*
 * What every store must do.  The same cases run on each kind of store: see conform/backend.h.
 */
#include "conform/backend.h"

#include "core/clock.h"
#include "core/group.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

struct fixture {
    const struct backend *backend;
    void *place;
    struct store *store;
};

/* cmocka hands the backend over in *state. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->place = f->backend->make();
    f->store = f->backend->open(f->place);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    f->backend->remove(f->place);
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

/* Bytes that differ at every offset and in every part. */
static unsigned char pattern(uint64_t at)
{
    return (unsigned char)((at * 31 + (at >> 20) * 7) % 251);
}

static void write_pattern(struct sink *sink, uint64_t total, size_t piece_bytes)
{
    unsigned char *piece = malloc(piece_bytes);
    struct err err;
    for (uint64_t at = 0; at < total;) {
        size_t n = total - at < piece_bytes ? (size_t)(total - at) : piece_bytes;
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern(at + i);
        assert_ok(sink_write(sink, piece, n, &err), &err);
        at += n;
    }
    free(piece);
}

static void put_pattern(struct store *s, const char *name, uint64_t total, uint64_t most, size_t piece_bytes)
{
    struct sink *sink;
    struct err err;
    assert_ok(store_create(s, name, most, &sink, &err), &err);
    write_pattern(sink, total, piece_bytes);
    assert_ok(sink_commit(sink, &err), &err);
    sink_free(sink);
}

/* No assert in here: it is called by several threads. */
static enum err_code check_range(struct source *source, uint64_t from, size_t bytes, struct err *err)
{
    unsigned char *data = malloc(bytes);
    enum err_code rc = source_read_full(source, from, data, bytes, err);
    for (size_t i = 0; rc == ERR_OK && i < bytes; i++)
        if (data[i] != pattern(from + i))
            rc = err_set(err, ERR_DIFFERS, "byte %" PRIu64 " is wrong", from + i);
    free(data);
    return rc;
}

static void assert_pattern(struct store *s, const char *name, uint64_t total)
{
    struct source *source;
    struct err err;
    assert_ok(store_open(s, name, &source, &err), &err);
    assert_true(source->seekable);
    assert_int_equal(source->size, total);
    for (uint64_t at = 0; at < total; at += 3 * MIB)
        assert_ok(check_range(source, at, (size_t)(total - at < 3 * MIB ? total - at : 3 * MIB), &err), &err);
    source_free(source);
}

/* More than one part of any upload, in pieces that fit nothing, whatever was said before of its size. */
static void a_large_object_comes_back(void **state)
{
    static const uint64_t most[] = {0, 1000, 20000003, (uint64_t)40 << 30};
    struct fixture *f = *state;
    struct err err;
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        put_pattern(f->store, "large", 20000003, most[i], 77777);
        assert_pattern(f->store, "large", 20000003);
        assert_ok(store_remove(f->store, "large", &err), &err);
    }
}

/* Sizes around those at which parts and buffers end. */
static void sizes_at_the_edge_come_back(void **state)
{
    static const uint64_t sizes[] = {1, 65535, 65536, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 8 * MIB, 16 * MIB};
    struct fixture *f = *state;
    char name[40];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "%" PRIu64, sizes[i]);
        put_pattern(f->store, name, sizes[i], sizes[i], sizes[i] < MIB ? 1 + (size_t)sizes[i] / 3 : MIB);
        assert_pattern(f->store, name, sizes[i]);
    }
}

static void ranges_are_read_in_any_order(void **state)
{
    struct fixture *f = *state;
    const uint64_t total = 6000003;
    struct source *source;
    struct err err;
    unsigned char data[100];
    size_t got;
    put_pattern(f->store, "ranges", total, 0, 1000000);
    assert_ok(store_open(f->store, "ranges", &source, &err), &err);
    for (uint64_t at = total - 77777; at > 600000; at -= 600000)
        assert_ok(check_range(source, at, 77777, &err), &err);
    assert_ok(check_range(source, 0, 1, &err), &err);
    assert_ok(check_range(source, total - 1, 1, &err), &err);
    assert_ok(source_read(source, total - 5, data, 100, &got, &err), &err);
    assert_int_equal(got, 5);
    assert_ok(source_read(source, total, data, 100, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_ok(source_read(source, total + 12345, data, 100, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_err(source_read_full(source, total - 5, data, 6, &err), ERR_DAMAGED, &err);
    source_free(source);
}

struct reader {
    struct source *source;
    unsigned number;
};

static enum err_code read_here_and_there(void *arg, struct err *err)
{
    struct reader *r = arg;
    enum err_code rc = ERR_OK;
    for (unsigned i = 0; rc == ERR_OK && i < 20; i++)
        rc = check_range(r->source, (uint64_t)((r->number * 977 + i * 311) % 5000) * 1000, 50000, err);
    return rc;
}

static void threads_read_one_source(void **state)
{
    struct fixture *f = *state;
    struct reader readers[4];
    struct source *source;
    struct err err;
    put_pattern(f->store, "shared", 5100000, 0, MIB);
    assert_ok(store_open(f->store, "shared", &source, &err), &err);
    struct cancel *cancel = cancel_new();
    struct group *group = group_new(cancel);
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){source, i};
        assert_ok(group_spawn(group, "reader", read_here_and_there, &readers[i], &err), &err);
    }
    assert_ok(group_join(group, &err), &err);
    group_free(group);
    cancel_free(cancel);
    source_free(source);
}

static void an_aborted_upload_leaves_nothing(void **state)
{
    static const uint64_t sizes[] = {0, 10, 6 * MIB, 18 * MIB};
    struct fixture *f = *state;
    struct sink *sink;
    struct err err;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned left = 99;
        assert_ok(store_create(f->store, "aborted", 20 * MIB, &sink, &err), &err);
        write_pattern(sink, sizes[i], MIB);
        sink_free(sink);
        assert_listed(f->store, "");
        assert_ok(store_sweep(f->store, 0, true, &left, &err), &err);
        assert_int_equal(left, 0);
    }
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

static enum err_code check_order(void *arg, const struct store_entry *entry, struct err *err)
{
    char want[20];
    snprintf(want, sizeof want, "n%05d", (*(int *)arg)++);
    return strcmp(entry->name, want) == 0 ? ERR_OK
                                          : err_set(err, ERR_DIFFERS, "%s, not %s", entry->name, want);
}

/* More than a page of any list where DBSAFE_CONFORM_OBJECTS says how many that are. */
static void many_objects_are_listed(void **state)
{
    struct fixture *f = *state;
    const char *number = getenv("DBSAFE_CONFORM_OBJECTS");
    int count = number == NULL ? 50 : atoi(number), seen = 0;
    struct err err;
    for (int i = count - 1; i >= 0; i--) {
        char name[20];
        snprintf(name, sizeof name, "n%05d", i);
        put(f->store, name, "");
    }
    assert_ok(store_list(f->store, check_order, &seen, &err), &err);
    assert_int_equal(seen, count);
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

/* In a child: begins an object, says so, and waits to be killed.  No assert in here. */
static int write_and_wait(void *arg)
{
    struct fixture *f = arg;
    struct store *s = f->backend->open(f->place);
    struct sink *sink;
    unsigned char *data = calloc(1, 40 * MIB); /* more than a part or two */
    if (store_create(s, "dead", 50 * MIB, &sink, NULL) != ERR_OK ||
        sink_write(sink, data, 40 * MIB, NULL) != ERR_OK)
        _exit(1);
    raise(SIGSTOP);
    _exit(2);
}

static void a_sweep_removes_what_a_dead_run_left(void **state)
{
    struct fixture *f = *state;
    struct err err;
    unsigned removed = 99;
    int status;
    put(f->store, "done", "1");
    pid_t pid = child_start(write_and_wait, f);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, false, &removed, &err), &err);
    assert_int_equal(removed, 0); /* it lives */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_listed(f->store, "done=1;");
    for (int round = 0; round < 3; round++) { /* the third finds nothing any more */
        assert_ok(store_sweep(f->store, STORE_STALE_AFTER_MS, round == 0, &removed, &err), &err);
        assert_int_equal(removed, round == 2 ? 0 : 1);
    }
    assert_listed(f->store, "done=1;");
    put(f->store, "dead", "now it lives");
    assert_content(f->store, "dead", "now it lives");
}

static void one_lock_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct store *second = f->backend->open(f->place);
    put(f->store, "a", "1");
    assert_ok(store_lock(f->store, &err), &err);
    assert_err(store_lock(second, &err), ERR_LOCKED, &err);
    assert_listed(second, "a=1;"); /* the lock is no object */
    put(second, "b", "22");        /* and keeps no writer out */
    store_free(f->store);
    assert_ok(store_lock(second, &err), &err);
    f->store = f->backend->open(f->place);
    assert_err(store_lock(f->store, &err), ERR_LOCKED, &err);
    store_free(second);
    assert_ok(store_lock(f->store, &err), &err);
    assert_listed(f->store, "a=1;b=2;");
}

static void the_url_has_no_slash_at_its_end(void **state)
{
    struct fixture *f = *state;
    char want[600];
    assert_non_null(strstr(f->store->url, "://"));
    assert_int_not_equal(f->store->url[strlen(f->store->url) - 1], '/');
    char *place = store_location(f->store, NULL), *object = store_location(f->store, "x y");
    assert_int_not_equal(place[strlen(place) - 1], '/');
    snprintf(want, sizeof want, "%s/x y", place);
    assert_string_equal(object, want);
    free(place);
    free(object);
}

#define TEST(function)                                                                                       \
    {                                                                                                        \
#function, function, set_up, tear_down, (void *)backend                                              \
    }

int main(void)
{
    const struct backend *backend = backend_chosen();
    const struct CMUnitTest tests[] = {
        TEST(a_committed_object_is_there),
        TEST(an_empty_object_is_an_object),
        TEST(an_unfinished_object_is_not_there),
        TEST(nothing_is_overwritten),
        TEST(a_large_object_comes_back),
        TEST(sizes_at_the_edge_come_back),
        TEST(ranges_are_read_in_any_order),
        TEST(threads_read_one_source),
        TEST(an_aborted_upload_leaves_nothing),
        TEST(the_list_is_in_byte_order),
        TEST(many_objects_are_listed),
        TEST(the_list_stops_at_the_first_error),
        TEST(objects_are_removed_even_while_listing),
        TEST(bad_names_are_refused_by_every_call),
        TEST(small_objects_are_replaced),
        TEST(sinks_and_sources_live_on_their_own),
        TEST(a_sweep_leaves_what_is_being_written),
        TEST(a_sweep_removes_what_a_dead_run_left),
        TEST(one_lock_at_a_time),
        TEST(the_url_has_no_slash_at_its_end),
    };
    return cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
}
