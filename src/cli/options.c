#include "cli/options.h"

#include "cli/command.h"
#include "core/arena.h"
#include "core/environment.h"
#include "core/mem.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ITEMS_MAX 10000
#define WHERE_BYTES    512

/* What getopt_long gives for a long option: LONG_BASE + id, or NEGATED_BASE + id for its --no- form. */
#define LONG_BASE    256
#define NEGATED_BASE 1024

struct value {
    enum origin origin;
    bool flag;
    uint64_t number;
    const char *text;
    const char **items;
    unsigned item_count;
};

struct options {
    struct arena *arena;
    struct value values[OPTION_TOTAL];
    enum command_id command;
    const char **operands;
    unsigned operand_count;
};

/* Digits only: strtoull alone would take signs and leading blanks. */
static bool digits_parse(const char *text, const char **end, uint64_t *number)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *end = p;
    *number = n;
    return p != text;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "kmgt";
    const char *end;
    if (!digits_parse(text, &end, bytes))
        return false;
    if (*end == '\0')
        return true;
    char letter = (char)(*end | 0x20);
    const char *suffix = strchr(suffixes, letter);
    if (!suffix || !*suffix)
        return false;
    if (end[1] && strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "B") != 0)
        return false;
    unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    if (*bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

static bool flag_parse(const char *text, bool *flag)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                 {"no", false}, {"false", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0) {
            *flag = words[i].value;
            return true;
        }
    return false;
}

static bool choice_allows(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; *p;) {
        size_t word = strcspn(p, "|");
        if (word == n && memcmp(p, text, n) == 0)
            return true;
        p += word + (p[word] == '|');
    }
    return false;
}

static void put_size(uint64_t bytes, char out[32])
{
    static const char suffixes[] = {'\0', 'K', 'M', 'G', 'T'};
    unsigned i = 0;
    while (i < 4 && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    snprintf(out, 32, "%llu%.1s", (unsigned long long)bytes, &suffixes[i]);
}

static enum err_code error_code(enum origin origin)
{
    return origin == ORIGIN_ARGUMENT ? ERR_USAGE : ERR_CONFIG;
}

static enum err_code read_size(const struct option_spec *spec, enum err_code code, const char *where,
                               const char *text, uint64_t *bytes, struct err *err)
{
    char low[32], high[32];
    put_size(spec->min, low);
    put_size(spec->max, high);
    if (!size_parse(text, bytes) || *bytes < spec->min || *bytes > spec->max)
        return err_set(err, code, "%s: '%s' is not a size from %s to %s (bytes, or with K, M or G behind it)",
                       where, text, low, high);
    return ERR_OK;
}

static enum err_code read_uint(const struct option_spec *spec, enum err_code code, const char *where,
                               const char *text, uint64_t *number, struct err *err)
{
    const char *end;
    if (!digits_parse(text, &end, number) || *end || *number < spec->min || *number > spec->max)
        return err_set(err, code, "%s: '%s' is not a number from %llu to %llu", where, text,
                       (unsigned long long)spec->min, (unsigned long long)spec->max);
    return ERR_OK;
}

/* Appends the comma-parted items of text without the blanks around them; a backslash before a comma makes it
 * part of a name. */
static enum err_code read_list(struct arena *arena, enum err_code code, const char *where, const char *text,
                               struct value *v, struct err *err)
{
    size_t commas = 0;
    for (const char *p = text; *p; p++)
        commas += *p == ',';
    if (v->item_count + commas + 1 > LIST_ITEMS_MAX)
        return err_set(err, code, "%s: more than %d items", where, LIST_ITEMS_MAX);
    const char **items = arena_calloc(arena, v->item_count + commas + 1, sizeof *items);
    if (v->item_count)
        memcpy(items, v->items, v->item_count * sizeof *items);
    v->items = items;
    char *to =
        arena_alloc(arena, strlen(text) + 2); /* every item with its NUL takes no more than it has there */
    for (const char *p = text;; p++) {
        char *item = to;
        p += strspn(p, " \t");
        for (; *p && *p != ','; *to++ = *p++)
            if (p[0] == '\\' && p[1] == ',')
                p++;
        while (to > item && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        if (to == item)
            return err_set(err, code, "%s: '%s' has an empty item", where, text);
        *to++ = '\0';
        items[v->item_count++] = item;
        if (!*p)
            return ERR_OK;
    }
}

static enum err_code read_value(const struct option_spec *spec, struct arena *arena, enum err_code code,
                                const char *where, const char *text, struct value *v, struct err *err)
{
    if (!*text)
        return err_set(err, code, "%s: the value is empty", where);
    v->text = arena_strdup(arena, text);
    switch (spec->kind) {
    case KIND_FLAG:
    case KIND_PROMPT:
        if (!flag_parse(text, &v->flag))
            return err_set(err, code, "%s: '%s' is neither yes nor no", where, text);
        return ERR_OK;
    case KIND_STRING:
        return ERR_OK;
    case KIND_CHOICE:
        if (!choice_allows(spec->word, text))
            return err_set(err, code, "%s: '%s' is not one of %s", where, text, spec->word);
        return ERR_OK;
    case KIND_UINT:
        return read_uint(spec, code, where, text, &v->number, err);
    case KIND_SIZE:
        return read_size(spec, code, where, text, &v->number, err);
    case KIND_LIST:
        return read_list(arena, code, where, text, v, err);
    }
    return err_set(err, ERR_INTERNAL, "%s: an option of an unknown kind", where);
}

enum err_code options_set(struct options *o, enum option_id id, enum origin origin, const char *where,
                          const char *text, struct err *err)
{
    struct value *v = &o->values[id];
    if (origin < v->origin)
        return options_check(id, origin, where, text, err);
    struct value fresh = {.origin = origin};
    if (origin == v->origin && option_spec(id)->kind == KIND_LIST)
        fresh = *v;
    enum err_code code = read_value(option_spec(id), o->arena, error_code(origin), where, text, &fresh, err);
    if (code == ERR_OK)
        *v = fresh;
    return code;
}

enum err_code options_check(enum option_id id, enum origin origin, const char *where, const char *text,
                            struct err *err)
{
    struct arena *scratch = arena_new();
    struct value v = {.origin = origin};
    enum err_code code = read_value(option_spec(id), scratch, error_code(origin), where, text, &v, err);
    arena_free(scratch);
    return code;
}

struct options *options_new(void)
{
    struct options *o = xcalloc(1, sizeof *o);
    o->arena = arena_new();
    o->command = COMMAND_HELP;
    for (enum option_id id = 0; id < OPTION_TOTAL; id++)
        if (option_spec(id)->preset)
            options_set(o, id, ORIGIN_DEFAULT, option_spec(id)->name, option_spec(id)->preset, NULL);
    return o;
}

void options_free(struct options *o)
{
    if (!o)
        return;
    arena_free(o->arena);
    free(o);
}

enum err_code options_read_environment(struct options *o, char *const *environment, struct err *err)
{
    enum err_code code = ERR_OK;
    struct buf name;
    buf_init(&name, WHERE_BYTES);
    for (enum option_id id = 0; id < OPTION_TOTAL && code == ERR_OK; id++) {
        if (!(option_spec(id)->from & FROM_ENVIRONMENT))
            continue;
        buf_clear(&name);
        option_variable(id, &name);
        const char *value = environment_get(environment, buf_cstr(&name));
        if (value)
            code = options_set(o, id, ORIGIN_ENVIRONMENT, buf_cstr(&name), value, err);
    }
    buf_free(&name);
    return code;
}

/* What getopt_long wants to know, made from the table. */
struct grammar {
    struct option longs[2 * OPTION_TOTAL + 1];
    char negations[OPTION_TOTAL][48]; /* "no-verify" */
    char shorts[3 * OPTION_TOTAL + 3];
};

static void make_grammar(struct grammar *g)
{
    unsigned n = 0;
    char *s = g->shorts;
    *s++ = '-'; /* operands come in their place, whatever POSIXLY_CORRECT says */
    *s++ = ':'; /* a missing argument is told apart from an unknown option */
    for (enum option_id id = 0; id < OPTION_TOTAL; id++) {
        const struct option_spec *spec = option_spec(id);
        /* The password takes an "optional argument" so that one that was given is seen, and refused. */
        int takes = spec->kind == KIND_PROMPT ? optional_argument
                    : spec->kind == KIND_FLAG ? no_argument
                                              : required_argument;
        g->longs[n++] = (struct option){.name = spec->name, .has_arg = takes, .val = LONG_BASE + (int)id};
        if (option_has_negation(id)) {
            snprintf(g->negations[id], sizeof g->negations[id], "no-%s", spec->name);
            g->longs[n++] = (struct option){.name = g->negations[id], .val = NEGATED_BASE + (int)id};
        }
        if (!spec->letter || spec->letter == '?')
            continue;
        *s++ = spec->letter;
        for (int i = 0; i < takes; i++)
            *s++ = ':';
    }
    g->longs[n] = (struct option){0};
    *s = '\0';
}

/* The option that a value of getopt_long stands for; OPTION_TOTAL for none. */
static enum option_id option_of(int found)
{
    if (found >= NEGATED_BASE)
        return (enum option_id)(found - NEGATED_BASE);
    if (found >= LONG_BASE)
        return (enum option_id)(found - LONG_BASE);
    for (enum option_id id = 0; id < OPTION_TOTAL; id++)
        if (found && option_spec(id)->letter == found)
            return id;
    return OPTION_TOTAL;
}

/* How the user wrote an option, for messages: never with its value. */
static void written_as(int found, char out[64])
{
    enum option_id id = option_of(found);
    if (id == OPTION_TOTAL || found < LONG_BASE)
        snprintf(out, 64, "-%c", found);
    else
        snprintf(out, 64, "--%s%s", found >= NEGATED_BASE ? "no-" : "", option_spec(id)->name);
}

/* getopt_long takes abbreviations, which a later option would make ambiguous: only whole names count. */
static bool is_abbreviated(const char *token, const char *written)
{
    size_t n = strcspn(token, "=");
    return strlen(written) != n || memcmp(token, written, n) != 0;
}

static enum err_code unknown_option(const char *token, int letter, struct err *err)
{
    if (letter)
        return err_set(err, ERR_USAGE, "unknown option '-%c'", letter);
    return err_set(err, ERR_USAGE, "unknown option '%.*s'", (int)strcspn(token, "="), token);
}

/* An option that getopt_long did not like: unknown, or with a value it does not take. */
static enum err_code refuse_option(const char *token, struct err *err)
{
    char written[64];
    if (optopt < LONG_BASE)
        return unknown_option(token, optopt, err);
    written_as(optopt, written);
    if (is_abbreviated(token, written))
        return unknown_option(token, 0, err);
    return err_set(err, ERR_USAGE, "option '%s' takes no value", written);
}

static enum err_code take_option(struct options *o, int found, const char *token, struct err *err)
{
    enum option_id id = option_of(found);
    char written[64];
    written_as(found, written);
    if (found >= LONG_BASE && is_abbreviated(token, written))
        return unknown_option(token, 0, err);
    enum option_kind kind = option_spec(id)->kind;
    if (kind == KIND_PROMPT && optarg)
        return err_set(
            err, ERR_USAGE,
            "option '%s' takes no value: a password on the command line is visible in the process list; use"
            " %s alone to be asked, --password-file, an option file or MYSQL_PWD",
            written, written);
    if (kind == KIND_FLAG || kind == KIND_PROMPT)
        return options_set(o, id, ORIGIN_ARGUMENT, written, found >= NEGATED_BASE ? "no" : "yes", err);
    return options_set(o, id, ORIGIN_ARGUMENT, written, optarg, err);
}

static void add_operand(struct options *o, const char *text)
{
    o->operands[o->operand_count++] = text;
}

/* Goes through all arguments even after an error, so that --json and the command are known; keeps the first
 * error. */
static enum err_code scan_arguments(struct options *o, int argc, char *const *argv, struct err *err)
{
    struct grammar g;
    make_grammar(&g);
    enum err_code first = ERR_OK;
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        enum err_code code = ERR_OK;
        struct err *to = first == ERR_OK ? err : NULL;
        int found = getopt_long(argc, argv, g.shorts, g.longs, NULL);
        if (found == -1)
            break;
        const char *last = argv[optind - 1];
        const char *token = optarg == last && optind >= 2 ? argv[optind - 2] : last;
        if (found == 1)
            add_operand(o, optarg);
        else if (found == '?' && optopt == '?')
            code = options_set(o, OPTION_HELP, ORIGIN_ARGUMENT, "-?", "yes", to);
        else if (found == '?')
            code = refuse_option(last, to);
        else if (found == ':')
            code = err_set(to, ERR_USAGE, "option '%s' needs a value", last);
        else
            code = take_option(o, found, token, to);
        if (first == ERR_OK)
            first = code;
    }
    while (optind < argc)
        add_operand(o, argv[optind++]);
    return first;
}

/* The commands that take an option, as "dump, restore". */
static void list_commands(enum option_id id, struct buf *out)
{
    for (enum command_id c = 0; c < COMMAND_COUNT; c++)
        if (option_belongs(id, c))
            buf_putf(out, "%s%s", out->len ? ", " : "", command_get(c)->name);
}

static enum err_code check_belongings(const struct options *o, struct err *err)
{
    enum err_code code = ERR_OK;
    struct buf names;
    buf_init(&names, WHERE_BYTES);
    for (enum option_id id = 0; id < OPTION_TOTAL && code == ERR_OK; id++) {
        if (o->values[id].origin != ORIGIN_ARGUMENT || option_belongs(id, o->command))
            continue;
        list_commands(id, &names);
        code = err_set(err, ERR_USAGE, "option '--%s' does not belong to '%s'; it is for: %s",
                       option_spec(id)->name, command_get(o->command)->name, buf_cstr(&names));
    }
    buf_free(&names);
    return code;
}

static enum err_code check_operands(const struct options *o, struct err *err)
{
    const struct command *command = command_get(o->command);
    if (o->operand_count > command->max_operands)
        return err_set(err, ERR_USAGE, "'%s' is one argument too many for '%s'",
                       o->operands[command->max_operands], command->name);
    if (o->operand_count < command->min_operands)
        return err_set(err, ERR_USAGE, "'%s' needs %s", command->name, command->operands);
    return ERR_OK;
}

/* Takes the first operand as the command. */
static enum err_code find_command(struct options *o, struct err *err)
{
    if (o->operand_count == 0) {
        o->command = options_flag(o, OPTION_VERSION) ? COMMAND_VERSION : COMMAND_HELP;
        if (options_flag(o, OPTION_VERSION) || options_flag(o, OPTION_HELP))
            return ERR_OK;
        return err_set(err, ERR_USAGE, "a command is missing");
    }
    const char *name = o->operands[0];
    const struct command *command = command_find(name);
    if (!command)
        return err_set(err, ERR_USAGE, "unknown command '%s'", name);
    o->command = command->id;
    o->operands++;
    o->operand_count--;
    return ERR_OK;
}

static enum err_code turn_to_help(struct options *o)
{
    const char *topic = command_get(o->command)->name;
    bool general = o->command == COMMAND_HELP;
    o->command = options_flag(o, OPTION_HELP) ? COMMAND_HELP : COMMAND_VERSION;
    if (o->command == COMMAND_VERSION || !general) {
        o->operands = arena_calloc(o->arena, 1, sizeof *o->operands);
        o->operands[0] = topic;
        o->operand_count = o->command == COMMAND_HELP ? 1 : 0;
    }
    return ERR_OK;
}

enum err_code options_parse(struct options *o, int argc, char *const *argv, struct err *err)
{
    o->operands = arena_calloc(o->arena, (size_t)argc + 1, sizeof *o->operands);
    struct err scan = {0};
    enum err_code scanned = scan_arguments(o, argc, argv, &scan);
    if (o->operand_count && command_is_later(o->operands[0]))
        return err_set(err, ERR_USAGE, "'%s' is not in this version", o->operands[0]);
    enum err_code code = find_command(o, err);
    if (scanned != ERR_OK)
        code = err_copy(err, &scan);
    if (code == ERR_OK && (options_flag(o, OPTION_HELP) || options_flag(o, OPTION_VERSION)))
        return turn_to_help(o);
    if (code == ERR_OK)
        code = check_belongings(o, err);
    if (code == ERR_OK)
        code = check_operands(o, err);
    if (code != ERR_OK && o->command == COMMAND_HELP)
        return err_hint(err, "; see 'dbsafe help'");
    if (code != ERR_OK)
        return err_hint(err, "; see 'dbsafe help %s'", command_get(o->command)->name);
    return ERR_OK;
}

enum command_id options_command(const struct options *o)
{
    return o->command;
}

const char *const *options_operands(const struct options *o, unsigned *count)
{
    *count = o->operand_count;
    return o->operands;
}

const char *options_text(const struct options *o, enum option_id id)
{
    return o->values[id].text;
}

uint64_t options_number(const struct options *o, enum option_id id)
{
    return o->values[id].number;
}

bool options_flag(const struct options *o, enum option_id id)
{
    return o->values[id].flag;
}

const char *const *options_items(const struct options *o, enum option_id id, unsigned *count)
{
    *count = o->values[id].item_count;
    return o->values[id].items;
}

enum origin options_origin(const struct options *o, enum option_id id)
{
    return o->values[id].origin;
}
