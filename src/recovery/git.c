/* The files are described in gitrepository-layout(5). */
#include "recovery/git.h"

#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_BYTES      4096
#define REFERENCES_MAX  5 /* of one to another */
#define TAGS_MAX        50
#define TAG_FOLDERS_MAX 8 /* one in the other */

struct repository {
    struct arena *arena;
    const char *own;    /* HEAD */
    const char *common; /* branches and tags; the same but for linked working trees */
};

/* The first line of a file, without its end; false when there is none. */
static bool first_line(const char *path, char out[LINE_BYTES])
{
    FILE *f = fopen(path, "re");
    bool got = f && fgets(out, LINE_BYTES, f);
    if (f)
        fclose(f);
    if (got)
        out[strcspn(out, "\r\n")] = '\0';
    return got;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Hex digits of a SHA-1 or SHA-256. */
static bool is_hash(const char *text)
{
    size_t n = strspn(text, "0123456789abcdef");
    return (n == 40 || n == 64) && text[n] == '\0';
}

static const char *resolve(struct arena *arena, const char *base, const char *path)
{
    return *path == '/' ? arena_strdup(arena, path) : arena_printf(arena, "%s/%s", base, path);
}

/* The repository of the nearest folder upwards that has one: ".git" is it, or a file that names it. */
static enum err_code find(const char *folder, struct repository *r, struct err *err)
{
    char line[LINE_BYTES];
    char *real = realpath(folder, NULL);
    if (!real)
        return err_set_errno(err, ERR_NOT_FOUND, errno, "the working tree %s", folder);
    for (char *end; !r->own; *end = '\0') {
        const char *git = arena_printf(r->arena, "%s/.git", real);
        if (is_folder(git))
            r->own = git;
        else if (first_line(git, line) && strncmp(line, "gitdir: ", 8) == 0)
            r->own = resolve(r->arena, real, line + 8);
        end = strrchr(real, '/');
        if (!end)
            break;
    }
    free(real);
    if (!r->own)
        return err_set(err, ERR_NOT_FOUND, "%s is in no git working tree", folder);
    const char *common = arena_printf(r->arena, "%s/commondir", r->own);
    r->common = first_line(common, line) ? resolve(r->arena, r->own, line) : r->own;
    return ERR_OK;
}

/* A reference's name may come from the repository: it must stay in it. */
static bool is_reference(const char *name)
{
    return strncmp(name, "refs/", 5) == 0 && !strstr(name, "..") && strlen(name) < 1000;
}

typedef bool packed_fn(void *arg, const char *hash, const char *name, bool peeled);

/* Calls fn for each line of packed-refs, peeled for the commit behind a tag, until it returns true. */
static void each_packed(const struct repository *r, packed_fn *fn, void *arg)
{
    char line[LINE_BYTES], last[LINE_BYTES] = "";
    FILE *f = fopen(arena_printf(r->arena, "%s/packed-refs", r->common), "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = '\0';
        char *space = strchr(line, ' ');
        if (line[0] == '^' && is_hash(line + 1)) {
            if (fn(arg, line + 1, last, true))
                break;
        } else if (line[0] != '#' && space) {
            *space = '\0';
            snprintf(last, sizeof last, "%s", space + 1);
            if (is_hash(line) && fn(arg, line, last, false))
                break;
        }
    }
    if (f)
        fclose(f);
}

struct search {
    const char *name;
    char hash[LINE_BYTES];
};

static bool is_searched(void *arg, const char *hash, const char *name, bool peeled)
{
    struct search *s = arg;
    if (peeled || strcmp(name, s->name) != 0)
        return false;
    snprintf(s->hash, sizeof s->hash, "%s", hash);
    return true;
}

/* The value of a reference: loose, else packed; false when it has none (a branch without a commit). */
static bool read_reference(const struct repository *r, const char *name, char out[LINE_BYTES])
{
    if (first_line(arena_printf(r->arena, "%s/%s", r->own, name), out) ||
        first_line(arena_printf(r->arena, "%s/%s", r->common, name), out))
        return true;
    struct search s = {.name = name};
    each_packed(r, is_searched, &s);
    snprintf(out, LINE_BYTES, "%s", s.hash);
    return s.hash[0] != '\0';
}

static enum err_code read_head(const struct repository *r, struct point_git *out, struct err *err)
{
    char value[LINE_BYTES];
    if (!first_line(arena_printf(r->arena, "%s/HEAD", r->own), value))
        return err_set(err, ERR_CONFIG, "the repository %s has no HEAD that can be read", r->own);
    for (int i = 0; strncmp(value, "ref: ", 5) == 0; i++) {
        const char *name = arena_strdup(r->arena, value + 5);
        if (!is_reference(name) || i == REFERENCES_MAX)
            return err_set(err, ERR_CONFIG, "the repository %s: HEAD is not understood", r->own);
        if (i == 0 && strncmp(name, "refs/heads/", 11) == 0)
            out->branch = name + 11;
        if (!read_reference(r, name, value))
            return err_set(
                err, ERR_CONFIG,
                "the repository %s: %s has no commit, or is kept in a form that dbsafe does not read", r->own,
                name);
    }
    if (!is_hash(value))
        return err_set(err, ERR_CONFIG, "the repository %s: HEAD is not understood", r->own);
    out->commit = arena_strdup(r->arena, value);
    return ERR_OK;
}

/* ---- tags ---- */

struct tags {
    const struct repository *repository;
    const char *commit;
    const char **names;
    unsigned count;
};

static void add_tag(struct tags *t, const char *name)
{
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->names[i], name) == 0)
            return;
    if (t->count < TAGS_MAX)
        t->names[t->count++] = arena_strdup(t->repository->arena, name);
}

static bool take_packed_tag(void *arg, const char *hash, const char *name, bool peeled)
{
    struct tags *t = arg;
    (void)peeled;
    if (strncmp(name, "refs/tags/", 10) == 0 && strcmp(hash, t->commit) == 0)
        add_tag(t, name + 10);
    return false;
}

/* Files below refs/tags; name is "" or "folder/". */
static void take_loose_tags(struct tags *t, const char *name, unsigned depth)
{
    char line[LINE_BYTES];
    struct arena *arena = t->repository->arena;
    const char *base = arena_printf(arena, "%s/refs/tags/%s", t->repository->common, name);
    DIR *dir = depth < TAG_FOLDERS_MAX ? opendir(base) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        const char *tag = arena_printf(arena, "%s%s", name, e->d_name);
        const char *path = arena_printf(arena, "%s%s", base, e->d_name);
        if (is_folder(path))
            take_loose_tags(t, arena_printf(arena, "%s/", tag), depth + 1);
        else if (first_line(path, line) && strcmp(line, t->commit) == 0)
            add_tag(t, tag);
    }
    if (dir)
        closedir(dir);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum err_code git_read(const char *folder, struct arena *arena, struct point_git *out, struct err *err)
{
    struct repository r = {.arena = arena};
    *out = (struct point_git){.commit = NULL};
    enum err_code code = find(folder, &r, err);
    if (code == ERR_OK)
        code = read_head(&r, out, err);
    if (code != ERR_OK)
        return code;
    struct tags tags = {
        .repository = &r, .commit = out->commit, .names = arena_calloc(arena, TAGS_MAX, sizeof *tags.names)};
    each_packed(&r, take_packed_tag, &tags);
    take_loose_tags(&tags, "", 0);
    qsort(tags.names, tags.count, sizeof *tags.names, compare_names);
    out->tags = tags.names;
    out->tag_count = tags.count;
    return ERR_OK;
}
