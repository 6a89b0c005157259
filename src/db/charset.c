#include "db/charset.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define QUERY_MAX_BYTES ((size_t)64 << 20)

bool charset_is_utf8(const char *charset)
{
    return strcasecmp(charset, "utf8mb4") == 0 || strcasecmp(charset, "utf8mb3") == 0 ||
           strcasecmp(charset, "utf8") == 0;
}

bool charset_is_ascii(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* The lead bytes of characters of two bytes; single bytes above 0x7F (half-width kana) lie between the two
 * ranges of the Japanese ones. */
struct lead {
    const char *charset;
    unsigned char first, last, first2, last2;
};

static const struct lead LEADS[] = {{"big5", 0xA1, 0xF9, 1, 0},
                                    {"gbk", 0x81, 0xFE, 1, 0},
                                    {"gb18030", 0x81, 0xFE, 1, 0},
                                    {"sjis", 0x81, 0x9F, 0xE0, 0xFC},
                                    {"cp932", 0x81, 0x9F, 0xE0, 0xFC}};

size_t charset_step(const char *charset, const char *p, const char *end)
{
    unsigned char b = (unsigned char)*p;
    if (b < 0x80 || end - p < 2)
        return 1;
    for (size_t i = 0; i < sizeof LEADS / sizeof LEADS[0]; i++) {
        const struct lead *l = &LEADS[i];
        if (strcasecmp(charset, l->charset) != 0)
            continue;
        bool leads = (b >= l->first && b <= l->last) || (b >= l->first2 && b <= l->last2);
        /* of gb18030's four bytes the second and the last are digits */
        bool four = leads && end - p >= 4 && strcmp(l->charset, "gb18030") == 0 && p[1] >= '0' && p[1] <= '9';
        return four ? 4 : leads ? 2 : 1;
    }
    return 1;
}

static void put_hex(struct buf *out, const char *text, size_t bytes)
{
    buf_put(out, "X'");
    for (size_t i = 0; i < bytes; i++)
        buf_putf(out, "%02x", (unsigned char)text[i]);
    buf_put(out, "'");
}

enum err_code charset_convert(struct db_conn *c, const char *text, size_t bytes, const char *charset,
                              struct buf *out, struct err *err)
{
    struct buf sql;
    struct db_rows *rows = NULL;
    if (charset_is_utf8(charset) || charset_is_ascii(text, bytes))
        return buf_add(out, text, bytes, err);
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_put(&sql,
            "SELECT CAST(x AS BINARY), CONVERT(x USING utf8mb4) = BINARY u FROM (SELECT CONVERT(u USING ");
    buf_putf(&sql, "%s) x, u FROM (SELECT _utf8mb4 ", charset);
    put_hex(&sql, text, bytes);
    buf_put(&sql, " u) a) b");
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    const char *const *row = code == ERR_OK ? db_row(rows) : NULL;
    if (code == ERR_OK && (!row || !row[0] || !row[1] || strcmp(row[1], "1") != 0))
        code = err_set(err, ERR_REFUSED, "write '%.*s' in character set %s: it has not all the characters",
                       (int)(bytes < 200 ? bytes : 200), text, charset);
    if (code == ERR_OK)
        code = buf_add(out, row[0], db_row_lengths(rows)[0], err);
    db_rows_free(rows);
    return code;
}
