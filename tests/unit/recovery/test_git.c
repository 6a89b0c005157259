#include "support/test.h"

#include "recovery/git.h"

#include <string.h>
#include <sys/stat.h>

#define HASH  "0123456789012345678901234567890123456789"
#define OTHER "abcdefabcdefabcdefabcdefabcdefabcdefabcd"

struct fixture {
    char *dir;
    struct arena *arena;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static const char *at(struct fixture *f, const char *file)
{
    return arena_printf(f->arena, "%s/%s", f->dir, file);
}

static void put(struct fixture *f, const char *file, const char *text)
{
    char *path = arena_strdup(f->arena, at(f, file));
    for (char *p = path + strlen(f->dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void expect(struct fixture *f, const char *folder, const char *commit, const char *branch,
                   const char *tags)
{
    struct err err;
    struct point_git git;
    struct buf got;
    assert_ok(git_read(at(f, folder), f->arena, &git, &err), &err);
    assert_string_equal(git.commit, commit);
    if (branch)
        assert_string_equal(git.branch, branch);
    else
        assert_null(git.branch);
    buf_init(&got, 10000);
    for (unsigned i = 0; i < git.tag_count; i++)
        buf_putf(&got, "%s ", git.tags[i]);
    assert_string_equal(buf_cstr(&got), tags);
    buf_free(&got);
}

static void loose_references(void **state)
{
    struct fixture *f = *state;
    put(f, "t/.git/HEAD", "ref: refs/heads/feature/x\n");
    put(f, "t/.git/refs/heads/feature/x", HASH "\n");
    put(f, "t/.git/refs/tags/v2", HASH "\n");
    put(f, "t/.git/refs/tags/release/v1", HASH "\n");
    put(f, "t/.git/refs/tags/other", OTHER "\n"); /* of another commit, or an annotated one */
    mkdir(at(f, "t/deep"), 0700);
    expect(f, "t", HASH, "feature/x", "release/v1 v2 ");
    expect(f, "t/deep", HASH, "feature/x", "release/v1 v2 ");
}

static void packed_references(void **state)
{
    struct fixture *f = *state;
    put(f, "t/.git/HEAD", "ref: refs/heads/main\n");
    put(f, "t/.git/packed-refs",
        "# pack-refs with: peeled fully-peeled sorted \n" HASH " refs/heads/main\n" OTHER
        " refs/tags/annotated\n^" HASH "\n" HASH " refs/tags/light\n" OTHER
        " refs/tags/elsewhere\nodd line\n");
    put(f, "t/.git/refs/tags/light", HASH "\n"); /* both ways: once */
    expect(f, "t", HASH, "main", "annotated light ");
    put(f, "t/.git/refs/heads/main", OTHER "\n"); /* the loose one wins */
    expect(f, "t", OTHER, "main", "annotated elsewhere ");
}

static void a_detached_head_and_longer_hashes(void **state)
{
    struct fixture *f = *state;
    static const char sha256[] = "0123456789012345678901234567890123456789012345678901234567890123";
    put(f, "t/.git/HEAD", HASH "\n");
    expect(f, "t", HASH, NULL, "");
    put(f, "t/.git/HEAD", sha256);
    expect(f, "t", sha256, NULL, "");
}

static void linked_working_trees(void **state)
{
    struct fixture *f = *state;
    put(f, "main/.git/HEAD", "ref: refs/heads/main\n");
    put(f, "main/.git/refs/heads/main", OTHER "\n");
    put(f, "main/.git/refs/heads/topic", HASH "\n");
    put(f, "main/.git/refs/tags/t", HASH "\n");
    put(f, "main/.git/worktrees/w/HEAD", "ref: refs/heads/topic\n");
    put(f, "main/.git/worktrees/w/commondir", "../..\n");
    put(f, "w/.git", "gitdir: ../main/.git/worktrees/w\n");
    expect(f, "w", HASH, "topic", "t ");
    put(f, "w/.git", arena_printf(f->arena, "gitdir: %s/main/.git/worktrees/w\n", f->dir));
    expect(f, "w", HASH, "topic", "t ");
}

static void what_is_not_understood_is_told(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point_git git;
    static const char *const heads[] = {"",
                                        "nonsense\n",
                                        "ref: refs/heads/../../../../etc/passwd\n",
                                        "ref: /etc/passwd\n",
                                        "ref: refs/heads/unborn\n",
                                        "ref: refs/heads/loop\n",
                                        "0123\n"};
    assert_err(git_read(at(f, "missing"), f->arena, &git, &err), ERR_NOT_FOUND, &err);
    put(f, "t/.git/refs/heads/loop", "ref: refs/heads/loop\n");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        put(f, "t/.git/HEAD", heads[i]);
        assert_err(git_read(at(f, "t"), f->arena, &git, &err), ERR_CONFIG, &err);
    }
    put(f, "plain/file", "");
    assert_err(git_read("/", f->arena, &git, &err), ERR_NOT_FOUND, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loose_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packed_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_detached_head_and_longer_hashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linked_working_trees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
