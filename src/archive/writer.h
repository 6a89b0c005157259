/*
 * Writes the one archive object: canonical tar members in order, then manifest.json and index.dbsafe, into a
 * sink. Used by one thread (the tar writer).  Headers are made by libarchive (plain ustar), with fixed owner,
 * mode and one mtime.
 */
#ifndef DBSAFE_ARCHIVE_WRITER_H
#define DBSAFE_ARCHIVE_WRITER_H

#include "archive/manifest.h"
#include "core/sink.h"

struct archive_writer;

/* sink and manifest are borrowed; members that are added are recorded in the manifest. mtime: seconds since
 * 1970. */
enum err_code archive_writer_new(struct sink *sink, struct manifest *manifest, int64_t mtime,
                                 struct archive_writer **out, struct err *err);
/* Releases; without archive_writer_finish the tar is left unfinished on purpose (no trailer). */
void archive_writer_free(struct archive_writer *w);

/* Adds one member.  member gives path, kind, table and, for data, the plain figures; offset, length and
 * sha256 are filled in here from content.  Paths: at most 99 bytes of ASCII. */
enum err_code archive_writer_add(struct archive_writer *w, struct manifest_member *member,
                                 const void *content, size_t bytes, struct err *err);
/* Bytes written so far. */
uint64_t archive_writer_bytes(const struct archive_writer *w);
/* Writes manifest.json, index.dbsafe and the trailer; the caller then commits the sink. */
enum err_code archive_writer_finish(struct archive_writer *w, struct err *err);

#endif
