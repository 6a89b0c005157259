#include "db/view_uses.h"

#include <string.h>

/* Behind the quoted piece that starts at p. */
static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    for (; *p; p++) {
        if (*p == '\\' && quote != '`' && p[1])
            p++;
        else if (*p == quote && p[1] == quote)
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return p;
}

static const char *unquote(const char *from, const char *to, struct arena *arena)
{
    char *name = arena_strndup(arena, from + 1, (size_t)(to - from) - 1), *w = name;
    if (to - from >= 2 && to[-1] == '`')
        name[to - from - 2] = '\0';
    for (const char *r = name; *r; r++) {
        *w++ = *r;
        if (*r == '`' && r[1] == '`')
            r++;
    }
    *w = '\0';
    return name;
}

static void add(struct view_use *uses, unsigned *count, const char *schema, const char *name)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp(uses[i].name, name) == 0 && strcmp(uses[i].schema, schema) == 0)
            return;
    uses[(*count)++] = (struct view_use){schema, name};
}

static struct view_use *find(const char *query, bool functions, struct arena *arena, unsigned *count)
{
    unsigned most = 0;
    for (const char *p = strstr(query, "`.`"); p; p = strstr(p + 1, "`.`"))
        most++;
    for (const char *p = strstr(query, "`("); functions && p; p = strstr(p + 1, "`("))
        most++;
    struct view_use *uses = arena_calloc(arena, most + 1, sizeof *uses);
    *count = 0;
    for (const char *p = query; *p;) {
        if (*p != '`') {
            p = *p == '\'' || *p == '"' ? skip_quoted(p) : p + 1;
            continue;
        }
        const char *first = p, *first_end = skip_quoted(p), *second, *second_end;
        p = first_end;
        if (functions && p[0] == '(' && *count < most)
            add(uses, count, "", unquote(first, first_end, arena));
        if (p[0] != '.' || p[1] != '`')
            continue;
        second = p + 1;
        p = second_end = skip_quoted(second);
        bool is_function = *p == '(';
        if (p[0] == '.' && p[1] == '`')
            p = skip_quoted(p + 1);
        if (is_function == functions && *count < most)
            add(uses, count, unquote(first, first_end, arena), unquote(second, second_end, arena));
    }
    return uses;
}

struct view_use *view_uses(const char *query, struct arena *arena, unsigned *count)
{
    return find(query, false, arena, count);
}

struct view_use *view_functions(const char *query, struct arena *arena, unsigned *count)
{
    return find(query, true, arena, count);
}
