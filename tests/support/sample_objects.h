/*
 * The objects of the sample (sample.h): one of each kind, and a definition that is not in UTF-8.
 */
#ifndef DBSAFE_TESTS_SUPPORT_SAMPLE_OBJECTS_H
#define DBSAFE_TESTS_SUPPORT_SAMPLE_OBJECTS_H

#include "archive/digest.h"
#include "archive/text.h"
#include "archive/writer.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_ORACLE                                                                                        \
    "PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ORACLE,NO_KEY_OPTIONS,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS,"      \
    "NO_AUTO_CREATE_USER,SIMULTANEOUS_ASSIGNMENT"

static const struct manifest_name sample_uses[] = {{"shop", "orders"}};

/* number, dir and digest are filled in. */
static const struct sample_object {
    struct manifest_object object;
    const char *definition;
} sample_objects[] = {
    {{.kind = OBJECT_SEQUENCE,
      .schema = "shop",
      .name = "numbers",
      .sequence = {"9223372036854775000", "-5", "9223372036854775806", "1", "-3", "0", true, "2"}},
     "CREATE SEQUENCE `numbers` start with 1 minvalue -5 maxvalue 9223372036854775806 increment by -3 nocache "
     "cycle ENGINE=InnoDB"},
    {{.kind = OBJECT_PACKAGE,
      .schema = "shop",
      .name = "till",
      .definer = "root@localhost",
      .sql_mode = SAMPLE_ORACLE,
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .db_collation = "utf8mb4_general_ci"},
     "CREATE DEFINER=\"root\"@\"localhost\" PACKAGE \"till\" AS\n  FUNCTION total RETURN INT;\nEND"},
    {{.kind = OBJECT_PACKAGE_BODY,
      .schema = "shop",
      .name = "till",
      .definer = "root@localhost",
      .sql_mode = SAMPLE_ORACLE,
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .db_collation = "utf8mb4_general_ci"},
     "CREATE DEFINER=\"root\"@\"localhost\" PACKAGE BODY \"till\" AS\n"
     "  FUNCTION total RETURN INT AS BEGIN RETURN 1; END;\nEND"},
    {{.kind = OBJECT_FUNCTION,
      .schema = SAMPLE_WEIRD_SCHEMA,
      .name = "f\xC3\xA9 ;;",
      .definer = "a`b@%",
      .sql_mode = "",
      .charset = "latin1",
      .collation = "latin1_german1_ci",
      .db_collation = "latin1_german2_ci"},
     "CREATE DEFINER=`a``b`@`%` FUNCTION `f\xE9 ;;`() RETURNS varchar(9) CHARSET latin1 COLLATE latin1_swedish_ci\n"
     "    DETERMINISTIC\nRETURN '\xE9;1;\n;;\n'"},
    {{.kind = OBJECT_PROCEDURE,
      .schema = "shop",
      .name = "close",
      .definer = "root@localhost",
      .sql_mode = "NO_BACKSLASH_ESCAPES",
      .charset = "utf8mb4",
      .collation = "utf8mb4_unicode_ci",
      .db_collation = "utf8mb4_general_ci"},
     "CREATE DEFINER=`root`@`localhost` PROCEDURE `close`(OUT n INT)\nBEGIN\n  SET n = 1; -- it's \\\n  SELECT '\\';\nEND"},
    {{.kind = OBJECT_VIEW,
      .schema = "shop",
      .name = "paid",
      .definer = "root@localhost",
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .use_count = 1,
      .uses = sample_uses},
     "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `paid` AS select "
     "`orders`.`id` AS `id` from `orders` where `orders`.`state` = 'paid'"},
    {{.kind = OBJECT_VIEW,
      .schema = "shop",
      .name = "broken",
      .definer = "root@localhost",
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .broken = true},
     "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `broken` AS select "
     "`shop`.`gone`.`id` AS `id` from `gone`"},
    {{.kind = OBJECT_TRIGGER,
      .schema = "shop",
      .name = "audit",
      .definer = "root@localhost",
      .sql_mode = "STRICT_TRANS_TABLES",
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .db_collation = "utf8mb4_general_ci",
      .table = "orders",
      .timing = "AFTER",
      .action = "UPDATE",
      .order = 1},
     "CREATE DEFINER=`root`@`localhost` TRIGGER audit AFTER UPDATE ON orders FOR EACH ROW SET @audit = OLD.id"},
    {{.kind = OBJECT_EVENT,
      .schema = "shop",
      .name = "nightly",
      .definer = "root@localhost",
      .sql_mode = "",
      .charset = "utf8mb4",
      .collation = "utf8mb4_general_ci",
      .db_collation = "utf8mb4_general_ci",
      .time_zone = "+05:30",
      .state = EVENT_REPLICA_DISABLED},
     "CREATE DEFINER=`root`@`localhost` EVENT `nightly` ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' ON "
     "COMPLETION NOT PRESERVE DISABLE ON SLAVE DO DO 1"},
};
#define SAMPLE_OBJECTS (sizeof sample_objects / sizeof sample_objects[0])

static inline void sample_describe_objects(struct manifest *m)
{
    m->object_count = SAMPLE_OBJECTS;
    m->objects = arena_calloc(m->arena, SAMPLE_OBJECTS, sizeof *m->objects);
    for (unsigned i = 0; i < SAMPLE_OBJECTS; i++) {
        char sha256[SHA256_HEX_BYTES];
        struct manifest_object *o = &m->objects[i];
        *o = sample_objects[i].object;
        o->number = i + 1;
        o->dir = archive_slug(m->arena, i + 1, o->name);
        digest_of(sample_objects[i].definition, strlen(sample_objects[i].definition), sha256);
        o->ddl_sha256 = arena_strdup(m->arena, sha256);
    }
}

static inline void sample_write_objects(struct archive_writer *w, const struct manifest *m)
{
    struct err err;
    struct buf path, text;
    buf_init(&path, 1000);
    buf_init(&text, 1000000);
    for (unsigned i = 0; i < m->object_count; i++) {
        const char *definition = sample_objects[i].definition;
        struct manifest_member member = {.kind = MEMBER_OBJECT, .object = i + 1};
        buf_clear(&path);
        buf_clear(&text);
        archive_object_path(&m->objects[i], &path);
        member.path = buf_cstr(&path);
        const char *collation =
            strcmp(m->objects[i].schema, "shop") == 0 ? "utf8mb4_general_ci" : "latin1_swedish_ci";
        if (archive_object_sql(&m->objects[i], collation, definition, strlen(definition), &text, &err) != ERR_OK ||
            archive_writer_add(w, &member, text.data, text.len, &err) != ERR_OK)
            abort();
    }
    buf_free(&path);
    buf_free(&text);
}

#endif
