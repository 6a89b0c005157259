#include "cli/help.h"

#include "cli/command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WIDTH       100 /* of help text on a terminal */
#define MDOC_WIDTH  79  /* of a line of the manual page */
#define HELP_COLUMN 34  /* where an option's sentence starts */

static const char *const group_titles[GROUP_COUNT] = {[GROUP_COMMAND] = "Options",
                                                      [GROUP_CONNECTION] = "Connection",
                                                      [GROUP_S3] = "AWS and S3",
                                                      [GROUP_RDS] = "RDS",
                                                      [GROUP_COMMON] = "Common options"};

static const struct {
    int status;
    const char *text;
} exit_codes[] = {
    {0, "the command finished and its own checks passed"},
    {1, "internal error (a bug)"},
    {2, "usage"},
    {3, "configuration, credentials or keys (wrong password or secret)"},
    {4, "database: connection, privilege, SQL (what the server itself refused)"},
    {5, "storage: folder, file, S3 (also: no folder there to write to)"},
    {6, "AWS API"},
    {7, "verification found a difference"},
    {8, "archive damaged or incomplete"},
    {9, "no consistent snapshot, or DDL during the dump"},
    {10, "refused for safety, before anything was done (would overwrite, outside foreign keys, missing "
         "privileges, not "
         "enough space, nothing to dump, newer format, not confirmed)"},
    {11, "not found (archive, table, restore id, recovery point, instance, snapshot)"},
    {12, "another run holds the lock"},
    {13, "timed out (also: a lock that others would not release)"},
    {130, "cancelled by SIGINT; everything cleaned up"},
    {143, "cancelled by SIGTERM or SIGHUP; everything cleaned up"},
};

#define EXIT_COLUMN     7
#define EXIT_CODE_COUNT (sizeof exit_codes / sizeof exit_codes[0])

/* Text with lines of at most width characters, broken at blanks; the first line starts at column start, the
 * others at indent. */
static void put_wrapped(struct buf *out, const char *text, size_t width, size_t start, size_t indent)
{
    size_t column = start;
    for (const char *p = text; *p;) {
        size_t word = strcspn(p, " ");
        if (column > indent && column + 1 + word > width) {
            buf_putf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (p != text) {
            buf_put(out, " ");
            column++;
        }
        buf_putn(out, p, word);
        column += word;
        p += word + strspn(p + word, " ");
    }
    buf_put(out, "\n");
}

static void put_default(struct buf *out, const struct option_spec *spec)
{
    if (spec->shown)
        buf_putf(out, " (default: %s)", spec->shown);
    else if (spec->preset && spec->kind != KIND_FLAG)
        buf_putf(out, " (default: %s)", spec->preset);
    else if (spec->preset)
        buf_put(out, " (on by default)");
}

static void put_option(enum option_id id, struct buf *out)
{
    const struct option_spec *spec = option_spec(id);
    struct buf left, right;
    buf_init(&left, 1024);
    buf_init(&right, 1024);
    if (spec->letter)
        buf_putf(&left, "  -%c, ", spec->letter);
    else
        buf_put(&left, "      ");
    buf_putf(&left, "--%s%s%s%s", option_has_negation(id) ? "[no-]" : "", spec->name, spec->word ? " " : "",
             spec->word ? spec->word : "");
    buf_put(&right, spec->help);
    put_default(&right, spec);
    if (left.len + 2 > HELP_COLUMN)
        buf_putf(out, "%s\n%*s", buf_cstr(&left), HELP_COLUMN, "");
    else
        buf_putf(out, "%-*s", HELP_COLUMN, buf_cstr(&left));
    put_wrapped(out, buf_cstr(&right), WIDTH, HELP_COLUMN, HELP_COLUMN);
    buf_free(&right);
    buf_free(&left);
}

static void put_option_group(enum command_id command, enum option_group group, struct buf *out)
{
    bool any = false;
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        if (option_spec(id)->group != group || !option_belongs(id, command))
            continue;
        if (!any)
            buf_putf(out, "\n%s:\n", group_titles[group]);
        any = true;
        put_option(id, out);
    }
}

void help_command(enum command_id id, struct buf *out)
{
    const struct command *c = command_get(id);
    buf_putf(out, "Usage: dbsafe %s [OPTION]...%s%s\n\n", c->name, *c->operands ? " " : "", c->operands);
    put_wrapped(out, c->description, WIDTH, 0, 0);
    for (enum option_group g = 0; g < GROUP_COUNT; g++)
        put_option_group(id, g, out);
}

void help_overview(struct buf *out)
{
    buf_put(out, "Usage: dbsafe COMMAND [OPTION]... [ARGUMENT]...\n\n"
                 "Dumps and restores MariaDB tables, with proof that the rows came back.\n\nCommands:\n");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        char left[128];
        const struct command *c = command_get(id);
        snprintf(left, sizeof left, "%s %s", c->name, c->operands);
        buf_putf(out, "  %-42s  %s\n", left, c->summary);
    }
    buf_put(out, "\n'dbsafe help COMMAND' shows its options; 'dbsafe help exit-codes' and 'dbsafe help "
                 "config' the rest;\n'dbsafe help completion' prints a completion script for bash.\n"
                 "\nARCHIVE is a path, file:///PATH, s3://BUCKET/KEY, - for standard input, the name of an "
                 "archive in\n"
                 "the store, a label (its newest archive), or latest (the newest that holds the tables asked "
                 "for).\n");
}

void help_exit_codes(struct buf *out)
{
    buf_put(out, "Exit status:\n");
    for (size_t i = 0; i < EXIT_CODE_COUNT; i++) {
        buf_putf(out, "  %3d  ", exit_codes[i].status);
        put_wrapped(out, exit_codes[i].text, WIDTH, EXIT_COLUMN, EXIT_COLUMN);
    }
}

void help_config(struct buf *out)
{
    buf_put(out, "A setting is taken from the first of: the option, the variable DBSAFE_<OPTION>, the "
                 "section [profile NAME]\n"
                 "of the configuration file (with --profile NAME), the file's other keys, the default.\n\n"
                 "The configuration file is --config FILE, else $XDG_CONFIG_HOME/dbsafe/dbsafe.conf\n"
                 "(~/.config/dbsafe/dbsafe.conf), else /etc/dbsafe.conf. It has 'key = value' lines, at the "
                 "top or under\n"
                 "[dbsafe]; lines that start with # or ; are comments. Host, user and TLS of the connection "
                 "stand in MariaDB's\n"
                 "option files, groups [client] and [dbsafe], which defaults-file can name. A flag's value "
                 "is yes or no.\n\n");
    char heading[64];
    snprintf(heading, sizeof heading, "%-24s %s", "Key", "Variable");
    buf_putf(out, "%s\n", heading);
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        const struct option_spec *spec = option_spec(id);
        if (!spec->from)
            continue;
        buf_putf(out, "%-24s ", spec->from & FROM_FILE ? spec->name : "-");
        option_variable(id, out);
        buf_put(out, "\n");
    }
}

/* --- completion --------------------------------------------------------------------- */

static void put_words(enum command_id command, struct buf *out)
{
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        if (!option_belongs(id, command))
            continue;
        buf_putf(out, " --%s", option_spec(id)->name);
        if (option_has_negation(id))
            buf_putf(out, " --no-%s", option_spec(id)->name);
    }
}

static void put_choices(struct buf *out)
{
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        const struct option_spec *spec = option_spec(id);
        if (spec->kind != KIND_CHOICE)
            continue;
        buf_putf(out, "    --%s) words=\"", spec->name);
        for (const char *p = spec->word; *p; p++)
            buf_putn(out, *p == '|' ? " " : p, 1);
        buf_put(out, "\" ;;\n");
    }
}

/* "create", "list", ... of a command whose operands begin with a choice of words: "create NAME | list";
 * nothing for another. */
static void put_subcommands(const struct command *c, struct buf *out)
{
    bool first = true, begins = true;
    if (!islower((unsigned char)c->operands[0]))
        return;
    for (const char *p = c->operands; *p; p++) {
        if (begins && islower((unsigned char)*p)) {
            size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
            buf_putf(out, "%s%.*s", first ? "" : " ", (int)n, p);
            first = false;
            p += n - 1;
        }
        begins = *p == '|' || (begins && *p == ' ');
    }
}

/* What may stand where no option does. */
static void put_operands(struct buf *out)
{
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        struct buf words;
        buf_init(&words, 1024);
        put_subcommands(command_get(id), &words);
        if (words.len)
            buf_putf(out, "            %s//*) words=\"%s\" ;;\n", command_get(id)->name, buf_cstr(&words));
        buf_free(&words);
    }
    buf_put(out, "            help//*) words=\"exit-codes config completion");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        buf_putf(out, " %s", command_get(id)->name);
    buf_put(out, "\" ;;\n");
}

void help_completion(struct buf *out)
{
    buf_put(out,
            "# bash completion for dbsafe\n"
            "_dbsafe() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= command= "
            "operand= word\n"
            "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
            "        case $word in -*) ;; *) operand=${command:+$word} command=${command:-$word} ;; esac\n"
            "    done\n"
            "    COMPREPLY=()\n"
            "    case $prev in\n");
    put_choices(out);
    buf_put(out, "    esac\n"
                 "    if [ -z \"$words\" ]; then\n"
                 "        case $command in\n        '') words=\"");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        buf_putf(out, "%s%s", id ? " " : "", command_get(id)->name);
    buf_put(out, "\" ;;\n");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        buf_putf(out, "        %s) words=\"", command_get(id)->name);
        put_words(id, out);
        buf_put(out, "\" ;;\n");
    }
    buf_put(out, "        esac\n"
                 "        case $command/$operand/$cur in\n"
                 "            /*|*/-*) ;;\n");
    put_operands(out);
    buf_put(out, "            *) return ;;\n"
                 "        esac\n"
                 "    fi\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                 "}\n"
                 "complete -o default -F _dbsafe dbsafe\n");
}

/* --- the manual page ---------------------------------------------------------------- */

/* A sentence in mdoc: a backslash would be an escape.  No word of the tables starts with a dot, which would
 * be a macro. */
static void put_mdoc(struct buf *out, const char *text)
{
    struct buf escaped;
    buf_init(&escaped, 4096);
    for (const char *p = text; *p; p++)
        if (*p == '\\')
            buf_put(&escaped, "\\e");
        else
            buf_putn(&escaped, p, 1);
    put_wrapped(out, buf_cstr(&escaped), MDOC_WIDTH, 0, 0);
    buf_free(&escaped);
}

static void put_manual_commands(const struct option_spec *spec, struct buf *out)
{
    bool first = true;
    buf_put(out, "Commands:");
    for (enum command_id c = 0; c < COMMAND_COUNT; c++) {
        if (!(spec->commands >> c & 1))
            continue;
        buf_putf(out, "%s %s", first ? "" : ",", command_get(c)->name);
        first = false;
    }
    buf_put(out, ".\n");
}

static void put_manual_option(enum option_id id, struct buf *out)
{
    const struct option_spec *spec = option_spec(id);
    buf_put(out, ".It ");
    if (spec->letter)
        buf_putf(out, "Fl %c , ", spec->letter);
    buf_putf(out, "Fl -%s", spec->name);
    if (option_has_negation(id))
        buf_putf(out, " , Fl -no-%s", spec->name);
    if (spec->word)
        buf_putf(out, " Ar %s", spec->word);
    buf_put(out, "\n");
    struct buf sentence;
    buf_init(&sentence, 1024);
    buf_put(&sentence, spec->help);
    put_default(&sentence, spec);
    buf_put(&sentence, ".");
    put_mdoc(out, buf_cstr(&sentence));
    buf_free(&sentence);
    put_manual_commands(spec, out);
}

static void put_manual_variables(struct buf *out)
{
    buf_put(out, ".Bl -tag -width Ds -compact\n");
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        if (!(option_spec(id)->from & FROM_ENVIRONMENT))
            continue;
        buf_put(out, ".It Ev ");
        option_variable(id, out);
        buf_put(out, "\n");
        if (option_spec(id)->from & FROM_FILE)
            buf_putf(out, "Key\n.Cm %s .\n", option_spec(id)->name);
        else
            buf_put(out, "No key.\n");
    }
    buf_put(out, ".El\n");
}

void help_manual(struct buf *out)
{
    buf_put(out, ".\\\" BEGIN OPTIONS (made by scripts/check-docs --update)\n");
    for (enum option_group g = 0; g < GROUP_COUNT; g++) {
        buf_putf(out, ".Ss %s\n.Bl -tag -width Ds\n", group_titles[g]);
        for (enum option_id id = 0; id < OPTION_TOTAL; id++)
            if (option_spec(id)->group == g)
                put_manual_option(id, out);
        buf_put(out, ".El\n");
    }
    buf_put(out, ".\\\" END OPTIONS\n"
                 ".\\\" BEGIN VARIABLES (made by scripts/check-docs --update)\n");
    put_manual_variables(out);
    buf_put(out, ".\\\" END VARIABLES\n"
                 ".\\\" BEGIN EXIT (made by scripts/check-docs --update)\n"
                 ".Bl -tag -width 999\n");
    for (size_t i = 0; i < EXIT_CODE_COUNT; i++) {
        buf_putf(out, ".It %d\n", exit_codes[i].status);
        put_mdoc(out, exit_codes[i].text);
    }
    buf_put(out, ".El\n.\\\" END EXIT\n");
}
