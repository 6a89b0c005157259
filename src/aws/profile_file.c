#include "aws/profile_file.h"

#include "aws/secret_file.h"
#include "core/buf.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES (4 << 20)

struct parse {
    struct profile_file *file;
    enum profile_file_kind kind;
    const char *name;
    unsigned line;
    char *section; /* owned; NULL before the first, or inside one that is ignored */
    bool ignored;  /* inside a section that is no one's */
    char *parent;  /* owned: the key whose value the next indented lines belong to, or NULL */
    bool nests;    /* that key's own value was empty: indented lines are keys below it */
};

/* A line, or a part of it: not terminated. */
struct span {
    const char *at;
    size_t bytes;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.bytes > 0 && is_blank(*s.at)) {
        s.at++;
        s.bytes--;
    }
    while (s.bytes > 0 && is_blank(s.at[s.bytes - 1]))
        s.bytes--;
    return s;
}

/* A comment inside a line begins with white space. */
static struct span without_comment(struct span s)
{
    for (size_t i = 1; i < s.bytes; i++)
        if ((s.at[i] == '#' || s.at[i] == ';') && is_blank(s.at[i - 1]))
            s.bytes = i;
    return trim(s);
}

static void add_entry(struct parse *p, const char *key, struct span value)
{
    struct profile_file *f = p->file;
    f->entries = xreallocarray(f->entries, f->count + 1, sizeof *f->entries);
    f->entries[f->count++] =
        (struct profile_file_entry){xstrdup(p->section), xstrdup(key), xstrndup(value.at, value.bytes)};
}

static enum err_code malformed(struct parse *p, const char *what, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s:%u: %s", p->name, p->line, what);
}

static void end_property(struct parse *p)
{
    free(p->parent);
    p->parent = NULL;
}

static struct span unquoted(struct span s)
{
    if (s.bytes >= 2 && (*s.at == '"' || *s.at == '\'') && s.at[s.bytes - 1] == *s.at)
        return (struct span){s.at + 1, s.bytes - 2};
    return s;
}

/* "profile x" of the configuration is x; "default" is the only profile without that word. */
static void enter_section(struct parse *p, struct span title)
{
    static const char prefix[] = "profile";
    size_t n = sizeof prefix - 1;
    free(p->section);
    p->section = NULL;
    p->ignored = false;
    if (p->kind == PROFILE_FILE_CONFIG && title.bytes > n && strncmp(title.at, prefix, n) == 0 &&
        is_blank(title.at[n])) {
        title = unquoted(trim((struct span){title.at + n, title.bytes - n}));
    } else if (p->kind == PROFILE_FILE_CONFIG && memchr(title.at, ' ', title.bytes) == NULL &&
               !(title.bytes == 7 && strncmp(title.at, "default", 7) == 0)) {
        p->ignored = true;
        return;
    } else {
        title = unquoted(title);
    }
    p->section = xstrndup(title.at, title.bytes);
    add_entry(p, "", (struct span){"", 0});
}

static enum err_code take_title(struct parse *p, struct span line, struct err *err)
{
    const char *end = memchr(line.at, ']', line.bytes);
    end_property(p);
    if (end == NULL)
        return malformed(p, "a section without ']'", err);
    struct span title = trim((struct span){line.at + 1, (size_t)(end - line.at - 1)});
    if (title.bytes == 0)
        return malformed(p, "a section without a name", err);
    enter_section(p, title);
    return ERR_OK;
}

static char *lower_copy(struct span s)
{
    char *copy = xstrndup(s.at, s.bytes);
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static enum err_code take_property(struct parse *p, struct span line, struct err *err)
{
    const char *equals = memchr(line.at, '=', line.bytes);
    if (equals == NULL || equals == line.at)
        return malformed(p, "neither '[section]' nor 'key = value'", err);
    if (p->section == NULL && !p->ignored)
        return malformed(p, "a key before the first section", err);
    end_property(p);
    struct span value =
        without_comment((struct span){equals + 1, line.bytes - (size_t)(equals + 1 - line.at)});
    p->parent = lower_copy(trim((struct span){line.at, (size_t)(equals - line.at)}));
    p->nests = value.bytes == 0;
    if (!p->ignored)
        add_entry(p, p->parent, value);
    return ERR_OK;
}

/* Another line of the value before. */
static void continue_value(struct parse *p, struct span line)
{
    struct profile_file_entry *last = &p->file->entries[p->file->count - 1];
    char *longer = xasprintf("%s\n%.*s", last->value, (int)line.bytes, line.at);
    secret_free(last->value);
    last->value = longer;
}

static enum err_code take_indented(struct parse *p, struct span line, struct err *err)
{
    if (p->ignored)
        return ERR_OK;
    if (p->parent == NULL)
        return malformed(p, "an indented line that belongs to no key", err);
    if (!p->nests) {
        continue_value(p, line);
        return ERR_OK;
    }
    const char *equals = memchr(line.at, '=', line.bytes);
    if (equals == NULL || equals == line.at)
        return malformed(p, "an indented line below an empty value is 'key = value'", err);
    char *name = lower_copy(trim((struct span){line.at, (size_t)(equals - line.at)}));
    char *key = xasprintf("%s.%s", p->parent, name);
    add_entry(p, key,
              without_comment((struct span){equals + 1, line.bytes - (size_t)(equals + 1 - line.at)}));
    free(key);
    free(name);
    return ERR_OK;
}

static enum err_code take_line(struct parse *p, struct span line, struct err *err)
{
    struct span text = trim(line);
    if (text.bytes == 0 || *text.at == '#' || *text.at == ';')
        return ERR_OK;
    if (memchr(text.at, '\0', text.bytes) != NULL)
        return malformed(p, "a NUL byte", err);
    bool indented = text.at != line.at;
    if (indented && (p->parent != NULL || p->ignored))
        return take_indented(p, text, err);
    return *text.at == '[' ? take_title(p, text, err) : take_property(p, text, err);
}

enum err_code profile_file_parse(const char *text, size_t bytes, const char *name,
                                 enum profile_file_kind kind, struct profile_file *out, struct err *err)
{
    struct parse p = {.file = out, .kind = kind, .name = name};
    enum err_code rc = ERR_OK;
    *out = (struct profile_file){0};
    if (bytes >= 3 && strncmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    while (rc == ERR_OK && bytes > 0) {
        const char *newline = memchr(text, '\n', bytes);
        size_t n = newline != NULL ? (size_t)(newline - text) : bytes;
        p.line++;
        rc = take_line(&p, (struct span){text, n}, err);
        n += newline != NULL ? 1 : 0;
        text += n;
        bytes -= n;
    }
    free(p.section);
    free(p.parent);
    if (rc != ERR_OK)
        profile_file_clear(out);
    return rc;
}

enum err_code profile_file_read(const char *path, enum profile_file_kind kind, struct profile_file *out,
                                struct err *err)
{
    bool exists;
    struct buf text;
    buf_init(&text, FILE_BYTES);
    text.secret = true;
    *out = (struct profile_file){0};
    enum err_code rc = secret_file_load(path, "AWS configuration", &exists, &text, err);
    if (rc == ERR_OK && text.len > 0)
        rc = profile_file_parse(text.data, text.len, path, kind, out, err);
    buf_free(&text);
    return rc;
}

void profile_file_clear(struct profile_file *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->entries[i].section);
        free(f->entries[i].key);
        secret_free(f->entries[i].value);
    }
    free(f->entries);
    *f = (struct profile_file){0};
}

bool profile_file_has(const struct profile_file *f, const char *section)
{
    return profile_file_get(f, section, "") != NULL;
}

const char *profile_file_get(const struct profile_file *f, const char *section, const char *key)
{
    for (size_t i = f->count; i > 0; i--)
        if (strcmp(f->entries[i - 1].section, section) == 0 && strcmp(f->entries[i - 1].key, key) == 0)
            return f->entries[i - 1].value;
    return NULL;
}
