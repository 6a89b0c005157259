"""The command line as its users and their scripts see it: usage, exit status, output, passwords, names of archives."""

import json
import os
import re
import stat
import time

from lib import TestCase, dbsafe, wait_until

COMMANDS = ["dump", "restore", "undo", "verify", "list", "show", "prune", "copy", "help", "version"]
NAME = re.compile(r"^\d{8}T\d{6}Z-(?P<label>[A-Za-z0-9_-]+)-[0-9A-Za-z]+\.dbsafe\.tar$")


class Usage(TestCase):
    """No server, no store."""

    def test_wrong_usage_ends_with_2_and_says_what(self):
        for args, words in (
                ([], "command"), (["frobnicate"], "frobnicate"), (["dump"], "--all-databases"), (["dump", "--frob", "x"], "--frob"),
                (["dump", "db", "--threads", "0"], "--threads"), (["dump", "db", "--threads", "two"], "two"),
                (["dump", "db", "--threads"], "--threads"), (["dump", "db", "--chunk-size", "1Q"], "1Q"),
                (["dump", "db", "--compress-level", "99"], "99"), (["dump", "db", "--all-databases"], "--all-databases"),
                (["dump", "db", "--consistency", "maybe"], "maybe"), (["dump", "db", "--live"], "--live"),
                (["restore"], "ARCHIVE"), (["restore", "a", "b"], "b"), (["restore", "a", "--if-exists", "maybe"], "maybe"),
                (["verify"], "ARCHIVE"), (["show"], "ARCHIVE"), (["list", "x"], "x"), (["help", "frobnicate"], "frobnicate"),
                (["version", "x"], "x"), (["dump", "db", "--log-format", "xml"], "xml"), (["verify", "a", "--progress", "no"], "no")):
            with self.subTest(args):
                result = dbsafe(*args, check=2)
                self.assertIn(words, result.err)
                self.assertEqual(result.out, "")

    def test_passwords_on_the_command_line_are_refused_and_not_repeated(self):
        for args in (["-pHidden123"], ["--password=Hidden123"]):
            result = dbsafe("dump", "db", *args, check=2)
            self.assertNotIn("Hidden123", result.err + result.out)
            self.assertIn("password", result.err)

    def test_help_is_there_for_each_command(self):
        overview = dbsafe("help").out
        for command in COMMANDS:
            self.assertRegex(overview, rf"(?m)^\s+{command}\b")
            text = dbsafe("help", command).out
            self.assertIn("Usage: dbsafe " + command, text)
            if command != "help":
                self.assertEqual(dbsafe(command, "--help").out, text)
                self.assertEqual(dbsafe(command, "-?").out, text)
        self.assertEqual(dbsafe("--help").out, overview)

    def test_help_names_the_options_people_rely_on(self):
        for command, options in {
                "dump": "--all-databases --exclude --store -o --label --threads --compress-level --chunk-size --max-rate --json -h -P -u -S "
                        "-p --defaults-file --ssl-ca --password-file --dry-run -q -v --log-format --progress --config --profile",
                "restore": "--into --tables --verify --if-exists --resume --lock-timeout --kill-blockers --staging-schema --undo-schema "
                           "--dry-run --yes --json --threads --store",
                "undo": "--list --purge --json --yes", "verify": "--live --tables --json --threads --store", "list": "--json --store --label",
                "show": "--json --store"}.items():
            text = dbsafe("help", command).out
            for option in options.split():
                self.assertRegex(text, rf"(?m)(^|[\s,]){option.replace('--', '--(.no-.)?')}\b", f"{command} {option}")

    def test_no_line_of_help_is_too_wide(self):
        for topic in [[], *([c] for c in COMMANDS), ["exit-codes"], ["config"]]:
            for line in dbsafe("help", *topic).out.splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_exit_codes_are_documented(self):
        codes = {int(n) for n in re.findall(r"(?m)^\s+(\d+)(?:, \d+)?\s", dbsafe("help", "exit-codes").out)}
        self.assertLessEqual({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 130}, codes)

    def test_version(self):
        text = dbsafe("version").out
        self.assertRegex(text, r"^dbsafe \d+\.\d+\.\d+")
        self.assertEqual(dbsafe("--version").out, text)
        self.assertIn(dbsafe("version", "--json").json["version"], text)

    def test_there_is_no_server(self):
        result = dbsafe("dump", "db", "-S", "/nonexistent/socket", "--json", check=4)
        self.assertEqual(result.json["error"]["exit"], 4)
        self.assertIn("/nonexistent/socket", result.err)

    def test_no_such_archive(self):
        for command in ("verify", "show"):
            self.assertIn("/nonexistent/a.tar", dbsafe(command, "/nonexistent/a.tar", check=11).err)

    def test_not_an_archive(self):
        self.assertIn("/etc/hostname", dbsafe("show", "/etc/hostname", check=8).err)
        dbsafe("verify", "/etc/hostname", check=8)
        dbsafe("verify", "-", check=8)
        dbsafe("verify", "-", input=b"x" * 100000, check=8)


class WithServer(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def setUp(self):
        self.server.load_chatbot(200)

    def test_no_folder_to_write_to(self):
        """What is looked for is not found; where something is to go is storage."""
        s = self.server
        self.assertIn("/nonexistent", s.dbsafe("dump", "glpi_select", "-o", "/nonexistent/x.tar", check=5).err)
        for command in (["list"], ["prune"], ["point", "list"], ["show", "latest"]):
            self.assertIn("not mounted", s.dbsafe(*command, "--store", s.folder / "no_store", check=11).err)

    def test_no_archive_of_a_label(self):
        s = self.server
        store = s.folder / "labels"
        s.dbsafe("dump", "glpi_select.chatbot_users", "--store", store, "--label", "one")
        self.assertIn("no archive with the label two in ", s.dbsafe("list", "--store", store, "--label", "two").err)

    def test_wrong_password(self):
        path = self.server.folder / "wrong.cnf"
        path.write_text(f"[client]\nuser=root\npassword=wrong-one\nsocket={self.server.socket}\n")
        result = self.server.dbsafe("dump", "glpi_select", defaults_file=path, check=3)
        self.assertNotIn("wrong-one", result.err)
        self.assertIn("root", result.err)

    def test_password_by_variable_and_by_file(self):
        s = self.server
        option_file, password_file = s.folder / "nopw.cnf", s.folder / "pw"
        option_file.write_text(f"[client]\nuser=root\nsocket={s.socket}\n")
        password_file.write_text(s.password + "\n")
        password_file.chmod(0o600)
        s.dbsafe("dump", "glpi_select", defaults_file=option_file, check=3)
        s.dbsafe("dump", "glpi_select", defaults_file=option_file, env={"MYSQL_PWD": s.password})
        s.dbsafe("dump", "glpi_select", "--password-file", password_file, defaults_file=option_file)
        # neither the verbose log nor the archive knows it
        path = s.folder / "a.tar"
        s.dbsafe("dump", "glpi_select", "-v", "-o", path)
        self.assertNotIn(s.password.encode(), path.read_bytes())

    def test_account_without_rights(self):
        option_file = self.server.account("USAGE ON *.*")
        result = self.server.dbsafe("dump", "glpi_select.chatbot_users", defaults_file=option_file, check=(4, 11))
        self.assertIn("glpi_select", result.err)
        self.assertEqual(self.server.archives(), [])

    def test_no_such_database_or_table(self):
        for name in ("nowhere", "nowhere.t", "glpi_select.nothing", "glpi_select.x*"):
            self.assertIn(name, self.server.dbsafe("dump", name, check=11).err)
        archive = self.server.dbsafe("dump", "glpi_select.chatbot_config", "--json").json["archive"]
        for command in (["verify"], ["verify", "--live"], ["restore"]):
            self.assertIn("chatbot_nothing", self.server.dbsafe(*command, archive, "--tables", "chatbot_nothing", check=11).err)

    def test_the_store_is_not_a_folder(self):
        path = self.server.folder / "file"
        path.write_text("")
        for store in (path, "/proc/no/store"):
            self.server.dbsafe("dump", "glpi_select", "--store", store, check=5)

    def test_archives_are_private(self):
        s = self.server
        store = s.folder / "new" / "store"
        store.parent.mkdir()
        s.dbsafe("dump", "glpi_select", "--store", store)
        self.assertEqual(stat.S_IMODE(store.stat().st_mode), 0o700)
        for path in store.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)
        s.dbsafe("dump", "glpi_select", "-o", store / "x.tar")
        self.assertEqual(stat.S_IMODE((store / "x.tar").stat().st_mode), 0o600)

    def test_names_labels_and_latest(self):
        s = self.server
        store = s.folder / "labels"
        first = s.dbsafe("dump", "glpi_select.chatbot_visual_config", "--label", "night", "--store", store, "--json").json["archive"]
        self.assertEqual(NAME.match(os.path.basename(first))["label"], "night")
        now = int(time.time())  # names order by whole seconds
        wait_until(lambda: int(time.time()) > now, what="the next second")
        second = s.dbsafe("dump", "glpi_select.chatbot_users", "--label", "day", "--store", store, "--json").json["archive"]
        listed = s.dbsafe("list", "--store", store, "--json").json["archives"]
        self.assertEqual({a["name"] for a in listed}, {os.path.basename(first), os.path.basename(second)})
        for archive in listed:
            self.assertLessEqual({"name", "created", "bytes", "label", "tables", "rows", "proof"}, archive.keys())
            self.assertEqual(archive["proof"], "none")
        self.assertIn(os.path.basename(second), s.dbsafe("verify", "latest", "--store", store).err)
        self.assertIn(os.path.basename(first), s.dbsafe("verify", "night", "--store", store).err)
        self.assertIn(os.path.basename(first), s.dbsafe("verify", "latest", "--label", "night", "--store", store).err)
        # latest is the newest that holds everything asked for
        self.assertIn(os.path.basename(first), s.dbsafe("verify", "latest", "--tables", "chatbot_visual_config", "--store", store).err)
        s.dbsafe("verify", "latest", "--tables", "chatbot_messages", "--store", store, check=11)
        s.dbsafe("verify", "nolabel", "--store", store, check=11)
        proofs = {a["label"]: a["proof"] for a in s.dbsafe("list", "--store", store, "--json").json["archives"]}
        self.assertRegex(proofs["night"], "^bytes 20")
        s.dbsafe("restore", "night", "--store", store)
        proofs = {a["label"]: a["proof"] for a in s.dbsafe("list", "--store", store, "--json").json["archives"]}
        self.assertRegex(proofs["night"], "^restored 20")

    def test_json_keys(self):
        s = self.server
        dump = s.dbsafe("dump", "glpi_select", "--json").json
        self.assertLessEqual({"archive", "tables", "rows", "plain_bytes", "archive_bytes", "seconds", "consistency", "warnings"}, dump.keys())
        self.assertLessEqual({"method", "proof"}, dump["consistency"].keys())
        verify = s.dbsafe("verify", dump["archive"], "--json").json
        self.assertLessEqual({"ok", "members", "bytes", "problems"}, verify.keys())
        restore = s.dbsafe("restore", dump["archive"], "--json").json
        self.assertLessEqual({"restore_id", "tables", "rows", "seconds", "verified", "swapped"}, restore.keys())
        self.assertIs(s.dbsafe("restore", dump["archive"], "--no-verify", "--json").json["verified"], False)
        s.sql("DELETE FROM glpi_select.chatbot_config LIMIT 1")
        result = s.dbsafe("verify", dump["archive"], "--live", "--json", check=7)
        self.assertFalse(result.json["ok"])
        self.assertEqual([p["where"] for p in result.json["problems"]], ["glpi_select.chatbot_config"])
        self.assertEqual(result.json["problems"][0].keys(), {"where", "what"})

    def test_log_as_json(self):
        result = self.server.dbsafe("dump", "glpi_select", "--log-format", "json", "-v")
        lines = [json.loads(line) for line in result.err.splitlines()]
        self.assertGreater(len(lines), 1)
        self.assertTrue(all(isinstance(line, dict) for line in lines))

    def test_quiet_says_nothing(self):
        self.assertEqual(self.server.dbsafe("dump", "glpi_select", "-q").err, "")

    def test_dry_runs_change_nothing(self):
        s = self.server
        before = s.archives()
        s.dbsafe("dump", "glpi_select", "--dry-run")
        self.assertEqual(s.archives(), before)
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        s.sql("DELETE FROM glpi_select.chatbot_config")
        s.dbsafe("restore", archive, "--dry-run")
        self.assertEqual(s.value("SELECT COUNT(*) FROM glpi_select.chatbot_config"), 0)

    def test_if_exists_fail(self):
        s = self.server
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        self.assertIn("chatbot_", s.dbsafe("restore", archive, "--if-exists", "fail", check=10).err)
        s.sql("DROP DATABASE glpi_select")
        s.dbsafe("restore", archive, "--if-exists", "fail")
        s.dbsafe("verify", archive, "--live")

    def test_drop_asks_first_and_leaves_no_undo(self):
        s = self.server
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        s.dbsafe("restore", archive, "--if-exists", "drop", check=10)  # nobody there to say yes
        s.sql("DELETE FROM glpi_select.chatbot_config")
        restored = s.dbsafe("restore", archive, "--if-exists", "drop", "--yes", "--json").json
        s.dbsafe("verify", archive, "--live")
        s.dbsafe("undo", restored["restore_id"], check=(10, 11))

    def test_someone_holds_a_table(self):
        s = self.server
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        holder = s.connect(database="glpi_select", autocommit=False)
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM chatbot_users")
            result = s.dbsafe("restore", archive, "--lock-timeout", "2", check=13)
            self.assertRegex(result.err, rf"\b{holder.thread_id()}\b")
            self.assertIn("root", result.err)
            s.sql("SELECT COUNT(*) FROM glpi_select.chatbot_config")  # readers go on
        holder.rollback()
        # what was loaded and verified is kept: only the swap is tried again
        s.dbsafe("restore", archive, "--resume", "--lock-timeout", "10")
        self.assertEqual(s.sql("SHOW DATABASES LIKE 'dbsafe\\_stage%'"), [])
        s.dbsafe("verify", archive, "--live")

    def test_signals(self):
        """The dump is held back by its rate; it must end at once and leave nothing."""
        s = self.server
        s.load_chatbot(20000)
        for name, expected in (("interrupt", 130), ("terminate", 143)):
            with self.subTest(name):
                store = s.folder / name
                running = s.dbsafe_start("dump", "glpi_select", "--store", store, "--max-rate", "50K", "--compress-level", "1")
                wait_until(lambda: store.exists() and any(f.stat().st_size for f in store.iterdir()), what="a part of the archive")
                getattr(running, name)()
                result = running.finish(30)
                self.assertEqual(result.rc, expected, result)
                self.assertLess(result.seconds, 60)
                self.assertEqual([p.name for p in store.iterdir() if p.name.endswith(".tar")], [])
                self.assertEqual(s.dbsafe("list", "--store", store, "--json").json["archives"], [])
