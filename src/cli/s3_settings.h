/* The S3 store that options, configuration and environment describe. */
#ifndef DBSAFE_CLI_S3_SETTINGS_H
#define DBSAFE_CLI_S3_SETTINGS_H

#include "cli/command.h"
#include "core/store.h"
#include "s3/url.h"

/* Opens s3://bucket[/prefix].  The store, its sinks and sources borrow from cli.  ERR_USAGE, ERR_CONFIG. */
enum err_code s3_settings_open(const struct cli *cli, const char *url, struct store **out, struct err *err);

#endif
