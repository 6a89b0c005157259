/* Small files with a secret in them: the tokens that ECS, EKS and web identity providers write.  Any thread.
 */
#ifndef DBSAFE_AWS_SECRET_FILE_H
#define DBSAFE_AWS_SECRET_FILE_H

#include "core/buf.h"

/* Appends the file's content; out should be secret, and its maximum is the file's.  A file that is missing is
 * an error (ERR_CONFIG), or with exists only noted there. */
enum err_code secret_file_load(const char *path, const char *what, bool *exists, struct buf *out,
                               struct err *err);
/* Appends the file's content without line ends at its end; out should be secret, and its maximum is the
 * file's. ERR_CONFIG when it cannot be read or is empty; what names the setting in messages. */
enum err_code secret_file_read(const char *path, const char *what, struct buf *out, struct err *err);

#endif
