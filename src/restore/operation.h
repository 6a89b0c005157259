/*
 * What one restore or one undo does to the live databases, as plain data: swap_plan.h makes it, journal.h
 * keeps it on the server, steps.h carries it out.  Strings live in the arena of whoever made or read it.
 */
#ifndef DBSAFE_RESTORE_OPERATION_H
#define DBSAFE_RESTORE_OPERATION_H

#include "archive/manifest.h"
#include "core/run.h"

#include <stdbool.h>
#include <stdint.h>

#define OPERATION_ID_BYTES 40

enum exchange_kind { EXCHANGE_TABLE, EXCHANGE_SEQUENCE };

/* One table or sequence that the swap's RENAME puts in the place of another.  At rest it has its own name in
 * each of the schemas; while it is exchanged, see operation_incoming and operation_outgoing. */
struct exchange {
    enum exchange_kind kind;
    const char *schema, *name;   /* the live one */
    const char *incoming_schema; /* where its new content stands; NULL: nothing comes in */
    const char *outgoing_schema; /* where its old content goes; NULL: there is none */
    /* The live sequence is an empty one that this operation made, because defaults of tables name it: it goes
     * to a staging schema and is not kept. */
    bool placeholder;
    /* By the plan.  A table with triggers cannot be renamed into another schema: */
    bool parks_in;  /* its new content comes in by way of the live schema, where it gets its triggers */
    bool parks_out; /* its old content stays in the live schema until it has lost its own */
};

/* An object that is no table, as it is created. */
struct definition {
    struct manifest_object object; /* its names are the live ones; number, dir and digest mean nothing */
    const char *text;              /* in object.charset; NULL: there is no such object */
    size_t bytes;
};

/* A foreign key that does more than to stay between two exchanged tables. */
enum key_role {
    KEY_INSIDE, /* of an incoming table; its name is taken until the old table has left the live schema */
    KEY_JOIN,   /* of an incoming table, to a parent that is not exchanged: added behind the swap */
    KEY_LEAVE,  /* of an outgoing table, to such a parent: dropped behind the swap, kept for undo */
    KEY_CHILD,  /* of a table that is not exchanged, to an exchanged one: made to refer to the new one */
    KEY_ROLES
};
struct foreign_key {
    enum key_role role;
    unsigned exchange;                       /* the table that has the key; KEY_CHILD: its parent */
    const char *schema, *name;               /* of the table that has the key; KEY_CHILD alone needs them */
    const char *constraint;                  /* its name */
    const char *temporary;                   /* its name while the other is taken; NULL: never needed */
    const char *parent_schema, *parent_name; /* the live parent */
    const char *columns, *parent_columns;    /* "`a`, `b`" */
    const char *actions;                     /* "ON DELETE CASCADE"; "" */
    bool parent_missing;                     /* there is no such table: it was made without checks */
};

/* The defaults of a live schema.  charset NULL: there is no such schema. */
struct schema_defaults {
    const char *charset, *collation, *comment;
};
struct schema_change {
    const char *schema;
    struct schema_defaults before, after; /* after without charset: it goes if nothing is left in it */
    bool keeps;                           /* before the plan: it stays as it is, and after is not known yet */
};

/* In the order of a plan. */
enum step_kind {
    STEP_MAKE_SCHEMA, /* subject: schema change */
    STEP_RENAME_KEYS, /* subject: exchange, as in all below that say nothing else */
    STEP_PARK,
    STEP_MAKE_TRIGGERS,
    STEP_MAKE_OBJECT, /* subject: definition in made */
    STEP_SWAP,        /* no subject; what stands before it is taken back when it fails */
    STEP_LEAVE_PARENTS,
    STEP_JOIN_PARENTS,
    STEP_MOVE_CHILD, /* subject: key */
    STEP_DROP_TRIGGERS,
    STEP_NAME_TRIGGERS,
    STEP_MOVE_OUT,
    STEP_NAME_KEYS,
    STEP_REPLACE_OBJECT, /* subject: definition in made */
    STEP_DROP_OBJECT,    /* subject: definition in made */
    STEP_SET_SCHEMA,     /* subject: schema change */
    STEP_CHECK,          /* no subject */
    STEP_KINDS
};
struct step {
    enum step_kind kind;
    unsigned subject;
    bool done;
    const char *what; /* in plain words */
};

enum operation_state {
    OPERATION_LOADING,  /* staging is being filled */
    OPERATION_VERIFIED, /* staging is complete: only the swap is missing */
    OPERATION_SWAPPED,
    OPERATION_UNDONE,
    OPERATION_STATES
};

struct operation {
    char id[OPERATION_ID_BYTES];
    bool is_undo;
    const char *undoes;      /* the id that an undo put back; NULL */
    const char *archive;     /* name; may be "" */
    const char *archive_run; /* the run that dumped it, which no other archive has; NULL: not known yet */
    const char *server; /* version text of the server that printed the objects' definitions; NULL: this one */
    enum operation_state state;
    bool swapped;       /* the marker says done, whatever the state says */
    bool unknown;       /* the swap may have been done or not: the server could not be asked */
    bool unfinished;    /* swapped, but some of its own remains could not be removed */
    int64_t swapped_ms; /* wall clock; 0: not yet */
    bool drop_old;      /* --if-exists drop: the outgoing tables are dropped after the swap */
    bool verified;      /* content checksums were compared */
    const char *wishes; /* what of the command line decides the exchange, in its own form; NULL: not known */
    uint64_t rows;
    unsigned exchange_count;
    struct exchange *exchanges;
    unsigned schema_count;
    const char **schemas; /* staging and undo schemas that this operation made */
    const char *owner;    /* the process, as core/process.h writes it */
    /* the server's start, seconds since 1970: its connection ids are of this life */
    const char *server_start;

    /* What comes besides the tables, known before the plan: triggers in their order, programs, views and
     * events as they can be created.  Without a text: the object is to go. */
    unsigned made_count;
    struct definition *made;
    unsigned schema_change_count;
    struct schema_change *schema_changes;

    /* The rest is the plan's, but for KEY_JOIN, which is known before. */
    unsigned kept_count; /* what stood there before, for undo: all triggers of outgoing tables; and of made
                            whatever is replaced, made or dropped, without a text where there was none */
    struct definition *kept;
    unsigned key_count;
    struct foreign_key *keys;
    unsigned step_count;
    struct step *steps;
};

/* "<YYYYMMDD>t<hhmmss><milliseconds>_<4 hex>": sorts by time, unique enough for schema names. */
void operation_make_id(const struct run *run, char out[OPERATION_ID_BYTES]);
const char *operation_state_name(enum operation_state s);
/* "park"; and back, STEP_KINDS for a word that means none. */
const char *step_kind_name(enum step_kind kind);
enum step_kind step_kind_parse(const char *name);
/* "join"; and back. */
const char *key_role_name(enum key_role role);
enum key_role key_role_parse(const char *name);

/* A name of our own in a schema that is not: what is "new", "old", "key" or "trigger", and a number. */
#define OWN_NAME_BYTES 65
void operation_own_name(const struct operation *op, const char *what, unsigned number,
                        char out[OWN_NAME_BYTES]);
/* Where an exchange's new and old content stand around the swap, quoted: `schema`.`name`. */
void operation_incoming(const struct operation *op, unsigned exchange, struct buf *out);
void operation_outgoing(const struct operation *op, unsigned exchange, struct buf *out);
/* A sequence that goes and has no successor stays until all tables are settled: the server changes none whose
 * default names a sequence that is not there. */
bool exchange_is_late(const struct exchange *x);
/* The exchange of a live table or sequence, or -1. */
int operation_find(const struct operation *op, const char *schema, const char *name);
/* Whether a definition is a trigger of an exchanged table. */
bool definition_is_of(const struct definition *d, const struct exchange *x);
/* How many of the exchanges are of tables; outgoing: only where one is there now.  Their names: "shop.orders,
 * shop.items and 57 more". */
unsigned operation_count_tables(const struct operation *op, bool outgoing);
void operation_name_tables(const struct operation *op, bool outgoing, struct buf *out);
/* "trigger shop.orders_log" */
void definition_describe(const struct definition *d, struct buf *out);

#endif
