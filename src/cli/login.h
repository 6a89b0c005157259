/*
 * The connection settings of a command, password included.  The password is kept in this struct alone and
 * wiped by login_wipe; main thread only.
 */
#ifndef DBSAFE_CLI_LOGIN_H
#define DBSAFE_CLI_LOGIN_H

#include "cli/command.h"
#include "db/conn.h"

#define LOGIN_SECRET_BYTES 1024

struct iam_login;

struct login {
    struct db_params params; /* points into the options, into secret and into iam */
    char secret[LOGIN_SECRET_BYTES];
    struct iam_login *iam; /* of --iam-auth; NULL */
};

/* From the options: the password by prompt (-p), else from --password-file, or a token for each connection
 * with
 * --iam-auth; without all these the library looks into the option files and MYSQL_PWD. */
enum err_code login_read(const struct cli *cli, struct login *out, struct err *err);
void login_wipe(struct login *login);

#endif
