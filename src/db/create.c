#include "db/create.h"

#include "db/charset.h"
#include "db/quote.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NAME, TOKEN_TEXT, TOKEN_SIGN };

struct scanner {
    const char *text, *end, *at;
    const char *charset;
    bool ansi_quotes, backslash;
    /* the token */
    enum token_kind kind;
    const char *start;
    size_t bytes;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Behind the end of a line, or of a comment that ends with these two characters. */
static const char *skip_to(const struct scanner *s, const char *p, const char *two)
{
    while (p < s->end) {
        if (two ? (s->end - p >= 2 && memcmp(p, two, 2) == 0) : *p == '\n')
            return p + (two ? 2 : 1);
        p += charset_step(s->charset, p, s->end);
    }
    return s->end;
}

static bool starts(const struct scanner *s, const char *p, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(s->end - p) >= n && memcmp(p, with, n) == 0;
}

/* White space and comments. */
static void skip_blank(struct scanner *s)
{
    for (;;) {
        const char *before = s->at;
        while (s->at < s->end && is_space(*s->at))
            s->at++;
        if (starts(s, s->at, "/*"))
            s->at = skip_to(s, s->at + 2, "*/");
        else if (starts(s, s->at, "#") ||
                 (starts(s, s->at, "--") && s->end - s->at > 2 && is_space(s->at[2])))
            s->at = skip_to(s, s->at, NULL);
        if (s->at == before)
            return;
    }
}

static const char *skip_quoted(const struct scanner *s, const char *p)
{
    char quote = *p++;
    bool escapes = s->backslash && quote != '`' && !(quote == '"' && s->ansi_quotes);
    while (p < s->end) {
        if (*p == quote && p + 1 < s->end && p[1] == quote)
            p += 2;
        else if (*p == quote)
            return p + 1;
        else if (*p == '\\' && escapes && p + 1 < s->end)
            p += 1 + charset_step(s->charset, p + 1, s->end);
        else
            p += charset_step(s->charset, p, s->end);
    }
    return s->end;
}

static void next(struct scanner *s)
{
    skip_blank(s);
    s->start = s->at;
    if (s->at >= s->end) {
        s->kind = TOKEN_END;
    } else if (*s->at == '`' || *s->at == '"' || *s->at == '\'') {
        s->kind = *s->at == '`' || (*s->at == '"' && s->ansi_quotes) ? TOKEN_NAME : TOKEN_TEXT;
        s->at = skip_quoted(s, s->at);
    } else if (is_word(*s->at)) {
        s->kind = TOKEN_WORD;
        while (s->at < s->end && is_word(*s->at))
            s->at += charset_step(s->charset, s->at, s->end);
    } else {
        s->kind = TOKEN_SIGN;
        s->at++;
    }
    s->bytes = (size_t)(s->at - s->start);
}

static bool is(const struct scanner *s, const char *word)
{
    return (s->kind == TOKEN_WORD || s->kind == TOKEN_SIGN) && s->bytes == strlen(word) &&
           strncasecmp(s->start, word, s->bytes) == 0;
}

static bool take(struct scanner *s, const char *word)
{
    bool found = is(s, word);
    if (found)
        next(s);
    return found;
}

/* ---- pieces ---- */

static struct create_piece piece(const struct scanner *s, const char *from, const char *to)
{
    return (struct create_piece){(size_t)(from - s->text), (size_t)(to - from)};
}

static bool is_name(const struct scanner *s)
{
    return s->kind == TOKEN_NAME || s->kind == TOKEN_WORD;
}

/* name or name.name */
static bool take_name(struct scanner *s, struct create_piece *out)
{
    const char *from = s->start, *to = s->at;
    if (!is_name(s))
        return false;
    next(s);
    if (is(s, ".")) {
        next(s);
        if (!is_name(s))
            return false;
        to = s->at;
        next(s);
    }
    *out = piece(s, from, to);
    return true;
}

/* user@host, a role, or CURRENT_USER(). */
static bool take_definer(struct scanner *s, struct create_piece *out)
{
    const char *from = s->start, *to = s->at;
    if (!is_name(s) && s->kind != TOKEN_TEXT)
        return false;
    next(s);
    if (is(s, "@")) {
        next(s);
        if (!is_name(s) && s->kind != TOKEN_TEXT)
            return false;
        to = s->at;
        next(s);
    } else if (is(s, "(")) {
        next(s);
        to = s->at;
        if (!take(s, ")"))
            return false;
    }
    *out = piece(s, from, to);
    return true;
}

/* "IF NOT EXISTS " or "OR REPLACE ", with what parts it from the next word. */
static bool take_condition(struct scanner *s, const char *const *words, struct create_piece *out)
{
    const char *from = s->start;
    if (!is(s, words[0]))
        return true;
    for (; *words; words++)
        if (!take(s, *words))
            return false;
    *out = piece(s, from, s->start);
    return true;
}

static bool take_options(struct scanner *s, struct create_head *h)
{
    for (;;) {
        if (take(s, "DEFINER")) {
            if (!take(s, "=") || !take_definer(s, &h->definer))
                return false;
        } else if (take(s, "ALGORITHM")) {
            if (!take(s, "="))
                return false;
            next(s);
        } else if (is(s, "SQL")) {
            next(s); /* SECURITY */
            next(s); /* DEFINER or INVOKER */
            next(s);
        } else if (!take(s, "AGGREGATE")) {
            return true;
        }
    }
}

static bool take_trigger(struct scanner *s, struct create_head *h)
{
    while (s->kind != TOKEN_END && !is(s, "ON"))
        next(s);
    return take(s, "ON") && take_name(s, &h->table);
}

/* ON SCHEDULE ... ON COMPLETION [NOT] PRESERVE ENABLE|DISABLE [ON SLAVE] ... */
static bool take_event(struct scanner *s, struct create_head *h)
{
    while (s->kind != TOKEN_END && !take(s, "COMPLETION"))
        next(s);
    const char *from = s->start, *to;
    take(s, "NOT");
    to = s->at;
    if (!take(s, "PRESERVE"))
        return false;
    h->completion = piece(s, from, to);
    from = s->start;
    to = s->at;
    if (!take(s, "ENABLE")) {
        if (!take(s, "DISABLE"))
            return false;
        if (take(s, "ON")) {
            to = s->at; /* SLAVE, or REPLICA */
            next(s);
        }
    }
    h->state = piece(s, from, to);
    return true;
}

static bool has_mode(const char *modes, const char *mode)
{
    size_t n = strlen(mode);
    for (const char *p = modes; p && (p = strstr(p, mode)); p += n)
        if ((p == modes || p[-1] == ',') && (p[n] == '\0' || p[n] == ','))
            return true;
    return false;
}

static bool find(struct scanner *s, const char *kind, struct create_head *h)
{
    static const char *const replace[] = {"OR", "REPLACE", NULL}, *const exists[] = {"IF", "NOT", "EXISTS",
                                                                                     NULL};
    bool body = strcmp(kind, "package_body") == 0;
    next(s);
    if (!take(s, "CREATE") || !take_condition(s, replace, &h->if_exists) || !take_options(s, h))
        return false;
    if (!take(s, body ? "PACKAGE" : kind) || (body && !take(s, "BODY")))
        return false;
    if (!take_condition(s, exists, &h->if_exists) || !take_name(s, &h->name))
        return false;
    if (strcmp(kind, "trigger") == 0)
        return take_trigger(s, h);
    return strcmp(kind, "event") != 0 || take_event(s, h);
}

static struct scanner scan(const char *text, size_t bytes, const char *charset, const char *sql_mode)
{
    return (struct scanner){.text = text,
                            .end = text + bytes,
                            .at = text,
                            .charset = charset,
                            .ansi_quotes = has_mode(sql_mode, "ANSI_QUOTES"),
                            .backslash = !has_mode(sql_mode, "NO_BACKSLASH_ESCAPES")};
}

enum err_code create_find(const char *kind, const char *text, size_t bytes, const char *charset,
                          const char *sql_mode, struct create_head *out, struct err *err)
{
    struct scanner s = scan(text, bytes, charset, sql_mode);
    *out = (struct create_head){.ansi_quotes = s.ansi_quotes};
    if (find(&s, kind, out))
        return ERR_OK;
    return err_set(err, ERR_DB,
                   "read the definition of a %s: it has not the form in which servers print it: %.*s", kind,
                   (int)(bytes < 200 ? bytes : 200), text);
}

bool create_names_schema(const char *text, size_t bytes, const char *charset, const char *sql_mode,
                         const char *schema)
{
    struct scanner s = scan(text, bytes, charset, sql_mode);
    size_t n = strlen(schema);
    next(&s);
    while (s.kind != TOKEN_END) {
        size_t quote = s.kind == TOKEN_NAME;
        bool same = is_name(&s) && s.bytes == n + 2 * quote && strncasecmp(s.start + quote, schema, n) == 0;
        next(&s);
        if (same && is(&s, "."))
            return true;
    }
    return false;
}

bool create_is_qualified(const char *name, size_t bytes, const char *charset, const char *sql_mode)
{
    struct scanner s = scan(name, bytes, charset, sql_mode);
    next(&s);
    next(&s);
    return is(&s, ".");
}

static int by_place(const void *a, const void *b)
{
    const struct create_change *x = a, *y = b;
    return x->piece.at < y->piece.at ? -1 : x->piece.at > y->piece.at;
}

enum err_code create_rewrite(const char *text, size_t bytes, const struct create_change *changes,
                             unsigned count, struct buf *out, struct err *err)
{
    struct create_change sorted[8];
    size_t at = 0;
    enum err_code code = ERR_OK;
    if (count > sizeof sorted / sizeof sorted[0])
        return err_set(err, ERR_INTERNAL, "rewrite a definition: %u changes", count);
    for (unsigned i = 0; i < count; i++)
        sorted[i] = changes[i];
    qsort(sorted, count, sizeof *sorted, by_place);
    for (unsigned i = 0; code == ERR_OK && i < count; i++) {
        const struct create_change *c = &sorted[i];
        if (c->piece.at < at || c->piece.at + c->piece.bytes > bytes)
            return err_set(err, ERR_INTERNAL, "rewrite a definition: its changes overlap");
        code = buf_add(out, text + at, c->piece.at - at, err);
        if (code == ERR_OK)
            code = buf_add(out, c->text, c->bytes, err);
        at = c->piece.at + c->piece.bytes;
    }
    return code == ERR_OK ? buf_add(out, text + at, bytes - at, err) : code;
}

/* ---- definers ---- */

/* Takes off one pair of quotes; false when a quote stands elsewhere. */
static bool unquote(char **part)
{
    char *p = *part, quote = *p;
    size_t n = strlen(p);
    if (quote != '\'' && quote != '`' && quote != '"')
        return strpbrk(p, "'`\"") == NULL;
    if (n < 2 || p[n - 1] != quote)
        return false;
    p[n - 1] = '\0';
    *part = p + 1;
    return strchr(p + 1, quote) == NULL;
}

enum err_code definer_parse(char *given, struct definer_rule *out, struct err *err)
{
    *out = (struct definer_rule){.choice = DEFINER_KEEP};
    if (strcmp(given, "keep") == 0)
        return ERR_OK;
    out->choice = strcmp(given, "current") == 0 ? DEFINER_CURRENT : DEFINER_ACCOUNT;
    if (out->choice == DEFINER_CURRENT)
        return ERR_OK;
    char *user = given, *host = strrchr(given, '@');
    if (!host)
        return err_set(err, ERR_USAGE, "--definer %s: give keep, current, or an account as user@host", given);
    *host++ = '\0';
    if (!unquote(&user) || !unquote(&host) || !*user || !*host)
        return err_set(err, ERR_USAGE, "--definer: '%s' and '%s' are no user and host", user, host);
    out->user = user;
    out->host = host;
    return ERR_OK;
}

bool definer_write(const struct definer_rule *rule, struct buf *out)
{
    if (rule->choice == DEFINER_KEEP)
        return false;
    if (rule->choice == DEFINER_CURRENT) {
        buf_put(out, "CURRENT_USER");
        return true;
    }
    db_quote_name(out, rule->user);
    buf_put(out, "@");
    db_quote_name(out, rule->host);
    return true;
}

bool create_function_promises(const char *text, size_t bytes)
{
    static const char *const promises[] = {"\n    DETERMINISTIC\n", "\n    NO SQL\n",
                                           "\n    READS SQL DATA\n"};
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++)
        if (memmem(text, bytes, promises[i], strlen(promises[i])))
            return true;
    return false;
}
