#include "support/test.h"

#include "s3/digest.h"

#include <string.h>

/* Of coreutils and openssl base64. */
static void known_digests(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex, *sha256, *md5;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "1B2M2Y8AsgTpgAmY7PhCfg=="},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "kAFQmDzST7DWlj99KOF/cg=="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_digest d;
        struct err err;
        assert_ok(s3_digest_of(cases[i].text, strlen(cases[i].text), true, &d, &err), &err);
        assert_string_equal(d.sha256_hex, cases[i].hex);
        assert_string_equal(d.sha256_base64, cases[i].sha256);
        assert_string_equal(d.md5_base64, cases[i].md5);
        assert_ok(s3_digest_of(cases[i].text, strlen(cases[i].text), false, &d, &err), &err);
        assert_string_equal(d.sha256_hex, cases[i].hex);
        assert_string_equal(d.md5_base64, "");
    }
}

/* Longer than what is taken at once, and no multiple of it: a million "a" (FIPS 180-2, RFC 1321's suite
 * extended). */
static void long_ones(void **state)
{
    (void)state;
    struct s3_digest d;
    struct err err;
    char *data = malloc(1000000);
    memset(data, 'a', 1000000);
    assert_ok(s3_digest_of(data, 1000000, true, &d, &err), &err);
    assert_string_equal(d.sha256_hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_string_equal(d.md5_base64, "dwfWrk4CfHDuoqk1wilvIQ==");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(long_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
