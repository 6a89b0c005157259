/*
 * Which tables, views and sequences a view's query names.  Reads the text in which the catalogue keeps it
 * (information_schema.VIEWS.VIEW_DEFINITION), where each of them stands quoted and with its database.
 */
#ifndef DBSAFE_DB_VIEW_USES_H
#define DBSAFE_DB_VIEW_USES_H

#include "core/arena.h"

#include <stdbool.h>

struct view_use {
    const char *schema, *name;
};

/* Each `a`.`b` or `a`.`b`.`c` of the text (outside of quoted texts; not a function `a`.`b`(...)) gives a.b
 * once, in the order of the text; count receives how many.  Aliases of tables with their columns look the
 * same: the caller keeps those whose first part is a database.  Lives in arena. */
struct view_use *view_uses(const char *query, struct arena *arena, unsigned *count);
/* Each `a`.`b`(...), and each `b`(...) with "" for its database, which SHOW CREATE VIEW prints of the view's
 * own functions: the stored functions that it calls, and maybe others that look the same.  Its text may be in
 * a character set whose letters hold no byte of ASCII. */
struct view_use *view_functions(const char *query, struct arena *arena, unsigned *count);

#endif
