/* The options of a restore drill as arguments of src/recovery. */
#ifndef DBSAFE_CLI_DRILL_SETTINGS_H
#define DBSAFE_CLI_DRILL_SETTINGS_H

#include "cli/command.h"
#include "recovery/drill.h"

struct drill_settings {
    struct drill_options options; /* points into this struct and into the settings */
    char *mariadbd;
};

/* ERR_NOT_FOUND: there is no server program on this machine.  Release with drill_settings_free, on failure
 * too. */
enum err_code drill_settings_read(const struct cli *cli, struct drill_settings *out, struct err *err);
void drill_settings_free(struct drill_settings *s);

#endif
