/* Where a service is: what configuration says, else AWS's own names.  See config.h. */
#include "aws/config.h"

#include "core/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_BYTES 64

/* A URL with an @ may hold a password, and is not shown. */
static enum err_code unusable(const char *url, const char *what, const char *why, struct err *err)
{
    if (strchr(url, '@') != NULL)
        return err_set(err, ERR_CONFIG, "%s: what it names is no endpoint: %s", what, why);
    return err_set(err, ERR_CONFIG, "%s: '%s' is no endpoint: %s", what, url, why);
}

/* "host", "host:port", "[v6]:port": n bytes. */
static const char *parse_authority(const char *text, size_t n, struct aws_endpoint *out)
{
    const char *end = text + n;
    const char *host = text, *rest;
    if (n > 0 && *text == '[') {
        host++;
        rest = memchr(host, ']', n - 1);
        if (rest == NULL)
            return "the address has no ']'";
        out->host = xstrndup(host, (size_t)(rest++ - host));
    } else {
        rest = memchr(text, ':', n);
        if (rest == NULL)
            rest = end;
        out->host = xstrndup(host, (size_t)(rest - host));
    }
    for (char *c = out->host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (*out->host == '\0' || strpbrk(out->host, "@{}\\\"<> \t\r\n") != NULL)
        return "it has no usable host name";
    if (rest == end)
        return NULL;
    if (*rest++ != ':' || rest == end)
        return "there is something else than a port behind the host";
    for (; rest < end; rest++) {
        if (*rest < '0' || *rest > '9' || out->port > 65535)
            return "the port is no number from 1 to 65535";
        out->port = out->port * 10 + (unsigned)(*rest - '0');
    }
    return out->port >= 1 && out->port <= 65535 ? NULL : "the port is no number from 1 to 65535";
}

enum err_code aws_endpoint_parse(const char *url, const char *what, struct aws_endpoint *out, struct err *err)
{
    static const char plain[] = "http://", secure[] = "https://", mark[] = "://";
    const char *begin = strstr(url, mark);
    begin = begin != NULL ? begin + sizeof mark - 1 : url;
    *out = (struct aws_endpoint){.custom = true};
    if (memchr(begin, '@', strcspn(begin, "/?#")) != NULL)
        return unusable(url, what, "it has a user before the host, and keys do not belong there", err);
    if (strncasecmp(url, plain, sizeof plain - 1) == 0)
        out->plain = true;
    else if (strncasecmp(url, secure, sizeof secure - 1) != 0)
        return unusable(url, what, "it begins neither with https:// nor with http://", err);
    const char *authority = url + (out->plain ? sizeof plain : sizeof secure) - 1;
    size_t n = strcspn(authority, "/?#");
    const char *path = authority + n;
    size_t path_bytes = strlen(path);
    while (path_bytes > 0 && path[path_bytes - 1] == '/')
        path_bytes--;
    const char *why = parse_authority(authority, n, out);
    if (why == NULL && strpbrk(path, "?#%") != NULL)
        why = "query, fragment and percent-encoding are not supported";
    if (why != NULL) {
        aws_endpoint_clear(out);
        return unusable(url, what, why, err);
    }
    out->path = xstrndup(path, path_bytes);
    return ERR_OK;
}

void aws_endpoint_clear(struct aws_endpoint *e)
{
    free(e->host);
    free(e->path);
    *e = (struct aws_endpoint){0};
}

static bool is_true(const char *text)
{
    return text != NULL && strcasecmp(text, "true") == 0;
}

static bool files_ignored(const struct aws_config *c)
{
    const char *variable = aws_config_env(c, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    return is_true(variable != NULL
                       ? variable
                       : aws_config_get(c, aws_config_profile(c, NULL), "ignore_configured_endpoint_urls"));
}

/* The URL that someone configured for a service, or NULL; where names the place. */
static const char *configured(const struct aws_config *c, const char *service, char where[NAME_BYTES])
{
    const struct aws_settings *s = aws_config_settings(c);
    snprintf(where, NAME_BYTES, "--endpoint-url");
    if (s->endpoint_url != NULL && strcmp(service, "s3") == 0)
        return s->endpoint_url;
    if (files_ignored(c))
        return NULL;
    snprintf(where, NAME_BYTES, "AWS_ENDPOINT_URL_%s", service);
    for (char *w = where; *w != '\0'; w++)
        *w = (char)toupper((unsigned char)*w);
    const char *url = aws_config_env(c, where);
    if (url != NULL)
        return url;
    snprintf(where, NAME_BYTES, "AWS_ENDPOINT_URL");
    url = aws_config_env(c, where);
    if (url != NULL)
        return url;
    const char *profile = aws_config_profile(c, NULL);
    const char *services = aws_config_get(c, profile, "services");
    snprintf(where, NAME_BYTES, "endpoint_url of the AWS profile");
    if (services != NULL) {
        char *section = xasprintf("services %s", services);
        char *key = xasprintf("%s.endpoint_url", service);
        url = aws_config_get(c, section, key);
        free(key);
        free(section);
    }
    return url != NULL ? url : aws_config_get(c, profile, "endpoint_url");
}

enum err_code aws_config_endpoint(const struct aws_config *c, const char *service, struct aws_endpoint *out,
                                  struct err *err)
{
    char where[NAME_BYTES];
    const char *url = configured(c, service, where);
    if (url != NULL)
        return aws_endpoint_parse(url, where, out, err);
    *out = (struct aws_endpoint){.host = xasprintf("%s.{region}.{suffix}", service), .path = xstrdup("")};
    return ERR_OK;
}

/* Source: the partitions of the SDKs' endpoint data. */
static const char *dns_suffix(const char *region)
{
    static const struct {
        const char *prefix, *suffix;
    } partitions[] = {
        {"cn-", "amazonaws.com.cn"},    {"us-isob-", "sc2s.sgov.gov"}, {"us-isof-", "csp.hci.ic.gov"},
        {"eu-isoe-", "cloud.adc-e.uk"}, {"us-iso-", "c2s.ic.gov"},     {"eusc-", "amazonaws.eu"},
    };
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++)
        if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
            return partitions[i].suffix;
    return "amazonaws.com";
}

void aws_endpoint_host(const char *pattern, const char *region, struct buf *out)
{
    static const char region_word[] = "{region}", suffix_word[] = "{suffix}";
    for (const char *s = pattern; *s != '\0';) {
        if (strncmp(s, region_word, sizeof region_word - 1) == 0) {
            buf_put(out, region);
            s += sizeof region_word - 1;
        } else if (strncmp(s, suffix_word, sizeof suffix_word - 1) == 0) {
            buf_put(out, dns_suffix(region));
            s += sizeof suffix_word - 1;
        } else {
            buf_putn(out, s++, 1);
        }
    }
}
