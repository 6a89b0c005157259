/*
 * What both ways of a rollback share (used by rollback.c and rollback_instance.c only): the point and its
 * archive, what will be lost, the question.
 */
#ifndef DBSAFE_RECOVERY_ROLLBACK_SHARED_H
#define DBSAFE_RECOVERY_ROLLBACK_SHARED_H

#include "core/arena.h"
#include "recovery/rollback.h"

struct rollback {
    const struct run *run;
    const struct db_params *db;
    const struct point_stores *stores;
    const struct rollback_request *request;
    struct rollback_result *out;
    struct arena *arena;
    struct source *source; /* the point's archive */
    bool pending;          /* a dead run's restore of it stands on the server */
    bool was_swapped;      /* and had exchanged the tables */
};

enum err_code rollback_open_point(struct rollback *r, struct err *err);
enum err_code rollback_open_archive(struct rollback *r, struct err *err);
/* Compares the live tables with the point: out->changes, tables_changed, strangers, needed. */
enum err_code rollback_compare(struct rollback *r, struct err *err);
enum err_code rollback_ask(struct rollback *r, struct err *err);
/* Writes the point's tables, as they are now, into the file that was asked for, if one was: out->export.  A
 * file that is there already counts if it holds them; ERR_REFUSED else. */
enum err_code rollback_export_changes(struct rollback *r, struct err *err);
/* Whether a restore of the archive of that name, which a dead run did not finish, stands on the server. */
enum err_code rollback_look_for_pending(const struct run *run, const struct db_params *db,
                                        const char *archive_name, bool *pending, struct err *err);
/* Tables that a comparison found different. */
unsigned rollback_count_tables(const struct verify_result *v);
/* Options of a restore as the request says them. */
struct restore_options rollback_restore_options(const struct rollback_request *q, const char *archive_name,
                                                bool pending);

/* The way by a new instance of the point's snapshot (rollback_instance.c). */
enum err_code rollback_by_instance(struct rollback *r, struct err *err);

#endif
