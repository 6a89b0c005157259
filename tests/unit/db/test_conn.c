/* What is connected to is seen in the message of a connection that is refused: no server is needed. */
#include "support/test.h"

#include "db/conn.h"

#include <mysql.h>
#include <string.h>

/* Of mysql/client_plugin.h, which does not compile as Debian ships it. */
#define MYSQL_CLIENT_AUTHENTICATION_PLUGIN 2
struct st_mysql_client_plugin *mysql_client_find_plugin(MYSQL *mysql, const char *name, int type);

struct place {
    char *dir, *file;
};

static struct place place;

static int make_place(void **state)
{
    (void)state;
    place.dir = tmpdir_make();
    if (asprintf(&place.file, "%s/client.cnf", place.dir) < 0)
        abort();
    unsetenv("MYSQL_HOST");
    unsetenv("MYSQL_UNIX_PORT");
    unsetenv("MYSQL_TCP_PORT");
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    free(place.file);
    tmpdir_remove(place.dir);
    return 0;
}

/* Port 1 answers nobody. */
static void assert_target(const char *options, struct db_params params, const char *want)
{
    struct db_conn *c;
    struct err err;
    FILE *f = fopen(place.file, "we");
    assert_non_null(f);
    fprintf(f, "[client]\n%s", options);
    assert_int_equal(fclose(f), 0);
    params.defaults_file = place.file;
    assert_err(db_connect(&params, NULL, &c, &err), ERR_DB, &err);
    assert_null(c);
    if (!strstr(err.text, want))
        fail_msg("'%s' is not in '%s'", want, err.text);
}

static void option_files_say_where(void **state)
{
    (void)state;
    const struct db_params nothing = {0};
    assert_target("host=127.0.0.2\nport=1\nuser=u\npassword=p\n", nothing, " u@127.0.0.2:1:");
    assert_target("host=127.0.0.2\nport=1\nuser=u\nsocket=/nonexistent/s\n", nothing, " u@127.0.0.2:1:");
    assert_target("user=u\nsocket=/nonexistent/s\n", nothing, " u@/nonexistent/s:");
    assert_target("host=localhost\nuser=u\nport=1\nsocket=/nonexistent/s\n", nothing, " u@/nonexistent/s:");
}

static void the_command_line_wins(void **state)
{
    (void)state;
    static const char file[] = "host=127.0.0.3\nport=2\nuser=u\nsocket=/nonexistent/s\n";
    assert_target(file, (struct db_params){.host = "127.0.0.2", .port = 1, .user = "v"}, " v@127.0.0.2:1:");
    assert_target(file, (struct db_params){.host = "127.0.0.2"}, " u@127.0.0.2:2:");
    assert_target(file, (struct db_params){.port = 1}, " u@127.0.0.3:1:");
    assert_target(file, (struct db_params){.socket = "/nonexistent/x"}, " u@/nonexistent/x:");
    assert_target(file, (struct db_params){.host = "localhost"}, " u@/nonexistent/s:");
    assert_target(file, (struct db_params){.host = "localhost", .port = 1}, " u@127.0.0.1:1:");
}

static void a_cancelled_command_connects_nowhere(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new();
    struct db_params params = {.host = "127.0.0.2", .port = 1, .defaults_file = "/dev/null"};
    struct db_conn *c;
    struct err err;
    err_set(&err, ERR_SIGINT, "cancelled");
    cancel_fire(cancel, &err);
    assert_err(db_connect(&params, cancel, &c, &err), ERR_SIGINT, &err);
    assert_null(c);
    db_close(NULL);
    cancel_free(cancel);
}

/* What MySQL 8 and RDS log in with comes as plugins of Connector/C, in the folder that Debian compiled in: an
 * installation without them could not connect. */
static void login_plugins_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"mysql_native_password", "caching_sha2_password", "sha256_password",
                                        "mysql_clear_password"};
    MYSQL *mysql = mysql_init(NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!mysql_client_find_plugin(mysql, names[i], MYSQL_CLIENT_AUTHENTICATION_PLUGIN))
            fail_msg("%s: %s", names[i], mysql_error(mysql));
    mysql_close(mysql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_plugins_are_found),
        cmocka_unit_test(option_files_say_where),
        cmocka_unit_test(the_command_line_wins),
        cmocka_unit_test(a_cancelled_command_connects_nowhere),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
