/*
 * index.dbsafe, the last member (used inside src/archive only): where the manifest stands, and its SHA-256,
 * in exactly INDEX_BYTES of text.  Index, its header and the trailer are the last INDEX_TAIL_BYTES of every
 * archive.
 */
#ifndef DBSAFE_ARCHIVE_INDEX_H
#define DBSAFE_ARCHIVE_INDEX_H

#include "archive/digest.h"
#include "archive/tar.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_PATH       "index.dbsafe"
#define INDEX_BYTES      512
#define INDEX_TAIL_BYTES (TAR_BLOCK + INDEX_BYTES + TAR_TRAILER_BYTES)

struct archive_index {
    uint64_t offset, length; /* of the content of manifest.json, bytes */
    char sha256[SHA256_HEX_BYTES];
};

void index_format(const struct archive_index *index, char out[INDEX_BYTES]);
/* False unless text is what index_format makes of the values in it, byte by byte. */
bool index_parse(const char text[INDEX_BYTES], struct archive_index *out);

#endif
