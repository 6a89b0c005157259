/*
 * The proof companion of an archive, <archive name>.proof.json beside it: that its bytes were verified, or,
 * which says more, that its rows were restored, by a restore or in a drill, and compared with the rows that
 * were dumped.  It counts only
 * for the very archive it was written for (run id and size).
 */
#ifndef DBSAFE_CLI_PROOF_H
#define DBSAFE_CLI_PROOF_H

#include "core/clock.h"
#include "core/store.h"

#include <stdint.h>

enum proof_kind { PROOF_NONE, PROOF_BYTES, PROOF_RESTORED };

struct proof {
    enum proof_kind kind;
    char date[CLOCK_ISO_BYTES];
};

/* What is known of an archive; a companion that is missing, unreadable or of another archive is PROOF_NONE.
 */
struct proof proof_read(struct store *store, const char *name, const char *run_id, uint64_t bytes);
/* Records kind at that time; "restored" is never replaced by "bytes". */
enum err_code proof_write(struct store *store, const char *name, const char *run_id, uint64_t bytes,
                          enum proof_kind kind, int64_t wall_ms, struct err *err);
/* Carries the proof of an archive over to a copy of it, which may have another name; none there is no error.
 */
enum err_code proof_copy(struct store *from, const char *name, struct store *to, const char *copy_name,
                         const char *run_id, uint64_t bytes, struct err *err);
/* Takes the proof back, when damage was found; none there is no error. */
enum err_code proof_remove(struct store *store, const char *name, struct err *err);

/* "none", "bytes <date>", "restored <date>". */
#define PROOF_TEXT_BYTES 40
const char *proof_text(const struct proof *p, char out[PROOF_TEXT_BYTES]);

#endif
