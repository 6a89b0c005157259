#include "aws/config.h"

#include "aws/metadata.h"
#include "aws/profile_file.h"
#include "core/environment.h"
#include "core/lock.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_BYTES 64

struct aws_config {
    const struct aws_settings *settings; /* borrowed */
    struct profile_file credentials, config;
    const char *profile;
    bool named;
    struct http_options http;
    char *ca_bundle; /* owned: a path with ~ is expanded */
    struct lock *lock;
    struct {
        bool asked; /* the metadata service, for the region */
        char region[REGION_BYTES];
    } locked;
};

const struct aws_settings *aws_config_settings(const struct aws_config *c)
{
    return c->settings;
}

const char *aws_config_env(const struct aws_config *c, const char *name)
{
    return environment_get(c->settings->environment, name);
}

const char *aws_config_profile(const struct aws_config *c, bool *named)
{
    if (named != NULL)
        *named = c->named;
    return c->profile;
}

bool aws_config_has_profile(const struct aws_config *c, const char *profile)
{
    return profile_file_has(&c->credentials, profile) || profile_file_has(&c->config, profile);
}

/* An empty value is none, as in the environment. */
static const char *not_empty(const char *value)
{
    return value != NULL && *value != '\0' ? value : NULL;
}

const char *aws_config_get(const struct aws_config *c, const char *profile, const char *key)
{
    const char *value = not_empty(profile_file_get(&c->credentials, profile, key));
    return value != NULL ? value : not_empty(profile_file_get(&c->config, profile, key));
}

const struct http_options *aws_config_http(const struct aws_config *c)
{
    return &c->http;
}

/* A path as users write it; NULL without a home for its ~.  Caller frees. */
static char *expand_home(const struct aws_config *c, const char *path)
{
    const char *home = aws_config_env(c, "HOME");
    if (path[0] != '~' || (path[1] != '/' && path[1] != '\0'))
        return xstrdup(path);
    return home != NULL ? xasprintf("%s%s", home, path + 1) : NULL;
}

static enum err_code read_file(struct aws_config *c, const char *variable, const char *usual,
                               enum profile_file_kind kind, struct profile_file *out, struct err *err)
{
    const char *named = aws_config_env(c, variable);
    char *path = expand_home(c, named != NULL ? named : usual);
    enum err_code rc = path != NULL ? profile_file_read(path, kind, out, err) : ERR_OK;
    free(path);
    return rc;
}

/* The first of these variables that is set; names end with NULL. */
static const char *first_of(const struct aws_config *c, const char *const *names, const char **which)
{
    for (; *names != NULL; names++) {
        const char *value = aws_config_env(c, *names);
        if (value != NULL) {
            *which = *names;
            return value;
        }
    }
    return NULL;
}

static enum err_code find_proxy(const struct aws_config *c, const char *const *names, const char **out,
                                struct err *err)
{
    const char *which = NULL;
    *out = first_of(c, names, &which);
    return *out != NULL ? http_check_proxy(*out, which, err) : ERR_OK;
}

static enum err_code set_http(struct aws_config *c, struct err *err)
{
    static const char *const for_plain[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", NULL},
                             *const for_secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                                    NULL},
                             *const for_none[] = {"no_proxy", "NO_PROXY", NULL};
    const struct aws_settings *s = c->settings;
    const char *plain = NULL, *secure = NULL, *ignored;
    enum err_code rc = find_proxy(c, for_plain, &plain, err);
    if (rc == ERR_OK)
        rc = find_proxy(c, for_secure, &secure, err);
    if (rc != ERR_OK)
        return rc;
    const char *bundle = s->ca_bundle;
    if (bundle == NULL)
        bundle = aws_config_env(c, "AWS_CA_BUNDLE");
    if (bundle == NULL)
        bundle = aws_config_get(c, c->profile, "ca_bundle");
    c->ca_bundle = bundle != NULL ? expand_home(c, bundle) : NULL;
    c->http = (struct http_options){
        .ca_bundle = c->ca_bundle,
        .http_proxy = plain,
        .https_proxy = secure,
        .no_proxy = first_of(c, for_none, &ignored),
        .connect_timeout_ms = s->connect_timeout_ms,
        .stall_timeout_ms = s->stall_timeout_ms,
    };
    return ERR_OK;
}

static enum err_code choose_profile(struct aws_config *c, struct err *err)
{
    c->profile = c->settings->profile;
    c->named = c->profile != NULL;
    if (c->profile == NULL)
        c->profile = aws_config_env(c, "AWS_PROFILE");
    if (c->profile == NULL)
        c->profile = aws_config_env(c, "AWS_DEFAULT_PROFILE");
    if (c->profile == NULL) {
        c->profile = "default";
        return ERR_OK;
    }
    if (aws_config_has_profile(c, c->profile))
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "the AWS profile '%s' is neither in ~/.aws/credentials nor in ~/.aws/config "
                   "(AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE)",
                   c->profile);
}

enum err_code aws_config_load(const struct aws_settings *settings, struct aws_config **out, struct err *err)
{
    struct aws_config *c = xcalloc(1, sizeof *c);
    c->settings = settings;
    c->lock = lock_new();
    enum err_code rc = read_file(c, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials",
                                 PROFILE_FILE_CREDENTIALS, &c->credentials, err);
    if (rc == ERR_OK)
        rc = read_file(c, "AWS_CONFIG_FILE", "~/.aws/config", PROFILE_FILE_CONFIG, &c->config, err);
    if (rc == ERR_OK)
        rc = choose_profile(c, err);
    if (rc == ERR_OK)
        rc = set_http(c, err);
    if (rc != ERR_OK) {
        aws_config_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

void aws_config_free(struct aws_config *c)
{
    if (c == NULL)
        return;
    lock_free(c->lock);
    profile_file_clear(&c->credentials);
    profile_file_clear(&c->config);
    free(c->ca_bundle);
    free(c);
}

const char *aws_config_region_known(const struct aws_config *c)
{
    const char *region = c->settings->region;
    if (region == NULL)
        region = aws_config_env(c, "AWS_REGION");
    if (region == NULL)
        region = aws_config_env(c, "AWS_DEFAULT_REGION");
    return region != NULL ? region : aws_config_get(c, c->profile, "region");
}

bool aws_region_is_sane(const char *region)
{
    size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n < REGION_BYTES && region[n] == '\0';
}

/* Under the lock: others would only ask the same. */
static enum err_code ask_region(struct aws_config *c, struct cancel *cancel, struct err *err)
{
    struct buf text;
    struct err ignored;
    buf_init(&text, REGION_BYTES);
    if (imds_region(c, cancel, &text, &ignored) == ERR_OK && aws_region_is_sane(buf_cstr(&text)))
        snprintf(c->locked.region, sizeof c->locked.region, "%s", buf_cstr(&text));
    buf_free(&text);
    enum err_code rc = cancel_check(cancel, err);
    c->locked.asked = rc == ERR_OK;
    return rc;
}

enum err_code aws_config_region(struct aws_config *c, struct cancel *cancel, const char **region,
                                struct err *err)
{
    enum err_code rc = ERR_OK;
    *region = aws_config_region_known(c);
    if (*region != NULL)
        return ERR_OK;
    lock_take(c->lock);
    if (!c->locked.asked)
        rc = ask_region(c, cancel, err);
    if (rc == ERR_OK && c->locked.region[0] != '\0')
        *region = c->locked.region; /* never changes again */
    lock_drop(c->lock);
    return rc;
}
