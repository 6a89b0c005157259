/* A self-signed certificate for 127.0.0.1 and its key, as PEM files in a folder: nothing secret stands in the repository. */
#ifndef DBSAFE_TESTS_SUPPORT_CERTIFICATE_H
#define DBSAFE_TESTS_SUPPORT_CERTIFICATE_H

#include "support/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static inline void certificate_extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* Writes certificate.pem and key.pem; address: "127.0.0.1", or another one for a certificate that does not fit. */
static inline void certificate_write(const char *folder, const char *address)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    char names[64], path[512];
    assert_non_null(key);
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"dbsafe test", -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    snprintf(names, sizeof names, "IP:%s", address);
    certificate_extend(x, NID_subject_alt_name, names);
    certificate_extend(x, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    snprintf(path, sizeof path, "%s/certificate.pem", folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    snprintf(path, sizeof path, "%s/key.pem", folder);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

#endif
