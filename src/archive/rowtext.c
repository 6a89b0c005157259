#include "archive/rowtext.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct rowtext {
    XXH3_state_t *state; /* of the line that a piece of text ended in */
    bool open;           /* state holds the start of a line */
    uint64_t rows;
    struct rowsum sum;
};

struct rowtext *rowtext_new(void)
{
    struct rowtext *r = xcalloc(1, sizeof *r);
    r->state = XXH3_createState();
    if (r->state == NULL)
        abort(); /* out of memory, as in xmalloc */
    return r;
}

void rowtext_free(struct rowtext *r)
{
    if (r == NULL)
        return;
    XXH3_freeState(r->state);
    free(r);
}

static void add_row(struct rowtext *r, XXH128_hash_t hash)
{
    rowsum_add(&r->sum, (struct rowsum){.low = hash.low64, .high = hash.high64});
    r->rows++;
}

/* The start of a line whose end is not here yet, or its middle. */
static void keep_open(struct rowtext *r, const char *text, size_t bytes)
{
    if (!r->open)
        XXH3_128bits_reset(r->state);
    XXH3_128bits_update(r->state, text, bytes);
    r->open = true;
}

void rowtext_add(struct rowtext *r, const void *text, size_t bytes)
{
    const char *at = text, *end = at + bytes;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            keep_open(r, at, (size_t)(end - at));
            return;
        }
        if (r->open) {
            keep_open(r, at, (size_t)(newline - at));
            add_row(r, XXH3_128bits_digest(r->state));
            r->open = false;
        } else {
            add_row(r, XXH3_128bits(at, (size_t)(newline - at)));
        }
        at = newline + 1;
    }
}

bool rowtext_end(struct rowtext *r, uint64_t *rows, struct rowsum *sum)
{
    bool whole = !r->open;
    *rows = r->rows;
    *sum = r->sum;
    r->open = false;
    r->rows = 0;
    r->sum = (struct rowsum){0};
    return whole;
}
