#include "support/test.h"

#include "cli/progress.h"

#include <fcntl.h>
#include <string.h>

static void modes(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        bool terminal, json;
        enum progress_mode mode;
    } cases[] = {
        {"auto", true, false, PROGRESS_BAR},    {"auto", false, false, PROGRESS_LINES},
        {"auto", true, true, PROGRESS_LINES},   {"always", false, false, PROGRESS_BAR},
        {"always", true, true, PROGRESS_LINES}, {"never", true, false, PROGRESS_NONE},
        {"never", false, true, PROGRESS_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(progress_mode_of(cases[i].setting, cases[i].terminal, cases[i].json), cases[i].mode);
}

static void lines(void **state)
{
    (void)state;
    static const struct {
        struct progress_sample now, older;
        bool bar;
        unsigned columns;
        const char *line;
    } cases[] = {
        {{2000, "dumping", 500, 1000, 4 << 20},
         {1000, "dumping", 400, 1000, 2 << 20},
         true,
         0,
         "dumping [============>           ]   50%  500/1,000 rows  2.0 MiB/s  ETA 0:05"},
        {{2000, "dumping", 500, 1000, 4 << 20},
         {1000, "dumping", 400, 1000, 2 << 20},
         false,
         0,
         "dumping   50%  500/1,000 rows  2.0 MiB/s  ETA 0:05"},
        {{2000, "dumping", 500, 1000, 4 << 20},
         {1000, "dumping", 400, 1000, 2 << 20},
         true,
         60,
         "dumping   50%  500/1,000 rows  2.0 MiB/s  ETA 0:05"},
        {{2000, "dumping", 500, 1000, 4 << 20},
         {1000, "dumping", 400, 1000, 2 << 20},
         true,
         20,
         "dumping   50%  500/1"},
        /* copying counts bytes only */
        {{2000, "copying", 0, 0, 6 << 20},
         {1000, "copying", 0, 0, 2 << 20},
         true,
         0,
         "copying  6.0 MiB  4.0 MiB/s"},
        /* all done; more than estimated; nothing known; no time between the samples */
        {{2000, "loading", 1000, 1000, 0},
         {1000, "loading", 0, 1000, 0},
         true,
         0,
         "loading [========================]  100%  1,000/1,000 rows"},
        {{2000, "loading", 1001, 1000, 0}, {1000, "loading", 0, 1000, 0}, true, 0, "loading  1,001 rows"},
        {{2000, "loading", 7, 0, 0}, {1000, "loading", 0, 0, 0}, true, 0, "loading  7 rows"},
        {{1000, "loading", 7, 9, 5}, {1000, "loading", 7, 9, 5}, false, 0, "loading   77%  7/9 rows"},
        /* figures that overflow when multiplied; an end that is too far away to name */
        {{2000, "x", UINT64_MAX / 2, UINT64_MAX, UINT64_MAX},
         {1000, "x", UINT64_MAX / 2 - 1, UINT64_MAX, 0},
         false,
         0,
         "x   50%  9,223,372,036,854,775,807/18,446,744,073,709,551,615 rows  16777215.9 TiB/s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[PROGRESS_LINE_BYTES];
        progress_line(&cases[i].now, &cases[i].older, cases[i].bar, cases[i].columns, line);
        assert_string_equal(line, cases[i].line);
    }
}

/* A ticker whose next line is a minute away ends at once. */
static void ends_at_once(void **state)
{
    (void)state;
    struct progress progress = {.phase = NULL};
    struct cancel *cancel = cancel_new();
    struct run run = {
        .cancel = cancel, .clock = clock_system(), .progress = &progress, .run_id = "0123456789ab"};
    int64_t before = clock_monotonic_ms(run.clock);
    progress_phase(&progress, "dumping", 10);
    for (int i = 0; i < 50; i++) {
        struct ticker *t = ticker_start(&run, i % 2 ? PROGRESS_BAR : PROGRESS_LINES);
        assert_non_null(t);
        ticker_stop(t);
    }
    ticker_stop(ticker_start(&run, PROGRESS_NONE));
    assert_true(clock_monotonic_ms(run.clock) - before < 5000);
    assert_false(cancel_fired(cancel));
    cancel_free(cancel);
}

/* The bar is drawn on the log's descriptor and is gone afterwards. */
static void draws_a_bar(void **state)
{
    (void)state;
    struct progress progress = {.phase = NULL};
    struct cancel *cancel = cancel_new();
    int ends[2];
    char seen[4096];
    size_t n = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct log *log = log_new(ends[1], LOG_INFO, LOG_TEXT, clock_system());
    struct run run = {.log = log, .cancel = cancel, .clock = clock_system(), .progress = &progress};
    progress_phase(&progress, "dumping", 10);
    atomic_store(&progress.rows, 5);
    struct ticker *t = ticker_start(&run, PROGRESS_BAR);
    while (n < 10) {
        ssize_t got = read(ends[0], seen + n, sizeof seen - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    ticker_stop(t);
    close(ends[1]);
    for (ssize_t got; n < sizeof seen - 1 && (got = read(ends[0], seen + n, sizeof seen - 1 - n)) > 0;)
        n += (size_t)got;
    seen[n] = '\0';
    assert_non_null(strstr(seen, "50%  5/10 rows"));
    assert_string_equal(seen + n - strlen("\r\033[K"), "\r\033[K");
    log_free(log);
    cancel_free(cancel);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes),
        cmocka_unit_test(lines),
        cmocka_unit_test(ends_at_once),
        cmocka_unit_test(draws_a_bar),
    };
    return cmocka_run_group_tests_name("cli/progress", tests, NULL, NULL);
}
