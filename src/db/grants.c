#include "db/grants.h"

#include "core/arena.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Everything at and behind it is granted on everything only. */
#define FIRST_GLOBAL PRIV_PROCESS

static const struct {
    const char *name;    /* in MySQL, and in GRANT statements of both */
    const char *mariadb; /* where MariaDB prints it in other words */
} NAMES[PRIV_COUNT] = {
    [PRIV_SELECT] = {"SELECT", NULL},
    [PRIV_INSERT] = {"INSERT", NULL},
    [PRIV_UPDATE] = {"UPDATE", NULL},
    [PRIV_DELETE] = {"DELETE", NULL},
    [PRIV_CREATE] = {"CREATE", NULL},
    [PRIV_DROP] = {"DROP", NULL},
    [PRIV_ALTER] = {"ALTER", NULL},
    [PRIV_INDEX] = {"INDEX", NULL},
    [PRIV_REFERENCES] = {"REFERENCES", NULL},
    [PRIV_LOCK_TABLES] = {"LOCK TABLES", NULL},
    [PRIV_SHOW_VIEW] = {"SHOW VIEW", NULL},
    [PRIV_CREATE_VIEW] = {"CREATE VIEW", NULL},
    [PRIV_TRIGGER] = {"TRIGGER", NULL},
    [PRIV_EVENT] = {"EVENT", NULL},
    [PRIV_CREATE_ROUTINE] = {"CREATE ROUTINE", NULL},
    [PRIV_ALTER_ROUTINE] = {"ALTER ROUTINE", NULL},
    [PRIV_EXECUTE] = {"EXECUTE", NULL},
    [PRIV_SHOW_ROUTINE] = {"SHOW_ROUTINE", "SHOW CREATE ROUTINE"},
    [PRIV_PROCESS] = {"PROCESS", NULL},
    [PRIV_RELOAD] = {"RELOAD", NULL},
    [PRIV_FLUSH_TABLES] = {"FLUSH_TABLES", NULL},
    [PRIV_REPLICATION_CLIENT] = {"REPLICATION CLIENT", "BINLOG MONITOR"},
    [PRIV_BACKUP_ADMIN] = {"BACKUP_ADMIN", NULL},
    [PRIV_SUPER] = {"SUPER", NULL},
    [PRIV_CONNECTION_ADMIN] = {"CONNECTION_ADMIN", "CONNECTION ADMIN"},
    [PRIV_SET_USER] = {"SET_USER_ID", "SET USER"},
};
/* MySQL 8.2 and later. */
static const char SET_ANY_DEFINER[] = "SET_ANY_DEFINER";

struct scope {
    const char *schema;  /* NULL: everything; a pattern of LIKE when has_pattern */
    const char *table;   /* NULL: the whole database */
    bool taken;          /* REVOKE: the privileges are missing there, whatever was granted on everything */
    uint64_t privileges; /* bits 1 << enum privilege */
};

struct grants {
    struct arena *arena;
    struct scope *scopes;
    size_t count, cap;
    const char *account;
    bool roles;
};

struct grants *grants_new(void)
{
    struct grants *g = xcalloc(1, sizeof *g);
    g->arena = arena_new();
    g->account = "";
    return g;
}

void grants_free(struct grants *g)
{
    if (!g)
        return;
    arena_free(g->arena);
    free(g->scopes);
    free(g);
}

const char *privilege_name(enum privilege p, bool mariadb)
{
    return mariadb && NAMES[p].mariadb ? NAMES[p].mariadb : NAMES[p].name;
}

static uint64_t bit(enum privilege p)
{
    return (uint64_t)1 << p;
}

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && strncasecmp(text, word, bytes) == 0;
}

/* The bits of one item of the list of privileges. */
static uint64_t privilege_bits(const char *item, size_t bytes)
{
    if (is_word(item, bytes, "ALL PRIVILEGES") || is_word(item, bytes, "ALL"))
        return bit(PRIV_COUNT) - 1;
    if (is_word(item, bytes, SET_ANY_DEFINER))
        return bit(PRIV_SET_USER);
    for (enum privilege p = 0; p < PRIV_COUNT; p++)
        if (is_word(item, bytes, NAMES[p].name) ||
            (NAMES[p].mariadb && is_word(item, bytes, NAMES[p].mariadb)))
            return bit(p);
    return 0;
}

/* ---- the text of a line ---- */

static bool is_quote(char c)
{
    return c == '`' || c == '"' || c == '\'';
}

/* Behind the quoted text that begins at p; at its end when it never ends. */
static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    for (; *p; p++) {
        if (*p != quote)
            continue;
        if (p[1] != quote)
            return p + 1;
        p++;
    }
    return p;
}

/* The first place from p on where word stands outside of quotes and parentheses; NULL: nowhere. */
static const char *find_word(const char *p, const char *word)
{
    int depth = 0;
    while (*p) {
        if (is_quote(*p)) {
            p = skip_quoted(p);
            continue;
        }
        depth += (*p == '(') - (*p == ')');
        if (depth == 0 && strncmp(p, word, strlen(word)) == 0)
            return p;
        p++;
    }
    return NULL;
}

/* A quoted name without its quotes; NULL for what is not one.  *end: behind it. */
static const char *read_name(struct arena *arena, const char *p, const char **end)
{
    *end = p;
    if (!is_quote(*p))
        return NULL;
    char quote = *p++, *name = arena_alloc(arena, strlen(p) + 1), *w = name;
    for (; *p; p++) {
        if (*p == quote && *++p != quote)
            break;
        *w++ = *p;
    }
    *w = '\0';
    *end = p;
    return name;
}

/* ---- lines ---- */

/* The privileges of the list from p to end; those on columns only are left out. */
static uint64_t read_privileges(const char *p, const char *end)
{
    uint64_t bits = 0;
    while (p < end) {
        const char *comma = find_word(p, ",");
        const char *stop = comma && comma < end ? comma : end;
        bits |= privilege_bits(p, (size_t)(stop - p));
        p = stop + 1;
        while (p < end && *p == ' ')
            p++;
    }
    return bits;
}

/* "*.*", "`schema`.*" or "`schema`.`table`"; false for anything else, such as PROCEDURE. */
static bool read_object(struct arena *arena, const char *p, struct scope *out)
{
    if (strncmp(p, "*.*", 3) == 0)
        return true;
    out->schema = read_name(arena, p, &p);
    if (!out->schema || *p != '.')
        return false;
    if (p[1] == '*')
        return true;
    out->table = read_name(arena, p + 1, &p);
    return out->table != NULL;
}

static void remember_account(struct grants *g, const char *p)
{
    const char *at, *end;
    if (g->account[0] || !read_name(g->arena, p, &at) || *at != '@' || !read_name(g->arena, at + 1, &end))
        return;
    g->account = arena_strndup(g->arena, p, (size_t)(end - p));
}

static void add_scope(struct grants *g, struct scope scope)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? 2 * g->cap : 16;
        g->scopes = xreallocarray(g->scopes, g->cap, sizeof *g->scopes);
    }
    g->scopes[g->count++] = scope;
}

void grants_add(struct grants *g, const char *line)
{
    bool taken = strncmp(line, "REVOKE ", 7) == 0;
    if (!taken && strncmp(line, "GRANT ", 6) != 0)
        return;
    const char *list = line + (taken ? 7 : 6);
    const char *to = find_word(list, taken ? " FROM " : " TO ");
    if (!to)
        return;
    remember_account(g, to + (taken ? 6 : 4));
    const char *on = find_word(list, " ON ");
    if (!on || on > to) {
        g->roles |= is_quote(*list);
        return;
    }
    struct scope scope = {.taken = taken, .privileges = read_privileges(list, on)};
    if (read_object(g->arena, on + 4, &scope))
        add_scope(g, scope);
}

enum err_code grants_read(struct db_conn *c, struct grants **out, struct err *err)
{
    struct db_rows *rows;
    *out = NULL;
    enum err_code code = db_query(c, "SHOW GRANTS", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = grants_new();
    const char *const *row;
    while ((row = db_row(rows)))
        grants_add(*out, row[0] ? row[0] : "");
    db_rows_free(rows);
    return ERR_OK;
}

/* ---- questions ---- */

/* A database name of a grant is a pattern: % and _ stand for others, unless behind a backslash. */
static bool schema_matches(const char *pattern, const char *name)
{
    for (; *pattern; pattern++, name++) {
        if (*pattern == '%') {
            while (*pattern == '%')
                pattern++;
            do {
                if (schema_matches(pattern, name))
                    return true;
            } while (*name++);
            return false;
        }
        if (*pattern == '\\' && pattern[1])
            pattern++;
        else if (*pattern == '_' && *name)
            continue;
        if (*pattern != *name)
            return false;
    }
    return *name == '\0';
}

bool grants_have(const struct grants *g, enum privilege p, const char *schema, const char *table)
{
    bool everywhere = false, there = false, taken = false;
    for (size_t i = 0; i < g->count; i++) {
        const struct scope *s = &g->scopes[i];
        if (!(s->privileges & bit(p)))
            continue;
        if (!s->schema)
            everywhere = true;
        else if (p >= FIRST_GLOBAL || !schema)
            continue;
        else if (s->taken)
            taken |= strcmp(s->schema, schema) == 0;
        else if (s->table)
            there |= table && strcmp(s->schema, schema) == 0 && strcmp(s->table, table) == 0;
        else
            there |= schema_matches(s->schema, schema);
    }
    return there || (everywhere && !taken);
}

const char *grants_account(const struct grants *g)
{
    return g->account;
}

bool grants_name_roles(const struct grants *g)
{
    return g->roles;
}

bool grants_show_routines(const struct grants *g, struct flavour f, const char *schema)
{
    bool privilege =
        flavour_has_show_routine(f) && grants_have(g, PRIV_SHOW_ROUTINE, f.mariadb ? schema : NULL, NULL);
    if (f.mariadb || f.version < 80000)
        return privilege || grants_have(g, PRIV_SELECT, "mysql", "proc");
    return privilege || grants_have(g, PRIV_SELECT, NULL, NULL);
}

/* ---- statements ---- */

/* % and _ in the name of a grant's database stand for others. */
void grants_put_database(const char *schema, struct buf *out)
{
    char *escaped = xmalloc(2 * strlen(schema) + 1), *w = escaped;
    for (const char *r = schema; *r; r++) {
        if (*r == '_' || *r == '%' || *r == '\\')
            *w++ = '\\';
        *w++ = *r;
    }
    *w = '\0';
    db_quote_name(out, escaped);
    buf_put(out, ".*");
    free(escaped);
}

void grants_put_show_routine(struct flavour f, const char *schema, struct buf *out)
{
    if (!flavour_has_show_routine(f)) {
        buf_put(out, f.mariadb || f.version < 80000 ? "SELECT ON mysql.proc" : "SELECT ON *.*");
        return;
    }
    buf_putf(out, "%s ON ", privilege_name(PRIV_SHOW_ROUTINE, f.mariadb));
    if (f.mariadb)
        grants_put_database(schema, out);
    else
        buf_put(out, "*.*");
}

void grants_put_statement(const struct grants *g, const char *privileges, const char *schema,
                          const char *table, struct buf *out)
{
    buf_putf(out, "GRANT %s ON ", privileges);
    if (table) /* a pattern nowhere */
        db_quote_pair(out, schema, table);
    else if (schema)
        grants_put_database(schema, out);
    else
        buf_put(out, "*.*");
    buf_putf(out, " TO %s", *g->account ? g->account : "...");
}
