#include "core/fault.h"
#include "core/mem.h"
#include "core/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary names: "." + name (its first 200 bytes) + "." + 16 hex digits + ".tmp". */
#define TEMP_NAME_PART 200
#define TEMP_HEX_BYTES 16
#define TEMP_END       ".tmp"
#define TEMP_BYTES     (1 + TEMP_NAME_PART + 1 + TEMP_HEX_BYTES + sizeof TEMP_END)
#define TEMP_TRIES     100
/* Held by store_lock; starts with a dot, so that it is no object. */
#define LOCK_NAME ".dbsafe.lock"

/* --- Making folders durable ------------------------------------------------------------- */

/* 0 or errno.  Some network file systems cannot sync a folder and say EINVAL: nothing to do there. */
static int sync_folder(int dir_fd)
{
    int injected = fault_errno("sink_folder_fsync");
    if (injected != 0)
        return injected;
    return fsync(dir_fd) == 0 || errno == EINVAL ? 0 : errno;
}

/* A parent that may not be opened was there before us; that it cannot be synced is no failure. */
static enum err_code sync_parent(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = fd < 0 ? 0 : sync_folder(fd);
    if (fd >= 0)
        close(fd);
    free(parent);
    return errnum == 0 ? ERR_OK
                       : err_set_errno(err, ERR_STORAGE, errnum, "cannot sync the parent of %s", path);
}

static enum err_code make_folder(const char *path, struct err *err)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? ERR_OK
                               : err_set_errno(err, ERR_STORAGE, errno, "cannot make folder %s", path);
    if (chmod(path, 0700) != 0) /* whatever the umask took away */
        return err_set_errno(err, ERR_STORAGE, errno, "cannot set the mode of folder %s", path);
    return sync_parent(path, err);
}

static enum err_code make_folder_and_parents(const char *path, struct err *err)
{
    char *part = xstrdup(path);
    enum err_code rc = ERR_OK;
    for (char *end = part + 1; rc == ERR_OK; end++) {
        char c = *end;
        if (c != '/' && c != '\0')
            continue;
        *end = '\0';
        rc = make_folder(part, err);
        *end = c;
        if (c == '\0')
            break;
    }
    free(part);
    return rc;
}

/* --- Files being written ---------------------------------------------------------------- */

struct file_sink {
    struct sink base;
    int dir_fd;         /* owned */
    int fd;             /* owned, locked; -1 once closed */
    struct sink *bytes; /* writes to fd */
    char *name;         /* in the folder */
    char *shown;        /* full path, for messages */
    char temp[TEMP_BYTES];
    bool replace;
    bool failed;    /* a write failed: must not be committed */
    bool published; /* the file has its final name */
};

static enum err_code make_temp_name(char out[TEMP_BYTES], const char *name, struct err *err)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return err_set_errno(err, ERR_INTERNAL, errno, "cannot get random bytes");
    snprintf(out, TEMP_BYTES, ".%.*s.%016" PRIx64 TEMP_END, TEMP_NAME_PART, name, number);
    return ERR_OK;
}

/* Whether file is a temporary name, and if name is given, one of it. */
static bool is_temp_name(const char *file, const char *name)
{
    const size_t tail = 1 + TEMP_HEX_BYTES + strlen(TEMP_END);
    size_t len = strlen(file);
    if (file[0] != '.' || len <= 1 + tail)
        return false;
    const char *end = file + len - tail;
    if (end[0] != '.' || strcmp(end + 1 + TEMP_HEX_BYTES, TEMP_END) != 0 ||
        strspn(end + 1, "0123456789abcdef") != TEMP_HEX_BYTES)
        return false;
    if (name == NULL)
        return true;
    size_t name_len = strnlen(name, TEMP_NAME_PART);
    return (size_t)(end - file) == 1 + name_len && memcmp(file + 1, name, name_len) == 0;
}

/* Locks a new file.  false: a sweeper came between open and flock, and has removed or will remove
 * it.  Where the file system has no locks nobody can get one, so nothing is swept either. */
static bool hold_temp(int fd)
{
    struct stat st;
    if (fault_errno("sink_hold") != 0)
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static enum err_code open_temp(struct file_sink *s, struct err *err)
{
    for (int i = 0; i < TEMP_TRIES; i++) {
        enum err_code rc = make_temp_name(s->temp, s->name, err);
        if (rc != ERR_OK)
            return rc;
        int fd = openat(s->dir_fd, s->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return err_set_errno(err, ERR_STORAGE, errno, "cannot create a file for %s", s->shown);
        if (hold_temp(fd)) {
            (void)fchmod(fd, 0600); /* what the umask took; file systems without modes refuse it */
            s->fd = fd;
            return ERR_OK;
        }
        close(fd);
    }
    return err_set(err, ERR_STORAGE, "cannot create a file for %s: %d temporary names were taken", s->shown,
                   TEMP_TRIES);
}

static bool exists(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int rename_over(const struct file_sink *s)
{
    return renameat(s->dir_fd, s->temp, s->dir_fd, s->name) == 0 ? 0 : errno;
}

static int rename_noreplace(const struct file_sink *s)
{
    int injected = fault_errno("sink_rename");
    if (injected != 0)
        return injected;
    return renameat2(s->dir_fd, s->temp, s->dir_fd, s->name, RENAME_NOREPLACE) == 0 ? 0 : errno;
}

static int link_final(const struct file_sink *s)
{
    int injected = fault_errno("sink_link");
    if (injected != 0)
        return injected;
    return linkat(s->dir_fd, s->temp, s->dir_fd, s->name, 0) == 0 ? 0 : errno;
}

/* Gives the file its final name; 0 or errno, EEXIST when that name is taken.  Network file systems
 * lack RENAME_NOREPLACE, some lack links too: the last way has a gap between check and rename. */
static int publish(const struct file_sink *s)
{
    if (s->replace)
        return rename_over(s);
    int errnum = rename_noreplace(s);
    if (errnum != EINVAL && errnum != ENOSYS)
        return errnum;
    errnum = link_final(s);
    if (errnum == 0) {
        (void)unlinkat(s->dir_fd, s->temp, 0); /* one that stays is removed by a sweep */
        return 0;
    }
    if (errnum != EPERM && errnum != EOPNOTSUPP && errnum != ENOSYS && errnum != EMLINK)
        return errnum;
    return exists(s->dir_fd, s->name) ? EEXIST : rename_over(s);
}

static enum err_code refuse_existing(const char *shown, struct err *err)
{
    return err_set(err, ERR_REFUSED, "%s exists already and is never overwritten", shown);
}

/* An error must mean that nothing is there; what was replaced cannot come back, though. */
static enum err_code take_back(struct file_sink *s, int errnum, const char *what, struct err *err)
{
    if (!s->replace)
        (void)unlinkat(s->dir_fd, s->name, 0); /* errnum says more than a second failure */
    return err_set_errno(err, ERR_STORAGE, errnum, "cannot %s %s", what, s->shown);
}

static enum err_code file_commit(struct sink *base, struct err *err)
{
    struct file_sink *s = (struct file_sink *)base;
    if (s->failed || s->published)
        return err_set(err, ERR_INTERNAL, "%s is committed twice, or after a failed write", s->shown);
    enum err_code rc = sink_commit(s->bytes, err);
    if (rc != ERR_OK) {
        s->failed = true;
        return rc;
    }
    int errnum = fault_errno("sink_commit");
    if (errnum == 0)
        errnum = publish(s);
    if (errnum == EEXIST)
        return refuse_existing(s->shown, err);
    if (errnum != 0)
        return err_set_errno(err, ERR_STORAGE, errnum, "cannot give %s its name", s->shown);
    s->published = true;
    errnum = sync_folder(s->dir_fd);
    if (errnum != 0)
        return take_back(s, errnum, "sync the folder of", err);
    int closed = close(s->fd);
    s->fd = -1;
    return closed == 0 ? ERR_OK : take_back(s, errno, "close", err);
}

static enum err_code file_write(struct sink *base, const void *data, size_t bytes, struct err *err)
{
    struct file_sink *s = (struct file_sink *)base;
    enum err_code rc = sink_write(s->bytes, data, bytes, err);
    s->failed = s->failed || rc != ERR_OK;
    return rc;
}

static void file_free(struct sink *base)
{
    struct file_sink *s = (struct file_sink *)base;
    if (s->fd >= 0 && !s->published)
        (void)unlinkat(s->dir_fd, s->temp, 0); /* what stays is never listed, and swept later */
    if (s->fd >= 0)
        close(s->fd);
    sink_free(s->bytes);
    close(s->dir_fd);
    free(s->shown);
    free(s->name);
    free(s);
}

/* dir_fd is taken over, on failure too. */
static enum err_code file_create(int dir_fd, const char *name, const char *shown, bool replace,
                                 struct sink **out, struct err *err)
{
    static const struct sink_ops ops = {file_write, file_commit, file_free};
    struct file_sink *s = xcalloc(1, sizeof *s);
    s->base.ops = &ops;
    s->dir_fd = dir_fd;
    s->fd = -1;
    s->name = xstrdup(name);
    s->shown = xstrdup(shown);
    s->replace = replace;
    enum err_code rc = ERR_OK;
    if (!replace && exists(dir_fd, name))
        rc = refuse_existing(shown, err);
    if (rc == ERR_OK)
        rc = open_temp(s, err);
    if (rc != ERR_OK) {
        file_free(&s->base);
        return rc;
    }
    s->bytes = sink_fd_new(s->fd, shown, NULL);
    *out = &s->base;
    return ERR_OK;
}

/* --- Reading folders -------------------------------------------------------------------- */

struct names {
    char **items;
    size_t count;
};

static void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i]);
    free(n->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names are read before anything is done with them: the folder may then be changed. */
static enum err_code read_names(int dir_fd, const char *path, struct names *out, struct err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        enum err_code rc = err_set_errno(err, ERR_STORAGE, errno, "cannot list folder %s", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    errno = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL; errno = 0) {
        out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = xstrdup(e->d_name);
    }
    enum err_code rc =
        errno == 0 ? ERR_OK : err_set_errno(err, ERR_STORAGE, errno, "cannot list folder %s", path);
    closedir(dir);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, compare_names);
    return rc;
}

/* Removes a temporary file unless a living process holds it.  A writer that committed in between
 * has given the file another name: then there is nothing to remove any more. */
static bool sweep_file(int dir_fd, const char *temp, bool dry_run)
{
    int fd = openat(dir_fd, temp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct stat st;
    bool removed = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                   (dry_run || unlinkat(dir_fd, temp, 0) == 0);
    close(fd);
    return removed;
}

/* name: only its temporary files; NULL: all of the folder's. */
static enum err_code sweep_folder(int dir_fd, const char *path, const char *name, bool dry_run,
                                  unsigned *removed, struct err *err)
{
    struct names names = {0};
    enum err_code rc = read_names(dir_fd, path, &names, err);
    *removed = 0;
    for (size_t i = 0; rc == ERR_OK && i < names.count; i++)
        if (is_temp_name(names.items[i], name) && sweep_file(dir_fd, names.items[i], dry_run))
            ++*removed;
    names_free(&names);
    return rc;
}

/* --- The store -------------------------------------------------------------------------- */

struct folder {
    struct store base;
    int dir_fd;  /* owned */
    int lock_fd; /* owned; -1: not locked */
    char *path;  /* absolute */
};

static char *path_of(const struct folder *f, const char *name)
{
    return xasprintf("%s/%s", strcmp(f->path, "/") == 0 ? "" : f->path, name);
}

static enum err_code folder_create(struct store *base, const char *name, uint64_t most_bytes, bool exact,
                                   bool replace, struct sink **out, struct err *err)
{
    struct folder *f = (struct folder *)base;
    (void)exact;
    (void)most_bytes; /* a file takes any number */
    int dir_fd = fcntl(f->dir_fd, F_DUPFD_CLOEXEC, 0);
    if (dir_fd < 0)
        return err_set_errno(err, ERR_STORAGE, errno, "cannot use folder %s", f->path);
    char *shown = path_of(f, name);
    enum err_code rc = file_create(dir_fd, name, shown, replace, out, err);
    free(shown);
    return rc;
}

static enum err_code folder_open(struct store *base, const char *name, struct source **out, struct err *err)
{
    struct folder *f = (struct folder *)base;
    char *path = path_of(f, name);
    enum err_code rc = source_file_open(path, out, err);
    free(path);
    return rc;
}

/* One that vanished since the folder was read is left out. */
static enum err_code list_one(struct folder *f, const char *name, store_list_fn *fn, void *arg,
                              struct err *err)
{
    struct stat st;
    if (fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return ERR_OK;
        return err_set_errno(err, ERR_STORAGE, errno, "cannot stat %s/%s", f->path, name);
    }
    if (!S_ISREG(st.st_mode))
        return ERR_OK;
    struct store_entry entry = {
        .name = name,
        .bytes = (uint64_t)st.st_size,
        .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
    };
    return fn(arg, &entry, err);
}

static enum err_code folder_list(struct store *base, store_list_fn *fn, void *arg, struct err *err)
{
    struct folder *f = (struct folder *)base;
    struct names names = {0};
    enum err_code rc = read_names(f->dir_fd, f->path, &names, err);
    for (size_t i = 0; rc == ERR_OK && i < names.count; i++)
        if (names.items[i][0] != '.')
            rc = list_one(f, names.items[i], fn, arg, err);
    names_free(&names);
    return rc;
}

static enum err_code folder_remove(struct store *base, const char *name, struct err *err)
{
    struct folder *f = (struct folder *)base;
    if (unlinkat(f->dir_fd, name, 0) != 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, errno, "cannot remove %s/%s",
                             f->path, name);
    int errnum = sync_folder(f->dir_fd);
    return errnum == 0 ? ERR_OK : err_set_errno(err, ERR_STORAGE, errnum, "cannot sync folder %s", f->path);
}

/* A lock tells exactly who lives: nothing needs to grow stale. */
static enum err_code folder_sweep(struct store *base, int64_t stale_after_ms, bool dry_run, unsigned *removed,
                                  struct err *err)
{
    struct folder *f = (struct folder *)base;
    (void)stale_after_ms;
    return sweep_folder(f->dir_fd, f->path, NULL, dry_run, removed, err);
}

/* The file stays: removing it would let two hold locks on two files of one name. */
static enum err_code folder_lock(struct store *base, struct err *err)
{
    struct folder *f = (struct folder *)base;
    if (f->lock_fd >= 0)
        return ERR_OK;
    int fd = openat(f->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_STORAGE, errno, "cannot lock %s", f->path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        close(fd);
        if (errnum == EWOULDBLOCK)
            return err_set(err, ERR_LOCKED, "another run holds the lock of %s (%s/" LOCK_NAME ")", f->path,
                           f->path);
        return err_set_errno(err, ERR_STORAGE, errnum, "cannot lock %s", f->path);
    }
    f->lock_fd = fd;
    return ERR_OK;
}

static void folder_free(struct store *base)
{
    struct folder *f = (struct folder *)base;
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    close(f->dir_fd);
    free(f->path);
    free(base->url);
    free(f);
}

static enum err_code open_folder(const char *path, bool make, int *out, struct err *err)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if (path[0] == '\0')
        return err_set(err, ERR_USAGE, "the path of a folder is empty");
    int fd = open(path, flags);
    if (fd < 0 && errno == ENOENT && make) {
        enum err_code rc = make_folder_and_parents(path, err);
        if (rc != ERR_OK)
            return rc;
        fd = open(path, flags);
    }
    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, errno,
                             "cannot open folder %s", path);
    *out = fd;
    return ERR_OK;
}

enum err_code store_folder_open(const char *path, bool make, struct store **out, struct err *err)
{
    static const struct store_ops ops = {folder_create, folder_open, folder_list, folder_remove,
                                         folder_sweep,  folder_lock, folder_free};
    int fd;
    enum err_code rc = open_folder(path, make, &fd, err);
    if (rc != ERR_OK)
        return rc;
    char *absolute = realpath(path, NULL);
    if (absolute == NULL) {
        rc = err_set_errno(err, ERR_STORAGE, errno, "cannot resolve folder %s", path);
        close(fd);
        return rc;
    }
    struct folder *f = xcalloc(1, sizeof *f);
    f->base.ops = &ops;
    f->base.url = xasprintf("file://%s", strcmp(absolute, "/") == 0 ? "" : absolute);
    f->dir_fd = fd;
    f->lock_fd = -1;
    f->path = absolute;
    *out = &f->base;
    return ERR_OK;
}

/* No store's sweep comes by here, so what killed runs left of this very file is removed now. */
enum err_code sink_file_create(const char *path, struct sink **out, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(err, ERR_USAGE, "'%s' is not the path of a file", path);
    char *parent = slash == NULL ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
    int dir_fd;
    unsigned removed;
    enum err_code rc = open_folder(parent, false, &dir_fd, err);
    if (rc == ERR_NOT_FOUND) /* nothing was looked for there: it is where something was to go */
        rc = err_recode(err, ERR_STORAGE);
    if (rc == ERR_OK) {
        rc = sweep_folder(dir_fd, parent, name, false, &removed, err);
        if (rc == ERR_OK)
            rc = file_create(dir_fd, name, path, false, out, err);
        else
            close(dir_fd);
    }
    free(parent);
    return rc;
}
