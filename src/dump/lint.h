/*
 * What of a dump cannot be exact, or will surprise whoever restores it: warnings for the log, the manifest
 * and
 * --json, from the catalogue alone.  docs/warnings.md lists them.
 */
#ifndef DBSAFE_DUMP_LINT_H
#define DBSAFE_DUMP_LINT_H

#include "archive/manifest.h"
#include "db/conn.h"
#include "db/grants.h"

struct lint_input {
    struct manifest *manifest;      /* tables and objects are described; receives the warnings */
    const char *const *ddl;         /* SHOW CREATE TABLE of each table */
    const char *const *definitions; /* of each object; NUL-terminated */
    const char *const *whole;       /* databases that are dumped whole */
    unsigned whole_count;
};

/* Adds the warnings that need no server. */
void lint_catalogue(const struct lint_input *in);
/* Those about accounts: definers that do not exist (where this account may look), and what this account
 * cannot see of the databases that are dumped whole. */
enum err_code lint_accounts(const struct lint_input *in, struct db_conn *c, struct err *err);
/* The second half of it, for what SHOW GRANTS says. */
void lint_unseen(const struct lint_input *in, const struct grants *g, struct flavour f);

#endif
