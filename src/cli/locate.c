#include "cli/locate.h"

#include "archive/name.h"
#include "archive/reader.h"
#include "archive/select.h"
#include "cli/s3_settings.h"
#include "core/environment.h"
#include "core/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_STORE  "/var/lib/dbsafe"
#define FILE_SCHEME "file://"

char *locate_default_store(char *const *environment, bool root)
{
    const char *data = environment_get(environment, "XDG_DATA_HOME");
    const char *home = environment_get(environment, "HOME");
    if (root)
        return xstrdup(ROOT_STORE);
    if (data && *data == '/')
        return xasprintf("%s/dbsafe", data);
    return home && *home == '/' ? xasprintf("%s/.local/share/dbsafe", home) : NULL;
}

/* The path in a path or file:// URL; what is another kind of URL is refused. */
static enum err_code path_of_url(const char *url, const char **path, struct err *err)
{
    *path = url;
    if (strncmp(url, "s3:", 3) == 0)
        return err_set(err, ERR_USAGE, "'%s' is not an S3 URL: s3://BUCKET/PREFIX", url);
    const char *colon = strstr(url, "://");
    if (!colon || memchr(url, '/', (size_t)(colon - url)))
        return ERR_OK;
    if (strncmp(url, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
        return err_set(err, ERR_USAGE, "'%s': neither a path nor a file:// or s3:// URL", url);
    *path = url + strlen(FILE_SCHEME);
    if (**path != '/')
        return err_set(err, ERR_USAGE, "'%s': a file URL has three slashes and an absolute path", url);
    return ERR_OK;
}

enum err_code locate_store_at(const struct cli *cli, const char *url, bool make, struct store **out,
                              struct err *err)
{
    const char *path;
    *out = NULL;
    if (s3_url_is(url))
        return s3_settings_open(cli, url, out, err);
    enum err_code code = path_of_url(url, &path, err);
    return code == ERR_OK ? store_folder_open(path, make, out, err) : code;
}

/* A store that nobody wrote to yet, and one that is not mounted, look the same. */
static enum err_code explain_missing(enum err_code code, struct err *err)
{
    if (code == ERR_NOT_FOUND)
        err_hint(
            err,
            "; the first dump or copy makes that folder: nothing was kept there yet, or it is not mounted");
    return code;
}

enum err_code locate_store(const struct cli *cli, bool make, struct store **out, struct err *err)
{
    *out = NULL;
    const char *url = options_text(cli->options, OPTION_STORE);
    if (url)
        return explain_missing(locate_store_at(cli, url, make, out, err), err);
    char *fallback = locate_default_store(cli->environment, geteuid() == 0);
    if (!fallback)
        return err_set(err, ERR_CONFIG,
                       "there is no home folder to keep archives in: name a folder with --store");
    enum err_code code = store_folder_open(fallback, make, out, err);
    free(fallback);
    return explain_missing(code, err);
}

static enum err_code add_name(void *arg, const struct store_entry *entry, struct err *err)
{
    (void)err;
    struct locate_names *names = arg;
    if (!archive_name_has_suffix(entry->name))
        return ERR_OK;
    names->items = xreallocarray(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = (struct locate_entry){
        .name = xstrdup(entry->name), .bytes = entry->bytes, .modified_ms = entry->modified_ms};
    return ERR_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct locate_entry *x = a, *y = b;
    return archive_name_compare(x->name, x->modified_ms, y->name, y->modified_ms);
}

enum err_code locate_names(struct store *s, struct locate_names *out, struct err *err)
{
    *out = (struct locate_names){0};
    enum err_code code = store_list(s, add_name, out, err);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, compare_entries);
    return code;
}

void locate_names_free(struct locate_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
}

/* Reads a stream to its end for the manifest, checking every byte on the way. */
static enum err_code manifest_of_stream(struct source *source, struct manifest **out, struct err *err)
{
    struct archive_stream *stream = archive_stream_new(source);
    struct buf content, text;
    char sha256[SHA256_HEX_BYTES];
    const char *path = "";
    enum err_code code = ERR_OK;
    buf_init(&content, MEMBER_MAX_BYTES);
    buf_init(&text, MEMBER_MAX_BYTES);
    while (code == ERR_OK && path)
        code = archive_stream_next(stream, &path, &content, sha256, err);
    if (code == ERR_OK)
        code = archive_stream_matches(stream, err);
    /* The stream owns its manifest: a copy outlives it. */
    if (code == ERR_OK)
        code = manifest_write(archive_stream_manifest(stream), &text, err);
    if (code == ERR_OK)
        code = manifest_read(text.data, text.len, out, err);
    buf_free(&text);
    buf_free(&content);
    archive_stream_free(stream);
    return code;
}

enum err_code locate_manifest(struct source *source, struct manifest **out, struct err *err)
{
    *out = NULL;
    return source->seekable ? archive_read_manifest(source, out, err) : manifest_of_stream(source, out, err);
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static enum err_code open_stdin(const struct cli *cli, struct located *out, struct err *err)
{
    if (isatty(STDIN_FILENO))
        return err_set(err, ERR_USAGE,
                       "standard input is a terminal: '-' reads an archive from a pipe or a file");
    out->source = source_fd_new(STDIN_FILENO, "standard input", cli->run->cancel);
    out->name = xstrdup("standard input");
    out->path = xstrdup("-");
    return ERR_OK;
}

static enum err_code open_path(const char *path, struct located *out, struct err *err)
{
    enum err_code code = source_file_open(path, &out->source, err);
    if (code != ERR_OK)
        return code;
    out->path = realpath(path, NULL);
    if (!out->path)
        return err_set_errno(err, ERR_STORAGE, errno, "resolve the path %s", path);
    char *slash = strrchr(out->path, '/');
    out->name = xstrdup(slash + 1);
    if (!archive_name_has_suffix(out->name))
        return ERR_OK;
    char *folder = xstrndup(out->path, slash == out->path ? 1 : (size_t)(slash - out->path));
    /* Only proofs need the folder: where it cannot be opened the archive is still good. */
    if (store_folder_open(folder, false, &out->store, NULL) != ERR_OK)
        out->store = NULL;
    free(folder);
    return ERR_OK;
}

/* Opens an object; the store becomes the located archive's. */
static enum err_code open_object(struct store *store, const char *name, struct located *out, struct err *err)
{
    out->store = store;
    out->name = xstrdup(name);
    out->path = store_location(store, name);
    return store_open(store, name, &out->source, err);
}

/* Whether an archive holds tables for every pattern.  An unreadable one is an error, not a no. */
static enum err_code holds_tables(struct store *store, const char *name, const char *const *tables,
                                  unsigned count, bool *holds, struct err *err)
{
    *holds = true;
    if (count == 0)
        return ERR_OK;
    struct source *source = NULL;
    struct manifest *manifest = NULL;
    bool *chosen = NULL;
    enum err_code code = store_open(store, name, &source, err);
    if (code == ERR_OK)
        code = archive_read_manifest(source, &manifest, err);
    if (code != ERR_OK)
        err_wrap(err, "look for the tables in %s", name);
    else
        code = archive_select(manifest, tables, count, &chosen, err);
    if (manifest && code == ERR_NOT_FOUND) {
        *holds = false;
        code = ERR_OK;
    }
    free(chosen);
    manifest_free(manifest);
    source_free(source);
    return code;
}

/* The newest archive of the label (NULL: any) that holds the tables; *index is names->count when there is
 * none. */
static enum err_code find_newest(struct store *store, const struct locate_names *names, const char *label,
                                 const char *const *tables, unsigned count, size_t *index, struct err *err)
{
    *index = names->count;
    for (size_t i = names->count; i-- > 0;) {
        struct archive_name parsed;
        bool holds;
        if (!archive_name_parse(names->items[i].name, &parsed) || (label && strcmp(label, parsed.label) != 0))
            continue;
        enum err_code code = holds_tables(store, names->items[i].name, tables, count, &holds, err);
        if (code != ERR_OK)
            return code;
        if (holds) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static enum err_code open_newest(const struct cli *cli, const char *label, const char *const *tables,
                                 unsigned count, struct located *out, struct err *err)
{
    struct store *store;
    enum err_code code = locate_store(cli, false, &store, err);
    if (code != ERR_OK)
        return err_wrap(err, "look for the archive '%s'", label ? label : "latest");
    struct locate_names names;
    size_t index;
    char *place = store_location(store, NULL);
    code = locate_names(store, &names, err);
    if (code == ERR_OK)
        code = find_newest(store, &names, label, tables, count, &index, err);
    if (code == ERR_OK && index == names.count)
        code = err_set(err, ERR_NOT_FOUND, "there is no archive%s%s%s in %s", label ? " with the label " : "",
                       label ? label : "", count ? " that holds these tables" : "", place);
    if (code == ERR_OK) {
        log_info(cli->run->log, "archive: %s", names.items[index].name);
        code = open_object(store, names.items[index].name, out, err);
    } else {
        store_free(store);
    }
    locate_names_free(&names);
    free(place);
    return code;
}

/* An object of the store by its name. */
static enum err_code open_named(const struct cli *cli, const char *name, struct located *out, struct err *err)
{
    struct store *store;
    enum err_code code = locate_store(cli, false, &store, err);
    if (code != ERR_OK)
        return err_wrap(err, "look for the archive '%s'", name);
    code = open_object(store, name, out, err);
    if (code == ERR_NOT_FOUND) {
        char *place = store_location(store, NULL);
        err_set(err, code, "there is no archive '%s', neither in this folder nor in %s", name, place);
        free(place);
    }
    return code;
}

enum err_code locate_s3_object(const struct cli *cli, const char *url, struct store **store, char **name,
                               struct err *err)
{
    char *place;
    *store = NULL;
    enum err_code code = s3_url_split(url, &place, name, err);
    if (code == ERR_OK)
        code = s3_settings_open(cli, place, store, err);
    free(place);
    return code;
}

static enum err_code open_s3(const struct cli *cli, const char *url, struct located *out, struct err *err)
{
    struct store *store;
    char *name;
    enum err_code code = locate_s3_object(cli, url, &store, &name, err);
    if (code == ERR_OK)
        code = open_object(store, name, out, err);
    free(name);
    return code;
}

/* A word without dot and slash: a label of the store, else a file here. */
static enum err_code open_word(const struct cli *cli, const char *word, const char *const *tables,
                               unsigned count, struct located *out, struct err *err)
{
    bool file = is_file(word);
    if (!label_is_valid(word))
        return file ? open_path(word, out, err)
                    : err_set(err, ERR_NOT_FOUND, "'%s' is neither a file here nor a label", word);
    enum err_code code = open_newest(cli, word, tables, count, out, err);
    if (code == ERR_NOT_FOUND && file)
        return open_path(word, out, err);
    if (code == ERR_OK && file)
        log_warn(cli->run->log, "'%s' is taken as a label; ./%s would be the file here", word, word);
    return code;
}

static enum err_code check_label_use(const struct cli *cli, const char *argument, struct err *err)
{
    const char *label = options_text(cli->options, OPTION_LABEL);
    bool latest = strcmp(argument, "latest") == 0;
    if (!latest && options_origin(cli->options, OPTION_LABEL) == ORIGIN_ARGUMENT)
        return err_set(err, ERR_USAGE,
                       "--label chooses among the archives of 'latest'; '%s' names one itself", argument);
    if (latest && label && !label_is_valid(label))
        return err_set(err, ERR_USAGE, "'%s' is not a label: letters, digits, _ and -, at most 40", label);
    return ERR_OK;
}

enum err_code locate_archive(const struct cli *cli, const char *argument, const char *const *tables,
                             unsigned table_count, struct located *out, struct err *err)
{
    *out = (struct located){0};
    const char *path;
    enum err_code code = check_label_use(cli, argument, err);
    if (code == ERR_OK && strcmp(argument, "-") == 0)
        return open_stdin(cli, out, err);
    if (code == ERR_OK && s3_url_is(argument))
        return open_s3(cli, argument, out, err);
    if (code == ERR_OK)
        code = path_of_url(argument, &path, err);
    if (code != ERR_OK)
        return code;
    if (strcmp(argument, "latest") == 0)
        return open_newest(cli, options_text(cli->options, OPTION_LABEL), tables, table_count, out, err);
    if (strchr(path, '/') || (strchr(path, '.') && is_file(path)))
        return open_path(path, out, err);
    if (strchr(path, '.'))
        return open_named(cli, path, out, err);
    return open_word(cli, path, tables, table_count, out, err);
}

void located_free(struct located *l)
{
    source_free(l->source);
    store_free(l->store);
    free(l->name);
    free(l->path);
}
