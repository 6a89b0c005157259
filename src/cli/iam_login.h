/*
 * Logging in to RDS by IAM: a token, made of the AWS keys that are in use, is the password of one connection.
 * It is valid for 15 minutes, and only to begin a connection with; each connection gets its own. Source: "IAM
 * database authentication for MariaDB, MySQL, and PostgreSQL", Amazon RDS user guide.
 */
#ifndef DBSAFE_CLI_IAM_LOGIN_H
#define DBSAFE_CLI_IAM_LOGIN_H

#include "cli/command.h"
#include "core/buf.h"

struct iam_login;

/* Loads the AWS configuration (ERR_CONFIG); keys are looked for at the first connection.  Borrows from cli.
 */
enum err_code iam_login_open(const struct cli *cli, struct iam_login **out, struct err *err);
void iam_login_free(struct iam_login *i); /* after the connections were made */

/* db_params.password_for; arg: the struct iam_login.  Any thread.  The region is the one in an RDS host name,
 * else that of the AWS settings. */
enum err_code iam_login_password(void *arg, const char *host, unsigned port, const char *user,
                                 struct cancel *cancel, struct buf *out, struct err *err);

/* The region in "name.id.REGION.rds.amazonaws.com" (or .com.cn); false when host is no such name. */
bool iam_region_of(const char *host, char *out, size_t bytes);

#endif
