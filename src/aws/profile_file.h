/*
 * The INI dialect of ~/.aws/config and ~/.aws/credentials.  Source: AWS SDKs and Tools Reference Guide,
 * "Shared config and credentials files".  Not inih: nested keys stand on indented lines, and a session token
 * is longer than its lines.
 *
 * Owned by one thread until it is complete, constant afterwards.  Values may be secrets: they are wiped when
 * released.
 */
#ifndef DBSAFE_AWS_PROFILE_FILE_H
#define DBSAFE_AWS_PROFILE_FILE_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Which file: in the configuration a profile's section is called "profile NAME" (or "default"), in the
 * credentials "NAME". */
enum profile_file_kind { PROFILE_FILE_CONFIG, PROFILE_FILE_CREDENTIALS };

/* A section: a profile by its name; other kinds of sections keep theirs in front: "services NAME". */
struct profile_file_entry {
    char *section;
    char *key; /* lower case; nested ones as "s3.addressing_style"; "" says that the section is there */
    char *value;
};

struct profile_file {
    struct profile_file_entry *entries; /* in the order of the file; a later one of the same key wins */
    size_t count;
};

/* Reads a file; one that is missing is empty.  ERR_CONFIG names file and line. */
enum err_code profile_file_read(const char *path, enum profile_file_kind kind, struct profile_file *out,
                                struct err *err);
/* Reads text (not NUL-terminated), name is for messages. */
enum err_code profile_file_parse(const char *text, size_t bytes, const char *name,
                                 enum profile_file_kind kind, struct profile_file *out, struct err *err);
void profile_file_clear(struct profile_file *f);

bool profile_file_has(const struct profile_file *f, const char *section);
/* The value of a key, or NULL. */
const char *profile_file_get(const struct profile_file *f, const char *section, const char *key);

#endif
