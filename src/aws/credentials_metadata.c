/* Keys from the metadata services, whose documents are JSON: see credentials_source.h. */
#include "aws/credentials_source.h"

#include "aws/metadata.h"

#define DOCUMENT_BYTES (64 * 1024)

static enum err_code from_document(enum err_code fetched, struct buf *document, const char *what,
                                   struct aws_credentials *out, struct err *err)
{
    enum err_code rc = fetched;
    if (rc == ERR_OK)
        rc = credentials_parse_json(document->data, document->len, what, "Token", out, err);
    buf_free(document);
    return rc;
}

enum err_code source_container(const struct source_context *x, struct aws_credentials *out, struct err *err)
{
    struct buf document;
    if (!container_configured(x->config))
        return ERR_OK;
    buf_init(&document, DOCUMENT_BYTES);
    document.secret = true;
    return from_document(container_credentials(x->config, x->cancel, &document, err), &document,
                         "container credentials", out, err);
}

enum err_code source_ec2(const struct source_context *x, struct aws_credentials *out, struct err *err)
{
    struct buf document;
    buf_init(&document, DOCUMENT_BYTES);
    document.secret = true;
    return from_document(imds_credentials(x->config, x->cancel, &document, err), &document,
                         "EC2 instance role", out, err);
}
