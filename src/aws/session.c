/* What all clients of a command share: see client.h. */
#include "aws/session.h"

#include "core/lock.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FALLBACK_REGION "us-east-1"
#define REGIONS_MAX     1000 /* corrected buckets that are remembered */

struct aws_session {
    struct aws_config *config;
    struct aws_credentials_chain *chain; /* NULL: requests are not signed */
    bool owner;                          /* of both */
    struct lock *lock;
    struct {
        int64_t clock_offset_ms;
        struct http_pairs regions; /* region_key and region; "" is the key of the session */
    } locked;
};

enum err_code aws_session_open(const struct aws_settings *settings, struct aws_session **out, struct err *err)
{
    struct aws_config *config;
    enum err_code rc = aws_config_load(settings, &config, err);
    if (rc != ERR_OK)
        return rc;
    *out = aws_session_over(config, aws_credentials_chain_new(config));
    (*out)->owner = true;
    return ERR_OK;
}

struct aws_session *aws_session_over(struct aws_config *config, struct aws_credentials_chain *chain)
{
    struct aws_session *s = xcalloc(1, sizeof *s);
    s->config = config;
    s->chain = chain;
    s->lock = lock_new();
    return s;
}

void aws_session_free(struct aws_session *s)
{
    if (s == NULL)
        return;
    http_pairs_clear(&s->locked.regions);
    lock_free(s->lock);
    if (s->owner) {
        aws_credentials_chain_free(s->chain);
        aws_config_free(s->config);
    }
    free(s);
}

struct aws_config *aws_session_config(struct aws_session *s)
{
    return s->config;
}

struct aws_credentials_chain *aws_session_credentials(struct aws_session *s)
{
    return s->chain;
}

int64_t aws_session_clock_offset_ms(struct aws_session *s)
{
    lock_take(s->lock);
    int64_t offset = s->locked.clock_offset_ms;
    lock_drop(s->lock);
    return offset;
}

void session_set_clock_offset_ms(struct aws_session *s, int64_t offset_ms)
{
    lock_take(s->lock);
    s->locked.clock_offset_ms = offset_ms;
    lock_drop(s->lock);
}

/* The pair of a key, or NULL; the lock is held.  Keys are buckets: compared exactly. */
static struct http_pair *find_region(struct aws_session *s, const char *key)
{
    for (size_t i = 0; i < s->locked.regions.count; i++)
        if (strcmp(s->locked.regions.items[i].name, key) == 0)
            return &s->locked.regions.items[i];
    return NULL;
}

void session_set_region(struct aws_session *s, const char *region_key, const char *region)
{
    const char *key = region_key != NULL ? region_key : "";
    lock_take(s->lock);
    struct http_pair *pair = find_region(s, key);
    if (pair != NULL) {
        free(pair->value);
        pair->value = xstrdup(region);
    } else if (s->locked.regions.count < REGIONS_MAX) {
        http_pairs_add(&s->locked.regions, key, region);
    }
    lock_drop(s->lock);
}

enum err_code session_region(struct aws_session *s, const char *region_key, bool ask, struct cancel *cancel,
                             struct buf *out, struct err *err)
{
    lock_take(s->lock);
    struct http_pair *pair = find_region(s, region_key != NULL ? region_key : "");
    if (pair != NULL)
        buf_put(out, pair->value);
    lock_drop(s->lock);
    if (pair != NULL)
        return ERR_OK;
    const char *region = aws_config_region_known(s->config);
    enum err_code rc = ERR_OK;
    if (region == NULL && ask)
        rc = aws_config_region(s->config, cancel, &region, err);
    if (rc == ERR_OK)
        buf_put(out, region != NULL ? region : FALLBACK_REGION);
    return rc;
}

enum err_code aws_session_region(struct aws_session *s, const char *region_key, struct cancel *cancel,
                                 struct buf *out, struct err *err)
{
    struct aws_endpoint endpoint;
    enum err_code rc = aws_config_endpoint(s->config, "s3", &endpoint, err);
    if (rc != ERR_OK)
        return rc;
    rc = session_region(s, region_key, !endpoint.custom, cancel, out, err);
    aws_endpoint_clear(&endpoint);
    return rc;
}

uint64_t session_random(const struct aws_session *s)
{
    const struct aws_settings *settings = aws_config_settings(s->config);
    if (settings->random != NULL)
        return settings->random(settings->random_arg);
    uint64_t bits = 0;
    /* Without it waits are shorter, no more. */
    if (getentropy(&bits, sizeof bits) != 0)
        return 0;
    return bits;
}
