/*
 * The journal of a rollback by way of an instance: <point>~instance.json, beside the point's record.  It is
 * written before each step that it speaks of, so that the same command goes on, whatever ended the run
 * before, and so that people can read which instance has which name.  No pointers; copied freely.
 */
#ifndef DBSAFE_RECOVERY_ROLLBACK_JOURNAL_H
#define DBSAFE_RECOVERY_ROLLBACK_JOURNAL_H

#include "core/json_out.h"
#include "core/process.h"
#include "core/store.h"
#include "rds/thing.h"

#define ROLLBACK_COPY_BYTES        128
#define ROLLBACK_COPY_TABLES_BYTES 4096
#define ROLLBACK_SERVED_BYTES      2048

struct rollback_journal {
    char owner[PROCESS_TEXT_BYTES]; /* the process that works on it; "": none */
    char snapshot[RDS_ID_BYTES];
    bool cluster;
    char name[RDS_ID_BYTES], resource[RDS_WORD_BYTES]; /* the live one */
    char to[RDS_ID_BYTES];                             /* the new one's own name */
    char to_resource[RDS_WORD_BYTES];                  /* ""; once it is there */
    char old_name[RDS_ID_BYTES];        /* that the live one gets in a cut-over; "": none was begun */
    char served[ROLLBACK_SERVED_BYTES]; /* resources of new ones that had the live one's name, by spaces */
    char copy[ROLLBACK_COPY_BYTES]; /* of the new one's tables, in the store of points: whole or not there */
    char copy_tables[ROLLBACK_COPY_TABLES_BYTES]; /* the further tables in it, as they were asked for */
    bool loaded;                                  /* the archive's tables are in the new one */
    bool finished;
};

/* ERR_NOT_FOUND when there is none of that point; ERR_DAMAGED, ERR_REFUSED for a newer form. */
enum err_code rollback_journal_get(struct store *points, const char *point, struct rollback_journal *out,
                                   struct err *err);
enum err_code rollback_journal_put(struct store *points, const char *point, const struct rollback_journal *j,
                                   struct err *err);
/* ERR_OK when there is none either. */
enum err_code rollback_journal_forget(struct store *points, const char *point, struct err *err);

#endif
