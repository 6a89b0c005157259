#include "db/engine.h"

#include <stddef.h>
#include <strings.h>

bool engine_writes_elsewhere(const char *engine)
{
    static const char *const names[] = {"FEDERATED", "CONNECT", "SPIDER", "MRG_MyISAM", "S3", "SPHINX"};
    for (size_t i = 0; engine && i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(engine, names[i]) == 0)
            return true;
    return false;
}
