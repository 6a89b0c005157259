#include "archive/select.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

/* The byte behind the UTF-8 character that starts at s. */
static const char *next_character(const char *s)
{
    s++;
    while (((unsigned char)*s & 0xC0) == 0x80)
        s++;
    return s;
}

/* The pattern is n bytes long.  Going back to the last star alone is enough: whatever an earlier star could
 * take, the last one can take as well.  So the time is at most pattern x name, whatever the pattern. */
static bool matches(const char *pattern, size_t n, const char *name)
{
    const char *end = pattern + n, *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (pattern < end && *pattern == '?') {
            pattern++;
            name = next_character(name);
        } else if (pattern < end && *pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool name_matches(const char *pattern, const char *name)
{
    return matches(pattern, strlen(pattern), name);
}

/* A pattern without a dot means the table's name; with dots, any of them may be the one between schema and
 * table, as names may hold dots too. */
static bool table_matches(const char *pattern, const struct manifest_table *t)
{
    const char *dot = strchr(pattern, '.');
    if (dot == NULL)
        return name_matches(pattern, t->name);
    for (; dot != NULL; dot = strchr(dot + 1, '.'))
        if (matches(pattern, (size_t)(dot - pattern), t->schema) && name_matches(dot + 1, t->name))
            return true;
    return false;
}

enum err_code archive_select(const struct manifest *m, const char *const *patterns, unsigned count,
                             bool **chosen, struct err *err)
{
    *chosen = xcalloc(m->table_count > 0 ? m->table_count : 1, sizeof **chosen);
    for (unsigned i = 0; count == 0 && i < m->table_count; i++)
        (*chosen)[i] = true;
    for (unsigned p = 0; p < count; p++) {
        bool found = false;
        for (unsigned i = 0; i < m->table_count; i++)
            if (table_matches(patterns[p], &m->tables[i]))
                (*chosen)[i] = found = true;
        if (!found) {
            free(*chosen);
            *chosen = NULL;
            return err_set(err, ERR_NOT_FOUND, "the archive has no table '%s'", patterns[p]);
        }
    }
    return ERR_OK;
}
