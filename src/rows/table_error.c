#include "rows/table_error.h"

#include <mysqld_error.h>

enum err_code rows_lock_error(struct err *err)
{
    err_recode(err, ERR_SNAPSHOT);
    return err_hint(err, "; another session has it locked, or changes its definition or waits for that "
                         "(DDL): run it again");
}

enum err_code rows_table_error(struct db_conn *c, const struct manifest_table *t, struct err *err)
{
    enum err_code code = db_error(c, err, "read %s.%s", t->schema, t->name);
    switch (db_errno(c)) {
    case ER_TABLE_DEF_CHANGED:
    case ER_NO_SUCH_TABLE:
    case ER_BAD_FIELD_ERROR:
    case ER_KEY_DOES_NOT_EXISTS:
        if (code == ERR_DB) {
            code = err->code = ERR_SNAPSHOT;
            err_hint(err, "; its definition was changed while it was read (DDL): run it again");
        }
        break;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK: /* of metadata locks: with DDL that waits for what we hold */
        if (code == ERR_DB_RETRY)
            code = rows_lock_error(err);
        break;
    default:
        break;
    }
    return code;
}

enum err_code rows_query_error(struct db_conn *c, const struct manifest_table *t, enum err_code code,
                               struct err *err)
{
    bool said = (code == ERR_DB || code == ERR_DB_RETRY) && db_errno(c) != 0;
    return said ? rows_table_error(c, t, err) : code;
}
