/* The client of RDS that options, configuration and environment describe, and how its waits are shown. */
#ifndef DBSAFE_CLI_RDS_SETTINGS_H
#define DBSAFE_CLI_RDS_SETTINGS_H

#include "cli/command.h"
#include "cli/progress.h"
#include "rds/rds.h"

/* Owned by the caller, in one place until rds_settings_close. */
struct rds_cli {
    const struct cli *cli; /* borrowed */
    struct rds *rds;
    struct aws_settings aws;
    struct rds_options options;
    enum progress_mode mode;
    int64_t shown_ms; /* monotonic clock, of the last line */
};

enum err_code rds_settings_open(const struct cli *cli, struct rds_cli *out, struct err *err);
void rds_settings_close(struct rds_cli *r);

#endif
