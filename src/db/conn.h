/*
 * A connection to MariaDB or MySQL through Connector/C.
 *
 * A struct db_conn belongs to one thread at a time.  Errors carry what was attempted, the server's error
 * number and words; a lost connection is ERR_DB_LOST and is never re-opened behind the caller's back.
 */
#ifndef DBSAFE_DB_CONN_H
#define DBSAFE_DB_CONN_H

#include "core/buf.h"
#include "core/cancel.h"
#include "core/err.h"
#include "db/quote.h"

#include <stdbool.h>
#include <stdint.h>

/* Connection settings from the command line; NULL (or 0) means: as the option files say, else the library's
 * default. */
struct db_params {
    const char *defaults_file; /* read instead of the standard option files */
    const char *host, *user, *password, *socket;
    unsigned port;
    const char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key, *ssl_cipher;
    bool ssl_off;       /* --skip-ssl */
    bool ssl_no_verify; /* --skip-ssl-verify-server-cert */
    unsigned connect_timeout_s;
    /* Gives the password of one connection to host, as the login of an IAM account needs: then the endpoint
     * is TCP with a user, TLS is required (to this host, too), and password is not used.  out is secret. May
     * be called from any thread that connects.  NULL: none. */
    enum err_code (*password_for)(void *arg, const char *host, unsigned port, const char *user,
                                  struct cancel *cancel, struct buf *out, struct err *err);
    void *password_arg;
};

struct db_conn;

/* Connects and sets the session up for a long, unattended job: utf8mb4, no statement or idle limits, generous
 * network timeouts.  TLS: verified against ssl_ca (or the system's certificates); required for every server
 * that is neither on a socket nor on this host, unless ssl_off.  cancel (may be NULL) ends blocked calls; it
 * is borrowed and outlives the connection. Errors: ERR_CONFIG (wrong password), ERR_DB. */
enum err_code db_connect(const struct db_params *params, struct cancel *cancel, struct db_conn **out,
                         struct err *err);
void db_close(struct db_conn *c);

/* The server's connection id; its version text; "user@host:port" or "user@socket", for messages. */
unsigned long db_id(const struct db_conn *c);
const char *db_version(const struct db_conn *c);
const char *db_target(const struct db_conn *c);

/* Runs statements that give no rows (results are drained). The message names the statement's first words. */
enum err_code db_exec(struct db_conn *c, const char *sql, struct err *err);
enum err_code db_execf(struct db_conn *c, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for text with a length; db_changes tells what it did: rows that it changed, and warnings (at most
 * 65,535 are told). */
enum err_code db_execn(struct db_conn *c, const char *sql, size_t bytes, struct err *err);
void db_changes(const struct db_conn *c, uint64_t *rows, uint64_t *warnings);
/* The same in two halves, so that several connections work at the same moment. */
enum err_code db_send(struct db_conn *c, const char *sql, struct err *err);
enum err_code db_reap(struct db_conn *c, struct err *err);

/* A stored result: all rows in memory; for small results.  Values are NUL-terminated, NULL for SQL NULL. */
struct db_rows;
enum err_code db_query(struct db_conn *c, const char *sql, struct db_rows **out, struct err *err);
enum err_code db_queryf(struct db_conn *c, struct db_rows **out, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Next row or NULL at the end; valid until db_rows_free. */
const char *const *db_row(struct db_rows *rows);
/* Byte lengths of the row that db_row gave last. */
const unsigned long *db_row_lengths(struct db_rows *rows);
uint64_t db_row_count(const struct db_rows *rows);
void db_rows_free(struct db_rows *rows);
/* One value of one row, copied into out; "" for NULL or no row.  *found (may be NULL) tells whether there was
 * a row. */
enum err_code db_scalar(struct db_conn *c, const char *sql, struct buf *out, bool *found, struct err *err);

/* Gives the next bytes of what is loaded; *got 0 at the end. */
typedef enum err_code db_load_fn(void *arg, void *data, size_t max, size_t *got, struct err *err);
/* Runs a LOAD DATA LOCAL statement whose file is what next gives: whatever file name the server asks for, it
 * gets only that, and outside of this call nothing.  An error of next is returned as it is. */
enum err_code db_load(struct db_conn *c, const char *sql, db_load_fn *next, void *arg, struct err *err);
/* "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0" of the statement before; valid until the next one. */
const char *db_load_info(const struct db_conn *c);

/* The server's number of the error that came last on this connection, or 0. */
unsigned db_errno(const struct db_conn *c);
/* Sets err from the connection's state; for callers that use the raw handle (src/rows). */
enum err_code db_error(struct db_conn *c, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The MYSQL handle of Connector/C, for src/rows. */
void *db_handle(struct db_conn *c);
/* Ends the session (it may be ours or of a run that died); ERR_OK too when there is none of that id. */
enum err_code db_kill(struct db_conn *c, unsigned long id, struct err *err);

#endif
