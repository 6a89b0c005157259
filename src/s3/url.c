#include "s3/url.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define SCHEME       "s3://"
#define SCHEME_BYTES (sizeof SCHEME - 1)
/* Old buckets of us-east-1, and other servers, have longer names than today's 63 bytes. */
#define BUCKET_MIN 3
#define BUCKET_MAX 255
/* A key has at most 1,024 bytes: this leaves room for an object's name behind a mark's owner (s3/mark.h). */
#define PREFIX_MAX 700
#define KEY_MAX    1024

bool s3_url_is(const char *text)
{
    return strncmp(text, SCHEME, SCHEME_BYTES) == 0;
}

static bool is_bucket(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t n = strlen(name);
    return n >= BUCKET_MIN && n <= BUCKET_MAX && strspn(name, allowed) == n && name[0] != '.' &&
           name[0] != '-' && strstr(name, "..") == NULL;
}

static void cut_slash(char *text)
{
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '/')
        text[n - 1] = '\0';
}

static enum err_code check(const char *text, const struct s3_url *u, size_t longest, struct err *err)
{
    if (!is_bucket(u->bucket))
        return err_set(err, ERR_USAGE, "'%s': '%s' is not the name of a bucket", text, u->bucket);
    for (const char *p = u->prefix; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return err_set(err, ERR_USAGE, "'s3://%s/...': the prefix has a control character", u->bucket);
    if (u->prefix[0] == '/')
        return err_set(err, ERR_USAGE, "'%s' has a slash too many behind the bucket", text);
    if (strlen(u->prefix) > longest)
        return err_set(err, ERR_USAGE, "'%s' is too long: at most %zu bytes behind the bucket", text,
                       longest);
    return ERR_OK;
}

static enum err_code parse(const char *text, size_t longest, struct s3_url *out, struct err *err)
{
    *out = (struct s3_url){0};
    if (!s3_url_is(text))
        return err_set(err, ERR_USAGE, "'%s' is not an s3:// URL", text);
    const char *bucket = text + SCHEME_BYTES, *slash = strchr(bucket, '/');
    out->bucket = slash ? xstrndup(bucket, (size_t)(slash - bucket)) : xstrdup(bucket);
    out->prefix = xstrdup(slash ? slash + 1 : "");
    cut_slash(out->prefix);
    enum err_code rc = check(text, out, longest, err);
    if (rc != ERR_OK)
        s3_url_clear(out);
    return rc;
}

enum err_code s3_url_parse(const char *text, struct s3_url *out, struct err *err)
{
    return parse(text, PREFIX_MAX, out, err);
}

void s3_url_clear(struct s3_url *u)
{
    free(u->bucket);
    free(u->prefix);
    *u = (struct s3_url){0};
}

enum err_code s3_url_split(const char *text, char **store, char **name, struct err *err)
{
    struct s3_url u;
    *store = *name = NULL;
    enum err_code rc = parse(text, KEY_MAX, &u, err);
    if (rc != ERR_OK)
        return rc;
    const char *slash = strrchr(u.prefix, '/');
    if (u.prefix[0] == '\0' || text[strlen(text) - 1] == '/')
        rc = err_set(err, ERR_USAGE, "'%s' names no object: s3://BUCKET/KEY", text);
    else if (slash == NULL) {
        *store = xasprintf(SCHEME "%s", u.bucket);
        *name = xstrdup(u.prefix);
    } else {
        *store = xasprintf(SCHEME "%s/%.*s/", u.bucket, (int)(slash - u.prefix), u.prefix);
        *name = xstrdup(slash + 1);
    }
    s3_url_clear(&u);
    return rc;
}
