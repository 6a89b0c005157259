/*
 * What recovery/throwaway.c needs to set a server up: its account, arguments, first SQL, and its log (used
 * by it only).  No state.
 */
#ifndef DBSAFE_RECOVERY_THROWAWAY_SETUP_H
#define DBSAFE_RECOVERY_THROWAWAY_SETUP_H

#include "core/buf.h"
#include "recovery/keeper.h"
#include "recovery/throwaway.h"

#define THROWAWAY_PASSWORD_BYTES 33
/* Files in the private folder. */
#define THROWAWAY_INIT_SQL "init.sql"
#define THROWAWAY_INIT_LOG "init.log"
#define THROWAWAY_LOG      "server.log"

/* Root does not run a server as itself where there is the account "mysql" and it can get to the folder. */
void throwaway_account(const char *parent, struct keeper_account *out);

struct throwaway_arguments {
    char **argv; /* NULL-terminated */
    unsigned count;
};

/* folder: the keeper's.  dropped: the server runs as another account than root. */
void throwaway_arguments_make(struct throwaway_arguments *a, const struct throwaway_options *options,
                              const char *folder, bool dropped, bool bootstrap);
void throwaway_arguments_free(struct throwaway_arguments *a);

/* The folder with the SQL files and messages of this mariadbd, or NULL.  Caller frees. */
char *throwaway_share(const char *mariadbd);
/* Writes the SQL that makes the system tables, with one account: root@localhost and its password. */
enum err_code throwaway_write_init_sql(const char *mariadbd, const char *password, const char *path,
                                       struct err *err);
/* A new file, mode 0600. */
enum err_code throwaway_write_file(const char *path, const char *text, struct err *err);
/* Appends what the log's end says went wrong, or its last lines; nothing when it is empty. */
void throwaway_log_tail(const char *folder, const char *log, struct buf *out);

#endif
