/* dbsafe show: what is in an archive. */
#include "archive/manifest.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_line(struct buf *out, const char *what, const char *value)
{
    output_line(out, "%-12s %s", what, value);
}

static void put_head(struct buf *out, const struct located *archive, const struct manifest *m)
{
    char when[CLOCK_ISO_BYTES], tables[FIGURE_BYTES], size[FIGURE_BYTES], plain[FIGURE_BYTES],
        rows[FIGURE_BYTES], objects[FIGURE_BYTES], proof[PROOF_TEXT_BYTES];
    clock_format_iso(m->snapshot_ms, when);
    put_line(out, "archive", archive->path);
    put_line(out, "label", m->label);
    output_line(out, "%-12s dbsafe %s, run %s, format %u", "written by", m->tool_version, m->run_id,
                m->format);
    output_line(out, "%-12s %s (%s), sql_mode '%s', time zone %s", "server", m->server.version,
                m->server.flavour, m->server.sql_mode, m->server.time_zone);
    put_line(out, "as of", when);
    output_line(out, "%-12s %s: %s", "consistency", m->consistency.method, m->consistency.proof);
    if (m->consistency.gtid)
        put_line(out, "gtid", m->consistency.gtid);
    if (m->consistency.worker_count && *m->consistency.workers[0].binlog_file)
        output_line(out, "%-12s %s:%llu", "binlog", m->consistency.workers[0].binlog_file,
                    (unsigned long long)m->consistency.workers[0].binlog_position);
    buf_putf(out, "%-12s %s, %s, %s, %s of text", "content", figure_of(m->table_count, "table", tables),
             figure_of(m->rows, "row", rows), figure_of(m->object_count, "other object", objects),
             figure_bytes(m->plain_bytes, plain));
    if (archive->source->seekable)
        buf_putf(out, " in %s", figure_bytes(archive->source->size, size));
    buf_put(out, "\n");
    if (archive->store) {
        struct proof p = proof_read(archive->store, archive->name, m->run_id, archive->source->size);
        put_line(out, "proof", proof_text(&p, proof));
    }
}

struct cells {
    char *name;
    char rows[FIGURE_BYTES], plain[FIGURE_BYTES], stored[FIGURE_BYTES], checksum[ROWSUM_HEX_BYTES];
};

static void put_tables(struct buf *out, const struct manifest *m)
{
    enum { COLUMNS = 7 };
    static const char *const heading[COLUMNS] = {"TABLE", "ENGINE",          "ROWS", "TEXT", "STORED",
                                                 "KEY",   "CONTENT CHECKSUM"};
    const char **cells = xcalloc(((size_t)m->table_count + 1) * COLUMNS, sizeof *cells);
    struct cells *made = xcalloc((size_t)m->table_count + 1, sizeof *made);
    memcpy(cells, heading, sizeof heading);
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        struct cells *c = &made[i];
        c->name = xasprintf("%s.%s", t->schema, t->name);
        rowsum_format(t->checksum, c->checksum);
        const char *row[COLUMNS] = {c->name,
                                    t->engine,
                                    figure_count(t->rows, c->rows),
                                    figure_bytes(t->plain_bytes, c->plain),
                                    figure_bytes(t->stored_bytes, c->stored),
                                    t->key.name ? t->key.name : "-",
                                    c->checksum};
        memcpy(cells + (i + 1) * (size_t)COLUMNS, row, sizeof row);
    }
    output_columns(out, cells, (size_t)m->table_count + 1, COLUMNS, 1u << 2 | 1u << 3 | 1u << 4);
    for (unsigned i = 0; i < m->table_count; i++)
        free(made[i].name);
    free(made);
    free(cells);
}

static void put_objects(struct buf *out, const struct manifest *m)
{
    enum { COLUMNS = 3 };
    static const char *const heading[COLUMNS] = {"KIND", "OBJECT", "DEFINER"};
    const char **cells = xcalloc(((size_t)m->object_count + 1) * COLUMNS, sizeof *cells);
    char **names = xcalloc((size_t)m->object_count + 1, sizeof *names);
    memcpy(cells, heading, sizeof heading);
    for (unsigned i = 0; i < m->object_count; i++) {
        const struct manifest_object *o = &m->objects[i];
        names[i] = o->table ? xasprintf("%s.%s on %s", o->schema, o->name, o->table)
                            : xasprintf("%s.%s", o->schema, o->name);
        const char *row[COLUMNS] = {object_kind_name(o->kind), names[i], o->definer ? o->definer : "-"};
        memcpy(cells + (i + 1) * (size_t)COLUMNS, row, sizeof row);
    }
    output_columns(out, cells, (size_t)m->object_count + 1, COLUMNS, 0);
    for (unsigned i = 0; i < m->object_count; i++)
        free(names[i]);
    free(names);
    free(cells);
}

static enum err_code print(const struct located *archive, const struct manifest *m, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    put_head(&out, archive, m);
    for (unsigned i = 0; i < m->warning_count; i++)
        output_line(&out, "%-12s %s: %s", "warning", m->warnings[i].object, m->warnings[i].text);
    buf_put(&out, "\n");
    put_tables(&out, m);
    if (m->object_count) {
        buf_put(&out, "\n");
        put_objects(&out, m);
    }
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

/* The manifest itself is the JSON result. */
static enum err_code answer(struct cli *cli, const struct manifest *m, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    enum err_code code = manifest_write(m, &out, err);
    if (code == ERR_OK && (out.len == 0 || out.data[out.len - 1] != '\n'))
        code = buf_addc(&out, '\n', err);
    if (code == ERR_OK) {
        cli->answered = true;
        code = output_write(STDOUT_FILENO, &out, err);
    }
    buf_free(&out);
    return code;
}

static enum err_code run_show(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *argument = options_operands(cli->options, &count)[0];
    struct located archive;
    struct manifest *m = NULL;
    enum err_code code = locate_archive(cli, argument, NULL, 0, &archive, err);
    if (code == ERR_OK)
        code = locate_manifest(archive.source, &m, err);
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer(cli, m, err);
    else if (code == ERR_OK)
        code = print(&archive, m, err);
    manifest_free(m);
    located_free(&archive);
    return code;
}

const struct command command_show = {
    .id = COMMAND_SHOW,
    .name = "show",
    .operands = "ARCHIVE",
    .summary = "what is in an archive",
    .description = "Shows where and when the archive was taken, how all its tables came to be of one moment, "
                   "and each table with"
                   " rows, sizes and content checksum, and every other object. With --json it prints the "
                   "manifest.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_show,
};
