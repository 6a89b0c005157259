/* Whether a process is known again, and lives. */
#include "support/test.h"

#include "core/process.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* Processes of the copy of /proc below; to the kernel there are none of these numbers, which are beyond its
 * largest (pid_max, proc(5)). */
#define PID   4194400L
#define OTHER 4194500L

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
    put_process(PID, 'S', 5000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tmpdir_remove(proc);
    return 0;
}

static struct process read_process(long pid)
{
    struct process p;
    assert_true(process_read(proc, "db1.example.com", pid, &p));
    return p;
}

static void a_process_is_known_by_boot_namespace_and_start(void **state)
{
    (void)state;
    struct process self = read_process(PID), p;
    assert_string_equal(self.host, "db1.example.com");
    assert_string_equal(self.machine, "b6b2f9a2-0000-4000-8000-000000000001/4026531836");
    assert_true(self.started == 5000);
    assert_int_equal(process_life(proc, &self, &self), PROCESS_ALIVE);
    put_process(OTHER, 'R', 6000);
    p = read_process(OTHER);
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ALIVE);
    put_process(OTHER, 'R', 6001); /* its number was given to another */
    assert_int_equal(process_life(proc, &self, &p), PROCESS_DEAD);
    put_process(OTHER, 'Z', 6000);
    assert_int_equal(process_life(proc, &self, &p), PROCESS_DEAD);
    p.pid = OTHER + 1; /* there is none */
    assert_int_equal(process_life(proc, &self, &p), PROCESS_DEAD);
}

/* With hidepid it looks as if there were no other processes. */
static void what_proc_hides_is_not_dead(void **state)
{
    (void)state;
    struct process self = read_process(PID), p = self;
    p.pid = (long)getppid(); /* not in the copy, but the kernel knows it */
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ELSEWHERE);
    p.pid = 1;
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ELSEWHERE);
}

static void others_are_elsewhere(void **state)
{
    (void)state;
    struct process self, p = read_process(PID);
    put_namespace("pid:[4026531837]"); /* another container on the same kernel, with the host's name */
    self = read_process(PID);
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ELSEWHERE);
    put_namespace("pid:[4026531836]");
    put_file("sys/kernel/random/boot_id", "b6b2f9a2-0000-4000-8000-000000000002\n");
    self = read_process(PID);
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ELSEWHERE);
    p = self;
    strcpy(p.host, "db2.example.com");
    assert_int_equal(process_life(proc, &self, &p), PROCESS_ELSEWHERE);
    assert_false(process_read("/nonexistent", "h", PID, &self));
    assert_string_equal(self.machine, "unknown");
    assert_int_equal(process_life("/nonexistent", &self, &self), PROCESS_ELSEWHERE);
}

static void processes_are_written_and_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *host, *shown;
    } cases[] = {{"db1.example.com", "db1.example.com"},
                 {"", "unknown"},
                 {"a/b c\xC3\xA9", "a_b_c__"},
                 {"0123456789012345678901234567890123456789xyz", "0123456789012345678901234567890123456789"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct process p, back;
        char text[PROCESS_TEXT_BYTES];
        assert_true(process_read(proc, cases[i].host, PID, &p));
        process_format(&p, text);
        assert_true(process_parse(text, &back));
        assert_string_equal(back.host, cases[i].shown);
        assert_string_equal(back.machine, p.machine);
        assert_int_equal(back.pid, PID);
        assert_true(back.started == p.started);
    }
    static const char *const bad[] = {"",        "h",        "h m",      "h m 1",    "h m 1 ",
                                      "h m x 1", "h m 1 x",  "h m 1 2x", "h m 0 2",  " m 1 2",
                                      "h  1 2",  "h m -1 2", "h m 01 2", "h m 1 2 ", "h m 1 -2"};
    struct process p;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (process_parse(bad[i], &p))
            fail_msg("'%s'", bad[i]);
    char long_text[1000];
    memset(long_text, 'h', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_false(process_parse(long_text, &p));
}

static int wait_for_the_end(void *arg)
{
    (void)arg;
    pause();
    return 0;
}

static void people_read_pid_and_host(void **state)
{
    (void)state;
    char out[PROCESS_TEXT_BYTES];
    assert_string_equal(process_describe("db1 11111111-2222-3333-4444-555555555555/4026531836 4711 99", out),
                        "process 4711 on db1");
    assert_string_equal(process_describe("somebody", out), "somebody");
}

static void the_real_proc(void **state)
{
    (void)state;
    char self[PROCESS_TEXT_BYTES], text[PROCESS_TEXT_BYTES];
    struct process p, me;
    process_put_self(self);
    assert_int_equal(process_life_of(self), PROCESS_ALIVE);
    assert_true(process_parse(self, &me));
    assert_int_equal(me.pid, getpid());
    p = me;
    p.started--;
    process_format(&p, text);
    assert_int_equal(process_life_of(text), PROCESS_DEAD);
    pid_t pid = child_start(wait_for_the_end, NULL);
    assert_true(process_read("/proc", me.host, (long)pid, &p));
    process_format(&p, text);
    assert_int_equal(process_life_of(text), PROCESS_ALIVE);
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_life_of(text), PROCESS_DEAD); /* ended, though nobody has asked how */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(process_life_of(text), PROCESS_DEAD);
    assert_int_equal(process_life_of(NULL), PROCESS_DEAD);
    assert_int_equal(process_life_of("nonsense"), PROCESS_ELSEWHERE);
    assert_int_equal(process_life_of("db9 11111111-2222-3333-4444-555555555555/1 1 1"), PROCESS_ELSEWHERE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_is_known_by_boot_namespace_and_start),
        TEST(what_proc_hides_is_not_dead),
        TEST(others_are_elsewhere),
        TEST(processes_are_written_and_read_back),
        TEST(people_read_pid_and_host),
        TEST(the_real_proc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
