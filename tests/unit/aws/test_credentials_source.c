/*
 * Each source of keys.  Metadata services and STS are a fake (tests/lib/aws_stub.py): no real ones run
 * outside of AWS.
 */
#include "support/aws_world.h"

#include "aws/credentials.h"
#include "aws/credentials_source.h"
#include "core/group.h"

#define ROLE "arn:aws:iam::123456789012:role/backup"

static int set_up(void **state)
{
    *state = world_open();
    return 0;
}

static int tear_down(void **state)
{
    world_close(*state);
    return 0;
}

/* One fetch through a fresh chain. */
static enum err_code fetch_with(struct aws_world *w, struct cancel *cancel, struct aws_credentials *out)
{
    struct aws_config *config;
    *out = (struct aws_credentials){0};
    enum err_code rc = aws_config_load(&w->settings, &config, &w->err);
    if (rc != ERR_OK)
        return rc;
    struct aws_credentials_chain *chain = aws_credentials_chain_new(config);
    rc = aws_credentials_get(chain, cancel, out, &w->err);
    aws_credentials_chain_free(chain);
    aws_config_free(config);
    return rc;
}

static void gives(struct aws_world *w, const char *access, const char *secret, const char *token,
                  const char *source)
{
    struct aws_credentials c;
    assert_ok(fetch_with(w, NULL, &c), &w->err);
    assert_string_equal(c.access_key, access);
    assert_string_equal(c.secret_key, secret);
    if (token != NULL)
        assert_string_equal(c.session_token, token);
    else
        assert_null(c.session_token);
    assert_string_equal(c.source, source);
    aws_credentials_clear(&c);
    assert_null(c.secret_key);
}

static void fails(struct aws_world *w, enum err_code want, const char *words)
{
    struct aws_credentials c;
    assert_err(fetch_with(w, NULL, &c), want, &w->err);
    if (strstr(w->err.text, words) == NULL)
        fail_msg("'%s' has no '%s'", w->err.text, words);
    assert_null(c.access_key);
    world_check_secrets(w);
}

static void set_environment_keys(struct aws_world *w)
{
    world_set(w, "AWS_ACCESS_KEY_ID=AKIAENV");
    world_set(w, "AWS_SECRET_ACCESS_KEY=env-secret");
    world_set(w, "AWS_SESSION_TOKEN=env-token");
}

/* ---- environment and files ---- */

static void environment(void **state)
{
    struct aws_world *w = *state;
    world_file(w, "credentials",
               "[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=file-secret\n"
               "[p]\naws_access_key_id=AKIAP\naws_secret_access_key=file-secret\n"
               "aws_session_token=file-token\n");
    set_environment_keys(w);
    gives(w, "AKIAENV", "env-secret", "env-token", "environment");
    world_set(w, "AWS_PROFILE=p");
    gives(w, "AKIAENV", "env-secret", "env-token", "environment");
    w->settings.profile = "p";
    gives(w, "AKIAP", "file-secret", "file-token", "profile p");
    w->settings.profile = NULL;
    world_set(w, "AWS_SECRET_ACCESS_KEY=");
    fails(w, ERR_CONFIG, "AWS_SECRET_ACCESS_KEY is not");
    world_set(w, "AWS_ACCESS_KEY_ID=");
    gives(w, "AKIAP", "file-secret", "file-token", "profile p");
    world_set(w, "AWS_PROFILE=");
    gives(w, "AKIAFILE", "file-secret", NULL, "profile default");
    assert_int_equal(stub_count(&w->stub, ""), 0);
}

static void half_a_pair_of_keys_is_an_error(void **state)
{
    struct aws_world *w = *state;
    world_file(w, "credentials", "[default]\naws_access_key_id=AKIAFILE\n");
    fails(w, ERR_CONFIG, "'default' has only one of");
}

static void nothing_anywhere(void **state)
{
    struct aws_world *w = *state;
    stub_say(&w->stub, "imds off");
    fails(w, ERR_CONFIG, "no AWS credentials: AWS_ACCESS_KEY_ID is not set; the profile 'default' has none");
    world_set(w, "AWS_EC2_METADATA_DISABLED=TRUE");
    fails(w, ERR_CONFIG, "is disabled by AWS_EC2_METADATA_DISABLED");
}

/* ---- roles ---- */

static const char role_files[] =
    "[keys]\naws_access_key_id=AKIAFILE\naws_secret_access_key=file-secret\naws_session_token=file-token\n"
    "[r]\nrole_arn=" ROLE
    "\nsource_profile=keys\nexternal_id=the id\nrole_session_name=me\nduration_seconds=900\n"
    "[rr]\nrole_arn=" ROLE "2\nsource_profile=r\n"
    "[self]\nrole_arn=" ROLE
    "3\nsource_profile=self\naws_access_key_id=AKIAFILE\naws_secret_access_key=file-secret\n"
    "aws_session_token=file-token\n"
    "[circle]\nrole_arn=" ROLE "\nsource_profile=circle2\n[circle2]\nrole_arn=" ROLE
    "\nsource_profile=circle\n"
    "[nowhere]\nrole_arn=" ROLE "\nsource_profile=missing\n"
    "[empty]\nregion=x\n[on-empty]\nrole_arn=" ROLE "\nsource_profile=empty\n"
    "[alone]\nrole_arn=" ROLE "\n"
    "[both]\nrole_arn=" ROLE "\nsource_profile=keys\ncredential_source=Environment\n"
    "[mfa]\nrole_arn=" ROLE "\nsource_profile=keys\nmfa_serial=arn:x\n"
    "[sso]\nsso_session=x\n"
    "[denied]\nrole_arn=arn:denied\nsource_profile=keys\n"
    "[env]\nrole_arn=" ROLE "\ncredential_source=Environment\n"
    "[ecs]\nrole_arn=" ROLE "\ncredential_source=EcsContainer\n"
    "[ec2]\nrole_arn=" ROLE "\ncredential_source=Ec2InstanceMetadata\n"
    "[odd]\nrole_arn=" ROLE "\ncredential_source=Elsewhere\n";

/* The stub verifies signatures by these keys alone. */
static void roles_world(struct aws_world *w)
{
    world_file(w, "credentials", role_files);
    world_set(w, "AWS_REGION=eu-west-1");
    stub_say(&w->stub, "keys AKIAFILE file-secret file-token");
    stub_say(&w->stub, "region eu-west-1");
}

static void a_role_is_assumed_with_the_keys_of_another_profile(void **state)
{
    struct aws_world *w = *state;
    roles_world(w);
    w->settings.profile = "r";
    struct aws_credentials c;
    assert_ok(fetch_with(w, NULL, &c), &w->err);
    assert_string_equal(c.access_key, "ASIAISSUED");
    assert_string_equal(c.session_token, "issued-token");
    assert_string_equal(c.source, "role " ROLE);
    int64_t left = c.expires_ms - clock_wall_ms(clock_system());
    assert_true(left > 3500000 && left <= 3601000);
    aws_credentials_clear(&c);
    assert_string_equal(
        stub_say(&w->stub, "body"),
        "Action%3DAssumeRole%26Version%3D2011-06-15%26RoleArn%3Darn%253Aaws%253Aiam%253A%253A123456789012%"
        "253Arole"
        "%252Fbackup%26RoleSessionName%3Dme%26ExternalId%3Dthe%2520id%26DurationSeconds%3D900");
    assert_string_equal(stub_say(&w->stub, "header Content-Type"),
                        "application/x-www-form-urlencoded; charset=utf-8");
}

static void roles_may_follow_roles(void **state)
{
    struct aws_world *w = *state;
    roles_world(w);
    stub_say(&w->stub, "keys ASIAISSUED issued-secret issued-token");
    w->settings.profile = "rr";
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE "2");
    assert_int_equal(stub_count(&w->stub, "POST /"), 2);
    w->settings.profile = "self";
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE "3");
}

static void roles_that_cannot_be(void **state)
{
    struct aws_world *w = *state;
    static const struct {
        const char *profile, *words;
    } cases[] = {
        {"circle", "in a circle"},
        {"nowhere", "'missing', which does not exist"},
        {"on-empty", "'empty', source_profile of 'on-empty', has no keys"},
        {"alone", "neither source_profile"},
        {"both", "both source_profile and"},
        {"mfa", "mfa_serial"},
        {"sso", "IAM Identity Center"},
        {"odd", "'Elsewhere' is none of"},
        {"env", "no keys in its credential_source Environment"},
        {"ecs", "no keys in its credential_source EcsContainer"},
    };
    roles_world(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        w->settings.profile = cases[i].profile;
        fails(w, ERR_CONFIG, cases[i].words);
    }
    stub_say(&w->stub, "role -");
    w->settings.profile = "ec2";
    fails(w, ERR_CONFIG, "EC2");
    assert_int_equal(stub_count(&w->stub, "POST /"), 0);
}

static void sts_refuses(void **state)
{
    struct aws_world *w = *state;
    roles_world(w);
    w->settings.profile = "denied";
    fails(w, ERR_AWS, "AccessDenied: not authorized to assume arn:denied");
    assert_non_null(strstr(w->err.text, "assume the role arn:denied: AssumeRole: "));
    assert_int_equal(w->wait_count, 0);
    stub_say(&w->stub, "forget");
    stub_say(&w->stub, "keys AKIAFILE another-secret file-token");
    w->settings.profile = "r";
    fails(w, ERR_CONFIG, "SignatureDoesNotMatch");
    stub_say(&w->stub, "forget");
    for (int i = 0; i < 10; i++)
        stub_say(&w->stub, "plan error 503 ServiceUnavailable");
    fails(w, ERR_AWS, "gave up after 10 tries");
    /* One failure is nothing. */
    stub_say(&w->stub, "plan reset-after");
    stub_say(&w->stub, "plan garbage");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
}

static void roles_by_where_the_program_runs(void **state)
{
    struct aws_world *w = *state;
    roles_world(w);
    set_environment_keys(w);
    stub_say(&w->stub, "keys AKIAENV env-secret env-token");
    w->settings.profile = "env";
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
    stub_say(&w->stub, "keys ASIAISSUED issued-secret issued-token");
    world_set(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/container/x");
    w->settings.profile = "ecs";
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
    assert_int_equal(stub_count(&w->stub, "GET /container/x"), 1);
    w->settings.profile = "ec2";
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
    assert_int_equal(stub_count(&w->stub, "GET /latest/meta-data/iam/security-credentials/the-role"), 1);
}

/* ---- web identity ---- */

static void web_identity_of_the_environment(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_WEB_IDENTITY_TOKEN_FILE=%s", world_file(w, "token", "the-boarding-pass\n"));
    fails(w, ERR_CONFIG, "AWS_ROLE_ARN is not");
    world_set(w, "AWS_ROLE_ARN=" ROLE);
    world_set(w, "AWS_ROLE_SESSION_NAME=pod");
    stub_say(&w->stub, "keys AKIAOTHER x y");
    stub_say(&w->stub, "identity the-boarding-pass");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
    assert_string_equal(stub_say(&w->stub, "header Authorization"), "-");
    assert_non_null(strstr(stub_say(&w->stub, "body"), "RoleSessionName%3Dpod"));
    stub_say(&w->stub, "identity another");
    fails(w, ERR_CONFIG, "InvalidIdentityToken: not a token of ours");
    world_file(w, "token", "another");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
    world_file(w, "token", " \n");
    fails(w, ERR_CONFIG, "is empty");
    world_set(w, "AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent/token");
    fails(w, ERR_CONFIG, "/nonexistent/token");
}

static void web_identity_of_a_profile(void **state)
{
    struct aws_world *w = *state;
    char text[1024];
    snprintf(text, sizeof text, "[default]\nrole_arn=" ROLE "\nweb_identity_token_file=%s\n",
             world_file(w, "token", "the-boarding-pass"));
    world_file(w, "config", text);
    stub_say(&w->stub, "identity the-boarding-pass");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "role " ROLE);
}

/* ---- containers ---- */

static void container_by_relative_uri(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/container/v2/task");
    world_set(w, "HTTP_PROXY=http://127.0.0.1:1");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "container credentials");
    assert_string_equal(stub_say(&w->stub, "target"), "/container/v2/task");
    assert_string_equal(stub_say(&w->stub, "header Authorization"), "-");
    world_set(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=container");
    fails(w, ERR_CONFIG, "does not begin with '/'");
}

static void container_by_full_uri_and_token(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s/container/eks", w->stub.url);
    world_set(w, "AWS_CONTAINER_AUTHORIZATION_TOKEN=the-boarding-pass");
    stub_say(&w->stub, "container the-boarding-pass");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "container credentials");
    /* The file wins, and is read each time. */
    world_set(w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s", world_file(w, "token", "second\n"));
    fails(w, ERR_AWS, "status 401");
    stub_say(&w->stub, "container second");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "container credentials");
    world_file(w, "token", "two\nlines");
    fails(w, ERR_CONFIG, "more than one line");
    world_set(w, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nonexistent/token");
    fails(w, ERR_CONFIG, "/nonexistent/token");
}

static void container_hosts_in_plain_http(void **state)
{
    struct aws_world *w = *state;
    static const char *const refused[] = {"http://192.0.2.1/x", "http://example.com/x",
                                          "http://169.254.169.254/x", "http://[fd00:ec2::24]/x",
                                          "http://127.0.0.1.example.com/x"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", refused[i]);
        fails(w, ERR_CONFIG, "only be asked for over https");
    }
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=nonsense");
    fails(w, ERR_CONFIG, "'nonsense' is no endpoint");
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s/container/x?y=z", w->stub.url);
    fails(w, ERR_CONFIG, "has a query");
    world_set(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:%u/container/x", w->stub.port);
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "container credentials");
}

static void container_faults(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/container/x");
    stub_say(&w->stub, "plan status 500");
    stub_say(&w->stub, "plan close");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "container credentials");
    for (int i = 0; i < 3; i++)
        stub_say(&w->stub, "plan status 503");
    fails(w, ERR_AWS, "status 503");
    stub_say(&w->stub, "plan html 200");
    fails(w, ERR_AWS, "the answer is no JSON");
    w->settings.metadata_timeout_ms = 50;
    for (int i = 0; i < 3; i++)
        stub_say(&w->stub, "plan stall");
    fails(w, ERR_AWS, "GET http://127.0.0.1:");
}

/* ---- EC2 ---- */

static void ec2_with_tokens(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "http_proxy=http://127.0.0.1:1");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "EC2 instance role");
    assert_int_equal(stub_count(&w->stub, "PUT /latest/api/token"), 1);
    assert_int_equal(stub_count(&w->stub, ""), 3);
    /* The environment names another place. */
    w->settings.imds_url = NULL;
    world_set(w, "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", w->stub.url);
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "EC2 instance role");
}

static void ec2_without_role_or_tokens(void **state)
{
    struct aws_world *w = *state;
    stub_say(&w->stub, "role -");
    fails(w, ERR_CONFIG, "no AWS credentials");
    assert_non_null(strstr(w->err.text, "status 404"));
    stub_say(&w->stub, "role the-role");
    stub_say(&w->stub, "imds v1");
    fails(w, ERR_CONFIG, "the EC2 metadata service gives no token (status 404)");
    assert_int_equal(stub_count(&w->stub, "GET /latest/meta-data/iam/security-credentials/the-role"), 0);
}

static void ec2_faults(void **state)
{
    struct aws_world *w = *state;
    stub_say(&w->stub, "plan status 500");
    stub_say(&w->stub, "plan ok");
    stub_say(&w->stub, "plan status 500");
    stub_say(&w->stub, "plan status 503");
    gives(w, "ASIAISSUED", "issued-secret", "issued-token", "EC2 instance role");
    assert_int_equal(w->wait_count, 3);
    /* Nobody there, as on most machines: no long wait. */
    w->settings.metadata_timeout_ms = 100;
    stub_say(&w->stub, "plan stall");
    fails(w, ERR_CONFIG, "a hop limit of 2");
    assert_int_equal(w->wait_count, 3);
}

/* ---- programs ---- */

static void words(const char *command, const char *joined)
{
    struct err err;
    char **argv;
    char got[512] = "";
    assert_ok(process_split(command, &argv, &err), &err);
    for (char **a = argv; *a != NULL; a++) {
        strcat(got, "[");
        strcat(got, *a);
        strcat(got, "]");
    }
    assert_string_equal(got, joined);
    process_argv_free(argv);
}

static void command_lines(void **state)
{
    (void)state;
    struct err err;
    char **argv;
    words("  /bin/x  a\tb ", "[/bin/x][a][b]");
    words("x 'a b' \"c d\" e' 'f", "[x][a b][c d][e f]");
    words("x \"a\\\"b\\\\c\\d\" 'e\\f' g\\ h", "[x][a\"b\\c\\d][e\\f][g h]");
    words("x '' \"\"", "[x][][]");
    words("x $HOME `a` *;", "[x][$HOME][`a`][*;]");
    static const char *const bad[] = {"", "  ", "x 'a", "x \"a", "x a\\"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(process_split(bad[i], &argv, &err), ERR_CONFIG, &err);
        assert_null(argv);
    }
}

static void use_program(struct aws_world *w, const char *command)
{
    char text[2048];
    snprintf(text, sizeof text, "[default]\ncredential_process = %s\n", command);
    world_file(w, "config", text);
}

static void use_script(struct aws_world *w, const char *script)
{
    char command[1024];
    snprintf(command, sizeof command, "/bin/sh '%s' \"two words\"", world_file(w, "keys.sh", script));
    use_program(w, command);
}

static void a_program_prints_keys(void **state)
{
    struct aws_world *w = *state;
    struct aws_credentials c;
    use_script(w,
               "[ \"$1\" = 'two words' ] && [ \"$HOME\" ] || exit 9\n"
               "echo '{\"Version\": 1, \"AccessKeyId\": \"ASIAP\", \"SecretAccessKey\": \"file-secret\",'\n"
               "echo '\"SessionToken\": \"file-token\", \"Expiration\": \"2035-01-02T03:04:05Z\"}'\n");
    assert_ok(fetch_with(w, NULL, &c), &w->err);
    assert_string_equal(c.access_key, "ASIAP");
    assert_string_equal(c.secret_key, "file-secret");
    assert_string_equal(c.session_token, "file-token");
    assert_string_equal(c.source, "credential_process");
    assert_true(c.expires_ms == INT64_C(2051319845000));
    aws_credentials_clear(&c);
}

static void programs_that_fail(void **state)
{
    struct aws_world *w = *state;
    static const struct {
        const char *script, *words;
    } cases[] = {
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"file-secret\"}'; exit 3\n",
         "ended with status 3"},
        {"kill -9 $$\n", "signal 9"},
        {"echo file-secret\n", "the answer is no JSON"},
        {"echo '[1]'\n", "no JSON object"},
        {"echo '{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"file-secret\"}'\n",
         "Version is not 1"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\"}'\n", "no AccessKeyId and SecretAccessKey"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}'\n",
         "no time"},
        {"head -c 100000 /dev/zero\n", "longer than 65536"},
        {"exit 0\n", "the answer is no JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use_script(w, cases[i].script);
        fails(w, ERR_CONFIG, cases[i].words);
    }
    use_program(w, "/nonexistent/program");
    fails(w, ERR_CONFIG,
          "/nonexistent/program"); /* under valgrind posix_spawn does not tell, but status 127 */
}

struct firing {
    char path[512];
    struct cancel *cancel;
};

/* Fires once the program runs. */
static enum err_code fire(void *arg, struct err *err)
{
    struct firing *f = arg;
    struct err why;
    (void)err;
    while (access(f->path, F_OK) != 0)
        sched_yield();
    err_set(&why, ERR_SIGTERM, "cancelled by the test");
    cancel_fire(f->cancel, &why);
    return ERR_OK;
}

static void a_program_that_hangs_is_cancelled(void **state)
{
    struct aws_world *w = *state;
    char script[1024];
    struct aws_credentials c;
    struct cancel *cancel = cancel_new(), *other = cancel_new();
    struct firing f = {.cancel = cancel};
    struct group *g = group_new(other);
    snprintf(f.path, sizeof f.path, "%s/started", w->home);
    snprintf(script, sizeof script, "exec sh -c 'echo $$ >\"%s\"; exec sleep 1000'\n", f.path);
    use_script(w, script);
    assert_ok(group_spawn(g, "fire", fire, &f, &w->err), &w->err);
    assert_err(fetch_with(w, cancel, &c), ERR_SIGTERM, &w->err);
    assert_ok(group_join(g, &w->err), &w->err);
    group_free(g);
    /* It was ended and waited for. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the stub alone is left */
    cancel_free(cancel);
    cancel_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_pair_of_keys_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_role_is_assumed_with_the_keys_of_another_profile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(roles_may_follow_roles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(roles_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sts_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(roles_by_where_the_program_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(web_identity_of_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(web_identity_of_a_profile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(container_by_relative_uri, set_up, tear_down),
        cmocka_unit_test_setup_teardown(container_by_full_uri_and_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(container_hosts_in_plain_http, set_up, tear_down),
        cmocka_unit_test_setup_teardown(container_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ec2_with_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ec2_without_role_or_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ec2_faults, set_up, tear_down),
        cmocka_unit_test(command_lines),
        cmocka_unit_test_setup_teardown(a_program_prints_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(programs_that_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_hangs_is_cancelled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
