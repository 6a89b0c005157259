#include "archive/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void index_format(const struct archive_index *index, char out[INDEX_BYTES])
{
    char text[INDEX_BYTES];
    int n = snprintf(text, sizeof text,
                     "dbsafe-index 1\n"
                     "manifest-offset %020" PRIu64 "\n"
                     "manifest-length %020" PRIu64 "\n"
                     "manifest-sha256 %s\n",
                     index->offset, index->length, index->sha256);
    memset(out, ' ', INDEX_BYTES);
    memcpy(out, text, (size_t)n);
    out[INDEX_BYTES - 1] = '\n';
}

bool index_parse(const char text[INDEX_BYTES], struct archive_index *out)
{
    char copy[INDEX_BYTES + 1], again[INDEX_BYTES];
    memcpy(copy, text, INDEX_BYTES);
    copy[INDEX_BYTES] = '\0';
    if (sscanf(copy,
               "dbsafe-index 1 manifest-offset %20" SCNu64 " manifest-length %20" SCNu64
               " manifest-sha256 %64[0-9a-f]",
               &out->offset, &out->length, out->sha256) != 3)
        return false;
    /* sscanf is lenient with spaces and signs; the comparison is not */
    index_format(out, again);
    return strlen(out->sha256) == SHA256_HEX_BYTES - 1 && memcmp(again, text, INDEX_BYTES) == 0;
}
