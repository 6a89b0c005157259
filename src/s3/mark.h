/*
 * Marks: who is at work in a store (inside src/s3 only).
 *
 * A mark is a multipart upload that is begun and never gets a part.  Its key, below <prefix>/.dbsafe/, says
 * for what, and which process on which machine set it; it is set before the work and aborted after it.  It is
 * in no listing of objects and needs no right beyond those of an upload.  docs/decisions/0006 says why.
 */
#ifndef DBSAFE_S3_MARK_H
#define DBSAFE_S3_MARK_H

#include "core/arena.h"
#include "core/process.h"
#include "s3/bucket.h"

/* UPLOAD: name is being written.  LOCK: the store is locked. */
enum mark_kind { MARK_UPLOAD, MARK_LOCK };

/* This process, with a digest for its machine. */
void mark_owner_self(struct process *out);
/* "host/machine-pid-started" of such a process, and back. */
#define MARK_OWNER_BYTES 128
void mark_owner_format(const struct process *o, char out[MARK_OWNER_BYTES]);
bool mark_owner_parse(const char *text, size_t length, struct process *out);

struct s3_mark {
    char *key, *upload_id; /* owned; NULL: not set */
    bool lost;             /* an answer was lost: there may be a second one */
};

/* name: an object's; "store" for locks. */
enum err_code s3_mark_set(struct s3_bucket *b, struct aws_client *client, enum mark_kind kind,
                          const char *name, struct s3_mark *out, struct err *err);
/* Aborts it, also after a set that failed, and releases it; on failure it is still there. */
enum err_code s3_mark_clear(struct s3_bucket *b, struct aws_client *client, struct s3_mark *m,
                            struct err *err);
/* Only releases: what stays is swept as a dead run's. */
void s3_mark_forget(struct s3_mark *m);

/* A mark that was found. */
struct s3_found_mark {
    enum mark_kind kind;
    const char *name;
    const char *key, *upload_id;
    struct process owner;
    enum process_life life;
    int64_t begun_ms;
};
struct s3_found_marks {
    struct s3_found_mark *items;
    size_t count;
};
/* All marks of the store.  *denied: see s3_uploads_list. */
enum err_code s3_marks_read(struct s3_bucket *b, struct aws_client *client, struct arena *arena,
                            struct s3_found_marks *out, bool *denied, struct err *err);

#endif
