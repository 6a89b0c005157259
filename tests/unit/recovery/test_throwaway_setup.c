#include "support/test.h"

#include "recovery/throwaway_setup.h"

#include <string.h>
#include <sys/stat.h>

static void put(const char *folder, const char *file, const char *text, mode_t mode)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void the_program_is_found(void **state)
{
    (void)state;
    struct err err;
    char *folder = tmpdir_make(), *found, list[1000], want[400];
    put(folder, "a/mariadbd", "", 0600);      /* not to be run */
    put(folder, "b/mariadbd/file", "", 0700); /* a folder */
    put(folder, "c/mariadbd", "", 0700);
    snprintf(list, sizeof list, "relative::%s/a:%s/b:%s/c", folder, folder, folder);
    snprintf(want, sizeof want, "%s/c/mariadbd", folder);
    assert_ok(throwaway_find(NULL, list, &found, &err), &err);
    assert_string_equal(found, want);
    free(found);
    assert_ok(throwaway_find(want, NULL, &found, &err), &err);
    assert_string_equal(found, want);
    free(found);
    assert_err(throwaway_find("/nowhere/mariadbd", list, &found, &err), ERR_NOT_FOUND, &err);
    assert_null(found);
    snprintf(want, sizeof want, "%s/a/mariadbd", folder);
    assert_err(throwaway_find(want, list, &found, &err), ERR_NOT_FOUND, &err);
    tmpdir_remove(folder);
}

static void the_share_folder_is_beside_it(void **state)
{
    (void)state;
    char *folder = tmpdir_make(), program[400], want[400];
    snprintf(program, sizeof program, "%s/bin/mariadbd", folder);
    assert_null(throwaway_share(program));
    put(folder, "share/mariadb_system_tables.sql", "", 0600);
    snprintf(want, sizeof want, "%s/share", folder);
    char *share = throwaway_share(program);
    assert_string_equal(share, want);
    free(share);
    put(folder, "share/mysql/mysql_system_tables.sql", "", 0600);
    snprintf(want, sizeof want, "%s/share/mysql", folder);
    share = throwaway_share(program);
    assert_string_equal(share, want);
    free(share);
    tmpdir_remove(folder);
}

static char *read_all(const char *folder, const char *file)
{
    char path[400];
    char *text = calloc(1, 20000);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_true(fread(text, 1, 19999, f) > 0);
    fclose(f);
    return text;
}

static void the_first_sql(void **state)
{
    (void)state;
    struct err err;
    struct stat st;
    char *folder = tmpdir_make(), program[400], path[400];
    snprintf(program, sizeof program, "%s/bin/mariadbd", folder);
    snprintf(path, sizeof path, "%s/init.sql", folder);
    assert_err(throwaway_write_init_sql(program, "secret", path, &err), ERR_NOT_FOUND, &err);
    put(folder, "share/mariadb_system_tables.sql", "system tables;", 0600);
    assert_err(throwaway_write_init_sql(program, "secret", path, &err), ERR_NOT_FOUND, &err);
    put(folder, "share/mariadb_system_tables_data.sql", "system data;", 0600);
    put(folder, "share/maria_add_gis_sp_bootstrap.sql", "gis;", 0600);
    assert_ok(throwaway_write_init_sql(program, "secret", path, &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *text = read_all(folder, "init.sql");
    const char *first = strstr(text, "system tables;\n"), *second = strstr(text, "system data;\n"),
               *third = strstr(text, "gis;\n"), *last = strstr(text, "identified by 'secret'");
    assert_true(first && second && third && last && first < second && second < third && third < last);
    free(text);
    assert_err(throwaway_write_init_sql(program, "secret", path, &err), ERR_STORAGE,
               &err); /* never over another */
    tmpdir_remove(folder);
}

static unsigned index_of(const struct throwaway_arguments *a, const char *prefix)
{
    for (unsigned i = 0; i < a->count; i++)
        if (strncmp(a->argv[i], prefix, strlen(prefix)) == 0)
            return i;
    fail_msg("no argument %s", prefix);
    return 0;
}

static void what_keeps_it_private_comes_last(void **state)
{
    (void)state;
    static const char *const extra[] = {"skip-networking=0", "datadir=/elsewhere"};
    const struct throwaway_options options = {.mariadbd = "/usr/sbin/mariadbd",
                                              .plain_bytes = 1000,
                                              .memory_bytes = 123456789,
                                              .extra = extra,
                                              .extra_count = 2};
    struct throwaway_arguments a;
    throwaway_arguments_make(&a, &options, "/private", false, false);
    assert_string_equal(a.argv[1], "--no-defaults");
    assert_null(a.argv[a.count]);
    assert_true(index_of(&a, "--skip-networking=0") < a.count);
    assert_true(index_of(&a, "--datadir=/elsewhere") < index_of(&a, "--datadir=/private/data"));
    assert_string_equal(a.argv[index_of(&a, "--innodb-buffer-pool-size")],
                        "--innodb-buffer-pool-size=123456789");
    unsigned last = 0;
    for (unsigned i = 0; i < a.count; i++)
        if (strcmp(a.argv[i], "--skip-networking") == 0)
            last = i;
    assert_true(last > index_of(&a, "--skip-networking=0"));
    if (geteuid() == 0)
        index_of(&a, "--user=root");
    throwaway_arguments_free(&a);
    throwaway_arguments_make(&a, &options, "/private", true, true);
    index_of(&a, "--bootstrap");
    for (unsigned i = 0; i < a.count; i++)
        assert_string_not_equal(a.argv[i], "--user=root");
    throwaway_arguments_free(&a);
}

static void room_grows_with_the_text(void **state)
{
    (void)state;
    assert_true(throwaway_disk_bytes(0) > 64 << 20);
    assert_true(throwaway_disk_bytes(UINT64_C(10) << 30) > UINT64_C(30) << 30);
    assert_true(throwaway_disk_bytes(UINT64_MAX) > UINT64_C(1) << 60);
}

static void the_log_tells_errors_first(void **state)
{
    (void)state;
    struct buf out;
    char *folder = tmpdir_make();
    buf_init(&out, 4096);
    throwaway_log_tail(folder, "missing", &out);
    assert_int_equal(out.len, 0);
    put(folder, "log", "one\ntwo\nthree\nfour\n", 0600);
    throwaway_log_tail(folder, "log", &out);
    assert_string_equal(buf_cstr(&out), "two | three | four");
    buf_clear(&out);
    put(folder, "log", "a [ERROR] one\nnote\nb [ERROR] two\nnote\nnote\nnote\n", 0600);
    throwaway_log_tail(folder, "log", &out);
    assert_string_equal(buf_cstr(&out), "a [ERROR] one | b [ERROR] two");
    buf_free(&out);
    tmpdir_remove(folder);
}

static void root_runs_it_as_mysql_where_that_can_get_to_it(void **state)
{
    (void)state;
    struct keeper_account a;
    char *folder = tmpdir_make(); /* closed to others */
    throwaway_account(folder, &a);
    assert_false(a.given);
    throwaway_account("/no/such/folder", &a);
    assert_false(a.given);
    tmpdir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_is_found),
        cmocka_unit_test(the_share_folder_is_beside_it),
        cmocka_unit_test(the_first_sql),
        cmocka_unit_test(what_keeps_it_private_comes_last),
        cmocka_unit_test(room_grows_with_the_text),
        cmocka_unit_test(the_log_tells_errors_first),
        cmocka_unit_test(root_runs_it_as_mysql_where_that_can_get_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
