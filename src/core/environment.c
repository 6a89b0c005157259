#include "core/environment.h"

#include <string.h>

const char *environment_get(char *const *environment, const char *name)
{
    size_t n = strlen(name);
    for (char *const *e = environment; *e != NULL; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return (*e)[n + 1] != '\0' ? *e + n + 1 : NULL;
    return NULL;
}
