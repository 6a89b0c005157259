#include "cli/prompt.h"

#include "cli/progress.h"
#include "cli/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Runs in the thread that fires the token: makes the pipe readable, which ends the poll. */
static void wake(void *arg)
{
    const int *fd = arg;
    ssize_t n = write(*fd, "", 1);
    (void)n; /* a full pipe is readable already */
}

/* Waits until tty has input; ERR_OK, or why the token fired. */
static enum err_code wait_readable(int tty, int woken, struct cancel *cancel, struct err *err)
{
    struct pollfd fds[] = {{.fd = tty, .events = POLLIN}, {.fd = woken, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return err_set_errno(err, ERR_INTERNAL, errno, "wait for the terminal");
    return cancel_check(cancel, err);
}

static enum err_code read_line(int tty, int woken, struct cancel *cancel, char *answer, size_t bytes,
                               struct err *err)
{
    size_t n = 0;
    for (;;) {
        enum err_code code = wait_readable(tty, woken, cancel, err);
        if (code != ERR_OK)
            return code;
        ssize_t got = read(tty, answer + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, ERR_CONFIG, errno, "read from the terminal");
        if (got == 0 || answer[n] == '\n') {
            answer[n] = '\0';
            return ERR_OK;
        }
        if (++n == bytes)
            return err_set(err, ERR_CONFIG, "the answer is longer than %zu bytes", bytes - 1);
    }
}

static enum err_code ask(int tty, const char *question, bool secret, struct cancel *cancel, char *answer,
                         size_t bytes, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set_errno(err, ERR_INTERNAL, errno, "make a pipe");
    struct termios before, quiet;
    bool hidden = secret && tcgetattr(tty, &before) == 0;
    if (hidden) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(tty, TCSAFLUSH, &quiet);
    }
    struct cancel_hook hook = {.wake = wake, .arg = &ends[1]};
    cancel_add_hook(cancel, &hook);
    dprintf(tty, "%s", question);
    enum err_code code = read_line(tty, ends[0], cancel, answer, bytes, err);
    cancel_remove_hook(cancel, &hook);
    if (hidden)
        tcsetattr(tty, TCSAFLUSH, &before);
    if (hidden || code != ERR_OK) /* what is said next stands on a line of its own */
        dprintf(tty, "\n");
    close(ends[0]);
    close(ends[1]);
    return code;
}

enum err_code prompt_line(struct cancel *cancel, const char *question, bool secret, char *answer,
                          size_t bytes, struct err *err)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return err_set_errno(err, ERR_CONFIG, errno, "open the terminal to ask on");
    enum err_code code = ask(tty, question, secret, cancel, answer, bytes, err);
    close(tty);
    return code;
}

enum err_code prompt_confirm(const struct cli *cli, const char *what, struct err *err)
{
    char question[ERR_TEXT_BYTES + 64], answer[16];
    if (options_flag(cli->options, OPTION_YES))
        return ERR_OK;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_REFUSED, "%s: not confirmed, and there is no terminal to ask on; give --yes",
                       what);
    snprintf(question, sizeof question, "%s. Go on? [y/N] ", what);
    enum err_code code = prompt_line(cli->run->cancel, question, false, answer, sizeof answer, err);
    if (code != ERR_OK)
        return code;
    if (strcmp(answer, "y") != 0 && strcmp(answer, "yes") != 0)
        return err_set(err, ERR_REFUSED, "%s: not confirmed", what);
    return ERR_OK;
}

enum err_code prompt_ask(void *arg, const char *what, struct err *err)
{
    struct prompt_asker *asker = arg;
    ticker_stop(asker->ticker);
    enum err_code code = prompt_confirm(asker->cli, what, err);
    asker->ticker = settings_ticker(asker->cli);
    return code;
}

enum err_code prompt_word(const struct cli *cli, const char *what, const char *word, struct err *err)
{
    char question[1024], answer[512];
    if (options_flag(cli->options, OPTION_YES))
        return ERR_OK;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_REFUSED, "%s: not confirmed, and there is no terminal to ask on; give --yes",
                       what);
    snprintf(question, sizeof question, "%s. Type %s to go on: ", what, word);
    enum err_code code = prompt_line(cli->run->cancel, question, false, answer, sizeof answer, err);
    if (code != ERR_OK)
        return code;
    return strcmp(answer, word) == 0 ? ERR_OK : err_set(err, ERR_REFUSED, "%s: not confirmed", what);
}
