/*
 * Which process works on something that outlives it, in the words of restore's journals ("host boot-id pid
 * start-time").  No state.
 */
#ifndef DBSAFE_RECOVERY_OWNER_H
#define DBSAFE_RECOVERY_OWNER_H

#include "core/arena.h"

enum owner_life {
    OWNER_DEAD,
    OWNER_ALIVE,
    OWNER_ELSEWHERE /* on another host, or before this one was started: nobody here can tell */
};

#define OWNER_TEXT_BYTES 256

/* This process. */
const char *owner_self(struct arena *arena);
void owner_put_self(char out[OWNER_TEXT_BYTES]);
/* NULL is dead. */
enum owner_life owner_life(const char *owner);

#endif
