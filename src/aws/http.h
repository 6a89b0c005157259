/*
 * One HTTP/1.1 request and its answer, over libcurl.  Nothing here knows AWS: aws/client.h signs, retries and
 * classifies; everything but the metadata sources of credentials goes through it.
 *
 * struct http keeps connections open between requests; it belongs to one thread at a time.  Its options are
 * shared and read-only.  Redirects are never followed, certificates are always verified.  The process ignores
 * SIGPIPE (signals_block of src/cli).
 */
#ifndef DBSAFE_AWS_HTTP_H
#define DBSAFE_AWS_HTTP_H

#include "core/buf.h"
#include "core/cancel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All strings are borrowed and may be NULL; 0 chooses the default that is named. */
struct http_options {
    const char *ca_bundle;      /* PEM file; NULL: the system's */
    const char *http_proxy;     /* NULL or "": none.  The process's environment is not read */
    const char *https_proxy;    /* the same for TLS */
    const char *no_proxy;       /* hosts without proxy, as in NO_PROXY */
    int64_t connect_timeout_ms; /* 10,000 */
    int64_t stall_timeout_ms;   /* no byte moved for so long: 30,000; whole seconds, at least 1 */
};

/* Whether libcurl can use this as http_proxy or https_proxy; what names it in the message, which does not
 * show it: it may hold a password, and libcurl's own messages would.  ERR_CONFIG. */
enum err_code http_check_proxy(const char *proxy, const char *what, struct err *err);

/* An ordered list of names and values.  The strings are copies, wiped when released. */
struct http_pair {
    char *name;
    char *value; /* never NULL */
};
struct http_pairs {
    struct http_pair *items;
    size_t count;
};

/* value NULL is "". */
void http_pairs_add(struct http_pairs *p, const char *name, const char *value);
void http_pairs_addf(struct http_pairs *p, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first value of a name (ASCII letters compare without case), or NULL. */
const char *http_pairs_get(const struct http_pairs *p, const char *name);
void http_pairs_clear(struct http_pairs *p);

/*
 * A request.  host, path, method, body and into are borrowed until the request is ended; query and headers
 * are owned (http_request_end).  path and query are raw bytes: they are percent-encoded when sent, path once
 * with
 * '/' kept, and never normalised.  Host and Content-Length are made from the fields and not given as headers.
 */
struct http_request {
    const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    bool plain;         /* http:// instead of https:// */
    const char *host;   /* a name or an address; IPv6 without brackets */
    unsigned port;      /* 0: 80 or 443 */
    const char *path;   /* begins with '/'; NULL or "": "/" */
    struct http_pairs query;
    struct http_pairs headers;
    const void *body; /* in memory until the request has been answered */
    size_t body_bytes;
    void *into; /* the body of a 2xx answer goes here instead of into response.body; NULL: it does not */
    size_t into_bytes;  /* an answer that is longer is an error */
    int64_t timeout_ms; /* of the whole request, 0: none but the stall timeout */
    bool direct;        /* no proxy: metadata endpoints */
};

/* method is borrowed. */
void http_request_init(struct http_request *r, const char *method);
void http_request_end(struct http_request *r);
/* "host" or "host:port" as the Host header says it (and SigV4 signs it); IPv6 in brackets. */
void http_request_host(const struct http_request *r, struct buf *out);
/* The whole URL, encoded; no secret is in it unless the caller put one into the query. */
void http_request_url(const struct http_request *r, struct buf *out);
/* "PUT https://host/path" for messages: no query, no headers. */
void http_request_describe(const struct http_request *r, struct buf *out);
/* Percent-encodes all but A-Z a-z 0-9 - . _ ~ (and '/' where keep_slash), upper-case hex. */
void http_encode(struct buf *out, const char *text, bool keep_slash);

/* What came back.  http_response_init, then any number of http_send, then http_response_free. */
struct http_response {
    int status;                /* 0: no answer came */
    bool lost;                 /* no (whole) answer, and the same request may succeed when it is repeated */
    struct http_pairs headers; /* of the last answer; look up with http_pairs_get */
    struct buf body;           /* with into: only that of an answer other than 2xx */
    size_t into_got;           /* bytes stored at request.into */
};

/* max_body: bytes that body may have; a longer answer is an error that is not lost. */
void http_response_init(struct http_response *r, size_t max_body);
void http_response_free(struct http_response *r);

struct http;

/* options are borrowed and outlive the handle.  cancel may be NULL: when it fires, a transfer ends at once.
 * ERR_INTERNAL when libcurl cannot be set up. */
enum err_code http_new(const struct http_options *options, struct cancel *cancel, struct http **out,
                       struct err *err);
void http_free(struct http *h);

/*
 * Sends once (libcurl's own repetition is kept from happening) and waits for the whole answer; ERR_OK
 * whatever its status is.  Each call replaces what response held. Errors: the token's own; ERR_AWS when no
 * whole answer came (response->lost tells whether to try again: connection refused or reset, name not found,
 * stalled, cut short; not: longer than allowed); ERR_CONFIG for a CA bundle that cannot be read or a
 * certificate that does not verify (never lost). The message names method, host and path, never query or
 * headers.
 */
enum err_code http_send(struct http *h, const struct http_request *request, struct http_response *response,
                        struct err *err);

#endif
