#include "recovery/owner.h"

#include "restore/journal.h"

#include <unistd.h>

const char *owner_self(struct arena *arena)
{
    char text[OWNER_BYTES];
    journal_describe_owner((long)getpid(), text);
    return arena_strdup(arena, text);
}

enum owner_life owner_life(const char *owner)
{
    const struct operation op = {.owner = owner};
    if (!owner)
        return OWNER_DEAD;
    if (journal_owner_is_alive(&op))
        return OWNER_ALIVE;
    return journal_owner_is_elsewhere(&op) ? OWNER_ELSEWHERE : OWNER_DEAD;
}
