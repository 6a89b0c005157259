/*
 * Taking values out of a JSON object (used inside src/archive only).  The first that is missing or wrong is
 * remembered as ERR_DAMAGED, and all later calls give harmless values, so that reading needs only one check
 * at its end.  Strings are copied into the arena.  One thread.
 */
#ifndef DBSAFE_ARCHIVE_JSON_IN_H
#define DBSAFE_ARCHIVE_JSON_IN_H

#include "archive/manifest.h"

#include <jansson.h>

struct json_in {
    struct arena *arena; /* borrowed */
    bool failed;
    struct err err;
    char where[64]; /* "tables[3]." */
};

#define JSON_IN_NUMBER_MAX ((uint64_t)INT64_MAX)
#define JSON_IN_LIST_MAX   ((size_t)10000000)

/* Parses; *root is the caller's to release.  ERR_DAMAGED. */
enum err_code json_in_parse(const char *data, size_t bytes, json_t **root, struct err *err);

void json_in_fail(struct json_in *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where the values that follow stand, for messages; list NULL: at the top. */
void json_in_at(struct json_in *r, const char *list, size_t i);

const char *json_in_text(struct json_in *r, const json_t *object, const char *key); /* "" when wrong */
const char *json_in_text_or_null(struct json_in *r, const json_t *object, const char *key);
/* 64 hexadecimal digits. */
const char *json_in_hex_digest(struct json_in *r, const json_t *object, const char *key);
struct rowsum json_in_rowsum(struct json_in *r, const json_t *object, const char *key);
/* Letters, digits and _ of ASCII: the name of a character set or collation, which becomes part of statements.
 */
const char *json_in_word(struct json_in *r, const json_t *object, const char *key);
/* A whole number in a string, for what may be more than 63 bits. */
const char *json_in_digits(struct json_in *r, const json_t *object, const char *key);
uint64_t json_in_number_value(struct json_in *r, const json_t *v, const char *key, uint64_t max);
uint64_t json_in_number(struct json_in *r, const json_t *object, const char *key, uint64_t max);
bool json_in_flag(struct json_in *r, const json_t *object, const char *key);
/* The element count of an array, which is at most max. */
size_t json_in_list(struct json_in *r, const json_t *object, const char *key, size_t max, const json_t **out);
const json_t *json_in_object_in(struct json_in *r, const json_t *object, const char *key);

#endif
