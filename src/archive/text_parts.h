/*
 * Pieces of the texts for stock tools that are written in more than one place (used inside src/archive only).
 */
#ifndef DBSAFE_ARCHIVE_TEXT_PARTS_H
#define DBSAFE_ARCHIVE_TEXT_PARTS_H

#include "archive/text.h"

/* Letters, digits, _ and - of ASCII, whatever the locale: they mean nothing to a shell, to sed, or in a path.
 */
bool archive_is_safe(char c);
/* `name` with backticks doubled. */
void archive_put_name(struct buf *out, const char *name);
/* 'text' in one line, right whatever the session's sql_mode is but NO_BACKSLASH_ESCAPES. */
void archive_put_text(struct buf *out, const char *text);
/* "-- label: name\n".  A newline in the name would end the comment and let the rest run as SQL, so all but
 * the safe characters become the octal escapes of printf's %b. */
void archive_put_comment(struct buf *out, const char *label, const char *name);
/* What stands behind start in the first line; ERR_DAMAGED when it does not begin so. */
enum err_code archive_first_line(const char *text, size_t bytes, const char *start, const char **rest,
                                 size_t *rest_bytes, struct err *err);

#endif
