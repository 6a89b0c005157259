/*
 * The connection settings of a command, password included.  The password is kept in this struct alone and
 * wiped by login_wipe; main thread only.
 */
#ifndef DBSAFE_CLI_LOGIN_H
#define DBSAFE_CLI_LOGIN_H

#include "cli/command.h"
#include "db/conn.h"

#define LOGIN_SECRET_BYTES 1024

struct login {
    struct db_params params; /* points into the options and into secret */
    char secret[LOGIN_SECRET_BYTES];
};

/* From the options: the password by prompt (-p), else from --password-file; without both the library looks
 * into the option files and MYSQL_PWD. */
enum err_code login_read(const struct cli *cli, struct login *out, struct err *err);
void login_wipe(struct login *login);

#endif
