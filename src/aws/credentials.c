#include "aws/credentials.h"

#include "aws/credentials_source.h"
#include "core/lock.h"
#include "core/mem.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_BEFORE_MS 600000
#define FETCH_AGAIN_MS    60000 /* keys that are due but valid are not asked for more often */

struct aws_credentials_chain {
    struct aws_config *config; /* borrowed */
    bool fixed;                /* locked.keys never change */
    struct lock *lock;
    struct {
        struct aws_credentials keys; /* access_key NULL: none yet */
        bool invalid;                /* a server called them expired */
        bool fetching;               /* by one thread, without the lock */
        int64_t next_fetch_ms;       /* monotonic */
    } locked;
};

void credentials_set(struct aws_credentials *out, const char *access_key, const char *secret_key,
                     const char *token, const char *source)
{
    *out = (struct aws_credentials){
        .access_key = xstrdup(access_key),
        .secret_key = xstrdup(secret_key),
        .session_token = token != NULL && *token != '\0' ? xstrdup(token) : NULL,
        .expires_ms = INT64_MAX,
        .source = source != NULL ? xstrdup(source) : NULL,
    };
}

void credentials_copy(struct aws_credentials *out, const struct aws_credentials *from)
{
    credentials_set(out, from->access_key, from->secret_key, from->session_token, from->source);
    out->expires_ms = from->expires_ms;
}

void aws_credentials_clear(struct aws_credentials *c)
{
    secret_free(c->access_key);
    secret_free(c->secret_key);
    secret_free(c->session_token);
    free(c->source);
    *c = (struct aws_credentials){0};
}

struct aws_credentials_chain *aws_credentials_chain_new(struct aws_config *config)
{
    struct aws_credentials_chain *chain = xcalloc(1, sizeof *chain);
    chain->config = config;
    chain->lock = lock_new();
    return chain;
}

struct aws_credentials_chain *aws_credentials_chain_static(struct aws_config *config, const char *access_key,
                                                           const char *secret_key, const char *session_token)
{
    struct aws_credentials_chain *chain = aws_credentials_chain_new(config);
    chain->fixed = true;
    credentials_set(&chain->locked.keys, access_key, secret_key, session_token, "given keys");
    return chain;
}

void aws_credentials_chain_free(struct aws_credentials_chain *chain)
{
    if (chain == NULL)
        return;
    aws_credentials_clear(&chain->locked.keys);
    lock_free(chain->lock);
    free(chain);
}

/* ---- the order of the sources ---- */

static enum err_code nothing_found(const struct source_context *x, const struct err *ec2, struct err *err)
{
    bool named;
    const char *profile = aws_config_profile(x->config, &named);
    return err_set(
        err, ERR_CONFIG,
        "no AWS credentials: %sthe profile '%s' has none in ~/.aws/credentials and ~/.aws/config; no "
        "web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN); no container credentials; %s",
        named ? "" : "AWS_ACCESS_KEY_ID is not set; ", profile, ec2->text);
}

/* EC2's service is asked when nothing else is configured: where it is missing nobody has keys. */
static enum err_code fetch_ec2(const struct source_context *x, struct aws_credentials *out, struct err *err)
{
    struct err why;
    enum err_code rc = source_ec2(x, out, &why);
    if (rc == ERR_OK)
        return ERR_OK;
    enum err_code cancelled = cancel_check(x->cancel, err);
    return cancelled != ERR_OK ? cancelled : nothing_found(x, &why, err);
}

static enum err_code fetch(const struct source_context *x, struct aws_credentials *out, struct err *err)
{
    bool named;
    const char *profile = aws_config_profile(x->config, &named);
    *out = (struct aws_credentials){0};
    enum err_code rc = named ? ERR_OK : source_environment(x, out, err);
    if (rc == ERR_OK && out->access_key == NULL)
        rc = source_profile(x, profile, out, err);
    if (rc == ERR_OK && out->access_key == NULL)
        rc = source_web_identity(x, out, err);
    if (rc == ERR_OK && out->access_key == NULL)
        rc = source_container(x, out, err);
    if (rc == ERR_OK && out->access_key == NULL)
        rc = fetch_ec2(x, out, err);
    return rc;
}

enum err_code source_environment(const struct source_context *x, struct aws_credentials *out, struct err *err)
{
    const char *access = aws_config_env(x->config, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_config_env(x->config, "AWS_SECRET_ACCESS_KEY");
    if (access == NULL)
        return ERR_OK;
    if (secret == NULL)
        return err_set(err, ERR_CONFIG, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
    credentials_set(out, access, secret, aws_config_env(x->config, "AWS_SESSION_TOKEN"), "environment");
    return ERR_OK;
}

/* ---- keeping and refreshing ---- */

/* Whether the keys may still be used, and whether they should be fetched anew. */
static bool usable(const struct aws_credentials_chain *chain, int64_t wall_ms)
{
    return chain->locked.keys.access_key != NULL && !chain->locked.invalid &&
           wall_ms < chain->locked.keys.expires_ms;
}

static bool due(const struct aws_credentials_chain *chain, int64_t wall_ms)
{
    const struct clock *clock = aws_config_settings(chain->config)->clock;
    if (chain->locked.keys.access_key == NULL || chain->locked.invalid)
        return true;
    bool near_end = chain->locked.keys.expires_ms != INT64_MAX &&
                    wall_ms >= chain->locked.keys.expires_ms - REFRESH_BEFORE_MS;
    return near_end && clock_monotonic_ms(clock) >= chain->locked.next_fetch_ms;
}

static void adopt(struct aws_credentials_chain *chain, struct aws_credentials *fresh)
{
    aws_credentials_clear(&chain->locked.keys);
    chain->locked.keys = *fresh;
    chain->locked.invalid = false;
}

/* The lock is held at begin and end, but not while the sources are asked. */
static enum err_code refresh(struct aws_credentials_chain *chain, struct cancel *cancel, struct err *err)
{
    const struct aws_settings *settings = aws_config_settings(chain->config);
    struct source_context x = {.config = chain->config, .cancel = cancel};
    struct aws_credentials fresh;
    struct err why;
    chain->locked.fetching = true;
    lock_drop(chain->lock);
    enum err_code rc = fetch(&x, &fresh, &why);
    lock_take(chain->lock);
    chain->locked.fetching = false;
    chain->locked.next_fetch_ms = clock_monotonic_ms(settings->clock) + FETCH_AGAIN_MS;
    lock_wake_all(chain->lock);
    if (rc == ERR_OK) {
        adopt(chain, &fresh);
        return ERR_OK;
    }
    aws_credentials_clear(&fresh);
    if (!cancel_fired(cancel) && usable(chain, clock_wall_ms(settings->clock))) {
        log_warn(settings->log, "AWS credentials could not be renewed, the old ones are still valid: %s",
                 why.text);
        return ERR_OK;
    }
    return err_copy(err, &why);
}

static void wake(void *arg)
{
    struct lock *l = arg;
    lock_take(l);
    lock_wake_all(l);
    lock_drop(l);
}

/* The lock is held.  Returns with keys that may be used. */
static enum err_code make_usable(struct aws_credentials_chain *chain, struct cancel *cancel, struct err *err)
{
    const struct clock *clock = aws_config_settings(chain->config)->clock;
    for (;;) {
        int64_t now = clock_wall_ms(clock);
        if (chain->fixed)
            return ERR_OK;
        if (!chain->locked.fetching && due(chain, now))
            return refresh(chain, cancel, err);
        /* Not due, but expired: they came that way a moment ago, or our clock is wrong.  The server decides.
         */
        if (usable(chain, now) || !chain->locked.fetching)
            return ERR_OK;
        enum err_code rc = cancel_check(cancel, err);
        if (rc != ERR_OK)
            return rc;
        lock_wait(chain->lock, 0);
    }
}

enum err_code aws_credentials_get(struct aws_credentials_chain *chain, struct cancel *cancel,
                                  struct aws_credentials *out, struct err *err)
{
    struct cancel_hook hook = {.wake = wake, .arg = chain->lock};
    *out = (struct aws_credentials){0};
    cancel_add_hook(cancel, &hook);
    lock_take(chain->lock);
    enum err_code rc = make_usable(chain, cancel, err);
    if (rc == ERR_OK)
        credentials_copy(out, &chain->locked.keys);
    lock_drop(chain->lock);
    cancel_remove_hook(cancel, &hook);
    return rc;
}

void aws_credentials_invalidate(struct aws_credentials_chain *chain, const struct aws_credentials *used)
{
    lock_take(chain->lock);
    if (text_equal(chain->locked.keys.access_key, used->access_key) &&
        text_equal(chain->locked.keys.session_token, used->session_token))
        chain->locked.invalid = true;
    lock_drop(chain->lock);
}
