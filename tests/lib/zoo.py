"""What tests/fixtures/zoo.sql promises: how its objects behave, wherever they stand."""

import pymysql

MAIN, ANNEX, ODD = "zoo", "zoo_annex", 'zoo é`s "3rd"; -- site'
SCHEMAS = (MAIN, ANNEX, ODD)

BROKEN_VIEWS = ("v_broken_table", "v_broken_column", "v_broken_function", "v_broken_view")


def drop(server, *schemas):
    """Databases that refer to one another can only be dropped together."""
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks=0")
        for schema in schemas or SCHEMAS:
            cursor.execute("DROP DATABASE IF EXISTS `" + schema.replace("`", "``") + "`")
    connection.close()


class Behaviour:
    """
    Uses the objects and compares with what must come out.  It changes rows and sequences: pictures are taken before.
    problems holds a sentence for everything that behaves in another way.
    """

    def __init__(self, server):
        self.problems = []
        self.connection = server.connect(database=MAIN)
        self.cursor = self.connection.cursor()
        for check in (self.sequences, self.triggers, self.foreign_keys, self.routines, self.views, self.events, self.constraints,
                      self.defaults):
            check()
        self.connection.close()

    def run(self, statement):
        self.cursor.execute(statement)
        return self.cursor.fetchall()

    def gives(self, statement, expected):
        try:
            got = self.run(statement)
        except pymysql.err.Error as e:
            got = e.args
        if got != expected:
            self.problems.append(f"{statement}: {got} instead of {expected}")

    def value(self, statement, expected):
        self.gives(statement, ((expected,),))

    def fails(self, statement, number):
        try:
            self.problems.append(f"{statement}: gave {self.run(statement)} instead of error {number}")
        except pymysql.err.Error as e:
            if e.args[0] != number:
                self.problems.append(f"{statement}: {e.args} instead of error {number}")

    def sequences(self):
        """A value that was handed out never comes again; values that were cached when the server stopped may be skipped."""
        for name, given, step, cache in (("s_plain", 0, 1, 1000), ("s_middle", 1014, 7, 10), ("s_down", 47, -3, 5), ("s_aria", 77, 1, 3),
                                         ("`s ``odd\" é;`", 3, 1, 1000), ("zoo_annex.s_ticket", 500, 1, 50)):
            following = self.run(f"SELECT NEXTVAL({name})")[0][0]
            steps, rest = divmod(following - given, step)
            if rest or not 1 <= steps <= cache + 1:
                self.problems.append(f"{name}: gives {following} where {given} was given before")
        self.fails("SELECT NEXTVAL(s_over)", 4084)
        self.value("SELECT NEXTVAL(s_large)", 9223372036854775001)
        self.gives("SELECT cycle_option, cycle_count FROM s_round", ((1, 1),))
        following = self.run("SELECT NEXTVAL(s_round)")[0][0]
        if following not in (2, 3):
            self.problems.append(f"s_round: gives {following}")

    def logged(self):
        found = [w for w, in self.run("SELECT what FROM log ORDER BY n")]
        self.run("DELETE FROM log")
        return found

    def logs(self, statement, *expected):
        self.logged()
        try:
            self.run(statement)
        except pymysql.err.Error as e:
            self.problems.append(f"{statement}: {e.args}")
        got = self.logged()
        if got != list(expected):
            self.problems.append(f"{statement}: logged {got} instead of {list(expected)}")

    def triggers(self):
        self.logs("INSERT INTO watched (id, v) VALUES (100, 'x')", "first 100", "second 100", "third 100", "after insert zoo_keeper@localhost")
        self.value("SELECT w FROM watched WHERE id = 100", "set")
        self.logs("UPDATE watched SET v = 'y' WHERE id = 100", "update x y", "after update")
        self.logs("DELETE FROM watched WHERE id = 100", "delete 100", "after delete")
        self.logs("INSERT INTO cage (id, place, size) VALUES (500, 'here', 5)", "ora ansi here")
        self.logs("INSERT INTO circle_one VALUES (500, NULL)", "é")
        self.logs("INSERT INTO zoo_annex.feeding (animal, fed) VALUES (1, NOW())", "fed 1")
        self.logs("INSERT INTO aria_safe (id) VALUES (500)")
        self.value("SELECT v FROM aria_safe WHERE id = 500", "aria 500")

    def foreign_keys(self):
        self.fails("INSERT INTO animal (id, species, name) VALUES (9001, 999, 'x')", 1452)
        self.fails("INSERT INTO animal (id, mother, name) VALUES (9001, 9000, 'x')", 1452)
        self.fails("INSERT INTO zoo_annex.feeding (animal, fed) VALUES (9000, NOW())", 1452)
        self.fails("DELETE FROM zoo_annex.species WHERE id = 2", 1451)
        self.fails("DELETE FROM animal WHERE id = 3", 1451)
        self.fails(f"INSERT INTO `{ODD.replace('`', '``')}`.`t``1` VALUES (9, 'x', 9000)", 1452)
        self.fails("DELETE FROM circle_one WHERE id = 5", 1451)
        # ON UPDATE CASCADE to another database, ON DELETE SET NULL, ON DELETE CASCADE down a chain
        self.run("UPDATE zoo_annex.species SET id = 600 WHERE id = 2")
        self.value("SELECT COUNT(*) FROM animal WHERE species = 600", 5)
        self.run("UPDATE animal SET id = 7000 WHERE id = 8")
        self.value("SELECT COUNT(*) FROM zoo_annex.feeding WHERE animal = 7000", 1)
        self.run("DELETE FROM cage WHERE id = 17")
        self.value("SELECT COUNT(*) FROM animal WHERE cage = 17", 0)
        self.value("SELECT COUNT(*) FROM animal WHERE cage IS NULL", 7)
        self.run("DELETE FROM animal WHERE id = 197")
        self.value("SELECT COUNT(*) FROM animal WHERE id > 196", 1)  # 7000: 198 to 200 went with their mother

    def routines(self):
        self.value("SELECT label(7, 'ü')", "ü 7")
        self.value("SELECT `f ``odd\" é;`()", "it's")
        self.value("SELECT HEX(`latim é`())", "C3A9C3A9")
        self.gives("CALL `中`()", (("痋",),))
        self.run("SET @s = strings('é', @n)")
        self.gives("SELECT @s, @n", (("é;'\"\\$$delimiter ", 1),))
        self.value("SELECT total_length(place) FROM v_cascaded WHERE id BETWEEN 5 AND 7", 21)
        self.gives("CALL `p \"ansi\" é`('a')", (("a\\a",),))
        self.gives("SELECT not_between(4), usual_not_between(4), not_between(0), usual_not_between(0)", ((0, 0, 0, 1),))
        self.run("SET @b = 10")
        self.run("CALL ora_add(5, @b)")
        self.value("SELECT @b", 16)
        self.value("SELECT ora_greet('você')", "olá você")
        self.run("SET @before = @@sql_mode, sql_mode = 'ORACLE'")
        self.run("CALL keeper.hire('x')")
        self.value("SELECT keeper.hired() FROM dual", 101)
        self.run("SET sql_mode = @before")
        self.gives("SELECT zoo_annex.same_word('ä', 'ae'), zoo_annex.same_bytes('ä', 'ae')", ((1, 0),))
        self.run("SET @c = 3")
        self.run("CALL move_animal(5, @c, @before)")
        self.gives("SELECT @c, @before", ((1, 6),))
        self.fails("CALL missing()", 1146)

    def views(self):
        self.value("SELECT COUNT(*) FROM v_a_top WHERE id < 50", 44)
        self.value("SELECT COUNT(*) FROM zoo_annex.v_across WHERE id BETWEEN 10 AND 20", 11)
        self.gives("SELECT * FROM v_history WHERE id = 2", ((2, "a2"),))
        self.value("SELECT GROUP_CONCAT(j) FROM v_recursive WHERE i < 3", '{"i": 1},{"i": 2}')
        self.gives("SELECT `é;`, l, u, c FROM `v ``odd\" é;` WHERE `é;` = 'x'", (("x", "é", "é\"'\\", "ção"),))
        self.gives("SELECT a, HEX(b) FROM `v é` LIMIT 1", (("é", "C3A9"),))
        self.gives("SELECT l, f, d FROM v_functions ORDER BY l LIMIT 1 OFFSET 1", (("l 2", "it's", "02/01"),))
        self.fails("INSERT INTO v_checked (id, place, size) VALUES (600, 'x', 0.5)", 1369)
        self.fails("UPDATE v_cascaded SET id = 601 WHERE id = 999999 OR place = 'none' OR size = 1", 1054)
        self.fails("SELECT * FROM v_no_definer", 1449)
        for name in BROKEN_VIEWS:
            self.fails(f"SELECT * FROM {name}", 1356)

    def events(self):
        self.gives("SELECT event_name, status, time_zone, interval_value, event_type FROM information_schema.events WHERE event_schema = 'zoo' "
                   "ORDER BY CAST(event_name AS BINARY)",
                   (('e "odd" `é;', "ENABLED", "SYSTEM", "7", "RECURRING"), ("e é", "ENABLED", "+00:00", "1", "RECURRING"),
                    ("e_disabled", "DISABLED", "+05:30", "'1:30'", "RECURRING"), ("e_enabled", "ENABLED", "+05:30", "1", "RECURRING"),
                    ("e_once", "ENABLED", "+05:30", None, "ONE TIME"), ("e_past", "DISABLED", "+05:30", None, "ONE TIME"),
                    ("e_replica", "SLAVESIDE_DISABLED", "+05:30", "1", "RECURRING")))

    def constraints(self):
        self.fails("INSERT INTO cage (id, place, size) VALUES (700, 'x', -1)", 4025)
        self.fails("INSERT INTO checked VALUES (10, -5, 'x')", 4025)
        self.fails("INSERT INTO booking VALUES (1, '2024-01-15', '2024-01-16', 'x')", 1062)
        self.fails("INSERT INTO columns (id, note, place) VALUES (900, 'palavra número 7', POINT(1, 1))", 1062)
        self.run("UPDATE versioned SET v = 'third' WHERE id = 1")
        self.value("SELECT COUNT(*) FROM versioned FOR SYSTEM_TIME ALL WHERE id = 1", 2)

    def defaults(self):
        self.run("INSERT INTO columns (place) VALUES (POINT(1, 2))")
        self.gives("SELECT id, e, st, b + 0, HEX(bin), zero, twice, total FROM columns WHERE id >= 5000",
                   ((5000, "ção", "a,é", 682, "00FF5C", 42, "ção\\'", 85),))
        before = self.run("SELECT MAX(id), MAX(ticket) FROM animal WHERE id < 7000 OR id > 7000")[0]
        self.run("INSERT INTO animal (name) VALUES ('new')")
        row = self.run("SELECT id, ticket, secret, upper_name FROM animal WHERE name = 'new'")[0]
        if row[0] < 1021 or row[1] < 501 or row[2:] != ("hidden", "NEW"):
            self.problems.append(f"defaults of animal: {row} after {before}")
        self.run("INSERT INTO zoo_annex.species (name) VALUES ('new')")
        self.value("SELECT id FROM zoo_annex.species WHERE name = 'new'", 900)
        self.run("INSERT INTO no_rows VALUES ()")
        self.value("SELECT id FROM no_rows", 18446744073709551000)
