/*
 * The stores that recovery points live in: the archives' own, and "points" below it.
 * Main thread only.
 */
#ifndef DBSAFE_CLI_POINTS_H
#define DBSAFE_CLI_POINTS_H

#include "cli/command.h"
#include "core/buf.h"
#include "recovery/point.h"
#include "recovery/snapshots.h"

struct points {
    const struct cli *cli;
    struct point_stores stores; /* points is NULL when there are none yet, and make was not asked for */
    char *url;                  /* of the points */
    struct recovery_snapshots *snapshots; /* owned; asks AWS only when it is used */
};

/* Release with points_close, on failure too. */
enum err_code points_open(const struct cli *cli, bool make, struct points *out, struct err *err);
void points_close(struct points *p);
/* points_open for a command that needs a point of that name: ERR_NOT_FOUND where there are none at all. */
enum err_code points_open_for(const struct cli *cli, const char *name, struct points *out, struct err *err);

/* "user@host": who runs this, by SUDO_USER for root. */
char *points_person(const struct cli *cli);

/* The lines that describe a point to people. */
void points_put_text(struct buf *out, const struct point *p, const char *archive);
/* What is known of how long a rollback by way of an instance takes; of a point with a snapshot. */
void points_put_instance_time(struct buf *out, const struct point *p);

#endif
