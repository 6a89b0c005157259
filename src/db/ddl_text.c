#include "db/ddl_text.h"

#include "db/ddl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

bool ddl_next_word(const char **p, struct ddl_word *out)
{
    while (**p && !is_word(**p))
        *p = ddl_step(*p);
    out->text = *p;
    while (is_word(**p))
        ++*p;
    out->bytes = (size_t)(*p - out->text);
    return out->bytes > 0;
}

bool ddl_word_is(const struct ddl_word *w, const char *word)
{
    return w->bytes == strlen(word) && strncasecmp(w->text, word, w->bytes) == 0;
}

/* Whether the words follow at p, with nothing but white space and '=' between. */
static const char *follow(const char *p, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        while (isspace((unsigned char)*p))
            p++;
        if (strncasecmp(p, words, n) != 0 || is_word(p[n]))
            return NULL;
        p += n;
        words += n + (words[n] == ' ');
    }
    return p;
}

bool ddl_has_words(const char *text, const char *words)
{
    struct ddl_word w;
    for (const char *p = text; ddl_next_word(&p, &w);)
        if (follow(w.text, words))
            return true;
    return false;
}

/* The bare name behind "NAME", "= NAME" or " = NAME". */
static bool name_behind(const char *p, struct ddl_word *out)
{
    while (isspace((unsigned char)*p) || *p == '=')
        p++;
    return is_word(*p) && ddl_next_word(&p, out);
}

static void add_once(const char **names, unsigned *count, const struct ddl_word *name, struct arena *arena)
{
    for (unsigned i = 0; i < *count; i++)
        if (ddl_word_is(name, names[i]))
            return;
    names[(*count)++] = arena_strndup(arena, name->text, name->bytes);
}

/* The names behind any of these words. */
static const char **list_names(const char *text, const char *const *heads, struct arena *arena,
                               unsigned *count)
{
    size_t room = 1;
    struct ddl_word w, name;
    for (const char *p = text; ddl_next_word(&p, &w);)
        room++;
    const char **names = arena_calloc(arena, room, sizeof *names);
    *count = 0;
    for (const char *p = text; ddl_next_word(&p, &w);)
        for (const char *const *head = heads; *head; head++) {
            const char *end = follow(w.text, *head);
            if (end && name_behind(end, &name))
                add_once(names, count, &name, arena);
        }
    return names;
}

const char **ddl_collations(const char *text, struct arena *arena, unsigned *count)
{
    static const char *const heads[] = {"COLLATE", NULL};
    return list_names(text, heads, arena, count);
}

const char **ddl_charsets(const char *text, struct arena *arena, unsigned *count)
{
    static const char *const heads[] = {"CHARSET", "CHARACTER SET", NULL};
    return list_names(text, heads, arena, count);
}

/* MariaDB leaves out what MySQL 5.7 and later mean for themselves; MySQL knows no "M!". */
static bool skips(bool mariadb, const char *comment, size_t *start)
{
    if (comment[2] == 'M' && comment[3] == '!') {
        *start = 4 + strspn(comment + 4, "0123456789");
        return !mariadb;
    }
    if (comment[2] != '!')
        return false;
    size_t digits = strspn(comment + 3, "0123456789");
    unsigned long version = strtoul(comment + 3, NULL, 10);
    *start = 3 + digits;
    return digits > 0 && (mariadb ? version >= 50700 && version <= 99999 : version >= 100000);
}

const char *ddl_skipped_by(bool mariadb, const char *text, struct arena *arena)
{
    for (const char *p = text; *p; p = ddl_step(p)) {
        size_t start;
        if (p[0] != '/' || p[1] != '*' || !skips(mariadb, p, &start))
            continue;
        const char *end = strstr(p, "*/");
        p += start + strspn(p + start, " ");
        size_t n = end && end > p ? (size_t)(end - p) : strlen(p);
        while (n > 0 && p[n - 1] == ' ')
            n--;
        return arena_strndup(arena, p, n);
    }
    return NULL;
}

/* ---- other collations ---- */

/* Bytes of the character set's name, which a collation's begins with. */
static size_t charset_bytes(const char *collation)
{
    return strcspn(collation, "_");
}

/* "utf8mb4_bin", or "binary" alone. */
static bool names_collation(const char *name)
{
    return strchr(name, '_') || strcasecmp(name, "binary") == 0;
}

static enum err_code add_pair(struct collation_map *map, const char *item, struct arena *arena,
                              struct err *err)
{
    const char *equals = strchr(item, '=');
    size_t n = equals ? (size_t)(equals - item) : 0;
    if (n == 0 || equals[1] == '\0' ||
        strspn(item, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != n ||
        equals[1 + strspn(equals + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] !=
            '\0')
        return err_set(err, ERR_USAGE, "'%s' is not of the form OLD=NEW with the names of two collations",
                       item);
    const char *old = arena_strndup(arena, item, n), *new = arena_strdup(arena, equals + 1);
    if (!names_collation(old) || !names_collation(new))
        return err_set(err, ERR_USAGE,
                       "'%s': %s is no collation; their names begin with that of the character set", item,
                       names_collation(old) ? new : old);
    for (unsigned i = 0; i < map->count; i++)
        if (strcasecmp(map->names[2 * i], old) == 0)
            return err_set(err, ERR_USAGE, "collation %s is given two others, %s and %s", old,
                           map->names[2 * i + 1], new);
    if (charset_bytes(old) != charset_bytes(new) || strncasecmp(old, new, charset_bytes(old)) != 0)
        return err_set(err, ERR_USAGE,
                       "collation %s cannot become %s: they belong to different character sets, and texts "
                       "would have to be"
                       " converted",
                       old, new);
    map->names[2 * map->count] = old;
    map->names[2 * map->count++ + 1] = new;
    return ERR_OK;
}

enum err_code collation_map_parse(const char *const *items, unsigned count, struct arena *arena,
                                  struct collation_map *out, struct err *err)
{
    *out = (struct collation_map){.names = arena_calloc(arena, 2 * (size_t)count + 1, sizeof *out->names)};
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < count; i++)
        code = add_pair(out, items[i], arena, err);
    return code;
}

const char *collation_map_find(const struct collation_map *map, const char *name)
{
    for (unsigned i = 0; map && i < map->count; i++)
        if (strcasecmp(map->names[2 * i], name) == 0)
            return map->names[2 * i + 1];
    return name;
}

void collation_map_apply(const struct collation_map *map, const char *text, struct buf *out)
{
    struct arena *arena = arena_new();
    struct ddl_word w, name;
    const char *copied = text;
    for (const char *p = text; map && map->count && ddl_next_word(&p, &w);) {
        if (!ddl_word_is(&w, "COLLATE") || !name_behind(p, &name))
            continue;
        const char *old = arena_strndup(arena, name.text, name.bytes), *new = collation_map_find(map, old);
        if (new == old)
            continue;
        buf_putn(out, copied, (size_t)(name.text - copied));
        buf_put(out, new);
        copied = p = name.text + name.bytes;
    }
    buf_put(out, copied);
    arena_free(arena);
}
