#include "recovery/owner.h"

#include "restore/owner.h"

#include <unistd.h>

_Static_assert(OWNER_BYTES == OWNER_TEXT_BYTES, "as restore's journals have it");

void owner_put_self(char out[OWNER_TEXT_BYTES])
{
    owner_describe((long)getpid(), out);
}

const char *owner_self(struct arena *arena)
{
    char text[OWNER_TEXT_BYTES];
    owner_put_self(text);
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
