/*
 * The tar layer of an archive (used inside src/archive only): plain ustar entries in one canonical form, made
 * by libarchive.  Every byte of a header follows from path, size and mtime, so that readers regenerate and
 * compare it: libarchive's own reader accepts many changed bytes.
 */
#ifndef DBSAFE_ARCHIVE_TAR_H
#define DBSAFE_ARCHIVE_TAR_H

#include "core/sink.h"

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK         512
#define TAR_TRAILER_BYTES 1024
#define TAR_PATH_MAX      99
#define TAR_SIZE_MAX      (((uint64_t)1 << 33) - 1) /* what 11 octal digits hold, for sizes and mtimes */

/* bytes rounded up to whole blocks. */
uint64_t tar_padded(uint64_t bytes);

/* The header of one member.  ERR_INTERNAL where plain ustar cannot hold the values. */
enum err_code tar_header(const char *path, uint64_t size, int64_t mtime, char out[TAR_BLOCK],
                         struct err *err);
/* Reads the fields back; false when they are not there.  Only comparing with tar_header proves the rest. */
bool tar_parse(const char header[TAR_BLOCK], char path[TAR_PATH_MAX + 1], uint64_t *size, int64_t *mtime);
/* ERR_DAMAGED unless header is exactly what tar_header makes: every byte of it must count. */
enum err_code tar_check(const char header[TAR_BLOCK], const char *path, uint64_t size, int64_t mtime,
                        struct err *err);
bool tar_is_zero(const char *data, size_t bytes);

/* Writes entries into a sink (borrowed). */
struct tar_out;

enum err_code tar_out_new(struct sink *sink, int64_t mtime, struct tar_out **out, struct err *err);
/* Without tar_out_end before it no trailer is written. */
void tar_out_free(struct tar_out *t);
enum err_code tar_out_add(struct tar_out *t, const char *path, const void *content, size_t bytes,
                          struct err *err);
enum err_code tar_out_end(struct tar_out *t, struct err *err);
uint64_t tar_out_bytes(const struct tar_out *t);

#endif
