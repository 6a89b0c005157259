#include "archive/digest.h"

#include "core/mem.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *ctx;
};

/* SHA-256 of memory fails only when the system has none left or OpenSSL is broken: nothing to recover. */
static void demand(int ok)
{
    if (ok == 1)
        return;
    fputs("dbsafe: OpenSSL cannot compute a SHA-256\n", stderr);
    abort();
}

struct digest *digest_new(void)
{
    struct digest *d = xmalloc(sizeof *d);
    d->ctx = EVP_MD_CTX_new();
    demand(d->ctx != NULL);
    demand(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
    return d;
}

void digest_free(struct digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_add(struct digest *d, const void *data, size_t bytes)
{
    demand(EVP_DigestUpdate(d->ctx, data, bytes));
}

void digest_end(struct digest *d, char out[SHA256_HEX_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    demand(EVP_DigestFinal_ex(d->ctx, raw, &bytes));
    demand(bytes == (SHA256_HEX_BYTES - 1) / 2);
    demand(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
    for (unsigned i = 0; i < bytes; i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[SHA256_HEX_BYTES - 1] = '\0';
}

void digest_of(const void *data, size_t bytes, char out[SHA256_HEX_BYTES])
{
    struct digest *d = digest_new();
    digest_add(d, data, bytes);
    digest_end(d, out);
    digest_free(d);
}
