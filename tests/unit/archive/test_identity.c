#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/identity.h"
#include "archive/reader.h"

static void it_is_the_manifests_digest(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct memory_source source;
    char sha256[SHA256_HEX_BYTES], again[SHA256_HEX_BYTES];
    memory_sink_init(&sink);
    struct manifest *m = sample_write(&sink.base);
    memory_source_init(&source, sink.data.data, sink.data.len, true);
    assert_ok(archive_identity(&source.base, sha256, &err), &err);
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_ok(manifest_write(m, &text, &err), &err);
    digest_of(text.data, text.len, again);
    assert_string_equal(sha256, again);
    for (size_t cut = 0; cut < 3000; cut += 100) {
        memory_source_init(&source, sink.data.data, cut, true);
        assert_err(archive_identity(&source.base, sha256, &err), ERR_DAMAGED, &err);
    }
    memory_source_init(&source, sink.data.data, sink.data.len - 512, true);
    assert_err(archive_identity(&source.base, sha256, &err), ERR_DAMAGED, &err);
    source.base.size = sink.data.len;
    source.fails_from = sink.data.len - 100;
    assert_err(archive_identity(&source.base, sha256, &err), ERR_STORAGE, &err);
    buf_free(&text);
    manifest_free(m);
    sink_free(&sink.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_the_manifests_digest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
