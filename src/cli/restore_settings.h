/*
 * What the command line asks of a restore: for `restore`, and for `doctor`, which looks whether it would
 * work.
 */
#ifndef DBSAFE_CLI_RESTORE_SETTINGS_H
#define DBSAFE_CLI_RESTORE_SETTINGS_H

#include "cli/options.h"
#include "restore/restore.h"

struct restore_settings {
    struct restore_options options; /* points into the options and into what follows */
    const char **pairs;             /* of --into; owned */
    char *definer;                  /* of --definer; owned */
};

/* archive_name: for the journal; borrowed.  ERR_USAGE.  Release with restore_settings_free, on failure too.
 */
enum err_code restore_settings_read(const struct options *o, const char *archive_name,
                                    struct restore_settings *out, struct err *err);
void restore_settings_free(struct restore_settings *s);

#endif
