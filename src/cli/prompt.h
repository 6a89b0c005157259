/* Questions to the person at the terminal.  Main thread only. */
#ifndef DBSAFE_CLI_PROMPT_H
#define DBSAFE_CLI_PROMPT_H

#include "cli/command.h"

#include <stdbool.h>
#include <stddef.h>

/* Asks on /dev/tty and reads one line into answer (without its end); secret: without echo.  A signal ends the
 * wait. ERR_CONFIG when there is no terminal. */
enum err_code prompt_line(struct cancel *cancel, const char *question, bool secret, char *answer,
                          size_t bytes, struct err *err);
/* prompt_confirm for code below src/cli, which knows no options: the progress bar is out of the way while it
 * asks.  arg is one of these; ticker may be NULL. */
struct prompt_asker {
    struct cli *cli;
    struct ticker *ticker; /* stopped and started again: still the caller's */
};
enum err_code prompt_ask(void *arg, const char *what, struct err *err);
/* ERR_OK when the person, or --yes, agrees; ERR_REFUSED otherwise, also when standard input is no terminal to
 * ask on. */
enum err_code prompt_confirm(const struct cli *cli, const char *what, struct err *err);
/* The same for what has no way back: the person types word; --yes stands for it. */
enum err_code prompt_word(const struct cli *cli, const char *what, const char *word, struct err *err);

#endif
