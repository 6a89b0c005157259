#include "db/sqlerror.h"

#include <errmsg.h>
#include <mysqld_error.h>

/* Connector/C reports a lost connection in the middle of a result with this number. */
#define LOST_EXTENDED 2055

enum err_code sql_error_code(unsigned number)
{
    switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case LOST_EXTENDED:
    case ER_CONNECTION_KILLED:
    case ER_SERVER_SHUTDOWN:
    case ER_NET_READ_ERROR:
    case ER_NET_PACKETS_OUT_OF_ORDER:
        return ERR_DB_LOST;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
        return ERR_DB_RETRY;
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return ERR_CONFIG;
    default:
        return ERR_DB;
    }
}

bool sql_error_is_denied(unsigned number)
{
    switch (number) {
    case ER_DBACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_PROCACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return true;
    default:
        return false;
    }
}
