/* dbsafe snapshot: snapshots of RDS instances and Aurora clusters. */
#include "aws/aws_time.h"
#include "cli/command.h"
#include "cli/prompt.h"
#include "cli/rds_settings.h"
#include "cli/snapshot_answer.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What every subcommand gets. */
struct snapshot_call {
    struct cli *cli;
    struct rds_cli rds;
    const char *name; /* the operand behind the subcommand; NULL */
};

static const char *instance_of(const struct snapshot_call *c)
{
    return options_text(c->cli->options, OPTION_INSTANCE);
}

static bool is_dry(const struct snapshot_call *c)
{
    return options_flag(c->cli->options, OPTION_DRY_RUN);
}

/* The identifier that a person's name for something new gives; told when it is another. */
static enum err_code make_id(const struct snapshot_call *c, const char *name, size_t max,
                             char out[RDS_ID_BYTES], struct err *err)
{
    const struct run *run = c->cli->run;
    enum err_code code = rds_ident_make(name, max, clock_wall_ms(run->clock), out, err);
    if (code == ERR_OK && strcmp(name, out) != 0)
        log_info(run->log, "'%s' becomes the identifier %s", name, out);
    return code;
}

/* A wait that ends early changes nothing at AWS: the message says how to go on. */
static enum err_code wait_for(struct snapshot_call *c, struct rds_snapshot *s, bool fresh, struct err *err)
{
    char id[RDS_ID_BYTES];
    memcpy(id, s->id, sizeof id);
    enum err_code code = rds_wait_snapshot(c->rds.rds, s->kind, id, fresh, s, err);
    if (code == ERR_SIGINT || code == ERR_SIGTERM || code == ERR_TIMEOUT)
        err_hint(err, "; AWS goes on with the snapshot: 'dbsafe snapshot wait %s' waits for it again", id);
    return code;
}

/* ---- create, copy, wait ---- */

static enum err_code answer_begun(struct snapshot_call *c, struct rds_snapshot *s, bool resumed,
                                  struct err *err)
{
    enum err_code code = ERR_OK;
    if (resumed)
        log_info(c->cli->run->log, "%s was begun before: going on with it", s->id);
    if (!is_dry(c) && options_flag(c->cli->options, OPTION_WAIT))
        code = wait_for(c, s, true, err);
    return code == ERR_OK ? snapshot_answer(c->cli, s, &resumed, NULL, err) : code;
}

static enum err_code create(struct snapshot_call *c, struct err *err)
{
    struct rds_database source;
    struct rds_snapshot s = {.kind = RDS_SNAPSHOT};
    bool resumed = false;
    const char *wanted = options_text(c->cli->options, OPTION_ID);
    if (instance_of(c) == NULL)
        return err_set(err, ERR_USAGE, "'snapshot create' needs --instance");
    enum err_code code = rds_find(c->rds.rds, instance_of(c), &source, err);
    if (code != ERR_OK)
        return code;
    char *name = wanted != NULL ? xstrdup(wanted) : xasprintf("dbsafe-%s-%%Y%%m%%d-%%H%%M%%S", source.id);
    code = make_id(c, name, RDS_SNAPSHOT_ID_MAX, s.id, err);
    free(name);
    if (code != ERR_OK)
        return code;
    if (is_dry(c)) {
        s.kind = source.kind == RDS_CLUSTER ? RDS_CLUSTER_SNAPSHOT : RDS_SNAPSHOT;
        memcpy(s.source, source.id, sizeof s.source);
        log_info(c->cli->run->log, "dry run: the snapshot %s of the %s %s, which is '%s', would be made",
                 s.id, rds_kind_name(source.kind), source.id, source.status);
    } else {
        char id[RDS_ID_BYTES];
        memcpy(id, s.id, sizeof id);
        code = rds_snapshot_create(c->rds.rds, &source, id, NULL, &s, &resumed, err);
    }
    return code == ERR_OK ? answer_begun(c, &s, resumed, err) : code;
}

static enum err_code copy(struct snapshot_call *c, struct err *err)
{
    struct rds_snapshot source, s;
    char id[RDS_ID_BYTES];
    bool resumed = false;
    const char *wanted = options_text(c->cli->options, OPTION_ID);
    if (wanted == NULL)
        return err_set(err, ERR_USAGE, "'snapshot copy' needs --id, the name of the copy");
    enum err_code code = rds_snapshot_find(c->rds.rds, c->name, &source, err);
    if (code == ERR_OK)
        code = make_id(c, wanted, RDS_SNAPSHOT_ID_MAX, id, err);
    if (code != ERR_OK)
        return code;
    if (is_dry(c)) {
        s = source;
        memcpy(s.id, id, sizeof s.id);
        s.arn[0] = s.status[0] = '\0';
        log_info(c->cli->run->log, "dry run: %s would be copied to %s", source.id, id);
    } else {
        code = rds_snapshot_copy(c->rds.rds, &source, id, options_text(c->cli->options, OPTION_KMS_KEY_ID),
                                 &s, &resumed, err);
    }
    return code == ERR_OK ? answer_begun(c, &s, resumed, err) : code;
}

static enum err_code wait(struct snapshot_call *c, struct err *err)
{
    struct rds_snapshot s;
    enum err_code code = rds_snapshot_find(c->rds.rds, c->name, &s, err);
    if (code == ERR_OK)
        code = wait_for(c, &s, false, err);
    return code == ERR_OK ? snapshot_answer(c->cli, &s, NULL, NULL, err) : code;
}

/* ---- list ---- */

/* Snapshots outlive their instance: one that is gone but has some is not unknown. */
static enum err_code list_of(struct snapshot_call *c, struct rds_snapshots *found, struct err *err)
{
    struct rds_database source;
    char id[RDS_ID_BYTES];
    const char *type;
    struct err unknown = {0};
    enum err_code code = rds_find(c->rds.rds, instance_of(c), &source, &unknown);
    if (code == ERR_OK)
        return rds_snapshot_list_of(c->rds.rds, source.kind, source.id, source.resource_id, found, err);
    if (code == ERR_NOT_FOUND)
        code = rds_ident_refer(instance_of(c), id, &type, err);
    else
        return err_copy(err, &unknown);
    if (code == ERR_OK)
        code = rds_snapshot_list_of(c->rds.rds, RDS_INSTANCE, id, NULL, found, err);
    if (code == ERR_OK && found->count == 0) {
        rds_snapshots_free(found);
        code = rds_snapshot_list_of(c->rds.rds, RDS_CLUSTER, id, NULL, found, err);
    }
    if (code == ERR_OK && (found->count == 0 || !rds_ident_is_here(instance_of(c), found->items[0].arn)))
        return err_copy(err, &unknown);
    return code;
}

static enum err_code list(struct snapshot_call *c, struct err *err)
{
    struct rds_snapshots found = {0};
    enum err_code code =
        instance_of(c) != NULL ? list_of(c, &found, err) : rds_snapshot_list(c->rds.rds, &found, err);
    if (code == ERR_OK)
        code = snapshot_answer_list(c->cli, &found, err);
    rds_snapshots_free(&found);
    return code;
}

/* ---- restore ---- */

struct restore_plan {
    struct rds_snapshot snapshot;
    struct rds_database source, like;
    struct rds_restore request;
    char to[RDS_ID_BYTES];
    const char *from; /* for the answer */
};

/* Whose settings the restored one gets: --instance, else what the snapshot was taken of, whatever it is
 * called now; with --force nobody's when that is gone. */
static enum err_code find_like(struct snapshot_call *c, struct restore_plan *p, struct err *err)
{
    const struct rds_snapshot *s = &p->snapshot;
    enum rds_kind kind = s->kind == RDS_CLUSTER_SNAPSHOT ? RDS_CLUSTER : RDS_INSTANCE;
    enum err_code code = ERR_NOT_FOUND;
    p->request.like = &p->like;
    if (instance_of(c) != NULL)
        return rds_find(c->rds.rds, instance_of(c), &p->like, err);
    if (s->source_resource_id[0] != '\0')
        code = rds_describe_resource(c->rds.rds, kind, s->source_resource_id, &p->like, err);
    if (code == ERR_NOT_FOUND)
        code = rds_describe(c->rds.rds, kind, s->source, &p->like, err);
    if (code != ERR_NOT_FOUND)
        return code;
    if (!options_flag(c->cli->options, OPTION_FORCE))
        return err_set(err, code,
                       "the %s %s, which %s was taken of, is gone: name one whose settings to take with"
                       " --instance; or give --force to get RDS's defaults",
                       rds_kind_name(kind), s->source, s->id);
    log_warn(c->cli->run->log, "%s is gone: what is restored gets RDS's default settings", s->source);
    p->request.like = NULL;
    return ERR_OK;
}

static enum err_code plan_moment(struct snapshot_call *c, struct restore_plan *p, const char *at,
                                 struct err *err)
{
    int64_t ms;
    if (c->name != NULL || instance_of(c) == NULL)
        return err_set(err, ERR_USAGE, "--at needs --instance, and goes without a SNAPSHOT");
    if (strcmp(at, "latest") != 0 && !aws_time_parse(at, &ms))
        return err_set(err, ERR_USAGE, "--at: '%s' is neither a time like 2026-11-23T19:04:05Z nor latest",
                       at);
    p->request.time = strcmp(at, "latest") != 0 ? at : NULL;
    p->from = instance_of(c);
    p->request.source = p->request.like = &p->source;
    return rds_find(c->rds.rds, instance_of(c), &p->source, err);
}

static enum err_code plan_restore(struct snapshot_call *c, struct restore_plan *p, struct err *err)
{
    const char *to = options_text(c->cli->options, OPTION_TO), *at = options_text(c->cli->options, OPTION_AT);
    if (to == NULL)
        return err_set(err, ERR_USAGE, "'snapshot restore' needs --to, the name of the new instance");
    if (at == NULL && c->name == NULL)
        return err_set(err, ERR_USAGE, "'snapshot restore' needs SNAPSHOT, or --at with --instance");
    enum err_code code =
        at != NULL ? plan_moment(c, p, at, err) : rds_snapshot_find(c->rds.rds, c->name, &p->snapshot, err);
    if (code == ERR_OK && at == NULL) {
        p->request.snapshot = &p->snapshot;
        p->from = p->snapshot.id;
        code = find_like(c, p, err);
    }
    if (code == ERR_OK)
        code = make_id(c, to, RDS_INSTANCE_ID_MAX, p->to, err);
    p->request.to = p->to;
    p->request.point = p->snapshot.tags.point;
    return code;
}

static enum err_code restore(struct snapshot_call *c, struct err *err)
{
    struct restore_plan p = {.from = NULL};
    struct rds_restored restored = {.resumed = false};
    enum err_code code = plan_restore(c, &p, err);
    if (code != ERR_OK)
        return code;
    if (is_dry(c)) {
        memcpy(restored.database.id, p.to, sizeof restored.database.id);
        restored.database.kind = p.request.like != NULL ? p.request.like->kind : RDS_INSTANCE;
        log_info(c->cli->run->log, "dry run: %s would be restored into the new %s %s with the settings of %s",
                 p.from, rds_kind_name(restored.database.kind), p.to,
                 p.request.like ? p.request.like->id : "nobody (defaults)");
    } else {
        code = rds_restore_run(c->rds.rds, &p.request, &restored, err);
    }
    if (code == ERR_OK)
        code = snapshot_answer_restore(c->cli, p.from, &restored, err);
    rds_restored_free(&restored);
    return code;
}

/* ---- delete ---- */

static enum err_code delete_one(struct snapshot_call *c, struct err *err)
{
    struct rds_snapshot s;
    char what[2 * RDS_ID_BYTES + 100];
    bool deleted = !is_dry(c);
    enum err_code code = rds_snapshot_find(c->rds.rds, c->name, &s, err);
    if (code == ERR_OK && !options_flag(c->cli->options, OPTION_FORCE)) {
        code = rds_snapshot_check_delete(c->rds.rds, &s, err);
        if (code == ERR_REFUSED)
            err_hint(err, "; --force deletes it all the same");
    }
    if (code == ERR_OK && !is_dry(c)) {
        snprintf(what, sizeof what, "This deletes the %s %s of %s, without a way back", rds_kind_name(s.kind),
                 s.id, s.source);
        code = prompt_word(c->cli, what, s.id, err);
        if (code == ERR_OK)
            code = rds_snapshot_delete(c->rds.rds, &s, c->name, err);
    }
    if (code != ERR_OK)
        return code;
    log_info(c->cli->run->log, "%s%s", is_dry(c) ? "dry run: would delete " : "deleted ", s.id);
    return snapshot_answer(c->cli, &s, NULL, &deleted, err);
}

/* ---- the subcommands ---- */

#define ALLOW(option) (1ull << ((option)-OPTION_INSTANCE))

static const struct subcommand {
    const char *name;
    enum err_code (*run)(struct snapshot_call *, struct err *);
    unsigned min_names, max_names;
    uint64_t options; /* of those that only this command has */
    bool takes_to;
} subcommands[] = {
    {"create", create, 0, 0,
     ALLOW(OPTION_INSTANCE) | ALLOW(OPTION_ID) | ALLOW(OPTION_WAIT) | ALLOW(OPTION_WAIT_LIMIT), false},
    {"list", list, 0, 0, ALLOW(OPTION_INSTANCE), false},
    {"wait", wait, 1, 1, ALLOW(OPTION_WAIT_LIMIT), false},
    {"restore", restore, 0, 1,
     ALLOW(OPTION_INSTANCE) | ALLOW(OPTION_AT) | ALLOW(OPTION_FORCE) | ALLOW(OPTION_WAIT_LIMIT), true},
    {"copy", copy, 1, 1,
     ALLOW(OPTION_ID) | ALLOW(OPTION_KMS_KEY_ID) | ALLOW(OPTION_WAIT) | ALLOW(OPTION_WAIT_LIMIT), false},
    {"delete", delete_one, 1, 1, ALLOW(OPTION_FORCE), false},
};

static const struct subcommand *find_subcommand(const char *name)
{
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static enum err_code check_options(const struct options *o, const struct subcommand *s, struct err *err)
{
    for (enum option_id id = OPTION_INSTANCE; id <= OPTION_WAIT_LIMIT; id++)
        if (options_origin(o, id) == ORIGIN_ARGUMENT && !(s->options & ALLOW(id)))
            return err_set(err, ERR_USAGE, "option '--%s' does not belong to 'snapshot %s'",
                           option_spec(id)->name, s->name);
    if (options_text(o, OPTION_TO) != NULL && !s->takes_to)
        return err_set(err, ERR_USAGE, "option '--to' does not belong to 'snapshot %s'", s->name);
    return ERR_OK;
}

static enum err_code run_snapshot(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *const *operands = options_operands(cli->options, &count);
    const struct subcommand *s = find_subcommand(operands[0]);
    if (s == NULL)
        return err_set(err, ERR_USAGE,
                       "'snapshot' does not know '%s': create, list, wait, restore, copy or delete",
                       operands[0]);
    if (count - 1 < s->min_names)
        return err_set(err, ERR_USAGE, "'snapshot %s' needs SNAPSHOT", s->name);
    if (count - 1 > s->max_names)
        return err_set(err, ERR_USAGE, "'%s' is one argument too many for 'snapshot %s'",
                       operands[s->max_names + 1], s->name);
    struct snapshot_call c = {.cli = cli, .name = count > 1 ? operands[1] : NULL};
    enum err_code code = check_options(cli->options, s, err);
    if (code == ERR_OK)
        code = rds_settings_open(cli, &c.rds, err);
    if (code != ERR_OK)
        return code;
    code = s->run(&c, err);
    rds_settings_close(&c.rds);
    return code;
}

const struct command command_snapshot = {
    .id = COMMAND_SNAPSHOT,
    .name = "snapshot",
    .operands = "create|list|wait|restore|copy|delete [SNAPSHOT]",
    .summary = "snapshots of RDS instances and Aurora clusters",
    .description = "create makes a snapshot of --instance and waits until it can be used; list shows what "
                   "there is; wait waits for"
                   " SNAPSHOT; restore makes the new instance or cluster --to of SNAPSHOT, or of --instance "
                   "--at TIME, with the"
                   " settings of the source, which RDS itself forgets; copy copies SNAPSHOT to --id; delete "
                   "removes SNAPSHOT after"
                   " its name was typed. What AWS was told to do it goes on with when this command is "
                   "interrupted; the same"
                   " command, or wait, goes on from there.",
    .min_operands = 1,
    .max_operands = 2,
    .run = run_snapshot,
};
