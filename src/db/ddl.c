#include "db/ddl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The byte behind a quoted piece that starts at p; the end of the text when it is not closed. */
static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    while (*p) {
        if (*p == '\\' && quote != '`' && p[1]) {
            p += 2;
        } else if (*p == quote) {
            if (p[1] != quote)
                return p + 1;
            p += 2;
        } else {
            p++;
        }
    }
    return p;
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"' || c == '`';
}

const char *ddl_step(const char *p)
{
    return is_quote(*p) ? skip_quoted(p) : p + 1;
}

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* When p starts with the words, the place behind them; else NULL. */
static const char *after_words(const char *p, const char *words)
{
    size_t n = strlen(words);
    return strncasecmp(p, words, n) == 0 ? skip_space(p + n) : NULL;
}

/* Reads `name` at p, unquoted into the arena; NULL when there is none. *end is behind it. */
static const char *read_name(const char *p, struct arena *arena, const char **end)
{
    if (*p != '`')
        return NULL;
    *end = skip_quoted(p);
    if (*end - p < 2 || (*end)[-1] != '`')
        return NULL; /* not closed */
    char *name = arena_strndup(arena, p + 1, (size_t)(*end - p - 2));
    char *w = name;
    for (const char *r = name; *r; r++) {
        *w++ = *r;
        if (*r == '`' && r[1] == '`')
            r++;
    }
    *w = '\0';
    return name;
}

/* The first column of the parenthesised list at or after p. */
static const char *read_first_column(const char *p, struct arena *arena)
{
    while (*p && *p != '(')
        p = ddl_step(p);
    const char *end;
    return *p ? read_name(skip_space(p + 1), arena, &end) : NULL;
}

static void read_foreign(struct ddl_item *item, const char *p, struct arena *arena)
{
    item->kind = DDL_FOREIGN;
    item->first_column = read_first_column(p, arena);
    while (*p && !after_words(p, "REFERENCES "))
        p = ddl_step(p);
    if (!*p)
        return;
    const char *end;
    item->parent_table = read_name(after_words(p, "REFERENCES "), arena, &end);
    if (item->parent_table && *end == '.') {
        item->parent_schema = item->parent_table;
        item->parent_table = read_name(end + 1, arena, &end);
    }
}

static bool has_words(const char *text, const char *words)
{
    for (const char *p = text; *p; p = ddl_step(p))
        if (after_words(p, words))
            return true;
    return false;
}

static void classify(struct ddl_item *item, struct arena *arena)
{
    static const struct {
        const char *words;
        enum ddl_kind kind;
    } keys[] = {{"PRIMARY KEY ", DDL_PRIMARY},
                {"UNIQUE KEY ", DDL_UNIQUE},
                {"KEY ", DDL_KEY},
                {"FULLTEXT KEY ", DDL_FULLTEXT},
                {"SPATIAL KEY ", DDL_SPATIAL}};
    const char *end = item->text;
    item->kind = DDL_OTHER;
    if (*item->text == '`') {
        item->kind = DDL_COLUMN;
        item->name = read_name(item->text, arena, &end);
        item->auto_increment = has_words(end, "AUTO_INCREMENT");
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *p = after_words(item->text, keys[i].words);
        if (p) {
            item->kind = keys[i].kind;
            item->name = read_name(p, arena, &end);
            item->first_column = read_first_column(item->name ? end : p, arena);
            return;
        }
    }
    const char *p = after_words(item->text, "CONSTRAINT ");
    if (p)
        item->name = read_name(p, arena, &end);
    p = p ? skip_space(end) : item->text;
    if (after_words(p, "FOREIGN KEY"))
        read_foreign(item, p, arena);
}

/* The place of the parenthesis that closes the one before p, counting the items on the way. */
static const char *find_close(const char *p, unsigned *items)
{
    unsigned depth = 1;
    *items = 1;
    while (*p) {
        if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return p;
        else if (*p == ',' && depth == 1)
            ++*items;
        p = ddl_step(p);
    }
    return NULL;
}

enum err_code ddl_parse(const char *text, struct arena *arena, struct ddl *out, struct err *err)
{
    const char *open = text;
    while (*open && *open != '(')
        open = ddl_step(open);
    unsigned count;
    const char *close = *open ? find_close(open + 1, &count) : NULL;
    if (!close || !after_words(text, "CREATE "))
        return err_set(err, ERR_DB,
                       "read a table's definition: it has not the form of SHOW CREATE TABLE: %.80s", text);
    out->head = arena_strndup(arena, text, (size_t)(open + 1 - text));
    out->tail = arena_strdup(arena, close);
    out->item_count = count;
    out->items = arena_calloc(arena, count, sizeof *out->items);
    const char *start = skip_space(open + 1);
    unsigned depth = 0, n = 0;
    for (const char *p = start; n < count; p = ddl_step(p)) {
        bool ends = p == close || (*p == ',' && depth == 0);
        if (ends) {
            const char *end = p;
            while (end > start && isspace((unsigned char)end[-1]))
                end--;
            out->items[n].text = arena_strndup(arena, start, (size_t)(end - start));
            classify(&out->items[n], arena);
            if (out->items[n].kind == DDL_FOREIGN && !out->items[n].parent_table)
                return err_set(err, ERR_DB,
                               "read a table's definition: a foreign key without its parent: %.200s",
                               out->items[n].text);
            n++;
            start = skip_space(p + 1);
        } else if (*p == '(') {
            depth++;
        } else if (*p == ')') {
            depth--;
        }
    }
    return ERR_OK;
}

static void add_sequence(struct ddl_sequence *list, unsigned *count, const char *schema, const char *name)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp(list[i].name, name) == 0 && strcmp(list[i].schema, schema) == 0)
            return;
    list[(*count)++] = (struct ddl_sequence){schema, name};
}

struct ddl_sequence *ddl_sequences(const struct ddl *d, struct arena *arena, unsigned *count)
{
    struct ddl_sequence *list = NULL;
    for (unsigned pass = 0; pass < 2; pass++) { /* counts, then takes */
        unsigned found = 0;
        *count = 0;
        for (unsigned i = 0; i < d->item_count; i++) {
            if (d->items[i].kind != DDL_COLUMN)
                continue;
            for (const char *p = d->items[i].text; *p; p = ddl_step(p)) {
                const char *at = after_words(p, "nextval("), *end;
                if (!at)
                    continue;
                found++;
                const char *schema = list ? read_name(at, arena, &end) : NULL;
                const char *name = schema && *end == '.' ? read_name(end + 1, arena, &end) : NULL;
                if (name)
                    add_sequence(list, count, schema, name);
            }
        }
        if (!list)
            list = arena_calloc(arena, found + 1, sizeof *list);
    }
    return list;
}

void ddl_create(const struct ddl *d, const char *into, const bool *skip, struct buf *out)
{
    buf_putf(out, "CREATE TABLE %s (", into);
    const char *comma = "\n  ";
    for (unsigned i = 0; i < d->item_count; i++) {
        if (skip && skip[i])
            continue;
        buf_put(out, comma);
        buf_put(out, d->items[i].text);
        comma = ",\n  ";
    }
    buf_put(out, "\n");
    buf_put(out, d->tail);
}

void ddl_without_auto_increment(const char *text, struct buf *out)
{
    unsigned depth = 0;
    const char *p = text;
    while (*p) {
        if (*p == '(')
            depth++;
        else if (*p == ')' && depth > 0)
            depth--;
        const char *value = depth == 0 ? after_words(p, " AUTO_INCREMENT=") : NULL;
        if (value) {
            while (isdigit((unsigned char)*value))
                value++;
            p = value;
            continue;
        }
        const char *next = ddl_step(p);
        buf_putn(out, p, (size_t)(next - p));
        p = next;
    }
}

bool ddl_tail_has(const char *tail, const char *words)
{
    return has_words(tail, words);
}
