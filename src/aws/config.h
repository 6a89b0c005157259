/*
 * AWS's own configuration: ~/.aws/config and ~/.aws/credentials (AWS_CONFIG_FILE,
 * AWS_SHARED_CREDENTIALS_FILE), and what environment and profile say about region, endpoints and CA bundle.
 * Source: AWS SDKs and Tools Reference Guide.
 *
 * A struct aws_config is read-only after loading: any thread may ask.  It holds secrets, wiped when it is
 * freed. Its strings live as long as it does.
 */
#ifndef DBSAFE_AWS_CONFIG_H
#define DBSAFE_AWS_CONFIG_H

#include "aws/http.h"
#include "aws/settings.h"

struct aws_config;

/* Reads both files where they exist.  settings is borrowed.  ERR_CONFIG: a file that cannot be read or parsed
 * (file and line are named), or a profile that was asked for and is in neither. */
enum err_code aws_config_load(const struct aws_settings *settings, struct aws_config **out, struct err *err);
void aws_config_free(struct aws_config *c);

const struct aws_settings *aws_config_settings(const struct aws_config *c);
/* A variable of the settings' environment, or NULL when unset or empty. */
const char *aws_config_env(const struct aws_config *c, const char *name);
/* The profile in use, and whether the settings named it: then the environment's keys do not count.  (As in
 * the SDKs, they do count besides AWS_PROFILE.) */
const char *aws_config_profile(const struct aws_config *c, bool *named);
bool aws_config_has_profile(const struct aws_config *c, const char *profile);
/* A key of a profile (of the credentials file first), or NULL.  Nested keys as "s3.addressing_style". */
const char *aws_config_get(const struct aws_config *c, const char *profile, const char *key);

/* The options for struct http: CA bundle, proxies, timeouts. */
const struct http_options *aws_config_http(const struct aws_config *c);

/* Region: settings, AWS_REGION, AWS_DEFAULT_REGION, profile; NULL when none of them says.  Asks nobody. */
const char *aws_config_region_known(const struct aws_config *c);
/* Region: settings, AWS_REGION, AWS_DEFAULT_REGION, profile, then the EC2 metadata service (unless it is
 * disabled). NULL when nobody knows: callers with an endpoint of their own take "us-east-1".  Asks the
 * metadata service at most once per config.  Errors are the token's only. */
enum err_code aws_config_region(struct aws_config *c, struct cancel *cancel, const char **region,
                                struct err *err);

/* "https://host:port/base".  Owned by the caller; aws_endpoint_clear releases. */
struct aws_endpoint {
    bool custom; /* given by someone: not AWS's own */
    bool plain;
    char *host;    /* for AWS's own a pattern with {region} and {suffix}, which aws/client.h fills in */
    unsigned port; /* 0: the scheme's */
    char *path;    /* raw, "" or "/base" without slash at the end */
};

/* The endpoint of "s3", "sts" or "rds": settings->endpoint_url (s3 only), AWS_ENDPOINT_URL_<SERVICE>,
 * AWS_ENDPOINT_URL, the profile's services section, its endpoint_url (each unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true); else
 * "<service>.{region}.{suffix}".  ERR_CONFIG when it is no http or https URL. */
enum err_code aws_config_endpoint(const struct aws_config *c, const char *service, struct aws_endpoint *out,
                                  struct err *err);
/* The same from a URL's text; what names it in messages. */
enum err_code aws_endpoint_parse(const char *url, const char *what, struct aws_endpoint *out,
                                 struct err *err);
void aws_endpoint_clear(struct aws_endpoint *e);
/* pattern with {region} and {suffix} (amazonaws.com, or that of the region's partition) filled in. */
void aws_endpoint_host(const char *pattern, const char *region, struct buf *out);

/* Whether a region's name has only the letters, digits and dashes that one may have: it becomes part of host
 * names. */
bool aws_region_is_sane(const char *region);

#endif
