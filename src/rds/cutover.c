/* Swapping names; see instance.h. */
#include "core/fault.h"
#include "core/mem.h"
#include "rds/instance.h"
#include "rds/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err_code rds_cutover_plan(struct rds *r, const struct rds_database *live,
                               const struct rds_database *replacement, struct rds_cutover *out,
                               struct err *err)
{
    const struct rds_database *both[] = {live, replacement};
    if (live->kind != replacement->kind || live->cluster_id[0] != '\0' || replacement->cluster_id[0] != '\0')
        return err_set(err, ERR_REFUSED,
                       "%s and %s cannot change names: one is a cluster or a member of one, the other"
                       " is not",
                       live->id, replacement->id);
    if (strcmp(live->resource_id, replacement->resource_id) == 0)
        return err_set(err, ERR_REFUSED, "%s is to be replaced by itself", live->id);
    for (int i = 0; i < 2; i++)
        if (rds_phase_of(both[i]->kind, both[i]->status) != RDS_READY)
            return err_set(err, ERR_REFUSED, "%s is '%s': names are swapped only while both are available",
                           both[i]->id, both[i]->status);
    *out = (struct rds_cutover){.kind = live->kind};
    snprintf(out->name, sizeof out->name, "%s", live->id);
    snprintf(out->new_name, sizeof out->new_name, "%s", replacement->id);
    snprintf(out->old_resource_id, sizeof out->old_resource_id, "%s", live->resource_id);
    snprintf(out->new_resource_id, sizeof out->new_resource_id, "%s", replacement->resource_id);
    char *name = xasprintf("%s-old-%%Y%%m%%dt%%H%%M%%Sz", live->id);
    enum err_code rc =
        rds_ident_make(name, RDS_INSTANCE_ID_MAX, clock_wall_ms(r->run->clock), out->old_name, err);
    free(name);
    return rc;
}

enum err_code rds_cutover_look(struct rds *r, const struct rds_cutover *c, enum rds_cutover_state *out,
                               struct err *err)
{
    struct rds_database bearer;
    enum err_code rc = rds_describe(r, c->kind, c->name, &bearer, err);
    if (rc == ERR_NOT_FOUND)
        *out = RDS_CUTOVER_BETWEEN;
    else if (rc != ERR_OK)
        return rc;
    else if (strcmp(bearer.resource_id, c->new_resource_id) == 0)
        *out = RDS_CUTOVER_DONE;
    else if (strcmp(bearer.resource_id, c->old_resource_id) != 0)
        *out = RDS_CUTOVER_FOREIGN;
    else /* its rename may be under way */
        *out = bearer.new_id[0] != '\0' ? RDS_CUTOVER_BETWEEN : RDS_CUTOVER_BEFORE;
    return ERR_OK;
}

static enum err_code foreign(const struct rds_cutover *c, struct err *err)
{
    return err_set(err, ERR_REFUSED, "the name %s belongs to neither of the two that were to change names",
                   c->name);
}

/* From the first rename on a signal waits: between the two nobody bears the name. */
static enum err_code steadily(struct rds *r, const struct rds_cutover *c,
                              enum err_code (*act)(struct rds *, const struct rds_cutover *,
                                                   struct rds_database *, struct err *),
                              struct rds_database *bearer, struct err *err)
{
    bearer->id[0] = '\0';
    enum err_code rc = cancel_check(r->run->cancel, err);
    if (rc != ERR_OK)
        return rc;
    r->steady = true;
    rc = act(r, c, bearer, err);
    r->steady = false;
    return rc;
}

/* Gives the name, which nobody bears, to one of the two; *bearer once it has it. */
static enum err_code give_name(struct rds *r, const struct rds_cutover *c, const char *resource_id,
                               struct rds_database *bearer, struct err *err)
{
    struct rds_database d;
    enum err_code rc = rds_begin_rename(r, c->kind, resource_id, c->name, err);
    if (rc == ERR_OK)
        rc = rds_wait_named(r, c->kind, resource_id, c->name, &d, err);
    if (rc == ERR_OK)
        *bearer = d;
    return rc;
}

/* ---- forward ---- */

/* The old one bears the name again.  Whether it is well is not this exchange's doing: a signal is obeyed. */
static enum err_code tell_given_back(struct rds *r, const struct rds_cutover *c, struct err *err)
{
    struct rds_database old;
    struct err second = {.text = ""};
    r->steady = false;
    if (rds_wait_renamed(r, c->kind, c->old_resource_id, c->name, &old, &second) == ERR_OK)
        return err_hint(err, "; %s has its name again, everything is as before", c->name);
    return err_hint(err, "; %s has its name again: %s", c->name, second.text);
}

/* The replacement did not get the name: the old one gets it back. */
static enum err_code give_back(struct rds *r, const struct rds_cutover *c, struct err *err)
{
    struct err second = {.text = ""};
    struct rds_database old;
    enum rds_cutover_state state;
    enum err_code rc = rds_cutover_look(r, c, &state, &second);
    if (rc == ERR_OK && state == RDS_CUTOVER_BETWEEN) {
        log_warn(r->run->log, "%s; %s gets its name back", err->text, c->old_name);
        if (give_name(r, c, c->old_resource_id, &old, &second) == ERR_OK)
            return tell_given_back(r, c, err);
        rc = rds_cutover_look(r, c, &state, NULL);
    }
    if (rc == ERR_OK && state == RDS_CUTOVER_DONE)
        return err_hint(err, "; %s is the replacement's name already: see whether it becomes available",
                        c->name);
    if (rc == ERR_OK && state == RDS_CUTOVER_FOREIGN)
        return err_hint(err, "; and %s belongs to neither of the two", c->name);
    if (rc == ERR_OK && state == RDS_CUTOVER_BEFORE)
        return err_hint(err, "; %s has its name still", c->name);
    return err_hint(err,
                    "; and %s THE NAME %s NOW, for giving it back failed: %s; run this again, or rename %s"
                    " (resource %s) to %s by hand",
                    rc == ERR_OK ? "NOBODY HAS" : "PERHAPS NOBODY HAS", c->name, second.text, c->old_name,
                    c->old_resource_id, c->name);
}

static enum err_code second_half(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                                 struct err *err)
{
    enum err_code rc = rds_wait_left(r, c->kind, c->name, c->old_resource_id, err);
    if (rc == ERR_OK)
        rc = fault_point("rds_cutover_second", ERR_AWS, err);
    if (rc == ERR_OK)
        rc = give_name(r, c, c->new_resource_id, bearer, err);
    return rc == ERR_OK ? ERR_OK : give_back(r, c, err);
}

static enum err_code swap(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                          struct err *err)
{
    enum rds_cutover_state state;
    enum err_code rc = rds_cutover_look(r, c, &state, err);
    if (rc != ERR_OK)
        return rc;
    if (state == RDS_CUTOVER_FOREIGN)
        return foreign(c, err);
    if (state == RDS_CUTOVER_DONE)
        return give_name(r, c, c->new_resource_id, bearer, err);
    if (state == RDS_CUTOVER_BEFORE) {
        log_info(r->run->log, "%s becomes %s; until %s has its name clients find no server", c->name,
                 c->old_name, c->new_name);
        rc = rds_begin_rename(r, c->kind, c->old_resource_id, c->old_name, err);
        if (rc != ERR_OK)
            return r->transient ? err_hint(err, "; whether %s is being renamed is not known", c->name) : rc;
    }
    return second_half(r, c, bearer, err);
}

enum err_code rds_cutover_run(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                              struct err *err)
{
    enum err_code rc = steadily(r, c, swap, bearer, err);
    if (rc != ERR_OK)
        return rc;
    rc = rds_wait_renamed(r, c->kind, c->new_resource_id, c->name, bearer, err);
    if (rc != ERR_OK)
        err_hint(err,
                 "; %s is the replacement's name already, what it was is called %s: see whether it becomes"
                 " available",
                 c->name, c->old_name);
    return rc;
}

/* ---- back ---- */

static enum err_code swap_back(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                               struct err *err)
{
    enum rds_cutover_state state;
    enum err_code rc = rds_cutover_look(r, c, &state, err);
    if (rc == ERR_OK && state == RDS_CUTOVER_FOREIGN)
        return foreign(c, err);
    if (rc == ERR_OK && state == RDS_CUTOVER_DONE) {
        rc = rds_begin_rename(r, c->kind, c->new_resource_id, c->new_name, err);
        if (rc == ERR_OK)
            rc = rds_wait_left(r, c->kind, c->name, c->new_resource_id, err);
    }
    if (rc == ERR_OK)
        rc = give_name(r, c, c->old_resource_id, bearer, err);
    if (rc != ERR_OK)
        err_hint(err, "; run this again, or rename the resource %s to %s by hand", c->old_resource_id,
                 c->name);
    return rc;
}

enum err_code rds_cutover_undo(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                               struct err *err)
{
    enum err_code rc = steadily(r, c, swap_back, bearer, err);
    if (rc != ERR_OK)
        return rc;
    rc = rds_wait_renamed(r, c->kind, c->old_resource_id, c->name, bearer, err);
    return rc == ERR_OK ? ERR_OK
                        : err_hint(err, "; %s has its name again: see whether it becomes available", c->name);
}
