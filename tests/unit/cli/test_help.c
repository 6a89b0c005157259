#include "support/test.h"

#include "cli/command.h"
#include "cli/help.h"

#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

static int set_up(void **state)
{
    struct buf *b = calloc(1, sizeof *b);
    buf_init(b, TEXT_MAX);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    buf_free(*state);
    free(*state);
    return 0;
}

static void demand(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void names_every_option_of_the_command_and_no_other(void **state)
{
    struct buf *b = *state;
    for (enum command_id c = 0; c < COMMAND_COUNT; c++) {
        buf_clear(b);
        help_command(c, b);
        const char *text = buf_cstr(b);
        for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
            const struct option_spec *spec = option_spec(id);
            char shown[128];
            snprintf(shown, sizeof shown, " --%s%s%s", option_has_negation(id) ? "[no-]" : "", spec->name,
                     spec->word ? " " : "\n");
            if (!spec->word)
                shown[strlen(shown) - 1] = '\0';
            const char *found = strstr(text, shown);
            while (found && !strchr(" \n", found[strlen(shown)]) && !spec->word)
                found = strstr(found + 1, shown);
            if ((found != NULL) != option_belongs(id, c))
                fail_msg("help of %s and --%s", command_get(c)->name, spec->name);
        }
    }
}

static void fits_a_terminal(void **state)
{
    struct buf *b = *state;
    for (enum command_id c = 0; c < COMMAND_COUNT; c++)
        help_command(c, b);
    help_overview(b);
    help_exit_codes(b);
    help_config(b);
    char *copy = strdup(buf_cstr(b));
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 110)
            fail_msg("%zu characters: %s", strlen(line), line);
    free(copy);
}

static void the_overview_names_every_command(void **state)
{
    struct buf *b = *state;
    help_overview(b);
    for (enum command_id c = 0; c < COMMAND_COUNT; c++) {
        demand(buf_cstr(b), command_get(c)->name);
        demand(buf_cstr(b), command_get(c)->summary);
    }
}

static void every_exit_status_is_explained(void **state)
{
    struct buf *b = *state;
    help_exit_codes(b);
    for (enum err_code code = 0; code < ERR_COUNT; code++) {
        char line[32];
        snprintf(line, sizeof line, "\n  %3d  ", err_exit_status(code));
        demand(buf_cstr(b), line);
    }
}

static void the_config_help_names_every_key_and_variable(void **state)
{
    struct buf *b = *state;
    help_config(b);
    demand(buf_cstr(b), "\nlock-timeout             DBSAFE_LOCK_TIMEOUT\n");
    demand(buf_cstr(b), "\n-                        DBSAFE_HOST\n");
    assert_null(strstr(buf_cstr(b), "DBSAFE_YES"));
}

/* The text between "BEGIN part" and "END part", those lines included; NULL when it is not there. */
static char *part_of(const char *text, const char *part)
{
    char mark[64];
    snprintf(mark, sizeof mark, ".\\\" BEGIN %s", part);
    const char *start = strstr(text, mark);
    snprintf(mark, sizeof mark, ".\\\" END %s", part);
    const char *end = start ? strstr(start, mark) : NULL;
    return end ? strndup(start, (size_t)(end - start)) : NULL;
}

static char *read_file(const char *path)
{
    char *text = calloc(1, TEXT_MAX);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_true(fread(text, 1, TEXT_MAX - 1, f) > 0);
    fclose(f);
    return text;
}

/* After a change of the tables: scripts/check-docs --update. */
static void the_manual_page_says_what_the_tables_say(void **state)
{
    static const char *const parts[] = {"OPTIONS", "VARIABLES", "EXIT"};
    struct buf *b = *state;
    char *page = read_file("docs/dbsafe.1");
    help_manual(b);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *made = part_of(buf_cstr(b), parts[i]), *written = part_of(page, parts[i]);
        assert_non_null(made);
        assert_non_null(written);
        assert_string_equal(written, made);
        free(made);
        free(written);
    }
    for (enum command_id c = 0; c < COMMAND_COUNT; c++) {
        char item[64];
        snprintf(item, sizeof item, "\n.It Cm %s", command_get(c)->name);
        demand(page, item);
    }
    free(page);
}

/* Asks the script, in a real bash, for the words that would be offered. */
static void completes(struct buf *script, const char *words, unsigned cword, const char *expected)
{
    char path[] = "/tmp/dbsafe-completion-XXXXXX", command[4096], line[8192] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script->data, script->len), (ssize_t)script->len);
    close(fd);
    snprintf(command, sizeof command,
             "bash -euc '. %s; COMP_WORDS=(%s); COMP_CWORD=%u; _dbsafe; echo \" ${COMPREPLY[*]-} \"'", path,
             words, cword);
    FILE *out = popen(command, "re");
    assert_non_null(out);
    assert_non_null(fgets(line, sizeof line, out));
    assert_int_equal(pclose(out), 0);
    unlink(path);
    demand(line, expected);
}

static void the_completion_script_works(void **state)
{
    struct buf *b = *state;
    if (access("/bin/bash", X_OK) != 0)
        skip();
    help_completion(b);
    completes(b, "dbsafe du", 1, " dump ");
    completes(b, "dbsafe \"\"", 1, " restore ");
    completes(b, "dbsafe dump --all", 2, " --all-databases --allow-inconsistent ");
    completes(b, "dbsafe restore --no-", 2, " --no-verify --no-kill-blockers ");
    completes(b, "dbsafe restore --if-exists \"\"", 3, " swap fail drop ");
    completes(b, "dbsafe restore la", 2, "  ");
    completes(b, "dbsafe point \"\"", 2, " create list show delete ");
    completes(b, "dbsafe snapshot w", 2, " wait ");
    completes(b, "dbsafe point show p", 3, "  ");
    completes(b, "dbsafe point create --no-dr", 3, " --no-drill ");
    completes(b, "dbsafe help comp", 2, " completion ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_every_option_of_the_command_and_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fits_a_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_overview_names_every_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_exit_status_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_config_help_names_every_key_and_variable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_manual_page_says_what_the_tables_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_completion_script_works, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli/help", tests, NULL, NULL);
}
