#include "rds/ident.h"

#include "aws/sigv4.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define EXPANDED_BYTES 1024
#define DIGEST_CHARS   8

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool rds_ident_is_legal(const char *id, size_t max)
{
    size_t n = strlen(id);
    if (n == 0 || n > max || !is_letter(id[0]) || id[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(id[i]) && !is_digit(id[i]) && (id[i] != '-' || id[i + 1] == '-'))
            return false;
    return true;
}

/* The user's pattern is what strftime is for here; it writes within the buffer whatever the pattern is. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t expand(const char *pattern, int64_t wall_ms, char out[EXPANDED_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return strftime(out, EXPANDED_BYTES, pattern, &tm);
}
#pragma GCC diagnostic pop

/* Allowed characters in lower case, one hyphen for each run of others; none at the ends. */
static void clean(const char *text, char out[EXPANDED_BYTES + 4])
{
    size_t n = 0;
    bool gap = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (!is_letter(*p) && !is_digit(*p)) {
            gap = n > 0;
            continue;
        }
        if (n == 0 && !is_letter(*p))
            n = (size_t)sprintf(out, "db-");
        if (gap)
            out[n++] = '-';
        gap = false;
        out[n++] = lower(*p);
    }
    out[n] = '\0';
}

/* Ends text, which is too long or has nothing in it, with some digits of the name's digest. */
static enum err_code end_with_digest(const char *name, size_t max, char *text, struct err *err)
{
    char hex[SIGV4_HEX_BYTES];
    enum err_code rc = sigv4_sha256_hex(name, strlen(name), hex, err);
    if (rc != ERR_OK)
        return rc;
    size_t n = strlen(text);
    if (n > max - DIGEST_CHARS - 1)
        n = max - DIGEST_CHARS - 1;
    while (n > 0 && text[n - 1] == '-')
        n--;
    if (n == 0)
        n = (size_t)sprintf(text, "db");
    sprintf(text + n, "-%.*s", DIGEST_CHARS, hex);
    return ERR_OK;
}

enum err_code rds_ident_make(const char *name, size_t max, int64_t wall_ms, char out[RDS_ID_BYTES],
                             struct err *err)
{
    char expanded[EXPANDED_BYTES], text[EXPANDED_BYTES + 4];
    if (*name == '\0')
        return err_set(err, ERR_USAGE, "an identifier cannot be made of an empty name");
    if (strlen(name) >= EXPANDED_BYTES || expand(name, wall_ms, expanded) == 0)
        return err_set(err, ERR_USAGE, "the name '%.60s' is too long for an identifier, or empty", name);
    clean(expanded, text);
    if (*text == '\0' || strlen(text) > max) {
        enum err_code rc = end_with_digest(expanded, max, text, err);
        if (rc != ERR_OK)
            return rc;
    }
    memcpy(out, text, strlen(text) + 1);
    return ERR_OK;
}

static bool is_arn(const char *text)
{
    return strncmp(text, "arn:", 4) == 0;
}

/* "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:prod-1": type and name are behind the fifth colon. */
static const char *parse_arn(const char *arn, const char **type)
{
    static const char *const types[] = {"db", "cluster", "snapshot", "cluster-snapshot"};
    const char *p = arn;
    for (int colons = 0; colons < 5; colons++) {
        p = strchr(p, ':');
        if (p == NULL)
            return NULL;
        p++;
    }
    size_t n = strcspn(p, ":");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strlen(types[i]) == n && memcmp(types[i], p, n) == 0 && p[n] == ':') {
            *type = types[i];
            return p + n + 1;
        }
    return NULL;
}

enum err_code rds_ident_refer(const char *text, char out[RDS_ID_BYTES], const char **type, struct err *err)
{
    const char *name = text;
    *type = NULL;
    if (is_arn(text))
        name = parse_arn(text, type);
    size_t n = name == NULL ? 0 : strlen(name);
    if (n == 0 || n > RDS_SNAPSHOT_ID_MAX)
        return err_set(err, ERR_USAGE, "'%.300s' is no identifier of RDS", text);
    for (size_t i = 0; i <= n; i++) {
        if (name[i] != '\0' && !is_letter(name[i]) && !is_digit(name[i]) && strchr("-:._", name[i]) == NULL)
            return err_set(err, ERR_USAGE,
                           "'%.300s' is no identifier of RDS: it has other characters than letters,"
                           " digits and hyphens",
                           text);
        out[i] = lower(name[i]);
    }
    return ERR_OK;
}

bool rds_ident_is_meant(const char *text, const char *found)
{
    return !is_arn(text) || strcasecmp(text, found) == 0;
}

bool rds_ident_is_here(const char *text, const char *found)
{
    if (!is_arn(text))
        return true;
    for (int colons = 0; *text != '\0' && lower(*text) == lower(*found); text++, found++)
        if (*text == ':' && ++colons == 5)
            return true;
    return false;
}
