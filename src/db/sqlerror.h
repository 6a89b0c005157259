/*
 * What a server's error number means to dbsafe.  No state; any thread.
 */
#ifndef DBSAFE_DB_SQLERROR_H
#define DBSAFE_DB_SQLERROR_H

#include "core/err.h"

#include <stdbool.h>

/* ERR_DB_LOST, ERR_DB_RETRY (a lock was not given in time, or a deadlock), ERR_CONFIG (wrong user or
 * password), else ERR_DB. */
enum err_code sql_error_code(unsigned number);
/* The account lacks a privilege, or the server's operator allows the statement to nobody. */
bool sql_error_is_denied(unsigned number);

#endif
