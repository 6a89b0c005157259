#include "recovery/keeper_process.h"

#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME      "lock"
#define LOCK_FREE_NAME "lock.new"
/* A folder without a lock may be about to get one; an older one belongs to a keeper that died on the way. */
#define YOUNG_S 3600
/* The program is the first to go when memory runs out (proc(5), oom_score_adj). */
#define OOM_SCORE "800"

struct serving {
    int socket;
    char *folder;  /* NULL: none yet */
    int folder_fd; /* -1: none */
    int lock_fd;
    struct keeper_account account;
    pid_t program; /* 0: none runs */
};

/* ---- folders ---- */

/* Removes name below dir_fd with all that is in it, never following a link; 0 or the first errno. */
static int remove_tree(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return errno;
    int first = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int failed = remove_tree(fd, e->d_name);
        first = first ? first : failed;
    }
    closedir(dir);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && first == 0)
        first = errno;
    return first;
}

/* Whether a folder of ours has no living keeper: nobody holds its lock, or it is old and has none. */
static bool is_abandoned(int folder_fd)
{
    struct stat st;
    if (fstat(folder_fd, &st) != 0 || st.st_uid != geteuid())
        return false;
    int lock = openat(folder_fd, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0)
        return errno == ENOENT && st.st_mtime + YOUNG_S < time(NULL);
    bool abandoned = flock(lock, LOCK_EX | LOCK_NB) == 0;
    close(lock);
    return abandoned;
}

static void sweep(const char *parent)
{
    DIR *dir = opendir(parent);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, KEEPER_PREFIX, strlen(KEEPER_PREFIX)) != 0)
            continue;
        int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (is_abandoned(fd))
            remove_tree(dirfd(dir), e->d_name);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

static int make_part(const struct serving *s, const char *name)
{
    if (mkdirat(s->folder_fd, name, 0700) != 0)
        return errno;
    if (s->account.given && fchownat(s->folder_fd, name, s->account.uid, s->account.gid, 0) != 0)
        return errno;
    return 0;
}

/* The lock has its name only when it is held: a sweeper that found it free would take the folder away. */
static int lock_folder(struct serving *s)
{
    s->lock_fd = openat(s->folder_fd, LOCK_FREE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno;
    return renameat(s->folder_fd, LOCK_FREE_NAME, s->folder_fd, LOCK_NAME) != 0 ? errno : 0;
}

/* 0 or errno; *what says at what. */
static int make_folder(struct serving *s, const char *parent, const char *path, const char **what)
{
    static const char *const parts[] = {"data", "tmp", "run"};
    sweep(parent);
    *what = "make the folder";
    if (mkdir(path, 0700) != 0)
        return errno;
    s->folder = xstrdup(path);
    s->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->folder_fd < 0)
        return errno;
    *what = "lock the folder";
    int failed = lock_folder(s);
    if (failed)
        return failed;
    *what = "give the folder away";
    if (s->account.given && fchmod(s->folder_fd, 0711) != 0)
        return errno;
    for (size_t i = 0; failed == 0 && i < sizeof parts / sizeof parts[0]; i++)
        failed = make_part(s, parts[i]);
    return failed;
}

static int remove_folder(struct serving *s)
{
    int failed = 0;
    if (s->folder_fd >= 0)
        close(s->folder_fd);
    if (s->folder)
        failed = remove_tree(AT_FDCWD, s->folder);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->folder);
    return failed;
}

/* ---- the program ---- */

static void prefer_to_be_killed(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, OOM_SCORE, strlen(OOM_SCORE));
    (void)n; /* it would be better, no more */
    close(fd);
}

static int become(const struct keeper_account *a)
{
    if (!a->given)
        return 0;
    return setgroups(0, NULL) != 0 || setgid(a->gid) != 0 || setuid(a->uid) != 0 ? errno : 0;
}

/* In the new process; returns only when it fails. */
static int execute(const struct serving *s, pid_t keeper, int in, int out, char *const *argv)
{
    char *home = xasprintf("HOME=%s", s->folder), *tmp = xasprintf("TMPDIR=%s/tmp", s->folder);
    char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", home, tmp, NULL};
    sigset_t none;
    setpgid(0, 0);
    prefer_to_be_killed();
    int failed = become(&s->account);
    if (failed)
        return failed;
    /* Behind the change of user, which would take it back; the keeper may have died before it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != keeper)
        return ESRCH;
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
        return errno;
    if (chdir(s->folder) != 0)
        return errno;
    execve(argv[0], argv, environment);
    return errno;
}

/* Forks; the pipe closes when the program runs, or brings why it does not. */
static int launch(struct serving *s, int in, int out, char *const *argv)
{
    int pipe_ends[2], failed = 0;
    pid_t keeper = getpid();
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = fork();
    if (pid == 0) {
        failed = execute(s, keeper, in, out, argv);
        ssize_t n = write(pipe_ends[1], &failed, sizeof failed);
        _exit(n == (ssize_t)sizeof failed ? 127 : 126);
    }
    if (pid < 0)
        failed = errno;
    close(pipe_ends[1]);
    if (pid > 0 && read(pipe_ends[0], &failed, sizeof failed) == (ssize_t)sizeof failed)
        waitpid(pid, NULL, 0);
    else if (pid > 0)
        s->program = pid;
    close(pipe_ends[0]);
    return failed;
}

static int open_in_folder(const struct serving *s, const char *name, int flags)
{
    if (!*name)
        return open("/dev/null", O_RDWR | O_CLOEXEC);
    return openat(s->folder_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int run_program(struct serving *s, char *const *texts, const char **what)
{
    *what = "run a program beside another, or without a folder";
    if (s->program || s->folder_fd < 0)
        return EBUSY;
    *what = "open the files of";
    int in = open_in_folder(s, texts[0], O_RDONLY);
    int out = open_in_folder(s, texts[1], O_WRONLY | O_CREAT | O_APPEND);
    int failed = in < 0 || out < 0 ? errno : 0;
    if (failed == 0) {
        *what = "start";
        failed = launch(s, in, out, texts + 2);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return failed;
}

static void end_program(struct serving *s)
{
    if (!s->program)
        return;
    kill(-s->program, SIGKILL);
    kill(s->program, SIGKILL); /* it may not have a group of its own yet */
    while (waitpid(s->program, NULL, 0) < 0 && errno == EINTR) {
    }
    s->program = 0;
}

/* ---- the socket ---- */

static void reply(const struct serving *s, const struct keeper_reply *r)
{
    ssize_t n = send(s->socket, r, sizeof *r, MSG_NOSIGNAL);
    (void)n; /* the command is gone: the next recv says so */
}

/* Cuts the texts of a message; false when they are not as many as it says. */
static bool cut_texts(char *data, size_t bytes, unsigned count, char *texts[KEEPER_ARGS_MAX + 3])
{
    if (count > KEEPER_ARGS_MAX + 2)
        return false;
    char *p = data;
    for (unsigned i = 0; i < count; i++) {
        char *end = memchr(p, '\0', bytes - (size_t)(p - data));
        if (!end)
            return false;
        texts[i] = p;
        p = end + 1;
    }
    texts[count] = NULL;
    return true;
}

static void handle(struct serving *s, char *message, size_t bytes)
{
    struct keeper_request request;
    struct keeper_reply done = {.kind = KEEPER_DONE, .errnum = EINVAL};
    const char *what = "understand the request";
    char *texts[KEEPER_ARGS_MAX + 3];
    if (bytes >= sizeof request) {
        memcpy(&request, message, sizeof request);
        if (!cut_texts(message + sizeof request, bytes - sizeof request, request.text_count, texts))
            request.kind = 0;
        if (request.kind == KEEPER_MAKE_FOLDER && request.text_count == 2) {
            s->account = request.account;
            done.errnum = make_folder(s, texts[0], texts[1], &what);
        } else if (request.kind == KEEPER_RUN && request.text_count > 2) {
            done.errnum = run_program(s, texts, &what);
            done.pid = s->program;
        }
    }
    snprintf(done.what, sizeof done.what, "%s", what);
    reply(s, &done);
}

static void reap(struct serving *s)
{
    struct keeper_reply ended = {.kind = KEEPER_ENDED};
    for (pid_t pid; (pid = waitpid(-1, &ended.status, WNOHANG)) > 0;)
        if (pid == s->program) {
            s->program = 0;
            reply(s, &ended);
        }
}

/* Serves until the other end closes. */
static void serve(struct serving *s, int child_fd)
{
    char *message = xmalloc(KEEPER_MESSAGE_BYTES);
    struct pollfd fds[] = {{.fd = s->socket, .events = POLLIN}, {.fd = child_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            if (errno != EINTR)
                break;
            continue;
        }
        if (fds[1].revents) {
            struct signalfd_siginfo ignored;
            ssize_t n = read(child_fd, &ignored, sizeof ignored);
            (void)n; /* waitpid tells */
            reap(s);
        }
        if (fds[0].revents) {
            ssize_t bytes = recv(s->socket, message, KEEPER_MESSAGE_BYTES, 0);
            if (bytes <= 0)
                break;
            handle(s, message, (size_t)bytes);
        }
    }
    free(message);
}

int keeper_serve(int socket)
{
    struct serving s = {.socket = socket, .folder_fd = -1, .lock_fd = -1};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (child_fd >= 0)
        serve(&s, child_fd);
    end_program(&s);
    return remove_folder(&s) == 0 && child_fd >= 0 ? 0 : 1;
}
