// TEST np=1,2,3,4,7,8
/* The exact sum against plain recursion over the tree, bit for bit, at every stage: any number of ranks gives what one rank gives.
 * Weights that come and go. */
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

/* Elements of this rank whose sum differs from the plain tree's. */
static int64_t differing(const tt_zero *z, const tt_pars *t, const float *want, double tolerance)
{
    int64_t bad = 0, lo, hi;
    for (int g = 0; g < t->ngroup; g++) {
        tt_own_range(tt_zero_own(z), g, tt_zero_rank(z), &lo, &hi);
        const float *sum = tt_zero_sum(z, g);
        for (int64_t i = lo; i < hi; i++)
            bad += tolerance > 0 ? !(fabs((double)sum[i - lo] - want[i]) <= tolerance * (1 + fabs((double)want[i])))
                                 : memcmp(&sum[i - lo], &want[i], sizeof *want) != 0;
    }
    return bad;
}

/* What was last compared, over all ranks. */
static int64_t difference(const tt_mesh *m, tt_pars *t, int64_t grains, int zero, int reduce, int wire,
                          double tolerance)
{
    int64_t width = 1, bad = 0;
    while (width < grains) width *= 2;
    float *want = calloc((size_t)t->size, sizeof *want);
    plain(t, grains, 0, width, want);
    tt_par *frozen = tt_pars_find(t, "b0.frozen.weight");
    memset(want + frozen->at, 0, sizeof *want * (size_t)frozen->n);
    tt_job j = sample_job(zero);
    j.mesh.reduce = reduce;
    j.mesh.wire = wire;
    tt_zero *z = tt_zero_new(m, &j, t, t, grains, NULL, NULL, &tt_kern_ref);
    for (int step = 0; step < 2; step++) {
        sample_step(z, t, 0);
        bad += differing(z, t, want, tolerance);
    }
    tt_zero_free(z);
    free(want);
    tt_allsum_i64(m, &bad, 1);
    return bad;
}

static void t_grains(const tt_mesh *m, int64_t grains)
{
    for (int zero = 0; zero <= 3; zero++) {
        tt_pars t;
        sample_pars(&t);
        ok(difference(m, &t, grains, zero, TT_REDUCE_EXACT, TT_PREC_FP32, 0) == 0,
           "%d grains on %d ranks, %zu bytes a message, stage %d: the bits of the plain tree", (int)grains, m->size,
           m->chunk, zero);
        tt_pars_fini(&t);
    }
    tt_pars t;
    sample_pars(&t);
    ok(difference(m, &t, grains, 1, TT_REDUCE_MPI, TT_PREC_FP32, 1e-4) == 0, "reduce: mpi gives nearly the same");
    ok(difference(m, &t, grains, 2, TT_REDUCE_EXACT, TT_PREC_BF16, 0.1 * (double)grains) == 0,
       "wire: bf16 roughly the same");
    tt_pars_fini(&t);
}

/* Weights that are everywhere, at their owners, and everywhere again. */
static void t_weights(const tt_mesh *m, int zero)
{
    tt_pars t, same;
    sample_pars(&t);
    sample_pars(&same);
    tt_job j = sample_job(zero);
    tt_zero *z = tt_zero_new(m, &j, &t, &t, 4, NULL, NULL, &tt_kern_ref);
    for (int g = 0; g < t.ngroup; g++) {
        int64_t lo, hi;
        tt_own_range(tt_zero_own(z), g, tt_zero_rank(z), &lo, &hi);
        for (int64_t i = lo; i < hi; i++) tt_zero_master(z, g)[i - lo] *= 2;
        tt_zero_changed(z, g);
    }
    int64_t bad = 0;
    const tt_hooks *h = tt_zero_hooks(z);
    tt_zero_begin(z);
    for (int g = 0; g < t.ngroup; g++) {
        h->use(h->ctx, g, false);
        for (int i = t.group[g].first; i < t.group[g].end; i++)
            for (int64_t e = 0; e < t.p[i].n; e++) bad += t.p[i].w[e] != 2 * same.p[i].w[e];
    }
    tt_zero_whole(z, true);
    for (int64_t i = 0; i < t.size; i++) bad += t.w[i] != 2 * same.w[i];
    tt_zero_whole(z, false);
    for (int i = 0; i < t.n; i++) tt_zero_put(z, i, same.p[i].w);
    tt_zero_spread(z);
    tt_zero_whole(z, true);
    for (int64_t i = 0; i < t.size; i++) bad += t.w[i] != same.w[i];
    tt_zero_whole(z, false);
    tt_allsum_i64(m, &bad, 1);
    ok(bad == 0, "stage %d: changed weights reach every rank, group by group and all at once", zero);
    tt_zero_free(z);
    tt_pars_fini(&t);
    tt_pars_fini(&same);
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

/* Every group is tiled, at blocks or parameters, and nobody owns much more than others. */
static void t_cuts(const tt_pars *t)
{
    for (int size = 1; size <= 9; size += 4)
        for (int whole = 0; whole < 2; whole++) {
            tt_own *o = tt_own_new(t, size, whole);
            int64_t bad = 0, sum = 0, most = 0;
            for (int r = 0; r < size; r++) {
                sum += tt_own_total(o, r);
                if (tt_own_total(o, r) > most) most = tt_own_total(o, r);
                for (int g = 0; g < t->ngroup; g++) {
                    int64_t lo, hi;
                    int found = 0;
                    tt_own_range(o, g, r, &lo, &hi);
                    for (int64_t b = 0; b < t->nblock && !whole; b++) found |= lo == t->block[b];
                    for (int i = 0; i < t->n && whole; i++) found |= lo == t->p[i].at;
                    bad += hi < lo || (hi > lo && !found);
                }
            }
            ok(!bad && sum == t->size, "%d ranks own everything once, cut at %s", size,
               whole ? "parameters" : "blocks");
            ok(whole || most <= t->size / size + 2 * TT_BLOCK, "nobody owns much more than others (%lld of %lld)",
               (long long)most, (long long)t->size);
            tt_own_free(o);
        }

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
    t_cuts(&t);
    static const int64_t grains[] = {1, 2, 3, 7, 8, 13};
    tt_mesh small = m;
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
        small.chunk = i % 2 ? m.chunk : 30004;
        t_grains(&small, grains[i]);
    }
    for (int zero = 0; zero <= 3; zero++) t_weights(&small, zero);
    t_scalar(&m);
    tt_pars_fini(&t);
    tt_mesh_fini(&m);
    return tap_done();
}
