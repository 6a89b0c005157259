/* Texts that may be missing.  No state; any thread. */
#ifndef DBSAFE_CORE_TEXT_H
#define DBSAFE_CORE_TEXT_H

#include <stdbool.h>

/* Two missing ones (NULL) are equal, a missing one is none that is there; "" is. */
bool text_equal(const char *a, const char *b);

#endif
