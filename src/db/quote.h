/*
 * Names and texts as SQL.  No state; any thread.
 */
#ifndef DBSAFE_DB_QUOTE_H
#define DBSAFE_DB_QUOTE_H

#include "core/arena.h"
#include "core/buf.h"

/* `name` with backticks doubled; `schema`.`name`; 'text' as a literal (escapes quote and backslash). */
void db_quote_name(struct buf *out, const char *name);
void db_quote_pair(struct buf *out, const char *schema, const char *name);
void db_quote_text(struct buf *out, const char *text);
/* The same in the arena. */
const char *db_quoted_name(struct arena *arena, const char *name);
const char *db_quoted_pair(struct arena *arena, const char *schema, const char *name);

#endif
