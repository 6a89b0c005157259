/*
 * Pieces of the manifest's JSON that are written and read in more than one place (used inside src/archive
 * only).
 */
#ifndef DBSAFE_ARCHIVE_MANIFEST_PARTS_H
#define DBSAFE_ARCHIVE_MANIFEST_PARTS_H

#include "archive/json_in.h"
#include "archive/manifest.h"
#include "core/json_out.h"

/* The keys of an object, without its braces; and back. */
void manifest_put_object(struct json_out *j, const struct manifest_object *o);
void manifest_take_object(struct json_in *r, const json_t *from, struct manifest_object *o);
/* The same for a schema; format is the archive's. */
void manifest_put_schema(struct json_out *j, const struct manifest_schema *s, unsigned format);
void manifest_take_schema(struct json_in *r, const json_t *from, unsigned format, struct manifest_schema *s);
/* A list of names under a key. */
void manifest_put_names(struct json_out *j, const char *key, const struct manifest_name *names,
                        unsigned count);
const struct manifest_name *manifest_take_names(struct json_in *r, const json_t *from, const char *key,
                                                unsigned *count);
/* ERR_REFUSED for a format newer than MANIFEST_FORMAT; looked at before anything else, which a newer format
 * may have changed. */
enum err_code manifest_check_format(const json_t *root, unsigned *format, struct err *err);

#endif
