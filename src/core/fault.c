#include "core/fault.h"

#ifdef DBSAFE_FAULTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULES_MAX      16
#define VARIABLE_BYTES 1024

enum action { ACTION_FAIL, ACTION_KILL, ACTION_STOP };

struct rule {
    enum action action;
    const char *point; /* in variable */
    unsigned long at;  /* the pass that it happens at, from 1 */
    int errnum;
    atomic_ulong passes;
};

/* The one place with state of its own: a fault point has nothing to hang it on. */
static struct rule rules[RULES_MAX];
static size_t rule_count;
static char variable[VARIABLE_BYTES]; /* a copy, cut into its words */
static pthread_once_t parsed = PTHREAD_ONCE_INIT;

static void malformed(const char *what)
{
    fprintf(stderr, "dbsafe: DBSAFE_FAULT: '%s' is not understood\n", what);
    abort();
}

static enum action parse_action(const char *text)
{
    static const char *const names[] = {
        [ACTION_FAIL] = "fail", [ACTION_KILL] = "kill", [ACTION_STOP] = "stop"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text != NULL && strcmp(text, names[i]) == 0)
            return (enum action)i;
    malformed(text == NULL ? "" : text);
    return ACTION_FAIL;
}

static int parse_errno(const char *text)
{
    static const struct {
        const char *name;
        int errnum;
    } known[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},      {"EPIPE", EPIPE},
                 {"EACCES", EACCES}, {"EPERM", EPERM},   {"ENOENT", ENOENT},      {"EEXIST", EEXIST},
                 {"EINVAL", EINVAL}, {"ENOMEM", ENOMEM}, {"EINTR", EINTR},        {"EAGAIN", EAGAIN},
                 {"EROFS", EROFS},   {"EMFILE", EMFILE}, {"ETIMEDOUT", ETIMEDOUT}};
    if (text == NULL)
        return EIO;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(text, known[i].name) == 0)
            return known[i].errnum;
    malformed(text);
    return 0;
}

static unsigned long parse_pass(const char *text)
{
    if (text == NULL)
        return 1;
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n == 0)
        malformed(text);
    return n;
}

/* ACTION:POINT[:N[:ERRNO]] */
static void parse_rule(char *text)
{
    char *state = NULL;
    if (rule_count == RULES_MAX)
        malformed(text);
    struct rule *r = &rules[rule_count++];
    r->action = parse_action(strtok_r(text, ":", &state));
    r->point = strtok_r(NULL, ":", &state);
    if (r->point == NULL)
        malformed(text);
    r->at = parse_pass(strtok_r(NULL, ":", &state));
    r->errnum = parse_errno(strtok_r(NULL, ":", &state));
    char *rest = strtok_r(NULL, "", &state);
    if (rest != NULL)
        malformed(rest);
}

static void parse_variable(void)
{
    const char *value = getenv("DBSAFE_FAULT");
    if (value == NULL || value[0] == '\0')
        return;
    if ((size_t)snprintf(variable, sizeof variable, "%s", value) >= sizeof variable)
        malformed(value);
    char *state = NULL;
    for (char *s = strtok_r(variable, ",", &state); s != NULL; s = strtok_r(NULL, ",", &state))
        parse_rule(s);
}

int fault_errno(const char *point)
{
    int errnum = 0;
    pthread_once(&parsed, parse_variable);
    for (size_t i = 0; i < rule_count; i++) {
        struct rule *r = &rules[i];
        if (strcmp(r->point, point) != 0 || atomic_fetch_add(&r->passes, 1) + 1 != r->at)
            continue;
        if (r->action == ACTION_KILL)
            kill(getpid(), SIGKILL);
        else if (r->action == ACTION_STOP)
            raise(SIGSTOP);
        else
            errnum = r->errnum;
    }
    return errnum;
}

enum err_code fault_point(const char *point, enum err_code code, struct err *err)
{
    int errnum = fault_errno(point);
    if (errnum == 0)
        return ERR_OK;
    return err_set_errno(err, code, errnum, "fault injected at %s", point);
}

#endif
