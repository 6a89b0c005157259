/*
 * What S3's XML answers say: lists of objects, uploads and parts, one page each.  Elements are taken by local
 * name, since servers differ in namespaces and root names.  Pure functions; strings go to the arena.
 */
#ifndef DBSAFE_S3_ANSWERS_H
#define DBSAFE_S3_ANSWERS_H

#include "aws/xml.h"
#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3_object {
    const char *key;
    uint64_t bytes;
    int64_t modified_ms; /* wall clock */
};

/* ListObjectsV2. */
struct s3_object_page {
    struct s3_object *items;
    size_t count;
    const char *next; /* continuation token; NULL: the last page */
};
enum err_code s3_read_objects(const struct xml *x, struct arena *arena, struct s3_object_page *out,
                              struct err *err);

struct s3_upload {
    const char *key, *id;
    int64_t begun_ms;
};

/* ListMultipartUploads. */
struct s3_upload_page {
    struct s3_upload *items;
    size_t count;
    const char *next_key, *next_id; /* NULL: the last page */
};
enum err_code s3_read_uploads(const struct xml *x, struct arena *arena, struct s3_upload_page *out,
                              struct err *err);

/* ListParts. */
struct s3_part_page {
    size_t count;
    int64_t newest_ms; /* when the newest part of this page came; INT64_MIN: no part */
    const char *next;  /* part number marker; NULL: the last page */
};
enum err_code s3_read_parts(const struct xml *x, struct arena *arena, struct s3_part_page *out,
                            struct err *err);

/* "2026-11-23T19:04:05.000Z", with or without a fraction; false when malformed. */
bool s3_read_time(const char *text, int64_t *wall_ms);
/* "bytes 0-9/4711"; false when malformed. */
bool s3_read_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *size);

#endif
