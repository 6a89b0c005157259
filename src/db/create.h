/*
 * The head of a CREATE statement of a view, routine, package, trigger or event, as a server prints it: finds
 * the pieces that have to be written anew when the object comes back with another definer, name, database or
 * state.  White space, comments, every way of quoting and the text's own character set are followed; bodies
 * are not looked into.  No state; any thread.
 */
#ifndef DBSAFE_DB_CREATE_H
#define DBSAFE_DB_CREATE_H

#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the statement; bytes 0: it has no such piece. */
struct create_piece {
    size_t at, bytes;
};

struct create_head {
    struct create_piece definer;    /* "`u`@`h`", "`role`" or CURRENT_USER, behind DEFINER= */
    struct create_piece name;       /* of the object, with its database where that stands before it */
    struct create_piece if_exists;  /* "OR REPLACE " or "IF NOT EXISTS ", as somebody typed it */
    struct create_piece table;      /* triggers: behind ON, with its database where that stands before it */
    struct create_piece completion; /* events: "NOT PRESERVE" or "PRESERVE" */
    struct create_piece state;      /* events: "ENABLE", "DISABLE" or "DISABLE ON SLAVE" */
    bool ansi_quotes;               /* names are quoted by " */
};

/* kind: "view", "procedure", "function", "package", "package_body", "trigger", "event".  charset: the text's
 * (character_set_client of whoever made it).  sql_mode: its own, or NULL; decides what " quotes.  ERR_DB when
 * the text has not the form in which servers print it. */
enum err_code create_find(const char *kind, const char *text, size_t bytes, const char *charset,
                          const char *sql_mode, struct create_head *out, struct err *err);

/* Up to four pieces and what stands there instead. */
struct create_change {
    struct create_piece piece;
    const char *text; /* in the statement's character set */
    size_t bytes;
};
/* Writes the statement with its pieces changed; in whatever order they are given, they must not overlap. */
enum err_code create_rewrite(const char *text, size_t bytes, const struct create_change *changes,
                             unsigned count, struct buf *out, struct err *err);

/* Whether the statement, its body included, names that database: the name with a dot behind it, outside of
 * texts and comments. */
bool create_names_schema(const char *text, size_t bytes, const char *charset, const char *sql_mode,
                         const char *schema);
/* Whether a name in a statement stands with its database. */
bool create_is_qualified(const char *name, size_t bytes, const char *charset, const char *sql_mode);

/* What becomes of definers. */
enum definer_choice { DEFINER_KEEP, DEFINER_CURRENT, DEFINER_ACCOUNT };
struct definer_rule {
    enum definer_choice choice;
    const char *user, *host; /* for DEFINER_ACCOUNT */
};
/* Reads "keep", "current" or "user@host" (the last @ parts; either may be in 'quotes' or `backticks`); the
 * strings are written into given, which is changed and must outlive the rule.  ERR_USAGE. */
enum err_code definer_parse(char *given, struct definer_rule *out, struct err *err);
/* What the statement shall have behind DEFINER=, quoted by backticks (which both families read whatever the
 * sql_mode): false for DEFINER_KEEP, where it stays as it is. */
bool definer_write(const struct definer_rule *rule, struct buf *out);

/* Whether a function promises what a binary log wants of it before it takes it on trust: DETERMINISTIC, NO
 * SQL or READS SQL DATA, each on a line of its own as servers print it (the same word in a body or a comment
 * of one line promises nothing). */
bool create_function_promises(const char *text, size_t bytes);

#endif
