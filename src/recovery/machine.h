/* What this machine has free.  Any thread; no state. */
#ifndef DBSAFE_RECOVERY_MACHINE_H
#define DBSAFE_RECOVERY_MACHINE_H

#include "core/err.h"

#include <stdint.h>

/* Bytes of memory that can be used without swapping: the system's estimate (proc(5), MemAvailable), and
 * within a control group no more than its limit leaves.  root: "" or the folder of a test that has proc/ and
 * sys/ in it. 0: not known. */
uint64_t machine_free_memory(const char *root);
/* Bytes that this user may still write in the file system of path. */
enum err_code machine_free_disk(const char *path, uint64_t *bytes, struct err *err);

#endif
