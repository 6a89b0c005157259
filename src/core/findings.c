#include "core/findings.h"

#include "core/buf.h"
#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)
/* Of the reasons in an error: its first and last words have their place, too. */
#define REASONS_MAX_BYTES ((size_t)ERR_TEXT_BYTES - 200)

void findings_free(struct findings *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        free(f->items[i].text);
        free(f->items[i].remedy);
    }
    free(f->items);
    *f = (struct findings){0};
}

static bool is_known(const struct findings *f, const char *topic, const char *text)
{
    for (unsigned i = 0; i < f->count; i++)
        if (strcmp(f->items[i].topic, topic) == 0 && strcmp(f->items[i].text, text) == 0)
            return true;
    return false;
}

void findings_add(struct findings *f, enum finding_level level, const char *topic, const char *remedy,
                  const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort(); /* no memory, as in xmalloc */
    va_end(args);
    if (is_known(f, topic, text)) {
        free(text);
        return;
    }
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->items = xreallocarray(f->items, f->cap, sizeof *f->items);
    }
    f->items[f->count++] = (struct finding){level, topic, text, remedy ? xstrdup(remedy) : NULL};
}

unsigned findings_count(const struct findings *f, enum finding_level level)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->count; i++)
        n += f->items[i].level == level;
    return n;
}

const char *finding_level_name(enum finding_level level)
{
    static const char *const names[] = {"ok", "note", "warning", "refusal"};
    return names[level];
}

enum err_code findings_check(const struct findings *f, const char *what, struct err *err)
{
    struct buf text, line;
    unsigned left = findings_count(f, FINDING_REFUSAL);
    if (left == 0)
        return ERR_OK;
    buf_init(&text, ERR_TEXT_BYTES);
    buf_init(&line, LINE_MAX_BYTES);
    for (unsigned i = 0; i < f->count; i++) {
        const struct finding *item = &f->items[i];
        if (item->level != FINDING_REFUSAL)
            continue;
        buf_clear(&line);
        buf_addf(&line, NULL, "\n  %s%s%s", item->text, item->remedy ? ": " : "",
                 item->remedy ? item->remedy : "");
        if (text.len + line.len > REASONS_MAX_BYTES)
            break;
        buf_putn(&text, line.data, line.len);
        left--;
    }
    enum err_code code =
        err_set(err, ERR_REFUSED, "%s: refused, nothing was changed:%s", what, buf_cstr(&text));
    if (left)
        err_hint(err, "\n  and %u more", left);
    buf_free(&line);
    buf_free(&text);
    return code;
}
