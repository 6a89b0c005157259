#include "recovery/snapshots.h"

#define LOOKS_NEEDED 2

enum err_code snapshots_wait(const struct run *run, struct recovery_snapshots *s, const char *id,
                             bool cluster, struct snapshot_state *out, struct err *err)
{
    unsigned last_percent = 0;
    for (unsigned good = 0; good < LOOKS_NEEDED;) {
        enum err_code code = s->ops->describe(s, id, cluster, out, err);
        if (code != ERR_OK)
            return err_wrap(err, "wait for the snapshot %s", id);
        if (out->status == SNAPSHOT_FAILED)
            return err_set(err, ERR_AWS, "the snapshot %s is in the state '%s' and will not become available",
                           id, out->word);
        good = out->status == SNAPSHOT_AVAILABLE ? good + 1 : 0;
        if (out->status == SNAPSHOT_PENDING && out->percent != last_percent)
            log_info(run->log, "snapshot %s: %s, %u %%", id, out->word, out->percent);
        last_percent = out->percent;
        if (good < LOOKS_NEEDED)
            code = clock_backoff(s->poll_ms, run->cancel, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}
