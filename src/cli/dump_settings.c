#include "cli/dump_settings.h"

#include "archive/name.h"
#include "cli/settings.h"

#include <inttypes.h>
#include <string.h>

/* Each thread and each member that waits has one of these in memory twice. */
#define CHUNK_BYTES       ((size_t)16 << 20)
#define SMALL_CHUNK_BYTES ((size_t)8 << 20)
#define FEW_THREADS       2

static size_t chunk_bytes(const struct options *o)
{
    size_t given = (size_t)options_number(o, OPTION_CHUNK_SIZE);
    return given ? given : settings_threads(o) > FEW_THREADS ? SMALL_CHUNK_BYTES : CHUNK_BYTES;
}

struct dump_options dump_settings_read(const struct options *o)
{
    static const struct {
        const char *word;
        enum dump_count_check value;
    } checks[] = {{"auto", COUNT_AUTO}, {"always", COUNT_ALWAYS}, {"never", COUNT_NEVER}};
    struct dump_options d = {
        .threads = settings_threads(o),
        .compress_level = (int)options_number(o, OPTION_COMPRESS_LEVEL),
        .chunk_bytes = chunk_bytes(o),
        .consistency = options_text(o, OPTION_CONSISTENCY),
        .allow_inconsistent = options_flag(o, OPTION_ALLOW_INCONSISTENT),
        .max_rate = options_number(o, OPTION_MAX_RATE),
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (strcmp(options_text(o, OPTION_COUNT_CHECK), checks[i].word) == 0)
            d.count_check = checks[i].value;
    return d;
}

enum err_code dump_settings_check_label(const char *label, struct err *err)
{
    if (label && !label_is_valid(label))
        return err_set(err, ERR_USAGE,
                       "'%s' is not a label: letters, digits, _ and -, at most 40, and not 'latest'", label);
    return ERR_OK;
}

#define LEAST_RATE ((uint64_t)16 << 10)

enum err_code dump_settings_check_rate(const struct options *o, struct err *err)
{
    uint64_t rate = options_number(o, OPTION_MAX_RATE);
    if (rate > 0 && rate < LEAST_RATE)
        return err_set(err, ERR_USAGE,
                       "--max-rate %" PRIu64 " is so many bytes a second; the least is 16K, and %" PRIu64
                       "M are as many MiB",
                       rate, rate);
    return ERR_OK;
}
