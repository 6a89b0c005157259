#include "support/test.h"

#include "archive/digest.h"

#include <string.h>

/* FIPS 180-4 test vectors. */
static const struct {
    const char *text, *sha256;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void known_vectors(void **state)
{
    (void)state;
    char out[SHA256_HEX_BYTES];
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        digest_of(vectors[i].text, strlen(vectors[i].text), out);
        assert_string_equal(out, vectors[i].sha256);
    }
}

static void pieces_give_the_same_and_it_starts_anew(void **state)
{
    (void)state;
    char out[SHA256_HEX_BYTES];
    struct digest *d = digest_new();
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        for (const char *c = vectors[i].text; *c != '\0'; c++)
            digest_add(d, c, 1);
        digest_add(d, "", 0);
        digest_end(d, out);
        assert_string_equal(out, vectors[i].sha256);
    }
    digest_add(d, "not ended", 9);
    digest_free(d);
    digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(pieces_give_the_same_and_it_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
