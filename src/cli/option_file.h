/*
 * A MariaDB option file, looked at before the library reads it: Connector/C gives up at the first line that
 * it does not understand, says nothing, and then connects to its default server.
 *
 * Any thread; no state.  No value is kept.
 */
#ifndef DBSAFE_CLI_OPTION_FILE_H
#define DBSAFE_CLI_OPTION_FILE_H

#include "core/err.h"
#include "core/log.h"

/* ERR_CONFIG with file and line for a group without its ']', a setting before any group, and, in the groups
 * that dbsafe reads, what is no setting. Files that it includes are not looked at.  Warns of a password that
 * others may read.  What is not there or cannot be opened is for the caller. */
enum err_code option_file_check(const char *path, struct log *log, struct err *err);
/* The same for the files that are read without --defaults-file: of the system, and home's (NULL: none). */
enum err_code option_file_check_standard(const char *home, struct log *log, struct err *err);

#endif
