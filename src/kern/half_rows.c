/* Conversions, fused norms and dropout of bf16 rows. Operands are widened in registers; statistics as in fast_rows.c. */
#include "impl.h"
#include "vmath.h"

CLONES void tt_fast_to_half(int64_t n, const float *restrict x, tt_bf16 *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = vhalf(x[i]);
}

CLONES void tt_fast_from_half(int64_t n, const tt_bf16 *restrict x, float *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = vwide(x[i]);
}

CLONES void tt_fast_add_half(int64_t n, const tt_bf16 *restrict x, float *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += vwide(x[i]);
}

/* No restrict: x and y may be the same. */
INLINE void dropout_run(int64_t n, drop_row row, uint32_t below, float up, const tt_bf16 *x, tt_bf16 *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = drop_keep(row, (uint32_t)i, below) ? vhalf(vwide(x[i]) * up) : 0;
}

CLONES void tt_fast_dropout_half(int64_t n, float prob, tt_rkey key, const tt_bf16 *x, tt_bf16 *y)
{
    const int64_t run = (int64_t)1 << 32;
    uint32_t below = drop_below(prob);
    for (int64_t at = 0; at < n; at += run) {
        int64_t m = n - at < run ? n - at : run;
        dropout_run(m, drop_row_of(key, (uint64_t)at >> 32), below, 1 / (1 - prob), x + at, y + at);
    }
}

/* ---- residual sum and norm ----------------------------------------------------------------------------------------*/

INLINE double sumsq_row(int64_t D, const float *x)
{
    double ss = 0;
#pragma omp simd reduction(+ : ss)
    for (int64_t d = 0; d < D; d++) ss += (double)x[d] * x[d];
    return ss;
}

/* No restrict: sum may be h. */
INLINE void add_row(int64_t D, const float *h, const float *f, float *sum)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) sum[d] = h[d] + f[d];
}

INLINE void add_row_half(int64_t D, const float *h, const tt_bf16 *f, float *sum)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) sum[d] = h[d] + vwide(f[d]);
}

INLINE void norm_row(int64_t D, const float *restrict x, const float *restrict w, float rs, float *restrict y)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) y[d] = w[d] * (x[d] * rs);
}

INLINE void norm_row_half(int64_t D, const float *restrict x, const float *restrict w, float rs, tt_bf16 *restrict y)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) y[d] = vhalf(w[d] * (x[d] * rs));
}

CLONES void tt_fast_add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w,
                                float eps, float *sum, void *y, float *rstd)
{
    for (int64_t r = 0; r < R; r++) {
        int64_t at = r * D;
        if (f && type == TT_SINGLE) add_row(D, h + at, (const float *)f + at, sum + at);
        if (f && type == TT_HALF) add_row_half(D, h + at, (const tt_bf16 *)f + at, sum + at);
        const float *x = (f ? sum : h) + at;
        float rs = rstd[r] = (float)(1 / sqrt(sumsq_row(D, x) / (double)D + eps));
        if (type == TT_SINGLE)
            norm_row(D, x, w, rs, (float *)y + at);
        else
            norm_row_half(D, x, w, rs, (tt_bf16 *)y + at);
    }
}

/* One row of the backward: dy is widened into wide first, so that one set of loops does for both types. */
INLINE void rms_row_bwd(int64_t D, const float *restrict x, const float *restrict w, float rs, const float *restrict dy,
                        float *restrict dx, double *restrict sw)
{
    double gn = 0;
#pragma omp simd reduction(+ : gn)
    for (int64_t d = 0; d < D; d++) {
        float t = dy[d] * (x[d] * rs);
        sw[d] += t;
        gn += w[d] * t;
    }
    float mean = (float)(gn / (double)D);
#pragma omp simd
    for (int64_t d = 0; d < D; d++) dx[d] += rs * (dy[d] * w[d] - x[d] * rs * mean);
}

INLINE void widen_row(int64_t D, const tt_bf16 *restrict x, float *restrict y)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) y[d] = vwide(x[d]);
}

INLINE void round_row(int64_t D, const float *restrict x, tt_bf16 *restrict y)
{
#pragma omp simd
    for (int64_t d = 0; d < D; d++) y[d] = vhalf(x[d]);
}

CLONES void tt_fast_add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                                const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    double *sw = tt_scratch(SCRATCH_ROWS, (size_t)D * (sizeof *sw + 2 * sizeof(float)));
    float *wide = (float *)(sw + D), *none = wide + D;
    memset(sw, 0, (size_t)D * sizeof *sw);
    for (int64_t r = 0; r < R; r++) {
        int64_t at = r * D;
        if (type == TT_HALF) widen_row(D, (const tt_bf16 *)dy + at, wide);
        const float *g = type == TT_HALF ? wide : (const float *)dy + at;
        if (!dx) memset(none, 0, (size_t)D * sizeof *none);
        rms_row_bwd(D, x + at, w, rstd[r], g, dx ? dx + at : none, sw);
        if (dxh) round_row(D, dx + at, dxh + at);
    }
    for (int64_t d = 0; d < D && dw; d++) dw[d] += (float)sw[d];
}
