#include "cli/config.h"

#include "core/environment.h"
#include "core/mem.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_FILE    "/etc/dbsafe.conf"
#define PROFILE_PREFIX "profile "
#define WHERE_BYTES    4352

/* inih calls back for lines and for keys; the first error is kept here. */
struct reading {
    struct options *options;
    FILE *file;
    const char *path;
    const char *profile; /* NULL: none chosen */
    bool profile_found;
    unsigned line;
    enum err_code code;
    struct err *err;
};

/* A line for inih, whose own reader neither counts nor refuses lines it has no room for.  Leading blanks go:
 * inih would take an indented line as more of the value before. */
static char *next_line(char *line, int room, void *arg)
{
    struct reading *r = arg;
    if (r->code != ERR_OK || !fgets(line, room, r->file))
        return NULL;
    r->line++;
    size_t n = strlen(line);
    if (n + 1 == (size_t)room && line[n - 1] != '\n') {
        r->code = err_set(r->err, ERR_CONFIG, "%s:%u: the line is longer than %d bytes", r->path, r->line,
                          room - 2);
        return NULL;
    }
    size_t blanks = strspn(line, " \t");
    memmove(line, line + blanks, n - blanks + 1);
    return line;
}

/* The rank of a section's keys; ORIGIN_NONE for a profile that was not chosen. */
static bool section_origin(struct reading *r, const char *section, enum origin *origin)
{
    size_t prefix = strlen(PROFILE_PREFIX);
    *origin = ORIGIN_FILE;
    if (!*section || strcmp(section, "dbsafe") == 0)
        return true;
    if (strncmp(section, PROFILE_PREFIX, prefix) != 0 || !section[prefix])
        return false;
    bool chosen = r->profile && strcmp(section + prefix, r->profile) == 0;
    *origin = chosen ? ORIGIN_PROFILE : ORIGIN_NONE;
    r->profile_found |= chosen;
    return true;
}

static enum err_code unusable_key(struct reading *r, const char *key, enum option_id id)
{
    if (id == OPTION_TOTAL)
        return err_set(r->err, ERR_CONFIG, "%s:%u: unknown key '%s'; 'dbsafe help config' lists the keys",
                       r->path, r->line, key);
    if (option_spec(id)->group == GROUP_CONNECTION)
        return err_set(r->err, ERR_CONFIG,
                       "%s:%u: '%s' belongs into a MariaDB option file ([client] or [dbsafe]), which "
                       "'defaults-file' names",
                       r->path, r->line, key);
    return err_set(r->err, ERR_CONFIG, "%s:%u: '%s' can be given on the command line only", r->path, r->line,
                   key);
}

/* inih's handler: 1 for success. */
static int take_key(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *r = arg;
    if (r->code != ERR_OK)
        return 0;
    enum origin origin;
    enum option_id id = option_find(key);
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "%s:%u: %s", r->path, r->line, key);
    if (!section_origin(r, section, &origin))
        r->code =
            err_set(r->err, ERR_CONFIG, "%s:%u: unknown section [%s]; there are [dbsafe] and [profile NAME]",
                    r->path, r->line, section);
    else if (id == OPTION_TOTAL || !(option_spec(id)->from & FROM_FILE))
        r->code = unusable_key(r, key, id);
    else if (origin == ORIGIN_NONE)
        r->code = options_check(id, ORIGIN_FILE, where, value, r->err);
    else
        r->code = options_set(r->options, id, origin, where, value, r->err);
    return r->code == ERR_OK;
}

enum err_code config_read_file(struct options *o, const char *path, const char *profile, struct err *err)
{
    struct reading r = {.options = o, .path = path, .profile = profile, .err = err};
    r.file = fopen(path, "re");
    if (!r.file)
        return err_set_errno(err, ERR_CONFIG, errno, "open the configuration file %s", path);
    int status = ini_parse_stream(next_line, &r, take_key, &r);
    if (r.code == ERR_OK && ferror(r.file))
        r.code = err_set_errno(err, ERR_CONFIG, errno, "read the configuration file %s", path);
    if (r.code == ERR_OK && status != 0)
        r.code = err_set(err, ERR_CONFIG, "%s:%d: neither '[section]' nor 'key = value'", path, status);
    if (r.code == ERR_OK && profile && !r.profile_found)
        r.code =
            err_set(err, ERR_CONFIG, "%s has no section [" PROFILE_PREFIX "%s] with settings", path, profile);
    fclose(r.file);
    return r.code;
}

/* The user's file, or NULL when there is no home; caller frees. */
static char *user_file(char *const *environment)
{
    const char *xdg = environment_get(environment, "XDG_CONFIG_HOME");
    const char *home = environment_get(environment, "HOME");
    if (xdg && *xdg == '/')
        return xasprintf("%s/dbsafe/dbsafe.conf", xdg);
    return home && *home == '/' ? xasprintf("%s/.config/dbsafe/dbsafe.conf", home) : NULL;
}

enum err_code config_read(struct options *o, char *const *environment, struct err *err)
{
    const char *profile = options_text(o, OPTION_PROFILE);
    const char *named = options_text(o, OPTION_CONFIG);
    if (named)
        return config_read_file(o, named, profile, err);
    enum err_code code = ERR_OK;
    char *user = user_file(environment);
    if (user && access(user, F_OK) == 0)
        code = config_read_file(o, user, profile, err);
    else if (access(SYSTEM_FILE, F_OK) == 0)
        code = config_read_file(o, SYSTEM_FILE, profile, err);
    else if (profile)
        code = err_set(err, ERR_CONFIG,
                       "--profile %s: there is no configuration file; name one with --config", profile);
    free(user);
    return code;
}
