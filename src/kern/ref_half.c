/* Reference of the fused norms and of the bf16 kernels: operands widened, the fp32 reference, results rounded once. */
#include "impl.h"

#include <math.h>
#include <string.h>

/* Scratch of place i, and x as fp32 in it; NULL stays NULL. */
static float *room(int i, int64_t n)
{
    assert(SCRATCH_WIDE + i <= SCRATCH_WIDE_LAST);
    return tt_scratch(SCRATCH_WIDE + i, (size_t)(n > 0 ? n : 1) * sizeof(float));
}

static float *wide(int i, int64_t n, const tt_bf16 *x)
{
    if (!x) return NULL;
    float *y = room(i, n);
    tt_f32_from_bf16(n, x, y);
    return y;
}

/* ---- norms -------------------------------------------------------------------------------------------------------*/

void tt_ref_add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps,
                        float *sum, void *y, float *rstd)
{
    const float *add = type == TT_HALF ? wide(0, R * D, f) : f;
    for (int64_t i = 0; i < R * D && f; i++) sum[i] = h[i] + add[i];
    float *out = type == TT_HALF ? room(1, R * D) : y;
    tt_ref_rms_fwd(R, D, f ? sum : h, w, 0, eps, out, rstd);
    if (type == TT_HALF) tt_bf16_from_f32(R * D, out, y);
}

void tt_ref_add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                        const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    tt_ref_rms_bwd(R, D, x, w, 0, rstd, type == TT_HALF ? wide(0, R * D, dy) : dy, dx, dw);
    if (dxh) tt_bf16_from_f32(R * D, dx, dxh);
}

/* ---- products ----------------------------------------------------------------------------------------------------*/

static int64_t extent(int64_t rows, int64_t cols, int64_t ld) { return rows > 0 ? (rows - 1) * ld + cols : 0; }

void tt_ref_gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                      const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc)
{
    const float *a = wide(0, ta ? extent(k, m, lda) : extent(m, k, lda), A);
    const float *b = wide(1, tb ? extent(n, k, ldb) : extent(k, n, ldb), B);
    if (ctype == TT_SINGLE) {
        tt_ref_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, C, ldc);
        return;
    }
    tt_bf16 *out = C;
    float *c = room(2, m * n);
    for (int64_t i = 0; i < m && beta != 0; i++) tt_f32_from_bf16(n, out + i * ldc, c + i * n);
    tt_ref_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, n);
    for (int64_t i = 0; i < m; i++) tt_bf16_from_f32(n, c + i * n, out + i * ldc);
}

/* ---- rows --------------------------------------------------------------------------------------------------------*/

/* To nearest, ties to even; a NaN stays one, quiet. */
static tt_bf16 rounded(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (isnan(x)) return (tt_bf16)((u >> 16) | 0x40);
    uint32_t low = u & 0xffff, up = u >> 16;
    if (low > 0x8000 || (low == 0x8000 && up & 1)) up++;
    return (tt_bf16)up;
}

void tt_ref_to_half(int64_t n, const float *x, tt_bf16 *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = rounded(x[i]);
}

void tt_ref_add_half(int64_t n, const tt_bf16 *x, float *y) { tt_ref_add(n, wide(0, n, x), y); }

void tt_ref_act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y)
{
    float *out = room(1, n);
    tt_ref_act_fwd(act, n, wide(0, n, x), out);
    tt_bf16_from_f32(n, out, y);
}

void tt_ref_act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx)
{
    float *out = memset(room(2, n), 0, (size_t)n * sizeof *out);
    tt_ref_act_bwd(act, n, wide(0, n, x), wide(1, n, dy), out);
    tt_bf16_from_f32(n, out, dx);
}

void tt_ref_glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         tt_bf16 *y)
{
    float *out = room(2, F);
    for (int64_t r = 0; r < R; r++) {
        tt_ref_glu_fwd(act, 1, F, wide(0, F, g + r * ldg), F, wide(1, F, u + r * ldu), F, out);
        tt_bf16_from_f32(F, out, y + r * F);
    }
}

void tt_ref_glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    float *og = room(3, F), *ou = room(4, F);
    for (int64_t r = 0; r < R; r++) {
        const float *d = wide(2, F, dy + r * F);
        tt_ref_glu_bwd(act, 1, F, wide(0, F, g + r * ldg), F, wide(1, F, u + r * ldu), F, d, og, ou, false);
        if (dg) tt_bf16_from_f32(F, og, dg + r * ldg);
        if (du) tt_bf16_from_f32(F, ou, du + r * ldu);
    }
}

void tt_ref_dropout_half(int64_t n, float prob, tt_rkey key, const tt_bf16 *x, tt_bf16 *y)
{
    float *z = wide(0, n, x);
    tt_ref_dropout(n, prob, key, z, z, false);
    tt_bf16_from_f32(n, z, y);
}
