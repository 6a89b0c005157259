#include "archive/identity.h"

#include "archive/index.h"

#include <string.h>

enum err_code archive_identity(struct source *src, char sha256[SHA256_HEX_BYTES], struct err *err)
{
    struct archive_index index;
    char tail[INDEX_TAIL_BYTES];
    enum err_code code = src->size < INDEX_TAIL_BYTES ? ERR_DAMAGED : ERR_OK;
    if (code == ERR_OK)
        code = source_read_full(src, src->size - INDEX_TAIL_BYTES, tail, INDEX_TAIL_BYTES, err);
    if (code == ERR_DAMAGED || (code == ERR_OK && !index_parse(tail + TAR_BLOCK, &index)))
        return err_set(err, ERR_DAMAGED, "%s has no index at its end: it ends early or is no dbsafe archive",
                       src->name);
    if (code == ERR_OK)
        memcpy(sha256, index.sha256, SHA256_HEX_BYTES);
    return code;
}
