/* Keys of a profile: see credentials_source.h.  Source: SDKs reference, "Assume role credential provider" and
 * others. */
#include "aws/credentials_source.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 8 /* roles that assume roles */

static const char *key_of(const struct source_context *x, const char *profile, const char *key)
{
    return aws_config_get(x->config, profile, key);
}

static enum err_code static_keys(const struct source_context *x, const char *profile,
                                 struct aws_credentials *out, struct err *err)
{
    const char *access = key_of(x, profile, "aws_access_key_id");
    const char *secret = key_of(x, profile, "aws_secret_access_key");
    if (access == NULL && secret == NULL)
        return ERR_OK;
    if (access == NULL || secret == NULL)
        return err_set(err, ERR_CONFIG,
                       "the AWS profile '%s' has only one of aws_access_key_id and "
                       "aws_secret_access_key",
                       profile);
    char *source = xasprintf("profile %s", profile);
    credentials_set(out, access, secret, key_of(x, profile, "aws_session_token"), source);
    free(source);
    return ERR_OK;
}

static struct role role_of(const struct source_context *x, const char *profile)
{
    return (struct role){
        .arn = key_of(x, profile, "role_arn"),
        .session_name = key_of(x, profile, "role_session_name"),
        .external_id = key_of(x, profile, "external_id"),
        .duration_s = key_of(x, profile, "duration_seconds"),
        .token_file = key_of(x, profile, "web_identity_token_file"),
    };
}

/* credential_source: the keys to assume the role with come from where this program runs. */
static enum err_code named_source(const struct source_context *x, const char *profile, const char *name,
                                  struct aws_credentials *out, struct err *err)
{
    enum err_code rc;
    if (strcmp(name, "Environment") == 0)
        rc = source_environment(x, out, err);
    else if (strcmp(name, "EcsContainer") == 0)
        rc = source_container(x, out, err);
    else if (strcmp(name, "Ec2InstanceMetadata") == 0)
        rc = source_ec2(x, out, err);
    else
        return err_set(err, ERR_CONFIG,
                       "the AWS profile '%s': credential_source '%s' is none of Environment, EcsContainer, "
                       "Ec2InstanceMetadata",
                       profile, name);
    if (rc == ERR_OK && out->access_key == NULL)
        return err_set(err, ERR_CONFIG, "the AWS profile '%s': there are no keys in its credential_source %s",
                       profile, name);
    return rc == ERR_NOT_FOUND ? err_recode(err, ERR_CONFIG) : rc;
}

static enum err_code resolve(const struct source_context *x, const char *profile, unsigned depth,
                             bool as_source, struct aws_credentials *out, struct err *err);

/* The keys that may assume the profile's role. */
static enum err_code keys_for_role(const struct source_context *x, const char *profile, unsigned depth,
                                   struct aws_credentials *out, struct err *err)
{
    const char *other = key_of(x, profile, "source_profile");
    const char *name = key_of(x, profile, "credential_source");
    if (other != NULL && name != NULL)
        return err_set(err, ERR_CONFIG, "the AWS profile '%s' has both source_profile and credential_source",
                       profile);
    if (name != NULL)
        return named_source(x, profile, name, out, err);
    if (other == NULL)
        return err_set(
            err, ERR_CONFIG,
            "the AWS profile '%s' has a role_arn, but neither source_profile nor credential_source", profile);
    if (!aws_config_has_profile(x->config, other))
        return err_set(err, ERR_CONFIG,
                       "the AWS profile '%s' names the source_profile '%s', which does not exist", profile,
                       other);
    if (depth == CHAIN_MAX)
        return err_set(err, ERR_CONFIG,
                       "the AWS profile '%s': its source_profile leads in a circle, or too far", profile);
    enum err_code rc = strcmp(other, profile) == 0 ? static_keys(x, other, out, err)
                                                   : resolve(x, other, depth + 1, true, out, err);
    if (rc == ERR_OK && out->access_key == NULL)
        rc = err_set(err, ERR_CONFIG, "the AWS profile '%s', source_profile of '%s', has no keys", other,
                     profile);
    return rc;
}

static enum err_code assume(const struct source_context *x, const char *profile, unsigned depth,
                            struct aws_credentials *out, struct err *err)
{
    struct role role = role_of(x, profile);
    struct aws_credentials with = {0};
    enum err_code rc;
    if (role.token_file != NULL)
        return sts_web_identity(x, &role, out, err);
    if (key_of(x, profile, "mfa_serial") != NULL)
        return err_set(
            err, ERR_CONFIG,
            "the AWS profile '%s' wants an MFA code (mfa_serial), which nobody can enter here; use "
            "credential_process, or export keys of a session",
            profile);
    rc = keys_for_role(x, profile, depth, &with, err);
    if (rc == ERR_OK)
        rc = sts_assume_role(x, &role, &with, out, err);
    aws_credentials_clear(&with);
    return rc;
}

static bool wants_sso(const struct source_context *x, const char *profile)
{
    return key_of(x, profile, "sso_session") != NULL || key_of(x, profile, "sso_start_url") != NULL;
}

/* A role comes before keys, but a profile that another one names as its source gives its keys if it has any.
 */
static enum err_code resolve(const struct source_context *x, const char *profile, unsigned depth,
                             bool as_source, struct aws_credentials *out, struct err *err)
{
    const char *command = key_of(x, profile, "credential_process");
    enum err_code rc = ERR_OK;
    if (as_source)
        rc = static_keys(x, profile, out, err);
    if (rc != ERR_OK || out->access_key != NULL)
        return rc;
    if (key_of(x, profile, "role_arn") != NULL)
        return assume(x, profile, depth, out, err);
    rc = static_keys(x, profile, out, err);
    if (rc != ERR_OK || out->access_key != NULL)
        return rc;
    if (command != NULL)
        return source_process(x, command, out, err);
    if (wants_sso(x, profile))
        return err_set(err, ERR_CONFIG,
                       "the AWS profile '%s' uses IAM Identity Center (sso_...), which dbsafe does not; let "
                       "'aws configure export-credentials' be its credential_process",
                       profile);
    return ERR_OK;
}

enum err_code source_profile(const struct source_context *x, const char *profile, struct aws_credentials *out,
                             struct err *err)
{
    return resolve(x, profile, 1, false, out, err);
}
