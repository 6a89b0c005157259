#include "cli/option_table.h"

#include <string.h>

#define DUMP     (1u << COMMAND_DUMP)
#define RESTORE  (1u << COMMAND_RESTORE)
#define UNDO     (1u << COMMAND_UNDO)
#define VERIFY   (1u << COMMAND_VERIFY)
#define LIST     (1u << COMMAND_LIST)
#define SHOW     (1u << COMMAND_SHOW)
#define PRUNE    (1u << COMMAND_PRUNE)
#define COPY     (1u << COMMAND_COPY)
#define SNAPSHOT (1u << COMMAND_SNAPSHOT)
#define POINT    (1u << COMMAND_POINT)
#define ROLLBACK (1u << COMMAND_ROLLBACK)
#define DOCTOR   (1u << COMMAND_DOCTOR)
#define HELP     (1u << COMMAND_HELP)
#define VERSION  (1u << COMMAND_VERSION)
#define SERVER   (DUMP | RESTORE | UNDO | VERIFY | POINT | ROLLBACK | DOCTOR)
#define LABELLED (DUMP | RESTORE | VERIFY | LIST | SHOW | PRUNE | COPY | POINT | DOCTOR)
#define STORED   (LABELLED | ROLLBACK)
#define WORKING  (SERVER | STORED | SNAPSHOT)
#define WRITING  (DUMP | COPY | POINT | ROLLBACK)
#define EVERY    (WORKING | HELP | VERSION)

#define ENV  FROM_ENVIRONMENT
#define BOTH (FROM_ENVIRONMENT | FROM_FILE)

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

/* A table reads by its rows: they are laid out by hand. */
/* clang-format off */
static const struct option_spec table[OPTION_TOTAL] = {
    [OPTION_ALL_DATABASES] = {.name = "all-databases", .kind = KIND_FLAG, .commands = DUMP | DOCTOR,
        .help = "Dump every database but the server's own"},
    [OPTION_EXCLUDE] = {.name = "exclude", .kind = KIND_LIST, .word = "PATTERN", .commands = DUMP | POINT | DOCTOR,
        .from = BOTH,
        .help = "Leave out tables and other objects that match: DB, DB.NAME or NAME with * and ?; may be given again"},
    [OPTION_TABLES] = {.name = "tables", .kind = KIND_LIST, .word = "LIST", .commands = RESTORE | VERIFY | DOCTOR,
        .help = "Only these tables: DB.TABLE or TABLE with * and ?, parted by commas"},
    [OPTION_INTO] = {.name = "into", .kind = KIND_LIST, .word = "DB|OLD=NEW,...", .commands = RESTORE | DOCTOR,
        .help = "Restore into other databases than the original ones"},
    [OPTION_IF_EXISTS] = {.name = "if-exists", .kind = KIND_CHOICE, .word = "swap|fail|drop",
        .preset = "swap", .commands = RESTORE | DOCTOR, .from = BOTH,
        .help = "Tables already there: swap keeps the old ones for undo, drop removes them after the swap"},
    [OPTION_VERIFY] = {.name = "verify", .kind = KIND_FLAG, .preset = "yes", .commands = RESTORE | DOCTOR,
        .from = BOTH,
        .help = "Re-read the restored rows and compare their content checksums before the swap"},
    [OPTION_LIVE] = {.name = "live", .kind = KIND_FLAG, .commands = VERIFY,
        .help = "Compare the tables and objects of the database with the archive instead of reading its bytes"},
    [OPTION_DRILL] = {.name = "drill", .kind = KIND_FLAG, .commands = VERIFY | POINT, .from = BOTH,
        .shown = "for point where a server is installed",
        .help = "Restore the whole archive into a throw-away server of this machine and compare every table"},
    [OPTION_MARIADBD] = {.name = "mariadbd", .kind = KIND_STRING, .word = "FILE",
        .shown = "the one in PATH or the usual folders", .commands = VERIFY | POINT, .from = BOTH,
        .help = "Server program of a drill"},
    [OPTION_DRILL_DIR] = {.name = "drill-dir", .kind = KIND_STRING, .word = "DIR",
        .shown = "$TMPDIR, else /var/tmp", .commands = VERIFY | POINT, .from = BOTH,
        .help = "Where a drill makes its private folder; it needs about three times the archive's text"},
    [OPTION_DRILL_MEMORY] = {.name = "drill-memory", .kind = KIND_SIZE, .word = "SIZE",
        .shown = "at most a quarter of what is free, and 1G", .min = 5 * MIB, .max = (uint64_t)1 << 44,
        .commands = VERIFY | POINT, .from = BOTH,
        .help = "Buffer pool of a drill's server"},
    [OPTION_DRILL_TIMEOUT] = {.name = "drill-timeout", .kind = KIND_UINT, .word = "MINUTES",
        .shown = "no limit", .min = 1, .max = 100000, .commands = VERIFY | POINT, .from = BOTH,
        .help = "Give a drill up after so long"},
    [OPTION_DRILL_OPTION] = {.name = "drill-option", .kind = KIND_LIST, .word = "NAME=VALUE",
        .commands = VERIFY | POINT, .from = BOTH,
        .help = "Another option for a drill's server, such as innodb-page-size=64k; may be given again"},
    [OPTION_GIT] = {.name = "git", .kind = KIND_STRING, .word = "DIR", .commands = POINT, .from = BOTH,
        .help = "Record the commit, branch and tags of this working tree in the point"},
    [OPTION_KEEP] = {.name = "keep", .kind = KIND_FLAG, .commands = POINT,
        .help = "The point never expires; given for an existing point, from now on"},
    [OPTION_EXPIRES] = {.name = "expires", .kind = KIND_UINT, .word = "DAYS", .preset = "7", .min = 2,
        .max = 36500, .commands = POINT, .from = BOTH,
        .help = "When prune may remove a point"},
    [OPTION_RTO] = {.name = "rto", .kind = KIND_UINT, .word = "MINUTES", .preset = "30", .min = 1,
        .max = 100000, .commands = POINT | ROLLBACK | DOCTOR, .from = BOTH,
        .help = "How long the way back may take"},
    [OPTION_REQUIRE_RTO] = {.name = "require-rto", .kind = KIND_FLAG, .commands = POINT | DOCTOR, .from = BOTH,
        .help = "Refuse a restore that is estimated longer than --rto, or cannot be estimated"},
    [OPTION_ESTIMATE] = {.name = "estimate", .kind = KIND_FLAG, .commands = DOCTOR,
        .help = "Load a sample of ARCHIVE into a database of its own, which is removed again, and say how long a "
                "restore takes"},
    [OPTION_POINT] = {.name = "point", .kind = KIND_STRING, .word = "NAME", .commands = ROLLBACK,
        .help = "The recovery point to go back to"},
    [OPTION_VIA] = {.name = "via", .kind = KIND_CHOICE, .word = "tables|instance", .preset = "tables",
        .commands = ROLLBACK,
        .help = "Way back: the point's tables from its archive, or a new instance from its snapshot"},
    [OPTION_CUTOVER] = {.name = "cutover", .kind = KIND_CHOICE, .word = "rename|back", .commands = ROLLBACK,
        .help = "With --via instance: exchange the names of the live instance and the new one; back exchanges "
                "them back"},
    [OPTION_COPY_TABLES] = {.name = "copy-tables", .kind = KIND_LIST, .word = "LIST", .commands = ROLLBACK,
        .help = "With --via instance: put these further tables of the new instance, and the point's, in the place of "
                "those of the live one; what those hold since is kept for undo"},
    [OPTION_EXPORT_CHANGES] = {.name = "export-changes", .kind = KIND_STRING, .word = "FILE",
        .commands = ROLLBACK,
        .help = "Write the point's tables as they are before the rollback into this file, an archive"},
    [OPTION_OTHER_SERVER] = {.name = "other-server", .kind = KIND_FLAG, .commands = ROLLBACK,
        .help = "With --yes: go on although the point was made of another server than this one"},
    [OPTION_REPORT] = {.name = "report", .kind = KIND_STRING, .word = "FILE", .commands = ROLLBACK,
        .help = "Write the report, an HTML page, into this file too"},
    [OPTION_LIST] = {.name = "list", .kind = KIND_FLAG, .commands = UNDO,
        .help = "Show what can be undone"},
    [OPTION_PURGE] = {.name = "purge", .kind = KIND_FLAG, .commands = UNDO,
        .help = "Drop the undo data of RESTORE-ID, or of all restores, older than 48 hours"},
    [OPTION_STORE] = {.name = "store", .kind = KIND_STRING, .word = "URL",
        .shown = "/var/lib/dbsafe for root, else $XDG_DATA_HOME/dbsafe", .commands = STORED, .from = BOTH,
        .help = "Where archives are kept: file:///DIR, a path, or s3://BUCKET/PREFIX"},
    [OPTION_TO] = {.name = "to", .kind = KIND_STRING, .word = "URL|NAME",
        .commands = COPY | SNAPSHOT | ROLLBACK,
        .help = "The store that the archive is copied to; the name of the instance or cluster that is restored "
                "(rollback: <instance>-<point>)"},
    [OPTION_OUTPUT] = {.name = "output", .letter = 'o', .kind = KIND_STRING, .word = "FILE",
        .commands = DUMP,
        .help = "Write just this file or s3://BUCKET/KEY instead of an archive in the store; - is standard output"},
    [OPTION_LABEL] = {.name = "label", .kind = KIND_STRING, .word = "NAME",
        .shown = "for dump the first database's name, or all; for point its name", .commands = LABELLED, .from = BOTH,
        .help = "Name of the archive series: letters, digits, _ and -, at most 40"},
    [OPTION_THREADS] = {.name = "threads", .kind = KIND_UINT, .word = "N",
        .shown = "the smaller of CPUs and 4", .min = 1, .max = 64,
        .commands = DUMP | RESTORE | VERIFY | POINT | ROLLBACK | DOCTOR,
        .from = BOTH,
        .help = "Workers, each with a connection of its own"},
    [OPTION_COMPRESS_LEVEL] = {.name = "compress-level", .kind = KIND_UINT, .word = "N", .preset = "1",
        .min = 1, .max = 19, .commands = DUMP | POINT | ROLLBACK, .from = BOTH,
        .help = "Level of zstd"},
    [OPTION_CHUNK_SIZE] = {.name = "chunk-size", .kind = KIND_SIZE, .word = "SIZE",
        .shown = "16M, or 8M with more than 2 threads",
        .min = KIB, .max = 256 * MIB, .commands = DUMP | POINT | ROLLBACK, .from = BOTH,
        .help = "Text bytes of one archive member, cut at a row boundary"},
    [OPTION_MAX_RATE] = {.name = "max-rate", .kind = KIND_SIZE, .word = "SIZE", .shown = "no limit",
        .max = (uint64_t)1 << 50, .commands = DUMP | POINT, .from = BOTH,
        .help = "Write at most so many bytes a second, 16K or more; 0 is no limit"},
    [OPTION_CONSISTENCY] = {.name = "consistency", .kind = KIND_CHOICE,
        .word = "auto|binlog-position|trx-counter|backup-stage|global-read-lock|table-locks|single-reader", .preset = "auto",
        .commands = DUMP | POINT | ROLLBACK | DOCTOR, .from = BOTH,
        .help = "How all workers come to see one moment; auto takes the first that the account may use"},
    [OPTION_ALLOW_INCONSISTENT] = {.name = "allow-inconsistent", .kind = KIND_FLAG,
        .commands = DUMP | POINT | ROLLBACK | DOCTOR,
        .from = BOTH,
        .help = "Accept tables whose engine has no transactions, as they are while they are read"},
    [OPTION_COUNT_CHECK] = {.name = "count-check", .kind = KIND_CHOICE, .word = "auto|always|never",
        .preset = "auto", .commands = DUMP | POINT | ROLLBACK, .from = BOTH,
        .help = "Compare the dumped rows with an independent COUNT(*) of the same snapshot"},
    [OPTION_RESUME] = {.name = "resume", .kind = KIND_FLAG, .commands = RESTORE | POINT | ROLLBACK,
        .help = "Finish a restore that was interrupted; take over a point, or a rollback by way of an instance, that a"
                " dead run on another host began"},
    [OPTION_LOCK_TIMEOUT] = {.name = "lock-timeout", .kind = KIND_UINT, .word = "SECONDS", .preset = "60",
        .min = 1, .max = 86400, .commands = RESTORE | UNDO | ROLLBACK, .from = BOTH,
        .help = "How long the swap is tried while other sessions use the tables"},
    [OPTION_KILL_BLOCKERS] = {.name = "kill-blockers", .kind = KIND_FLAG,
        .commands = RESTORE | UNDO | ROLLBACK | DOCTOR,
        .from = BOTH,
        .help = "End the sessions that keep the tables from being swapped"},
    [OPTION_ASSUME_NO_OUTSIDE_FKS] = {.name = "assume-no-outside-fks", .kind = KIND_FLAG,
        .commands = RESTORE | UNDO | ROLLBACK | DOCTOR, .from = BOTH,
        .help = "Go on when the account cannot see whether other tables refer to these"},
    [OPTION_INCLUDE_REFERENCING] = {.name = "include-referencing", .kind = KIND_FLAG,
        .commands = RESTORE | UNDO | DOCTOR, .from = BOTH,
        .help = "Point foreign keys of tables that are not exchanged to the new ones, where every row has its parent"},
    [OPTION_DEFINER] = {.name = "definer", .kind = KIND_STRING, .word = "keep|current|USER@HOST",
        .preset = "keep", .commands = RESTORE | DOCTOR, .from = BOTH,
        .help = "Definer of restored views, triggers, programs and events"},
    [OPTION_STAGING_SCHEMA] = {.name = "staging-schema", .kind = KIND_STRING, .word = "DB",
        .shown = "dbsafe_stage_<id>, made and dropped", .commands = RESTORE | UNDO | ROLLBACK | DOCTOR, .from = BOTH,
        .help = "Load into this existing database before the swap"},
    [OPTION_UNDO_SCHEMA] = {.name = "undo-schema", .kind = KIND_STRING, .word = "DB",
        .shown = "dbsafe_undo_<id>", .commands = RESTORE | UNDO | ROLLBACK | DOCTOR, .from = BOTH,
        .help = "Keep replaced tables in this existing database"},
    [OPTION_MAP_COLLATION] = {.name = "map-collation", .kind = KIND_LIST, .word = "OLD=NEW,...",
        .commands = RESTORE | DOCTOR, .from = BOTH,
        .help = "Give what has collation OLD the collation NEW of the same character set, for servers that lack OLD"},
    [OPTION_KEEP_LAST] = {.name = "keep-last", .kind = KIND_UINT, .word = "N",
        .shown = "all archives are kept", .min = 1, .max = 1000000, .commands = PRUNE, .from = BOTH,
        .help = "Of each label keep the N newest archives that can be read and remove the older ones"},
    [OPTION_STALE_AFTER] = {.name = "stale-after", .kind = KIND_UINT, .word = "HOURS", .preset = "24",
        .min = 1, .max = 8760, .commands = DUMP | PRUNE | COPY | POINT, .from = BOTH,
        .help = "When an unfinished upload of another host, to which nothing is added, counts as abandoned"},
    [OPTION_DRY_RUN] = {.name = "dry-run", .kind = KIND_FLAG,
        .commands = DUMP | RESTORE | UNDO | PRUNE | POINT | ROLLBACK | SNAPSHOT,
        .help = "Say what would happen and change nothing"},
    [OPTION_YES] = {.name = "yes", .kind = KIND_FLAG, .commands = RESTORE | UNDO | PRUNE | POINT | ROLLBACK | SNAPSHOT,
        .help = "Do not ask for confirmation"},

    [OPTION_HOST] = {.name = "host", .letter = 'h', .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "HOST", .commands = SERVER, .from = ENV,
        .help = "Server to connect to"},
    [OPTION_PORT] = {.name = "port", .letter = 'P', .kind = KIND_UINT, .group = GROUP_CONNECTION,
        .word = "PORT", .min = 1, .max = 65535, .commands = SERVER, .from = ENV,
        .help = "TCP port"},
    [OPTION_USER] = {.name = "user", .letter = 'u', .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "USER", .commands = SERVER, .from = ENV,
        .help = "Account to log in as"},
    [OPTION_SOCKET] = {.name = "socket", .letter = 'S', .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "PATH", .commands = SERVER, .from = ENV,
        .help = "Unix socket of a server on this host"},
    [OPTION_PASSWORD] = {.name = "password", .letter = 'p', .kind = KIND_PROMPT, .group = GROUP_CONNECTION,
        .commands = SERVER,
        .help = "Ask for the password on the terminal; it is never taken from the command line"},
    [OPTION_PASSWORD_FILE] = {.name = "password-file", .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "FILE", .commands = SERVER, .from = BOTH,
        .help = "Read the password from the first line of this file"},
    [OPTION_IAM_AUTH] = {.name = "iam-auth", .kind = KIND_FLAG, .group = GROUP_CONNECTION,
        .commands = SERVER, .from = BOTH,
        .help = "Log in to RDS with a token made of AWS keys for each connection, instead of a password; needs -h, -u"
                " and TLS"},
    [OPTION_DEFAULTS_FILE] = {.name = "defaults-file", .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "FILE", .commands = SERVER, .from = BOTH,
        .help = "Read this MariaDB option file instead of the usual ones; groups [client] and [dbsafe]"},
    [OPTION_CONNECT_TIMEOUT] = {.name = "connect-timeout", .kind = KIND_UINT, .group = GROUP_CONNECTION,
        .word = "SECONDS", .preset = "10", .min = 1, .max = 3600, .commands = SERVER, .from = BOTH,
        .help = "How long to wait for a connection"},
    [OPTION_SSL_CA] = {.name = "ssl-ca", .kind = KIND_STRING, .group = GROUP_CONNECTION, .word = "FILE",
        .commands = SERVER, .from = ENV,
        .help = "Certificates of the authorities that may sign the server's"},
    [OPTION_SSL_CAPATH] = {.name = "ssl-capath", .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "DIR", .commands = SERVER, .from = ENV,
        .help = "The same as a folder of hashed certificates"},
    [OPTION_SSL_CERT] = {.name = "ssl-cert", .kind = KIND_STRING, .group = GROUP_CONNECTION, .word = "FILE",
        .commands = SERVER, .from = ENV,
        .help = "Client certificate"},
    [OPTION_SSL_KEY] = {.name = "ssl-key", .kind = KIND_STRING, .group = GROUP_CONNECTION, .word = "FILE",
        .commands = SERVER, .from = ENV,
        .help = "Key of the client certificate"},
    [OPTION_SSL_CIPHER] = {.name = "ssl-cipher", .kind = KIND_STRING, .group = GROUP_CONNECTION,
        .word = "LIST", .commands = SERVER, .from = ENV,
        .help = "Ciphers that may be used"},
    [OPTION_SKIP_SSL] = {.name = "skip-ssl", .kind = KIND_FLAG, .group = GROUP_CONNECTION,
        .commands = SERVER, .from = ENV,
        .help = "Connect without TLS, to servers on other hosts too"},
    [OPTION_SKIP_SSL_VERIFY] = {.name = "skip-ssl-verify-server-cert", .kind = KIND_FLAG,
        .group = GROUP_CONNECTION, .commands = SERVER, .from = ENV,
        .help = "Use TLS without checking who answers"},

    [OPTION_ENDPOINT_URL] = {.name = "endpoint-url", .kind = KIND_STRING, .group = GROUP_S3, .word = "URL",
        .shown = "AWS's own", .commands = STORED, .from = BOTH,
        .help = "Another server that speaks S3"},
    [OPTION_REGION] = {.name = "region", .kind = KIND_STRING, .group = GROUP_S3, .word = "NAME",
        .shown = "that of AWS's own settings, else us-east-1", .commands = SERVER | STORED | SNAPSHOT, .from = BOTH,
        .help = "Region of RDS, or of the bucket, where the server's answer corrects a wrong one"},
    [OPTION_AWS_PROFILE] = {.name = "aws-profile", .kind = KIND_STRING, .group = GROUP_S3, .word = "NAME",
        .shown = "$AWS_PROFILE", .commands = SERVER | STORED | SNAPSHOT, .from = BOTH,
        .help = "Profile of ~/.aws/config and ~/.aws/credentials that gives the keys"},
    [OPTION_CA_BUNDLE] = {.name = "ca-bundle", .kind = KIND_STRING, .group = GROUP_S3, .word = "FILE",
        .shown = "$AWS_CA_BUNDLE, else the system's", .commands = SERVER | STORED | SNAPSHOT, .from = BOTH,
        .help = "Certificates of the authorities that may sign those of AWS or the S3 server"},
    [OPTION_ADDRESSING] = {.name = "addressing", .kind = KIND_CHOICE, .group = GROUP_S3,
        .word = "auto|path|virtual", .preset = "auto", .commands = STORED, .from = BOTH,
        .help = "Whether the bucket stands in the path or in the host name; auto is path with --endpoint-url"},
    [OPTION_UPLOADERS] = {.name = "uploaders", .kind = KIND_UINT, .group = GROUP_S3, .word = "N",
        .preset = "4", .min = 1, .max = 64, .commands = STORED, .from = BOTH,
        .help = "Connections that send parts, or read ahead in a copy, at the same time"},
    [OPTION_PART_SIZE] = {.name = "part-size", .kind = KIND_SIZE, .group = GROUP_S3, .word = "SIZE",
        .shown = "8M to 32M, chosen by the size of the tables", .min = 5 * MIB, .max = 5 * 1024 * MIB,
        .commands = WRITING, .from = BOTH,
        .help = "Size of every part; memory is (uploaders + 1) x part, without --uploaders three parts, or more in 96M"},
    [OPTION_CHECKSUM] = {.name = "checksum", .kind = KIND_CHOICE, .group = GROUP_S3,
        .word = "auto|sha256|md5|none", .preset = "auto", .commands = WRITING, .from = BOTH,
        .help = "What the server checks parts by besides the signed SHA-256: auto is sha256 at AWS, else md5"},
    [OPTION_STORAGE_CLASS] = {.name = "storage-class", .kind = KIND_STRING, .group = GROUP_S3,
        .word = "NAME", .shown = "the bucket's", .commands = WRITING, .from = BOTH,
        .help = "Storage class of archives, such as STANDARD_IA"},
    [OPTION_SSE] = {.name = "sse", .kind = KIND_CHOICE, .group = GROUP_S3,
        .word = "AES256|aws:kms|aws:kms:dsse", .shown = "the bucket's", .commands = STORED, .from = BOTH,
        .help = "Encryption at the server"},
    [OPTION_SSE_KMS_KEY_ID] = {.name = "sse-kms-key-id", .kind = KIND_STRING, .group = GROUP_S3,
        .word = "KEY", .shown = "the account's", .commands = STORED, .from = BOTH,
        .help = "KMS key for --sse aws:kms: its id, ARN or alias"},
    [OPTION_BUCKET_KEY] = {.name = "bucket-key", .kind = KIND_FLAG, .group = GROUP_S3, .commands = STORED,
        .from = BOTH,
        .help = "Let S3 use a bucket key, which saves requests to KMS"},
    [OPTION_OBJECT_LOCK_MODE] = {.name = "object-lock-mode", .kind = KIND_CHOICE, .group = GROUP_S3,
        .word = "GOVERNANCE|COMPLIANCE", .shown = "the bucket's", .commands = WRITING, .from = BOTH,
        .help = "Keep archives from being removed for --object-lock-days"},
    [OPTION_OBJECT_LOCK_DAYS] = {.name = "object-lock-days", .kind = KIND_UINT, .group = GROUP_S3,
        .word = "N", .shown = "the bucket's", .min = 1, .max = 36500, .commands = WRITING, .from = BOTH,
        .help = "How long the object lock lasts"},
    [OPTION_TAGS] = {.name = "tags", .kind = KIND_LIST, .group = GROUP_S3, .word = "KEY=VALUE,...",
        .commands = WRITING, .from = BOTH,
        .help = "Tags of archives; at most 10"},
    [OPTION_EXPECTED_BUCKET_OWNER] = {.name = "expected-bucket-owner", .kind = KIND_STRING,
        .group = GROUP_S3, .word = "ACCOUNT", .commands = STORED, .from = BOTH,
        .help = "Refuse a bucket that belongs to another account than this one (12 digits)"},

    [OPTION_INSTANCE] = {.name = "instance", .kind = KIND_STRING, .group = GROUP_RDS, .word = "NAME",
        .commands = POINT | SNAPSHOT, .from = BOTH,
        .help = "Instance or Aurora cluster; a member of a cluster stands for the cluster (point: what is"
                " snapshotted for it; snapshot restore: whose settings are taken)"},
    [OPTION_ID] = {.name = "id", .kind = KIND_STRING, .group = GROUP_RDS, .word = "NAME",
        .shown = "dbsafe-<instance>-%Y%m%d-%H%M%S", .commands = SNAPSHOT,
        .help = "Name of the new snapshot, with conversions of strftime(3) in UTC; what RDS does not allow becomes"
                " a hyphen"},
    [OPTION_AT] = {.name = "at", .kind = KIND_STRING, .group = GROUP_RDS, .word = "TIME", .commands = SNAPSHOT,
        .help = "Restore --instance as it was at this moment, such as 2026-11-23T19:04:05Z, or latest, instead of a"
                " snapshot"},
    [OPTION_KMS_KEY_ID] = {.name = "kms-key-id", .kind = KIND_STRING, .group = GROUP_RDS, .word = "KEY",
        .shown = "that of the snapshot", .commands = SNAPSHOT,
        .help = "KMS key that encrypts the copy of a snapshot"},
    [OPTION_FORCE] = {.name = "force", .kind = KIND_FLAG, .group = GROUP_RDS, .commands = POINT | SNAPSHOT,
        .help = "Delete a point or a snapshot although it is protected or the last one; restore a snapshot with RDS's"
                " default settings when its source is gone"},
    [OPTION_WAIT] = {.name = "wait", .kind = KIND_FLAG, .group = GROUP_RDS, .preset = "yes",
        .commands = SNAPSHOT, .from = BOTH,
        .help = "Wait until the new snapshot can be used"},
    [OPTION_WAIT_LIMIT] = {.name = "wait-limit", .kind = KIND_UINT, .group = GROUP_RDS, .word = "MINUTES",
        .preset = "720", .min = 1, .max = 100000, .commands = POINT | SNAPSHOT | ROLLBACK, .from = BOTH,
        .help = "Give a wait up after so long; AWS goes on all the same"},
    [OPTION_POLL_INTERVAL] = {.name = "poll-interval", .kind = KIND_UINT, .group = GROUP_RDS, .word = "SECONDS",
        .shown = "15 for snapshots, 30 for instances", .max = 3600, .commands = POINT | SNAPSHOT | ROLLBACK, .from = BOTH,
        .help = "How often AWS is asked while waiting; 0, ten times a second, is for tests"},

    [OPTION_CONFIG] = {.name = "config", .kind = KIND_STRING, .group = GROUP_COMMON, .word = "FILE",
        .shown = "~/.config/dbsafe/dbsafe.conf, else /etc/dbsafe.conf", .commands = WORKING, .from = ENV,
        .help = "Read settings from this file"},
    [OPTION_PROFILE] = {.name = "profile", .kind = KIND_STRING, .group = GROUP_COMMON, .word = "NAME",
        .commands = WORKING, .from = ENV,
        .help = "Use the section [profile NAME] of the configuration file"},
    [OPTION_JSON] = {.name = "json", .kind = KIND_FLAG, .group = GROUP_COMMON,
        .commands = WORKING | VERSION,
        .help = "Print the result as one JSON object on standard output"},
    [OPTION_QUIET] = {.name = "quiet", .letter = 'q', .kind = KIND_FLAG, .group = GROUP_COMMON,
        .commands = WORKING, .from = ENV,
        .help = "Log warnings and errors only"},
    [OPTION_VERBOSE] = {.name = "verbose", .letter = 'v', .kind = KIND_FLAG, .group = GROUP_COMMON,
        .commands = WORKING, .from = ENV,
        .help = "Log every step"},
    [OPTION_LOG_FORMAT] = {.name = "log-format", .kind = KIND_CHOICE, .group = GROUP_COMMON,
        .word = "text|json", .preset = "text", .commands = WORKING, .from = BOTH,
        .help = "Form of the log lines on standard error"},
    [OPTION_PROGRESS] = {.name = "progress", .kind = KIND_CHOICE, .group = GROUP_COMMON,
        .word = "auto|always|never", .preset = "auto", .commands = SERVER | COPY | SNAPSHOT, .from = BOTH,
        .help = "Draw a progress bar; auto draws it on a terminal and else logs a line a minute"},
    [OPTION_HELP] = {.name = "help", .letter = '?', .kind = KIND_FLAG, .group = GROUP_COMMON,
        .commands = EVERY,
        .help = "Show help"},
    [OPTION_VERSION] = {.name = "version", .kind = KIND_FLAG, .group = GROUP_COMMON, .commands = EVERY,
        .help = "Show the version"},
};
/* clang-format on */

const struct option_spec *option_spec(enum option_id id)
{
    return &table[id];
}

enum option_id option_find(const char *name)
{
    for (enum option_id id = 0; id < OPTION_TOTAL; id++)
        if (strcmp(table[id].name, name) == 0)
            return id;
    return OPTION_TOTAL;
}

bool option_belongs(enum option_id id, enum command_id command)
{
    return (table[id].commands >> command & 1u) != 0;
}

bool option_has_negation(enum option_id id)
{
    return table[id].kind == KIND_FLAG && (table[id].from & FROM_FILE);
}

void option_variable(enum option_id id, struct buf *out)
{
    buf_put(out, "DBSAFE_");
    for (const char *p = table[id].name; *p; p++) {
        char c = *p == '-' ? '_' : *p;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        buf_putn(out, &c, 1);
    }
}
