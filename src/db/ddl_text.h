/*
 * The words of a definition, outside of quoted texts and names: which collations and character sets it names,
 * what stands in comments that only one server family reads, and its text with other collations.  No state;
 * any thread.
 */
#ifndef DBSAFE_DB_DDL_TEXT_H
#define DBSAFE_DB_DDL_TEXT_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A run of letters, digits, '_' and '$'. */
struct ddl_word {
    const char *text;
    size_t bytes;
};
/* The next word behind *p, which moves behind it; false at the end. */
bool ddl_next_word(const char **p, struct ddl_word *out);
bool ddl_word_is(const struct ddl_word *w, const char *word); /* in any case */
/* Whether these words, parted by one blank, follow each other somewhere, as in "SYSTEM VERSIONING". */
bool ddl_has_words(const char *text, const char *words);

/* The names behind COLLATE; behind CHARSET or CHARACTER SET.  Each once, as written, in arena. */
const char **ddl_collations(const char *text, struct arena *arena, unsigned *count);
const char **ddl_charsets(const char *text, struct arena *arena, unsigned *count);

/* What stands in the first comment that MariaDB skips although MySQL reads it ("!50700" to "!99999"), or
 * MySQL although MariaDB reads it ("M!"); NULL: none. */
const char *ddl_skipped_by(bool mariadb, const char *text, struct arena *arena);

/* Collations that become others, as pairs. */
struct collation_map {
    unsigned count;     /* pairs */
    const char **names; /* OLD, NEW, ... */
};
/* From "OLD=NEW" items; strings live in arena.  ERR_USAGE: not of that form, named twice, or of different
 * character sets, which would change what can be stored. */
enum err_code collation_map_parse(const char *const *items, unsigned count, struct arena *arena,
                                  struct collation_map *out, struct err *err);
/* The new name of a collation, or the name itself. */
const char *collation_map_find(const struct collation_map *map, const char *name);
/* The text with the names behind COLLATE replaced. */
void collation_map_apply(const struct collation_map *map, const char *text, struct buf *out);

#endif
