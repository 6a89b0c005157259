/*
 * Finds the archive that an ARCHIVE argument means, and opens it.
 *
 * "-" is standard input.  What has a slash is a path, as is file:///path; s3://bucket/key is an object there.
 * "latest" is the newest archive of the store (of
 * --label, if given) that holds every table asked for.  A name with a dot is a file here, else an object of
 * the store; a word without one is a label, else a file here.  For labels and "latest" the log says which
 * archive was taken.
 */
#ifndef DBSAFE_CLI_LOCATE_H
#define DBSAFE_CLI_LOCATE_H

#include "archive/manifest.h"
#include "cli/command.h"
#include "core/source.h"
#include "core/store.h"

struct located {
    struct source *source;
    char *name;          /* last part of the path, or "standard input" */
    char *path;          /* absolute, an s3:// URL, or "-" */
    struct store *store; /* where it lies, for its companions; NULL where there can be none */
};

/* tables: patterns that the archive must hold, where there is a choice.  ERR_NOT_FOUND, ERR_USAGE;
 * ERR_DAMAGED when the newest cannot be read: an older one is never taken in its place silently.  Release
 * with located_free, on failure too. */
enum err_code locate_archive(const struct cli *cli, const char *argument, const char *const *tables,
                             unsigned table_count, struct located *out, struct err *err);
void located_free(struct located *l);

/* Opens the store of the settings, or the one at that URL or path; make: create a folder that is missing. */
enum err_code locate_store(const struct cli *cli, bool make, struct store **out, struct err *err);
enum err_code locate_store_at(const struct cli *cli, const char *url, bool make, struct store **out,
                              struct err *err);
/* The default store of this user; NULL when there is no home.  Caller frees. */
char *locate_default_store(char *const *environment, bool root);

/* The store that keeps the object s3://bucket/key, and its name there.  Caller frees both. */
enum err_code locate_s3_object(const struct cli *cli, const char *url, struct store **store, char **name,
                               struct err *err);

/* Archives (names that end in .dbsafe.tar) of a store, the oldest first; those of one second in the order in
 * which they were finished.  Caller frees with locate_names_free. */
struct locate_entry {
    char *name;
    uint64_t bytes;
    int64_t modified_ms;
};
struct locate_names {
    struct locate_entry *items;
    size_t count;
};
enum err_code locate_names(struct store *s, struct locate_names *out, struct err *err);
void locate_names_free(struct locate_names *names);

/* The manifest of an archive, from a stream too, which is then read to its end. */
enum err_code locate_manifest(struct source *source, struct manifest **out, struct err *err);

#endif
