// TEST np=1,2,3,4,7,8
/* The exact sum against plain recursion over the tree, bit for bit: any number of ranks gives what one rank gives. */
#include "tutti/optim.h"
#include "../tap.h"
#include "sample.h"

/* The specification. out = sum of grains [at, at+width) that exist. */
static void plain(const tt_pars *t, int64_t grains, int64_t at, int64_t width, float *out)
{
    if (width == 1) {
        sample_gradient(t, (uint64_t)at, out);
        return;
    }
    plain(t, grains, at, width / 2, out);
    int64_t right = at + width / 2;
    if (right >= grains) return;
    float *other = calloc((size_t)t->size, sizeof *other);
    plain(t, grains, right, width / 2, other);
    for (int64_t i = 0; i < t->size; i++) out[i] += other[i];
    free(other);
}

static void poison(tt_pars *t, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) t->g[i] = NAN;
}

/* One step of a trainer: gradients into the slab one grain after the other. */
static void sum(tt_xsum *x, tt_pars *t, int64_t lo, int64_t hi)
{
    tt_xsum_begin(x);
    poison(t, 0, t->size);
    for (int64_t i = lo; i < hi; i++) {
        memset(t->g, 0, sizeof(float) * (size_t)t->size);
        sample_gradient(t, (uint64_t)i, t->g);
        tt_xsum_push(x, i);
        if (i + 1 < hi) poison(t, 0, t->size);
    }
    tt_xsum_finish(x);
}

static void t_grains(const tt_mesh *m, tt_pars *t, const int64_t *cut, int64_t grains)
{
    int64_t lo, hi, width = 1;
    while (width < grains) width *= 2;
    float *want = calloc((size_t)t->size, sizeof *want);
    plain(t, grains, 0, width, want);
    const float *slice = want + cut[m->rank];
    size_t n = (size_t)(cut[m->rank + 1] - cut[m->rank]);
    tt_share(grains, m->rank, m->size, &lo, &hi);

    tt_xsum *x = tt_xsum_new(m, t, cut, grains, TT_REDUCE_EXACT, &tt_kern_ref);
    int64_t bad = 0;
    for (int step = 0; step < 2; step++) {
        sum(x, t, lo, hi);
        bad += memcmp(t->g + cut[m->rank], slice, sizeof *want * n) != 0;
    }
    tt_xsum_free(x);
    tt_allsum_i64(m, &bad, 1);
    ok(bad == 0, "%d grains on %d ranks, %zu bytes a message: the bits of the plain tree", (int)grains, m->size,
       m->chunk);

    x = tt_xsum_new(m, t, cut, grains, TT_REDUCE_MPI, &tt_kern_ref);
    sum(x, t, lo, hi);
    near(t->g + cut[m->rank], slice, n, 1e-4, "reduce: mpi gives nearly the same");
    tt_xsum_free(x);
    free(want);
}

static void t_scalar(const tt_mesh *m)
{
    double v[7] = {0}, all[7] = {1e16, 1, -1e16, 3, 1e-3, 5e15, 7};
    int64_t lo, hi;
    tt_share(7, m->rank, m->size, &lo, &hi);
    for (int64_t i = lo; i < hi; i++) v[i] = all[i];
    double want = ((all[0] + all[1]) + (all[2] + all[3])) + ((all[4] + all[5]) + all[6]);
    ok(tt_xsum_scalar(m, 7, v) == want, "scalars in the order of the same tree");
    double one[1] = {m->rank == m->size - 1 ? NAN : 0};
    ok(isnan(tt_xsum_scalar(m, 1, one)), "NaN comes through");
}

static void t_cuts(const tt_pars *t)
{
    for (int size = 1; size <= 9; size += 4) {
        int64_t cut[10], whole[10];
        tt_cuts(t, size, false, cut);
        tt_cuts(t, size, true, whole);
        int bad = cut[0] != 0 || cut[size] != t->size || whole[0] != 0 || whole[size] != t->size;
        for (int r = 1; r < size; r++) {
            int at_block = 0, at_par = 0;
            for (int64_t b = 0; b <= t->nblock; b++) at_block |= cut[r] == t->block[b];
            for (int i = 0; i < t->n; i++) at_par |= whole[r] == t->p[i].at;
            bad += !at_block + !(at_par || whole[r] == t->size) + (cut[r] < cut[r - 1]) + (whole[r] < whole[r - 1]);
        }
        ok(!bad, "cuts for %d ranks lie at blocks, or at parameters", size);
    }
    int64_t cut[3];
    tt_cuts(t, 2, false, cut);
    ok(cut[1] == 2 * TT_BLOCK, "two ranks: 131072 of 224000 trained elements are nearest to a half (%lld)",
       (long long)cut[1]);

    int64_t lo, hi, next = 0, bad = 0;
    for (int r = 0; r < 7; r++) {
        tt_share(17, r, 7, &lo, &hi);
        bad += lo != next || hi - lo < 2 || hi - lo > 3;
        next = hi;
    }
    ok(!bad && next == 17, "17 grains on 7 ranks: runs of 2 or 3");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_pars t;
    sample_pars(&t);
    int64_t cut[16];
    tt_cuts(&t, m.size, false, cut);
    t_cuts(&t);
    static const int64_t grains[] = {1, 2, 3, 7, 8, 13};
    tt_mesh small = m;
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
        small.chunk = i % 2 ? m.chunk : 30004;
        t_grains(&small, &t, cut, grains[i]);
    }
    t_scalar(&m);
    tt_pars_fini(&t);
    tt_mesh_fini(&m);
    return tap_done();
}
