#include "recovery/machine.h"

#include "core/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* The number in the first line that starts with name (any line for ""), times unit; 0 when there is none, as
 * for "max". */
static uint64_t number_in(const char *root, const char *file, const char *name, uint64_t unit)
{
    char line[256];
    uint64_t found = 0;
    char *path = xasprintf("%s%s", root, file);
    FILE *f = fopen(path, "re");
    free(path);
    while (f && found == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            found = strtoull(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return found > UINT64_MAX / unit ? UINT64_MAX : found * unit;
}

uint64_t machine_free_memory(const char *root)
{
    /* The files of control groups version 2 and 1; a container sees its own group at the top. */
    static const char *const limits[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
    uint64_t bytes = number_in(root, "/proc/meminfo", "MemAvailable:", 1024);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        uint64_t limit = number_in(root, limits[i][0], "", 1), used = number_in(root, limits[i][1], "", 1);
        uint64_t left = limit > used ? limit - used : 0;
        if (limit && (bytes == 0 || left < bytes))
            bytes = left;
    }
    return bytes;
}

enum err_code machine_free_disk(const char *path, uint64_t *bytes, struct err *err)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return err_set_errno(err, ERR_STORAGE, errno, "look at the free space of %s", path);
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return ERR_OK;
}
