#include "db/session.h"

#include "db/flavour.h"
#include "db/sqlerror.h"

#include <string.h>

/* DDL that waits for a table which another reader has open stops this one, and everybody behind it: as that
 * reader waits for this one's share of the work, only giving up sets them free. */
#define LOCK_WAIT_S "3"

enum err_code session_for_reading(struct db_conn *c, struct err *err)
{
    struct flavour f = flavour_of(db_version(c));
    enum err_code code =
        db_exec(c,
                "SET NAMES binary, SESSION time_zone='+00:00', SESSION sql_mode='', SESSION autocommit=1,"
                " SESSION lock_wait_timeout=" LOCK_WAIT_S,
                err);
    if (code == ERR_OK)
        code = db_exec(c, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);
    struct db_rows *rows = NULL;
    if (code == ERR_OK)
        code = db_queryf(c, &rows, err,
                         "SELECT @@session.time_zone, @@session.sql_mode, @@session.%s,"
                         " IFNULL(@@session.character_set_results, 'binary'), @@session.character_set_client,"
                         " @@session.sql_select_limit",
                         flavour_isolation_variable(f));
    if (code != ERR_OK)
        return code;
    static const char *const wanted[] = {"+00:00", "",       "REPEATABLE-READ",
                                         "binary", "binary", "18446744073709551615"};
    static const char *const names[] = {
        "time_zone",       "sql_mode", "isolation level", "character_set_results", "character_set_client",
        "sql_select_limit"};
    const char *const *row = db_row(rows);
    for (size_t i = 0; row && i < sizeof wanted / sizeof wanted[0] && code == ERR_OK; i++)
        if (!row[i] || strcmp(row[i], wanted[i]) != 0)
            code = err_set(err, ERR_DB, "set up the session on %s: %s is '%s' although it was set to '%s'",
                           db_target(c), names[i], row[i] ? row[i] : "NULL", wanted[i]);
    db_rows_free(rows);
    return code;
}

enum err_code session_for_creating(struct db_conn *c, struct err *err)
{
    struct err refused;
    enum err_code code =
        db_exec(c,
                "SET SESSION foreign_key_checks=0,"
                " SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"
                /* else a TIMESTAMP NOT NULL without default gets one */
                " /*M!101100 , SESSION explicit_defaults_for_timestamp=1 */",
                err);
    if (code != ERR_OK || db_exec(c, "SET SESSION innodb_strict_mode=0", &refused) == ERR_OK)
        return code;
    /* MySQL takes a privilege for it since 8.0.26: without it the server may refuse a table, but makes no
     * other. */
    return sql_error_is_denied(db_errno(c)) ? ERR_OK : err_copy(err, &refused);
}

enum err_code session_lock_wait(struct db_conn *c, unsigned seconds, struct err *err)
{
    return db_execf(c, err, "SET SESSION lock_wait_timeout=%u", seconds);
}
