/*
 * What a server has and how it is set, as far as a restore must know before it begins.  Lives in the caller's
 * arena.
 */
#ifndef DBSAFE_DB_FACTS_H
#define DBSAFE_DB_FACTS_H

#include "core/arena.h"
#include "db/flavour.h"

#include <stdint.h>

struct name_list {
    unsigned count;
    const char **names; /* sorted without regard to case */
};

struct server_facts {
    struct flavour flavour;
    const char *version, *sql_mode, *datadir, *hostname;
    bool local_infile; /* LOAD DATA LOCAL is allowed */
    bool read_only;
    uint64_t max_allowed_packet;
    unsigned lower_case_table_names;
    struct name_list collations, charsets;
    struct name_list engines; /* those that tables can have now */
    struct name_list plugins; /* active ones */
    bool has_keys;            /* MariaDB: a plugin is active that has keys for encrypted tables */
};

enum err_code facts_read(struct db_conn *c, struct arena *arena, struct server_facts *out, struct err *err);
bool name_list_has(const struct name_list *l, const char *name);

#endif
