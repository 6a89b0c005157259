#include "cli/iam_login.h"

#include "aws/client.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REGION_BYTES 64

struct iam_login {
    struct aws_settings settings;
    struct aws_session *session;
};

enum err_code iam_login_open(const struct cli *cli, struct iam_login **out, struct err *err)
{
    const struct options *o = cli->options;
    struct iam_login *i = xcalloc(1, sizeof *i);
    i->settings = (struct aws_settings){
        .environment = cli->environment,
        .clock = cli->run->clock,
        .log = cli->run->log,
        .profile = options_text(o, OPTION_AWS_PROFILE),
        .region = options_text(o, OPTION_REGION),
        .ca_bundle = options_text(o, OPTION_CA_BUNDLE),
    };
    enum err_code code = aws_session_open(&i->settings, &i->session, err);
    if (code != ERR_OK) {
        free(i);
        return code;
    }
    *out = i;
    return ERR_OK;
}

void iam_login_free(struct iam_login *i)
{
    if (i == NULL)
        return;
    aws_session_free(i->session);
    free(i);
}

bool iam_region_of(const char *host, char *out, size_t bytes)
{
    static const char *const suffixes[] = {".rds.amazonaws.com", ".rds.amazonaws.com.cn"};
    size_t n = strlen(host);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t end = strlen(suffixes[i]);
        if (n <= end || strcasecmp(host + n - end, suffixes[i]) != 0)
            continue;
        const char *from = host + n - end;
        while (from > host && from[-1] != '.')
            from--;
        size_t length = (size_t)(host + n - end - from);
        if (length == 0 || length >= bytes || from == host)
            return false;
        memcpy(out, from, length);
        out[length] = '\0';
        return true;
    }
    return false;
}

static enum err_code find_region(struct iam_login *i, const char *host, struct cancel *cancel,
                                 struct buf *out, struct err *err)
{
    char region[REGION_BYTES];
    const char *known = NULL;
    if (!iam_region_of(host, region, sizeof region)) {
        enum err_code code = aws_config_region(aws_session_config(i->session), cancel, &known, err);
        if (code != ERR_OK)
            return code;
        if (known == NULL)
            return err_set(err, ERR_CONFIG, "--iam-auth: the region of %s is not known; give --region", host);
    }
    buf_put(out, known != NULL ? known : region);
    return ERR_OK;
}

enum err_code iam_login_password(void *arg, const char *host, unsigned port, const char *user,
                                 struct cancel *cancel, struct buf *out, struct err *err)
{
    struct iam_login *i = arg;
    struct aws_credentials keys = {0};
    struct buf region;
    buf_init(&region, 256);
    enum err_code code = find_region(i, host, cancel, &region, err);
    if (code == ERR_OK)
        code = aws_credentials_get(aws_session_credentials(i->session), cancel, &keys, err);
    if (code == ERR_OK) {
        struct sigv4 s = {
            .access_key = keys.access_key,
            .secret_key = keys.secret_key,
            .session_token = keys.session_token,
            .region = buf_cstr(&region),
            .wall_ms = clock_wall_ms(i->settings.clock),
            .clock_offset_ms = aws_session_clock_offset_ms(i->session),
        };
        code = aws_rds_auth_token(&s, host, port, user, out, err);
    }
    aws_credentials_clear(&keys);
    buf_free(&region);
    return code;
}
