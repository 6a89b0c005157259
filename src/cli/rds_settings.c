#include "cli/rds_settings.h"

#include "cli/output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_EVERY_MS 60000
#define TEST_POLL_MS  100

static void put_duration(int64_t ms, char out[FIGURE_BYTES])
{
    figure_duration((uint64_t)(ms / 1000), out);
}

static void put_line(const struct rds_news *n, char *line, size_t bytes)
{
    char elapsed[FIGURE_BYTES], left[FIGURE_BYTES];
    put_duration(n->elapsed_ms, elapsed);
    int used = snprintf(line, bytes, "%s %s: %s", rds_kind_name(n->kind), n->id, n->status);
    if (n->percent >= 0 && used > 0 && (size_t)used < bytes)
        used += snprintf(line + used, bytes - (size_t)used, ", %d %%", n->percent);
    if (used > 0 && (size_t)used < bytes)
        used += snprintf(line + used, bytes - (size_t)used, ", %s", elapsed);
    if (n->remaining_ms > 0 && used > 0 && (size_t)used < bytes) {
        put_duration(n->remaining_ms, left);
        snprintf(line + used, bytes - (size_t)used, ", about %s left", left);
    }
}

/* A line at the bottom of the terminal for every look; in a log, one when the status changes and one a
 * minute. */
static void report(void *arg, const struct rds_news *n)
{
    struct rds_cli *r = arg;
    const struct run *run = r->cli->run;
    char line[PROGRESS_LINE_BYTES];
    put_line(n, line, sizeof line);
    int64_t now = clock_monotonic_ms(run->clock);
    if (r->mode == PROGRESS_BAR)
        log_status(run->log, rds_phase_of(n->kind, n->status) == RDS_READY ? "" : line);
    if (n->changed || (r->mode == PROGRESS_LINES && now - r->shown_ms >= LINE_EVERY_MS)) {
        r->shown_ms = now;
        log_info(run->log, "%s", line);
    }
}

/* What --poll-interval says in milliseconds; 0: as src/rds does by itself. */
static int64_t read_poll_ms(const struct options *o)
{
    if (options_origin(o, OPTION_POLL_INTERVAL) == ORIGIN_NONE)
        return 0;
    int64_t ms = (int64_t)options_number(o, OPTION_POLL_INTERVAL) * 1000;
    return ms > 0 ? ms : TEST_POLL_MS;
}

enum err_code rds_settings_open(const struct cli *cli, struct rds_cli *out, struct err *err)
{
    const struct options *o = cli->options;
    int64_t poll_ms = read_poll_ms(o);
    *out = (struct rds_cli){
        .cli = cli,
        .aws = {.environment = cli->environment,
                .clock = cli->run->clock,
                .log = cli->run->log,
                .profile = options_text(o, OPTION_AWS_PROFILE),
                .region = options_text(o, OPTION_REGION),
                .ca_bundle = options_text(o, OPTION_CA_BUNDLE)},
        .options = {.snapshot_poll_ms = poll_ms,
                    .instance_poll_ms = poll_ms,
                    .limit_ms = (int64_t)options_number(o, OPTION_WAIT_LIMIT) * 60 * 1000,
                    .report = report,
                    .report_arg = out},
        .mode = progress_mode_of(options_text(o, OPTION_PROGRESS), isatty(STDERR_FILENO),
                                 strcmp(options_text(o, OPTION_LOG_FORMAT), "json") == 0),
        .shown_ms = clock_monotonic_ms(cli->run->clock),
    };
    return rds_open(cli->run, &out->aws, &out->options, &out->rds, err);
}

void rds_settings_close(struct rds_cli *r)
{
    log_status(r->cli->run->log, "");
    rds_free(r->rds);
    r->rds = NULL;
}
