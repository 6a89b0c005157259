#include "cli/snapshot_answer.h"

#include "cli/output.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wants_json(const struct cli *cli)
{
    return options_flag(cli->options, OPTION_JSON);
}

static const char *kind_word(enum rds_kind kind)
{
    return kind == RDS_CLUSTER || kind == RDS_CLUSTER_SNAPSHOT ? "cluster" : "instance";
}

static const char *or_null(const char *text)
{
    return *text != '\0' ? text : NULL;
}

void snapshot_put_json(struct json_out *j, const struct rds_snapshot *s)
{
    char created[CLOCK_ISO_BYTES];
    clock_format_iso(s->created_ms, created);
    json_out_string(j, "snapshot", s->id);
    json_out_string(j, "arn", or_null(s->arn));
    json_out_string(j, "kind", kind_word(s->kind));
    json_out_string(j, "source", or_null(s->source));
    json_out_string(j, "type", or_null(s->type));
    json_out_string(j, "status", or_null(s->status));
    json_out_uint(j, "percent", s->percent);
    json_out_string(j, "created", s->created_ms != 0 ? created : NULL);
    json_out_string(j, "engine", or_null(s->engine));
    json_out_string(j, "engine_version", or_null(s->engine_version));
    json_out_uint(j, "allocated_gib", s->allocated_gib);
    json_out_bool(j, "encrypted", s->encrypted);
    json_out_string(j, "point", or_null(s->tags.point));
    json_out_bool(j, "by_dbsafe", s->tags.created[0] != '\0');
}

/* Ends the answer that is being written with what every one has. */
static enum err_code end_answer(struct cli *cli, struct json_out *j, struct buf *out, struct err *err)
{
    json_out_fixed3(j, "seconds", output_elapsed_ms(cli));
    json_out_bool(j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    return output_answer(cli, j, out, err);
}

enum err_code snapshot_answer(struct cli *cli, const struct rds_snapshot *s, const bool *resumed,
                              const bool *deleted, struct err *err)
{
    struct buf out;
    struct json_out j;
    enum err_code code;
    buf_init(&out, OUTPUT_MAX_BYTES);
    if (wants_json(cli)) {
        json_out_begin(&j, &out, 0);
        json_out_object_open(&j, NULL);
        snapshot_put_json(&j, s);
        if (resumed != NULL)
            json_out_bool(&j, "resumed", *resumed);
        if (deleted != NULL)
            json_out_bool(&j, "deleted", *deleted);
        code = end_answer(cli, &j, &out, err);
    } else {
        output_line(&out, "%s", s->id);
        code = output_write(STDOUT_FILENO, &out, err);
    }
    buf_free(&out);
    return code;
}

/* ---- list ---- */

static enum err_code print_list(const struct rds_snapshots *list, struct err *err)
{
    enum { COLUMNS = 8 };
    static const char *const heading[COLUMNS] = {"SNAPSHOT", "OF",      "KIND", "TYPE",
                                                 "STATUS",   "CREATED", "GIB",  "POINT"};
    const char **cells = xcalloc((list->count + 1) * COLUMNS, sizeof *cells);
    struct {
        char created[CLOCK_ISO_BYTES], status[RDS_WORD_BYTES + 8], gib[24];
    } *texts = xcalloc(list->count + 1, sizeof *texts);
    memcpy(cells, heading, sizeof heading);
    for (size_t i = 0; i < list->count; i++) {
        const struct rds_snapshot *s = &list->items[i];
        bool pending = rds_phase_of(s->kind, s->status) == RDS_PENDING;
        clock_format_iso(s->created_ms, texts[i].created);
        snprintf(texts[i].gib, sizeof texts[i].gib, "%llu", (unsigned long long)s->allocated_gib);
        if (pending)
            snprintf(texts[i].status, sizeof texts[i].status, "%s %u%%", s->status, s->percent);
        const char *row[COLUMNS] = {s->id,
                                    s->source,
                                    kind_word(s->kind),
                                    s->type,
                                    pending ? texts[i].status : s->status,
                                    s->created_ms != 0 ? texts[i].created : "-",
                                    texts[i].gib,
                                    s->tags.point[0] != '\0' ? s->tags.point : "-"};
        memcpy(cells + (i + 1) * COLUMNS, row, sizeof row);
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    output_columns(&out, cells, list->count + 1, COLUMNS, 1u << 6);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    free(texts);
    free(cells);
    return code;
}

enum err_code snapshot_answer_list(struct cli *cli, const struct rds_snapshots *list, struct err *err)
{
    struct buf out;
    struct json_out j;
    if (!wants_json(cli) && list->count == 0)
        log_info(cli->run->log, "there is no snapshot");
    if (!wants_json(cli))
        return list->count > 0 ? print_list(list, err) : ERR_OK;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_array_open(&j, "snapshots");
    for (size_t i = 0; i < list->count; i++) {
        json_out_object_open(&j, NULL);
        snapshot_put_json(&j, &list->items[i]);
        json_out_object_close(&j);
    }
    json_out_array_close(&j);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

/* ---- restore ---- */

static void put_differences(struct json_out *j, const struct rds_restored *r)
{
    json_out_array_open(j, "differences");
    for (size_t i = 0; i < r->difference_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "where", r->differences[i].where);
        json_out_string(j, "setting", r->differences[i].name);
        json_out_string(j, "source", or_null(r->differences[i].source));
        json_out_string(j, "restored", or_null(r->differences[i].restored));
        json_out_object_close(j);
    }
    json_out_array_close(j);
    json_out_array_open(j, "notices");
    for (size_t i = 0; i < r->notice_count; i++)
        json_out_string(j, NULL, r->notices[i]);
    json_out_array_close(j);
}

static void log_restored(struct log *log, const struct rds_restored *r)
{
    const struct rds_database *d = &r->database;
    for (size_t i = 0; i < r->difference_count; i++) {
        const struct rds_difference *x = &r->differences[i];
        log_warn(log, "%s: %s is '%s', at the source '%s'", x->where, x->name, x->restored, x->source);
    }
    for (size_t i = 0; i < r->notice_count; i++)
        log_warn(log, "%s", r->notices[i]);
    log_info(log, "the %s %s is available at %s:%u; what is read for the first time comes slowly, from S3",
             kind_word(d->kind), d->id, d->address, d->port);
}

enum err_code snapshot_answer_restore(struct cli *cli, const char *from, const struct rds_restored *r,
                                      struct err *err)
{
    struct buf out;
    struct json_out j;
    const struct rds_database *d = &r->database;
    enum err_code code;
    if (!options_flag(cli->options, OPTION_DRY_RUN))
        log_restored(cli->run->log, r);
    buf_init(&out, OUTPUT_MAX_BYTES);
    if (wants_json(cli)) {
        json_out_begin(&j, &out, 0);
        json_out_object_open(&j, NULL);
        json_out_string(&j, "from", from);
        json_out_string(&j, "kind", kind_word(d->kind));
        json_out_string(&j, "instance", d->id);
        json_out_string(&j, "resource_id", or_null(d->resource_id));
        json_out_string(&j, "status", or_null(d->status));
        json_out_string(&j, "address", or_null(d->address));
        json_out_uint(&j, "port", d->port);
        json_out_array_open(&j, "members");
        for (unsigned i = 0; i < d->member_count; i++)
            json_out_string(&j, NULL, d->members[i].id);
        json_out_array_close(&j);
        json_out_bool(&j, "resumed", r->resumed);
        put_differences(&j, r);
        code = end_answer(cli, &j, &out, err);
    } else {
        if (d->address[0] != '\0')
            output_line(&out, "%s:%u", d->address, d->port);
        code = output_write(STDOUT_FILENO, &out, err);
    }
    buf_free(&out);
    return code;
}
