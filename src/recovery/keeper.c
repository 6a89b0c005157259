#include "recovery/keeper.h"

#include "core/buf.h"
#include "core/fd_wait.h"
#include "core/mem.h"
#include "recovery/keeper_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper {
    int socket; /* -1: ended */
    pid_t pid;
    char *path; /* of the folder; NULL: none yet */
};

/* In the new process: nothing of the command's stays open, and no terminal reaches it. */
static int be_keeper(int socket)
{
    setsid();
    prctl(PR_SET_NAME, "dbsafe-keeper");
    int null = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    int kept = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (kept < 0 || dup2(kept, STDERR_FILENO + 1) < 0)
        return 1;
    fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC);
    close_range(STDERR_FILENO + 2, ~0U, 0);
    if (chdir("/") != 0)
        return 1;
    return keeper_serve(STDERR_FILENO + 1);
}

enum err_code keeper_start(struct keeper **out, struct err *err)
{
    int ends[2];
    *out = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set_errno(err, ERR_INTERNAL, errno, "make a socket for the drill's keeper");
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_keeper(ends[1]));
    int errnum = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_set_errno(err, ERR_NOMEM, errnum, "start the drill's keeper");
    }
    *out = xcalloc(1, sizeof **out);
    **out = (struct keeper){.socket = ends[0], .pid = pid};
    return ERR_OK;
}

enum err_code keeper_end(struct keeper *k, struct err *err)
{
    int status = 0;
    if (!k || k->socket < 0)
        return ERR_OK;
    close(k->socket);
    k->socket = -1;
    while (waitpid(k->pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set_errno(err, ERR_INTERNAL, errno, "wait for the drill's keeper");
    if (k->path && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return err_set(err, ERR_STORAGE, "the drill's folder %s could not be removed: remove it", k->path);
    return ERR_OK;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    keeper_end(k, NULL); /* who wants to know ends it before */
    free(k->path);
    free(k);
}

const char *keeper_path(const struct keeper *k)
{
    return k->path;
}

static enum err_code receive(struct keeper *k, struct keeper_reply *reply, struct err *err)
{
    ssize_t n;
    do
        n = recv(k->socket, reply, sizeof *reply, 0);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof *reply)
        return ERR_OK;
    return err_set(err, ERR_INTERNAL, "the process that keeps the drill's server has ended unexpectedly");
}

/* Sends a request and waits for its answer; subject is for messages. */
static enum err_code ask(struct keeper *k, const struct keeper_request *request, const char *const *texts,
                         const char *subject, struct keeper_reply *reply, struct err *err)
{
    struct buf message;
    buf_init(&message, KEEPER_MESSAGE_BYTES);
    enum err_code code = buf_add(&message, request, sizeof *request, err);
    for (unsigned i = 0; code == ERR_OK && i < request->text_count; i++)
        code = buf_add(&message, texts[i], strlen(texts[i]) + 1, err);
    if (code == ERR_OK && k->socket < 0)
        code = err_set(err, ERR_INTERNAL, "the drill's keeper has ended");
    if (code == ERR_OK && send(k->socket, message.data, message.len, MSG_NOSIGNAL) < 0)
        code = err_set_errno(err, ERR_INTERNAL, errno, "ask the drill's keeper");
    buf_free(&message);
    if (code == ERR_OK)
        code = receive(k, reply, err);
    if (code == ERR_OK && reply->errnum)
        code = err_set_errno(err, ERR_STORAGE, reply->errnum, "%s %s", reply->what, subject);
    return code;
}

enum err_code keeper_folder(struct keeper *k, const char *parent, const char *name,
                            const struct keeper_account *account, struct err *err)
{
    struct keeper_reply reply;
    struct keeper_request request;
    memset(&request, 0, sizeof request); /* it is sent as it stands in memory, padding too */
    request.kind = KEEPER_MAKE_FOLDER;
    request.text_count = 2;
    request.account.given = account->given;
    request.account.uid = account->uid;
    request.account.gid = account->gid;
    k->path = xasprintf("%s/" KEEPER_PREFIX "%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    const char *const texts[] = {parent, k->path};
    return ask(k, &request, texts, k->path, &reply, err);
}

enum err_code keeper_run(struct keeper *k, const struct keeper_program *program, pid_t *pid, struct err *err)
{
    struct keeper_reply reply;
    const char *texts[KEEPER_ARGS_MAX + 2] = {program->input ? program->input : "",
                                              program->output ? program->output : ""};
    unsigned count = 0;
    for (; program->argv[count]; count++) {
        if (count == KEEPER_ARGS_MAX)
            return err_set(err, ERR_USAGE, "more than %d arguments for %s", KEEPER_ARGS_MAX,
                           program->argv[0]);
        texts[count + 2] = program->argv[count];
    }
    const struct keeper_request request = {.kind = KEEPER_RUN, .text_count = count + 2};
    enum err_code code = ask(k, &request, texts, program->argv[0], &reply, err);
    if (code == ERR_OK && pid)
        *pid = reply.pid;
    return code;
}

enum err_code keeper_wait(struct keeper *k, int64_t timeout_ms, struct cancel *cancel, int *status,
                          struct err *err)
{
    struct keeper_reply reply;
    struct fd_wait w;
    enum err_code code = ERR_OK;
    fd_wait_init(&w, cancel);
    struct pollfd fds[] = {{.fd = k->socket, .events = POLLIN}, {.fd = w.wake_fd, .events = POLLIN}};
    int limit = timeout_ms < 0 ? -1 : timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    int found = poll(fds, 2, limit);
    while (found < 0 && errno == EINTR)
        found =
            poll(fds, 2, limit); /* signals are blocked in threads: this is rare, and a longer wait no harm */
    if (found < 0)
        code = err_set_errno(err, ERR_INTERNAL, errno, "wait for the drill's program");
    else if (fds[0].revents == 0)
        code = cancel_check(cancel, err);
    if (code == ERR_OK && found == 0)
        code = err_set(err, ERR_TIMEOUT, "the drill's program did not end in %lld s",
                       (long long)timeout_ms / 1000);
    fd_wait_end(&w);
    if (code == ERR_OK)
        code = receive(k, &reply, err);
    if (code == ERR_OK)
        *status = reply.status;
    return code;
}
