/* The process around the commands: what must be so before anything else runs. */
#include "cli/command.h"
#include "cli/signals.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* A file opened where a standard stream is missing would receive the log.  What is opened instead fails when
 * it is used: an archive sent to a closed standard output must not seem to be written. */
static void open_missing_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* takes the lowest: fd */
}

/* No secret of ours in a core file, in another process of this user, or in a file that others may read. */
static void protect_secrets(void)
{
    struct rlimit none = {0, 0};
    umask(077);
    setrlimit(RLIMIT_CORE, &none);
#ifndef DBSAFE_FAULTS /* debuggers and the sanitizers need a dumpable process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int main(int argc, char **argv)
{
    open_missing_streams();
    protect_secrets();
    signals_block();
    return command_main(argc, argv, environ);
}
