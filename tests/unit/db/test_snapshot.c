/* The ladder on servers that are not here; on MariaDB it is run for real by tests/e2e. */
#include "support/fake_db.h"

#include "db/snapshot.h"

static const struct snapshot_table tables[] = {
    {"shop", "orders", true},
    {"shop", "o`dd", true},
};

static struct {
    struct run run;
    struct db_conn *control;
    struct snapshot *snap;
    struct err err;
} t;

static enum err_code take_tables(const char *method, unsigned threads, const struct snapshot_table *list,
                                 unsigned count, bool gentle)
{
    const struct snapshot_options options = {
        .threads = threads, .consistency = method, .tables = list, .table_count = count, .gentle = gentle};
    t.run = (struct run){.cancel = cancel_new(), .clock = clock_system()};
    assert_int_equal(db_connect(NULL, t.run.cancel, &t.control, &t.err), ERR_OK);
    return snapshot_open(&t.run, NULL, t.control, &options, &t.snap, &t.err);
}

static enum err_code take(const char *recording, const char *method)
{
    fake_db_play(recording);
    return take_tables(method, 2, tables, 2, false);
}

static void end(void)
{
    snapshot_free(t.snap);
    db_close(t.control);
    cancel_free(t.run.cancel);
    fake_db_end();
    memset(&t, 0, sizeof t);
}

#define assert_sent(...)      assert_true(fake_db_sent((const char *const[]){__VA_ARGS__, NULL}))
#define assert_not_sent(text) assert_null(strstr(buf_cstr(&fake_db.log), text))

static void assert_proof(const char *text)
{
    if (!strstr(t.snap->proof, text))
        fail_msg("'%s' is not in '%s'", text, t.snap->proof);
}

/* Connections: 1 asks, 2 and 3 read, 4 holds the instance lock, 5 the global one. */
static void mysql_8_keeps_ddl_away_to_the_end(void **state)
{
    (void)state;
    assert_ok(take("mysql-8.0", "auto"), &t.err);
    assert_string_equal(t.snap->method, "global-read-lock");
    assert_sent("4: LOCK INSTANCE FOR BACKUP\n",
                "5: SET SESSION lock_wait_timeout=2, SESSION wait_timeout=10\n",
                "5: FLUSH TABLES WITH READ LOCK\n", "1: SHOW MASTER STATUS\n",
                "2: START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY\n",
                "3: START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY\n", "1: SHOW MASTER STATUS\n",
                "5: UNLOCK TABLES\n", "5: closed\n");
    assert_not_sent("4: closed");
    assert_not_sent("SHOW ENGINE INNODB STATUS"); /* its counter proves nothing on MySQL */
    assert_int_equal(t.snap->count, 2);
    assert_string_equal(t.snap->positions[1].file, "binlog.000007");
    assert_int_equal(t.snap->positions[1].position, 157);
    assert_string_equal(
        t.snap->gtid, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77,\n4a6f2a67-b1e2-11ee-9a2e-0242ac110002:1-5");
    assert_proof("2 snapshots started while FLUSH TABLES WITH READ LOCK held back every write, for at most ");
    assert_proof("; LOCK INSTANCE FOR BACKUP kept definitions as they are until the end");
    assert_ok(snapshot_check(t.snap, &t.err), &t.err);
    fake_db_answer("DO 1", "!2013 Lost connection to MySQL server during query");
    assert_err(snapshot_check(t.snap, &t.err), ERR_DB_LOST, &t.err);
    assert_non_null(strstr(t.err.text, "INSTANCE"));
    end();
}

static void mysql_8_4_says_it_in_new_words(void **state)
{
    (void)state;
    assert_ok(take("mysql-8.4", "auto"), &t.err);
    assert_string_equal(t.snap->method, "global-read-lock");
    assert_not_sent("MASTER");
    assert_string_equal(t.snap->positions[0].file, "binlog.000002");
    assert_int_equal(t.snap->positions[0].position, 5120);
    assert_null(t.snap->gtid);
    end();
}

static void mysql_5_7_has_no_instance_lock(void **state)
{
    (void)state;
    fake_db_play("mysql-5.7");
    fake_db_answer("FLUSH TABLES WITH READ LOCK", "");
    assert_ok(take_tables("auto", 2, tables, 2, false), &t.err);
    assert_string_equal(t.snap->method, "global-read-lock");
    assert_not_sent("INSTANCE");
    assert_null(strstr(t.snap->proof, "INSTANCE"));
    assert_null(t.snap->instance);
    assert_string_equal(t.snap->gtid, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
    end();
}

/* The instance lock is a help, not a condition. */
static void mysql_8_without_the_instance_lock(void **state)
{
    (void)state;
    fake_db_play("mysql-8.0");
    fake_db_answer("LOCK INSTANCE FOR BACKUP",
                   "!1227 Access denied; you need (at least one of) the RDSADMIN USER privilege(s)");
    assert_ok(take_tables("auto", 2, tables, 2, false), &t.err);
    assert_string_equal(t.snap->method, "global-read-lock");
    assert_null(strstr(t.snap->proof, "INSTANCE"));
    assert_null(t.snap->instance);
    end();
}

/* Granted, and denied all the same: asked once, not five times. */
static void rds_falls_to_the_tables(void **state)
{
    (void)state;
    assert_ok(take("rds-mysql-8.0", "auto"), &t.err);
    assert_string_equal(t.snap->method, "table-locks");
    assert_not_sent("LOCK INSTANCE"); /* not granted, not tried */
    assert_sent("FLUSH TABLES WITH READ LOCK\n", "SET SESSION autocommit=0, SESSION innodb_table_locks=1\n",
                "SET SESSION lock_wait_timeout=1, SESSION innodb_lock_wait_timeout=1\n",
                "LOCK TABLES `shop`.`orders` READ, `shop`.`o``dd` READ\n", "1: SHOW MASTER STATUS\n",
                "2: START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY\n", "UNLOCK TABLES\n");
    assert_null(strstr(strstr(buf_cstr(&fake_db.log), "FLUSH TABLES WITH READ LOCK") + 1,
                       "FLUSH TABLES WITH READ LOCK"));
    assert_not_sent("lock_wait_timeout=0"); /* MySQL takes no such value */
    assert_proof("the 2 tables");
    assert_proof("; nothing else was logged meanwhile either");
    assert_string_equal(t.snap->positions[0].file, "mysql-bin-changelog.000123");
    end();
}

/* Other tables may be written meanwhile: then no position is claimed. */
static void the_position_moved(void **state)
{
    (void)state;
    fake_db_play("rds-mysql-8.0");
    fake_db_once("SHOW MASTER STATUS", "mysql-bin-changelog.000123\t4700\t\t\t\n");
    assert_ok(take_tables("auto", 2, tables, 2, false), &t.err);
    assert_string_equal(t.snap->method, "table-locks");
    assert_string_equal(t.snap->positions[0].file, "");
    assert_null(strstr(t.snap->proof, "nothing else"));
    end();
}

static void somebody_keeps_the_tables(void **state)
{
    (void)state;
    fake_db_play("rds-mysql-8.0");
    fake_db_answer("LOCK TABLES...", "!1205 Lock wait timeout exceeded; try restarting transaction");
    fake_db_answer("...FROM performance_schema.metadata_locks...",
                   "12\tapp\t10.0.0.5\t63\n13\tapp\t10.0.0.6\t2\n");
    assert_ok(take_tables("auto", 2, tables, 2, false), &t.err);
    assert_string_equal(t.snap->method, "single-reader");
    assert_int_equal(t.snap->count, 1);
    end();
    fake_db_play("rds-mysql-8.0");
    fake_db_answer("LOCK TABLES...", "!1205 Lock wait timeout exceeded; try restarting transaction");
    fake_db_answer("...FROM performance_schema.metadata_locks...",
                   "12\tapp\t10.0.0.5\t63\n13\tapp\t10.0.0.6\t2\n");
    assert_err(take_tables("table-locks", 2, tables, 2, false), ERR_SNAPSHOT, &t.err);
    assert_non_null(strstr(
        t.err.text, "in the way: connection 12 (app@10.0.0.5, 63 s), connection 13 (app@10.0.0.6, 2 s)"));
    t.snap = NULL;
    end();
}

/* Whatever kind of lock it is that others keep, they are named. */
static void somebody_keeps_the_server(void **state)
{
    (void)state;
    static const struct {
        const char *recording, *method, *lock;
    } cases[] = {
        {"mariadb-10.11", "backup-stage", "BACKUP STAGE BLOCK_COMMIT"},
        {"mysql-8.0", "global-read-lock", "FLUSH TABLES WITH READ LOCK"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_db_play(cases[i].recording);
        fake_db_answer(cases[i].lock, "!1205 Lock wait timeout exceeded; try restarting transaction");
        fake_db_answer("...METADATA_LOCK_INFO...", "!1109 Unknown table");
        fake_db_answer("...FROM performance_schema.metadata_locks...", "12\tapp\t10.0.0.5\t63\n");
        assert_err(take_tables(cases[i].method, 2, tables, 2, false), ERR_SNAPSHOT, &t.err);
        assert_non_null(strstr(t.err.text, "in the way: connection 12 (app@10.0.0.5, 63 s)"));
        end();
    }
    static const struct snapshot_table mixed[] = {{"shop", "old", false}, {"shop", "orders", true}};
    fake_db_play("rds-mysql-8.0");
    fake_db_answer("LOCK TABLES...", "!1205 Lock wait timeout exceeded; try restarting transaction");
    fake_db_answer("...FROM performance_schema.metadata_locks...", "12\tapp\t10.0.0.5\t63\n");
    assert_err(take_tables("auto", 2, mixed, 2, false), ERR_TIMEOUT, &t.err);
    assert_non_null(strstr(t.err.text, "in the way: connection 12 (app@10.0.0.5, 63 s)"));
    assert_sent("OBJECT_NAME='old'");
    assert_not_sent("OBJECT_NAME='orders'"); /* nobody who uses it is in the way of this lock */
    end();
}

/* As MySQL on RDS; nothing that only Aurora says is taken for a position. */
static void aurora_falls_to_the_tables(void **state)
{
    (void)state;
    assert_ok(take("aurora-mysql-3", "auto"), &t.err);
    assert_string_equal(t.snap->method, "table-locks");
    assert_sent("FLUSH TABLES WITH READ LOCK\n", "LOCK TABLES `shop`.`orders` READ, `shop`.`o``dd` READ\n",
                "2: START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY\n", "UNLOCK TABLES\n");
    assert_string_equal(t.snap->positions[0].file, ""); /* its binlog is off unless switched on */
    assert_null(t.snap->gtid);
    end();
}

static void verification_locks_nothing_for_it(void **state)
{
    (void)state;
    fake_db_play("rds-mysql-8.0");
    assert_ok(take_tables("auto", 2, tables, 2, true), &t.err);
    assert_string_equal(t.snap->method, "single-reader");
    assert_not_sent("LOCK");
    assert_not_sent("FLUSH");
    end();
}

static void mariadb_on_rds(void **state)
{
    (void)state;
    fake_db_play("mariadb-10.11");
    fake_db_answer("BACKUP STAGE START",
                   "!1227 Access denied; you need (at least one of) the RELOAD privilege(s)");
    assert_ok(take_tables("auto", 2, tables, 2, false), &t.err);
    assert_string_equal(t.snap->method, "table-locks");
    assert_not_sent("BLOCK_COMMIT");
    assert_sent("SET SESSION lock_wait_timeout=0, SESSION innodb_lock_wait_timeout=0\n",
                "LOCK TABLES `shop`.`orders` READ");
    assert_string_equal(t.snap->gtid, "0-1-12");
    end();
}

/* A binlog proves nothing where others' commits do not go through it. */
static void who_does_not_log_what_others_commit(void **state)
{
    (void)state;
    static const struct {
        const char *wsrep, *running;
        bool proves;
    } cases[] = {{"0\n", "Slaves_running\t0\n", true},
                 {"1\n", "Slaves_running\t0\n", false},
                 {"0\n", "Slaves_running\t1\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_db_play("mariadb-10.11");
        fake_db_answer("SHOW MASTER STATUS", "binlog.000001\t900\t\t\n");
        fake_db_answer("SELECT @@wsrep_on", cases[i].wsrep);
        fake_db_answer("SHOW GLOBAL STATUS LIKE 'Slaves_running'", cases[i].running);
        enum err_code code = take_tables("binlog-position", 2, tables, 2, false);
        if (cases[i].proves)
            assert_ok(code, &t.err);
        else
            assert_err(code, ERR_SNAPSHOT, &t.err);
        end();
    }
}

static void mariadb_with_reload(void **state)
{
    (void)state;
    assert_ok(take("mariadb-10.11", "auto"), &t.err);
    assert_string_equal(t.snap->method, "backup-stage");
    assert_sent("BACKUP STAGE START\n", "BACKUP STAGE BLOCK_COMMIT\n", "2: START TRANSACTION",
                "3: START TRANSACTION", "BACKUP STAGE END\n");
    assert_not_sent("LOCK TABLES");
    assert_not_sent("FLUSH");
    end();
}

/* A lock that cannot be given back was not held until then. */
static void a_lost_lock_proves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *recording, *method, *release;
    } cases[] = {
        {"mariadb-10.11", "backup-stage", "BACKUP STAGE END"},
        {"mariadb-10.11", "table-locks", "UNLOCK TABLES"},
        {"mysql-8.0", "global-read-lock", "UNLOCK TABLES"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_db_play(cases[i].recording);
        fake_db_answer(cases[i].release, "!2013 Lost connection to server during query");
        fake_db_answer("...INNODB_TRX...", "!1227 denied");
        fake_db_answer("...METADATA_LOCK_INFO...", "!1109 Unknown table");
        fake_db_answer("...metadata_locks...", "!1142 denied");
        assert_err(take_tables(cases[i].method, 2, tables, 2, false), ERR_SNAPSHOT, &t.err);
        assert_sent("2: START TRANSACTION", cases[i].release, "2: ROLLBACK", "3: ROLLBACK");
        assert_non_null(strstr(t.err.text, cases[i].method));
        end();
    }
}

static void one_reader_knows_its_position_too(void **state)
{
    (void)state;
    assert_ok(take("mysql-8.0", "single-reader"), &t.err);
    assert_string_equal(t.snap->method, "single-reader");
    assert_int_equal(t.snap->count, 1);
    assert_string_equal(t.snap->positions[0].file, "binlog.000007");
    end();
}

static void what_stands_in_the_way_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *recording, *method, *reason;
    } cases[] = {
        {"mysql-8.0", "binlog-position", "MySQL does not tell"},
        {"mysql-8.0", "trx-counter", "MySQL commits inserts"},
        {"mysql-8.0", "backup-stage", "no BACKUP STAGE"},
        {"rds-mysql-8.0", "global-read-lock", "error 1045"},
        {"mariadb-10.11", "binlog-position", "BINLOG MONITOR"},
        {"mariadb-10.11", "trx-counter", "PROCESS missing"},
        {"mariadb-10.11", "rubbish", "no such method"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(take(cases[i].recording, cases[i].method), ERR_SNAPSHOT, &t.err);
        if (!strstr(t.err.text, cases[i].reason))
            fail_msg("%s: '%s' is not in '%s'", cases[i].method, cases[i].reason, t.err.text);
        assert_non_null(strstr(t.err.text, "single-reader"));
        end();
    }
    static const struct snapshot_table elsewhere[] = {{"shop", "orders", true}, {"other", "t", true}};
    fake_db_play("mariadb-10.11");
    assert_err(take_tables("table-locks", 2, elsewhere, 2, false), ERR_SNAPSHOT, &t.err);
    assert_non_null(strstr(t.err.text, "LOCK TABLES missing"));
    end();
}

static void tables_without_transactions_come_first(void **state)
{
    (void)state;
    static const struct snapshot_table mixed[] = {{"shop", "old", false}, {"shop", "orders", true}};
    fake_db_play("rds-mysql-8.0");
    assert_ok(take_tables("auto", 2, mixed, 2, false), &t.err);
    assert_sent("2: LOCK TABLES `shop`.`old` READ\n", "LOCK TABLES `shop`.`orders` READ\n",
                "UNLOCK TABLES\n");
    assert_not_sent("2: UNLOCK");
    assert_non_null(t.snap->guard);
    end();
}

static void note_method(void *arg, const char *method, const char *obstacle)
{
    buf_putf(arg, "%s%s; ", method, obstacle ? " not" : "");
}

static const char *explain(const char *recording, const char *method, unsigned threads, struct buf *out)
{
    const struct snapshot_options options = {
        .threads = threads, .consistency = method, .tables = tables, .table_count = 2};
    struct db_conn *c;
    struct err err;
    fake_db_play(recording);
    buf_clear(out);
    assert_int_equal(db_connect(NULL, NULL, &c, &err), ERR_OK);
    assert_ok(snapshot_explain(c, &options, note_method, out, &err), &err);
    db_close(c);
    assert_not_sent("LOCK");
    assert_not_sent("START");
    fake_db_end();
    return buf_cstr(out);
}

static void the_ladder_explained(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    assert_string_equal(
        explain("mysql-8.0", "auto", 4, &out),
        "binlog-position not; trx-counter not; backup-stage not; global-read-lock; table-locks;"
        " single-reader; ");
    assert_string_equal(
        explain("mariadb-10.11", "auto", 4, &out),
        "binlog-position not; trx-counter not; backup-stage; global-read-lock not; table-locks;"
        " single-reader; ");
    assert_string_equal(explain("mariadb-10.11", "auto", 1, &out), "single-reader; ");
    assert_string_equal(explain("mariadb-10.11", "trx-counter", 4, &out), "trx-counter not; ");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mysql_8_keeps_ddl_away_to_the_end),
        cmocka_unit_test(mysql_8_4_says_it_in_new_words),
        cmocka_unit_test(mysql_5_7_has_no_instance_lock),
        cmocka_unit_test(mysql_8_without_the_instance_lock),
        cmocka_unit_test(rds_falls_to_the_tables),
        cmocka_unit_test(the_position_moved),
        cmocka_unit_test(somebody_keeps_the_tables),
        cmocka_unit_test(somebody_keeps_the_server),
        cmocka_unit_test(aurora_falls_to_the_tables),
        cmocka_unit_test(verification_locks_nothing_for_it),
        cmocka_unit_test(mariadb_on_rds),
        cmocka_unit_test(who_does_not_log_what_others_commit),
        cmocka_unit_test(mariadb_with_reload),
        cmocka_unit_test(a_lost_lock_proves_nothing),
        cmocka_unit_test(one_reader_knows_its_position_too),
        cmocka_unit_test(what_stands_in_the_way_is_said),
        cmocka_unit_test(tables_without_transactions_come_first),
        cmocka_unit_test(the_ladder_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
