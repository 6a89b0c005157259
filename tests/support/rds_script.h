/*
 * The API of RDS played from a script, for what src/rds makes of answers: each call takes the next step, which says
 * the action that must be asked for and what is answered. Time stands still but while something waits.
 * (Against an API with states and data of its own src/rds is tested in tests/e2e and tests/unit/rds/test_cutover.c.)
 */
#ifndef DBSAFE_TESTS_SUPPORT_RDS_SCRIPT_H
#define DBSAFE_TESTS_SUPPORT_RDS_SCRIPT_H

#include "support/test.h"

#include "core/mem.h"
#include "rds/instance.h"
#include "rds/rds.h"

#include <string.h>

#define SCRIPT_STEPS 200

struct rds_step {
    char *action, *body; /* body NULL: an error */
    int status;          /* of an error: 0: no answer came */
    char *code;
};

struct rds_script {
    struct rds_step steps[SCRIPT_STEPS];
    unsigned count, next;
    char *last_params; /* "A=b&C=d" of the last call */
    char *all_params;  /* of all calls, "Action: A=b&C=d\n" */
    int64_t now_ms;    /* the clock */
    unsigned waits;
    int64_t waited_ms;
    unsigned fire_at; /* the token fires in this wait; 0: never */
    struct cancel *cancel;
    struct progress progress;
    struct clock clock;
    struct run run;
    struct rds_options options;
    struct rds *rds;
    struct err err;
    /* News that came, "status percent;". */
    char news[4096];
};

static inline int64_t script_now(void *self)
{
    return ((struct rds_script *)self)->now_ms;
}

static inline enum err_code script_wait(void *arg, int64_t ms, struct cancel *cancel, struct err *err)
{
    struct rds_script *s = arg;
    s->now_ms += ms;
    s->waited_ms += ms;
    s->waits++;
    if (s->waits == s->fire_at) {
        struct err why = {.code = ERR_SIGINT, .text = "cancelled by SIGINT"};
        cancel_fire(s->cancel, &why);
    }
    return cancel_check(cancel, err);
}

static inline void script_report(void *arg, const struct rds_news *n)
{
    struct rds_script *s = arg;
    size_t used = strlen(s->news);
    snprintf(s->news + used, sizeof s->news - used, "%s%s %d %lld;", n->changed ? "*" : "", n->status, n->percent,
             (long long)n->remaining_ms);
}

static inline void script_note_params(struct rds_script *s, const char *action, const struct http_pairs *params)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; params != NULL && i < params->count; i++)
        buf_putf(&b, "%s%s=%s", i ? "&" : "", params->items[i].name, params->items[i].value);
    free(s->last_params);
    s->last_params = xstrdup(buf_cstr(&b));
    char *all = xasprintf("%s%s: %s\n", s->all_params ? s->all_params : "", action, s->last_params);
    free(s->all_params);
    s->all_params = all;
    buf_free(&b);
}

/* As aws_query answers; see aws/client.h. */
static inline enum err_code script_query(void *self, const char *action, const struct http_pairs *params,
                                         struct aws_answer *a, struct err *err)
{
    struct rds_script *s = self;
    script_note_params(s, action, params);
    if (s->next == s->count)
        fail_msg("one call too many: %s %s", action, s->last_params);
    const struct rds_step *step = &s->steps[s->next++];
    if (strcmp(step->action, action) != 0)
        fail_msg("call %u is %s, should be %s", s->next, action, step->action);
    a->tries = 1;
    xml_free(a->xml);
    a->xml = NULL;
    a->code[0] = '\0';
    if (step->body != NULL) {
        a->http.status = 200;
        assert_ok(xml_parse(step->body, strlen(step->body), &a->xml, err), err);
        return ERR_OK;
    }
    a->http.status = step->status;
    snprintf(a->code, sizeof a->code, "%s", step->code);
    return err_set(err, step->status == 404 ? ERR_NOT_FOUND : ERR_AWS, "%s: %d %s", action, step->status, step->code);
}

static inline struct rds_script *script_open(void)
{
    struct rds_script *s = xcalloc(1, sizeof *s);
    s->now_ms = 1795500000000; /* 2026-11-24T06:00:00Z */
    s->cancel = cancel_new();
    s->clock = (struct clock){script_now, script_now, s};
    s->run = (struct run){.cancel = s->cancel, .clock = &s->clock, .progress = &s->progress, .run_id = "0123456789ab"};
    s->options = (struct rds_options){.wait = script_wait, .wait_arg = s, .report = script_report, .report_arg = s};
    struct rds_api api = {script_query, s};
    s->rds = rds_over(&s->run, &api, &s->options);
    return s;
}

static inline void script_forget(struct rds_script *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        free(s->steps[i].action);
        free(s->steps[i].body);
        free(s->steps[i].code);
    }
    s->count = s->next = s->waits = 0;
    s->waited_ms = 0;
    free(s->last_params);
    free(s->all_params);
    s->last_params = s->all_params = NULL;
    s->news[0] = '\0';
}

/* Fails when steps were not taken. */
static inline void script_close(struct rds_script *s)
{
    assert_int_equal(s->next, s->count);
    script_forget(s);
    rds_free(s->rds);
    cancel_free(s->cancel);
    free(s);
}

/* The next call is answered with what format says, inside of <Action>Response and Result. */
static inline void script_answer(struct rds_script *s, const char *action, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void script_answer(struct rds_script *s, const char *action, const char *format, ...)
{
    char *inside;
    va_list args;
    va_start(args, format);
    if (vasprintf(&inside, format, args) < 0)
        abort();
    va_end(args);
    assert_true(s->count < SCRIPT_STEPS);
    s->steps[s->count++] = (struct rds_step){
        .action = xstrdup(action),
        .body = xasprintf("<%sResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><%sResult>%s</%sResult>"
                          "<ResponseMetadata/></%sResponse>",
                          action, action, inside, action, action)};
    free(inside);
}

static inline void script_fail(struct rds_script *s, const char *action, int status, const char *code)
{
    assert_true(s->count < SCRIPT_STEPS);
    s->steps[s->count++] = (struct rds_step){.action = xstrdup(action), .status = status, .code = xstrdup(code)};
}

/* ---- often used answers ---- */

/* DescribeDBInstances shows one with this status; more: further elements. */
static inline void script_instance(struct rds_script *s, const char *id, const char *resource, const char *status,
                                   const char *more)
{
    script_answer(s, "DescribeDBInstances",
                  "<DBInstances><DBInstance><DBInstanceIdentifier>%s</DBInstanceIdentifier><DbiResourceId>%s</DbiResourceId>"
                  "<DBInstanceStatus>%s</DBInstanceStatus>%s</DBInstance></DBInstances>",
                  id, resource, status, more);
}

static inline void script_snapshot(struct rds_script *s, const char *action, const char *status, unsigned percent,
                                   const char *more)
{
    const char *open = strncmp(action, "Describe", 8) == 0 ? "<DBSnapshots><DBSnapshot>" : "<DBSnapshot>";
    const char *close = strncmp(action, "Describe", 8) == 0 ? "</DBSnapshot></DBSnapshots>" : "</DBSnapshot>";
    script_answer(s, action,
                  "%s<DBSnapshotIdentifier>snap</DBSnapshotIdentifier><DBInstanceIdentifier>prod</DBInstanceIdentifier>"
                  "<DBSnapshotArn>arn:snap</DBSnapshotArn><SnapshotType>manual</SnapshotType><Status>%s</Status>"
                  "<PercentProgress>%u</PercentProgress>%s%s",
                  open, status, percent, more, close);
}

/* A rename from its beginning to its end. */
static inline enum err_code rds_rename(struct rds *r, enum rds_kind kind, const char *resource_id, const char *to,
                                       struct err *err)
{
    struct rds_database d;
    enum err_code rc = rds_begin_rename(r, kind, resource_id, to, err);
    return rc == ERR_OK ? rds_wait_renamed(r, kind, resource_id, to, &d, err) : rc;
}

#endif
