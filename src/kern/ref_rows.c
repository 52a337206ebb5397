/* Reference: products, norms, activations, embedding, dropout. Plain loops, sums in double. */
#include "impl.h"

#include <math.h>
#include <string.h>

void tt_ref_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                 const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    double *sum = tt_scratch(SCRATCH_GEMM, (size_t)n * sizeof *sum);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) sum[j] = 0;
        for (int64_t p = 0; p < k; p++) {
            double a = ta ? A[p * lda + i] : A[i * lda + p];
            if (tb)
                for (int64_t j = 0; j < n; j++) sum[j] += a * B[j * ldb + p];
            else
                for (int64_t j = 0; j < n; j++) sum[j] += a * B[p * ldb + j];
        }
        float *c = C + i * ldc;
        for (int64_t j = 0; j < n; j++) c[j] = (float)(alpha * sum[j] + (beta == 0 ? 0 : (double)beta * c[j]));
    }
}

void tt_ref_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y)
{
    tt_ref_gemm(false, true, R, out, in, scale, x, in, w, in, 0, y, out);
}

void tt_ref_rms_fwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y, float *rstd)
{
    for (int64_t r = 0; r < R; r++, x += D, y += D) {
        double ss = 0;
        for (int64_t d = 0; d < D; d++) ss += (double)x[d] * x[d];
        rstd[r] = (float)(1 / sqrt(ss / (double)D + eps));
        for (int64_t d = 0; d < D; d++) y[d] = (float)(((double)w[d] + wplus) * x[d] * rstd[r]);
    }
}

/* With n = x rstd and g = dy (w + wplus): dx = rstd (g - n mean(g n)); dw = sum_r dy n. */
void tt_ref_rms_bwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,
                    const float *dy, float *dx, float *dw)
{
    double *sum = tt_scratch(SCRATCH_ROWS, (size_t)D * sizeof *sum);
    memset(sum, 0, (size_t)D * sizeof *sum);
    for (int64_t r = 0; r < R; r++) {
        const float *xr = x + r * D, *g = dy + r * D;
        double gn = 0, rs = rstd[r];
        for (int64_t d = 0; d < D; d++) {
            gn += g[d] * ((double)w[d] + wplus) * xr[d] * rs;
            sum[d] += g[d] * (xr[d] * rs);
        }
        gn /= (double)D;
        if (dx)
            for (int64_t d = 0; d < D; d++)
                dx[r * D + d] += (float)(rs * (g[d] * ((double)w[d] + wplus) - xr[d] * rs * gn));
    }
    if (dw)
        for (int64_t d = 0; d < D; d++) dw[d] += (float)sum[d];
}

void tt_ref_ln_fwd(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,
                   float *mean, float *rstd)
{
    for (int64_t r = 0; r < R; r++, x += D, y += D) {
        double s = 0, ss = 0;
        for (int64_t d = 0; d < D; d++) s += x[d];
        mean[r] = (float)(s / (double)D);
        for (int64_t d = 0; d < D; d++) ss += ((double)x[d] - mean[r]) * ((double)x[d] - mean[r]);
        rstd[r] = (float)(1 / sqrt(ss / (double)D + eps));
        for (int64_t d = 0; d < D; d++) y[d] = (float)(w[d] * (((double)x[d] - mean[r]) * rstd[r]) + (b ? b[d] : 0));
    }
}

/* With n = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - n mean(g n)). */
void tt_ref_ln_bwd(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,
                   const float *dy, float *dx, float *dw, float *db)
{
    double *sw = tt_scratch(SCRATCH_ROWS, 2 * (size_t)D * sizeof *sw), *sb = sw + D;
    memset(sw, 0, 2 * (size_t)D * sizeof *sw);
    for (int64_t r = 0; r < R; r++) {
        const float *xr = x + r * D, *gr = dy + r * D;
        double g1 = 0, gn = 0, mu = mean[r], rs = rstd[r];
        for (int64_t d = 0; d < D; d++) {
            double n = (xr[d] - mu) * rs, g = (double)gr[d] * w[d];
            g1 += g;
            gn += g * n;
            sw[d] += gr[d] * n;
            sb[d] += gr[d];
        }
        g1 /= (double)D;
        gn /= (double)D;
        if (dx)
            for (int64_t d = 0; d < D; d++)
                dx[r * D + d] += (float)(rs * ((double)gr[d] * w[d] - g1 - (xr[d] - mu) * rs * gn));
    }
    for (int64_t d = 0; d < D; d++) {
        if (dw) dw[d] += (float)sw[d];
        if (db) db[d] += (float)sb[d];
    }
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static const double gelu_c = 0.7978845608028654; /* sqrt(2 / pi) */

static double act_value(tt_act act, double x)
{
    switch (act) {
    case TT_RELU: return x <= 0 ? 0 : x; /* NaN stays */
    case TT_GELU: return 0.5 * x * erfc(-x * M_SQRT1_2);
    case TT_GELU_NEW: return x * sigmoid(2 * gelu_c * (x + 0.044715 * x * x * x));
    case TT_SILU: return x * sigmoid(x);
    case TT_QUICK_GELU: return x * sigmoid(1.702 * x);
    case TT_TANH: return tanh(x);
    case TT_IDENTITY: break;
    }
    return x;
}

static double act_slope(tt_act act, double x)
{
    double s;
    switch (act) {
    case TT_RELU: return x > 0;
    case TT_GELU: return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) * (0.5 * gelu_c);
    case TT_GELU_NEW: /* 0.5 (1 + tanh u) = sigmoid(2u) */
        s = sigmoid(2 * gelu_c * (x + 0.044715 * x * x * x));
        return s + x * s * (1 - s) * 2 * gelu_c * (1 + 3 * 0.044715 * x * x);
    case TT_SILU: s = sigmoid(x); return s + x * s * (1 - s);
    case TT_QUICK_GELU: s = sigmoid(1.702 * x); return s + 1.702 * x * s * (1 - s);
    case TT_TANH: s = tanh(x); return 1 - s * s;
    case TT_IDENTITY: break;
    }
    return 1;
}

void tt_ref_act_fwd(tt_act act, int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = (float)act_value(act, x[i]);
}

void tt_ref_act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx)
{
    for (int64_t i = 0; i < n; i++) dx[i] += (float)(dy[i] * act_slope(act, x[i]));
}

void tt_ref_glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    float *y)
{
    for (int64_t r = 0; r < R; r++)
        for (int64_t f = 0; f < F; f++) y[r * F + f] = (float)(act_value(act, g[r * ldg + f]) * u[r * ldu + f]);
}

void tt_ref_glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    const float *dy, float *dg, float *du, bool acc)
{
    for (int64_t r = 0; r < R; r++)
        for (int64_t f = 0; f < F; f++) {
            double x = g[r * ldg + f], d = dy[r * F + f];
            float to_g = (float)(d * u[r * ldu + f] * act_slope(act, x)), to_u = (float)(d * act_value(act, x));
            if (dg) dg[r * ldg + f] = to_g + (acc ? dg[r * ldg + f] : 0);
            if (du) du[r * ldu + f] = to_u + (acc ? du[r * ldu + f] : 0);
        }
}

void tt_ref_embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    for (int64_t r = 0; r < R; r++) {
        assert(ids[r] >= 0);
        memcpy(y + r * D, E + ids[r] * D, (size_t)D * sizeof *y);
    }
}

void tt_ref_embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE)
{
    for (int64_t r = 0; r < R; r++)
        for (int64_t d = 0; d < D; d++) dE[ids[r] * D + d] += dy[r * D + d];
}

/* Elements at .. at+n-1 of the stream. */
static void drop_run(int64_t at, int64_t n, float p, tt_rkey key, const float *x, float *y, bool acc)
{
    uint32_t below = drop_below(p);
    float up = 1 / (1 - p);
    for (int64_t i = 0; i < n; i++) {
        drop_row row = drop_row_of(key, (uint64_t)(at + i) >> 32);
        float z = drop_keep(row, (uint32_t)(at + i), below) ? x[i] * up : 0;
        y[i] = acc ? y[i] + z : z;
    }
}

void tt_ref_dropout(int64_t n, float p, tt_rkey key, const float *x, float *y, bool acc)
{
    drop_run(0, n, p, key, x, y, acc);
}

void tt_ref_dropout_part(int64_t R, int64_t n, int64_t of, int64_t lo, float p, tt_rkey key, const float *x, float *y,
                         bool acc)
{
    for (int64_t r = 0; r < R; r++) drop_run(r * of + lo, n, p, key, x + r * n, y + r * n, acc);
}

void tt_ref_add(int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void tt_ref_scale(int64_t n, float a, float *x)
{
    for (int64_t i = 0; i < n; i++) x[i] *= a;
}

double tt_ref_sumsq(int64_t n, const float *x)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * x[i];
    return s;
}
