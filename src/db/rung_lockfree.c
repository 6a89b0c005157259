/* Rungs A, A2 and E: nobody is kept waiting. */
#include "db/rung.h"

#include "db/innodb_status.h"

#include <stdio.h>
#include <string.h>

#define RETRY_FOR_MS   2000
#define BACKOFF_MAX_MS 50

const char *rung_positions_obstacle(const struct climb *c)
{
    const struct ground *g = &c->ground;
    if (!flavour_has_snapshot_positions(g->flavour))
        return "MySQL does not tell at which binlog position a snapshot stands";
    if (!g->binlog)
        return "the binlog is off";
    return g->binlog_proves
               ? NULL
               : "the binlog is filtered, or whether it is cannot be read without BINLOG MONITOR";
}

const char *rung_counter_obstacle(const struct climb *c)
{
    if (!flavour_counts_commits(c->ground.flavour))
        return "MySQL commits inserts without moving InnoDB's transaction counter";
    return c->ground.counter ? NULL : "InnoDB's transaction counter cannot be read: PROCESS missing";
}

/* One try. *proved tells whether it held. */
static enum err_code try_once(struct climb *c, bool by_position, bool *proved, struct err *err)
{
    struct snapshot *s = c->snap;
    struct innodb_status before = {0}, after = {0};
    bool counter = c->ground.counter && innodb_status_read(c->control, &before);
    *proved = false;
    if (counter && !before.settled) { /* a commit that has its number may become visible between the starts */
        s->tries++;
        return ERR_OK;
    }
    enum err_code code = rung_start_all(c, err);
    if (code != ERR_OK)
        return code;
    counter = counter && innodb_status_read(c->control, &after);
    s->trx_before = counter ? before.trx_counter : 0;
    s->trx_after = counter ? after.trx_counter : 0;
    bool still = counter && s->trx_before == s->trx_after;
    *proved = c->ground.counter ? still : by_position;
    if (by_position)
        *proved = *proved && rung_positions_equal(c);
    return *proved ? ERR_OK : rung_on_all(c, "ROLLBACK", err);
}

/* Repeated until a quiet moment is met. */
static enum err_code wait_for_quiet(struct climb *c, bool by_position, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    int64_t deadline = clock_monotonic_ms(c->run->clock) + RETRY_FOR_MS;
    enum err_code code = rung_open_readers(c, c->options->threads, err);
    s->tries = 0;
    while (code == ERR_OK && !*done && clock_monotonic_ms(c->run->clock) < deadline) {
        code = try_once(c, by_position, done, err);
        if (code == ERR_OK && !*done)
            code = rung_backoff(c, BACKOFF_MAX_MS, err);
    }
    if (code == ERR_OK && !*done)
        rung_note(c, "%s: no moment without a commit in %u tries",
                  by_position ? "binlog-position" : "trx-counter", s->tries);
    return code;
}

enum err_code rung_positions(struct climb *c, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    enum err_code code = wait_for_quiet(c, true, done, err);
    snprintf(s->proof, sizeof s->proof, "%u snapshots at one binlog position%s", s->count,
             c->ground.counter
                 ? ", and InnoDB's transaction counter did not move meanwhile"
                 : " (logged transactions only: without PROCESS unlogged commits cannot be seen)");
    return code;
}

enum err_code rung_counter(struct climb *c, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    enum err_code code = wait_for_quiet(c, false, done, err);
    snprintf(s->proof, sizeof s->proof,
             "%u snapshots started while InnoDB's transaction counter did not move", s->count);
    return code;
}

const char *rung_single_obstacle(const struct climb *c)
{
    (void)c;
    return NULL;
}

enum err_code rung_single(struct climb *c, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    enum err_code code = rung_open_readers(c, 1, err);
    s->tries = 0;
    s->trx_before = s->trx_after = 0;
    if (code == ERR_OK)
        code = rung_start_at_position(c, err);
    *done = code == ERR_OK;
    snprintf(s->proof, sizeof s->proof, "one connection reads everything in one transaction");
    return code;
}
