/*
 * The journal of a swap: a schema `dbsafe_<id>` of our own on the target server that says what is to be
 * exchanged, and a marker table that the swap's RENAME itself turns from `pending` to `done`, so that data
 * and journal change together.
 *
 * A journal outlives the process that wrote it: --resume and undo read it back.
 */
#ifndef DBSAFE_RESTORE_JOURNAL_H
#define DBSAFE_RESTORE_JOURNAL_H

#include "core/arena.h"
#include "core/run.h"
#include "db/conn.h"

#include <stdbool.h>

#define OPERATION_ID_BYTES 40
#define OWNER_BYTES        256

/* One table of the exchange.  Names of the incoming and outgoing tables are the target's. */
struct exchange {
    const char *schema, *name;   /* the live table */
    const char *incoming_schema; /* where its new content stands; NULL: nothing comes in */
    const char *outgoing_schema; /* where its old content goes; NULL: there is none */
};

enum operation_state {
    OPERATION_LOADING,  /* staging is being filled */
    OPERATION_VERIFIED, /* staging is complete: only the swap is missing */
    OPERATION_SWAPPED,
    OPERATION_UNDONE
};

struct operation {
    char id[OPERATION_ID_BYTES];
    bool is_undo;
    const char *undoes;  /* the id that an undo put back; NULL */
    const char *archive; /* name; may be "" */
    enum operation_state state;
    bool swapped;       /* the marker says done, whatever the state says */
    bool unknown;       /* the swap may have been done or not: the server could not be asked */
    int64_t swapped_ms; /* wall clock; 0: not yet */
    bool drop_old;      /* --if-exists drop: the outgoing tables are dropped after the swap */
    bool verified;      /* content checksums were compared */
    const char *wishes; /* what of the command line decides the exchange, in its own form; NULL: not known */
    uint64_t rows;
    unsigned exchange_count;
    struct exchange *exchanges;
    unsigned schema_count;
    const char **schemas; /* staging and undo schemas that this operation made */
    const char *owner;    /* "host boot-id pid start-time" of the process */
    const char
        *server_start; /* the server's start, seconds since 1970: its connection ids are of this life */
};

/* "<YYYYMMDD>t<hhmmss><milliseconds>_<4 hex>": sorts by time, unique enough for schema names. */
void operation_make_id(const struct run *run, char out[OPERATION_ID_BYTES]);
const char *operation_state_name(enum operation_state s);

/* Creates `dbsafe_<id>` with everything that op says, and the marker `pending`. */
enum err_code journal_create(struct db_conn *c, const struct operation *op, struct err *err);
enum err_code journal_set_state(struct db_conn *c, const struct operation *op, enum operation_state state,
                                int64_t wall_ms, struct err *err);
/* Notes figures once they are known: rows and whether they were verified. */
enum err_code journal_set_result(struct db_conn *c, const struct operation *op, struct err *err);
/* Notes a connection that works for this operation, so that --resume can end it. */
enum err_code journal_add_connection(struct db_conn *c, const struct operation *op, unsigned long id,
                                     struct err *err);
/* Ends the noted connections that still exist, if the server was not restarted since, and waits until they
 * are gone: a killed one may still finish what it was doing. ERR_TIMEOUT after 10 s. */
enum err_code journal_end_connections(struct db_conn *c, const struct operation *op, struct err *err);
/* "host boot-id pid start-time" of a process of this host. */
void journal_describe_owner(long pid, char out[OWNER_BYTES]);
/* Whether the process that wrote the journal is alive on this host. */
bool journal_owner_is_alive(const struct operation *op);
/* Whether it ran on another host: only the locks on its schemas tell whether it still does. */
bool journal_owner_is_elsewhere(const struct operation *op);

/* All operations on the server, oldest first. */
enum err_code journal_list(struct db_conn *c, struct arena *arena, struct operation **out, unsigned *count,
                           struct err *err);
/* Reads the marker again. */
enum err_code journal_is_done(struct db_conn *c, const struct operation *op, bool *done, struct err *err);

/* Drops what a run left that died while it wrote (or dropped) its journal: it holds nothing of value. */
enum err_code journal_sweep(struct db_conn *c, struct err *err);
/* Schemas that the user named on this command line (--staging-schema, --undo-schema); NULL: none. */
struct journal_given {
    const char *staging_schema, *undo_schema;
};
/* Drops the schemas that the operation made (undo data and staging included), then the journal.  Of tables in
 * schemas that are not dbsafe's own only those in given are dropped: a journal is a table, and whoever may
 * write it must not choose what is dropped elsewhere.  ERR_REFUSED names the first that is missing there. */
enum err_code journal_drop(struct db_conn *c, const struct operation *op, const struct journal_given *given,
                           struct err *err);
/* Drops the operation's staging schemas only. */
enum err_code journal_drop_staging(struct db_conn *c, const struct operation *op, struct err *err);

/* This process and this server, for a new operation. */
enum err_code journal_identify(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err);

/* Takes the lock on a target schema for the life of the connection; ERR_LOCKED names the holder. wait_s: how
 * long to try. */
enum err_code journal_lock_schema(struct db_conn *c, const char *schema, unsigned wait_s, struct err *err);

#endif
