/*
 * The one table of options.  The parser, --help, the manual page's list, shell completion, the
 * DBSAFE_<OPTION> variables and the keys of dbsafe.conf all come from it.  Constant data: any thread may read
 * it.
 */
#ifndef DBSAFE_CLI_OPTION_TABLE_H
#define DBSAFE_CLI_OPTION_TABLE_H

#include "core/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum command_id {
    COMMAND_DUMP,
    COMMAND_RESTORE,
    COMMAND_UNDO,
    COMMAND_VERIFY,
    COMMAND_LIST,
    COMMAND_SHOW,
    COMMAND_PRUNE,
    COMMAND_COPY,
    COMMAND_SNAPSHOT,
    COMMAND_POINT,
    COMMAND_ROLLBACK,
    COMMAND_DOCTOR,
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_COUNT
};

enum option_id {
    OPTION_ALL_DATABASES,
    OPTION_EXCLUDE,
    OPTION_TABLES,
    OPTION_INTO,
    OPTION_IF_EXISTS,
    OPTION_VERIFY,
    OPTION_LIVE,
    OPTION_DRILL,
    OPTION_MARIADBD,
    OPTION_DRILL_DIR,
    OPTION_DRILL_MEMORY,
    OPTION_DRILL_TIMEOUT,
    OPTION_DRILL_OPTION,
    OPTION_GIT,
    OPTION_KEEP,
    OPTION_EXPIRES,
    OPTION_RTO,
    OPTION_REQUIRE_RTO,
    OPTION_ESTIMATE,
    OPTION_POINT,
    OPTION_VIA,
    OPTION_CUTOVER,
    OPTION_COPY_TABLES,
    OPTION_EXPORT_CHANGES,
    OPTION_OTHER_SERVER,
    OPTION_REPORT,
    OPTION_LIST,
    OPTION_PURGE,
    OPTION_STORE,
    OPTION_TO,
    OPTION_OUTPUT,
    OPTION_LABEL,
    OPTION_THREADS,
    OPTION_COMPRESS_LEVEL,
    OPTION_CHUNK_SIZE,
    OPTION_MAX_RATE,
    OPTION_CONSISTENCY,
    OPTION_ALLOW_INCONSISTENT,
    OPTION_COUNT_CHECK,
    OPTION_RESUME,
    OPTION_LOCK_TIMEOUT,
    OPTION_KILL_BLOCKERS,
    OPTION_ASSUME_NO_OUTSIDE_FKS,
    OPTION_INCLUDE_REFERENCING,
    OPTION_DEFINER,
    OPTION_STAGING_SCHEMA,
    OPTION_UNDO_SCHEMA,
    OPTION_KEEP_LAST,
    OPTION_STALE_AFTER,
    OPTION_MAP_COLLATION,
    OPTION_DRY_RUN,
    OPTION_YES,
    OPTION_HOST,
    OPTION_PORT,
    OPTION_USER,
    OPTION_SOCKET,
    OPTION_PASSWORD,
    OPTION_PASSWORD_FILE,
    OPTION_IAM_AUTH,
    OPTION_DEFAULTS_FILE,
    OPTION_CONNECT_TIMEOUT,
    OPTION_SSL_CA,
    OPTION_SSL_CAPATH,
    OPTION_SSL_CERT,
    OPTION_SSL_KEY,
    OPTION_SSL_CIPHER,
    OPTION_SKIP_SSL,
    OPTION_SKIP_SSL_VERIFY,
    OPTION_ENDPOINT_URL,
    OPTION_REGION,
    OPTION_AWS_PROFILE,
    OPTION_CA_BUNDLE,
    OPTION_ADDRESSING,
    OPTION_UPLOADERS,
    OPTION_PART_SIZE,
    OPTION_CHECKSUM,
    OPTION_STORAGE_CLASS,
    OPTION_SSE,
    OPTION_SSE_KMS_KEY_ID,
    OPTION_BUCKET_KEY,
    OPTION_OBJECT_LOCK_MODE,
    OPTION_OBJECT_LOCK_DAYS,
    OPTION_TAGS,
    OPTION_EXPECTED_BUCKET_OWNER,
    OPTION_INSTANCE,
    OPTION_ID,
    OPTION_AT,
    OPTION_KMS_KEY_ID,
    OPTION_FORCE,
    OPTION_WAIT,
    OPTION_WAIT_LIMIT,
    OPTION_POLL_INTERVAL,
    OPTION_CONFIG,
    OPTION_PROFILE,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_LOG_FORMAT,
    OPTION_PROGRESS,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_TOTAL
};

enum option_kind {
    KIND_FLAG,
    KIND_STRING,
    KIND_CHOICE, /* one of the words in .word, parted by | */
    KIND_UINT,
    KIND_SIZE,  /* bytes; takes the suffixes K, M, G */
    KIND_LIST,  /* parted by commas; given again it grows */
    KIND_PROMPT /* a flag that refuses the value some would put behind it */
};

enum option_group { GROUP_COMMAND, GROUP_CONNECTION, GROUP_S3, GROUP_RDS, GROUP_COMMON, GROUP_COUNT };

/* Where else than on the command line a value may come from. */
#define FROM_ENVIRONMENT 1u
#define FROM_FILE        2u

struct option_spec {
    const char *name; /* long name without dashes */
    char letter;      /* short form, or 0 */
    enum option_kind kind;
    enum option_group group;
    const char *word;   /* the argument's word in help; NULL for flags */
    const char *help;   /* one sentence without the full stop */
    const char *preset; /* the default, read like a value that was given; NULL: none */
    const char *shown;  /* how help names a default that is computed; NULL: preset is shown */
    uint64_t min, max;  /* of numbers and sizes */
    unsigned commands;  /* bits 1 << command_id */
    unsigned from;      /* FROM_ bits */
};

const struct option_spec *option_spec(enum option_id id);
/* The option of this long name, or OPTION_TOTAL. */
enum option_id option_find(const char *name);
bool option_belongs(enum option_id id, enum command_id command);
/* Flags that a file or variable may switch on have a --no- form that takes it back. */
bool option_has_negation(enum option_id id);
/* Appends "DBSAFE_LOCK_TIMEOUT". */
void option_variable(enum option_id id, struct buf *out);

#endif
