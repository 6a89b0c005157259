/*
 * AWS Signature Version 4 over OpenSSL: in the Authorization header, and in the query (presigned).
 * Source: AWS General Reference, "Signature Version 4 signing process"; "Authenticating Requests" of the S3
 * API.
 *
 * Pure functions; any thread.  Keys never leave them: derived keys are wiped, results hold the signature
 * only.
 */
#ifndef DBSAFE_AWS_SIGV4_H
#define DBSAFE_AWS_SIGV4_H

#include "aws/http.h"

#define SIGV4_HASH_BYTES 32
#define SIGV4_HEX_BYTES  65 /* 64 digits and NUL */

/* The payload hash for bodies that are not signed; only over TLS. */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

struct sigv4 {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL or "": none */
    const char *region, *service;
    int64_t wall_ms;          /* the local wall clock */
    int64_t clock_offset_ms;  /* server minus local; added to wall_ms */
    const char *payload_hash; /* 64 hex digits, or SIGV4_UNSIGNED_PAYLOAD; NULL: taken from the request's body
                                 (presigned, service s3: unsigned) */
};

/*
 * Signs in headers: adds to out what must be sent besides the request's own headers, in this order:
 * X-Amz-Date, for service "s3" X-Amz-Content-Sha256, with a token X-Amz-Security-Token, Authorization. Signed
 * are host and all headers of the request but those that proxies change (User-Agent, Connection, Expect,
 * Accept-Encoding, X-Amzn-Trace-Id, Transfer-Encoding).  Path: "s3" encodes once without normalisation; other
 * services normalise and encode twice.
 */
enum err_code sigv4_sign(const struct sigv4 *s, const struct http_request *request, struct http_pairs *out,
                         struct err *err);

/* The full presigned URL, valid for expires_s seconds (1 to 604,800).  All headers of the request are signed
 * and must be sent as they are.  The session token is part of the query: the URL is a secret. */
enum err_code sigv4_presign(const struct sigv4 *s, const struct http_request *request, unsigned expires_s,
                            struct buf *url, struct err *err);

/* The canonical request (for tests and to compare with the server's word).  signing: headers of the signer
 * itself that are signed too; may be NULL. */
enum err_code sigv4_canonical(const struct sigv4 *s, const struct http_request *request,
                              const struct http_pairs *signing, struct buf *out, struct err *err);

/* SHA-256 of data, raw and in lower-case hex. */
enum err_code sigv4_sha256(const void *data, size_t bytes, unsigned char out[SIGV4_HASH_BYTES],
                           struct err *err);
enum err_code sigv4_sha256_hex(const void *data, size_t bytes, char out[SIGV4_HEX_BYTES], struct err *err);

/* The password of an RDS IAM login: the presigned "host:port/?Action=connect&DBUser=..." without its scheme,
 * service rds-db, valid for 900 s.  s->service and s->payload_hash are ignored.  A secret: the caller wipes
 * it. */
enum err_code aws_rds_auth_token(const struct sigv4 *s, const char *host, unsigned port, const char *user,
                                 struct buf *out, struct err *err);

#endif
