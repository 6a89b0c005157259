#include "core/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_ALLOWED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define NOBODY       "unknown"

/* The first bytes of a file of /proc as text; false when there is none. */
static bool read_file(const char *proc, const char *name, char *out, size_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t n = fread(out, 1, room - 1, f);
    fclose(f);
    out[n] = '\0';
    return n > 0;
}

/* *ended: it works no more, though nobody has asked how it ended.  False: there is nothing to be read.
 * proc(5), stat: field 3 is the state, 22 the start; the name in field 2 may hold anything, brackets too. */
static bool read_stat(const char *proc, long pid, bool *ended, unsigned long long *started)
{
    char name[64], text[1024], state;
    snprintf(name, sizeof name, "%ld/stat", pid);
    if (!read_file(proc, name, text, sizeof text))
        return false;
    const char *end = strrchr(text, ')');
    if (end == NULL ||
        sscanf(end + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, started) != 2)
        return false;
    *ended = state == 'Z' || state == 'X';
    return true;
}

static bool read_machine(const char *proc, char *out, size_t room)
{
    char boot[40], path[512], link[64];
    snprintf(path, sizeof path, "%s/self/ns/pid", proc); /* "pid:[4026531836]" */
    ssize_t n = readlink(path, link, sizeof link - 1);
    if (n <= 0 || !read_file(proc, "sys/kernel/random/boot_id", boot, sizeof boot))
        return false;
    link[n] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    const char *inode = strchr(link, '[');
    if (inode == NULL || boot[0] == '\0')
        return false;
    snprintf(out, room, "%s/%.*s", boot, (int)strcspn(inode + 1, "]"), inode + 1);
    return true;
}

bool process_read(const char *proc, const char *host, long pid, struct process *out)
{
    bool ended;
    *out = (struct process){.pid = pid};
    snprintf(out->host, sizeof out->host, "%s", host[0] != '\0' ? host : NOBODY);
    for (char *p = out->host; *p; p++)
        if (strchr(HOST_ALLOWED, *p) == NULL)
            *p = '_';
    if (read_machine(proc, out->machine, sizeof out->machine) && read_stat(proc, pid, &ended, &out->started))
        return true;
    snprintf(out->machine, sizeof out->machine, NOBODY);
    return false;
}

void process_self(struct process *out)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    process_read("/proc", host, (long)getpid(), out);
}

enum process_life process_life(const char *proc, const struct process *self, const struct process *p)
{
    unsigned long long started = 0;
    bool ended;
    if (strcmp(self->machine, NOBODY) == 0 || strcmp(self->machine, p->machine) != 0 ||
        strcmp(self->host, p->host) != 0 || p->pid <= 0)
        return PROCESS_ELSEWHERE;
    if (read_stat(proc, p->pid, &ended, &started))
        return !ended && started == p->started ? PROCESS_ALIVE : PROCESS_DEAD;
    /* It is gone, or hidden. */
    return kill((pid_t)p->pid, 0) != 0 && errno == ESRCH ? PROCESS_DEAD : PROCESS_ELSEWHERE;
}

void process_format(const struct process *p, char out[PROCESS_TEXT_BYTES])
{
    snprintf(out, PROCESS_TEXT_BYTES, "%s %s %ld %llu", p->host, p->machine, p->pid, p->started);
}

bool process_parse(const char *text, struct process *out)
{
    char again[PROCESS_TEXT_BYTES];
    *out = (struct process){.pid = 0};
    if (sscanf(text, "%40s %79s %ld %llu", out->host, out->machine, &out->pid, &out->started) != 4)
        return false;
    process_format(out, again);
    return out->pid > 0 && strcmp(text, again) == 0;
}

const char *process_describe(const char *text, char out[PROCESS_TEXT_BYTES])
{
    struct process p;
    if (!process_parse(text, &p))
        return text;
    snprintf(out, PROCESS_TEXT_BYTES, "process %ld on %s", p.pid, p.host);
    return out;
}

void process_put_self(char out[PROCESS_TEXT_BYTES])
{
    struct process self;
    process_self(&self);
    process_format(&self, out);
}

enum process_life process_life_of(const char *text)
{
    struct process self, p;
    if (text == NULL)
        return PROCESS_DEAD;
    process_self(&self);
    return process_parse(text, &p) ? process_life("/proc", &self, &p) : PROCESS_ELSEWHERE;
}

enum err_code process_check_over(const char *text, bool take_over, const char *doing, const char *name,
                                 const char *remedy, struct err *err)
{
    enum process_life life = process_life_of(text);
    char who[PROCESS_TEXT_BYTES];
    if (life == PROCESS_ALIVE)
        return err_set(err, ERR_LOCKED, "another run is %s '%s' (%s)", doing, name,
                       process_describe(text, who));
    if (life == PROCESS_ELSEWHERE && !take_over)
        return err_set(err, ERR_LOCKED,
                       "a run that cannot be seen from here (other host, boot, container or account) was %s "
                       "'%s' (%s); if it is dead, %s",
                       doing, name, process_describe(text, who), remedy);
    return ERR_OK;
}
