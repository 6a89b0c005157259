/*
 * A helper process for restore drills.  It owns a private folder and the one program that runs in it, and
 * however the command ends, by SIGKILL too, it ends the program and removes the folder.
 *
 * It is forked while the process has no threads (keeper_start) and has one of its own only, so that it may
 * fork and arrange that the program dies with it.  The command talks to it through a socket; when that
 * closes, the keeper cleans up.  A keeper that is killed itself takes the program along; its folder is
 * removed by the next keeper_folder in the same place.
 *
 * keeper_start: before any thread exists.  The rest: one thread at a time.
 */
#ifndef DBSAFE_RECOVERY_KEEPER_H
#define DBSAFE_RECOVERY_KEEPER_H

#include "core/cancel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Folders are named so, with the name that was asked for behind it. */
#define KEEPER_PREFIX "dbsafe-drill-"

struct keeper;

enum err_code keeper_start(struct keeper **out, struct err *err);
/* Ends the program, removes the folder, and waits for both; nothing can be asked of it any more.
 * ERR_STORAGE: something of the folder stayed. NULL is accepted, and a keeper that has ended. */
enum err_code keeper_end(struct keeper *k, struct err *err);
/* keeper_end, then releases. */
void keeper_free(struct keeper *k);

/* The account that programs run as; not given: that of this process.  Needs root. */
struct keeper_account {
    bool given;
    uid_t uid;
    gid_t gid;
};

/* Makes <parent>/dbsafe-drill-<name>, which others may pass but not list where an account is given, and only
 * this user else, and in it the folders data, tmp and run that belong to the account alone.  Before that it
 * removes such folders of dead keepers of this user. Valid until keeper_free: keeper_path. */
enum err_code keeper_folder(struct keeper *k, const char *parent, const char *name,
                            const struct keeper_account *account, struct err *err);
const char *keeper_path(const struct keeper *k);

struct keeper_program {
    const char *const *argv; /* NULL-terminated; argv[0] is the absolute path of the program */
    const char *input;       /* file in the folder for its standard input; NULL: none */
    const char *output;      /* file in the folder to which its outputs are appended */
};

/* Starts it as the folder's account with an environment of its own.  *pid is for messages and tests. */
enum err_code keeper_run(struct keeper *k, const struct keeper_program *program, pid_t *pid, struct err *err);
/* Waits until the program has ended; *status as of waitpid.  timeout_ms < 0: no limit, else ERR_TIMEOUT. */
enum err_code keeper_wait(struct keeper *k, int64_t timeout_ms, struct cancel *cancel, int *status,
                          struct err *err);

#endif
