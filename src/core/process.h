/*
 * Who a process is, such that another one can tell later whether it still runs: marks of uploads, journals
 * and records name the process that works on them.  No state; any thread.
 *
 * What cannot be looked at is never called dead: a process of another host or boot, one in another namespace
 * of process ids (containers share kernel and often the host's name), and one that /proc hides from this
 * account (mount option hidepid, proc(5)).
 */
#ifndef DBSAFE_CORE_PROCESS_H
#define DBSAFE_CORE_PROCESS_H

#include "core/err.h"

#include <stdbool.h>

struct process {
    char host[41];    /* letters, digits and ".-_" */
    char machine[80]; /* this boot of the kernel and the namespace of process ids: "<boot id>/<inode>" */
    long pid;
    unsigned long long started; /* clock ticks since boot */
};

/* Reads proc: "/proc", or a copy in a test.  False when it does not tell: then the machine is "unknown", and
 * the process is ELSEWHERE to everyone. */
bool process_read(const char *proc, const char *host, long pid, struct process *out);
void process_self(struct process *out);

enum process_life { PROCESS_DEAD, PROCESS_ALIVE, PROCESS_ELSEWHERE /* nobody here can tell */ };
/* What self, who reads proc, can tell of p. */
enum process_life process_life(const char *proc, const struct process *self, const struct process *p);

/* "host boot-id/namespace pid started", and back. */
#define PROCESS_TEXT_BYTES 256
void process_format(const struct process *p, char out[PROCESS_TEXT_BYTES]);
bool process_parse(const char *text, struct process *out);
/* The same for people: "process 4711 on db1"; a text that is none as it is. */
const char *process_describe(const char *text, char out[PROCESS_TEXT_BYTES]);
/* Of this process. */
void process_put_self(char out[PROCESS_TEXT_BYTES]);
/* To this process.  NULL is dead, any other text is elsewhere. */
enum process_life process_life_of(const char *text);
/* ERR_LOCKED with the reason while that process works, or, unless take_over, nobody here can tell whether it
 * does. doing, name: "making the point", "p1"; remedy: "--resume goes on with what it did". */
enum err_code process_check_over(const char *text, bool take_over, const char *doing, const char *name,
                                 const char *remedy, struct err *err);

#endif
