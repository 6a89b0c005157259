/* What storage engines are like, by name.  No state; any thread. */
#ifndef DBSAFE_DB_ENGINE_H
#define DBSAFE_DB_ENGINE_H

#include <stdbool.h>

/* Its tables keep no rows of their own: what is written to one lands in other tables, files or servers, so
 * even a copy of it under another name writes there.  NULL, one that is not known, does not. */
bool engine_writes_elsewhere(const char *engine);

#endif
