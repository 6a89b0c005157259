/*
 * Character sets of clients, as far as reading and writing SQL text in them needs it.
 */
#ifndef DBSAFE_DB_CHARSET_H
#define DBSAFE_DB_CHARSET_H

#include "db/conn.h"

#include <stddef.h>

/* utf8, utf8mb3 or utf8mb4: what dbsafe's own texts are in. */
bool charset_is_utf8(const char *charset);
/* Whether the text is the same bytes in every character set that a client may use. */
bool charset_is_ascii(const char *text, size_t bytes);
/* Bytes of the character at p, 1 at least.  Where a character's later bytes can look like ASCII (big5, cp932,
 * gb18030, gbk, sjis: among them quotes and backslashes) it is taken whole; in all others a byte is enough.
 */
size_t charset_step(const char *charset, const char *p, const char *end);
/* Appends UTF-8 text in another character set, converted by the server, so that it is what the server would
 * make of it.  ERR_REFUSED when a character does not exist there. */
enum err_code charset_convert(struct db_conn *c, const char *text, size_t bytes, const char *charset,
                              struct buf *out, struct err *err);

#endif
