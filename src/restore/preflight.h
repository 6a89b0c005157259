/*
 * What could go wrong with a restore on this server, found out before anything is changed, all of it at once:
 * in plain words, with the GRANT or option that would help.  `restore` refuses with it (exit 10), `doctor`
 * shows it.
 *
 * Nothing is changed on the server.  One thread.
 */
#ifndef DBSAFE_RESTORE_PREFLIGHT_H
#define DBSAFE_RESTORE_PREFLIGHT_H

#include "core/findings.h"
#include "db/ddl_text.h"
#include "db/facts.h"
#include "db/grants.h"
#include "restore/target.h"

struct preflight {
    const struct run *run;
    struct db_conn *conn;
    struct arena *arena;
    const struct restore_options *options;
    const struct manifest *manifest;    /* of a pipe: its tables only, the rest comes at the end */
    const struct targets *targets;      /* with what exists on the server */
    const struct collation_map *mapped; /* --map-collation; may be NULL */
    struct findings *out;
    /* read by preflight_restore: */
    struct server_facts facts;
    struct grants *grants;
};

/* Adds to p->out.  An error is one of asking the server, not what was found. */
enum err_code preflight_restore(struct preflight *p, struct err *err);

/* Its parts, in their order; each adds its findings. */
void preflight_family(struct preflight *p); /* the archive is of another server family, or a newer version */
void preflight_server(struct preflight *p); /* collations, engines, plugins, settings, names */
void preflight_rights(struct preflight *p); /* privileges for each step */
void preflight_space(struct preflight *p);  /* free space, time, stall */

/* Whether the archive's server was of the same family; true when it is not known. */
bool preflight_same_family(const struct preflight *p);

#endif
