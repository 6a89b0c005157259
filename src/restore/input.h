/*
 * The archive as restore reads it: what stands before the data, checked; a file with its manifest first, or a
 * pipe that brings it last.
 */
#ifndef DBSAFE_RESTORE_INPUT_H
#define DBSAFE_RESTORE_INPUT_H

#include "archive/reader.h"
#include "core/source.h"
#include "restore/restore.h"

/* The definition of an object, in its own character set. */
struct input_text {
    const char *text; /* NULL: it did not come */
    size_t bytes;
};

struct input {
    struct source *src;
    struct archive_stream *stream; /* NULL for a seekable source */
    struct manifest *manifest;     /* of a pipe: what its text members tell, until the end */
    bool *chosen;                  /* per table */
    const char **ddl_texts;        /* per table */
    struct input_text *objects;    /* per object */
    /* of a pipe: the first data member, read while looking for the end of the texts */
    char *first_path;
    struct buf first;
    bool is_odd; /* one of its texts is not as dbsafe would write it: of another version, or damaged */
};

/* Reads everything before the data: manifest, definitions; checks all of it and, on a seekable source, the
 * archive's end. */
enum err_code input_open(struct source *src, const struct restore_options *options, struct input *in,
                         struct err *err);
void input_close(struct input *in);
/* The table to which a data member of a pipe belongs. */
enum err_code input_table_of(const struct input *in, const char *path, unsigned *number, struct err *err);
/* At the end of a pipe: its manifest describes tables and objects as their own files did, and the members as
 * they passed. */
enum err_code input_compare_end(struct input *in, struct err *err);
/* Reads a pipe to its end, and compares as above. */
enum err_code input_skip_data(struct input *in, struct err *err);
/* The manifest that counts: of a pipe that was read to its end, the one that stands there. */
const struct manifest *input_manifest(const struct input *in);
/* A pipe is used before its manifest can be compared: ERR_DAMAGED where damage is why something was refused.
 */
enum err_code input_explain(const struct input *in, enum err_code code, struct err *err);

#endif
