/* Norms, embedding, dropout, vector sums. Statistics and sums over rows are accumulated in double. */
#include "impl.h"
#include "vmath.h"

CLONES void tt_fast_rms_fwd(int64_t R, int64_t D, const float *restrict x, const float *restrict w, float wplus,
                            float eps, float *restrict y, float *restrict rstd)
{
    for (int64_t r = 0; r < R; r++, x += D, y += D) {
        double ss = 0;
#pragma omp simd reduction(+ : ss)
        for (int64_t d = 0; d < D; d++) ss += (double)x[d] * x[d];
        float rs = rstd[r] = (float)(1 / sqrt(ss / (double)D + eps));
#pragma omp simd
        for (int64_t d = 0; d < D; d++) y[d] = (w[d] + wplus) * (x[d] * rs);
    }
}

/* mean(g n) of one row; sw, if any, receives dy n. */
INLINE double rms_row_stats(int64_t D, const float *restrict x, const float *restrict w, float wplus, float rs,
                            const float *restrict dy, double *restrict sw)
{
    double gn = 0;
    if (sw) {
#pragma omp simd reduction(+ : gn)
        for (int64_t d = 0; d < D; d++) {
            float t = dy[d] * (x[d] * rs);
            sw[d] += t;
            gn += (w[d] + wplus) * t;
        }
    } else {
#pragma omp simd reduction(+ : gn)
        for (int64_t d = 0; d < D; d++) gn += (w[d] + wplus) * (dy[d] * (x[d] * rs));
    }
    return gn / (double)D;
}

CLONES void tt_fast_rms_bwd(int64_t R, int64_t D, const float *restrict x, const float *restrict w, float wplus,
                            const float *restrict rstd, const float *restrict dy, float *restrict dx,
                            float *restrict dw)
{
    double *restrict sw =
        dw ? memset(tt_scratch(SCRATCH_ROWS, (size_t)D * sizeof *sw), 0, (size_t)D * sizeof *sw) : NULL;
    for (int64_t r = 0; r < R; r++, x += D, dy += D) {
        float rs = rstd[r], mean = (float)rms_row_stats(D, x, w, wplus, rs, dy, sw);
        if (!dx) continue;
        float *restrict out = dx + r * D;
#pragma omp simd
        for (int64_t d = 0; d < D; d++) out[d] += rs * (dy[d] * (w[d] + wplus) - x[d] * rs * mean);
    }
    if (dw)
        for (int64_t d = 0; d < D; d++) dw[d] += (float)sw[d];
}

CLONES void tt_fast_ln_fwd(int64_t R, int64_t D, const float *restrict x, const float *restrict w,
                           const float *restrict b, float eps, float *restrict y, float *restrict mean,
                           float *restrict rstd)
{
    for (int64_t r = 0; r < R; r++, x += D, y += D) {
        double s = 0, ss = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t d = 0; d < D; d++) s += x[d];
        float mu = mean[r] = (float)(s / (double)D);
#pragma omp simd reduction(+ : ss)
        for (int64_t d = 0; d < D; d++) ss += ((double)x[d] - mu) * ((double)x[d] - mu);
        float rs = rstd[r] = (float)(1 / sqrt(ss / (double)D + eps));
        if (b) {
#pragma omp simd
            for (int64_t d = 0; d < D; d++) y[d] = w[d] * ((x[d] - mu) * rs) + b[d];
        } else {
#pragma omp simd
            for (int64_t d = 0; d < D; d++) y[d] = w[d] * ((x[d] - mu) * rs);
        }
    }
}

CLONES void tt_fast_ln_bwd(int64_t R, int64_t D, const float *restrict x, const float *restrict w,
                           const float *restrict mean, const float *restrict rstd, const float *restrict dy,
                           float *restrict dx, float *restrict dw, float *restrict db)
{
    double *restrict sw = tt_scratch(SCRATCH_ROWS, 2 * (size_t)D * sizeof *sw), *restrict sb = sw + D;
    memset(sw, 0, 2 * (size_t)D * sizeof *sw);
    for (int64_t r = 0; r < R; r++, x += D, dy += D) {
        float mu = mean[r], rs = rstd[r];
        double g1 = 0, gn = 0;
#pragma omp simd reduction(+ : g1, gn)
        for (int64_t d = 0; d < D; d++) {
            float n = (x[d] - mu) * rs, g = dy[d] * w[d];
            g1 += g;
            gn += g * n;
            sw[d] += dy[d] * n;
            sb[d] += dy[d];
        }
        if (!dx) continue;
        float m1 = (float)(g1 / (double)D), mn = (float)(gn / (double)D), *restrict out = dx + r * D;
#pragma omp simd
        for (int64_t d = 0; d < D; d++) out[d] += rs * (dy[d] * w[d] - m1 - (x[d] - mu) * rs * mn);
    }
    for (int64_t d = 0; d < D && dw; d++) dw[d] += (float)sw[d];
    for (int64_t d = 0; d < D && db; d++) db[d] += (float)sb[d];
}

void tt_fast_embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    tt_ref_embed_fwd(R, D, ids, E, y); /* a copy per row */
}

CLONES void tt_fast_embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *restrict dy, float *restrict dE)
{
    for (int64_t r = 0; r < R; r++) {
        float *restrict e = dE + ids[r] * D;
        const float *restrict g = dy + r * D;
#pragma omp simd
        for (int64_t d = 0; d < D; d++) e[d] += g[d];
    }
}

/* No restrict: x and y may be the same. */
/* Columns from on of a row of the stream. */
INLINE void dropout_run(int64_t n, drop_row row, uint32_t from, uint32_t below, float up, const float *x, float *y,
                        bool acc)
{
    if (acc) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] += drop_keep(row, from + (uint32_t)i, below) ? x[i] * up : 0;
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = drop_keep(row, from + (uint32_t)i, below) ? x[i] * up : 0;
    }
}

/* Elements at .. at+n-1 of the stream; a row of it ends at every multiple of 2^32. */
INLINE void dropout_span(int64_t at, int64_t n, float prob, tt_rkey key, const float *x, float *y, bool acc)
{
    const int64_t row = (int64_t)1 << 32;
    uint32_t below = drop_below(prob);
    for (int64_t i = 0; i < n;) {
        int64_t from = (at + i) % row, m = n - i < row - from ? n - i : row - from;
        dropout_run(m, drop_row_of(key, (uint64_t)(at + i) >> 32), (uint32_t)from, below, 1 / (1 - prob), x + i, y + i,
                    acc);
        i += m;
    }
}

CLONES void tt_fast_dropout(int64_t n, float prob, tt_rkey key, const float *x, float *y, bool acc)
{
    dropout_span(0, n, prob, key, x, y, acc);
}

CLONES void tt_fast_dropout_part(int64_t R, int64_t n, int64_t of, int64_t lo, float prob, tt_rkey key, const float *x,
                                 float *y, bool acc)
{
    for (int64_t r = 0; r < R; r++) dropout_span(r * of + lo, n, prob, key, x + r * n, y + r * n, acc);
}

CLONES void tt_fast_add(int64_t n, const float *restrict x, float *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

CLONES void tt_fast_scale(int64_t n, float a, float *x)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) x[i] *= a;
}

CLONES double tt_fast_sumsq(int64_t n, const float *x)
{
    double s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * x[i];
    return s;
}
