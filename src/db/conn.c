#include "db/conn.h"

#include "core/fault.h"
#include "core/mem.h"
#include "db/sqlerror.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* MySQL's number for require_secure_transport, which MariaDB's headers do not have. */
#define SECURE_TRANSPORT_REQUIRED 3159
#define SQL_MAX_BYTES             ((size_t)64 << 20)
#define MAX_PACKET_BYTES          ((size_t)1 << 30)

struct db_conn {
    MYSQL *mysql;
    struct cancel *cancel;
    struct cancel_hook hook;
    int socket; /* a duplicate, owned: Connector/C closes its own at an error, and its number may be reused */
    unsigned last_errno;
    uint64_t changed_rows, warnings; /* of the last db_execn */
    char *target;
    struct {
        db_load_fn *next; /* NULL outside of db_load */
        void *arg;
        struct err err;
        char info[128];
    } load;
};

struct db_rows {
    MYSQL_RES *res;
};

/* Wakes a call blocked on the network: it then fails as a lost connection. */
static void shut_socket(void *arg)
{
    struct db_conn *c = arg;
    shutdown(c->socket, SHUT_RDWR);
}

enum err_code db_error(struct db_conn *c, struct err *err, const char *format, ...)
{
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (cancel_check(c->cancel, err) != ERR_OK)
        return err ? err->code : ERR_SIGINT;
    c->last_errno = mysql_errno(c->mysql);
    if (c->last_errno == 0)
        return err_set(err, ERR_DB_LOST, "%s on %s: the connection ended", what, c->target);
    return err_set(err, sql_error_code(c->last_errno), "%s on %s: error %u: %s", what, c->target,
                   c->last_errno, mysql_error(c->mysql));
}

/* The first words of a statement, for messages: never values, which may be secret or long. */
static void statement_words(const char *sql, char out[48])
{
    size_t n = 0;
    while (sql[n] && sql[n] != '\n' && n < 44)
        n++;
    while (n > 0 && ((unsigned char)sql[n] & 0xC0) == 0x80)
        n--;
    memcpy(out, sql, n);
    strcpy(out + n, sql[n] ? "..." : "");
}

static enum err_code statement_error(struct db_conn *c, const char *sql, struct err *err)
{
    char words[48];
    statement_words(sql, words);
    return db_error(c, err, "%s", words);
}

/*
 * Connector/C reads option files only inside of mysql_real_connect, and there a file's value beats one that
 * was set by mysql_optionsv.  So one attempt is made that cannot succeed (a socket path that does not exist)
 * with CLIENT_REMEMBER_OPTIONS: it leaves what the files say in the handle, and what the command line says is
 * set on top.  What they say of host, user, password, socket and port is read from the handle itself: their
 * MARIADB_OPT_* numbers can be set, but mysql_get_optionv knows them in no version up to 3.3.20.
 */
static void read_option_files(MYSQL *mysql, const struct db_params *p)
{
    if (p->defaults_file)
        mysql_optionsv(mysql, MYSQL_READ_DEFAULT_FILE, p->defaults_file);
    mysql_optionsv(mysql, MYSQL_READ_DEFAULT_GROUP, "dbsafe");
    mysql_real_connect(mysql, "localhost", "none", "", NULL, 0, "/nonexistent/dbsafe.sock",
                       CLIENT_REMEMBER_OPTIONS);
}

static void set_text(MYSQL *mysql, enum mysql_option option, const char *value)
{
    if (value)
        mysql_optionsv(mysql, option, value);
}

static bool remembered(MYSQL *mysql, enum mysql_option option)
{
    char *value = NULL;
    return mysql_get_optionv(mysql, option, &value) == 0 && value && *value;
}

/* The command line's word, else the files'; NULL when neither has one. */
static const char *chosen(const char *given, const char *from_files)
{
    if (given)
        return given;
    return from_files && *from_files ? from_files : NULL;
}

struct endpoint {
    const char *host, *user, *password, *socket;
    unsigned port;
    bool local; /* a socket, or this host's loopback */
};

/* What to connect to: the command line over the option files over "localhost". */
static struct endpoint find_endpoint(const MYSQL *mysql, const struct db_params *p)
{
    const struct st_mysql_options *files = &mysql->options;
    struct endpoint e = {.host = chosen(p->host, p->socket ? NULL : files->host),
                         .user = chosen(p->user, files->user),
                         .password = chosen(p->password, files->password),
                         .port = p->port ? p->port : files->port};
    if (!e.host)
        e.host = "localhost";
    bool by_name = strcmp(e.host, "localhost") == 0;
    if (by_name && p->port != 0 && !p->socket)
        e.host = "127.0.0.1"; /* a port was asked for: as `mariadb --protocol=tcp` */
    else if (by_name)
        e.socket = chosen(p->socket, files->unix_socket);
    e.local = by_name || strncmp(e.host, "127.", 4) == 0 || strcmp(e.host, "::1") == 0;
    return e;
}

static void set_tls(MYSQL *mysql, const struct db_params *p, const struct endpoint *e)
{
    my_bool no = 0, yes = 1;
    set_text(mysql, MYSQL_OPT_SSL_CA, p->ssl_ca);
    set_text(mysql, MYSQL_OPT_SSL_CAPATH, p->ssl_capath);
    set_text(mysql, MYSQL_OPT_SSL_CERT, p->ssl_cert);
    set_text(mysql, MYSQL_OPT_SSL_KEY, p->ssl_key);
    set_text(mysql, MYSQL_OPT_SSL_CIPHER, p->ssl_cipher);
    bool asked = p->ssl_ca || p->ssl_capath || p->ssl_cert || p->ssl_key || p->ssl_cipher ||
                 remembered(mysql, MYSQL_OPT_SSL_CA) || remembered(mysql, MYSQL_OPT_SSL_CERT);
    bool wanted = !p->ssl_off && (asked || !e->local || p->password_for);
    if (p->ssl_off)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &no);
    else if (wanted)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, !p->ssl_no_verify && wanted ? &yes : &no);
}

static char *describe(const struct endpoint *e)
{
    const char *user = e->user ? e->user : "(this user)";
    if (e->socket)
        return xasprintf("%s@%s", user, e->socket);
    if (strcmp(e->host, "localhost") == 0) /* by the library's own socket, not by TCP */
        return xasprintf("%s@localhost", user);
    return xasprintf("%s@%s:%u", user, e->host, e->port ? e->port : 3306);
}

/* The four callbacks of LOAD DATA LOCAL: the file name that the server asks for is not looked at. */
static int load_init(void **state, const char *file, void *userdata)
{
    (void)file;
    struct db_conn *c = userdata;
    *state = c;
    if (!c->load.next)
        err_set(&c->load.err, ERR_DB, "the server asked for a file although nothing is being loaded");
    return c->load.next ? 0 : 1;
}

static int load_read(void *state, char *data, unsigned max)
{
    struct db_conn *c = state;
    size_t got = 0;
    if (c->load.err.code != ERR_OK || c->load.next(c->load.arg, data, max, &got, &c->load.err) != ERR_OK)
        return -1;
    return (int)got;
}

static void load_end(void *state)
{
    (void)state;
}

static int load_error(void *state, char *text, unsigned max)
{
    struct db_conn *c = state;
    snprintf(text, max, "%s", c ? c->load.err.text : "refused");
    return CR_UNKNOWN_ERROR;
}

/* Limits that would end a job of hours: idle and statement limits off, network waits an hour.  And what a
 * server's defaults or init_connect would quietly change: how many rows and warnings an answer holds, which
 * statements are committed, what IS NULL means, which checks are made. */
static enum err_code long_session(struct db_conn *c, struct err *err)
{
    return db_exec(
        c,
        "SET NAMES utf8mb4, SESSION net_write_timeout=3600, SESSION net_read_timeout=3600,"
        " SESSION wait_timeout=31536000, SESSION sql_quote_show_create=1, SESSION sql_mode='', SESSION "
        "time_zone='+00:00', SESSION autocommit=1, SESSION completion_type=0, SESSION unique_checks=1,"
        " SESSION sql_select_limit=18446744073709551615, SESSION sql_big_selects=1, SESSION "
        "sql_auto_is_null=0,"
        " SESSION sql_safe_updates=0, SESSION max_error_count=64"
        " /*M!100500 , SESSION sql_if_exists=0 */"
        " /*M!100100 , SESSION max_statement_time=0 */"
        " /*!50708 , SESSION max_execution_time=0 */" /* MySQL: MariaDB skips 50700 to 50999 */
        " /*M!100300 , SESSION idle_transaction_timeout=0, SESSION idle_readonly_transaction_timeout=0 */"
        /* MySQL 8 else answers with what it knew up to a day ago: of the next AUTO_INCREMENT value too */
        " /*!80000 , SESSION information_schema_stats_expiry=0 */",
        err);
}

static enum err_code connect_error(struct db_conn *c, bool iam, struct err *err)
{
    unsigned number = mysql_errno(c->mysql);
    enum err_code code = db_error(c, err, "connect");
    if (number == CR_SSL_CONNECTION_ERROR)
        err_hint(
            err,
            "; TLS is required and verified for servers that are not on this host: name the server's CA with"
            " --ssl-ca (for RDS its CA bundle)");
    else if (number == SECURE_TRANSPORT_REQUIRED)
        err_hint(err, "; the server wants TLS: name its CA with --ssl-ca");
    else if (code == ERR_CONFIG && iam)
        err_hint(err, "; with --iam-auth the account must be one of AWSAuthenticationPlugin, the keys need "
                      "rds-db:connect on"
                      " it, and host, port and region must be the endpoint's own");
    else if (code == ERR_CONFIG)
        err_hint(err,
                 "; the password comes from an option file, --password-file, MYSQL_PWD or a prompt (-p)");
    else if (code == ERR_DB_LOST)
        code = err_set(err, ERR_DB, "connect to %s: %s", c->target, mysql_error(c->mysql));
    return code;
}

#define PASSWORD_MAX_BYTES 65536

/* The password of this very connection, where one is made for each. */
static enum err_code make_password(const struct db_params *p, struct endpoint *e, struct cancel *cancel,
                                   struct buf *out, struct err *err)
{
    buf_init(out, PASSWORD_MAX_BYTES);
    out->secret = true;
    if (!p->password_for)
        return ERR_OK;
    if (p->ssl_off)
        return err_set(err, ERR_CONFIG, "connect: IAM authentication goes over TLS only");
    if (e->socket || strcmp(e->host, "localhost") == 0)
        return err_set(err, ERR_CONFIG,
                       "connect: IAM authentication needs the host name of the RDS endpoint (-h)");
    if (!e->user)
        return err_set(err, ERR_CONFIG, "connect: IAM authentication needs the name of the account (-u)");
    enum err_code code =
        p->password_for(p->password_arg, e->host, e->port ? e->port : 3306, e->user, cancel, out, err);
    if (code == ERR_OK)
        e->password = buf_cstr(out);
    return code;
}

enum err_code db_connect(const struct db_params *p, struct cancel *cancel, struct db_conn **out,
                         struct err *err)
{
    *out = NULL;
    enum err_code code = cancel_check(cancel, err);
    if (code != ERR_OK)
        return code;
    struct db_conn *c = xcalloc(1, sizeof *c);
    c->cancel = cancel;
    c->socket = -1;
    c->mysql = mysql_init(NULL);
    if (!c->mysql) {
        free(c);
        return err_set(err, ERR_NOMEM, "connect: no memory for a connection");
    }
    read_option_files(c->mysql, p);
    struct endpoint e = find_endpoint(c->mysql, p);
    struct buf password;
    c->target = describe(&e);
    code = make_password(p, &e, cancel, &password, err);
    if (code != ERR_OK)
        goto out;
    set_tls(c->mysql, p, &e);
    size_t packet = MAX_PACKET_BYTES;
    unsigned timeout = p->connect_timeout_s ? p->connect_timeout_s : 10;
    unsigned local_infile = 1;
    my_bool reconnect = 0;
    mysql_optionsv(c->mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(c->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_optionsv(c->mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    mysql_optionsv(c->mysql, MYSQL_OPT_RECONNECT, &reconnect);
    mysql_optionsv(c->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(c->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "dbsafe");
    /* Before the first byte of the server: no moment in which it could ask for a file of its choice. */
    mysql_set_local_infile_handler(c->mysql, load_init, load_read, load_end, load_error, c);
    if (!mysql_real_connect(c->mysql, e.host, e.user, e.password, NULL, e.port, e.socket, 0)) {
        code = connect_error(c, p->password_for != NULL, err);
        goto out;
    }
    c->socket = fcntl((int)mysql_get_socket(c->mysql), F_DUPFD_CLOEXEC, 0);
    if (c->socket < 0) {
        code = err_set_errno(err, ERR_DB, errno, "connect to %s", c->target);
        goto out;
    }
    c->hook = (struct cancel_hook){.wake = shut_socket, .arg = c};
    cancel_add_hook(cancel, &c->hook);
    code = long_session(c, err);
out:
    buf_free(&password);
    if (code != ERR_OK) {
        db_close(c);
        return code;
    }
    *out = c;
    return ERR_OK;
}

void db_close(struct db_conn *c)
{
    if (!c)
        return;
    if (c->socket >= 0)
        cancel_remove_hook(c->cancel, &c->hook);
    mysql_close(c->mysql);
    if (c->socket >= 0)
        close(c->socket);
    free(c->target);
    free(c);
}

unsigned long db_id(const struct db_conn *c)
{
    return mysql_thread_id(c->mysql);
}

const char *db_version(const struct db_conn *c)
{
    return mysql_get_server_info(c->mysql);
}

const char *db_target(const struct db_conn *c)
{
    return c->target;
}

unsigned db_errno(const struct db_conn *c)
{
    return c->last_errno;
}

void *db_handle(struct db_conn *c)
{
    return c->mysql;
}

static enum err_code send_statement(struct db_conn *c, const char *sql, size_t bytes, struct err *err)
{
    enum err_code code = cancel_check(c->cancel, err);
    if (code != ERR_OK)
        return code;
    code = fault_point("db_query", ERR_DB, err);
    if (code != ERR_OK)
        return code;
    c->last_errno = 0;
    if (mysql_real_query(c->mysql, sql, bytes) != 0)
        return statement_error(c, sql, err);
    return ERR_OK;
}

/* Reads away every result of what was sent. */
static enum err_code drain(struct db_conn *c, const char *sql, struct err *err)
{
    for (;;) {
        MYSQL_RES *res = mysql_store_result(c->mysql);
        if (res)
            mysql_free_result(res);
        else if (mysql_errno(c->mysql) != 0)
            return statement_error(c, sql, err);
        int next = mysql_next_result(c->mysql);
        if (next < 0)
            return ERR_OK;
        if (next > 0)
            return statement_error(c, sql, err);
    }
}

enum err_code db_exec(struct db_conn *c, const char *sql, struct err *err)
{
    enum err_code code = send_statement(c, sql, strlen(sql), err);
    return code != ERR_OK ? code : drain(c, sql, err);
}

enum err_code db_execn(struct db_conn *c, const char *sql, size_t bytes, struct err *err)
{
    enum err_code code = send_statement(c, sql, bytes, err);
    c->changed_rows = mysql_affected_rows(c->mysql); /* asking for a next result forgets it */
    c->warnings = mysql_warning_count(c->mysql);
    return code != ERR_OK ? code : drain(c, sql, err);
}

void db_changes(const struct db_conn *c, uint64_t *rows, uint64_t *warnings)
{
    *rows = c->changed_rows;
    *warnings = c->warnings;
}

/* Formats SQL of any length. */
static void format_sql(struct buf *sql, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = xmalloc((size_t)bytes + 1);
    vsnprintf(text, (size_t)bytes + 1, format, args);
    buf_putn(sql, text, (size_t)bytes);
    free(text);
}

enum err_code db_execf(struct db_conn *c, struct err *err, const char *format, ...)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    va_list args;
    va_start(args, format);
    format_sql(&sql, format, args);
    va_end(args);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

enum err_code db_send(struct db_conn *c, const char *sql, struct err *err)
{
    c->last_errno = 0;
    if (mysql_send_query(c->mysql, sql, strlen(sql)) != 0)
        return statement_error(c, sql, err);
    return ERR_OK;
}

enum err_code db_reap(struct db_conn *c, struct err *err)
{
    if (mysql_read_query_result(c->mysql) != 0)
        return db_error(c, err, "statement");
    return drain(c, "statement", err);
}

enum err_code db_query(struct db_conn *c, const char *sql, struct db_rows **out, struct err *err)
{
    *out = NULL;
    enum err_code code = send_statement(c, sql, strlen(sql), err);
    if (code != ERR_OK)
        return code;
    MYSQL_RES *res = mysql_store_result(c->mysql);
    if (!res)
        return statement_error(c, sql, err);
    *out = xmalloc(sizeof **out);
    (*out)->res = res;
    return ERR_OK;
}

enum err_code db_queryf(struct db_conn *c, struct db_rows **out, struct err *err, const char *format, ...)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    va_list args;
    va_start(args, format);
    format_sql(&sql, format, args);
    va_end(args);
    enum err_code code = db_query(c, buf_cstr(&sql), out, err);
    buf_free(&sql);
    return code;
}

const char *const *db_row(struct db_rows *rows)
{
    return (const char *const *)mysql_fetch_row(rows->res);
}

const unsigned long *db_row_lengths(struct db_rows *rows)
{
    return mysql_fetch_lengths(rows->res);
}

uint64_t db_row_count(const struct db_rows *rows)
{
    return mysql_num_rows(rows->res);
}

void db_rows_free(struct db_rows *rows)
{
    if (!rows)
        return;
    mysql_free_result(rows->res);
    free(rows);
}

enum err_code db_scalar(struct db_conn *c, const char *sql, struct buf *out, bool *found, struct err *err)
{
    struct db_rows *rows;
    buf_clear(out);
    enum err_code code = db_query(c, sql, &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (found)
        *found = row != NULL;
    if (row && row[0])
        code = buf_add(out, row[0], db_row_lengths(rows)[0], err);
    db_rows_free(rows);
    return code;
}

enum err_code db_load(struct db_conn *c, const char *sql, db_load_fn *next, void *arg, struct err *err)
{
    c->load.next = next;
    c->load.arg = arg;
    c->load.err.code = ERR_OK;
    c->load.info[0] = '\0';
    enum err_code code = send_statement(c, sql, strlen(sql), err);
    c->load.next = NULL;
    if (c->load.err.code != ERR_OK)
        return err_copy(err, &c->load.err);
    if (code == ERR_OK && mysql_info(c->mysql))
        snprintf(c->load.info, sizeof c->load.info, "%s", mysql_info(c->mysql));
    return code;
}

const char *db_load_info(const struct db_conn *c)
{
    return c->load.info;
}

enum err_code db_kill(struct db_conn *c, unsigned long id, struct err *err)
{
    enum err_code code = db_execf(c, err, "KILL %lu", id);
    return code != ERR_OK && c->last_errno == ER_NO_SUCH_THREAD ? ERR_OK : code;
}
