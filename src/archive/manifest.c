#include "archive/manifest.h"

#include "archive/tar.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rowsum_add(struct rowsum *sum, struct rowsum other)
{
    sum->low += other.low;
    sum->high += other.high + (sum->low < other.low); /* the carry */
}

bool rowsum_equal(struct rowsum a, struct rowsum b)
{
    return a.low == b.low && a.high == b.high;
}

void rowsum_format(struct rowsum sum, char out[ROWSUM_HEX_BYTES])
{
    snprintf(out, ROWSUM_HEX_BYTES, "%016" PRIx64 "%016" PRIx64, sum.high, sum.low);
}

bool rowsum_parse(const char *text, struct rowsum *out)
{
    if (strlen(text) != ROWSUM_HEX_BYTES - 1 || strspn(text, "0123456789abcdef") != ROWSUM_HEX_BYTES - 1)
        return false;
    char high[17] = "";
    memcpy(high, text, 16);
    out->high = strtoull(high, NULL, 16);
    out->low = strtoull(text + 16, NULL, 16);
    return true;
}

struct manifest *manifest_new(void)
{
    struct manifest *m = xcalloc(1, sizeof *m);
    m->arena = arena_new();
    m->format = MANIFEST_FORMAT;
    return m;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    arena_free(m->arena);
    free(m);
}

static const char *copy_text(struct manifest *m, const char *s)
{
    return s != NULL ? arena_strdup(m->arena, s) : NULL;
}

void manifest_add_member(struct manifest *m, const struct manifest_member *member)
{
    if (m->member_count == m->member_cap) {
        /* the arena keeps the older, smaller arrays: together as large as this one */
        size_t cap = m->member_cap > 0 ? 2 * m->member_cap : 64;
        struct manifest_member *larger = arena_calloc(m->arena, cap, sizeof *larger);
        if (m->member_count > 0)
            memcpy(larger, m->members, m->member_count * sizeof *larger);
        m->members = larger;
        m->member_cap = cap;
    }
    struct manifest_member *added = &m->members[m->member_count++];
    *added = *member;
    added->path = copy_text(m, member->path);
    added->key_first = copy_text(m, member->key_first);
    added->key_last = copy_text(m, member->key_last);
}

void manifest_add_warning(struct manifest *m, const char *object, const char *text)
{
    unsigned n = m->warning_count;
    if ((n & (n - 1)) == 0) { /* 0 or a power of two: full */
        struct manifest_warning *larger = arena_calloc(m->arena, n > 0 ? 2 * (size_t)n : 1, sizeof *larger);
        if (n > 0)
            memcpy(larger, m->warnings, n * sizeof *larger);
        m->warnings = larger;
    }
    m->warnings[n] = (struct manifest_warning){.object = copy_text(m, object), .text = copy_text(m, text)};
    m->warning_count++;
}

struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name)
{
    for (unsigned i = 0; i < m->table_count; i++)
        if (strcmp(m->tables[i].name, name) == 0 && strcmp(m->tables[i].schema, schema) == 0)
            return &m->tables[i];
    return NULL;
}

struct manifest_object *manifest_find_object(const struct manifest *m, enum object_kind kind,
                                             const char *schema, const char *name)
{
    for (unsigned i = 0; i < m->object_count; i++) {
        struct manifest_object *o = &m->objects[i];
        if (o->kind == kind && strcmp(o->name, name) == 0 && strcmp(o->schema, schema) == 0)
            return o;
    }
    return NULL;
}

uint64_t manifest_members_end(const struct manifest *m)
{
    if (m->member_count == 0)
        return 0;
    const struct manifest_member *last = &m->members[m->member_count - 1];
    return last->offset + tar_padded(last->length);
}
