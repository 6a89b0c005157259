/* docs/dbsafe-archive.5 against the code.  Runs in the folder that holds docs/. */
#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/index.h"
#include "archive/reader.h"
#include "archive/tar.h"

#include <inttypes.h>
#include <jansson.h>

#define PAGE "docs/dbsafe-archive.5"

/* The page with mdoc's \e and "\ " resolved. */
static int read_page(void **state)
{
    char *page = calloc(1, 100000);
    FILE *f = fopen(PAGE, "re");
    if (f == NULL)
        fail_msg("there is no %s", PAGE);
    size_t n = fread(page, 1, 99999, f), out = 0;
    fclose(f);
    for (size_t i = 0; i < n; i++) {
        bool escape = page[i] == '\\' && (page[i + 1] == 'e' || page[i + 1] == ' ');
        page[out++] = !escape ? page[i] : page[i + 1] == 'e' ? '\\' : ' ';
        i += escape;
    }
    page[out] = '\0';
    *state = page;
    return 0;
}

static int free_page(void **state)
{
    free(*state);
    return 0;
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The words of the lines ".Cm ..." (with list items also of ".It Cm ...") from start to end, as keys of an
 * object. */
static json_t *words_of(const char *start, const char *end, bool items_only)
{
    json_t *words = json_object();
    for (const char *line = start; line < end; line = strchr(line, '\n') + 1) {
        bool item = strncmp(line, ".It Cm ", 7) == 0;
        if (!item && (items_only || strncmp(line, ".Cm ", 4) != 0))
            continue;
        for (const char *c = line + (item ? 7 : 4); *c != '\n';) {
            char word[64] = "";
            size_t n = 0;
            while (is_key_character(*c) && n < sizeof word - 1)
                word[n++] = *c++;
            if (n > 0)
                json_object_set_new(words, word, json_true());
            else
                c++;
        }
    }
    return words;
}

static void collect_keys(const json_t *value, json_t *keys)
{
    const char *key;
    json_t *child;
    size_t i;
    json_object_foreach((json_t *)value, key, child)
    {
        json_object_set_new(keys, key, json_true());
        collect_keys(child, keys);
    }
    json_array_foreach(value, i, child) collect_keys(child, keys);
}

/* Every key that a manifest with something in each list has. */
static json_t *keys_of_a_manifest(void)
{
    struct memory_sink sink;
    struct buf json;
    struct err err;
    json_error_t why;
    memory_sink_init(&sink);
    buf_init(&json, 1000000);
    struct manifest *m = sample_write(&sink.base);
    assert_ok(manifest_write(m, &json, &err), &err);
    json_t *root = json_loadb(json.data, json.len, 0, &why);
    json_t *keys = json_object();
    assert_non_null(root);
    collect_keys(root, keys);
    json_decref(root);
    buf_free(&json);
    manifest_free(m);
    sink_free(&sink.base);
    return keys;
}

static void all_of(json_t *these, const json_t *are_in, const char *message)
{
    const char *key;
    json_t *value;
    json_object_foreach(these, key, value) if (json_object_get(are_in, key) == NULL)
        fail_msg("%s: %s", key, message);
}

static void every_key_is_described_and_every_described_key_exists(void **state)
{
    const char *start = strstr(*state, ".Ss manifest.json\n"), *end = strstr(*state, ".Ss index.dbsafe\n");
    assert_true(start != NULL && end > start);
    json_t *keys = keys_of_a_manifest();
    json_t *named = words_of(start, end, false), *listed = words_of(start, end, true);
    assert_true(json_object_size(keys) > 40);
    all_of(keys, named, "the manual page does not describe this key of the manifest");
    all_of(listed, keys, "the manual page describes a key that the manifest does not have");
    json_decref(keys);
    json_decref(named);
    json_decref(listed);
}

static void demand(const char *page, const char *text)
{
    if (strstr(page, text) == NULL)
        fail_msg("the manual page does not say '%s'", text);
}

static void numbers_are_those_of_the_code(void **state)
{
    char text[200];
    snprintf(text, sizeof text, "This page describes format %d", MANIFEST_FORMAT);
    demand(*state, text);
    snprintf(text, sizeof text, "A member is at most %" PRIu64 " bytes", MEMBER_MAX_BYTES);
    demand(*state, text);
    snprintf(text, sizeof text, "is at most %zu bytes", MANIFEST_MAX_BYTES);
    demand(*state, text);
    snprintf(text, sizeof text, "would hold up to %" PRIu64, TAR_SIZE_MAX);
    demand(*state, text);
    snprintf(text, sizeof text, "1 to %d bytes from 0x21 to 0x7E", TAR_PATH_MAX);
    demand(*state, text);
    snprintf(text, sizeof text, "The trailer: %d NUL bytes", TAR_TRAILER_BYTES);
    demand(*state, text);
    snprintf(text, sizeof text, "Exactly %d bytes", INDEX_BYTES);
    demand(*state, text);
    snprintf(text, sizeof text, "are the last %d bytes of every archive", INDEX_TAIL_BYTES);
    demand(*state, text);
}

/* The rows of the table of header fields: ".It <offset> Ta <length> Ta <field> ..." */
static void the_fields_of_a_header_tile_it(void **state)
{
    unsigned end = 0, rows = 0;
    for (const char *line = *state; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned offset, length;
        if (sscanf(line, ".It %u Ta %u Ta", &offset, &length) != 2)
            continue;
        assert_int_equal(offset, end);
        end = offset + length;
        rows++;
    }
    assert_int_equal(end, TAR_BLOCK);
    assert_int_equal(rows, 17);
}

static void the_index_is_formatted_as_shown(void **state)
{
    char text[INDEX_BYTES], shown[INDEX_BYTES + 1];
    struct archive_index index;
    const char *at = strstr(*state, "dbsafe-index 1\n");
    assert_non_null(at);
    size_t n = (size_t)(strstr(at, ".Ed") - at);
    memset(shown, ' ', INDEX_BYTES);
    memcpy(shown, at, n);
    shown[INDEX_BYTES - 1] = '\n';
    assert_true(index_parse(shown, &index));
    index_format(&index, text);
    assert_memory_equal(text, shown, INDEX_BYTES);
}

static void checksums_are_as_shown(void **state)
{
    static const struct {
        const char *rows, *shown;
    } cases[] = {{"1\ta\n", "1<tab>a "}, {"2\t\\N\n", "2<tab>\\N "}, {"1\ta\n2\t\\N\n", "both rows "}};
    struct rowtext *r = rowtext_new();
    for (size_t i = 0; i < 3; i++) {
        char hex[ROWSUM_HEX_BYTES];
        uint64_t rows;
        struct rowsum sum;
        rowtext_add(r, cases[i].rows, strlen(cases[i].rows));
        assert_true(rowtext_end(r, &rows, &sum));
        rowsum_format(sum, hex);
        const char *at = strstr(*state, cases[i].shown);
        assert_non_null(at);
        at += strlen(cases[i].shown);
        at += strspn(at, " ");
        assert_memory_equal(at, hex, ROWSUM_HEX_BYTES - 1);
    }
    rowtext_free(r);
}

static void statements_are_as_shown(void **state)
{
    static const struct manifest_column columns[] = {{.name = "a"},
                                                     {.name = "b", .load_expr = "CAST(@v AS UNSIGNED)"}};
    struct manifest_table t = {.columns = columns, .column_count = 2, .system_versioned = true};
    struct buf b;
    char *page = *state;
    buf_init(&b, 10000);
    struct err err;
    const struct manifest_schema shop = {"shop", "utf8mb4", "utf8mb4_general_ci", "the shop"};
    assert_ok(archive_schema_sql(&shop, &b, &err), &err);
    demand(page, buf_cstr(&b));
    /* these are one line, which is too long for a page */
    for (char *c = page; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    buf_clear(&b);
    archive_load_statement(&t, "/dev/stdin", "`t`", &b);
    demand(page, buf_cstr(&b));
    buf_clear(&b);
    buf_put(&b, strchr(archive_load_session(&t), '\n') + 1);
    b.len--; /* the newline */
    demand(page, buf_cstr(&b));
    buf_free(&b);
}

#define WITH_PAGE(test) cmocka_unit_test_setup_teardown(test, read_page, free_page)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAGE(every_key_is_described_and_every_described_key_exists),
        WITH_PAGE(numbers_are_those_of_the_code),
        WITH_PAGE(the_fields_of_a_header_tile_it),
        WITH_PAGE(the_index_is_formatted_as_shown),
        WITH_PAGE(checksums_are_as_shown),
        WITH_PAGE(statements_are_as_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
