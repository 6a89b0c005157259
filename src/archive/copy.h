/*
 * Copies an archive byte by byte and checks every byte on the way: headers, padding, index and trailer are
 * made again and compared, and each member must have the SHA-256 that the manifest lists.  What reaches the
 * sink is what was checked.  Rows are not looked at: that is verify's.
 */
#ifndef DBSAFE_ARCHIVE_COPY_H
#define DBSAFE_ARCHIVE_COPY_H

#include "archive/manifest.h"
#include "core/run.h"
#include "core/sink.h"
#include "core/source.h"

struct archive_copied {
    uint64_t bytes, members;
};

/* Reads src (seekable) from its start to its end into sink, which the caller then commits; sink NULL: only
 * checks. Progress counts plain_bytes.  ERR_DAMAGED when src is not a sound archive. */
enum err_code archive_copy(const struct run *run, struct source *src, struct sink *sink,
                           struct archive_copied *copied, struct err *err);

/* Whether two seekable sources say that they are the same archive: sizes and the index with the manifest's
 * SHA-256 are equal, and with the manifest all that it lists.  That other's bytes are sound archive_copy
 * tells. */
enum err_code archive_is_same(struct source *src, struct source *other, bool *same, struct err *err);

#endif
