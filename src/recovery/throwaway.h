/*
 * A MariaDB server for a restore drill: in a private folder, on a Unix socket only, with a random password
 * that no file keeps, and settings that make loading fast (its data need not survive anything) but change no
 * value.  A keeper (recovery/keeper.h) runs it, so it ends with the command, whatever becomes of that.
 *
 * Used by the thread that runs the command; a thread of its own watches the server.
 */
#ifndef DBSAFE_RECOVERY_THROWAWAY_H
#define DBSAFE_RECOVERY_THROWAWAY_H

#include "core/run.h"
#include "db/conn.h"
#include "recovery/keeper.h"

/* The program: given (a path), else "mariadbd" in the folders of path_variable (may be NULL), else in the
 * usual ones.  ERR_NOT_FOUND says where it was looked for.  Caller frees *out, an absolute path. */
enum err_code throwaway_find(const char *given, const char *path_variable, char **out, struct err *err);

struct throwaway_options {
    struct keeper *keeper;
    const char *mariadbd;  /* absolute path */
    const char *parent;    /* the private folder is made in here */
    uint64_t plain_bytes;  /* text that will be loaded */
    uint64_t memory_bytes; /* buffer pool; 0: chosen */
    int64_t timeout_ms;    /* from now on; 0: no limit */
    const char *const
        *extra; /* more server options, "NAME=VALUE"; they cannot override what keeps it private */
    unsigned extra_count;
};

/* Bytes of disk that loading so much text needs, the server's own files included. */
uint64_t throwaway_disk_bytes(uint64_t plain_bytes);

struct throwaway;

/* Initialises, starts and waits until it answers.  ERR_REFUSED: not enough space.  ERR_TIMEOUT. */
enum err_code throwaway_start(const struct run *run, const struct throwaway_options *options,
                              struct throwaway **out, struct err *err);
/* How to connect, as root. */
const struct db_params *throwaway_params(const struct throwaway *t);
/* Fires when the server ends, when the time is over, or with the command's token. */
struct cancel *throwaway_cancel(struct throwaway *t);
/* Behind a failure: when the server's end is why, that is what err says from now on. */
enum err_code throwaway_explain(struct throwaway *t, enum err_code code, struct err *err);
/* Ends the server, removes the folder and releases; NULL is accepted. */
enum err_code throwaway_stop(struct throwaway *t, struct err *err);

#endif
