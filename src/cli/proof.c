#include "cli/proof.h"

#include "archive/name.h"
#include "core/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_MAX_BYTES 4096

static const char *const kinds[] = {
    [PROOF_NONE] = "none", [PROOF_BYTES] = "bytes", [PROOF_RESTORED] = "restored"};

static struct proof parse(const char *text, size_t length, const char *run_id, uint64_t bytes)
{
    struct proof p = {.kind = PROOF_NONE};
    json_t *root = json_loadb(text, length, 0, NULL);
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const char *date = json_string_value(json_object_get(root, "date"));
    const char *id = json_string_value(json_object_get(root, "run_id"));
    json_int_t size = json_integer_value(json_object_get(root, "bytes"));
    int64_t ms;
    bool ours = id && strcmp(id, run_id) == 0 && (uint64_t)size == bytes;
    if (ours && kind && date && clock_parse_iso(date, &ms))
        for (enum proof_kind k = PROOF_BYTES; k <= PROOF_RESTORED; k++)
            if (strcmp(kind, kinds[k]) == 0)
                p.kind = k;
    if (p.kind != PROOF_NONE)
        snprintf(p.date, sizeof p.date, "%s", date);
    json_decref(root);
    return p;
}

struct proof proof_read(struct store *store, const char *name, const char *run_id, uint64_t bytes)
{
    struct proof p = {.kind = PROOF_NONE};
    struct buf text;
    buf_init(&text, PROOF_MAX_BYTES);
    char *object = xasprintf("%s" PROOF_SUFFIX, name);
    if (store_get_small(store, object, &text, NULL) == ERR_OK && text.len > 0)
        p = parse(text.data, text.len, run_id, bytes);
    free(object);
    buf_free(&text);
    return p;
}

/* Never replaces one that says more. */
static enum err_code put(struct store *store, const char *name, const char *run_id, uint64_t bytes,
                         enum proof_kind kind, const char *date, struct err *err)
{
    if (proof_read(store, name, run_id, bytes).kind > kind)
        return ERR_OK;
    json_t *root = json_pack("{s:s, s:s, s:I, s:s, s:s}", "archive", name, "run_id", run_id, "bytes",
                             (json_int_t)bytes, "kind", kinds[kind], "date", date);
    char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    char *object = xasprintf("%s" PROOF_SUFFIX, name);
    enum err_code code = text ? store_put_small(store, object, text, strlen(text), err)
                              : err_set(err, ERR_INTERNAL, "%s cannot be written as JSON", object);
    free(object);
    free(text);
    json_decref(root);
    return code;
}

enum err_code proof_write(struct store *store, const char *name, const char *run_id, uint64_t bytes,
                          enum proof_kind kind, int64_t wall_ms, struct err *err)
{
    char date[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, date);
    return put(store, name, run_id, bytes, kind, date, err);
}

enum err_code proof_copy(struct store *from, const char *name, struct store *to, const char *copy_name,
                         const char *run_id, uint64_t bytes, struct err *err)
{
    struct proof p = proof_read(from, name, run_id, bytes);
    return p.kind == PROOF_NONE ? ERR_OK : put(to, copy_name, run_id, bytes, p.kind, p.date, err);
}

enum err_code proof_remove(struct store *store, const char *name, struct err *err)
{
    char *object = xasprintf("%s" PROOF_SUFFIX, name);
    enum err_code code = store_remove(store, object, err);
    free(object);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

const char *proof_text(const struct proof *p, char out[PROOF_TEXT_BYTES])
{
    snprintf(out, PROOF_TEXT_BYTES, "%s%s%s", kinds[p->kind], p->kind == PROOF_NONE ? "" : " ", p->date);
    return out;
}
