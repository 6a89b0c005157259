/* Settings that several commands turn into arguments of the layers below. */
#ifndef DBSAFE_CLI_SETTINGS_H
#define DBSAFE_CLI_SETTINGS_H

#include "cli/command.h"
#include "cli/progress.h"

/* --threads, else the smaller of the processors this process may use and 4. */
unsigned settings_threads(const struct options *o);
/* --stale-after. */
int64_t settings_stale_after_ms(const struct options *o);
/* Starts showing progress as --progress wants it; NULL for none. */
struct ticker *settings_ticker(const struct cli *cli);

/* ERR_USAGE for the first of ids that was given on the command line though flag, without which it does
 * nothing, is not set. */
enum err_code settings_check_needs(const struct options *o, enum option_id flag, const enum option_id *ids,
                                   unsigned count, struct err *err);

/* Pairs OLD, NEW of --into items ("OLD=NEW" each, or one "DB": OLD is NULL).  Caller frees *pairs, whose
 * strings belong to it.  ERR_USAGE. */
enum err_code settings_into(const char *const *items, unsigned count, const char ***pairs, struct err *err);

#endif
