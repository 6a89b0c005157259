"""Rollback by way of an instance, on the RDS double: a real server on a real copy of the data takes the archive, the name, or gives tables."""

import json
import threading

from lib import TestCase, process, wait_until
from lib.compare import table_digests
from lib.rds_double import RdsDouble

PASSWORD = "harness-rds-master-pw-7Hq"
MIGRATION = """
UPDATE glpi_select.chatbot_users SET name = CONCAT(name, ' (v12)');
DELETE FROM glpi_select.chatbot_messages WHERE id % 2 = 0;
DROP TABLE glpi_select.chatbot_visual_config;
ALTER TABLE glpi_select.chatbot_config ADD COLUMN v12 INT NOT NULL DEFAULT 12;
DELETE FROM shop.orders WHERE id < 50;
UPDATE shop.other SET n = -1;
"""
# Steps of a rollback with a cut-over, and of one that copies tables, in their order.
RENAME = ["rollback_opened", "rollback_compared", "rollback_confirmed", "rollback_instance_planned", "rds_restore", "rollback_instance_made",
          "restore_journalled", "restore_loaded", "restore_verified", "swap_planned", "swap_begin", "swap_finish", "rollback_instance_loaded", "rollback_cutover_planned",
          "rds_cutover_second", "rollback_cutover_done", "rollback_instance_finished"]
COPY = ["rollback_instance_loaded", "rollback_copy_named", "rollback_copy_read", "restore_loaded", "swap_finish", "rollback_copied", "rollback_instance_finished"]


class Account:
    """The master user's option file, for dbsafe and for looking at the server behind the name."""

    def __init__(self, rds, kind, name, folder):
        self.rds, self.kind, self.name = rds, kind, name
        self.file, self.store, self.home = folder / "client.cnf", folder / "store", folder
        thing = self.thing()
        folder.mkdir(mode=0o700)
        self.file.touch(mode=0o600)
        self.file.write_text(f"[client]\nuser=admin\npassword={PASSWORD}\nhost={rds.address_of(kind, name)}\nport={thing.endpoint[1]}\n")

    def things(self):
        return self.rds.instances if self.kind == "db" else self.rds.clusters

    def thing(self, name=None):
        return self.things()[name or self.name]

    def server(self, name=None):
        """What answers under the name now."""
        return self.thing(name).server

    def dbsafe(self, *args, check=0, fault=None, online=True):
        env = {**self.rds.env(), "DBSAFE_POLL_INTERVAL": "0", "DBSAFE_FAULT": fault, "DBSAFE_STORE": f"file://{self.store}"}
        command, *rest = args
        return process.dbsafe(command, *([f"--defaults-file={self.file}"] if online else []), *rest, env=env, home=self.home, check=check)


class ByInstance(TestCase):
    cluster = False

    @classmethod
    def setUpClass(cls):
        cls.rds = RdsDouble()
        cls.addClassCleanup(cls.rds.close)
        cls.count = 0

    def setUp(self):
        self.rds.reset()
        self.rds.snapshots.clear()  # their names tell points and seconds, and tests are fast
        self.rds.cluster_snapshots.clear()
        self.rds.unseen_looks = 2
        type(self).count += 1
        self.name = f"prod{self.count}"
        if self.cluster:
            self.rds.create_cluster(self.name, 1, PASSWORD)
            self.instance = f"{self.name}-instance-1"
        else:
            self.rds.create_instance(self.name, PASSWORD)
            self.instance = self.name
        self.rds.wait_idle()
        self.live = Account(self.rds, "cluster" if self.cluster else "db", self.name, self.rds._private.path / f"home{self.count}")
        s = self.live.server()
        s.load_chatbot(messages=300)
        s.load("CREATE DATABASE shop; USE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, t VARCHAR(20)) ENGINE=InnoDB;"
               "INSERT INTO shop.orders SELECT seq, CONCAT('order ', seq) FROM seq_1_to_200;"
               "CREATE TABLE shop.other (n INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO shop.other VALUES (1);\n")

    def tearDown(self):
        self.assertEqual(self.rds.all_problems(), [], self.rds.trace())

    def point(self):
        """A point whose snapshot is not of the archive's moment; then the migration."""
        create = ("point", "create", "p1", "glpi_select", "--instance", self.instance, "--no-drill")
        self.live.dbsafe(*create, fault="kill:point_snapshot_begun", check=-9)
        self.rds.wait_idle()
        self.live.server().sql("UPDATE glpi_select.chatbot_users SET balance = balance + 1 ORDER BY id LIMIT 1")
        self.live.dbsafe(*create)
        self.before = self.picture()
        self.live.server().load(MIGRATION)
        self.migrated = self.picture()

    def rollback(self, *args, **options):
        return self.live.dbsafe("rollback", "--point", "p1", "--yes", *args, **options)

    def picture(self, name=None):
        s = self.live.server(name)
        return {schema: table_digests(s, schema) for schema in ("glpi_select", "shop")}

    def journal(self):
        return json.loads((self.live.store / "points" / "p1~instance.json").read_text())

    def as_archived(self):
        """What answers under the live name, against the archive, by dbsafe and without it."""
        archive = json.loads((self.live.store / "points" / "p1.json").read_text())["archive"]["name"]
        self.live.dbsafe("verify", archive, "--live")
        self.assertEqual(self.picture()["glpi_select"], self.before["glpi_select"])

    def new(self):
        return f"{self.name}-p1"


class Instance(ByInstance):
    def test_all_ways_of_one_point(self):
        """Made under writes; a migration destroys; back by each way, and each way taken back."""
        s, stop, written = self.live.server(), threading.Event(), []

        def write():
            connection = s.connect()
            with connection, connection.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("INSERT INTO glpi_select.chatbot_messages (conversation, user_id, direction, body, sent_at) SELECT "
                                   "conversation, user_id, direction, %s, sent_at FROM glpi_select.chatbot_messages LIMIT 1",
                                   (f"w{len(written)}",))
                    written.append(1)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: len(written) > 5, 30, "some rows")
            self.live.dbsafe("point", "create", "p1", "glpi_select", "--instance", self.instance)
            wait_until(lambda n=len(written): len(written) > n, 30, "a row after the point")
        finally:
            stop.set()
            writer.join()
        s.load(MIGRATION)
        self.migrated = self.picture()

        with self.subTest("tables"):
            done = self.rollback("--json").json
            self.before = self.picture()
            self.as_archived()
            self.assertLess(done["seconds"], 10 * process.SLOWER)
            self.live.dbsafe("undo", done["restore_id"])
            self.assertEqual(self.picture(), self.migrated)

        with self.subTest("an instance beside it"):
            done = self.rollback("--via", "instance", "--json").json
            self.assertEqual((done["verdict"], done["via"], done["instance"]["new"], done["instance"]["loaded"]),
                             ("done", "instance", self.new(), True))
            self.assertEqual(self.picture(), self.migrated)
            self.assertEqual(self.picture(self.new())["glpi_select"], self.before["glpi_select"])
            self.assertEqual(done["instance"]["address"], self.live.thing(self.new()).endpoint[0])
            self.assertIn("restoring the snapshot", [x["name"] for x in done["steps"]])

        with self.subTest("copied tables"):
            done = self.rollback("--via", "instance", "--copy-tables", "shop.orders", "--json").json
            self.assertEqual((done["verdict"], done["instance"]["copied_tables"]), ("done", 5))
            self.as_archived()
            orders, = self.live.server().sql("SELECT COUNT(*), SUM(id) FROM shop.orders")
            self.assertEqual((int(orders[0]), int(orders[1])), (200, 20100))
            self.assertEqual(self.live.server().value("SELECT n FROM shop.other"), -1)  # was not asked for
            self.assertEqual([f.name for f in (self.live.store / "points").glob("*~copy*")], [])
            self.live.dbsafe("undo", done["instance"]["copy_restore_id"])
            self.assertEqual(self.picture(), self.migrated)

        with self.subTest("its name"):
            old = self.live.thing().resource
            asked = self.live.dbsafe("rollback", "--point", "p1", "--via", "instance", "--cutover", "rename", check=10)
            result = self.rollback("--via", "instance", "--cutover", "rename", "--json")
            done = result.json
            for said in (asked.err, result.err):
                self.assertEqual("the endpoint of a member" in said, self.cluster, said)
            self.assertTrue(done["instance"]["cut_over"])
            self.as_archived()
            self.assertEqual(self.live.server().value("SELECT n FROM shop.other"), 1)
            self.assertEqual(self.live.thing(done["instance"]["old_name"]).resource, old)
            again = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
            self.assertEqual(again["verdict"], "nothing to do")
            page, = [p for p in (self.live.store / "points").glob("p1~rollback-*.html") if "belongs to the new instance" in p.read_text()]
            self.assertIn(done["instance"]["old_name"], page.read_text())

        with self.subTest("and back"):
            self.rollback("--via", "instance", "--cutover", "back")
            self.assertEqual(self.live.thing().resource, old)
            self.assertEqual(self.picture(), self.migrated)
            self.assertIn(self.new(), self.live.things())

    def test_killed_at_every_step(self):
        """One rollback, killed at each step in turn: the same command goes on, and the names are always somebody's or told."""
        self.point()
        live = self.live.thing().resource
        for fault in RENAME:
            with self.subTest(fault):
                self.rollback("--via", "instance", "--cutover", "rename", fault=f"kill:{fault}", check=-9)
                self.rds.wait_idle()
                bearers = {t.resource for n, t in self.live.things().items() if n == self.name}
                if not bearers:  # between the renames: the journal says who is who
                    self.assertEqual(fault, "rds_cutover_second")
                    self.assertEqual((self.journal()["resource"], self.journal()["name"]), (live, self.name))
                    refused = self.rollback("--via", "instance", check=10).err
                    self.assertIn("--cutover rename finishes it", refused)
                elif bearers == {live}:
                    self.assertEqual(self.picture(), self.migrated)
                else:
                    self.assertEqual(bearers, {self.journal()["to_resource"]})
                    self.as_archived()
        done = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
        self.assertEqual(done["verdict"], "nothing to do")
        self.as_archived()
        self.assertEqual(len(self.live.things()), self.size_after())
        self.assertEqual(self.live.thing(self.journal()["old_name"]).resource, live)

    def size_after(self):
        return len([n for n in self.live.things() if not n.startswith(self.name)]) + 2

    def test_copy_killed_at_every_step(self):
        self.point()
        way = ("--via", "instance", "--copy-tables", "shop.orders")
        for fault in COPY:
            with self.subTest(fault):
                self.rollback(*way, fault=f"kill:{fault}", check=-9)
        record = self.live.store / "points" / "p1.json"
        old = json.loads(record.read_text())
        record.write_text(json.dumps({**old, "created": "2020-01-01T00:00:00Z"}))
        journal = self.live.store / "points" / "p1~instance.json"
        finished = journal.read_text()
        journal.write_text(finished.replace('"finished": true', '"finished": false'))
        self.assertIn("is not finished", self.live.dbsafe("point", "delete", "p1", "--yes", online=False, check=10).err)
        record.write_text(json.dumps(old))
        self.rollback(*way)
        self.as_archived()
        self.assertEqual(self.live.server().value("SELECT COUNT(*) FROM shop.orders"), 200)
        self.assertEqual([f.name for f in (self.live.store / "points").iterdir() if "~copy" in f.name or f.suffix == ".tmp"], [])

    def test_a_name_that_is_not_given_is_given_back(self):
        self.point()
        live = self.live.thing().resource
        self.rollback("--via", "instance", "--cutover", "rename", fault="kill:rds_cutover_second", check=-9)
        archive, = self.live.store.glob("*.tar")
        archive = archive.rename(archive.with_suffix(".away"))  # the names do without it
        self.rollback("--via", "instance", "--cutover", "back", "--dry-run")
        self.assertNotIn(self.name, self.live.things())
        self.rollback("--via", "instance", "--cutover", "back")
        archive.rename(archive.with_suffix(".tar"))
        self.assertEqual(self.live.thing().resource, live)
        failed = self.rollback("--via", "instance", "--cutover", "rename", fault="fail:rds_cutover_second", check=6)
        self.assertIn("has its name again, everything is as before", failed.err)
        self.assertEqual(self.live.thing().resource, live)
        self.assertEqual(self.picture(), self.migrated)
        done = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
        self.as_archived()
        self.assertEqual(done["instance"]["old_name"], self.journal()["old_name"])


class Cluster(Instance):
    cluster = True


class Back(ByInstance):
    def test_killed_on_the_way_back(self):
        """Before the first rename, and between the two, while AWS goes on with what it was told."""
        self.point()
        live = self.live.thing().resource
        self.rollback("--via", "instance", "--cutover", "rename")
        self.rollback("--via", "instance", "--cutover", "back", fault="kill:rollback_cut_back_begun", check=-9)
        self.assertNotEqual(self.live.thing().resource, live)
        second = self.rds.plan.hold(op="ModifyDBInstance", nth=2)
        env = {**self.rds.env(), "DBSAFE_POLL_INTERVAL": "0", "DBSAFE_STORE": f"file://{self.live.store}"}
        argv = process.dbsafe_argv(["rollback", f"--defaults-file={self.live.file}", "--point", "p1", "--yes", "--via", "instance",
                                    "--cutover", "back"])
        running = process.start(argv, env=process.client_env(self.live.home, env))
        wait_until(second.arrived, 60, "the second rename")
        running.kill()
        self.assertEqual(running.finish(60).rc, -9)
        self.assertNotIn(self.name, self.live.things())
        self.assertIn("--cutover back takes it back", self.rollback("--via", "instance", check=10).err)
        second.release()
        self.rollback("--via", "instance", "--cutover", "back")
        self.assertEqual(self.live.thing().resource, live)
        self.assertEqual(self.picture(), self.migrated)


class Told(ByInstance):
    def test_what_is_told(self):
        self.point()
        told = self.rollback("--via", "instance", "--json")
        instance = told.json["instance"]
        self.assertEqual([c["where"] for c in instance["changed_between"]], ["glpi_select.chatbot_users"])
        self.assertIn("changed between snapshot and archive: glpi_select.chatbot_users: ", told.err)
        self.assertEqual({c["where"] for c in told.json["changes"]},
                         {f"glpi_select.chatbot_{t}" for t in ("users", "messages", "visual_config", "config")})
        thing = self.live.thing(self.new())
        self.assertEqual(thing.tags["dbsafe:point"], "p1")
        self.assertIn(f"{self.new()} is at {thing.endpoint[0]}:{thing.endpoint[1]}, ", told.err)
        self.assertRegex(told.err, r"AWS does not tell how long .*, which took at most 0:\d\d to make \(storage of \d+ GiB\)")


class Members(ByInstance):
    cluster = True

    def test_the_name_is_the_clusters(self):
        """A member keeps its name when its cluster is renamed: the next point's rollback is of what bears the name all the same."""
        for point in ("p1", "p2"):
            self.live.dbsafe("point", "create", point, "glpi_select", "--instance", self.instance, "--no-drill")
            self.rds.wait_idle()
        self.live.server().load(MIGRATION)
        old = self.live.thing().resource
        self.rollback("--via", "instance", "--cutover", "rename")
        first = self.live.thing().resource
        self.live.server().load("DELETE FROM shop.orders;\n")
        made = self.live.dbsafe("rollback", "--point", "p2", "--yes", "--via", "instance", "--cutover", "rename", "--json").json
        self.assertEqual(made["instance"]["name"], self.name)
        self.assertEqual(self.live.thing(made["instance"]["old_name"]).resource, first)
        self.assertNotIn(self.live.thing().resource, (old, first))
        self.assertEqual(self.live.server().value("SELECT COUNT(*) FROM shop.orders"), 200)
        told = self.live.dbsafe("point", "create", "p3", "glpi_select", "--instance", self.instance, "--no-drill").err
        self.assertIn("is that one server?", told)
        members = self.live.thing().members
        told = self.live.dbsafe("point", "create", "p4", "glpi_select", "--instance", members[0].id, "--no-drill").err
        self.assertNotIn("is that one server?", told)


class Again(ByInstance):
    """What earlier rollbacks left, and what of it counts."""

    def go(self, point, *args, **options):
        return self.live.dbsafe("rollback", "--point", point, "--yes", "--via", "instance", *args, **options)

    def test_two_points_by_turns(self):
        for point in ("p1", "p2"):
            self.live.dbsafe("point", "create", point, "glpi_select", "--instance", self.instance, "--no-drill")
            self.rds.wait_idle()
        self.live.server().load(MIGRATION)
        for point in ("p1", "p2", "p1"):
            before = self.live.thing().resource
            made = self.go(point, "--cutover", "rename", "--json").json["instance"]
            self.assertTrue(made["cut_over"])
            self.assertEqual(self.live.thing(made["old_name"]).resource, before)
        self.assertIn("belongs to neither", self.go("p2", "--cutover", "back", check=10).err)
        self.go("p1", "--cutover", "back")
        self.assertEqual(self.live.thing().resource, before)

    def test_what_had_the_name_is_not_taken_again(self):
        self.point()
        self.rollback("--via", "instance", "--cutover", "rename")
        self.live.server().load("UPDATE shop.other SET n = 777;\n")
        self.rollback("--via", "instance", "--cutover", "back")
        for way in (("--cutover", "rename"), (), ("--copy-tables", "shop.orders")):
            self.assertIn("give the new one another name with --to", self.rollback("--via", "instance", *way, check=10).err)
        self.rollback("--via", "instance", "--to", "fresh", "--cutover", "rename")
        self.assertEqual(self.live.server().value("SELECT n FROM shop.other"), 1)
        self.rollback("--via", "instance", "--cutover", "back")
        self.assertIn("--to", self.rollback("--via", "instance", "--to", self.new(), check=10).err)
        self.assertIn("--to", self.rollback("--via", "instance", "--to", "fresh", check=10).err)

    def test_what_will_be_lost_is_exported(self):
        self.point()
        file = self.live.home / "changes.tar"
        made = self.rollback("--via", "instance", "--cutover", "rename", "--export-changes", file, "--json", fault="fail:rds_cutover_second", check=6)
        self.assertEqual(made.json["export"]["file"], str(file))
        again = self.rollback("--via", "instance", "--cutover", "rename", "--export-changes", file, "--json").json
        self.assertEqual((again["export"]["existed"], again["instance"]["cut_over"]), (True, True))
        self.live.dbsafe("restore", file, "--into", "changes", "--tables", "glpi_select.chatbot_users")
        users = "glpi_select", "chatbot_users"
        self.assertEqual(table_digests(self.live.server(), "changes")["chatbot_users"], self.migrated[users[0]][users[1]])

    def test_an_export_is_no_hindrance_behind_the_exchange(self):
        self.point()
        way = ("--via", "instance", "--copy-tables", "shop.orders", "--export-changes", self.live.home / "more.tar")
        self.rollback(*way, fault="kill:rollback_copied", check=-9)
        self.assertEqual(self.rollback(*way, "--json").json["verdict"], "done")

    def test_another_look_after_a_cutover_tells_what_it_forgets(self):
        self.point()
        done = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
        old = done["instance"]["old_name"]
        told = f"what {self.name} was is called {old}: once this one begins, --cutover back cannot"
        self.assertIn(told, self.rollback("--via", "instance", "--dry-run").err)
        self.rollback("--via", "instance", "--cutover", "back", "--dry-run")  # looking has forgotten nothing

    def test_a_copy_of_other_tables(self):
        self.point()
        copies = (self.live.store / "points").glob
        way = ("--via", "instance", "--copy-tables")
        self.rollback(*way, "shop.orders", fault="kill:rollback_copy_read", check=-9)
        first, = copies("*~copy*")
        done = self.rollback(*way, "shop.other", fault="kill:restore_loaded", check=-9)
        self.assertNotIn(first, copies("*~copy*"))
        self.assertIn("shop.other is not finished", self.rollback(*way, "shop.orders", check=10).err)
        done = self.rollback(*way, "shop.other", "--json").json
        self.assertEqual((done["verdict"], done["instance"]["copied_tables"]), ("done", 5))
        self.assertEqual(self.live.server().value("SELECT n FROM shop.other"), 1)
        self.assertEqual(self.live.server().value("SELECT COUNT(*) FROM shop.orders"), 151)
        self.assertEqual(list(copies("*~copy*")), [])
        self.rollback(*way, ",".join(f"shop.a_rather_long_name_{i}" for i in range(200)), check=2)

    def test_a_run_on_another_host(self):
        self.point()
        self.rollback("--via", "instance", fault="kill:rollback_instance_made", check=-9)
        journal = self.live.store / "points" / "p1~instance.json"
        values = json.loads(journal.read_text())
        host, rest = values["owner"].split(" ", 1)
        journal.write_text(json.dumps({**values, "owner": f"not-{host} {rest}"}))
        self.assertIn("--resume goes on", self.rollback("--via", "instance", check=12).err)
        self.assertEqual(self.rollback("--via", "instance", "--resume", "--json").json["verdict"], "done")

    def test_the_live_one_was_busy_at_the_beginning(self):
        self.point()
        self.live.thing().shown = ["backing-up"]
        self.assertTrue(self.rollback("--via", "instance", "--cutover", "rename", "--json").json["instance"]["cut_over"])

    def test_the_live_one_is_broken(self):
        self.point()
        self.live.thing().status = "storage-full"
        self.assertIn("is 'storage-full'", self.rollback("--via", "instance", "--cutover", "rename", check=10).err)
        self.assertEqual(self.rds.log("RestoreDBInstanceFromDBSnapshot"), [])


class Refused(ByInstance):
    def test_what_is_refused(self):
        self.point()
        self.live.dbsafe("point", "create", "p2", "glpi_select", "--no-drill")
        self.assertIn("archive alone", self.live.dbsafe("rollback", "--point", "p2", "--yes", "--via", "instance", check=10).err)
        for args in (("--cutover", "rename"), ("--copy-tables", "a.b"), ("--to", "x"),
                     ("--via", "instance", "--cutover", "rename", "--copy-tables", "a.b"), ("--via", "instance", "--cutover", "back", "--export-changes", "f")):
            self.rollback(*args, check=2)
        self.assertIn("no cut-over", self.rollback("--via", "instance", "--cutover", "back", check=10).err)
        changes = [r.op for r in self.rds.log() if r.op and r.op.startswith(("Restore", "Modify", "Delete"))]
        unconfirmed = self.live.dbsafe("rollback", "--point", "p1", "--via", "instance", "--cutover", "rename", check=10)
        self.assertIn("ALL of", unconfirmed.err)
        dry = self.rollback("--via", "instance", "--cutover", "rename", "--dry-run")
        self.assertIn("nothing was changed", dry.err)
        self.assertEqual([r.op for r in self.rds.log() if r.op and r.op.startswith(("Restore", "Modify", "Delete"))], changes)
        self.assertEqual(list((self.live.store / "points").glob("*~instance.json")), [])
        self.rds.instances["taken"] = self.rds.instances[self.name]
        try:
            self.rollback("--via", "instance", "--to", "taken", check=6)
        finally:
            del self.rds.instances["taken"]

    def test_interrupted_while_aws_works(self):
        """AWS goes on, and so does the same command; another run is kept out meanwhile."""
        self.point()
        self.rds.states.hold("creating")
        running = self.start()
        wait_until(lambda: self.new() in self.rds.instances, 60, "the new instance")
        self.assertIn("another run", self.rollback("--via", "instance", check=12).err)
        running.interrupt()
        ended = process.expect(running.finish(60), 130)
        self.assertIn("the same command again goes on", ended.err)
        self.rds.states.release("creating")
        done = self.rollback("--via", "instance", "--json").json
        self.assertEqual(done["verdict"], "done")
        self.assertEqual(self.picture(self.new())["glpi_select"], self.before["glpi_select"])
        self.assertEqual(len([r for r in self.rds.log("RestoreDBInstanceFromDBSnapshot") if not r.error]), 1)

    def start(self, *args):
        env = {**self.rds.env(), "DBSAFE_POLL_INTERVAL": "0", "DBSAFE_STORE": f"file://{self.live.store}"}
        argv = process.dbsafe_argv(["rollback", f"--defaults-file={self.live.file}", "--point", "p1", "--yes", "--via", "instance", *args])
        return process.start(argv, env=process.client_env(self.live.home, env))

    def test_interrupted_between_the_renames(self):
        """The signal waits until someone bears the name; then it is said who."""
        self.point()
        old = self.live.thing().resource
        self.rds.states.hold("renaming")
        running = self.start("--cutover", "rename")
        wait_until(lambda: self.live.thing().status == "renaming", 60, "the first rename")
        running.interrupt()
        self.rds.states.release("renaming")
        ended = process.expect(running.finish(60), 130)
        self.assertIn(f"{self.name} is the replacement's name already", ended.err)
        self.rds.wait_idle()
        self.assertNotEqual(self.live.thing().resource, old)
        done = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
        self.assertTrue(done["instance"]["cut_over"])
        self.as_archived()

    def test_the_old_one_is_broken(self):
        """Under its old name it comes up storage-full: that keeps the name from nobody."""
        self.point()
        old = self.live.thing().resource
        self.rds.comes_up[old] = "storage-full"
        done = self.rollback("--via", "instance", "--cutover", "rename", "--json").json
        self.as_archived()
        self.assertEqual(self.live.thing(done["instance"]["old_name"]).status, "storage-full")

    def test_a_restore_that_fails(self):
        self.point()
        self.rds.fail_next("restore", "incompatible-restore")
        failed = self.rollback("--via", "instance", "--cutover", "rename", check=6)
        self.assertIn("incompatible-restore", failed.err)
        self.assertEqual(self.picture(), self.migrated)
