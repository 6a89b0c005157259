/*
 * The digests that S3 is given with a body, in one pass over it.  Pure functions; any thread.
 */
#ifndef DBSAFE_S3_DIGEST_H
#define DBSAFE_S3_DIGEST_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

struct s3_digest {
    char sha256_hex[65];    /* for x-amz-content-sha256 */
    char sha256_base64[45]; /* for x-amz-checksum-sha256 */
    char md5_base64[25];    /* for Content-MD5; "" when it was not asked for */
};

enum err_code s3_digest_of(const void *data, size_t bytes, bool with_md5, struct s3_digest *out,
                           struct err *err);

#endif
