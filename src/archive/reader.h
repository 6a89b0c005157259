/*
 * Reads archives: the manifest by the index at the end (seekable sources), and members, by position or as a
 * stream. Everything that is not a member's content is regenerated and compared, so that any changed byte is
 * ERR_DAMAGED.
 */
#ifndef DBSAFE_ARCHIVE_READER_H
#define DBSAFE_ARCHIVE_READER_H

#include "archive/manifest.h"
#include "core/source.h"

/* Longest member that is held in memory at once (a row of 1 GiB, escaped). */
#define MEMBER_MAX_BYTES ((uint64_t)3 << 30)

/* Reads index.dbsafe and manifest.json and checks both; checks too that the members tile the source exactly:
 * the sizes of headers, contents, padding and trailer sum up to its size. */
enum err_code archive_read_manifest(struct source *src, struct manifest **out, struct err *err);

/* Reads a member with its header and padding, checks both and the SHA-256; content goes to out (cleared
 * first). Thread-safe on a seekable source. */
enum err_code archive_read_member(struct source *src, const struct manifest *m,
                                  const struct manifest_member *member, struct buf *out, struct err *err);
/* Checks the bytes behind the last member: headers and contents of manifest.json and index.dbsafe, trailer,
 * nothing more. */
enum err_code archive_check_tail(struct source *src, const struct manifest *m, struct err *err);

/* A stream reader, for standard input. */
struct archive_stream;

struct archive_stream *archive_stream_new(struct source *src);
void archive_stream_free(struct archive_stream *s);

/* Next member in order: its path (valid until the next call), offset, content (into out, cleared first) and
 * SHA-256.  Headers and padding are checked as they pass.  At manifest.json, the manifest is read, index and
 * trailer are checked, *path is NULL and archive_stream_manifest gives it; the caller compares the members it
 * saw with it (archive_stream_matches). */
enum err_code archive_stream_next(struct archive_stream *s, const char **path, struct buf *out,
                                  char sha256[SHA256_HEX_BYTES], struct err *err);
/* Valid after the end; owned by the stream. */
struct manifest *archive_stream_manifest(struct archive_stream *s);
/* Bytes of the archive read so far. */
uint64_t archive_stream_bytes(const struct archive_stream *s);
/* Gives it away to the caller: NULL before the end, and from then on. */
struct manifest *archive_stream_take_manifest(struct archive_stream *s);
/* After the end: every member that passed is the manifest's, in order, with the same offset, length and
 * SHA-256. */
enum err_code archive_stream_matches(struct archive_stream *s, struct err *err);

#endif
