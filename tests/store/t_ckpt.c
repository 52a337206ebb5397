// TEST np=1,2,3,4
/* Checkpoints written and read with any cut on any number of ranks; the file is the same byte for byte. */
#include "ckpt_sample.h"

static bool same_bytes(const char *p, const char *q)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, k = 0;
    bool same = tt_slurp(p, &x, &n) == TT_OK && tt_slurp(q, &y, &k) == TT_OK && n == k && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

/* Rank 0 alone, without MPI. */
static void write_alone(const tt_mesh *m, const char *path)
{
    tt_mesh one = {.rank = 0, .size = 1};
    tt_arena *a = tt_arena_new(1 << 20);
    sample s;
    sample_make(&s, &one, a, 3, 7);
    if (m->rank == 0) ok(tt_ckpt_save(NULL, path, &s.c) == TT_OK, "one process alone: %s", tt_fail_text());
    tt_arena_free(a);
    tt_barrier(m);
}

static void test_cuts(const tt_mesh *m, const char *dir)
{
    write_alone(m, in(dir, "alone.h5"));
    for (int cut = 0; cut < 2; cut++) {
        tt_err e = sample_write(m, dir, cut, 7);
        ok(e == TT_OK, "write, cut %d: %s", cut, tt_fail_text());
        ok(same_bytes(in(dir, "step-00000007.h5"), in(dir, "alone.h5")), "the file does not depend on ranks and cuts");
        for (int r = 0; r < 4; r++) {
            int64_t wrong;
            e = sample_read(m, in(dir, "step-00000007.h5"), r, 7, &wrong);
            ok(e == TT_OK && wrong == 0, "read, cut %d: %d wrong, %s", r, (int)wrong, tt_fail_text());
        }
    }
    ok(!there(dir, "step-00000007.h5.tmp") && there(dir, "latest"), "no temporary, a pointer");
}

static void test_names(const tt_mesh *m, const char *dir)
{
    tt_arena *a = tt_arena_new(1 << 16);
    const char *path;
    ok(tt_ckpt_latest(m, in(dir, "none"), a, &path) == TT_OK && !path, "no folder: no checkpoint");
    for (int64_t step = 8; step < 13; step++) sample_write(m, dir, 0, step);
    sample_write(m, dir, 0, 123456789012);
    ok(tt_ckpt_latest(m, dir, a, &path) == TT_OK && path && !strcmp(path, in(dir, "step-123456789012.h5")),
       "newest: %s", path ? path : "none");
    if (m->rank == 0) {
        fclose(fopen(in(dir, "step-00000099.h5.tmp"), "w"));
        fclose(fopen(in(dir, "step-mine.h5"), "w"));
    }
    tt_barrier(m);
    ok(tt_ckpt_prune(m, dir, 2, 8) == TT_OK, "prune: %s", tt_fail_text());
    tt_barrier(m);
    ok(there(dir, "step-123456789012.h5") && there(dir, "step-00000012.h5"), "the two newest stay");
    ok(there(dir, "step-00000008.h5"), "the best stays");
    ok(!there(dir, "step-00000011.h5") && !there(dir, "step-00000007.h5"), "the others go");
    ok(!there(dir, "step-00000099.h5.tmp") && there(dir, "step-mine.h5"), "temporaries go, strangers stay");
    ok(tt_ckpt_prune(m, dir, 0, -1) == TT_OK && there(dir, "step-00000008.h5"), "keep 0 keeps all");
    ok(!strcmp(tt_ckpt_find(dir, a), in(dir, "step-123456789012.h5")), "found by the folder");
    tt_barrier(m);
    tt_arena_free(a);
}

static void expect(const tt_mesh *m, const char *path, tt_ckpt *c, const char *says, const char *what)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_err e = tt_ckpt_read(m, path, a, c);
    ok(e == TT_EFILE && strstr(tt_fail_text(), says), "%s: %s", what, tt_fail_text());
    tt_fail_clear();
    tt_arena_free(a);
}

static void test_other_model(const tt_mesh *m, const char *dir)
{
    tt_arena *a = tt_arena_new(1 << 20);
    sample s;
    char *path = in(dir, "step-00000012.h5");
    sample_make(&s, m, a, 3, -1);
    s.array[2].shape[0] = 256, s.array[2].shape[1] = 512;
    expect(m, path, &s.c, "/weights/block.wo is [512,256] there and [256,512] here", "other shape");
    sample_make(&s, m, a, 3, -1);
    strcpy(s.array[1].path, "/weights/b.norm");
    expect(m, path, &s.c, "it has no /weights/b.norm [40]", "missing array");
    sample_make(&s, m, a, 3, -1);
    s.c.narray = 2;
    expect(m, path, &s.c, "it has 3 weights, this model has 2", "array too many");
    sample_make(&s, m, a, 3, -1);
    s.attr[1].name = "worst_loss";
    expect(m, path, &s.c, "/state has no real 'worst_loss'", "missing attribute");
    sample_make(&s, m, a, 3, -1);
    expect(m, in(dir, "latest"), &s.c, "is not a whole HDF5 file", "not HDF5");
    expect(m, in(dir, "gone.h5"), &s.c, "No such file", "absent");
    s.c.narray = 0;
    ok(tt_ckpt_read(m, path, a, &s.c) == TT_OK && s.attr[0].i == 12, "state and texts alone: %s", tt_fail_text());
    tt_arena_free(a);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    char dir[64];
    if (tt_mesh_init(&m, &argc, &argv) != TT_OK) return 1;
    tap_mute = m.rank > 0;
    sample_folder(&m, dir);
    test_cuts(&m, dir);
    test_names(&m, dir);
    test_other_model(&m, dir);
    sample_remove(&m, dir);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
