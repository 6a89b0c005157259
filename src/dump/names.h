/*
 * Names as they are given on a command line: DB or DB.TABLE.  In plain text * and ? are patterns and the
 * first dot parts database and table; a part in `backticks` means just that name, dots and stars included.
 */
#ifndef DBSAFE_DUMP_NAMES_H
#define DBSAFE_DUMP_NAMES_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>

struct name_part {
    const char *text; /* unquoted; NULL: not given */
    bool quoted;
};

struct name {
    const char *given; /* borrowed */
    struct name_part schema, table;
};

/* Texts live in arena. ERR_USAGE for an empty part, an open backtick, or text behind a closed one. */
enum err_code name_parse(const char *given, struct arena *arena, struct name *out, struct err *err);
bool name_part_matches(const struct name_part *part, const char *name);
/* Whether it can mean several names. */
bool name_part_is_pattern(const struct name_part *part);
/* For a list of what is left out: DB, DB.TABLE, or TABLE alone.  table NULL asks for the whole database. */
bool name_excludes(const struct name *name, const char *schema, const char *table);

#endif
