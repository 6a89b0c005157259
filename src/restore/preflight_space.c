/* Room for the restored tables beside the live ones, and how long it will take: estimates, and they say so.
 */
#include "restore/preflight.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* Text bytes a second, on two cores beside the server: LOAD DATA with two loaders and later keys, INSERT,
 * reading back. */
#define LOAD_RATE   ((uint64_t)40 * MIB)
#define INSERT_RATE ((uint64_t)18 * MIB)
#define VERIFY_RATE ((uint64_t)100 * MIB)
/* A table costs this much in any case: files, keys, renames. */
#define TABLE_MS 25

/* What the tables will take on disk lies between these: numbers are shorter there than as text, keys and
 * half-filled pages come on top. */
struct estimate {
    uint64_t least, most;
};

static unsigned secondary_keys(const struct ddl *d)
{
    unsigned n = 0;
    for (unsigned i = 0; i < d->item_count; i++)
        n += d->items[i].kind == DDL_UNIQUE || d->items[i].kind == DDL_KEY ||
             d->items[i].kind == DDL_FULLTEXT || d->items[i].kind == DDL_SPATIAL;
    return n;
}

static struct estimate estimate_space(const struct preflight *p)
{
    struct estimate e = {0, 0};
    for (unsigned i = 0; i < p->targets->count; i++) {
        const struct target *t = &p->targets->items[i];
        e.least += t->table->plain_bytes / 2;
        e.most += t->table->plain_bytes * 8 / 5 +
                  t->table->rows * (30 + 40 * (uint64_t)secondary_keys(&t->ddl)) + 128 * 1024;
    }
    return e;
}

/* The server's own folder, if the server runs on this host and the folder is where it says. */
static bool free_space(const struct server_facts *f, uint64_t *bytes)
{
    char host[256] = "";
    struct statvfs fs;
    struct stat st;
    if (gethostname(host, sizeof host - 1) != 0 || strcmp(host, f->hostname) != 0)
        return false;
    if (stat(f->datadir, &st) != 0 || !S_ISDIR(st.st_mode) || statvfs(f->datadir, &fs) != 0)
        return false;
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return true;
}

static uint64_t mib(uint64_t bytes)
{
    return (bytes + MIB - 1) / MIB;
}

static void check_space(struct preflight *p)
{
    struct estimate e = estimate_space(p);
    uint64_t room;
    if (p->facts.flavour.service != SERVICE_NONE || !free_space(&p->facts, &room)) {
        findings_add(p->out, FINDING_NOTE, "space", NULL,
                     "the restored tables take about %" PRIu64 " to %" PRIu64
                     " MiB beside the live ones; how much is free on the"
                     " server is not visible from here%s",
                     mib(e.least), mib(e.most),
                     p->facts.flavour.service != SERVICE_NONE ? " (the metric FreeStorageSpace tells)" : "");
        return;
    }
    enum finding_level level = e.least > room  ? FINDING_REFUSAL
                               : e.most > room ? FINDING_WARNING
                                               : FINDING_OK;
    findings_add(p->out, level, "space", NULL,
                 "the restored tables take about %" PRIu64 " to %" PRIu64
                 " MiB beside the live ones; %" PRIu64 " MiB are free in %s",
                 mib(e.least), mib(e.most), room / MIB, p->facts.datadir);
}

static void tell_time(struct preflight *p)
{
    uint64_t bytes = 0, tables = p->targets->count;
    for (unsigned i = 0; i < p->targets->count; i++)
        bytes += p->targets->items[i].table->plain_bytes;
    uint64_t ms = bytes * 1000 / (p->facts.local_infile ? LOAD_RATE : INSERT_RATE) + tables * TABLE_MS;
    if (p->options->verify)
        ms += bytes * 1000 / VERIFY_RATE;
    findings_add(p->out, FINDING_OK, "time", NULL,
                 "about %" PRIu64 " s for %" PRIu64 " MiB of rows in %" PRIu64
                 " tables, by what two cores did beside their server; then one rename, for about %" PRIu64
                 " ms of which others wait, a second at most in each try behind open transactions",
                 (ms + 999) / 1000, mib(bytes), tables, 4 * tables);
}

void preflight_space(struct preflight *p)
{
    if (!p->manifest->server.version) { /* a pipe tells the sizes at its end */
        findings_add(p->out, FINDING_NOTE, "space", NULL,
                     "how much comes is not known before the end of the pipe");
        return;
    }
    check_space(p);
    tell_time(p);
}
