/* SHA-256 by OpenSSL's EVP, one-shot and incremental. */
#ifndef DBSAFE_ARCHIVE_DIGEST_H
#define DBSAFE_ARCHIVE_DIGEST_H

#include "core/err.h"

#include <stddef.h>

#ifndef SHA256_HEX_BYTES
#define SHA256_HEX_BYTES 65
#endif

struct digest;
struct digest *digest_new(void);
void digest_free(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t bytes);
/* Lower-case hex; the digest is ready for a new message afterwards. */
void digest_end(struct digest *d, char out[SHA256_HEX_BYTES]);
void digest_of(const void *data, size_t bytes, char out[SHA256_HEX_BYTES]);

#endif
