/*
 * The configuration file dbsafe.conf: "key = value" lines, at the top or under [dbsafe], and [profile NAME]
 * sections that win over them when --profile names one.  The keys are the long options that the table opens
 * to files.
 */
#ifndef DBSAFE_CLI_CONFIG_H
#define DBSAFE_CLI_CONFIG_H

#include "cli/options.h"

/* Reads the file that --config or DBSAFE_CONFIG names, else the user's, else /etc/dbsafe.conf, else none;
 * arguments and environment are in options already.  Every key and value of the file is checked, used or not.
 * ERR_CONFIG names file, line and key. */
enum err_code config_read(struct options *o, char *const *environment, struct err *err);
/* Reads this one file; profile may be NULL. */
enum err_code config_read_file(struct options *o, const char *path, const char *profile, struct err *err);

#endif
