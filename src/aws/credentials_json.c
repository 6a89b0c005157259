/* Keys in JSON: see credentials_source.h. */
#include "aws/credentials_source.h"

#include "aws/aws_time.h"

#include <jansson.h>
#include <string.h>

/* jansson does not wipe what it releases. */
static void wipe_and_release(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (json_is_string(value))
        explicit_bzero((char *)json_string_value(value), json_string_length(value));
    json_decref(object);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && *text != '\0' ? text : NULL;
}

static enum err_code take_keys(const json_t *object, const char *what, const char *token_key,
                               struct aws_credentials *out, struct err *err)
{
    const char *access = text_of(object, "AccessKeyId");
    const char *secret = text_of(object, "SecretAccessKey");
    const char *expires = text_of(object, "Expiration");
    const char *code = text_of(object, "Code");
    int64_t expires_ms = INT64_MAX;
    if (code != NULL && strcmp(code, "Success") != 0)
        return err_set(err, ERR_AWS, "%s gives no keys: %.100s", what, code);
    const json_t *version = json_object_get(object, "Version");
    if (version != NULL && json_integer_value(version) != 1)
        return err_set(err, ERR_AWS, "%s: the answer's Version is not 1", what);
    if (access == NULL || secret == NULL)
        return err_set(err, ERR_AWS, "%s: the answer has no AccessKeyId and SecretAccessKey", what);
    if (expires != NULL && !aws_time_parse(expires, &expires_ms))
        return err_set(err, ERR_AWS, "%s: the answer's Expiration is no time", what);
    credentials_set(out, access, secret, text_of(object, token_key), what);
    out->expires_ms = expires_ms;
    return ERR_OK;
}

enum err_code credentials_parse_json(const char *text, size_t bytes, const char *what, const char *token_key,
                                     struct aws_credentials *out, struct err *err)
{
    json_error_t where; /* its text quotes the document: not shown */
    json_t *object = json_loadb(bytes > 0 ? text : "", bytes, 0, &where);
    if (object == NULL)
        return err_set(err, ERR_AWS, "%s: the answer is no JSON (line %d)", what, where.line);
    enum err_code rc = json_is_object(object)
                           ? take_keys(object, what, token_key, out, err)
                           : err_set(err, ERR_AWS, "%s: the answer is no JSON object", what);
    wipe_and_release(object);
    return rc;
}
