#include "cli/option_file.h"

#include "core/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct looking {
    const char *path;
    unsigned line;
    bool in_group; /* some group was begun */
    bool ours;     /* one of those that are read */
    bool password; /* one was seen in it */
};

static bool is_ours(const char *group, size_t length)
{
    static const char *const ours[] = {"client", "client-server", "client-mariadb", "dbsafe"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strlen(ours[i]) == length && strncmp(group, ours[i], length) == 0)
            return true;
    return false;
}

static enum err_code look_at_group(struct looking *l, const char *text, struct err *err)
{
    const char *end = strchr(text, ']');
    if (!end)
        return err_set(err, ERR_CONFIG, "option file %s, line %u: a group that has no ']'", l->path, l->line);
    l->in_group = true;
    l->ours = is_ours(text + 1, (size_t)(end - text - 1));
    return ERR_OK;
}

/* "key" or "key = value".  The text may be secret: it is not repeated. */
static enum err_code look_at_setting(struct looking *l, const char *text, struct err *err)
{
    size_t key = 0;
    if (!l->in_group)
        return err_set(err, ERR_CONFIG,
                       "option file %s, line %u: a setting before any group: [client] or [dbsafe] is missing",
                       l->path, l->line);
    while (isalnum((unsigned char)text[key]) || text[key] == '-' || text[key] == '_' || text[key] == '.')
        key++;
    const char *rest = text + key + strspn(text + key, " \t\r\n");
    if (l->ours && (key == 0 || (*rest && *rest != '=' && *rest != '#')))
        return err_set(err, ERR_CONFIG,
                       "option file %s, line %u: neither a group nor a setting (name = value)", l->path,
                       l->line);
    l->password |= l->ours && key == 8 && strncasecmp(text, "password", 8) == 0 && *rest == '=';
    return ERR_OK;
}

static enum err_code look_at_line(struct looking *l, const char *text, struct err *err)
{
    text += strspn(text, " \t\r\n");
    if (*text == '\0' || *text == '#' || *text == ';' || *text == '!')
        return ERR_OK;
    return *text == '[' ? look_at_group(l, text, err) : look_at_setting(l, text, err);
}

enum err_code option_file_check(const char *path, struct log *log, struct err *err)
{
    struct looking l = {.path = path};
    struct stat st;
    char *line = NULL;
    size_t bytes = 0;
    enum err_code code = ERR_OK;
    FILE *file = fopen(path, "re");
    if (!file)
        return ERR_OK;
    bool regular = fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode);
    while (regular && code == ERR_OK && getline(&line, &bytes, file) >= 0) {
        l.line++;
        code = look_at_line(&l, line, err);
    }
    if (line)
        explicit_bzero(line, bytes);
    free(line);
    fclose(file);
    if (code == ERR_OK && l.password && (st.st_mode & 077))
        log_warn(log, "the option file %s holds a password and is open to others (mode %04o): use chmod 600",
                 path, (unsigned)st.st_mode & 07777u);
    return code;
}

enum err_code option_file_check_standard(const char *home, struct log *log, struct err *err)
{
    enum err_code code = option_file_check("/etc/my.cnf", log, err);
    if (code == ERR_OK)
        code = option_file_check("/etc/mysql/my.cnf", log, err);
    if (code != ERR_OK || !home)
        return code;
    char *own = xasprintf("%s/.my.cnf", home);
    code = option_file_check(own, log, err);
    free(own);
    return code;
}
