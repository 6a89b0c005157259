#include "cli/progress.h"

#include "cli/output.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_INTERVAL_MS  250
#define LINE_INTERVAL_MS 60000
#define SAMPLES          32 /* speeds are of the last 8 s of a bar: steady, and still fresh */
#define BAR_CELLS        24
#define ETA_MAX_SECONDS  (100 * 3600)

struct ticker {
    const struct run *run;
    enum progress_mode mode;
    struct group *group;
    struct cancel *own; /* the group's; a ticker never cancels the command */
    struct lock *lock;
    struct {
        bool stop;
    } locked;
    /* the thread's own: a ring of samples of this phase */
    struct progress_sample ring[SAMPLES];
    unsigned first, count;
};

enum progress_mode progress_mode_of(const char *setting, bool terminal, bool json_log)
{
    if (strcmp(setting, "never") == 0)
        return PROGRESS_NONE;
    if (json_log)
        return PROGRESS_LINES;
    return terminal || strcmp(setting, "always") == 0 ? PROGRESS_BAR : PROGRESS_LINES;
}

/* amount * factor / divisor without overflow; 0 when divisor is. */
static uint64_t scaled(uint64_t amount, uint64_t factor, uint64_t divisor)
{
    if (amount > UINT64_MAX / factor) {
        amount /= factor; /* what this loses is nothing in such figures */
        divisor /= factor;
    }
    return divisor ? amount * factor / divisor : 0;
}

static uint64_t per_second(uint64_t now, uint64_t older, int64_t ms)
{
    return ms > 0 && now > older ? scaled(now - older, 1000, (uint64_t)ms) : 0;
}

struct text {
    char data[PROGRESS_LINE_BYTES];
    size_t len;
};

static void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->data + t->len, sizeof t->data - t->len, format, args);
    va_end(args);
    if (n > 0)
        t->len = (size_t)n < sizeof t->data - t->len ? t->len + (size_t)n : sizeof t->data - 1;
}

/* "1,234 rows" or "1,234/5,678 rows  21%"; estimates that turn out too low are dropped. */
static void add_figures(struct text *t, const struct progress_sample *now)
{
    char rows[FIGURE_BYTES], total[FIGURE_BYTES];
    figure_count(now->rows, rows);
    if (now->rows == 0 && now->rows_total == 0 && now->plain_bytes > 0) /* copying counts no rows */
        text_add(t, "  %s", figure_bytes(now->plain_bytes, rows));
    else if (now->rows_total >= now->rows && now->rows_total > 0)
        text_add(t, "  %3u%%  %s/%s rows", (unsigned)scaled(now->rows, 100, now->rows_total), rows,
                 figure_count(now->rows_total, total));
    else
        text_add(t, "  %s rows", rows);
}

static void add_speeds(struct text *t, const struct progress_sample *now, const struct progress_sample *older)
{
    char figure[FIGURE_BYTES];
    int64_t ms = now->at_ms - older->at_ms;
    uint64_t bytes = per_second(now->plain_bytes, older->plain_bytes, ms);
    uint64_t rows = per_second(now->rows, older->rows, ms);
    if (bytes)
        text_add(t, "  %s/s", figure_bytes(bytes, figure));
    if (rows == 0 || now->rows_total <= now->rows)
        return;
    uint64_t seconds = (now->rows_total - now->rows) / rows;
    if (seconds < ETA_MAX_SECONDS)
        text_add(t, "  ETA %s", figure_duration(seconds, figure));
}

static void add_bar(struct text *t, const struct progress_sample *now)
{
    char cells[BAR_CELLS + 1];
    size_t full = (size_t)scaled(now->rows, BAR_CELLS, now->rows_total);
    memset(cells, ' ', BAR_CELLS);
    memset(cells, '=', full);
    if (full < BAR_CELLS)
        cells[full] = '>';
    cells[BAR_CELLS] = '\0';
    text_add(t, " [%s]", cells);
}

void progress_line(const struct progress_sample *now, const struct progress_sample *older, bool bar,
                   unsigned columns, char out[PROGRESS_LINE_BYTES])
{
    struct text figures = {.len = 0}, line = {.len = 0};
    add_figures(&figures, now);
    add_speeds(&figures, now, older);
    bool known = now->rows_total > 0 && now->rows_total >= now->rows;
    size_t with_bar = strlen(now->phase) + BAR_CELLS + 3 + figures.len;
    text_add(&line, "%s", now->phase);
    if (bar && known && (columns == 0 || with_bar <= columns))
        add_bar(&line, now);
    text_add(&line, "%s", figures.data);
    if (columns > 0 && line.len > columns)
        line.data[columns] = '\0';
    memcpy(out, line.data, sizeof line.data);
}

static struct progress_sample take_sample(const struct run *run)
{
    struct progress *p = run->progress;
    return (struct progress_sample){
        .at_ms = clock_monotonic_ms(run->clock),
        .phase = atomic_load(&p->phase),
        .rows = atomic_load(&p->rows),
        .rows_total = atomic_load(&p->rows_total),
        .plain_bytes = atomic_load(&p->plain_bytes),
    };
}

/* Keeps the sample; a new phase (its counters start at 0 again) forgets the older ones. */
static const struct progress_sample *remember(struct ticker *t, const struct progress_sample *now)
{
    if (t->count > 0) {
        const struct progress_sample *last = &t->ring[(t->first + t->count - 1) % SAMPLES];
        if (last->phase != now->phase || last->rows > now->rows || last->plain_bytes > now->plain_bytes)
            t->count = 0;
    }
    if (t->count == SAMPLES) {
        t->first = (t->first + 1) % SAMPLES;
        t->count--;
    }
    t->ring[(t->first + t->count++) % SAMPLES] = *now;
    return &t->ring[t->first];
}

/* One less than the width: a full line makes some terminals wrap. */
static unsigned terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return 79;
    return size.ws_col - 1u;
}

static void tick(struct ticker *t)
{
    struct progress_sample now = take_sample(t->run);
    if (!now.phase)
        return;
    char line[PROGRESS_LINE_BYTES];
    const struct progress_sample *older = remember(t, &now);
    bool bar = t->mode == PROGRESS_BAR;
    progress_line(&now, older, bar, bar ? terminal_columns() : 0, line);
    if (bar)
        log_status(t->run->log, line);
    else
        log_info(t->run->log, "%s", line);
}

static enum err_code run_ticker(void *arg, struct err *err)
{
    (void)err;
    struct ticker *t = arg;
    int64_t interval = t->mode == PROGRESS_BAR ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
    lock_take(t->lock);
    while (!t->locked.stop) {
        int64_t due = clock_monotonic_ms(t->run->clock) + interval;
        int64_t left = interval;
        while (!t->locked.stop && left > 0) {
            lock_wait(t->lock, left);
            left = due - clock_monotonic_ms(t->run->clock);
        }
        if (t->locked.stop)
            break;
        lock_drop(t->lock);
        tick(t);
        lock_take(t->lock);
    }
    lock_drop(t->lock);
    return ERR_OK;
}

struct ticker *ticker_start(const struct run *run, enum progress_mode mode)
{
    if (mode == PROGRESS_NONE)
        return NULL;
    struct ticker *t = xcalloc(1, sizeof *t);
    t->run = run;
    t->mode = mode;
    t->lock = lock_new();
    t->own = cancel_new();
    t->group = group_new(t->own);
    struct err ignored;
    if (group_spawn(t->group, "progress", run_ticker, t, &ignored) != ERR_OK)
        log_debug(run->log, "no progress is shown: %s", ignored.text);
    return t;
}

void ticker_stop(struct ticker *t)
{
    if (!t)
        return;
    lock_take(t->lock);
    t->locked.stop = true;
    lock_wake_all(t->lock);
    lock_drop(t->lock);
    group_join(t->group, NULL);
    group_free(t->group);
    cancel_free(t->own);
    lock_free(t->lock);
    if (t->mode == PROGRESS_BAR)
        log_status(t->run->log, "");
    free(t);
}
