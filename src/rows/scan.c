#include "rows/scan.h"

#include "core/fault.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"
#include "rows/encode.h"
#include "rows/range.h"
#include "rows/table_error.h"

#include <inttypes.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES      ((size_t)8 << 20)
#define KEY_TEXT_MAX_BYTES ((size_t)64 << 10)
/* One query reads about so much text: long enough that its start costs nothing, short enough that idle
 * workers get their half soon. */
#define QUERY_BYTES    ((uint64_t)24 << 20)
#define QUERY_ROWS_MIN 4
#define QUERY_ROWS_MAX 2000000
/* Halves of fewer rows are not worth a split, unless they weigh as much as a query. */
#define SPLIT_ROWS    2000
#define PROGRESS_ROWS 512

struct scan {
    const struct run *run;
    struct scan_table *tables;
    unsigned table_count;
    const struct scan_options *options;
    const struct scan_consumer *consumer;
    struct lock *lock;
    struct lock *big_row; /* the token for rows in pieces */
    struct {
        struct range **ranges; /* waiting; the largest is taken first */
        size_t range_count, range_cap;
        unsigned *open;  /* per table: ranges waiting or being read */
        unsigned idle;   /* workers that wait */
        unsigned active; /* workers that read */
    } locked;
};

struct worker {
    struct scan *scan;
    unsigned index;
    struct db_conn *conn;
    struct encoder *encoders; /* per table, made when first needed */
    struct buf text;
    /* the chunk being filled */
    struct scan_chunk chunk;
    struct buf key_first, key_last;
    struct buf last_key; /* length and bytes of each key column of the last row; empty when one is NULL */
    uint64_t reported;   /* rows of the chunk that progress has */
    /* what this worker read of the current range */
    uint64_t range_rows, range_bytes;
};

/* ---- the queue of ranges ---- */

static void push_range_locked(struct scan *s, struct range *r)
{
    if (s->locked.range_count == s->locked.range_cap) {
        s->locked.range_cap = s->locked.range_cap ? 2 * s->locked.range_cap : 64;
        s->locked.ranges = xreallocarray(s->locked.ranges, s->locked.range_cap, sizeof *s->locked.ranges);
    }
    s->locked.open[r->table]++;
    /* Ascending by size: the largest stands at the end, where it is taken. */
    size_t i = s->locked.range_count++;
    while (i > 0 && s->locked.ranges[i - 1]->rows_estimate > r->rows_estimate) {
        s->locked.ranges[i] = s->locked.ranges[i - 1];
        i--;
    }
    s->locked.ranges[i] = r;
}

static int by_size(const void *a, const void *b)
{
    const struct range *x = *(struct range *const *)a, *y = *(struct range *const *)b;
    return (x->rows_estimate > y->rows_estimate) - (x->rows_estimate < y->rows_estimate);
}

/* All tables' first ranges; sizes in bytes rank them, so that wide tables start early. */
static void queue_tables(struct scan *s)
{
    s->locked.ranges = xcalloc(2 * (size_t)s->table_count + 1, sizeof *s->locked.ranges);
    s->locked.range_cap = 2 * (size_t)s->table_count + 1;
    for (unsigned i = 0; i < s->table_count; i++) {
        const struct manifest_key *key = &s->tables[i].table->key;
        uint64_t rows = s->tables[i].rows_estimate;
        s->locked.ranges[s->locked.range_count++] = range_new(i, key->name ? RANGE_KEYS : RANGE_WHOLE, rows);
        if (key->name && key->nullable)
            s->locked.ranges[s->locked.range_count++] = range_new(i, RANGE_NULLS, rows / 2);
        s->locked.open[i] = key->name && key->nullable ? 2 : 1;
    }
    qsort(s->locked.ranges, s->locked.range_count, sizeof *s->locked.ranges, by_size);
}

/* The next range, or NULL when all is read or cancelled. */
static struct range *take_range(struct scan *s)
{
    struct range *r = NULL;
    lock_take(s->lock);
    while (s->locked.range_count == 0 && s->locked.active > 0 && !cancel_fired(s->run->cancel)) {
        s->locked.idle++;
        lock_wait(s->lock, 0);
        s->locked.idle--;
    }
    if (s->locked.range_count > 0 && !cancel_fired(s->run->cancel)) {
        r = s->locked.ranges[--s->locked.range_count];
        s->locked.active++;
    }
    lock_drop(s->lock);
    return r;
}

/* Adds a range's figures to its table; true when it was the table's last. */
static bool finish_range(struct worker *w, const struct range *r)
{
    struct scan *s = w->scan;
    lock_take(s->lock);
    bool last = --s->locked.open[r->table] == 0;
    s->locked.active--;
    if (s->locked.active == 0 || s->locked.range_count > 0)
        lock_wake_all(s->lock);
    lock_drop(s->lock);
    return last;
}

static bool others_wait(struct scan *s)
{
    lock_take(s->lock);
    bool wanted = s->locked.idle > s->locked.range_count;
    lock_drop(s->lock);
    return wanted;
}

static void wake(void *arg)
{
    /* Under the lock, or a worker between its look at the token and its wait would miss it. */
    lock_take(arg);
    lock_wake_all(arg);
    lock_drop(arg);
}

/* ---- chunks ---- */

static void report(struct worker *w)
{
    atomic_fetch_add(&w->scan->run->progress->rows, w->chunk.rows - w->reported);
    w->reported = w->chunk.rows;
}

/* The table's totals, and a new empty chunk. */
static void account(struct worker *w)
{
    struct scan *s = w->scan;
    struct scan_table *t = &s->tables[w->chunk.table];
    report(w);
    atomic_fetch_add(&s->run->progress->plain_bytes, w->chunk.bytes);
    lock_take(s->lock);
    t->rows += w->chunk.rows;
    t->plain_bytes += w->chunk.bytes;
    rowsum_add(&t->checksum, w->chunk.checksum);
    lock_drop(s->lock);
    w->range_rows += w->chunk.rows;
    w->range_bytes += w->chunk.bytes;
    w->chunk = (struct scan_chunk){.table = w->chunk.table};
    w->reported = 0;
    buf_clear(&w->text);
    buf_clear(&w->key_first);
    buf_clear(&w->key_last);
    buf_clear(&w->last_key);
}

static void print_key(struct worker *w, const struct row *row, struct buf *out)
{
    const struct manifest_table *t = w->scan->tables[w->chunk.table].table;
    buf_clear(out);
    for (unsigned i = 0; i < t->key.column_count; i++)
        if (!row->values[t->key.columns[i]])
            return; /* the range of NULLs has no bounds to print */
    struct key_tuple *k = key_tuple_of_row(t, row);
    key_tuple_print(k, out);
    key_tuple_free(k);
}

/* buf_putn, which costs as much as this whole step where it is called for every row. */
static inline void put_bytes(struct buf *b, const void *data, size_t bytes)
{
    if (b->cap <= b->len + bytes) {
        buf_putn(b, data, bytes);
        return;
    }
    memcpy(b->data + b->len, data, bytes);
    b->len += bytes;
}

/* A row is gone when the next one is asked for, and only then it shows that it was the last. */
static void keep_key(struct worker *w, const struct row *row)
{
    const struct manifest_key *key = &w->scan->tables[w->chunk.table].table->key;
    buf_clear(&w->last_key);
    for (unsigned i = 0; i < key->column_count; i++) {
        unsigned column = key->columns[i];
        if (!row->values[column]) {
            buf_clear(&w->last_key);
            return;
        }
        put_bytes(&w->last_key, &row->lengths[column], sizeof row->lengths[column]);
        put_bytes(&w->last_key, row->values[column], row->lengths[column]);
    }
}

static void print_last_key(struct worker *w)
{
    const struct manifest_table *t = w->scan->tables[w->chunk.table].table;
    if (w->last_key.len == 0)
        return;
    char **values = xcalloc(t->key.column_count, sizeof *values);
    unsigned long *lengths = xcalloc(t->key.column_count, sizeof *lengths);
    char *at = w->last_key.data;
    for (unsigned i = 0; i < t->key.column_count; i++) {
        memcpy(&lengths[i], at, sizeof lengths[i]);
        values[i] = at + sizeof lengths[i];
        at = values[i] + lengths[i];
    }
    const struct row row = {values, lengths};
    struct key_tuple *k = key_tuple_of_key_row(t, &row);
    key_tuple_print(k, &w->key_last);
    key_tuple_free(k);
    free(lengths);
    free(values);
}

/* Hands the filled chunk over. */
static enum err_code cut(struct worker *w, struct err *err)
{
    enum err_code code = ERR_OK;
    if (w->chunk.rows == 0)
        return ERR_OK;
    if (w->scan->consumer->chunk) {
        print_last_key(w);
        w->chunk.text = w->text.data;
        w->chunk.key_first = w->key_first.len ? buf_cstr(&w->key_first) : NULL;
        w->chunk.key_last = w->key_last.len ? buf_cstr(&w->key_last) : NULL;
        code = w->scan->consumer->chunk(w->scan->consumer->workers[w->index], &w->chunk, err);
    }
    account(w);
    return code;
}

static enum err_code nowhere(void *arg, const char *text, size_t bytes, struct err *err)
{
    (void)arg, (void)text, (void)bytes, (void)err;
    return ERR_OK;
}

static enum err_code give_pieces(struct worker *w, const struct encoder *e, const struct row *row,
                                 struct err *err)
{
    const struct scan_consumer *consumer = w->scan->consumer;
    void *arg = consumer->workers ? consumer->workers[w->index] : NULL;
    w->chunk.rows = 1;
    w->chunk.bytes = row_text_bytes(e, row);
    w->chunk.load_warnings = row_load_warnings(e, row);
    w->chunk.text = NULL;
    enum err_code code =
        consumer->big_begin ? consumer->big_begin(arg, w->chunk.table, w->chunk.bytes, err) : ERR_OK;
    if (code == ERR_OK)
        code = row_encode_pieces(e, row, consumer->big_add ? consumer->big_add : nowhere, arg,
                                 &w->chunk.checksum, err);
    if (code == ERR_OK && consumer->big_end) {
        if (w->scan->tables[w->chunk.table].table->key.name) {
            print_key(w, row, &w->key_first);
            w->chunk.key_first = w->chunk.key_last = w->key_first.len ? buf_cstr(&w->key_first) : NULL;
        }
        code = consumer->big_end(arg, &w->chunk, err);
    }
    account(w);
    return code;
}

/* A row too large to hold as text beside itself is a chunk of its own, one at a time among all workers. */
static enum err_code add_big_row(struct worker *w, const struct encoder *e, const struct row *row,
                                 struct err *err)
{
    enum err_code code = cut(w, err);
    if (code != ERR_OK)
        return code;
    lock_take(w->scan->big_row);
    code = give_pieces(w, e, row, err);
    lock_drop(w->scan->big_row);
    return code;
}

static enum err_code add_row(struct worker *w, const struct encoder *e, const struct row *row,
                             struct err *err)
{
    if (row_bytes(e, row) > w->scan->options->big_row_bytes)
        return add_big_row(w, e, row, err);
    struct rowsum sum;
    enum err_code code = row_encode(e, row, &w->text, &sum, err);
    if (code != ERR_OK)
        return code;
    if (w->scan->consumer->chunk && w->scan->tables[w->chunk.table].table->key.name) {
        if (w->chunk.rows == 0)
            print_key(w, row, &w->key_first);
        keep_key(w, row);
    }
    rowsum_add(&w->chunk.checksum, sum);
    w->chunk.rows++;
    w->chunk.bytes = w->text.len;
    w->chunk.load_warnings += row_load_warnings(e, row);
    if (w->text.len >= w->scan->options->chunk_bytes)
        return cut(w, err);
    if (w->chunk.rows - w->reported >= PROGRESS_ROWS)
        report(w);
    return ERR_OK;
}

/* ---- reading ---- */

static struct encoder *encoder_of(struct worker *w, unsigned table)
{
    struct encoder *e = &w->encoders[table];
    if (!e->plain)
        encoder_init(e, w->scan->tables[table].table);
    return e;
}

/* Streams one query. *rows: how many it gave; *last: the key of its last row when it gave limit rows. */
static enum err_code read_query(struct worker *w, const struct range *r, uint64_t limit, uint64_t *rows,
                                struct key_tuple **last, struct err *err)
{
    struct scan_table *t = &w->scan->tables[r->table];
    struct encoder *e = encoder_of(w, r->table);
    MYSQL *mysql = db_handle(w->conn);
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    range_select(t->table, t->from, r, limit, &sql);
    *rows = 0;
    enum err_code code = fault_point("scan_query", ERR_DB, err);
    MYSQL_RES *res = NULL;
    if (code == ERR_OK &&
        (mysql_real_query(mysql, sql.data, sql.len) != 0 || !(res = mysql_use_result(mysql))))
        code = rows_table_error(w->conn, t->table, err);
    buf_free(&sql);
    while (code == ERR_OK) {
        MYSQL_ROW values = mysql_fetch_row(res);
        if (!values) {
            if (mysql_errno(mysql) != 0)
                code = rows_table_error(w->conn, t->table, err);
            break;
        }
        struct row row = {values, mysql_fetch_lengths(res)};
        ++*rows;
        if (*rows == limit)
            *last = key_tuple_of_row(t->table, &row);
        code = add_row(w, e, &row, err);
    }
    if (code != ERR_OK)
        cancel_fire(w->scan->run->cancel,
                    err); /* shuts the connections: freeing the result would read it to its end */
    if (res)
        mysql_free_result(res);
    return code;
}

/* Rows of the next query, from what this table's rows turned out to weigh (a guess before the first). */
static uint64_t query_rows(const struct worker *w, const struct scan_table *t)
{
    uint64_t row_weight = 200;
    if (w->range_rows > 0)
        row_weight = w->range_bytes / w->range_rows + 1;
    else if (t->rows_estimate > 0 && t->bytes_estimate > 0)
        row_weight = t->bytes_estimate / t->rows_estimate + 1;
    uint64_t rows = QUERY_BYTES / row_weight;
    return rows < QUERY_ROWS_MIN ? QUERY_ROWS_MIN : rows > QUERY_ROWS_MAX ? QUERY_ROWS_MAX : rows;
}

static uint64_t split_rows(const struct worker *w, const struct scan_table *t)
{
    uint64_t rows = query_rows(w, t);
    return rows < SPLIT_ROWS ? rows : SPLIT_ROWS;
}

static enum err_code share_range(struct worker *w, struct range *r, struct err *err)
{
    struct scan *s = w->scan;
    struct scan_table *t = &s->tables[r->table];
    struct range *upper;
    enum err_code code = range_split(w->conn, t->table, t->from, r, split_rows(w, t), &upper, err);
    if (code != ERR_OK)
        return rows_query_error(w->conn, t->table, code, err);
    if (upper) {
        lock_take(s->lock);
        push_range_locked(s, upper);
        lock_wake_all(s->lock);
        lock_drop(s->lock);
    }
    return ERR_OK;
}

/* Reads a key range in queries of bounded size, sharing what remains whenever others wait. */
static enum err_code read_keys(struct worker *w, struct range *r, struct err *err)
{
    const struct scan_table *t = &w->scan->tables[r->table];
    bool hopeless = false; /* small tables are not worth asking for a split */
    for (;;) {
        enum err_code code = ERR_OK;
        uint64_t limit = query_rows(w, t), rows;
        if (!hopeless && r->rows_estimate >= 2 * split_rows(w, t) && others_wait(w->scan)) {
            struct key_tuple *high = r->high;
            code = share_range(w, r, err);
            hopeless = r->high == high;
        }
        struct key_tuple *last = NULL;
        if (code == ERR_OK)
            code = read_query(w, r, limit, &rows, &last, err);
        if (code != ERR_OK || rows < limit) {
            key_tuple_free(last);
            return code;
        }
        key_tuple_free(r->low);
        r->low = last;
        r->low_included = false;
        /* A full query says that more may come, whatever the statistics said. */
        r->rows_estimate = r->rows_estimate > 2 * rows ? r->rows_estimate - rows : 4 * split_rows(w, t);
    }
}

static enum err_code count_table(struct worker *w, struct scan_table *t, struct err *err)
{
    if (t->moving || t->rows > w->scan->options->count_check_rows)
        return ERR_OK;
    struct db_rows *rows;
    enum err_code code = db_queryf(w->conn, &rows, err, "SELECT COUNT(*) FROM %s%s", t->from,
                                   t->table->system_versioned ? " FOR SYSTEM_TIME ALL" : "");
    if (code != ERR_OK)
        return rows_query_error(w->conn, t->table, code, err);
    const char *const *row = db_row(rows);
    uint64_t counted = row && row[0] ? strtoull(row[0], NULL, 10) : 0;
    db_rows_free(rows);
    t->counted = counted == t->rows;
    if (t->counted)
        return ERR_OK;
    return err_set(err, ERR_SNAPSHOT,
                   "read %s.%s: %" PRIu64 " rows came, but COUNT(*) in the same snapshot says %" PRIu64,
                   t->table->schema, t->table->name, t->rows, counted);
}

static enum err_code read_range(struct worker *w, struct range *r, struct err *err)
{
    w->chunk.table = r->table;
    w->range_rows = w->range_bytes = 0;
    enum err_code code;
    uint64_t rows;
    if (r->kind == RANGE_KEYS)
        code = read_keys(w, r, err);
    else
        code = read_query(w, r, 0, &rows, NULL, err);
    return code == ERR_OK ? cut(w, err) : code;
}

static enum err_code work(void *arg, struct err *err)
{
    struct worker *w = arg;
    struct range *r;
    enum err_code code = ERR_OK;
    while (code == ERR_OK && (r = take_range(w->scan))) {
        unsigned table = r->table;
        code = read_range(w, r, err);
        bool last = finish_range(w, r);
        range_free(r);
        if (code == ERR_OK && last)
            code = count_table(w, &w->scan->tables[table], err);
    }
    return code != ERR_OK ? code : cancel_check(w->scan->run->cancel, err);
}

static void init_worker(struct worker *w, struct scan *s, unsigned index, struct db_conn *conn)
{
    *w = (struct worker){.scan = s, .index = index, .conn = conn};
    w->encoders = xcalloc(s->table_count, sizeof *w->encoders);
    /* A row below big_row_bytes at worst doubles. */
    buf_init(&w->text, s->options->chunk_bytes + 2 * s->options->big_row_bytes + ((size_t)1 << 20));
    buf_init(&w->key_first, KEY_TEXT_MAX_BYTES);
    buf_init(&w->key_last, KEY_TEXT_MAX_BYTES);
    buf_init(&w->last_key, KEY_TEXT_MAX_BYTES);
}

static void free_worker(struct worker *w)
{
    for (unsigned i = 0; i < w->scan->table_count; i++)
        encoder_free(&w->encoders[i]);
    free(w->encoders);
    buf_free(&w->text);
    buf_free(&w->key_first);
    buf_free(&w->key_last);
    buf_free(&w->last_key);
}

enum err_code scan_run(const struct run *run, struct db_conn **conns, unsigned conn_count,
                       struct scan_table *tables, unsigned table_count, const struct scan_options *options,
                       const struct scan_consumer *consumer, struct err *err)
{
    struct scan s = {
        .run = run, .tables = tables, .table_count = table_count, .options = options, .consumer = consumer};
    s.lock = lock_new();
    s.big_row = lock_new();
    s.locked.open = xcalloc(table_count ? table_count : 1, sizeof *s.locked.open);
    queue_tables(&s);
    struct cancel_hook hook = {.wake = wake, .arg = s.lock};
    cancel_add_hook(run->cancel, &hook);
    struct worker *workers = xcalloc(conn_count, sizeof *workers);
    struct group *group = group_new(run->cancel);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < conn_count; i++) {
        init_worker(&workers[i], &s, i, conns[i]);
        if (code == ERR_OK)
            code = group_spawn(group, "reader", work, &workers[i], err);
    }
    enum err_code joined = group_join(group, code == ERR_OK ? err : NULL);
    group_free(group);
    cancel_remove_hook(run->cancel, &hook);
    for (unsigned i = 0; i < conn_count; i++)
        free_worker(&workers[i]);
    free(workers);
    for (size_t i = 0; i < s.locked.range_count; i++)
        range_free(s.locked.ranges[i]);
    free(s.locked.ranges);
    free(s.locked.open);
    lock_free(s.lock);
    lock_free(s.big_row);
    return code != ERR_OK ? code : joined;
}
