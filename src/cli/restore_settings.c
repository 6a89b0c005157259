#include "cli/restore_settings.h"

#include "cli/settings.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

static enum if_exists if_exists_of(const struct options *o)
{
    static const char *const words[] = {
        [IF_EXISTS_SWAP] = "swap", [IF_EXISTS_FAIL] = "fail", [IF_EXISTS_DROP] = "drop"};
    const char *word = options_text(o, OPTION_IF_EXISTS);
    enum if_exists found = IF_EXISTS_SWAP;
    while (strcmp(words[found], word) != 0)
        found++;
    return found;
}

enum err_code restore_settings_read(const struct options *o, const char *archive_name,
                                    struct restore_settings *out, struct err *err)
{
    unsigned items;
    const char *const *into = options_items(o, OPTION_INTO, &items);
    *out =
        (struct restore_settings){.options = {
                                      .if_exists = if_exists_of(o),
                                      .verify = options_flag(o, OPTION_VERIFY),
                                      .threads = settings_threads(o),
                                      .lock_timeout_s = (unsigned)options_number(o, OPTION_LOCK_TIMEOUT),
                                      .kill_blockers = options_flag(o, OPTION_KILL_BLOCKERS),
                                      .assume_no_outside_fks = options_flag(o, OPTION_ASSUME_NO_OUTSIDE_FKS),
                                      .include_referencing = options_flag(o, OPTION_INCLUDE_REFERENCING),
                                      .resume = options_flag(o, OPTION_RESUME),
                                      .dry_run = options_flag(o, OPTION_DRY_RUN),
                                      .staging_schema = options_text(o, OPTION_STAGING_SCHEMA),
                                      .undo_schema = options_text(o, OPTION_UNDO_SCHEMA),
                                      .archive_name = archive_name,
                                  }};
    struct restore_options *r = &out->options;
    r->tables = options_items(o, OPTION_TABLES, &r->table_count);
    r->map_collations = options_items(o, OPTION_MAP_COLLATION, &r->map_collation_count);
    out->definer = xstrdup(options_text(o, OPTION_DEFINER));
    enum err_code code = settings_into(into, items, &out->pairs, err);
    r->into = out->pairs;
    r->into_count = items;
    return code == ERR_OK ? definer_parse(out->definer, &r->definer, err) : code;
}

void restore_settings_free(struct restore_settings *s)
{
    free(s->pairs);
    free(s->definer);
    s->pairs = NULL;
    s->definer = NULL;
}
