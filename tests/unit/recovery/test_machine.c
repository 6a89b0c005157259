#include "support/test.h"

#include "recovery/machine.h"

#include <string.h>
#include <sys/stat.h>

static void put(const char *root, const char *file, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s%s", root, file);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void memory_is_the_least_of_system_and_group(void **state)
{
    (void)state;
    char *root = tmpdir_make();
    assert_int_equal(machine_free_memory(root), 0);
    put(root, "/proc/meminfo", "MemTotal:       9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n");
    assert_int_equal(machine_free_memory(root), 4000 * 1024);
    put(root, "/sys/fs/cgroup/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/memory.current", "1000\n");
    assert_int_equal(machine_free_memory(root), 4000 * 1024);
    put(root, "/sys/fs/cgroup/memory.max", "5000\n");
    assert_int_equal(machine_free_memory(root), 4000);
    put(root, "/sys/fs/cgroup/memory.current", "6000\n");
    put(root, "/sys/fs/cgroup/memory.max", "6000\n");
    assert_int_equal(machine_free_memory(root), 0);
    put(root, "/sys/fs/cgroup/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n");
    put(root, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
    assert_int_equal(machine_free_memory(root), 2000);
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "9223372036854771712\n"); /* version 1's "none" */
    assert_int_equal(machine_free_memory(root), 4000 * 1024);
    tmpdir_remove(root);
    assert_true(machine_free_memory("") > 0);
}

static void disk(void **state)
{
    (void)state;
    struct err err;
    uint64_t bytes = 0;
    assert_ok(machine_free_disk("/", &bytes, &err), &err);
    assert_true(bytes > 0);
    assert_err(machine_free_disk("/no/such/folder", &bytes, &err), ERR_STORAGE, &err);
    assert_non_null(strstr(err.text, "/no/such/folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_the_least_of_system_and_group),
        cmocka_unit_test(disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
