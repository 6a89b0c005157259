/*
 * Where keys come from, in this order, the first that is configured: environment (unless a profile is named),
 * profile (keys, role_arn with source_profile or credential_source, web identity, credential_process), web
 * identity of the environment, container (ECS, EKS), EC2 metadata service (IMDSv2 only). A source that is
 * configured and fails is an error; the next one is not tried.
 *
 * Keys with an expiry are fetched anew ten minutes before it; a fetch that fails keeps what is still valid
 * (and is tried again a minute later).  One thread fetches; others go on with what is valid or wait.  All
 * functions may be called from any thread.  Secrets are wiped when released and are in no message.
 */
#ifndef DBSAFE_AWS_CREDENTIALS_H
#define DBSAFE_AWS_CREDENTIALS_H

#include "aws/config.h"

/* Owned by the caller; aws_credentials_clear wipes and releases. */
struct aws_credentials {
    char *access_key, *secret_key;
    char *session_token; /* NULL: none */
    int64_t expires_ms;  /* wall clock; INT64_MAX: never */
    char *source;        /* what they come from, for -v: "environment", "profile x", ... */
};
void aws_credentials_clear(struct aws_credentials *c);

struct aws_credentials_chain;

/* config is borrowed and outlives the chain.  Nothing is asked yet. */
struct aws_credentials_chain *aws_credentials_chain_new(struct aws_config *config);
/* A chain that always gives these keys (copies); session_token may be NULL. */
struct aws_credentials_chain *aws_credentials_chain_static(struct aws_config *config, const char *access_key,
                                                           const char *secret_key, const char *session_token);
void aws_credentials_chain_free(struct aws_credentials_chain *chain);

/*
 * A copy of the keys to use now.  ERR_CONFIG when no source has any (the message lists what was looked at),
 * or when one is configured wrongly or its keys are wrong; ERR_AWS when a source does not answer or STS
 * refuses (its words are given); the token's own.
 */
enum err_code aws_credentials_get(struct aws_credentials_chain *chain, struct cancel *cancel,
                                  struct aws_credentials *out, struct err *err);
/* The server called these keys expired: the next get fetches anew, unless another thread did meanwhile (the
 * access key and token differ from used).  Keys without expiry are read again too. */
void aws_credentials_invalidate(struct aws_credentials_chain *chain, const struct aws_credentials *used);

#endif
