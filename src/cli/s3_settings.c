#include "cli/s3_settings.h"

#include "s3/store_s3.h"

#include <string.h>

#define TAGS_MAX 10

/* ERR_USAGE for what was given on the command line, else ERR_CONFIG. */
static enum err_code code_of(const struct options *o, enum option_id id)
{
    return options_origin(o, id) == ORIGIN_ARGUMENT ? ERR_USAGE : ERR_CONFIG;
}

/* The place of the option's word in its list of choices; 0 when it was not given. */
static unsigned choice_of(const struct options *o, enum option_id id)
{
    const char *text = options_text(o, id), *words = option_spec(id)->word;
    unsigned index = 0;
    while (text && *words) {
        size_t n = strcspn(words, "|");
        if (strlen(text) == n && memcmp(words, text, n) == 0)
            return index;
        index++;
        words += n + (words[n] == '|');
    }
    return 0;
}

static enum err_code check_tags(const struct options *o, struct err *err)
{
    unsigned count;
    const char *const *tags = options_items(o, OPTION_TAGS, &count);
    enum err_code code = code_of(o, OPTION_TAGS);
    if (count > TAGS_MAX)
        return err_set(err, code, "--tags: S3 takes at most %d, not %u", TAGS_MAX, count);
    for (unsigned i = 0; i < count; i++)
        if (!strchr(tags[i], '=') || tags[i][0] == '=')
            return err_set(err, code, "--tags: '%s' is not KEY=VALUE", tags[i]);
    return ERR_OK;
}

static enum err_code check(const struct options *o, struct err *err)
{
    const char *sse = options_text(o, OPTION_SSE), *mode = options_text(o, OPTION_OBJECT_LOCK_MODE);
    bool kms = sse && strncmp(sse, "aws:kms", 7) == 0;
    if (options_text(o, OPTION_SSE_KMS_KEY_ID) && !kms)
        return err_set(err, code_of(o, OPTION_SSE_KMS_KEY_ID), "--sse-kms-key-id needs --sse aws:kms");
    if (options_flag(o, OPTION_BUCKET_KEY) && !kms)
        return err_set(err, code_of(o, OPTION_BUCKET_KEY), "--bucket-key needs --sse aws:kms");
    if (mode && options_number(o, OPTION_OBJECT_LOCK_DAYS) == 0)
        return err_set(err, code_of(o, OPTION_OBJECT_LOCK_MODE),
                       "--object-lock-mode needs --object-lock-days");
    if (!mode && options_number(o, OPTION_OBJECT_LOCK_DAYS) > 0)
        return err_set(err, code_of(o, OPTION_OBJECT_LOCK_DAYS),
                       "--object-lock-days needs --object-lock-mode");
    return check_tags(o, err);
}

enum err_code s3_settings_open(const struct cli *cli, const char *url, struct store **out, struct err *err)
{
    const struct options *o = cli->options;
    struct s3_options s = {
        .aws = {.environment = cli->environment,
                .clock = cli->run->clock,
                .log = cli->run->log,
                .profile = options_text(o, OPTION_AWS_PROFILE),
                .region = options_text(o, OPTION_REGION),
                .endpoint_url = options_text(o, OPTION_ENDPOINT_URL),
                .ca_bundle = options_text(o, OPTION_CA_BUNDLE)},
        .addressing = (enum s3_addressing)choice_of(o, OPTION_ADDRESSING),
        .checksum = (enum s3_checksum)choice_of(o, OPTION_CHECKSUM),
        .uploaders = options_origin(o, OPTION_UPLOADERS) == ORIGIN_DEFAULT
                         ? 0
                         : (unsigned)options_number(o, OPTION_UPLOADERS),
        .part_bytes = options_number(o, OPTION_PART_SIZE),
        .storage_class = options_text(o, OPTION_STORAGE_CLASS),
        .sse = options_text(o, OPTION_SSE),
        .sse_kms_key_id = options_text(o, OPTION_SSE_KMS_KEY_ID),
        .bucket_key = options_flag(o, OPTION_BUCKET_KEY),
        .lock_mode = options_text(o, OPTION_OBJECT_LOCK_MODE),
        .lock_days = (unsigned)options_number(o, OPTION_OBJECT_LOCK_DAYS),
        .expected_bucket_owner = options_text(o, OPTION_EXPECTED_BUCKET_OWNER),
    };
    s.tags = options_items(o, OPTION_TAGS, &s.tag_count);
    enum err_code code = check(o, err);
    return code == ERR_OK ? store_s3_open(url, &s, cli->run, out, err) : code;
}
