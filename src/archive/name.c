#include "archive/name.h"

#include <stdio.h>
#include <string.h>

#define STAMP_BYTES  16 /* YYYYMMDDThhmmssZ */
#define RUN_ID_BYTES 12

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void archive_name_format(int64_t created_ms, const char *label, const char *run_id,
                         char out[ARCHIVE_NAME_BYTES])
{
    char stamp[CLOCK_COMPACT_BYTES];
    clock_format_compact(created_ms, stamp);
    snprintf(out, ARCHIVE_NAME_BYTES, "%s-%s-%s" ARCHIVE_SUFFIX, stamp, label, run_id);
}

/* Bytes of name before suffix; 0 when it has another end. */
static size_t before(const char *name, const char *suffix)
{
    size_t n = strlen(name), end = strlen(suffix);
    return n > end && strcmp(name + n - end, suffix) == 0 ? n - end : 0;
}

bool archive_name_has_suffix(const char *name)
{
    return before(name, ARCHIVE_SUFFIX) > 0;
}

size_t archive_name_of_companion(const char *name)
{
    struct archive_name parsed;
    char archive[ARCHIVE_NAME_BYTES];
    size_t n = before(name, PROOF_SUFFIX);
    if (n == 0)
        n = before(name, DRILL_SUFFIX);
    if (n == 0 || n >= sizeof archive)
        return 0;
    memcpy(archive, name, n);
    archive[n] = '\0';
    return archive_name_parse(archive, &parsed) ? n : 0;
}

int archive_name_compare(const char *a, int64_t a_modified_ms, const char *b, int64_t b_modified_ms)
{
    int order = strncmp(a, b, STAMP_BYTES);
    if (order == 0 && a_modified_ms != b_modified_ms)
        order = a_modified_ms < b_modified_ms ? -1 : 1;
    return order != 0 ? order : strcmp(a, b);
}

/* "20261123T190405Z" by way of the ISO form that the clock reads. */
static bool parse_stamp(const char *s, int64_t *ms)
{
    char iso[CLOCK_ISO_BYTES];
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", s, s + 4, s + 6, s + 9, s + 11, s + 13);
    return s[8] == 'T' && s[15] == 'Z' && clock_parse_iso(iso, ms);
}

bool archive_name_parse(const char *name, struct archive_name *out)
{
    if (!archive_name_has_suffix(name))
        return false;
    size_t n = strlen(name) - strlen(ARCHIVE_SUFFIX), frame = STAMP_BYTES + 1 + 1 + RUN_ID_BYTES;
    if (n <= frame || n - frame >= LABEL_BYTES)
        return false;
    const char *run_id = name + n - RUN_ID_BYTES;
    if (name[STAMP_BYTES] != '-' || run_id[-1] != '-' || strspn(run_id, "0123456789abcdef") != RUN_ID_BYTES)
        return false;
    size_t label = n - frame;
    memcpy(out->label, name + STAMP_BYTES + 1, label);
    out->label[label] = '\0';
    return label_is_valid(out->label) && parse_stamp(name, &out->created_ms);
}

bool label_is_valid(const char *label)
{
    size_t n = 0;
    while (is_label_byte(label[n]))
        n++;
    return n > 0 && label[n] == '\0' && n < LABEL_BYTES && label[0] != '-' && strcmp(label, "latest") != 0;
}

void label_from_name(const char *name, char out[LABEL_BYTES])
{
    size_t n = 0;
    bool letters = false;
    for (; *name && *name != '.' && n < LABEL_BYTES - 1; name++) {
        unsigned char c = (unsigned char)*name;
        bool kept = is_label_byte(*name) && !(n == 0 && c == '-');
        bool continues = (c & 0xC0) == 0x80; /* one _ for a character, not for each of its bytes */
        letters |= kept;
        if (c != '*' && c != '?' && !continues)
            out[n++] = kept ? *name : '_';
    }
    out[n] = '\0';
    if (!letters)
        strcpy(out, "all");
    else if (strcmp(out, "latest") == 0)
        strcpy(out, "latest_");
}
