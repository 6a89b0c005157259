#include "support/test.h"

#include "core/group.h"
#include "core/source.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define BYTES 100003

static char byte_at(size_t offset)
{
    return (char)(offset * 7 % 253);
}

static char *write_file(const char *dir)
{
    char *path = NULL;
    if (asprintf(&path, "%s/archive", dir) < 0)
        abort();
    FILE *f = fopen(path, "we");
    for (size_t i = 0; i < BYTES; i++)
        putc(byte_at(i), f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void a_file_is_read_at_any_offset(void **state)
{
    (void)state;
    char *dir = tmpdir_make(), *path = write_file(dir);
    struct source *s;
    struct err err;
    char data[1000];
    size_t got;
    assert_ok(source_file_open(path, &s, &err), &err);
    assert_true(s->seekable);
    assert_int_equal(s->size, BYTES);
    assert_string_equal(s->name, path);
    for (size_t offset = BYTES - 1000;; offset -= 9900) {
        assert_ok(source_read_full(s, offset, data, sizeof data, &err), &err);
        for (size_t i = 0; i < sizeof data; i++)
            assert_int_equal(data[i], byte_at(offset + i));
        if (offset < 9900)
            break;
    }
    assert_ok(source_read(s, BYTES - 10, data, sizeof data, &got, &err), &err);
    assert_int_equal(got, 10);
    assert_ok(source_read(s, UINT64_MAX, data, sizeof data, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_err(source_read_full(s, BYTES - 10, data, 11, &err), ERR_DAMAGED, &err);
    assert_ok(source_read_full(s, BYTES, data, 0, &err), &err);
    source_free(s);
    source_free(NULL);
    free(path);
    tmpdir_remove(dir);
}

static enum err_code read_everything(void *arg, struct err *err)
{
    for (size_t offset = 0; offset + 100 <= BYTES; offset += 100) {
        char data[100];
        enum err_code rc = source_read_full(arg, offset, data, sizeof data, err);
        if (rc != ERR_OK)
            return rc;
        for (size_t i = 0; i < sizeof data; i++)
            if (data[i] != byte_at(offset + i))
                return err_set(err, ERR_DIFFERS, "byte %zu differs", offset + i);
    }
    return ERR_OK;
}

static void a_file_is_read_by_many_threads(void **state)
{
    (void)state;
    char *dir = tmpdir_make(), *path = write_file(dir);
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct source *s;
    struct err err;
    assert_ok(source_file_open(path, &s, &err), &err);
    for (int i = 0; i < 4; i++)
        assert_ok(group_spawn(g, "read", read_everything, s, &err), &err);
    assert_ok(group_join(g, &err), &err);
    group_free(g);
    cancel_free(c);
    source_free(s);
    free(path);
    tmpdir_remove(dir);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    char *dir = tmpdir_make(), path[300];
    struct source *s = NULL;
    struct err err;
    snprintf(path, sizeof path, "%s/missing", dir);
    assert_err(source_file_open(path, &s, &err), ERR_NOT_FOUND, &err);
    assert_non_null(strstr(err.text, path));
    assert_err(source_file_open(dir, &s, &err), ERR_STORAGE, &err);
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_err(source_file_open(path, &s, &err), ERR_STORAGE, &err);
    assert_null(s);
    tmpdir_remove(dir);
}

struct feed {
    int fd;
};

static enum err_code feed_pipe(void *arg, struct err *err)
{
    struct feed *f = arg;
    for (size_t at = 0; at < BYTES;) {
        char data[3001];
        size_t n = BYTES - at < sizeof data ? BYTES - at : sizeof data;
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(at + i);
        if (write(f->fd, data, n) != (ssize_t)n)
            return err_set(err, ERR_INTERNAL, "write failed");
        at += n;
    }
    close(f->fd);
    return ERR_OK;
}

static void read_stream(int flags)
{
    int fds[2];
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, flags), 0);
    struct feed f = {.fd = fds[1]};
    struct source *s = source_fd_new(fds[0], "standard input", c);
    assert_false(s->seekable);
    assert_ok(group_spawn(g, "feed", feed_pipe, &f, &err), &err);
    char *data = malloc(BYTES + 1);
    size_t got;
    assert_ok(source_read_full(s, 0, data, 5000, &err), &err);
    assert_err(source_read(s, 4999, data, 10, &got, &err), ERR_INTERNAL, &err);
    assert_err(source_read(s, 5001, data, 10, &got, &err), ERR_INTERNAL, &err);
    assert_ok(source_read(s, 5000, data + 5000, BYTES - 5000 + 1, &got, &err), &err);
    assert_int_equal(got, BYTES - 5000);
    for (size_t i = 0; i < BYTES; i++)
        assert_int_equal(data[i], byte_at(i));
    assert_ok(source_read(s, BYTES, data, 10, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_ok(group_join(g, &err), &err);
    source_free(s);
    assert_int_equal(close(fds[0]), 0); /* still the caller's */
    free(data);
    group_free(g);
    cancel_free(c);
}

static void a_stream_is_read_in_order(void **state)
{
    (void)state;
    read_stream(0);
    read_stream(O_NONBLOCK);
}

struct blocked {
    struct source *source;
    atomic_int tid;
    enum err_code rc;
    struct err err;
};

static enum err_code read_one_byte(void *arg, struct err *err)
{
    struct blocked *b = arg;
    char byte;
    (void)err;
    atomic_store(&b->tid, thread_id());
    b->rc = source_read_full(b->source, 0, &byte, 1, &b->err);
    return ERR_OK;
}

static void a_blocked_read_ends_when_the_token_fires(void **state)
{
    (void)state;
    int fds[2];
    struct cancel *own = cancel_new(), *c = cancel_new();
    struct group *g = group_new(own);
    struct err err;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct blocked b = {.source = source_fd_new(fds[0], "standard input", c)};
    assert_ok(group_spawn(g, "blocked", read_one_byte, &b, &err), &err);
    while (atomic_load(&b.tid) == 0)
        sched_yield();
    thread_wait_blocked(atomic_load(&b.tid));
    err_set(&err, ERR_SIGTERM, "stop");
    cancel_fire(c, &err);
    assert_ok(group_join(g, &err), &err);
    assert_err(b.rc, ERR_SIGTERM, &b.err);
    source_free(b.source);
    close(fds[0]);
    close(fds[1]);
    group_free(g);
    cancel_free(c);
    cancel_free(own);
}

static void a_stream_needs_no_token(void **state)
{
    (void)state;
    int fds[2];
    struct err err;
    char byte;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    struct source *s = source_fd_new(fds[0], "pipe", NULL);
    assert_ok(source_read_full(s, 0, &byte, 1, &err), &err);
    assert_int_equal(byte, 'x');
    close(fds[1]);
    assert_err(source_read_full(s, 1, &byte, 1, &err), ERR_DAMAGED, &err);
    source_free(s);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_at_any_offset),
        cmocka_unit_test(a_file_is_read_by_many_threads),
        cmocka_unit_test(only_regular_files_are_opened),
        cmocka_unit_test(a_stream_is_read_in_order),
        cmocka_unit_test(a_blocked_read_ends_when_the_token_fires),
        cmocka_unit_test(a_stream_needs_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
