// TEST np=1,2,3,4
/* Ops on slices: each tp rank with its share against one that has all. */
#include "tutti/comm.h"
#include "tutti/tensor.h"
#include "../tap.h"

enum { R = 7, D = 6, N = 11, V = 13 };

typedef struct world {
    const tt_mesh *m;
    tt_arena *a;
    const tt_kern *k;
} world;

static void fill(float *x, int64_t n, const char *what)
{
    tt_rkey key = tt_key(4, what, 0, 0, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (float)tt_rand_normal(key, (uint64_t)i);
}

static tt_tape begin(world *w, bool parted, float drop)
{
    tt_tape t;
    tt_arena_reset(w->a);
    tt_tape_begin(&t, w->a, w->k, true, drop, 3);
    if (parted) t.tp = w->m;
    return t;
}

static tt_t *leaf(tt_tape *t, int64_t cols, const char *what)
{
    tt_t *x = tt_new(t, R, cols, true);
    fill(x->x, R * cols, what);
    return x;
}

/* ---- slices ------------------------------------------------------------------------------------------------------*/
static tt_par slice_of(int64_t rows, int64_t cols, int axis, int64_t lo, int64_t hi)
{
    tt_par p = {.ndim = 2, .shape = {rows, cols}, .axis = axis, .lo = lo, .hi = hi, .trained = true};
    if (axis >= 0) {
        p.of = p.shape[axis];
        p.shape[axis] = hi - lo;
    }
    p.n = p.shape[0] * p.shape[1];
    return p;
}

static bool slice_right(const tt_par *p, const float *whole, int64_t cols, const float *part)
{
    bool good = true;
    for (int64_t i = 0; i < p->shape[0]; i++)
        for (int64_t j = 0; j < p->shape[1]; j++) {
            int64_t r = p->axis == 0 ? i + p->lo : i, c = p->axis == 1 ? j + p->lo : j;
            good &= part[i * p->shape[1] + j] == whole[r * cols + c];
        }
    return good;
}

/* In runs of n elements, as an owner of blocks would move it. */
static void check_slice(int axis, int64_t lo, int64_t hi, int64_t n)
{
    float whole[N * D], part[N * D + 1], back[N * D];
    tt_par p = slice_of(N, D, axis, lo, hi);
    fill(whole, N * D, "whole");
    memset(back, 0, sizeof back);
    part[p.n] = 5;
    for (int64_t at = 0; at < N * D; at += n)
        tt_par_slice_some(&p, at, at + n < N * D ? n : N * D - at, whole + at, part);
    bool good = tt_par_whole(&p) == N * D && slice_right(&p, whole, D, part) && part[p.n] == 5;
    for (int64_t at = 0; at < N * D; at += n)
        tt_par_unslice_some(&p, at, at + n < N * D ? n : N * D - at, part, back + at);
    int64_t own = 0;
    for (int64_t i = 0; i < N * D; i++) {
        int64_t c = axis == 0 ? i / D : i % D;
        bool has = axis < 0 || (c >= lo && c < hi);
        own += has;
        good &= back[i] == (has ? whole[i] : 0);
    }
    ok(good && own == p.n, "axis %d [%d, %d) moved %d at a time, there and back", axis, (int)lo, (int)hi, (int)n);
}

/* ---- the pair ------------------------------------------------------------------------------------------------------*/
static float sum_over(const tt_mesh *m, float each, int power)
{
    float s = 0;
    for (int r = 0; r < m->tp; r++) s += powf((float)(r + 1), (float)power) * each;
    return s;
}

/* y = x; dx = sum of dy = (rank + 1) g, and what x gets besides. */
static void check_out(world *w)
{
    tt_tape t = begin(w, true, 0);
    tt_t *x = leaf(&t, D, "x"), *y = tt_fan_out(&t, x);
    float g[R * D], g2[R * D], want[R * D];
    fill(g, R * D, "g");
    fill(want, R * D, "beside");
    for (int i = 0; i < R * D; i++) g2[i] = (float)(w->m->tp_rank + 1) * g[i];
    ok(w->m->tp > 1 ? y != x && y->x == x->x : y == x, "tp %d: fan_out gives x's values", w->m->tp);
    tt_seed(&t, y, g2);
    tt_seed(&t, x, want);
    tt_tape_back(&t);
    for (int i = 0; i < R * D; i++) want[i] += w->m->tp > 1 ? sum_over(w->m, g[i], 1) : g[i];
    near(x->g, want, R * D, 1e-5, "fan_out's backward is the sum");
}

/* A gradient that fan_out's result shares with another tensor must not be summed there. */
static void check_shared(world *w)
{
    tt_tape t = begin(w, true, 0);
    tt_t *x = leaf(&t, D, "x"), *b = leaf(&t, D, "b"), *y = tt_fan_out(&t, x), *s = tt_add(&t, b, y);
    float g[R * D], want[R * D];
    fill(g, R * D, "g");
    ok(x->x != s->x, "fan_out's values are not written over");
    tt_seed(&t, s, g);
    tt_tape_back(&t);
    near(b->g, g, R * D, 0, "the other holder of the gradient keeps it");
    for (int i = 0; i < R * D; i++) want[i] = sum_over(w->m, g[i], 0);
    near(x->g, want, R * D, 1e-5, "and x gets the sum");
}

/* y = sum of (rank + 1) x; dx = dy. In place or not. */
static void check_in(world *w, bool spare)
{
    tt_tape t = begin(w, true, 0);
    tt_t *x = leaf(&t, D, "x");
    float g[R * D], want[R * D], keep[R * D];
    memcpy(want, x->x, sizeof want);
    for (int i = 0; i < R * D; i++) keep[i] = x->x[i] *= (float)(w->m->tp_rank + 1);
    x->spare = spare;
    float *at = x->x;
    tt_t *y = tt_fan_in(&t, x);
    for (int i = 0; i < R * D; i++) want[i] = sum_over(w->m, want[i], 1);
    near(y->x, want, R * D, 1e-5, "fan_in sums");
    ok(w->m->tp == 1 ? y == x : spare ? y->x == at : !memcmp(x->x, keep, sizeof keep), "fan_in, spare %d", spare);
    fill(g, R * D, "g");
    tt_seed(&t, y, g);
    tt_tape_back(&t);
    near(x->g, g, R * D, 0, "fan_in's backward is a copy");
}

/* ---- ops on slices ---------------------------------------------------------------------------------------------------*/
static void check_drop(world *w, int64_t cols)
{
    int64_t lo, hi, bad = 0;
    tt_share(cols, w->m->tp_rank, w->m->tp, &lo, &hi);
    tt_tape t = begin(w, false, 0.4f);
    tt_t *x = leaf(&t, cols, "x"), *y = tt_drop(&t, x), *part = tt_new(&t, R, hi - lo, true);
    tt_seed(&t, y, x->x);
    tt_tape_back(&t);
    for (int r = 0; r < R; r++)
        memcpy(part->x + r * (hi - lo), x->x + r * cols + lo, sizeof(float) * (size_t)(hi - lo));
    t.uses = 0;
    tt_t *z = tt_drop_part(&t, part, lo, cols);
    tt_seed(&t, z, part->x);
    tt_seed(&t, part, part->x); /* so that the backward adds */
    tt_tape_back(&t);
    for (int r = 0; r < R; r++)
        for (int64_t c = 0; c < hi - lo; c++) {
            float g = y->x[r * cols + lo + c] + part->x[r * (hi - lo) + c];
            bad += z->x[r * (hi - lo) + c] != y->x[r * cols + lo + c] || part->g[r * (hi - lo) + c] != g;
        }
    ok(!bad, "dropout of columns [%d, %d) of %d as in the whole", (int)lo, (int)hi, (int)cols);
}

static void check_embed(world *w)
{
    float E[V * D], dE[V * D], own[V * D], down[V * D], want[V * D], g[R * D];
    int32_t ids[R];
    int64_t lo, hi;
    tt_share(V, w->m->tp_rank, w->m->tp, &lo, &hi);
    fill(E, V * D, "E");
    fill(g, R * D, "g");
    memset(dE, 0, sizeof dE);
    memset(down, 0, sizeof down);
    for (int r = 0; r < R; r++) ids[r] = (5 * r * r + r) % V;
    tt_par all = slice_of(V, D, -1, 0, 0), part = slice_of(V, D, 0, lo, hi);
    all.w = E, all.g = dE, part.w = own, part.g = down;
    tt_par_slice(&part, E, own);
    tt_tape t = begin(w, true, 0);
    tt_t *y = tt_embed(&t, ids, R, &all), *z = tt_fan_in(&t, tt_embed(&t, ids, R, &part));
    near(z->x, y->x, R * D, 0, "embedding of slices, summed");
    tt_seed(&t, y, g);
    tt_seed(&t, z, g);
    tt_tape_back(&t);
    tt_par_slice(&part, dE, want);
    near(down, want, part.n, 0, "gradient of the slice of the embedding");
}

/* Loss and gradients of the head; also logits far apart, equal ones, and not finite ones. */
static void check_head(world *w, float far, bool broken)
{
    static float W[V * D], dW[V * D], own[V * D], down[V * D], want[V * D];
    const float weight[R] = {0.5f, 1, 2, 0.1f, 1, 1, 3};
    const int32_t y[R] = {0, 12, 5, -1, 6, 6, 3};
    float token[2][R];
    int32_t best[2][R];
    int64_t lo, hi;
    tt_share(V, w->m->tp_rank, w->m->tp, &lo, &hi);
    fill(W, V * D, "W");
    for (int i = 0; i < V * D; i++) W[i] *= far;
    memcpy(W + 9 * D, W + 2 * D, sizeof(float) * D); /* equal logits: the lower id wins */
    if (broken) W[11 * D] = NAN;
    memset(dW, 0, sizeof dW);
    memset(down, 0, sizeof down);
    tt_par all = slice_of(V, D, -1, 0, 0), part = slice_of(V, D, 0, lo, hi);
    all.w = W, all.g = dW, part.w = own, part.g = down;
    tt_par_slice(&part, W, own);
    tt_tape t = begin(w, true, 0);
    tt_t *x = leaf(&t, D, "x"), *x2 = leaf(&t, D, "x");
    double one = tt_head_loss(&t, x, &all, 0.7f, y, weight, 0.1f, 1e-3f, token[0], NULL, best[0]);
    double cut = tt_head_loss(&t, tt_fan_out(&t, x2), &part, 0.7f, y, weight, 0.1f, 1e-3f, token[1], NULL, best[1]);
    tt_tape_back(&t);
    if (broken) {
        ok(isnan(one) && isnan(cut), "a weight that is not a number: loss %g, in parts %g", one, cut);
        return;
    }
    tt_par_slice(&part, dW, want);
    double size = 1e-5 * (1 + fabs(one));
    ok(fabs(one - cut) <= 1e-6 * fabs(one), "logits times %g: loss %.8g, in parts %.8g", (double)far, one, cut);
    near(token[1], token[0], R, size, "losses of tokens");
    ok(!memcmp(best[0], best[1], sizeof best[0]), "best tokens");
    near(down, want, part.n, size, "gradient of the slice of the head");
    near(x2->g, x->g, R * D, size, "gradient of what goes in");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    static const int64_t runs[] = {1, 4, 7, N * D};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        check_slice(0, 3, 8, runs[i]);
        check_slice(1, 0, 4, runs[i]);
        check_slice(1, 2, 6, runs[i]);
        check_slice(-1, 0, 0, runs[i]);
    }
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast, &tt_kern_check};
    world w = {.m = &m, .a = tt_arena_new(1 << 14)};
    for (int tp = 1; tp <= m.size; tp++) {
        if (m.size % tp || tt_mesh_split(&m, tp)) continue;
        for (int k = 0; k < 3; k++) {
            w.k = kern[k];
            check_out(&w);
            check_shared(&w);
            check_in(&w, true);
            check_in(&w, false);
            check_drop(&w, 4);
            check_drop(&w, 301);
            check_embed(&w);
            check_head(&w, 1, false);
            check_head(&w, 100, false);
            check_head(&w, 0, false);
        }
        check_head(&w, 1, true);
    }
    tt_arena_free(w.a);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
