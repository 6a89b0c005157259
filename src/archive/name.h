/*
 * Names of archives in a store, <YYYYMMDDThhmmssZ>-<label>-<run id>.dbsafe.tar, and the labels in them.
 * The byte order of such names is their order in time, to the second.  Pure functions.
 */
#ifndef DBSAFE_ARCHIVE_NAME_H
#define DBSAFE_ARCHIVE_NAME_H

#include "core/clock.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_SUFFIX     ".dbsafe.tar"
#define LABEL_BYTES        41 /* with NUL */
#define ARCHIVE_NAME_BYTES 96

/* What dbsafe keeps beside an archive under its name and this: the proof that the archive is good, and the
 * attestation of its newest drill. */
#define PROOF_SUFFIX ".proof.json"
#define DRILL_SUFFIX ".drill.json"

struct archive_name {
    char label[LABEL_BYTES];
    int64_t created_ms; /* wall clock, whole seconds */
};

void archive_name_format(int64_t created_ms, const char *label, const char *run_id,
                         char out[ARCHIVE_NAME_BYTES]);
/* False when the name is not of this form. */
bool archive_name_parse(const char *name, struct archive_name *out);
bool archive_name_has_suffix(const char *name);
/* Bytes of the archive's name in the name of such a companion; 0: it is none. */
size_t archive_name_of_companion(const char *name);
/* Less than, equal to or greater than 0 as the first was taken before, with or after the second: by the time
 * in the name, which has no more than seconds, then by when the object was finished. */
int archive_name_compare(const char *a, int64_t a_modified_ms, const char *b, int64_t b_modified_ms);

/* Letters, digits, _ and -, at most 40, not starting with -.  "latest" is taken by the command line. */
bool label_is_valid(const char *label);
/* The label for a dump of these names: the database of the first, other characters as _; "all" when nothing
 * is left. */
void label_from_name(const char *name, char out[LABEL_BYTES]);

#endif
