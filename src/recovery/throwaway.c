#include "recovery/throwaway.h"

#include "core/fault.h"
#include "core/group.h"
#include "core/mem.h"
#include "recovery/machine.h"
#include "recovery/throwaway_setup.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_LIMIT_MS 120000
#define POLL_MS        20
/* How long the end of a server whose connections broke is waited for. */
#define EXPLAIN_MS 2000
/* A socket's path (unix(7), sun_path) with some room. */
#define SOCKET_PATH_MAX 100

struct throwaway {
    const struct run *run;
    struct throwaway_options options;
    struct keeper_account account;
    struct cancel *cancel; /* handed out: whoever works with the server may fire it too */
    struct cancel *ended;  /* fired by the watching thread alone, with why */
    struct cancel *stop;   /* ends the watching thread */
    struct group *watching;
    int64_t deadline_ms; /* monotonic; 0: none */
    char password[THROWAWAY_PASSWORD_BYTES];
    char *parent; /* absolute */
    char *socket, *defaults_file;
    struct db_params params;
};

const struct db_params *throwaway_params(const struct throwaway *t)
{
    return &t->params;
}

struct cancel *throwaway_cancel(struct throwaway *t)
{
    return t->cancel;
}

static int64_t time_left(const struct throwaway *t)
{
    if (!t->deadline_ms)
        return -1;
    int64_t left = t->deadline_ms - clock_monotonic_ms(t->run->clock);
    return left > 0 ? left : 0;
}

static enum err_code time_is_over(const struct throwaway *t, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "the drill was not done within %" PRId64 " minutes",
                   t->options.timeout_ms / 60000);
}

/* ---- what went wrong, in the server's words ---- */

/* "ended with status 1", "was ended by signal 9". */
static void describe_end(int status, char out[64])
{
    if (WIFSIGNALED(status))
        snprintf(out, 64, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(out, 64, "ended with status %d", WEXITSTATUS(status));
}

static void set_ended(const struct throwaway *t, const char *what, const char *log, int status,
                      struct err *err)
{
    char end[64];
    struct buf tail;
    buf_init(&tail, ERR_TEXT_BYTES);
    describe_end(status, end);
    throwaway_log_tail(keeper_path(t->options.keeper), log, &tail);
    err_set(err, ERR_DB, "%s %s%s%s", what, end, tail.len ? "; its log: " : "", buf_cstr(&tail));
    buf_free(&tail);
}

/* ---- the stages ---- */

static enum err_code make_password(char out[THROWAWAY_PASSWORD_BYTES], struct err *err)
{
    unsigned char bytes[(THROWAWAY_PASSWORD_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return ERR_OK;
}

static enum err_code check_space(const struct throwaway_options *o, struct err *err)
{
    uint64_t free_bytes = 0, needed = throwaway_disk_bytes(o->plain_bytes);
    enum err_code code = machine_free_disk(o->parent, &free_bytes, err);
    if (fault_errno("drill_space"))
        free_bytes = 0;
    if (code == ERR_OK && free_bytes < needed)
        code = err_set(err, ERR_REFUSED,
                       "a drill of this archive needs about %" PRIu64 " MiB in %s, and %" PRIu64
                       " MiB are free; name another folder with --drill-dir",
                       needed >> 20, o->parent, free_bytes >> 20);
    return code;
}

static enum err_code make_folder(struct throwaway *t, struct err *err)
{
    const struct throwaway_options *o = &t->options;
    throwaway_account(o->parent, &t->account);
    enum err_code code = keeper_folder(o->keeper, o->parent, t->run->run_id, &t->account, err);
    if (code != ERR_OK)
        return code;
    t->socket = xasprintf("%s/run/s", keeper_path(o->keeper));
    t->defaults_file = xasprintf("%s/client.cnf", keeper_path(o->keeper));
    if (strlen(t->socket) > SOCKET_PATH_MAX)
        code =
            err_set(err, ERR_USAGE,
                    "the path of the drill's socket, %s, is too long; name a shorter folder with --drill-dir",
                    t->socket);
    /* Empty: the user's option files have nothing to say about this server. */
    if (code == ERR_OK)
        code = throwaway_write_file(t->defaults_file, "", err);
    return code;
}

static enum err_code run_program(struct throwaway *t, bool bootstrap, struct err *err)
{
    const struct throwaway_options *o = &t->options;
    struct throwaway_arguments a;
    throwaway_arguments_make(&a, o, keeper_path(o->keeper), t->account.given, bootstrap);
    const struct keeper_program program = {.argv = (const char *const *)a.argv,
                                           .input = bootstrap ? THROWAWAY_INIT_SQL : NULL,
                                           .output = bootstrap ? THROWAWAY_INIT_LOG : THROWAWAY_LOG};
    pid_t pid;
    enum err_code code = keeper_run(o->keeper, &program, &pid, err);
    if (code == ERR_OK)
        log_debug(t->run->log, "%s %s as process %ld in %s", o->mariadbd,
                  bootstrap ? "makes its system tables" : "runs", (long)pid, keeper_path(o->keeper));
    throwaway_arguments_free(&a);
    return code;
}

/* The system tables; the SQL that holds the password is gone afterwards. */
static enum err_code initialise(struct throwaway *t, struct err *err)
{
    int status = 0;
    char *sql = xasprintf("%s/" THROWAWAY_INIT_SQL, keeper_path(t->options.keeper));
    enum err_code code = throwaway_write_init_sql(t->options.mariadbd, t->password, sql, err);
    if (code == ERR_OK)
        code = run_program(t, true, err);
    if (code == ERR_OK)
        code = keeper_wait(t->options.keeper, time_left(t), t->cancel, &status, err);
    unlink(sql);
    free(sql);
    if (code == ERR_TIMEOUT)
        return time_is_over(t, err);
    if (code == ERR_OK && status != 0) {
        set_ended(t, "the drill's server could not make its system tables: it", THROWAWAY_INIT_LOG, status,
                  err);
        code = err->code;
    }
    return code;
}

/* In a thread of its own: fires the token when the server ends or the time is over. */
static enum err_code watch(void *arg, struct err *err)
{
    struct throwaway *t = arg;
    struct err why;
    int status = 0;
    (void)err;
    enum err_code code = keeper_wait(t->options.keeper, time_left(t), t->stop, &status, &why);
    if (cancel_fired(t->stop))
        return ERR_OK;
    if (code == ERR_OK)
        set_ended(t, "the drill's server", THROWAWAY_LOG, status, &why);
    else if (code == ERR_TIMEOUT)
        time_is_over(t, &why);
    cancel_fire(t->ended, &why);
    cancel_fire(t->cancel, &why);
    return ERR_OK;
}

/* Tries to connect until the server answers. */
static enum err_code wait_ready(struct throwaway *t, struct err *err)
{
    int64_t give_up_ms = clock_monotonic_ms(t->run->clock) + START_LIMIT_MS;
    struct db_conn *c = NULL;
    struct err last;
    for (;;) {
        enum err_code code = db_connect(&t->params, t->cancel, &c, &last);
        db_close(c);
        if (code == ERR_OK)
            return ERR_OK;
        if (cancel_check(t->cancel, err) != ERR_OK)
            return err->code;
        if (clock_monotonic_ms(t->run->clock) > give_up_ms)
            return err_set(err, ERR_TIMEOUT, "the drill's server does not answer after %d s: %s",
                           START_LIMIT_MS / 1000, last.text);
        code = clock_backoff(POLL_MS, t->cancel, err);
        if (code != ERR_OK)
            return code;
    }
}

static enum err_code start_server(struct throwaway *t, struct err *err)
{
    t->params = (struct db_params){.defaults_file = t->defaults_file,
                                   .user = "root",
                                   .password = t->password,
                                   .socket = t->socket,
                                   .ssl_off = true};
    enum err_code code = run_program(t, false, err);
    if (code == ERR_OK)
        code = group_spawn(t->watching, "drill-server", watch, t, err);
    return code == ERR_OK ? wait_ready(t, err) : code;
}

enum err_code throwaway_start(const struct run *run, const struct throwaway_options *options,
                              struct throwaway **out, struct err *err)
{
    struct throwaway *t = xcalloc(1, sizeof *t);
    struct err own;
    err = err ? err : &own;
    t->run = run;
    t->options = *options;
    t->parent = realpath(options->parent, NULL);
    t->options.parent = t->parent;
    t->cancel = cancel_new_under(run->cancel);
    t->ended = cancel_new();
    t->stop = cancel_new();
    t->watching = group_new(t->stop);
    if (options->timeout_ms)
        t->deadline_ms = clock_monotonic_ms(run->clock) + options->timeout_ms;
    enum err_code code = ERR_OK;
    if (!t->parent)
        code = err_set_errno(err, ERR_STORAGE, errno, "use the folder %s for a drill", options->parent);
    if (code == ERR_OK)
        code = check_space(&t->options, err);
    if (code == ERR_OK)
        code = make_password(t->password, err);
    if (code == ERR_OK)
        code = make_folder(t, err);
    if (code == ERR_OK)
        code = fault_point("drill_folder", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = initialise(t, err);
    if (code == ERR_OK)
        code = fault_point("drill_initialised", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = start_server(t, err);
    if (code != ERR_OK) {
        throwaway_stop(t, NULL); /* what went wrong first is told */
        t = NULL;
    }
    *out = t;
    return code;
}

enum err_code throwaway_explain(struct throwaway *t, enum err_code code, struct err *err)
{
    struct err why;
    struct db_conn *c;
    if (code != ERR_DB_LOST && code != ERR_DB)
        return code;
    /* A broken connection may be noticed before the end of the process that broke it. */
    if (db_connect(&t->params, NULL, &c, &why) == ERR_OK)
        db_close(c);
    else
        clock_backoff(EXPLAIN_MS, t->ended, &why);
    return cancel_check(t->ended, &why) == ERR_OK ? code : err_copy(err, &why);
}

enum err_code throwaway_stop(struct throwaway *t, struct err *err)
{
    struct err done = {.code = ERR_OK};
    if (!t)
        return ERR_OK;
    err_set(&done, ERR_INTERNAL, "the drill is over");
    cancel_fire(t->stop, &done);
    group_free(t->watching);
    enum err_code code = keeper_end(t->options.keeper, err);
    cancel_free(t->stop);
    cancel_free(t->ended);
    cancel_free(t->cancel);
    explicit_bzero(t->password, sizeof t->password);
    free(t->parent);
    free(t->socket);
    free(t->defaults_file);
    free(t);
    return code;
}
