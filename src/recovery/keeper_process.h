/*
 * The other side of recovery/keeper.h (used by keeper.c only): what the helper process does.
 */
#ifndef DBSAFE_RECOVERY_KEEPER_PROCESS_H
#define DBSAFE_RECOVERY_KEEPER_PROCESS_H

#include "recovery/keeper.h"

#define KEEPER_MESSAGE_BYTES ((size_t)64 << 10)
#define KEEPER_ARGS_MAX      200

enum keeper_request_kind { KEEPER_MAKE_FOLDER = 1, KEEPER_RUN };

/* A request is this and, behind it, NUL-terminated texts: the parent folder and the folder's path, or input,
 * output ("" for none) and the arguments. */
struct keeper_request {
    int kind;
    unsigned text_count;
    struct keeper_account account; /* of KEEPER_MAKE_FOLDER */
};

enum keeper_reply_kind { KEEPER_DONE = 1, KEEPER_ENDED };

struct keeper_reply {
    int kind;
    int errnum;    /* KEEPER_DONE: 0, or why not */
    char what[60]; /* with an errnum: what failed */
    pid_t pid;     /* KEEPER_DONE of KEEPER_RUN */
    int status;    /* KEEPER_ENDED: as of waitpid */
};

/* Serves requests from the socket (SOCK_SEQPACKET) until its other end is closed; then cleans up.  The
 * process has no threads and nothing open that it needs but that socket.  Returns its exit status. */
int keeper_serve(int socket);

#endif
