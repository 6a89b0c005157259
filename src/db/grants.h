/*
 * What an account may do, as SHOW GRANTS tells it: privileges on everything, on databases (whose names may be
 * patterns) and on tables, those of active roles included, which both server families list for the session.
 *
 * It is a statement of intent, not a proof: managed servers deny statements whose privilege they granted.
 * Whoever can try does, and asks here for what cannot be tried, or to say which GRANT is missing.
 *
 * A struct grants is owned by its caller; any one thread at a time.
 */
#ifndef DBSAFE_DB_GRANTS_H
#define DBSAFE_DB_GRANTS_H

#include "db/conn.h"
#include "db/flavour.h"

enum privilege {
    PRIV_SELECT,
    PRIV_INSERT,
    PRIV_UPDATE,
    PRIV_DELETE,
    PRIV_CREATE,
    PRIV_DROP,
    PRIV_ALTER,
    PRIV_INDEX,
    PRIV_REFERENCES,
    PRIV_LOCK_TABLES,
    PRIV_SHOW_VIEW,
    PRIV_CREATE_VIEW,
    PRIV_TRIGGER,
    PRIV_EVENT,
    PRIV_CREATE_ROUTINE,
    PRIV_ALTER_ROUTINE,
    PRIV_EXECUTE,
    PRIV_SHOW_ROUTINE, /* MariaDB 11.3; MySQL 8: on everything only */
    /* on everything only: */
    PRIV_PROCESS,
    PRIV_RELOAD,
    PRIV_FLUSH_TABLES,       /* MySQL 8: what RELOAD gives for FLUSH TABLES */
    PRIV_REPLICATION_CLIENT, /* MariaDB: BINLOG MONITOR */
    PRIV_BACKUP_ADMIN,       /* MySQL 8 */
    PRIV_SUPER,
    PRIV_CONNECTION_ADMIN, /* may end other accounts' sessions */
    PRIV_SET_USER,         /* may name other accounts as DEFINER */
    PRIV_COUNT
};

struct grants;

struct grants *grants_new(void);
void grants_free(struct grants *g);
/* Adds what one line of SHOW GRANTS gives, or takes ("REVOKE ... ON `db`.*" of MySQL's partial revokes). What
 * it does not know (proxies, routines, roles' names) gives nothing. */
void grants_add(struct grants *g, const char *line);
/* Everything that this session may do. */
enum err_code grants_read(struct db_conn *c, struct grants **out, struct err *err);

/* Whether the privilege holds on a table, on all of a database (table NULL), or on everything (both NULL). A
 * grant on columns counts for nothing. */
bool grants_have(const struct grants *g, enum privilege p, const char *schema, const char *table);
/* "`user`@`host`" as SHOW GRANTS has it; "" when no line told. */
const char *grants_account(const struct grants *g);
/* Whether the account was given roles. One that is not active lends no privileges: SET DEFAULT ROLE helps. */
bool grants_name_roles(const struct grants *g);

/* Whether the text of other accounts' routines in this database can be read. */
bool grants_show_routines(const struct grants *g, struct flavour f, const char *schema);
/* Appends "GRANT <privileges> ON `schema`.`table` TO <account>", ON `schema`.* with table NULL, or ON *.*
 * with both NULL. */
void grants_put_statement(const struct grants *g, const char *privileges, const char *schema,
                          const char *table, struct buf *out);
/* Appends what a GRANT for all of a database stands on: "`schema`.*", whose name is no pattern. */
void grants_put_database(const char *schema, struct buf *out);
/* ... and for the text of routines in it: the privilege, " ON " and what it stands on. */
void grants_put_show_routine(struct flavour f, const char *schema, struct buf *out);

/* "LOCK TABLES": as both families understand it in GRANT, and as the family of that name calls it in
 * messages. */
const char *privilege_name(enum privilege p, bool mariadb);

#endif
