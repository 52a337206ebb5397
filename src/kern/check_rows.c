/* check: products, norms, activations. */
#include "check.h"

#include <math.h>
#include <string.h>

/* ---- products -----------------------------------------------------------------------------------------------------*/

/* Rounding of sum_p a_p b_p is at most about (8 + sqrt k) ulp |a| |b| for any blocking met in practice. */
void tt_check_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                   const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    tt_copies c = {0};
    WHERE(w, "gemm", "ta %d tb %d m %lld n %lld k %lld alpha %g beta %g", ta, tb, (long long)m, (long long)n,
          (long long)k, (double)alpha, (double)beta);
    float *R = tt_check_room(&c, m * n);
    double most = 0;
    for (int64_t i = 0; i < m && beta != 0; i++) memcpy(R + i * n, C + i * ldc, (size_t)n * sizeof *R);
    if (beta != 0) most = fabs((double)beta) * tt_check_largest(m * n, R);
    tt_fast_gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    tt_ref_gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, R, n);
    double widest = 0;
    for (int64_t j = 0; j < n; j++)
        widest = fmax(widest, tb ? tt_check_norm(k, B + j * ldb, 1) : tt_check_norm(k, B + j, ldb));
    for (int64_t i = 0; i < m; i++) {
        double a = fabs((double)alpha) * (ta ? tt_check_norm(k, A + i, lda) : tt_check_norm(k, A + i * lda, 1));
        tt_check_compare(&w, "C", n, C + i * ldc, R + i * n,
                         ULP * ((8 + sqrt((double)k)) * a * widest + 4 * most) + 1e-37);
    }
}

void tt_check_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y)
{
    tt_copies c = {0};
    WHERE(where, "linear", "R %lld out %lld in %lld scale %g", (long long)R, (long long)out, (long long)in,
          (double)scale);
    float *want = tt_check_room(&c, R * out);
    tt_fast_linear(R, out, in, scale, x, w, y);
    tt_ref_linear(R, out, in, scale, x, w, want);
    double widest = 0;
    for (int64_t o = 0; o < out; o++) widest = fmax(widest, tt_check_norm(in, w + o * in, 1));
    for (int64_t r = 0; r < R; r++) {
        double a = fabs((double)scale) * tt_check_norm(in, x + r * in, 1);
        tt_check_compare(&where, "y", out, y + r * out, want + r * out,
                         ULP * (8 + sqrt((double)in)) * a * widest + 1e-37);
    }
}

/* ---- norms --------------------------------------------------------------------------------------------------------*/

void tt_check_rms_fwd(int64_t R, int64_t D, const float *x, const float *wt, float wplus, float eps, float *y,
                      float *rstd)
{
    tt_copies c = {0};
    WHERE(w, "rms_fwd", "R %lld D %lld", (long long)R, (long long)D);
    float *y2 = tt_check_room(&c, R * D), *rstd2 = tt_check_room(&c, R);
    tt_fast_rms_fwd(R, D, x, wt, wplus, eps, y, rstd);
    tt_ref_rms_fwd(R, D, x, wt, wplus, eps, y2, rstd2);
    tt_check_compare(&w, "y", R * D, y, y2, 1e-37);
    tt_check_compare(&w, "rstd", R, rstd, rstd2, 1e-37);
}

/* dx is a sum of terms of size rstd |dy| |w|, dw of R terms of size |dy| |n| with |n| <= sqrt D. */
void tt_check_rms_bwd(int64_t R, int64_t D, const float *x, const float *wt, float wplus, const float *rstd,
                      const float *dy, float *dx, float *dw)
{
    tt_copies c = {0};
    WHERE(w, "rms_bwd", "R %lld D %lld", (long long)R, (long long)D);
    float *dx2 = tt_check_copy(&c, R * D, dx), *dw2 = tt_check_copy(&c, D, dw);
    double g = tt_check_largest(R * D, dy), s = tt_check_largest(R, rstd),
           wide = tt_check_largest(D, wt) + fabs((double)wplus);
    double xr = s * tt_check_largest(R * D, x), n = fmin(xr, sqrt((double)D));
    double was = ULP * (tt_check_largest(R * D, dx) + s * g * wide * (4 + 2 * n * n)),
           was_w = ULP * tt_check_largest(D, dw);
    tt_fast_rms_bwd(R, D, x, wt, wplus, rstd, dy, dx, dw);
    tt_ref_rms_bwd(R, D, x, wt, wplus, rstd, dy, dx2, dw2);
    tt_check_compare(&w, "dx", R * D, dx, dx2, 2 * was);
    tt_check_compare(&w, "dw", D, dw, dw2, 2 * was_w + 4 * ULP * sqrt((double)R) * g * n);
}

void tt_check_ln_fwd(int64_t R, int64_t D, const float *x, const float *wt, const float *b, float eps, float *y,
                     float *mean, float *rstd)
{
    tt_copies c = {0};
    WHERE(w, "ln_fwd", "R %lld D %lld", (long long)R, (long long)D);
    float *y2 = tt_check_room(&c, R * D), *mean2 = tt_check_room(&c, R), *rstd2 = tt_check_room(&c, R);
    tt_fast_ln_fwd(R, D, x, wt, b, eps, y, mean, rstd);
    tt_ref_ln_fwd(R, D, x, wt, b, eps, y2, mean2, rstd2);
    double xm = tt_check_largest(R * D, x), s = tt_check_largest(R, rstd2);
    tt_check_compare(&w, "mean", R, mean, mean2, ULP * xm);
    tt_check_compare(&w, "rstd", R, rstd, rstd2, s * (2 * ULP * xm * s) * (2 * ULP * xm * s));
    tt_check_compare(&w, "y", R * D, y, y2,
                     ULP * (4 * xm * s * tt_check_largest(D, wt) + tt_check_largest(D, b)) + 1e-37);
}

void tt_check_ln_bwd(int64_t R, int64_t D, const float *x, const float *wt, const float *mean, const float *rstd,
                     const float *dy, float *dx, float *dw, float *db)
{
    tt_copies c = {0};
    WHERE(w, "ln_bwd", "R %lld D %lld", (long long)R, (long long)D);
    float *dx2 = tt_check_copy(&c, R * D, dx), *dw2 = tt_check_copy(&c, D, dw), *db2 = tt_check_copy(&c, D, db);
    double g = tt_check_largest(R * D, dy), s = tt_check_largest(R, rstd), wide = tt_check_largest(D, wt);
    double xr = s * (tt_check_largest(R * D, x) + tt_check_largest(R, mean)); /* before the cancellation of x - mean */
    double was = tt_check_largest(R * D, dx) + s * g * wide * (6 + 2 * xr * sqrt((double)D));
    double sums = tt_check_largest(D, dw) + tt_check_largest(D, db) + sqrt((double)R) * g * (1 + 2 * xr);
    tt_fast_ln_bwd(R, D, x, wt, mean, rstd, dy, dx, dw, db);
    tt_ref_ln_bwd(R, D, x, wt, mean, rstd, dy, dx2, dw2, db2);
    tt_check_compare(&w, "dx", R * D, dx, dx2, 2 * ULP * was);
    tt_check_compare(&w, "dw", D, dw, dw2, 4 * ULP * sums);
    tt_check_compare(&w, "db", D, db, db2, 4 * ULP * sums);
}

/* ---- activations ------------------------------------------------------------------------------------------------*/

/* Values are at most |x|, slopes at most about 1.2; both carry a few ULP of that (exp of large arguments up to 16). */
void tt_check_act_fwd(tt_act act, int64_t n, const float *x, float *y)
{
    tt_copies c = {0};
    WHERE(w, "act_fwd", "act %d n %lld", act, (long long)n);
    float *y2 = tt_check_room(&c, n);
    tt_fast_act_fwd(act, n, x, y);
    tt_ref_act_fwd(act, n, x, y2);
    tt_check_compare(&w, "y", n, y, y2, 16 * ULP * fmax(1, tt_check_largest(n, x)));
}

void tt_check_act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx)
{
    tt_copies c = {0};
    WHERE(w, "act_bwd", "act %d n %lld", act, (long long)n);
    float *dx2 = tt_check_copy(&c, n, dx);
    double bound = 16 * ULP * tt_check_largest(n, dy) + 2 * ULP * tt_check_largest(n, dx);
    tt_fast_act_bwd(act, n, x, dy, dx);
    tt_ref_act_bwd(act, n, x, dy, dx2);
    tt_check_compare(&w, "dx", n, dx, dx2, bound);
}

/* Elements of R rows of F that begin ld apart: the last row is not followed by a gap. */
static int64_t extent(int64_t R, int64_t F, int64_t ld) { return R > 0 ? (R - 1) * ld + F : 0; }

void tt_check_glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                      float *y)
{
    tt_copies c = {0};
    WHERE(w, "glu_fwd", "act %d R %lld F %lld", act, (long long)R, (long long)F);
    float *y2 = tt_check_room(&c, R * F);
    tt_fast_glu_fwd(act, R, F, g, ldg, u, ldu, y);
    tt_ref_glu_fwd(act, R, F, g, ldg, u, ldu, y2);
    double wide = tt_check_largest_rows(R, F, g, ldg), up = tt_check_largest_rows(R, F, u, ldu);
    tt_check_compare(&w, "y", R * F, y, y2, 16 * ULP * fmax(1, wide) * up);
}

void tt_check_glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                      const float *dy, float *dg, float *du, bool acc)
{
    tt_copies c = {0};
    WHERE(w, "glu_bwd", "act %d R %lld F %lld", act, (long long)R, (long long)F);
    float *dg2 = tt_check_copy(&c, extent(R, F, ldg), dg), *du2 = tt_check_copy(&c, extent(R, F, ldu), du);
    double d = tt_check_largest(R * F, dy), was_g = acc ? tt_check_largest_rows(R, F, dg, ldg) : 0;
    double was_u = acc ? tt_check_largest_rows(R, F, du, ldu) : 0;
    double bg = 16 * ULP * d * tt_check_largest_rows(R, F, u, ldu) + 2 * ULP * was_g;
    double bu = 16 * ULP * d * fmax(1, tt_check_largest_rows(R, F, g, ldg)) + 2 * ULP * was_u;
    tt_fast_glu_bwd(act, R, F, g, ldg, u, ldu, dy, dg, du, acc);
    tt_ref_glu_bwd(act, R, F, g, ldg, u, ldu, dy, dg2, du2, acc);
    for (int64_t r = 0; r < R && dg; r++) tt_check_compare(&w, "dg", F, dg + r * ldg, dg2 + r * ldg, bg);
    for (int64_t r = 0; r < R && du; r++) tt_check_compare(&w, "du", F, du + r * ldu, du2 + r * ldu, bu);
}
