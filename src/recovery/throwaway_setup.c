#include "recovery/throwaway_setup.h"

#include "core/fault.h"
#include "core/mem.h"
#include "core/sink.h"
#include "core/source.h"
#include "recovery/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

#define SQL_FILE_MAX_BYTES ((size_t)16 << 20)
#define TAIL_BYTES         ((size_t)16 << 10)
#define TAIL_LINES         3

/* ---- the program ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first folder of a PATH-like list that has a mariadbd; absolute ones only. */
static char *find_in(const char *folders)
{
    for (const char *p = folders; p && *p;) {
        size_t length = strcspn(p, ":");
        char *path = xasprintf("%.*s/mariadbd", (int)length, p);
        if (*path == '/' && is_program(path))
            return path;
        free(path);
        p += length + (p[length] == ':');
    }
    return NULL;
}

enum err_code throwaway_find(const char *given, const char *path_variable, char **out, struct err *err)
{
    static const char usual[] = "/usr/sbin:/usr/local/sbin:/usr/libexec:/usr/bin:/usr/local/bin"
                                ":/usr/local/mysql/bin:/usr/local/mariadb/bin:/opt/mariadb/bin";
    *out = NULL;
    if (given) {
        *out = realpath(given, NULL);
        if (*out && is_program(*out))
            return ERR_OK;
        free(*out);
        *out = NULL;
        return err_set(err, ERR_NOT_FOUND, "there is no program %s", given);
    }
    bool looked = fault_errno("drill_no_server") == 0;
    *out = looked ? find_in(path_variable) : NULL;
    if (looked && !*out)
        *out = find_in(usual);
    if (*out)
        return ERR_OK;
    return err_set(
        err, ERR_NOT_FOUND,
        "a drill needs a MariaDB server on this machine, and there is no mariadbd in PATH, %s: install one"
        " (Debian: mariadb-server-core; nothing is started by that), or name it with --mariadbd",
        usual);
}

/* ---- the account ---- */

/* Whether every folder on the way may be passed by everybody. */
static bool others_may_pass(const char *path)
{
    char *part = realpath(path, NULL);
    bool may = part != NULL;
    while (may) {
        struct stat st;
        may = stat(*part ? part : "/", &st) == 0 && (st.st_mode & S_IXOTH);
        if (!*part)
            break;
        *strrchr(part, '/') = '\0';
    }
    free(part);
    return may;
}

void throwaway_account(const char *parent, struct keeper_account *out)
{
    const struct passwd *p = geteuid() == 0 ? getpwnam("mysql") : NULL;
    *out = (struct keeper_account){.given = false};
    if (p && p->pw_uid != 0 && others_may_pass(parent))
        *out = (struct keeper_account){.given = true, .uid = p->pw_uid, .gid = p->pw_gid};
}

/* ---- the arguments ---- */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Twice the text, if a quarter of what is free has room for it. */
static uint64_t pool_bytes(const struct throwaway_options *o)
{
    if (o->memory_bytes)
        return o->memory_bytes;
    uint64_t most = clamp(machine_free_memory("") / 4, 64 * MIB, 1024 * MIB);
    return clamp(2 * clamp(o->plain_bytes, 0, 1024 * MIB), 64 * MIB, most);
}

static uint64_t log_file_bytes(uint64_t plain_bytes)
{
    return clamp(plain_bytes / 2, 16 * MIB, 256 * MIB);
}

/* Rows take about the room of their text and keys as much again; while keys are added both stand twice.
 * The server's own files are about 32 MiB. */
uint64_t throwaway_disk_bytes(uint64_t plain_bytes)
{
    uint64_t rows = plain_bytes > UINT64_MAX / 8 ? UINT64_MAX / 2 : 3 * plain_bytes;
    return rows + log_file_bytes(plain_bytes) + 64 * MIB;
}

static void add(struct throwaway_arguments *a, char *text)
{
    a->argv = xreallocarray(a->argv, a->count + 2, sizeof *a->argv);
    a->argv[a->count++] = text;
    a->argv[a->count] = NULL;
}

/* What loads fast: a crash of this server loses everything anyway. */
static const char *const fast[] = {
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-autoinc-lock-mode=2",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--innodb-buffer-pool-load-at-startup=0",
    "--performance-schema=0",
};

/* What keeps it private and exact.  These come last: nothing may override them. */
static const char *const private[] = {
    "--skip-networking",       "--skip-name-resolve",   "--skip-log-bin",
    "--skip-slave-start",      "--event-scheduler=OFF", "--local-infile=1",
    "--max-allowed-packet=1G", "--skip-symbolic-links", "--lower-case-table-names=0",
};

void throwaway_arguments_make(struct throwaway_arguments *a, const struct throwaway_options *options,
                              const char *folder, bool dropped, bool bootstrap)
{
    char *share = throwaway_share(options->mariadbd);
    *a = (struct throwaway_arguments){NULL, 0};
    add(a, xstrdup(options->mariadbd));
    add(a, xstrdup("--no-defaults"));
    if (share) {
        add(a, xasprintf("--lc-messages-dir=%s", share));
        add(a, xasprintf("--character-sets-dir=%s/charsets", share));
    }
    for (size_t i = 0; i < sizeof fast / sizeof fast[0]; i++)
        add(a, xstrdup(fast[i]));
    add(a, xasprintf("--innodb-buffer-pool-size=%" PRIu64, bootstrap ? 64 * MIB : pool_bytes(options)));
    add(a, xasprintf("--innodb-log-file-size=%" PRIu64, log_file_bytes(options->plain_bytes)));
    for (unsigned i = 0; i < options->extra_count; i++)
        add(a, xasprintf("--%s", options->extra[i]));
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
        add(a, xstrdup(private[i]));
    add(a, xasprintf("--datadir=%s/data", folder));
    add(a, xasprintf("--tmpdir=%s/tmp", folder));
    add(a, xasprintf("--secure-file-priv=%s/tmp", folder));
    add(a, xasprintf("--socket=%s/run/s", folder));
    add(a, xasprintf("--pid-file=%s/run/pid", folder));
    if (geteuid() == 0 && !dropped)
        add(a, xstrdup("--user=root"));
    if (bootstrap) {
        add(a, xstrdup("--bootstrap"));
        add(a, xstrdup("--enforce-storage-engine="));
        add(a, xstrdup("--log-warnings=0"));
    }
    free(share);
}

void throwaway_arguments_free(struct throwaway_arguments *a)
{
    for (unsigned i = 0; i < a->count; i++)
        free(a->argv[i]);
    free(a->argv);
}

/* ---- the system tables ---- */

/* The SQL that makes them, in this order; "mysql" became "mariadb" in the names of 11.0. */
static const char *const sql_files[] = {"system_tables.sql", "performance_tables.sql",
                                        "system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql",
                                        "sys_schema.sql"};

static char *sql_file(const char *share, const char *name)
{
    static const char *const prefixes[] = {"mariadb_", "mysql_", ""};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char *path = xasprintf("%s/%s%s", share, prefixes[i], name);
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *throwaway_share(const char *mariadbd)
{
    static const char *const beside[] = {"share/mysql", "share/mariadb", "share"};
    /* "/usr/sbin/mariadbd" -> "/usr/" */
    const char *end = strrchr(mariadbd, '/');
    while (end && end > mariadbd && end[-1] != '/')
        end--;
    for (size_t i = 0; end && i < sizeof beside / sizeof beside[0]; i++) {
        char *share = xasprintf("%.*s%s", (int)(end - mariadbd), mariadbd, beside[i]);
        char *file = sql_file(share, sql_files[0]);
        free(file);
        if (file)
            return share;
        free(share);
    }
    return NULL;
}

static enum err_code append_file(const char *path, struct buf *out, struct err *err)
{
    struct source *source;
    enum err_code code = source_file_open(path, &source, err);
    if (code != ERR_OK)
        return code;
    size_t got = 0;
    code = buf_reserve(out, (size_t)source->size + 1, err);
    if (code == ERR_OK)
        code = source_read(source, 0, out->data + out->len, (size_t)source->size, &got, err);
    out->len += code == ERR_OK ? got : 0;
    source_free(source);
    return code == ERR_OK ? buf_addc(out, '\n', err) : code;
}

static enum err_code append_files(const char *share, struct buf *sql, struct err *err)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof sql_files / sizeof sql_files[0]; i++) {
        char *path = sql_file(share, sql_files[i]);
        bool needed = i == 0 || i == 2; /* old versions lack the others */
        if (path)
            code = append_file(path, sql, err);
        else if (needed)
            code = err_set(err, ERR_NOT_FOUND, "there is no mariadb_%s in %s", sql_files[i], share);
        free(path);
    }
    return code;
}

enum err_code throwaway_write_file(const char *path, const char *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_STORAGE, errno, "make %s", path);
    struct sink *sink = sink_fd_new(fd, path, NULL);
    enum err_code code = sink_write(sink, text, strlen(text), err);
    sink_free(sink);
    if (close(fd) != 0 && code == ERR_OK)
        code = err_set_errno(err, ERR_STORAGE, errno, "write %s", path);
    return code;
}

enum err_code throwaway_write_init_sql(const char *mariadbd, const char *password, const char *path,
                                       struct err *err)
{
    char *share = throwaway_share(mariadbd);
    struct buf sql;
    if (!share)
        return err_set(
            err, ERR_NOT_FOUND,
            "there is no mariadb_system_tables.sql or mysql_system_tables.sql in the share folders near %s",
            mariadbd);
    buf_init(&sql, SQL_FILE_MAX_BYTES);
    sql.secret = true;
    buf_put(&sql, "create database mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n");
    enum err_code code = append_files(share, &sql, err);
    if (code == ERR_OK) {
        buf_putf(&sql,
                 "delete from mysql.global_priv where User<>'mariadb.sys' and not (User='root' and "
                 "Host='localhost');\n"
                 "delete from mysql.proxies_priv where Host<>'localhost';\n"
                 "flush privileges;\nalter user root@localhost identified by '%s';\n",
                 password);
        code = throwaway_write_file(path, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    free(share);
    return code;
}

/* ---- the log ---- */

/* The last lines of text, those with an error first choice, joined by " | ". */
static void put_last_lines(char *text, const char *only, struct buf *out)
{
    const char *lines[TAIL_LINES];
    unsigned count = 0;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (only && !strstr(line, only))
            continue;
        if (count == TAIL_LINES)
            memmove(lines, lines + 1, (TAIL_LINES - 1) * sizeof lines[0]);
        else
            count++;
        lines[count - 1] = line;
    }
    for (unsigned i = 0; i < count; i++)
        buf_putf(out, "%s%.400s", i ? " | " : "", lines[i]);
}

void throwaway_log_tail(const char *folder, const char *log, struct buf *out)
{
    char *path = xasprintf("%s/%s", folder, log), text[TAIL_BYTES + 1];
    struct source *source = NULL;
    size_t got = 0;
    if (source_file_open(path, &source, NULL) == ERR_OK) {
        uint64_t from = source->size > TAIL_BYTES ? source->size - TAIL_BYTES : 0;
        if (source_read(source, from, text, TAIL_BYTES, &got, NULL) != ERR_OK)
            got = 0;
    }
    source_free(source);
    free(path);
    text[got] = '\0';
    char *again = xstrdup(text);
    put_last_lines(text, "ERROR", out);
    if (out->len == 0)
        put_last_lines(again, NULL, out);
    free(again);
}
