/* Which tables of a manifest are meant by a list of patterns ("schema.table" or "table"; * and ? match any
 * characters). */
#ifndef DBSAFE_ARCHIVE_SELECT_H
#define DBSAFE_ARCHIVE_SELECT_H

#include "archive/manifest.h"

/* chosen[i] for tables[i]; caller frees.  With count 0 all are chosen.  ERR_NOT_FOUND names a pattern that
 * matches none. */
enum err_code archive_select(const struct manifest *m, const char *const *patterns, unsigned count,
                             bool **chosen, struct err *err);
/* Shell-like match of * and ?; case-sensitive, bytes. */
bool name_matches(const char *pattern, const char *name);

#endif
