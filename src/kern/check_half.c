/* check: the fused norms and the bf16 kernels. A bf16 result may differ by one step of its own beside the fp32 bound, which is
 * that of the fp32 kernel: the two tables may round to neighbours. */
#include "check.h"

#include <math.h>
#include <string.h>

#define STEP 0x1p-7 /* the largest distance of neighbours, relative */

static float value_of(tt_bf16 h)
{
    float x;
    tt_f32_from_bf16(1, &h, &x);
    return x;
}

static tt_bf16 *copy(tt_copies *c, int64_t n, const tt_bf16 *x)
{
    if (!x) return NULL;
    tt_bf16 *y = (tt_bf16 *)tt_check_room(c, n / 2 + 1);
    return memcpy(y, x, (size_t)n * sizeof *y);
}

static void compare(const tt_where *w, const char *array, int64_t n, const tt_bf16 *fast, const tt_bf16 *ref,
                    double allowed)
{
    for (int64_t i = 0; i < n && fast; i++) {
        if (fast[i] == ref[i]) continue;
        double f = value_of(fast[i]), r = value_of(ref[i]);
        tt_check_compare1(w, array, f, r, allowed + STEP * fabs(r));
    }
}

static void compare_rows(const tt_where *w, const char *array, int64_t R, int64_t n, const tt_bf16 *fast,
                         const tt_bf16 *ref, int64_t ld, double allowed)
{
    for (int64_t r = 0; r < R && fast; r++) compare(w, array, n, fast + r * ld, ref + r * ld, allowed);
}

static double largest_rows(int64_t R, int64_t n, const tt_bf16 *x, int64_t ld)
{
    double top = 0;
    for (int64_t r = 0; r < R && x; r++)
        for (int64_t i = 0; i < n; i++) {
            double v = fabs((double)value_of(x[r * ld + i]));
            if (v > top && isfinite(v)) top = v;
        }
    return top;
}

static double largest(int64_t n, const tt_bf16 *x) { return largest_rows(1, n, x, n); }

static double largest_typed(tt_prec type, int64_t n, const void *x)
{
    return type == TT_SINGLE ? tt_check_largest(n, x) : largest(n, x);
}

static int64_t extent(int64_t R, int64_t n, int64_t ld) { return R > 0 ? (R - 1) * ld + n : 0; }

/* ---- norms -------------------------------------------------------------------------------------------------------*/

void tt_check_add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *wt, float eps,
                          float *sum, void *y, float *rstd)
{
    tt_copies c = {0};
    WHERE(w, "add_rms_fwd", "R %lld D %lld type %d", (long long)R, (long long)D, type);
    float *h2 = tt_check_copy(&c, R * D, h), *sum2 = f ? tt_check_room(&c, R * D) : NULL,
          *y2 = tt_check_room(&c, R * D);
    float *rstd2 = tt_check_room(&c, R);
    const void *f2 = type == TT_SINGLE ? tt_check_copy(&c, R * D, f) : f;
    tt_fast_add_rms_fwd(type, R, D, h, f, wt, eps, sum, y, rstd);
    tt_ref_add_rms_fwd(type, R, D, h2, f2, wt, eps, sum2, y2, rstd2);
    double bound = 4 * ULP * tt_check_largest(D, wt) * sqrt((double)D);
    if (f) tt_check_compare(&w, "sum", R * D, sum, sum2, 0);
    tt_check_compare(&w, "rstd", R, rstd, rstd2, 0);
    if (type == TT_SINGLE)
        tt_check_compare(&w, "y", R * D, y, y2, bound);
    else
        compare(&w, "y", R * D, y, (const tt_bf16 *)y2, bound);
}

void tt_check_add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *wt, const float *rstd,
                          const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    tt_copies c = {0};
    WHERE(w, "add_rms_bwd", "R %lld D %lld type %d", (long long)R, (long long)D, type);
    float *dx2 = tt_check_copy(&c, R * D, dx), *dw2 = tt_check_copy(&c, D, dw);
    tt_bf16 *dxh2 = dxh ? (tt_bf16 *)tt_check_room(&c, R * D / 2 + 1) : NULL;
    double g = largest_typed(type, R * D, dy), s = tt_check_largest(R, rstd), wide = tt_check_largest(D, wt);
    double n = fmin(s * tt_check_largest(R * D, x), sqrt((double)D));
    double was = 2 * ULP * (tt_check_largest(R * D, dx) + s * g * wide * (4 + 2 * n * n));
    double was_w = 2 * ULP * tt_check_largest(D, dw) + 4 * ULP * sqrt((double)R) * g * n;
    tt_fast_add_rms_bwd(type, R, D, x, wt, rstd, dy, dx, dw, dxh);
    tt_ref_add_rms_bwd(type, R, D, x, wt, rstd, dy, dx2, dw2, dxh2);
    tt_check_compare(&w, "dx", R * D, dx, dx2, was);
    tt_check_compare(&w, "dw", D, dw, dw2, was_w);
    compare(&w, "dxh", R * D, dxh, dxh2, was);
}

/* ---- products ----------------------------------------------------------------------------------------------------*/

static double row_norm(int64_t lines, int64_t n, const tt_bf16 *x, int64_t line, int64_t step)
{
    double top = 0;
    for (int64_t i = 0; i < lines; i++) {
        double s = 0;
        for (int64_t j = 0; j < n; j++) {
            double v = value_of(x[i * line + j * step]);
            s += v * v;
        }
        top = fmax(top, s);
    }
    return sqrt(top);
}

void tt_check_gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                        const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc)
{
    tt_copies c = {0};
    WHERE(w, "gemm_half", "ta %d tb %d m %lld n %lld k %lld alpha %g beta %g type %d", ta, tb, (long long)m,
          (long long)n, (long long)k, (double)alpha, (double)beta, ctype);
    int64_t all = extent(m, n, ldc);
    bool wide = ctype == TT_SINGLE;
    void *C2 = wide ? (void *)tt_check_copy(&c, all, C) : (void *)copy(&c, all, C);
    double an = row_norm(m, k, A, ta ? 1 : lda, ta ? lda : 1), bn = row_norm(n, k, B, tb ? ldb : 1, tb ? 1 : ldb);
    double was = wide ? tt_check_largest_rows(m, n, C, ldc) : largest_rows(m, n, C, ldc);
    double bound = 2 * ULP * ((8 + sqrt((double)k)) * fabs((double)alpha) * an * bn + fabs((double)beta) * was);
    tt_fast_gemm_half(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, ctype, C, ldc);
    tt_ref_gemm_half(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, ctype, C2, ldc);
    for (int64_t i = 0; i < m && wide; i++)
        tt_check_compare(&w, "C", n, (float *)C + i * ldc, (float *)C2 + i * ldc, bound);
    if (!wide) compare_rows(&w, "C", m, n, C, C2, ldc, bound);
}

/* ---- rows --------------------------------------------------------------------------------------------------------*/

void tt_check_to_half(int64_t n, const float *x, tt_bf16 *y)
{
    tt_copies c = {0};
    WHERE(w, "to_half", "n %lld", (long long)n);
    tt_bf16 *y2 = (tt_bf16 *)tt_check_room(&c, n / 2 + 1);
    tt_fast_to_half(n, x, y);
    tt_ref_to_half(n, x, y2);
    for (int64_t i = 0; i < n; i++)
        if (y[i] != y2[i]) tt_check_compare1(&w, "y", value_of(y[i]), value_of(y2[i]), 0);
}

void tt_check_add_half(int64_t n, const tt_bf16 *x, float *y)
{
    tt_copies c = {0};
    WHERE(w, "add_half", "n %lld", (long long)n);
    float *y2 = tt_check_copy(&c, n, y);
    tt_fast_add_half(n, x, y);
    tt_ref_add_half(n, x, y2);
    tt_check_compare(&w, "y", n, y, y2, 0);
}

void tt_check_act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y)
{
    tt_copies c = {0};
    WHERE(w, "act_fwd_half", "act %d n %lld", act, (long long)n);
    tt_bf16 *y2 = (tt_bf16 *)tt_check_room(&c, n / 2 + 1);
    tt_fast_act_fwd_half(act, n, x, y);
    tt_ref_act_fwd_half(act, n, x, y2);
    compare(&w, "y", n, y, y2, 16 * ULP * fmax(1, largest(n, x)));
}

void tt_check_act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx)
{
    tt_copies c = {0};
    WHERE(w, "act_bwd_half", "act %d n %lld", act, (long long)n);
    tt_bf16 *dx2 = (tt_bf16 *)tt_check_room(&c, n / 2 + 1);
    tt_fast_act_bwd_half(act, n, x, dy, dx);
    tt_ref_act_bwd_half(act, n, x, dy, dx2);
    compare(&w, "dx", n, dx, dx2, 16 * ULP * largest(n, dy));
}

void tt_check_glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                           int64_t ldu, tt_bf16 *y)
{
    tt_copies c = {0};
    WHERE(w, "glu_fwd_half", "act %d R %lld F %lld", act, (long long)R, (long long)F);
    tt_bf16 *y2 = (tt_bf16 *)tt_check_room(&c, R * F / 2 + 1);
    tt_fast_glu_fwd_half(act, R, F, g, ldg, u, ldu, y);
    tt_ref_glu_fwd_half(act, R, F, g, ldg, u, ldu, y2);
    double wide = largest_rows(R, F, g, ldg), up = largest_rows(R, F, u, ldu);
    compare(&w, "y", R * F, y, y2, 16 * ULP * fmax(1, wide) * up);
}

void tt_check_glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                           int64_t ldu, const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    tt_copies c = {0};
    WHERE(w, "glu_bwd_half", "act %d R %lld F %lld", act, (long long)R, (long long)F);
    tt_bf16 *dg2 = copy(&c, extent(R, F, ldg), dg), *du2 = copy(&c, extent(R, F, ldu), du);
    tt_fast_glu_bwd_half(act, R, F, g, ldg, u, ldu, dy, dg, du);
    tt_ref_glu_bwd_half(act, R, F, g, ldg, u, ldu, dy, dg2, du2);
    double d = 16 * ULP * largest(R * F, dy);
    compare_rows(&w, "dg", R, F, dg, dg2, ldg, d * largest_rows(R, F, u, ldu));
    compare_rows(&w, "du", R, F, du, du2, ldu, d * fmax(1, largest_rows(R, F, g, ldg)));
}

void tt_check_dropout_half(int64_t n, float prob, tt_rkey key, const tt_bf16 *x, tt_bf16 *y)
{
    tt_copies c = {0};
    WHERE(w, "dropout_half", "n %lld p %g", (long long)n, (double)prob);
    tt_bf16 *y2 = copy(&c, n, x);
    tt_fast_dropout_half(n, prob, key, x, y);
    tt_ref_dropout_half(n, prob, key, y2, y2);
    compare(&w, "y", n, y, y2, 0);
}
