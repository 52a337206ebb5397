/* check: runs fast on the arrays of the caller and ref on copies of them, and ends the run where they differ.
 *
 * A difference is judged against a bound on the rounding error of float32, built from the magnitudes that went in: sums can
 * cancel, so the size of a result says nothing about its error. Elements that both tables make NaN or the same infinity agree.
 * This file: the machinery, vector sums, embedding, dropout, updates. */
#include "check.h"

#include <math.h>
#include <string.h>

float *tt_check_room(tt_copies *c, int64_t n)
{
    return tt_scratch(SCRATCH_CHECK + c->used++, (size_t)(n > 0 ? n : 1) * sizeof(float));
}

float *tt_check_copy(tt_copies *c, int64_t n, const float *x)
{
    return x ? memcpy(tt_check_room(c, n), x, (size_t)n * sizeof *x) : NULL;
}

double tt_check_largest(int64_t n, const float *x)
{
    double top = 0;
    for (int64_t i = 0; i < n && x; i++)
        if (fabs((double)x[i]) > top && isfinite(x[i])) top = fabs((double)x[i]);
    return top;
}

double tt_check_largest_rows(int64_t R, int64_t n, const float *x, int64_t ld)
{
    double top = 0;
    for (int64_t r = 0; r < R && x; r++) top = fmax(top, tt_check_largest(n, x + r * ld));
    return top;
}

double tt_check_norm(int64_t n, const float *x, int64_t step)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i * step] * x[i * step];
    return sqrt(s);
}

static _Noreturn void differ(const tt_where *w, const char *array, int64_t i, double fast, double ref, double allowed)
{
    TT_BUG("kernel %s, %s: element %lld of %s is %.9g by fast and %.9g by ref, a difference of %.3g where %.3g is "
           "allowed; "
           "run with TUTTI_KERN=ref and report this",
           w->kernel, w->shape, (long long)i, array, fast, ref, fabs(fast - ref), allowed);
}

static bool same_special(double x, double y) { return (isnan(x) && isnan(y)) || x == y; }

void tt_check_compare(const tt_where *w, const char *array, int64_t n, const float *fast, const float *ref,
                      double allowed)
{
    double worst = 1;
    int64_t at = -1;
    for (int64_t i = 0; i < n && fast; i++) {
        double bound = 4 * ULP * fabs((double)ref[i]) + allowed, excess = fabs((double)fast[i] - ref[i]) / bound;
        if (same_special(fast[i], ref[i]) || excess <= worst) continue;
        at = i;
        worst = isnan(excess) ? INFINITY : excess;
    }
    if (at >= 0) differ(w, array, at, fast[at], ref[at], 4 * ULP * fabs((double)ref[at]) + allowed);
}

void tt_check_compare1(const tt_where *w, const char *array, double fast, double ref, double allowed)
{
    if (!same_special(fast, ref) && !(fabs(fast - ref) <= allowed)) differ(w, array, 0, fast, ref, allowed);
}

/* ---- embedding, dropout, vector sums: the same operations in the same order, so the same bits ----------------------*/

void tt_check_embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    tt_fast_embed_fwd(R, D, ids, E, y);
    WHERE(w, "embed_fwd", "R %lld D %lld", (long long)R, (long long)D);
    for (int64_t r = 0; r < R; r++) tt_check_compare(&w, "y", D, y + r * D, E + ids[r] * D, 0);
}

/* Only the rows named are touched; ref adds into copies of them, kept at the row's first appearance. */
void tt_check_embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE)
{
    tt_copies c = {0};
    WHERE(w, "embed_bwd", "R %lld D %lld", (long long)R, (long long)D);
    int64_t rows = 0;
    for (int64_t r = 0; r < R; r++) rows = ids[r] >= rows ? ids[r] + 1 : rows;
    float *dE2 = tt_check_copy(&c, rows * D, dE);
    tt_fast_embed_bwd(R, D, ids, dy, dE);
    tt_ref_embed_bwd(R, D, ids, dy, dE2);
    tt_check_compare(&w, "dE", rows * D, dE, dE2, 0);
}

void tt_check_dropout(int64_t n, float prob, tt_rkey key, const float *x, float *y, bool acc)
{
    tt_copies c = {0};
    WHERE(w, "dropout", "n %lld p %g", (long long)n, (double)prob);
    float *x2 = tt_check_copy(&c, n, x), *y2 = acc ? tt_check_copy(&c, n, y) : tt_check_room(&c, n);
    tt_fast_dropout(n, prob, key, x, y, acc);
    tt_ref_dropout(n, prob, key, x2, y2, acc);
    tt_check_compare(&w, "y", n, y, y2, 0);
}

void tt_check_dropout_part(int64_t R, int64_t n, int64_t of, int64_t lo, float prob, tt_rkey key, const float *x,
                           float *y, bool acc)
{
    tt_copies c = {0};
    WHERE(w, "dropout_part", "R %lld n %lld of %lld from %lld p %g", (long long)R, (long long)n, (long long)of,
          (long long)lo, (double)prob);
    float *x2 = tt_check_copy(&c, R * n, x), *y2 = acc ? tt_check_copy(&c, R * n, y) : tt_check_room(&c, R * n);
    tt_fast_dropout_part(R, n, of, lo, prob, key, x, y, acc);
    tt_ref_dropout_part(R, n, of, lo, prob, key, x2, y2, acc);
    tt_check_compare(&w, "y", R * n, y, y2, 0);
}

void tt_check_add(int64_t n, const float *x, float *y)
{
    tt_copies c = {0};
    WHERE(w, "add", "n %lld", (long long)n);
    float *y2 = tt_check_copy(&c, n, y);
    tt_fast_add(n, x, y);
    tt_ref_add(n, x, y2);
    tt_check_compare(&w, "y", n, y, y2, 0);
}

void tt_check_scale(int64_t n, float a, float *x)
{
    tt_copies c = {0};
    WHERE(w, "scale", "n %lld", (long long)n);
    float *x2 = tt_check_copy(&c, n, x);
    tt_fast_scale(n, a, x);
    tt_ref_scale(n, a, x2);
    tt_check_compare(&w, "x", n, x, x2, 0);
}

double tt_check_sumsq(int64_t n, const float *x)
{
    WHERE(w, "sumsq", "n %lld", (long long)n);
    double fast = tt_fast_sumsq(n, x), ref = tt_ref_sumsq(n, x);
    tt_check_compare1(&w, "the sum", fast, ref, 1e-12 * fabs(ref));
    return fast;
}

/* ---- updates ------------------------------------------------------------------------------------------------------*/

/* The step of Adam is at most a few lr, whatever the gradient; it carries some 100 roundings' worth of its parts. */
void tt_check_adam(const tt_adam *o, int64_t n, float *wt, const float *g, float *m, float *v)
{
    tt_copies c = {0};
    WHERE(w, "adam", "n %lld t %lld lr %g", (long long)n, (long long)o->t, o->lr);
    float *w2 = tt_check_copy(&c, n, wt), *m2 = tt_check_copy(&c, n, m), *v2 = tt_check_copy(&c, n, v);
    double wide = tt_check_largest(n, wt), top = tt_check_largest(n, g) * fabs(o->gscale) + o->l2 * o->wd * wide;
    double bound = 2 * ULP * wide + 256 * ULP * fabs(o->lr), bm = 4 * ULP * (tt_check_largest(n, m) + top);
    tt_fast_adam(o, n, wt, g, m, v);
    tt_ref_adam(o, n, w2, g, m2, v2);
    tt_check_compare(&w, "m", n, m, m2, bm);
    tt_check_compare(&w, "v", n, v, v2, 8 * ULP * (1 - o->beta2) * top * top + 1e-37);
    tt_check_compare(&w, "w", n, wt, w2, bound);
}

void tt_check_adafactor(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *wt, const float *g,
                        float *row, float *col, float *full, float *mom, float *work)
{
    tt_copies c = {0};
    WHERE(w, "adafactor", "batch %lld rows %lld cols %lld factored %d", (long long)batch, (long long)rows,
          (long long)cols, o->factored);
    int64_t n = batch * rows * cols;
    bool f = o->factored, momentum = o->beta1 > 0;
    float *w2 = tt_check_copy(&c, n, wt), *row2 = tt_check_copy(&c, f ? batch * rows : 0, row);
    float *col2 = tt_check_copy(&c, f ? batch * cols : 0, col), *full2 = tt_check_copy(&c, f ? 0 : n, full);
    float *mom2 = tt_check_copy(&c, momentum ? n : 0, mom), *work2 = tt_check_room(&c, n);
    double wide = tt_check_largest(n, wt);
    tt_fast_adafactor(o, batch, rows, cols, wt, g, row, col, full, mom, work);
    tt_ref_adafactor(o, batch, rows, cols, w2, g, row2, col2, full2, mom2, work2);
    double scale = o->lr * (o->param_scale ? fmax(o->eps2, wide) : 1), most = tt_check_largest(n, work2);
    double bound = 2 * ULP * wide + 64 * ULP * scale * most;
    if (f) tt_check_compare(&w, "row", batch * rows, row, row2, 4 * ULP * tt_check_largest(batch * rows, row2));
    if (f) tt_check_compare(&w, "col", batch * cols, col, col2, 4 * ULP * tt_check_largest(batch * cols, col2));
    if (!f) tt_check_compare(&w, "v", n, full, full2, 1e-37);
    if (momentum) tt_check_compare(&w, "momentum", n, mom, mom2, bound);
    tt_check_compare(&w, "w", n, wt, w2, bound);
}
