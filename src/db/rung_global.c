/* Rungs B and C: the whole server's commits or writes wait for the moment in which the snapshots start. */
#include "db/rung.h"

#include <inttypes.h>
#include <stdio.h>

#define LOCK_TRIES     5
#define LOCK_WAIT_S    2
#define BACKOFF_MAX_MS 200

static void put_held(const struct snapshot *s, char out[64])
{
    snprintf(out, 64, "for at most %" PRId64 " ms", s->held_ms > 0 ? s->held_ms : 1);
}

const char *rung_stage_obstacle(const struct climb *c)
{
    if (!flavour_has_backup_stage(c->ground.flavour))
        return "this server has no BACKUP STAGE";
    return grants_have(c->ground.grants, PRIV_RELOAD, NULL, NULL) ? NULL : "RELOAD missing";
}

enum err_code rung_stage(struct climb *c, bool *done, struct err *err)
{
    static const char *const take[] = {"BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT", NULL};
    const struct rung_lock how = {take, "BACKUP STAGE END", LOCK_TRIES, BACKOFF_MAX_MS, 0};
    struct snapshot *s = c->snap;
    struct db_conn *lock = NULL;
    struct err refused = {0};
    char held[64];
    s->tries = 0;
    enum err_code code = rung_open_readers(c, c->options->threads, err);
    if (code == ERR_OK)
        code = rung_open_lock(c, LOCK_WAIT_S, &lock, err);
    if (code == ERR_OK)
        code = rung_start_locked(c, lock, &how, done, &refused, err);
    db_close(lock);
    if (code == ERR_OK && !*done)
        rung_note_refusal(c, "backup-stage", RUNG_LOCKS_SERVER, &refused);
    if (code == ERR_OK && *done && s->positions[0].file[0] && !rung_positions_equal(c))
        return err_set(err, ERR_SNAPSHOT,
                       "start snapshots under BACKUP STAGE BLOCK_COMMIT: their binlog positions differ");
    put_held(s, held);
    snprintf(s->proof, sizeof s->proof,
             "%u snapshots started while BACKUP STAGE BLOCK_COMMIT held back every commit, %s", s->count,
             held);
    return code;
}

const char *rung_global_obstacle(const struct climb *c)
{
    const struct grants *g = c->ground.grants;
    bool may = grants_have(g, PRIV_RELOAD, NULL, NULL) || grants_have(g, PRIV_FLUSH_TABLES, NULL, NULL);
    return may ? NULL : c->ground.flavour.mariadb ? "RELOAD missing" : "RELOAD (or FLUSH_TABLES) missing";
}

/* DDL is kept away until the end of the dump, where that can be had. */
static enum err_code lock_instance(struct climb *c, struct err *err)
{
    struct snapshot *s = c->snap;
    struct err refused;
    if (!flavour_has_instance_lock(c->ground.flavour) ||
        !grants_have(c->ground.grants, PRIV_BACKUP_ADMIN, NULL, NULL))
        return ERR_OK;
    enum err_code code = db_connect(c->params, c->run->cancel, &s->instance, err);
    if (code == ERR_OK)
        code = db_execf(s->instance, err, "SET SESSION lock_wait_timeout=%d", LOCK_WAIT_S);
    if (code != ERR_OK || db_exec(s->instance, "LOCK INSTANCE FOR BACKUP", &refused) == ERR_OK)
        return code;
    db_close(s->instance);
    s->instance = NULL;
    if (!rung_is_refusal(&refused))
        return err_copy(err, &refused);
    rung_note(c, "global-read-lock: without LOCK INSTANCE FOR BACKUP: %s", refused.text);
    return ERR_OK;
}

static enum err_code lock_everything(struct climb *c, bool *done, struct err *err)
{
    static const char *const take[] = {"FLUSH TABLES WITH READ LOCK", NULL};
    const struct rung_lock how = {take, "UNLOCK TABLES", LOCK_TRIES, BACKOFF_MAX_MS, 0};
    struct db_conn *lock = NULL;
    struct err refused = {0};
    enum err_code code = rung_open_lock(c, LOCK_WAIT_S, &lock, err);
    if (code == ERR_OK)
        code = rung_start_locked(c, lock, &how, done, &refused, err);
    db_close(lock);
    if (code == ERR_OK && !*done)
        rung_note_refusal(c, "global-read-lock", RUNG_LOCKS_SERVER, &refused);
    return code;
}

enum err_code rung_global(struct climb *c, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    char held[64];
    s->tries = 0;
    enum err_code code = rung_open_readers(c, c->options->threads, err);
    if (code == ERR_OK)
        code = lock_instance(c, err);
    if (code == ERR_OK)
        code = lock_everything(c, done, err);
    if (code == ERR_OK && !*done) {
        db_close(s->instance);
        s->instance = NULL;
    }
    put_held(s, held);
    snprintf(s->proof, sizeof s->proof,
             "%u snapshots started while FLUSH TABLES WITH READ LOCK held back every write, %s%s", s->count,
             held,
             s->instance ? "; LOCK INSTANCE FOR BACKUP kept definitions as they are until the end" : "");
    return code;
}
