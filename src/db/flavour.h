/*
 * What differs between server families and versions, in one place.
 */
#ifndef DBSAFE_DB_FLAVOUR_H
#define DBSAFE_DB_FLAVOUR_H

#include <stdbool.h>

struct flavour {
    bool mariadb;     /* else MySQL */
    unsigned version; /* 101106 for 10.11.6 */
};

/* From the server's version text ("10.11.6-MariaDB-log", "5.5.5-10.6.12-MariaDB", "8.0.36"). */
struct flavour flavour_of(const char *version);
const char *flavour_name(struct flavour f);

/* The system variable of the isolation level. */
const char *flavour_isolation_variable(struct flavour f);
/* Exact text of a FLOAT or DOUBLE column, whatever its display width; %s is the quoted column. */
const char *flavour_float_format(struct flavour f);
/* MariaDB reads FOR SYSTEM_TIME ALL and loads history since 10.11. */
bool flavour_loads_history(struct flavour f);
/* RENAME TABLE of several tables is atomic across a crash. */
bool flavour_has_atomic_rename(struct flavour f);

#endif
