/*
 * Error codes and error objects.
 *
 * Every fallible function returns an enum err_code and takes a caller-owned
 * `struct err *` as its last argument.  The function that meets the error sets
 * it (err_set), callers on the way up may put context in front (err_wrap), and
 * src/cli prints it once.  One table in err.c maps each code to its exit status,
 * to whether the same call may succeed when repeated, and to a short text.
 *
 * A struct err belongs to one thread at a time; it needs no release.
 */
#ifndef DBSAFE_CORE_ERR_H
#define DBSAFE_CORE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_OK = 0,
    ERR_INTERNAL,  /* a bug in dbsafe */
    ERR_NOMEM,     /* a stated maximum was reached, or malloc failed */
    ERR_USAGE,     /* the command line is wrong */
    ERR_CONFIG,    /* configuration, credentials, keys */
    ERR_DB,        /* the database refused or failed */
    ERR_DB_LOST,   /* the connection to the database ended */
    ERR_DB_DENIED, /* the account may not see what was to be read */
    ERR_DB_RETRY,  /* deadlock or lock wait timeout of one transaction */
    ERR_STORAGE,   /* folder, file, S3 */
    ERR_NOSPACE,   /* no space left where the archive is written */
    ERR_AWS,       /* an AWS API other than S3 */
    ERR_DIFFERS,   /* verification found a difference */
    ERR_DAMAGED,   /* archive damaged or incomplete */
    ERR_SNAPSHOT,  /* no consistent snapshot, or DDL during the dump */
    ERR_REFUSED,   /* refused for safety */
    ERR_NOT_FOUND, /* archive, table, restore id */
    ERR_LOCKED,    /* another run holds the lock */
    ERR_TIMEOUT,   /* timed out */
    ERR_SIGINT,    /* cancelled by SIGINT */
    ERR_SIGTERM,   /* cancelled by SIGTERM */
    ERR_COUNT
};

#define ERR_TEXT_BYTES 4096

struct err {
    enum err_code code;
    char text[ERR_TEXT_BYTES]; /* one or more sentences, UTF-8, no trailing newline */
};

/* Sets code and message (printf format); a message too long is cut at a whole
 * character.  Returns code, so that `return err_set(...)` reads well.  err may be NULL. */
enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(errnum) behind the message.  ENOSPC and EDQUOT turn
 * ERR_STORAGE into ERR_NOSPACE. */
enum err_code err_set_errno(struct err *err, enum err_code code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<message>: " in front of what err holds; keeps and returns its code. */
enum err_code err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends text behind what err holds (a hint for the reader), after "; " unless it starts with
 * punctuation or a space; returns its code. */
enum err_code err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives what err holds another code, and returns that; err may be NULL. */
enum err_code err_recode(struct err *err, enum err_code code);

/* Copies from into to (either may be NULL) and returns from's code, or ERR_INTERNAL for NULL. */
enum err_code err_copy(struct err *to, const struct err *from);

/* The process exit status, name ("ERR_DB") and short text of a code, and whether a repeat may help. */
int err_exit_status(enum err_code code);
const char *err_name(enum err_code code);
const char *err_summary(enum err_code code);
bool err_is_retryable(enum err_code code);

#endif
