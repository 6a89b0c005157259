#include "core/fd_wait.h"

#include "core/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(void *arg)
{
    struct fd_wait *w = arg;
    /* Adding 1 to an eventfd fails only at 2^64 - 2, and then it is readable too. */
    if (w->wake_fd >= 0)
        (void)eventfd_write(w->wake_fd, 1);
}

void fd_wait_init(struct fd_wait *w, struct cancel *cancel)
{
    *w = (struct fd_wait){.wake_fd = -1, .cancel = cancel};
    if (cancel != NULL) {
        w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        w->wake_errno = w->wake_fd < 0 ? errno : 0;
    }
    w->hook = (struct cancel_hook){.wake = wake, .arg = w};
    cancel_add_hook(cancel, &w->hook);
}

void fd_wait_end(struct fd_wait *w)
{
    cancel_remove_hook(w->cancel, &w->hook);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
}

/* deadline_ms: of the monotonic clock; INT64_MAX for none. */
static enum err_code wait_until(struct fd_wait *w, int fd, short events, int64_t deadline_ms,
                                const char *name, struct err *err)
{
    if (w->wake_errno != 0)
        return err_set_errno(err, ERR_STORAGE, w->wake_errno, "cannot prepare to wait for %s", name);
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = w->wake_fd, .events = POLLIN}};
    do {
        int timeout = -1;
        if (deadline_ms != INT64_MAX) {
            int64_t left = deadline_ms - clock_monotonic_ms(clock_system());
            if (left <= 0)
                return err_set(err, ERR_TIMEOUT, "%s: timed out", name);
            timeout = left > INT_MAX ? INT_MAX : (int)left;
        }
        if (poll(p, 2, timeout) < 0 && errno != EINTR)
            return err_set_errno(err, ERR_STORAGE, errno, "cannot wait for %s", name);
        enum err_code rc = cancel_check(w->cancel, err);
        if (rc != ERR_OK)
            return rc;
    } while (p[0].revents == 0);
    return ERR_OK;
}

enum err_code fd_wait_for(struct fd_wait *w, int fd, short events, const char *name, struct err *err)
{
    return wait_until(w, fd, events, INT64_MAX, name, err);
}

enum err_code fd_wait_until(struct fd_wait *w, int fd, short events, int64_t timeout_ms, const char *name,
                            struct err *err)
{
    return wait_until(w, fd, events, clock_monotonic_ms(clock_system()) + timeout_ms, name, err);
}
