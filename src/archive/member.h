/*
 * A data member: one zstd frame (RFC 8878; content size and checksum on) of LOAD DATA text.
 *
 * Compressors and decompressors belong to one thread each and are reused from member to member.
 */
#ifndef DBSAFE_ARCHIVE_MEMBER_H
#define DBSAFE_ARCHIVE_MEMBER_H

#include "core/buf.h"
#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

struct packer;

/* level: 1 to 19. */
struct packer *packer_new(int level);
void packer_free(struct packer *p);

/* Compresses text in one go into out (cleared first). */
enum err_code packer_pack(struct packer *p, const void *text, size_t bytes, struct buf *out, struct err *err);

/* The same in pieces, for a row too large to hold twice: begin with the exact total, add pieces, end.
 * ERR_INTERNAL when the pieces do not sum up to the total. */
enum err_code packer_begin(struct packer *p, uint64_t total_bytes, struct buf *out, struct err *err);
enum err_code packer_add(struct packer *p, const void *text, size_t bytes, struct err *err);
enum err_code packer_end(struct packer *p, struct err *err);

struct unpacker;

struct unpacker *unpacker_new(void);
void unpacker_free(struct unpacker *u);

/* Starts on the stored bytes of one member (borrowed until the last read); checks that it is exactly one
 * frame with content size and checksum, and that the content size is plain_bytes unless that is UINT64_MAX.
 * ERR_DAMAGED otherwise. */
enum err_code unpacker_begin(struct unpacker *u, const void *stored, size_t bytes, uint64_t plain_bytes,
                             struct err *err);
/* Next text, up to max bytes; *got == 0 at the end, and then the frame was whole. */
enum err_code unpacker_read(struct unpacker *u, void *text, size_t max, size_t *got, struct err *err);

#endif
