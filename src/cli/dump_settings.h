/* The options of a dump as arguments of src/dump, for the commands that make archives. */
#ifndef DBSAFE_CLI_DUMP_SETTINGS_H
#define DBSAFE_CLI_DUMP_SETTINGS_H

#include "cli/options.h"
#include "dump/dump.h"

/* How, not what: names, excludes and label are the caller's. */
struct dump_options dump_settings_read(const struct options *o);
/* ERR_USAGE when it is given and is no label. */
enum err_code dump_settings_check_label(const char *label, struct err *err);

/* ERR_USAGE for a --max-rate that no dump of use could keep: a number whose unit was forgotten. */
enum err_code dump_settings_check_rate(const struct options *o, struct err *err);

#endif
