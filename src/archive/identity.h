/*
 * What tells one archive from every other: the SHA-256 of its manifest, which lists the SHA-256 of everything
 * else in it.
 */
#ifndef DBSAFE_ARCHIVE_IDENTITY_H
#define DBSAFE_ARCHIVE_IDENTITY_H

#include "archive/manifest.h"
#include "core/source.h"

/* From the archive's last bytes; the source is seekable.  ERR_DAMAGED when they are no index. */
enum err_code archive_identity(struct source *src, char sha256[SHA256_HEX_BYTES], struct err *err);

#endif
