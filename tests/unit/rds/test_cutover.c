/*
 * Swapping names: against the RDS double, whose instances are real servers, and against a script where it
 * matters which call fails.
 */
#include "support/rds_console.h"
#include "support/rds_script.h"

#include "rds/instance.h"

#define PENDING(id)                                                                                          \
    "<PendingModifiedValues><DBInstanceIdentifier>" id "</DBInstanceIdentifier></PendingModifiedValues>"

static const struct rds_cutover plan = {.kind = RDS_INSTANCE,
                                        .name = "prod",
                                        .old_name = "prod-old",
                                        .old_resource_id = "db-1",
                                        .new_resource_id = "db-2",
                                        .new_name = "new"};

static struct rds_database bearer; /* what a cut-over filled in last */

/* ---- with the double ---- */

static int start(void **state)
{
    struct rds_console *c = console_open();
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "prod" : "new";
        console_say(c, "rds.create_instance('%s')", name);
        console_say(c, "rds.instances['%s'].server.sql('CREATE DATABASE is_%s')", name, name);
    }
    *state = c;
    return 0;
}

static int stop(void **state)
{
    console_close(*state);
    return 0;
}

/* Which of both servers answers at the address of a name: "is_prod", "is_new" or "nobody". */
static const char *answering(struct rds_console *c, const char *name)
{
    return console_say(
        c,
        "(rds.instances['%s'].server.value(\"SHOW DATABASES LIKE 'is\\\\_%%'\") if '%s' in rds.instances and "
        "rds.instances['%s'].endpoint[0] == rds.address_of('db', '%s') else 'nobody')",
        name, name, name, name);
}

static struct rds_cutover planned(struct rds_console *c)
{
    struct rds_database live, replacement;
    struct rds_cutover p;
    assert_ok(rds_describe(c->rds, RDS_INSTANCE, "prod", &live, &c->err), &c->err);
    assert_ok(rds_describe(c->rds, RDS_INSTANCE, "new", &replacement, &c->err), &c->err);
    assert_ok(rds_cutover_plan(c->rds, &live, &replacement, &p, &c->err), &c->err);
    return p;
}

static void stands(struct rds_console *c, const struct rds_cutover *p, enum rds_cutover_state want)
{
    enum rds_cutover_state state;
    assert_ok(rds_cutover_look(c->rds, p, &state, &c->err), &c->err);
    assert_int_equal(state, want);
}

static void names_are_swapped_and_back(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    assert_true(strncmp(p.old_name, "prod-old-20", 11) == 0 &&
                rds_ident_is_legal(p.old_name, RDS_INSTANCE_ID_MAX));
    stands(c, &p, RDS_CUTOVER_BEFORE);
    assert_ok(rds_cutover_run(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(bearer.resource_id, p.new_resource_id);
    assert_string_equal(bearer.id, "prod");
    stands(c, &p, RDS_CUTOVER_DONE);
    assert_string_equal(answering(c, "prod"), "is_new");
    assert_string_equal(answering(c, p.old_name), "is_prod");
    assert_string_equal(answering(c, "new"), "nobody");
    assert_ok(rds_cutover_run(c->rds, &p, &bearer, &c->err), &c->err); /* done already */
    assert_ok(rds_cutover_undo(c->rds, &p, &bearer, &c->err), &c->err);
    stands(c, &p, RDS_CUTOVER_BEFORE);
    assert_string_equal(answering(c, "prod"), "is_prod");
    assert_string_equal(answering(c, "new"), "is_new");
    assert_ok(rds_cutover_undo(c->rds, &p, &bearer, &c->err), &c->err);
}

static void lost_answers_and_flapping_do_not_matter(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    console_say(c, "rds.plan.inject('answer lost', op='ModifyDBInstance', times=1)");
    console_say(c, "rds.plan.inject('throttled', op='DescribeDBInstances', nth=3, times=2)");
    console_say(c, "setattr(rds.instances['prod'], 'shown', ['available', 'backing-up', 'available'])");
    assert_ok(rds_cutover_run(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(answering(c, "prod"), "is_new");
    console_say(c, "rds.plan.inject('answer lost', op='ModifyDBInstance', nth=2)");
    assert_ok(rds_cutover_undo(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(answering(c, "prod"), "is_prod");
    console_say(c, "rds.reset()");
}

/* As after a kill -9 in the middle. */
static void goes_on_from_between(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    assert_ok(rds_rename(c->rds, p.kind, p.old_resource_id, p.old_name, &c->err), &c->err);
    stands(c, &p, RDS_CUTOVER_BETWEEN);
    assert_ok(rds_cutover_run(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(answering(c, "prod"), "is_new");
    assert_ok(rds_rename(c->rds, p.kind, p.new_resource_id, p.new_name, &c->err), &c->err);
    stands(c, &p, RDS_CUTOVER_BETWEEN);
    assert_ok(rds_cutover_undo(c->rds, &p, &bearer, &c->err), &c->err);
    stands(c, &p, RDS_CUTOVER_BEFORE);
}

static void the_name_is_given_back_when_the_replacement_cannot_have_it(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    console_say(c, "rds.plan.inject('denied', op='ModifyDBInstance', nth=2)");
    assert_err(rds_cutover_run(c->rds, &p, &bearer, &c->err), ERR_AWS, &c->err);
    assert_non_null(strstr(c->err.text, "prod has its name again"));
    stands(c, &p, RDS_CUTOVER_BEFORE);
    assert_string_equal(answering(c, "prod"), "is_prod");
    console_say(c, "rds.reset()");
}

static void a_signal_before_the_first_step_is_obeyed(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    struct err why = {.code = ERR_SIGINT, .text = "cancelled by SIGINT"};
    cancel_fire(c->cancel, &why);
    assert_err(rds_cutover_run(c->rds, &p, &bearer, &c->err), ERR_SIGINT, &c->err);
    assert_string_equal(answering(c, "prod"), "is_prod");
}

/* It comes up storage-full under its old name: the reason to leave it, and none to leave nobody with the
 * name. */
static void an_old_one_that_is_broken_does_not_keep_the_name(void **state)
{
    struct rds_console *c = *state;
    struct rds_cutover p = planned(c);
    console_say(c, "setattr(rds, 'comes_up', {rds.instances['prod'].resource: 'storage-full'})");
    assert_ok(rds_cutover_run(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(answering(c, "prod"), "is_new");
    assert_string_equal(console_say(c, "rds.instances['%s'].status", p.old_name), "storage-full");
    console_say(c, "setattr(rds, 'comes_up', {})");
    console_say(c, "setattr(rds.instances['%s'], 'status', 'available')", p.old_name);
    /* and the way back does not ask how the new one fares */
    console_say(c, "setattr(rds, 'comes_up', {rds.instances['prod'].resource: 'storage-full'})");
    assert_ok(rds_cutover_undo(c->rds, &p, &bearer, &c->err), &c->err);
    assert_string_equal(bearer.resource_id, p.old_resource_id);
    assert_string_equal(answering(c, "prod"), "is_prod");
    console_say(c, "setattr(rds, 'comes_up', {})");
    console_say(c, "setattr(rds.instances['new'], 'status', 'available')");
}

/* ---- with a script ---- */

/* The old one has begun to leave its name, which is somebody's else until then. */
static void leaves(struct rds_script *s)
{
    script_instance(s, "prod", "db-1", "available", "");
    script_instance(s, "prod", "db-1", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "prod", "db-1", "renaming", PENDING("prod-old"));
}

static void nobody(struct rds_script *s)
{
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
}

static void a_failed_giving_back_is_said_loudly(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    nobody(s); /* between */
    nobody(s);
    script_instance(s, "new", "db-2", "available", "");
    script_fail(s, "ModifyDBInstance", 403, "AccessDenied");
    script_instance(s, "new", "db-2", "available", "");
    nobody(s);
    script_instance(s, "prod-old", "db-1", "available", "");
    script_fail(s, "ModifyDBInstance", 403, "AccessDenied");
    script_instance(s, "prod-old", "db-1", "available", "");
    nobody(s);
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "; and NOBODY HAS THE NAME prod NOW"));
    assert_non_null(strstr(s->err.text, "rename prod-old (resource db-1) to prod by hand"));
    assert_string_equal(bearer.id, "");
    script_close(s);
}

/* Each way in which the wait between the renames can end gives the name back, or says who has it. */
static void what_ends_the_wait_between_the_renames_gives_the_name_back(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    leaves(s);
    for (int i = 0; i < 6; i++)
        script_fail(s, "DescribeDBInstances", 503, "ServiceUnavailable");
    nobody(s); /* it answers again */
    script_instance(s, "prod-old", "db-1", "rebooting", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    for (int i = 0; i < 3; i++)
        script_instance(s, "prod", "db-1", "available", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "prod has its name again, everything is as before"));
    script_close(s);

    s = script_open();
    leaves(s);
    script_fail(s, "DescribeDBInstances", 403, "ExpiredToken"); /* the keys are at their end */
    script_fail(s, "DescribeDBInstances", 403, "ExpiredToken");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "PERHAPS NOBODY HAS THE NAME prod NOW"));
    script_close(s);

    s = script_open();
    s->options.limit_ms = 30000;
    leaves(s);
    script_instance(s, "prod", "db-1", "renaming", PENDING("prod-old"));
    script_instance(s, "prod", "db-1", "renaming", PENDING("prod-old")); /* who has it? */
    script_instance(s, "prod-old", "db-1", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "prod", "db-1", "available", "");
    script_instance(s, "prod", "db-1", "storage-full", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_TIMEOUT, &s->err);
    assert_non_null(strstr(s->err.text, "prod has its name again: "));
    assert_non_null(strstr(s->err.text, "'storage-full'"));
    script_close(s);

    s = script_open();
    leaves(s);
    for (int i = 0; i < 21; i++)
        script_instance(s, "prod", "db-1", "available", ""); /* it never comes */
    script_instance(s, "prod", "db-1", "available", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "prod has its name still"));
    script_close(s);
}

/* Nobody bears the name, and the old one was called otherwise by a person: nothing to wait for. */
static void an_old_one_that_was_renamed_by_hand_is_not_waited_for(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    nobody(s);
    nobody(s);
    script_instance(s, "new", "db-2", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    for (int i = 0; i < 3; i++)
        script_instance(s, "prod", "db-2", "available", "");
    assert_ok(rds_cutover_run(s->rds, &plan, &bearer, &s->err), &s->err);
    script_close(s);
}

static void a_replacement_that_got_the_name_but_not_well_is_told(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    nobody(s);
    nobody(s);
    script_instance(s, "new", "db-2", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "prod", "db-2", "storage-full", "");
    script_instance(s, "prod", "db-2", "storage-full", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "prod is the replacement's name already"));
    assert_string_equal(bearer.id, "prod");
    script_close(s);
}

/* It waits until someone bears the name, and then says who. */
static void a_signal_between_the_renames_is_obeyed_behind_them(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    leaves(s);
    s->fire_at = 1;
    nobody(s);
    script_instance(s, "new", "db-2", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "new", "db-2", "renaming", PENDING("prod"));
    script_instance(s, "prod", "db-2", "rebooting", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_SIGINT, &s->err);
    assert_non_null(
        strstr(s->err.text, "prod is the replacement's name already, what it was is called prod-old"));
    assert_string_equal(bearer.resource_id, "db-2");
    script_close(s);
}

static void a_name_that_is_someone_elses_is_left_alone(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "prod", "db-9", "available", "");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_REFUSED, &s->err);
    script_instance(s, "prod", "db-9", "available", "");
    assert_err(rds_cutover_undo(s->rds, &plan, &bearer, &s->err), ERR_REFUSED, &s->err);
    script_fail(s, "DescribeDBInstances", 403, "AccessDenied");
    assert_err(rds_cutover_run(s->rds, &plan, &bearer, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void what_cannot_be_swapped_is_refused(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_cutover p;
    struct rds_database live = {.kind = RDS_INSTANCE,
                                .id = "prod",
                                .resource_id = "db-1",
                                .status = "available"},
                        other = {
                            .kind = RDS_INSTANCE, .id = "new", .resource_id = "db-2", .status = "available"};
    assert_ok(rds_cutover_plan(s->rds, &live, &other, &p, &s->err), &s->err);
    assert_string_equal(p.old_name, "prod-old-20261124t060000z");
    snprintf(other.status, sizeof other.status, "modifying");
    assert_err(rds_cutover_plan(s->rds, &live, &other, &p, &s->err), ERR_REFUSED, &s->err);
    assert_err(rds_cutover_plan(s->rds, &live, &live, &p, &s->err), ERR_REFUSED, &s->err);
    other.kind = RDS_CLUSTER;
    assert_err(rds_cutover_plan(s->rds, &live, &other, &p, &s->err), ERR_REFUSED, &s->err);
    memset(live.id, 'p', RDS_INSTANCE_ID_MAX);
    other = live;
    snprintf(other.resource_id, sizeof other.resource_id, "db-2");
    assert_ok(rds_cutover_plan(s->rds, &live, &other, &p, &s->err), &s->err);
    assert_true(rds_ident_is_legal(p.old_name, RDS_INSTANCE_ID_MAX));
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest scripted[] = {
        cmocka_unit_test(a_failed_giving_back_is_said_loudly),
        cmocka_unit_test(a_replacement_that_got_the_name_but_not_well_is_told),
        cmocka_unit_test(a_signal_between_the_renames_is_obeyed_behind_them),
        cmocka_unit_test(what_ends_the_wait_between_the_renames_gives_the_name_back),
        cmocka_unit_test(an_old_one_that_was_renamed_by_hand_is_not_waited_for),
        cmocka_unit_test(a_name_that_is_someone_elses_is_left_alone),
        cmocka_unit_test(what_cannot_be_swapped_is_refused),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(names_are_swapped_and_back),
        cmocka_unit_test(lost_answers_and_flapping_do_not_matter),
        cmocka_unit_test(goes_on_from_between),
        cmocka_unit_test(the_name_is_given_back_when_the_replacement_cannot_have_it),
        cmocka_unit_test(an_old_one_that_is_broken_does_not_keep_the_name),
        cmocka_unit_test(a_signal_before_the_first_step_is_obeyed),
    };
    int failed = cmocka_run_group_tests(scripted, NULL, NULL);
    return failed + cmocka_run_group_tests(real, start, stop);
}
