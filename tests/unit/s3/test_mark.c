/* Owners of marks: whether a process is ours and lives.  Marks themselves are tested by the conformance
 * suite. */
#include "support/test.h"

#include "s3/mark.h"

#include <string.h>
#include <sys/stat.h>

/* A folder like /proc with one boot, one namespace, and processes. */
static char *proc;

static void put_file(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void put_folder(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put_namespace(const char *to)
{
    char path[600];
    snprintf(path, sizeof path, "%s/self/ns/pid", proc);
    unlink(path);
    assert_int_equal(symlink(to, path), 0);
}

static void put_process(long pid, char state, unsigned long long started)
{
    char name[64], text[512];
    snprintf(name, sizeof name, "%ld", pid);
    struct stat st;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    if (stat(path, &st) != 0)
        put_folder(name);
    snprintf(name, sizeof name, "%ld/stat", pid);
    snprintf(
        text, sizeof text,
        "%ld (a) b (c) %c 1 1 1 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 %llu 1000 10 18446744073709551615\n",
        pid, state, started);
    put_file(name, text);
}

static int set_up(void **state)
{
    (void)state;
    proc = tmpdir_make();
    put_folder("sys");
    put_folder("sys/kernel");
    put_folder("sys/kernel/random");
    put_file("sys/kernel/random/boot_id", "b6b2f9a2-0000-4000-8000-000000000001\n");
    put_folder("self");
    put_folder("self/ns");
    put_namespace("pid:[4026531836]");
    put_process(100, 'S', 5000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tmpdir_remove(proc);
    return 0;
}

static void a_process_is_known_by_boot_namespace_and_start(void **state)
{
    (void)state;
    struct mark_owner self, owner;
    assert_true(mark_owner_self(proc, "db1.example.com", 100, &self));
    assert_string_equal(self.host, "db1.example.com");
    assert_int_equal(strlen(self.machine), 16);
    assert_true(self.started == 5000);
    assert_int_equal(mark_owner_life(proc, &self, &self), MARK_ALIVE);
    put_process(200, 'R', 6000);
    assert_true(mark_owner_self(proc, "db1.example.com", 200, &owner));
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_ALIVE);
    put_process(200, 'R', 6001); /* its number was given to another */
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_DEAD);
    put_process(200, 'Z', 6000);
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_DEAD);
    owner.pid = 300; /* there is none */
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_DEAD);
}

/* What cannot be looked at is never called dead. */
static void others_are_elsewhere(void **state)
{
    (void)state;
    struct mark_owner self, owner;
    assert_true(mark_owner_self(proc, "h", 100, &owner));
    put_namespace("pid:[4026531837]"); /* another container on the same kernel */
    assert_true(mark_owner_self(proc, "h", 100, &self));
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_ELSEWHERE);
    put_namespace("pid:[4026531836]");
    put_file("sys/kernel/random/boot_id", "b6b2f9a2-0000-4000-8000-000000000002\n");
    assert_true(mark_owner_self(proc, "h", 100, &self));
    assert_int_equal(mark_owner_life(proc, &self, &owner), MARK_ELSEWHERE);
    assert_false(mark_owner_self("/nonexistent", "h", 100, &self));
    assert_string_equal(self.machine, "unknown");
    assert_int_equal(mark_owner_life("/nonexistent", &self, &self), MARK_ELSEWHERE);
}

static void owners_are_written_and_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *host, *shown;
    } cases[] = {{"db1.example.com", "db1.example.com"},
                 {"", "unknown"},
                 {"a/b c\xC3\xA9", "a_b_c__"},
                 {"0123456789012345678901234567890123456789xyz", "0123456789012345678901234567890123456789"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mark_owner owner, back;
        char text[MARK_OWNER_BYTES];
        mark_owner_self(proc, cases[i].host, 100, &owner);
        mark_owner_format(&owner, text);
        assert_true(mark_owner_parse(text, strlen(text), &back));
        assert_string_equal(back.host, cases[i].shown);
        assert_string_equal(back.machine, owner.machine);
        assert_int_equal(back.pid, 100);
        assert_true(back.started == owner.started);
    }
    static const char *const bad[] = {"",       "h",        "h/m",      "h/m-1",
                                      "h/m-1-", "h/m-x-1",  "h/m-1-2x", "h/0123456789abcdef0-1-2",
                                      "/m-1-2", "h//m-1-2", "h/m--1-2", "h/m-01-2"};
    struct mark_owner owner;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mark_owner_parse(bad[i], strlen(bad[i]), &owner))
            fail_msg("'%s'", bad[i]);
    char *long_text = malloc(1000);
    memset(long_text, 'h', 1000);
    assert_false(mark_owner_parse(long_text, 1000, &owner));
    free(long_text);
}

static void the_real_proc(void **state)
{
    (void)state;
    struct mark_owner self;
    assert_true(mark_owner_self("/proc", "h", (long)getpid(), &self));
    assert_int_equal(mark_owner_life("/proc", &self, &self), MARK_ALIVE);
    struct mark_owner older = self;
    older.started--;
    assert_int_equal(mark_owner_life("/proc", &self, &older), MARK_DEAD);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_is_known_by_boot_namespace_and_start),
        TEST(others_are_elsewhere),
        TEST(owners_are_written_and_read_back),
        TEST(the_real_proc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
