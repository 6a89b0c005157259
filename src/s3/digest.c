#include "s3/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

/* Both digests take a piece while it is in the processor's cache. */
#define PIECE_BYTES ((size_t)64 << 10)

static bool feed(EVP_MD_CTX *sha256, EVP_MD_CTX *md5, const unsigned char *data, size_t bytes)
{
    while (bytes > 0) {
        size_t n = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        if (EVP_DigestUpdate(sha256, data, n) != 1 || (md5 && EVP_DigestUpdate(md5, data, n) != 1))
            return false;
        data += n;
        bytes -= n;
    }
    return true;
}

static bool finish(EVP_MD_CTX *context, unsigned char out[EVP_MAX_MD_SIZE], char *base64)
{
    unsigned bytes;
    if (EVP_DigestFinal_ex(context, out, &bytes) != 1)
        return false;
    EVP_EncodeBlock((unsigned char *)base64, out, (int)bytes);
    return true;
}

enum err_code s3_digest_of(const void *data, size_t bytes, bool with_md5, struct s3_digest *out,
                           struct err *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new(), *md5 = with_md5 ? EVP_MD_CTX_new() : NULL;
    *out = (struct s3_digest){.md5_base64 = ""};
    bool ok = sha256 && EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) == 1;
    if (ok && with_md5)
        ok = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
    ok = ok && feed(sha256, md5, data, bytes);
    ok = ok && (!with_md5 || finish(md5, raw, out->md5_base64));
    ok = ok && finish(sha256, raw, out->sha256_base64);
    for (size_t i = 0; ok && i < 32; i++)
        snprintf(out->sha256_hex + 2 * i, 3, "%02x", raw[i]);
    EVP_MD_CTX_free(sha256);
    EVP_MD_CTX_free(md5);
    /* MD5 is missing where OpenSSL is told to be FIPS */
    return ok ? ERR_OK
              : err_set(err, ERR_CONFIG, "OpenSSL gives no %s; --checksum chooses another",
                        with_md5 ? "MD5" : "SHA-256");
}
