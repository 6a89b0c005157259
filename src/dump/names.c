#include "dump/names.h"

#include "archive/select.h"

#include <string.h>

/* Reads the quoted part that starts at *at; *at is behind it.  False when it is not closed. */
static bool read_quoted(const char **at, struct arena *arena, struct name_part *out)
{
    const char *p = *at + 1;
    char *text = arena_strdup(arena, p), *w = text;
    for (; *p && !(*p == '`' && p[1] != '`'); p++) {
        *w++ = *p;
        if (*p == '`')
            p++;
    }
    *w = '\0';
    *out = (struct name_part){text, true};
    *at = *p ? p + 1 : p;
    return *p == '`';
}

/* A part that ends at the first of the stop characters, or quoted. */
static bool read_part(const char **at, const char *stop, struct arena *arena, struct name_part *out)
{
    if (**at == '`')
        return read_quoted(at, arena, out);
    size_t n = strcspn(*at, stop);
    *out = (struct name_part){arena_strndup(arena, *at, n), false};
    *at += n;
    return true;
}

enum err_code name_parse(const char *given, struct arena *arena, struct name *out, struct err *err)
{
    const char *at = given;
    *out = (struct name){.given = given};
    bool closed = read_part(&at, ".", arena, &out->schema);
    if (closed && *at == '.') {
        at++;
        closed = read_part(&at, "", arena, &out->table);
    }
    if (!closed || *at)
        return err_set(err, ERR_USAGE, "'%s' is not a name: a part in backticks ends with a backtick", given);
    if (!out->schema.text[0] || (out->table.text && !out->table.text[0]))
        return err_set(err, ERR_USAGE, "'%s' is not a name: write DB or DB.TABLE", given);
    return ERR_OK;
}

bool name_part_matches(const struct name_part *part, const char *name)
{
    return part->quoted ? strcmp(part->text, name) == 0 : name_matches(part->text, name);
}

bool name_part_is_pattern(const struct name_part *part)
{
    return !part->quoted && strpbrk(part->text, "*?") != NULL;
}

bool name_excludes(const struct name *name, const char *schema, const char *table)
{
    if (name->table.text)
        return table && name_part_matches(&name->schema, schema) && name_part_matches(&name->table, table);
    return name_part_matches(&name->schema, schema) || (table && name_part_matches(&name->schema, table));
}
