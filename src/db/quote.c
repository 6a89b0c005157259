#include "db/quote.h"

void db_quote_name(struct buf *out, const char *name)
{
    buf_putn(out, "`", 1);
    for (const char *p = name; *p; p++) {
        if (*p == '`')
            buf_putn(out, "`", 1);
        buf_putn(out, p, 1);
    }
    buf_putn(out, "`", 1);
}

void db_quote_pair(struct buf *out, const char *schema, const char *name)
{
    db_quote_name(out, schema);
    buf_putn(out, ".", 1);
    db_quote_name(out, name);
}

void db_quote_text(struct buf *out, const char *text)
{
    buf_putn(out, "'", 1);
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\')
            buf_putn(out, "\\", 1);
        buf_putn(out, p, 1);
    }
    buf_putn(out, "'", 1);
}

const char *db_quoted_name(struct arena *arena, const char *name)
{
    struct buf quoted;
    buf_init(&quoted, 4096);
    db_quote_name(&quoted, name);
    const char *copy = arena_strdup(arena, buf_cstr(&quoted));
    buf_free(&quoted);
    return copy;
}

const char *db_quoted_pair(struct arena *arena, const char *schema, const char *name)
{
    struct buf pair;
    buf_init(&pair, 4096);
    db_quote_pair(&pair, schema, name);
    const char *copy = arena_strdup(arena, buf_cstr(&pair));
    buf_free(&pair);
    return copy;
}
