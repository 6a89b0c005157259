/*
 * The single sources of keys, inside src/aws only; aws/credentials.h puts them in order and keeps what they
 * give.  Each fetches anew whenever it is called, in the calling thread.
 */
#ifndef DBSAFE_AWS_CREDENTIALS_SOURCE_H
#define DBSAFE_AWS_CREDENTIALS_SOURCE_H

#include "aws/credentials.h"

/* What every source gets. */
struct source_context {
    struct aws_config *config;
    struct cancel *cancel;
};

/* Sources that may not be configured leave out->access_key NULL and return ERR_OK. */
enum err_code source_environment(const struct source_context *x, struct aws_credentials *out,
                                 struct err *err);
enum err_code source_web_identity(const struct source_context *x, struct aws_credentials *out,
                                  struct err *err);
enum err_code source_container(const struct source_context *x, struct aws_credentials *out, struct err *err);
/* ERR_NOT_FOUND when the instance has no role, ERR_CONFIG when the service is disabled. */
enum err_code source_ec2(const struct source_context *x, struct aws_credentials *out, struct err *err);
/* A profile of the files: keys, a role, web identity, a program. */
enum err_code source_profile(const struct source_context *x, const char *profile, struct aws_credentials *out,
                             struct err *err);

/* Runs a program (its command line as a profile has it: quotes and backslashes as in a shell, but no shell)
 * and reads the keys that it prints. */
enum err_code source_process(const struct source_context *x, const char *command, struct aws_credentials *out,
                             struct err *err);
/* Splits such a command line: *argv ends with NULL and is freed with its strings by the caller
 * (process_argv_free). ERR_CONFIG. */
enum err_code process_split(const char *command, char ***argv, struct err *err);
void process_argv_free(char **argv);

/* A role to assume; strings are borrowed, NULL where not given. */
struct role {
    const char *arn;
    const char *session_name; /* NULL: dbsafe */
    const char *external_id;
    const char *duration_s;
    const char *token_file; /* web identity: read at each call */
};
enum err_code sts_assume_role(const struct source_context *x, const struct role *role,
                              const struct aws_credentials *with, struct aws_credentials *out,
                              struct err *err);
enum err_code sts_web_identity(const struct source_context *x, const struct role *role,
                               struct aws_credentials *out, struct err *err);

/* Keys from the JSON document of a metadata service or a program; what names it in messages.  token_key:
 * "Token" or "SessionToken".  The document is no part of any message. */
enum err_code credentials_parse_json(const char *text, size_t bytes, const char *what, const char *token_key,
                                     struct aws_credentials *out, struct err *err);

/* Copies of the given strings; token and source may be NULL. */
void credentials_set(struct aws_credentials *out, const char *access_key, const char *secret_key,
                     const char *token, const char *source);
void credentials_copy(struct aws_credentials *out, const struct aws_credentials *from);

#endif
