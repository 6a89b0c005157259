/*
 * Writes JSON (RFC 8259) into a struct buf as it goes: no tree, commas and quoting handled here.
 * Strings are UTF-8; bytes that are not valid UTF-8 are written as U+FFFD.
 * Memory shortage (the buffer's maximum) is remembered and returned by json_out_end.
 */
#ifndef DBSAFE_CORE_JSON_OUT_H
#define DBSAFE_CORE_JSON_OUT_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 16

struct json_out {
    struct buf *out; /* borrowed */
    int indent;      /* spaces a level; 0 = one line */
    int depth;       /* the rest is private */
    bool has_item[JSON_MAX_DEPTH];
    bool failed;
    struct err err;
};

void json_out_begin(struct json_out *j, struct buf *out, int indent);
enum err_code json_out_end(struct json_out *j, struct err *err);

/* key is NULL inside arrays and at the top. */
void json_out_object_open(struct json_out *j, const char *key);
void json_out_object_close(struct json_out *j);
void json_out_array_open(struct json_out *j, const char *key);
void json_out_array_close(struct json_out *j);
void json_out_string(struct json_out *j, const char *key, const char *value); /* NULL value: null */
void json_out_stringn(struct json_out *j, const char *key, const char *value, size_t bytes);
void json_out_uint(struct json_out *j, const char *key, uint64_t value);
void json_out_int(struct json_out *j, const char *key, int64_t value);
void json_out_fixed3(struct json_out *j, const char *key, int64_t thousandths); /* 1234 -> 1.234 */
void json_out_bool(struct json_out *j, const char *key, bool value);
void json_out_null(struct json_out *j, const char *key);

#endif
