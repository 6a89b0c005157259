/* Keys from STS: see credentials_source.h.  Source: STS API reference, AssumeRole and
 * AssumeRoleWithWebIdentity. */
#include "aws/credentials_source.h"

#include "aws/aws_time.h"
#include "aws/client.h"
#include "aws/secret_file.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define STS_VERSION  "2011-06-15"
#define SESSION_NAME "dbsafe"
#define ANSWER_BYTES (256 * 1024)
#define TOKEN_BYTES  (64 * 1024)

static enum err_code take_answer(const struct aws_answer *a, const char *arn, struct aws_credentials *out,
                                 struct err *err)
{
    const struct xml_node *c = xml_find(xml_root(a->xml), "Credentials");
    const char *access = xml_text(c, "AccessKeyId", NULL);
    const char *secret = xml_text(c, "SecretAccessKey", NULL);
    int64_t expires_ms;
    if (*access == '\0' || *secret == '\0' || !aws_time_parse(xml_text(c, "Expiration", NULL), &expires_ms))
        return err_set(err, ERR_AWS, "assume the role %s: STS's answer has no keys", arn);
    char *source = xasprintf("role %s", arn);
    credentials_set(out, access, secret, xml_text(c, "SessionToken", NULL), source);
    out->expires_ms = expires_ms;
    free(source);
    return ERR_OK;
}

static void add_role(struct http_pairs *params, const struct role *role)
{
    http_pairs_add(params, "RoleArn", role->arn);
    http_pairs_add(params, "RoleSessionName", role->session_name != NULL ? role->session_name : SESSION_NAME);
    if (role->external_id != NULL)
        http_pairs_add(params, "ExternalId", role->external_id);
    if (role->duration_s != NULL)
        http_pairs_add(params, "DurationSeconds", role->duration_s);
}

/* chain NULL: the request is not signed. */
static enum err_code ask(const struct source_context *x, struct aws_credentials_chain *chain,
                         const char *action, const struct http_pairs *params, const char *arn,
                         struct aws_credentials *out, struct err *err)
{
    struct aws_session *session = aws_session_over(x->config, chain);
    struct aws_client *client = NULL;
    struct aws_answer answer;
    aws_answer_init(&answer, ANSWER_BYTES);
    answer.http.body.secret = true;
    enum err_code rc = aws_client_new(session, "sts", x->cancel, &client, err);
    if (rc == ERR_OK)
        rc = aws_query(client, action, STS_VERSION, params, &answer, err);
    if (rc == ERR_NOT_FOUND) /* a wrong endpoint */
        rc = err_recode(err, ERR_AWS);
    if (rc == ERR_OK)
        rc = take_answer(&answer, arn, out, err);
    else if (!cancel_fired(x->cancel))
        err_wrap(err, "assume the role %s", arn);
    aws_answer_free(&answer);
    aws_client_free(client);
    aws_session_free(session);
    return rc;
}

enum err_code sts_assume_role(const struct source_context *x, const struct role *role,
                              const struct aws_credentials *with, struct aws_credentials *out,
                              struct err *err)
{
    struct http_pairs params = {0};
    struct aws_credentials_chain *chain =
        aws_credentials_chain_static(x->config, with->access_key, with->secret_key, with->session_token);
    add_role(&params, role);
    enum err_code rc = ask(x, chain, "AssumeRole", &params, role->arn, out, err);
    http_pairs_clear(&params);
    aws_credentials_chain_free(chain);
    return rc;
}

enum err_code sts_web_identity(const struct source_context *x, const struct role *role,
                               struct aws_credentials *out, struct err *err)
{
    struct http_pairs params = {0};
    struct buf token;
    buf_init(&token, TOKEN_BYTES);
    token.secret = true;
    enum err_code rc = secret_file_read(role->token_file, "web identity token", &token, err);
    if (rc == ERR_OK) {
        add_role(&params, role);
        http_pairs_add(&params, "WebIdentityToken", buf_cstr(&token));
        rc = ask(x, NULL, "AssumeRoleWithWebIdentity", &params, role->arn, out, err);
    }
    http_pairs_clear(&params);
    buf_free(&token);
    return rc;
}

enum err_code source_web_identity(const struct source_context *x, struct aws_credentials *out,
                                  struct err *err)
{
    struct role role = {
        .arn = aws_config_env(x->config, "AWS_ROLE_ARN"),
        .session_name = aws_config_env(x->config, "AWS_ROLE_SESSION_NAME"),
        .token_file = aws_config_env(x->config, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    };
    if (role.token_file == NULL)
        return ERR_OK;
    if (role.arn == NULL)
        return err_set(err, ERR_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    return sts_web_identity(x, &role, out, err);
}
