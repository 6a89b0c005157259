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
