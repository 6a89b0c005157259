/* dbsafe list: the archives of the store.  A damaged one is listed as such and never stops the list. */
#include "archive/name.h"
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME_NONE INT64_MIN

struct row {
    const char *name;
    uint64_t bytes;
    int64_t created_ms; /* TIME_NONE: not known */
    char label[LABEL_BYTES];
    bool readable;
    const char *trouble; /* one word, when not readable */
    char *reason;        /* the error, then; owned */
    unsigned tables;
    uint64_t rows;
    struct proof proof;
};

/* One word for why an archive's manifest could not be read. */
static const char *trouble_of(enum err_code code)
{
    switch (code) {
    case ERR_DAMAGED:
        return "damaged";
    case ERR_REFUSED:
        return "newer-format";
    default:
        return "unreadable";
    }
}

static void fill_from_manifest(struct row *r, struct store *store, const struct manifest *m)
{
    r->readable = true;
    r->created_ms = m->started_ms;
    r->tables = m->table_count;
    r->rows = m->rows;
    snprintf(r->label, sizeof r->label, "%s", m->label);
    r->proof = proof_read(store, r->name, m->run_id, r->bytes);
}

static enum err_code fill_row(const struct cli *cli, struct store *store, struct row *r, struct err *err)
{
    struct archive_name parsed;
    struct source *source = NULL;
    struct manifest *m = NULL;
    struct err why;
    r->created_ms = TIME_NONE;
    if (archive_name_parse(r->name, &parsed)) {
        r->created_ms = parsed.created_ms;
        memcpy(r->label, parsed.label, sizeof r->label);
    }
    enum err_code code = cancel_check(cli->run->cancel, err);
    if (code != ERR_OK)
        return code;
    code = store_open(store, r->name, &source, &why);
    if (code == ERR_OK)
        code = archive_read_manifest(source, &m, &why);
    if (code == ERR_OK)
        fill_from_manifest(r, store, m);
    else {
        r->trouble = trouble_of(code);
        r->reason = xstrdup(why.text);
    }
    manifest_free(m);
    source_free(source);
    return ERR_OK;
}

static void put_json_row(struct json_out *j, const struct row *r)
{
    char created[CLOCK_ISO_BYTES], proof[PROOF_TEXT_BYTES];
    json_out_object_open(j, NULL);
    json_out_string(j, "name", r->name);
    if (r->created_ms != TIME_NONE)
        clock_format_iso(r->created_ms, created);
    json_out_string(j, "created", r->created_ms == TIME_NONE ? NULL : created);
    json_out_uint(j, "bytes", r->bytes);
    json_out_string(j, "label", *r->label ? r->label : NULL);
    if (r->readable) {
        json_out_uint(j, "tables", r->tables);
        json_out_uint(j, "rows", r->rows);
    } else {
        json_out_null(j, "tables");
        json_out_null(j, "rows");
    }
    json_out_string(j, "proof", proof_text(&r->proof, proof));
    json_out_string(j, "state", r->readable ? "readable" : r->trouble);
    json_out_string(j, "reason", r->reason);
    json_out_object_close(j);
}

static enum err_code answer(struct cli *cli, const struct row *rows, size_t count, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_array_open(&j, "archives");
    for (size_t i = 0; i < count; i++)
        put_json_row(&j, &rows[i]);
    json_out_array_close(&j);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

/* The cells of one row that are made, not borrowed. */
struct cells {
    char created[CLOCK_ISO_BYTES], tables[FIGURE_BYTES], rows[FIGURE_BYTES], size[FIGURE_BYTES];
    char proof[PROOF_TEXT_BYTES];
};

static void fill_cells(const struct row *r, struct cells *c, const char *out[7])
{
    strcpy(c->created, "-");
    strcpy(c->tables, "-");
    strcpy(c->rows, "-");
    if (r->created_ms != TIME_NONE)
        clock_format_iso(r->created_ms, c->created);
    if (r->readable) {
        figure_count(r->tables, c->tables);
        figure_count(r->rows, c->rows);
    }
    figure_bytes(r->bytes, c->size);
    const char *row[7] = {c->created, *r->label ? r->label : "-",
                          c->tables,  c->rows,
                          c->size,    r->readable ? proof_text(&r->proof, c->proof) : r->trouble,
                          r->name};
    memcpy(out, row, sizeof row);
}

static enum err_code print_rows(const struct row *rows, size_t count, struct err *err)
{
    enum { COLUMNS = 7 };
    static const char *const heading[COLUMNS] = {"CREATED", "LABEL", "TABLES", "ROWS",
                                                 "SIZE",    "PROOF", "NAME"};
    const char **cells = xcalloc((count + 1) * COLUMNS, sizeof *cells);
    struct cells *made = xcalloc(count + 1, sizeof *made);
    memcpy(cells, heading, sizeof heading);
    for (size_t i = 0; i < count; i++)
        fill_cells(&rows[i], &made[i], cells + (i + 1) * COLUMNS);
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    output_columns(&out, cells, count + 1, COLUMNS, 1u << 2 | 1u << 3 | 1u << 4);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    free(made);
    free(cells);
    return code;
}

/* Fills in the rows that --label lets through; *kept of them. */
static enum err_code read_rows(const struct cli *cli, struct store *store, const struct locate_names *names,
                               struct row *rows, size_t *kept, struct err *err)
{
    const char *label = options_text(cli->options, OPTION_LABEL);
    *kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        struct row *r = &rows[*kept];
        *r = (struct row){.name = names->items[i].name, .bytes = names->items[i].bytes};
        enum err_code code = fill_row(cli, store, r, err);
        if (code != ERR_OK)
            return code;
        if (label && strcmp(label, r->label) != 0) {
            free(r->reason);
            continue;
        }
        if (r->reason)
            log_warn(cli->run->log, "%s cannot be read: %s", r->name, r->reason);
        (*kept)++;
    }
    return ERR_OK;
}

static enum err_code show_store(struct cli *cli, struct store *store, struct err *err)
{
    struct locate_names names;
    size_t count = 0;
    enum err_code code = locate_names(store, &names, err);
    struct row *rows = xcalloc(names.count + 1, sizeof *rows);
    if (code == ERR_OK)
        code = read_rows(cli, store, &names, rows, &count, err);
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer(cli, rows, count, err);
    else if (code == ERR_OK && count > 0)
        code = print_rows(rows, count, err);
    else if (code == ERR_OK) {
        const char *label = options_text(cli->options, OPTION_LABEL);
        char *place = store_location(store, NULL);
        log_info(cli->run->log, "there is no archive%s%s in %s", label ? " with the label " : "",
                 label ? label : "", place);
        free(place);
    }
    for (size_t i = 0; i < count; i++)
        free(rows[i].reason);
    free(rows);
    locate_names_free(&names);
    return code;
}

static enum err_code run_list(struct cli *cli, struct err *err)
{
    struct store *store;
    enum err_code code = locate_store(cli, false, &store, err);
    bool named = options_origin(cli->options, OPTION_STORE) != ORIGIN_NONE;
    if (code == ERR_NOT_FOUND && !named) { /* nothing was ever dumped into the default store */
        log_info(cli->run->log, "there is no archive yet");
        return options_flag(cli->options, OPTION_JSON) ? answer(cli, NULL, 0, err) : ERR_OK;
    }
    if (code != ERR_OK)
        return code;
    code = show_store(cli, store, err);
    store_free(store);
    return code;
}

const struct command command_list = {
    .id = COMMAND_LIST,
    .name = "list",
    .operands = "",
    .summary = "the archives in the store",
    .description =
        "Shows the archives in the store, the oldest first: when they were taken, label, tables, rows, size, "
        "and what"
        " was proved of each: none, bytes (verified) or restored (its rows were compared, after a restore or "
        "in a drill).",
    .run = run_list,
};
