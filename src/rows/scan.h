/*
 * Reads tables completely, in parallel, exactly once, and gives their canonical text.
 *
 * Every connection is one worker thread.  A worker streams a key range in order, in queries of bounded size;
 * when others idle it splits what remains of its range by one index dive and hands the upper half over.
 * Ranges tile: each split key is the excluded end of one range and the included start of the other.
 *
 * Used by dump (rows to members), and by verification (rows to nowhere, only the checksums count).
 */
#ifndef DBSAFE_ROWS_SCAN_H
#define DBSAFE_ROWS_SCAN_H

#include "archive/manifest.h"
#include "core/run.h"
#include "db/conn.h"

struct scan_table {
    const struct manifest_table *table; /* columns and key */
    const char *from;                   /* quoted "`schema`.`name`" to read from */
    uint64_t rows_estimate, bytes_estimate;
    bool moving; /* no snapshot and no lock holds its rows still: they are not counted again */
    /* results: */
    uint64_t rows, plain_bytes;
    struct rowsum checksum;
    bool counted; /* rows was equal to COUNT(*) */
};

/* Whole rows of one table, in text. */
struct scan_chunk {
    unsigned table; /* index into tables */
    const char *text;
    size_t bytes;
    uint64_t rows, load_warnings;
    struct rowsum checksum;
    const char *key_first, *key_last; /* printed key tuples; NULL without a key */
};

/* Where the text goes; called by worker threads with that worker's argument.  All NULL: nowhere. */
struct scan_consumer {
    enum err_code (*chunk)(void *worker, const struct scan_chunk *chunk, struct err *err);
    /* A row whose text is larger than big_row_bytes comes in pieces: total size, text, then the chunk's
     * figures (text NULL).  One worker at a time. */
    enum err_code (*big_begin)(void *worker, unsigned table, uint64_t bytes, struct err *err);
    enum err_code (*big_add)(void *worker, const char *text, size_t bytes, struct err *err);
    enum err_code (*big_end)(void *worker, const struct scan_chunk *chunk, struct err *err);
    void **workers; /* one argument a connection */
};

struct scan_options {
    size_t chunk_bytes;        /* a chunk is cut at the first row boundary behind this */
    size_t big_row_bytes;      /* value bytes of a row from which it is given in pieces */
    uint64_t count_check_rows; /* tables of at most so many rows are counted by COUNT(*) too; empty ones
                                  always are */
};

/* conns: sessions set up by session_for_reading, each in its snapshot; they are used until this returns.
 * Errors: ERR_SNAPSHOT naming a table that changed its definition meanwhile, or whose COUNT(*) differs. */
enum err_code scan_run(const struct run *run, struct db_conn **conns, unsigned conn_count,
                       struct scan_table *tables, unsigned table_count, const struct scan_options *options,
                       const struct scan_consumer *consumer, struct err *err);

#endif
