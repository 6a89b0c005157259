/*
 * Which commit a working tree stands at, read from the files of its repository.  Nothing is executed: git
 * itself would run what a repository's own settings tell it to.
 */
#ifndef DBSAFE_RECOVERY_GIT_H
#define DBSAFE_RECOVERY_GIT_H

#include "recovery/point.h"

/* folder: the working tree or a folder in it.  Tags are the lightweight ones and those that packed-refs
 * resolves; an annotated tag that git has not packed yet is not seen.  Strings live in arena.  ERR_NOT_FOUND
 * when there is no repository, ERR_CONFIG when it is not understood. */
enum err_code git_read(const char *folder, struct arena *arena, struct point_git *out, struct err *err);

#endif
