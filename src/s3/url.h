/*
 * s3://bucket/prefix as people write it.  Pure functions.
 */
#ifndef DBSAFE_S3_URL_H
#define DBSAFE_S3_URL_H

#include "core/err.h"

#include <stdbool.h>

/* Owned by the caller; s3_url_clear releases. */
struct s3_url {
    char *bucket;
    char *prefix; /* "" or "a/b"; not starting with a slash */
};

bool s3_url_is(const char *text);
/* One slash at the end is ignored.  ERR_USAGE says what is wrong. */
enum err_code s3_url_parse(const char *text, struct s3_url *out, struct err *err);
void s3_url_clear(struct s3_url *u);

/* Cuts s3://bucket/a/b into the store s3://bucket/a/ and the name b.  ERR_USAGE when there is no name. Caller
 * frees both. */
enum err_code s3_url_split(const char *text, char **store, char **name, struct err *err);

#endif
