#include "cli/login.h"

#include "cli/iam_login.h"
#include "cli/option_file.h"
#include "cli/prompt.h"
#include "core/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first line of the file, read without stdio: its buffer would keep a copy. */
static enum err_code read_first_line(int fd, const char *path, char secret[LOGIN_SECRET_BYTES],
                                     struct err *err)
{
    size_t n = 0;
    while (n < LOGIN_SECRET_BYTES - 1) {
        ssize_t got = read(fd, secret + n, LOGIN_SECRET_BYTES - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, ERR_CONFIG, errno, "read the password file %s", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    secret[n] = '\0';
    size_t line = strcspn(secret, "\n");
    if (line == LOGIN_SECRET_BYTES - 1)
        return err_set(err, ERR_CONFIG, "the first line of the password file %s is longer than %d bytes",
                       path, LOGIN_SECRET_BYTES - 2);
    if (line > 0 && secret[line - 1] == '\r')
        line--;
    explicit_bzero(secret + line, LOGIN_SECRET_BYTES - line);
    if (line == 0)
        return err_set(err, ERR_CONFIG, "the first line of the password file %s is empty", path);
    return ERR_OK;
}

static enum err_code read_password_file(const struct cli *cli, const char *path,
                                        char secret[LOGIN_SECRET_BYTES], struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ERR_CONFIG, errno, "open the password file %s", path);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
        log_warn(cli->run->log, "the password file %s is open to others (mode %04o): use chmod 600", path,
                 (unsigned)st.st_mode & 07777u);
    enum err_code code = read_first_line(fd, path, secret, err);
    close(fd);
    return code;
}

static enum err_code read_password(const struct cli *cli, struct login *out, struct err *err)
{
    const char *file = options_text(cli->options, OPTION_PASSWORD_FILE);
    enum err_code code;
    if (options_flag(cli->options, OPTION_PASSWORD)) {
        code = prompt_line(cli->run->cancel, "Enter password: ", true, out->secret, sizeof out->secret, err);
        if (code == ERR_CONFIG)
            err_hint(err, "; without a terminal use --password-file, an option file or MYSQL_PWD");
    } else if (file) {
        code = read_password_file(cli, file, out->secret, err);
    } else {
        return ERR_OK;
    }
    out->params.password = out->secret;
    return code;
}

static enum err_code use_iam(const struct cli *cli, struct login *out, struct err *err)
{
    const struct options *o = cli->options;
    if (options_flag(o, OPTION_PASSWORD) || options_text(o, OPTION_PASSWORD_FILE))
        return err_set(err, ERR_USAGE,
                       "--iam-auth makes the password itself: it goes without -p and --password-file");
    if (options_flag(o, OPTION_SKIP_SSL))
        return err_set(err, ERR_USAGE, "--iam-auth goes over TLS only, not with --skip-ssl");
    if (options_flag(o, OPTION_SKIP_SSL_VERIFY))
        log_warn(cli->run->log, "with --skip-ssl-verify-server-cert the IAM token goes to whoever answers");
    out->params.password_for = iam_login_password;
    enum err_code code = iam_login_open(cli, &out->iam, err);
    out->params.password_arg = out->iam;
    return code;
}

enum err_code login_read(const struct cli *cli, struct login *out, struct err *err)
{
    const struct options *o = cli->options;
    memset(out, 0, sizeof *out);
    out->params = (struct db_params){
        .defaults_file = options_text(o, OPTION_DEFAULTS_FILE),
        .host = options_text(o, OPTION_HOST),
        .user = options_text(o, OPTION_USER),
        .socket = options_text(o, OPTION_SOCKET),
        .port = (unsigned)options_number(o, OPTION_PORT),
        .ssl_ca = options_text(o, OPTION_SSL_CA),
        .ssl_capath = options_text(o, OPTION_SSL_CAPATH),
        .ssl_cert = options_text(o, OPTION_SSL_CERT),
        .ssl_key = options_text(o, OPTION_SSL_KEY),
        .ssl_cipher = options_text(o, OPTION_SSL_CIPHER),
        .ssl_off = options_flag(o, OPTION_SKIP_SSL),
        .ssl_no_verify = options_flag(o, OPTION_SKIP_SSL_VERIFY),
        .connect_timeout_s = (unsigned)options_number(o, OPTION_CONNECT_TIMEOUT),
    };
    enum err_code code = ERR_OK;
    if (out->params.defaults_file && access(out->params.defaults_file, R_OK) != 0)
        code = err_set_errno(err, ERR_CONFIG, errno, "read the option file %s", out->params.defaults_file);
    if (code == ERR_OK && out->params.defaults_file)
        code = option_file_check(out->params.defaults_file, cli->run->log, err);
    else if (code == ERR_OK)
        code = option_file_check_standard(environment_get(cli->environment, "HOME"), cli->run->log, err);
    if (code == ERR_OK && options_flag(o, OPTION_IAM_AUTH))
        code = use_iam(cli, out, err);
    else if (code == ERR_OK)
        code = read_password(cli, out, err);
    if (code != ERR_OK)
        login_wipe(out);
    return code;
}

void login_wipe(struct login *login)
{
    iam_login_free(login->iam);
    login->iam = NULL;
    login->params.password_for = NULL;
    explicit_bzero(login->secret, sizeof login->secret);
    login->params.password = NULL;
}
