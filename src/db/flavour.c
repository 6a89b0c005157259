#include "db/flavour.h"

#include <stdio.h>
#include <string.h>

struct flavour flavour_of(const char *version)
{
    struct flavour f = {.mariadb = strstr(version, "MariaDB") != NULL};
    /* Replication-safe prefix that older MariaDB servers put in front of their version. */
    if (f.mariadb && strncmp(version, "5.5.5-", 6) == 0)
        version += 6;
    unsigned major = 0, minor = 0, patch = 0;
    sscanf(version, "%u.%u.%u", &major, &minor, &patch);
    f.version = major * 10000 + minor * 100 + patch;
    return f;
}

const char *flavour_name(struct flavour f)
{
    return f.mariadb ? "MariaDB" : "MySQL";
}

const char *flavour_isolation_variable(struct flavour f)
{
    /* MySQL 8 removed tx_isolation; MariaDB has the new name since 11.1 and keeps the old one. */
    return f.mariadb ? "tx_isolation" : "transaction_isolation";
}

const char *flavour_float_format(struct flavour f)
{
    return f.mariadb ? "CAST(%s AS DOUBLE)" : "%s*1e0";
}

bool flavour_loads_history(struct flavour f)
{
    return f.mariadb && f.version >= 101100;
}

bool flavour_has_atomic_rename(struct flavour f)
{
    return f.mariadb ? f.version >= 100601 : f.version >= 80000;
}
