#include "support/test.h"

#include "aws/profile_file.h"

#include <string.h>
#include <sys/stat.h>

static void parse(const char *text, enum profile_file_kind kind, struct profile_file *f)
{
    struct err err;
    assert_ok(profile_file_parse(text, strlen(text), "file", kind, f, &err), &err);
}

static void is(const struct profile_file *f, const char *section, const char *key, const char *want)
{
    const char *got = profile_file_get(f, section, key);
    if (want == NULL ? got != NULL : got == NULL || strcmp(got, want) != 0)
        fail_msg("[%s] %s is '%s', not '%s'", section, key, got != NULL ? got : "(none)",
                 want != NULL ? want : "(none)");
}

static void the_credentials_file(void **state)
{
    (void)state;
    struct profile_file f;
    parse("\xEF\xBB\xBF# a comment\r\n[default]\r\naws_access_key_id = "
          "AKIA1\r\nAWS_Secret_Access_Key=a/b+c=#d\r\n\r\n"
          "[ other one ] ; remark\naws_access_key_id=AKIA2 # remark\n  "
          "\n;x\n[empty]\n[default]\naws_access_key_id=AKIA3",
          PROFILE_FILE_CREDENTIALS, &f);
    is(&f, "default", "aws_access_key_id", "AKIA3");
    is(&f, "default", "aws_secret_access_key", "a/b+c=#d");
    is(&f, "other one", "aws_access_key_id", "AKIA2");
    is(&f, "other one", "aws_secret_access_key", NULL);
    assert_true(profile_file_has(&f, "empty"));
    assert_false(profile_file_has(&f, "missing"));
    profile_file_clear(&f);
    assert_false(profile_file_has(&f, "default"));
}

static void the_configuration_file(void **state)
{
    (void)state;
    struct profile_file f;
    parse(
        "[default]\nregion=eu-west-1\n[profile a]\nregion = eu-west-2\n[profile \"b c\"]\nregion=eu-west-3\n"
        "[d]\nregion=ignored\n  nested=ignored\n[services s]\ns3 =\n  endpoint_url = http://127.0.0.1\n"
        "[profile\te]\ns3 =\n\taddressing_style = path\n\tmax_bandwidth=1MB/s ; remark\nregion=eu-west-5\n",
        PROFILE_FILE_CONFIG, &f);
    is(&f, "default", "region", "eu-west-1");
    is(&f, "a", "region", "eu-west-2");
    is(&f, "b c", "region", "eu-west-3");
    assert_false(profile_file_has(&f, "d"));
    is(&f, "services s", "s3.endpoint_url", "http://127.0.0.1");
    is(&f, "e", "s3.addressing_style", "path");
    is(&f, "e", "s3.max_bandwidth", "1MB/s");
    is(&f, "e", "s3", "");
    is(&f, "e", "region", "eu-west-5");
    is(&f, "e", "addressing_style", NULL);
    profile_file_clear(&f);
}

static void an_indented_line_goes_on_with_a_value(void **state)
{
    (void)state;
    struct profile_file f;
    parse("[a]\nkey = one\n  two\n\n  three = 3\nother=x\n", PROFILE_FILE_CREDENTIALS, &f);
    is(&f, "a", "key", "one\ntwo\nthree = 3");
    is(&f, "a", "other", "x");
    profile_file_clear(&f);
}

static void long_values_stay_whole(void **state)
{
    (void)state;
    struct profile_file f;
    size_t bytes = 20000;
    char *text = malloc(bytes + 100);
    int begin = sprintf(text, "[a]\naws_session_token = ");
    memset(text + begin, 't', bytes);
    strcpy(text + begin + bytes, "\n");
    parse(text, PROFILE_FILE_CREDENTIALS, &f);
    assert_int_equal(strlen(profile_file_get(&f, "a", "aws_session_token")), bytes);
    profile_file_clear(&f);
    free(text);
}

static void malformed_lines_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"key = 1\n", "file:1: a key before"},     {"[a]\n\nnonsense\n", "file:3: neither"},
        {"[a\n", "file:1: a section without ']'"}, {"[]\n", "file:1: a section without a"},
        {"[a]\n= 1\n", "file:2: neither"},         {"[a]\ns3 =\n  nonsense\n", "file:3: an indented"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct profile_file f;
        struct err err;
        assert_err(profile_file_parse(cases[i].text, strlen(cases[i].text), "file", PROFILE_FILE_CREDENTIALS,
                                      &f, &err),
                   ERR_CONFIG, &err);
        if (strstr(err.text, cases[i].where) != err.text)
            fail_msg("%s", err.text);
        assert_int_equal(f.count, 0);
    }
}

static void values_do_not_get_into_messages(void **state)
{
    (void)state;
    static const char text[] = "[a]\naws_secret_access_key hunter2\n";
    struct profile_file f;
    struct err err;
    assert_err(profile_file_parse(text, sizeof text - 1, "file", PROFILE_FILE_CREDENTIALS, &f, &err),
               ERR_CONFIG, &err);
    assert_null(strstr(err.text, "hunter2"));
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    static const char text[] = "[a]\nkey=1\0002\n";
    struct profile_file f;
    struct err err;
    assert_err(profile_file_parse(text, sizeof text - 1, "file", PROFILE_FILE_CREDENTIALS, &f, &err),
               ERR_CONFIG, &err);
    assert_string_equal(err.text, "file:2: a NUL byte");
}

static void files(void **state)
{
    (void)state;
    char *folder = tmpdir_make();
    char path[512];
    struct profile_file f;
    struct err err;
    snprintf(path, sizeof path, "%s/credentials", folder);
    assert_ok(profile_file_read(path, PROFILE_FILE_CREDENTIALS, &f, &err), &err);
    assert_int_equal(f.count, 0);
    FILE *file = fopen(path, "we");
    fputs("[x]\nregion=y\n", file);
    fclose(file);
    assert_ok(profile_file_read(path, PROFILE_FILE_CREDENTIALS, &f, &err), &err);
    is(&f, "x", "region", "y");
    profile_file_clear(&f);
    assert_err(profile_file_read(folder, PROFILE_FILE_CREDENTIALS, &f, &err), ERR_CONFIG, &err);
    assert_non_null(strstr(err.text, folder));
    tmpdir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_credentials_file),
        cmocka_unit_test(the_configuration_file),
        cmocka_unit_test(an_indented_line_goes_on_with_a_value),
        cmocka_unit_test(long_values_stay_whole),
        cmocka_unit_test(malformed_lines_are_named),
        cmocka_unit_test(values_do_not_get_into_messages),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
