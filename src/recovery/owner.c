#include "recovery/owner.h"

#include "restore/owner.h"

#include <unistd.h>

const char *owner_self(struct arena *arena)
{
    char text[OWNER_BYTES];
    owner_describe((long)getpid(), text);
    return arena_strdup(arena, text);
}

enum owner_life owner_life(const char *owner)
{
    const struct operation op = {.owner = owner};
    if (!owner)
        return OWNER_DEAD;
    if (owner_is_alive(&op))
        return OWNER_ALIVE;
    return owner_is_elsewhere(&op) ? OWNER_ELSEWHERE : OWNER_DEAD;
}
