/* Keys that a program prints: see credentials_source.h.  Source: SDKs reference, "Process credential
 * provider". */
#include "aws/credentials_source.h"

#include "core/buf.h"
#include "core/fd_wait.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES (64 * 1024)
#define LIMIT_MS     60000
#define ARGUMENTS    256
#define WHAT         "credential_process"

void process_argv_free(char **argv)
{
    for (char **a = argv; a != NULL && *a != NULL; a++)
        secret_free(*a);
    free(argv);
}

/* Takes one word; *text is behind it afterwards.  false when a quote is not closed. */
static bool take_word(const char **text, struct buf *word)
{
    char quote = '\0';
    const char *s = *text;
    for (; *s != '\0' && (quote != '\0' || strchr(" \t\r\n", *s) == NULL); s++) {
        if (quote == '\0' && (*s == '"' || *s == '\'')) {
            quote = *s;
        } else if (*s == quote) {
            quote = '\0';
        } else {
            bool escape = *s == '\\' && (quote == '\0' || (quote == '"' && strchr("\"\\", s[1]) != NULL));
            if (escape && s[1] == '\0')
                return false;
            s += escape ? 1 : 0;
            buf_putn(word, s, 1);
        }
    }
    *text = s;
    return quote == '\0';
}

enum err_code process_split(const char *command, char ***argv, struct err *err)
{
    struct buf word;
    size_t count = 0;
    enum err_code rc = ERR_OK;
    *argv = xcalloc(ARGUMENTS + 1, sizeof **argv);
    buf_init(&word, strlen(command));
    for (const char *s = command + strspn(command, " \t\r\n"); *s != '\0' && rc == ERR_OK;
         s += strspn(s, " \t\r\n")) {
        buf_clear(&word);
        if (count == ARGUMENTS)
            rc = err_set(err, ERR_CONFIG, WHAT " has more than %d words", ARGUMENTS);
        else if (!take_word(&s, &word))
            rc = err_set(err, ERR_CONFIG, WHAT " has a quote or a backslash too many");
        else
            (*argv)[count++] = xstrdup(buf_cstr(&word));
    }
    if (rc == ERR_OK && count == 0)
        rc = err_set(err, ERR_CONFIG, WHAT " is empty");
    buf_free(&word);
    if (rc != ERR_OK) {
        process_argv_free(*argv);
        *argv = NULL;
    }
    return rc;
}

/* Not fork: other threads run.  Our threads block signals and the command ignores some; the program starts as
 * from a shell.  It has our standard error, to ask its user something. */
static int spawn_program(char **argv, char *const *environment, int output, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int e = posix_spawn_file_actions_init(&files);
    if (e != 0)
        return e;
    e = posix_spawnattr_init(&attributes);
    if (e == 0) {
        e = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
        if (e == 0)
            e = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
        if (e == 0)
            e = posix_spawnattr_setsigmask(&attributes, &none);
        if (e == 0)
            e = posix_spawnattr_setsigdefault(&attributes, &all);
        if (e == 0)
            e = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (e == 0)
            e = posix_spawnp(pid, argv[0], &files, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return e;
}

/* Reads until the program closes its output. */
static enum err_code read_output(const struct source_context *x, int fd, struct buf *out, struct err *err)
{
    const struct clock *clock = clock_system(); /* as fd_wait's */
    int64_t begin = clock_monotonic_ms(clock);
    struct fd_wait wait;
    enum err_code rc = ERR_OK;
    fd_wait_init(&wait, x->cancel);
    for (;;) {
        char piece[4096];
        rc = fd_wait_until(&wait, fd, POLLIN, begin + LIMIT_MS - clock_monotonic_ms(clock), WHAT, err);
        if (rc == ERR_TIMEOUT)
            rc = err_set(err, ERR_AWS, WHAT " did not end within %d s", LIMIT_MS / 1000);
        if (rc != ERR_OK)
            break;
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            rc = err_set_errno(err, ERR_CONFIG, errno, "read the output of " WHAT);
        else if (n > 0 && buf_add(out, piece, (size_t)n, NULL) != ERR_OK)
            rc = err_set(err, ERR_CONFIG, "the output of " WHAT " is longer than %d bytes", OUTPUT_BYTES);
        explicit_bzero(piece, sizeof piece);
        if (n == 0 || rc != ERR_OK)
            break;
    }
    fd_wait_end(&wait);
    return rc;
}

static enum err_code reap(pid_t pid, const char *program, struct err *err)
{
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set_errno(err, ERR_INTERNAL, errno, "wait for " WHAT " (%s)", program);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_CONFIG, WHAT " (%s) was ended by signal %d", program, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_CONFIG, WHAT " (%s) ended with status %d", program, WEXITSTATUS(status));
    return ERR_OK;
}

static enum err_code run_program(const struct source_context *x, char **argv, struct buf *out,
                                 struct err *err)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, ERR_INTERNAL, errno, "make a pipe for " WHAT);
    int e = spawn_program(argv, aws_config_settings(x->config)->environment, ends[1], &pid);
    close(ends[1]);
    if (e != 0) {
        close(ends[0]);
        return err_set_errno(err, ERR_CONFIG, e, "start the " WHAT " '%s'", argv[0]);
    }
    enum err_code rc = read_output(x, ends[0], out, err);
    close(ends[0]);
    if (rc != ERR_OK) {
        kill(pid, SIGKILL);
        reap(pid, argv[0], NULL);
        return rc;
    }
    return reap(pid, argv[0], err);
}

enum err_code source_process(const struct source_context *x, const char *command, struct aws_credentials *out,
                             struct err *err)
{
    struct buf output;
    char **argv;
    enum err_code rc = process_split(command, &argv, err);
    if (rc != ERR_OK)
        return rc;
    buf_init(&output, OUTPUT_BYTES);
    output.secret = true;
    rc = run_program(x, argv, &output, err);
    if (rc == ERR_OK &&
        credentials_parse_json(output.data, output.len, WHAT, "SessionToken", out, err) != ERR_OK)
        rc = err_recode(err, ERR_CONFIG);
    buf_free(&output);
    process_argv_free(argv);
    return rc;
}
