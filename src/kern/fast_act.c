/* Activations and gated activations. Each loop is compiled once per activation: act is a constant inside. */
#include "impl.h"
#include "vmath.h"

#define GELU_C 0.7978845608f /* sqrt(2 / pi) */

INLINE float value(tt_act act, float x)
{
    switch (act) {
    case TT_RELU: return x <= 0 ? 0 : x;
    case TT_GELU: return 0.5f * x * verfc(-x * 0.70710678f);
    case TT_GELU_NEW: return x * vsigmoid(2 * GELU_C * (x + 0.044715f * x * x * x));
    case TT_SILU: return x * vsigmoid(x);
    case TT_QUICK_GELU: return x * vsigmoid(1.702f * x);
    case TT_TANH: return vtanh(x);
    default: return x;
    }
}

INLINE float slope(tt_act act, float x)
{
    float s, d;
    switch (act) {
    case TT_RELU: return x <= 0 ? 0 : 1;
    case TT_GELU: return 0.5f * verfc(-x * 0.70710678f) + x * vexp(-0.5f * x * x) * (0.5f * GELU_C);
    case TT_GELU_NEW:
        s = vsigmoid_slope(2 * GELU_C * (x + 0.044715f * x * x * x), &d);
        return s + x * d * (2 * GELU_C) * (1 + 3 * 0.044715f * x * x);
    case TT_SILU: s = vsigmoid_slope(x, &d); return s + x * d;
    case TT_QUICK_GELU: s = vsigmoid_slope(1.702f * x, &d); return s + 1.702f * x * d;
    case TT_TANH: s = vtanh(x); return 1 - s * s;
    default: return 1;
    }
}

/* Value and slope of one x from one exponential. */
INLINE float value_and_slope(tt_act act, float x, float *d)
{
    float s, up;
    switch (act) {
    case TT_GELU_NEW:
        s = vsigmoid_slope(2 * GELU_C * (x + 0.044715f * x * x * x), &up);
        *d = s + x * up * (2 * GELU_C) * (1 + 3 * 0.044715f * x * x);
        return x * s;
    case TT_SILU:
        s = vsigmoid_slope(x, &up);
        *d = s + x * up;
        return x * s;
    case TT_QUICK_GELU:
        s = vsigmoid_slope(1.702f * x, &up);
        *d = s + 1.702f * x * up;
        return x * s;
    default: *d = slope(act, x); return value(act, x);
    }
}

#define EACH_ACT(loop, ...)                                      \
    switch (act) {                                               \
    case TT_RELU: loop(TT_RELU, __VA_ARGS__); break;             \
    case TT_GELU: loop(TT_GELU, __VA_ARGS__); break;             \
    case TT_GELU_NEW: loop(TT_GELU_NEW, __VA_ARGS__); break;     \
    case TT_SILU: loop(TT_SILU, __VA_ARGS__); break;             \
    case TT_QUICK_GELU: loop(TT_QUICK_GELU, __VA_ARGS__); break; \
    case TT_TANH: loop(TT_TANH, __VA_ARGS__); break;             \
    case TT_IDENTITY: loop(TT_IDENTITY, __VA_ARGS__); break;     \
    }

INLINE void act_fwd(tt_act act, int64_t n, const float *restrict x, float *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = value(act, x[i]);
}

CLONES void tt_fast_act_fwd(tt_act act, int64_t n, const float *x, float *y){EACH_ACT(act_fwd, n, x, y)}

INLINE void act_bwd(tt_act act, int64_t n, const float *restrict x, const float *restrict dy, float *restrict dx)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] += dy[i] * slope(act, x[i]);
}

CLONES void tt_fast_act_bwd(tt_act act, int64_t n, const float *x, const float *dy,
                            float *dx){EACH_ACT(act_bwd, n, x, dy, dx)}

INLINE void glu_fwd(tt_act act, int64_t R, int64_t F, const float *restrict g, int64_t ldg, const float *restrict u,
                    int64_t ldu, float *restrict y)
{
    for (int64_t r = 0; r < R; r++, g += ldg, u += ldu, y += F) {
#pragma omp simd
        for (int64_t i = 0; i < F; i++) y[i] = value(act, g[i]) * u[i];
    }
}

CLONES void tt_fast_glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                            float *y){EACH_ACT(glu_fwd, R, F, g, ldg, u, ldu, y)}

/* One row; dg or du NULL: not wanted. */
INLINE void glu_row_bwd(tt_act act, int64_t F, const float *restrict g, const float *restrict u,
                        const float *restrict dy, float *restrict dg, float *restrict du, bool acc)
{
    if (dg && du && !acc) {
#pragma omp simd
        for (int64_t i = 0; i < F; i++) {
            float d, v = value_and_slope(act, g[i], &d);
            dg[i] = dy[i] * u[i] * d;
            du[i] = dy[i] * v;
        }
        return;
    }
    float was = acc ? 1 : 0;
    for (int64_t i = 0; i < F && dg && !acc; i++) dg[i] = 0;
    for (int64_t i = 0; i < F && du && !acc; i++) du[i] = 0;
    if (dg) {
#pragma omp simd
        for (int64_t i = 0; i < F; i++) dg[i] = was * dg[i] + dy[i] * u[i] * slope(act, g[i]);
    }
    if (du) {
#pragma omp simd
        for (int64_t i = 0; i < F; i++) du[i] = was * du[i] + dy[i] * value(act, g[i]);
    }
}

INLINE void glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    const float *dy, float *dg, float *du, bool acc)
{
    for (int64_t r = 0; r < R; r++)
        glu_row_bwd(act, F, g + r * ldg, u + r * ldu, dy + r * F, dg ? dg + r * ldg : NULL, du ? du + r * ldu : NULL,
                    acc);
}

CLONES void tt_fast_glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                            const float *dy, float *dg, float *du,
                            bool acc){EACH_ACT(glu_bwd, R, F, g, ldg, u, ldu, dy, dg, du, acc)}

/* ---- bf16 ---------------------------------------------------------------------------------------------------------*/

INLINE void act_fwd_half(tt_act act, int64_t n, const tt_bf16 *restrict x, tt_bf16 *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = vhalf(value(act, vwide(x[i])));
}

CLONES void tt_fast_act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y){EACH_ACT(act_fwd_half, n, x, y)}

INLINE void act_bwd_half(tt_act act, int64_t n, const tt_bf16 *restrict x, const tt_bf16 *restrict dy,
                         tt_bf16 *restrict dx)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = vhalf(vwide(dy[i]) * slope(act, vwide(x[i])));
}

CLONES void tt_fast_act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy,
                                 tt_bf16 *dx){EACH_ACT(act_bwd_half, n, x, dy, dx)}

INLINE void glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *restrict g, int64_t ldg,
                         const tt_bf16 *restrict u, int64_t ldu, tt_bf16 *restrict y)
{
    for (int64_t r = 0; r < R; r++, g += ldg, u += ldu, y += F) {
#pragma omp simd
        for (int64_t i = 0; i < F; i++) y[i] = vhalf(value(act, vwide(g[i])) * vwide(u[i]));
    }
}

CLONES void tt_fast_glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                                 int64_t ldu, tt_bf16 *y){EACH_ACT(glu_fwd_half, R, F, g, ldg, u, ldu, y)}

INLINE void glu_row_bwd_half(tt_act act, int64_t F, const tt_bf16 *restrict g, const tt_bf16 *restrict u,
                             const tt_bf16 *restrict dy, tt_bf16 *restrict dg, tt_bf16 *restrict du)
{
#pragma omp simd
    for (int64_t i = 0; i < F; i++) {
        float d, v = value_and_slope(act, vwide(g[i]), &d), y = vwide(dy[i]);
        dg[i] = vhalf(y * vwide(u[i]) * d);
        du[i] = vhalf(y * v);
    }
}

/* A side that nobody wants is written to scratch. */
INLINE void glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du, tt_bf16 *unwanted)
{
    for (int64_t r = 0; r < R; r++)
        glu_row_bwd_half(act, F, g + r * ldg, u + r * ldu, dy + r * F, dg ? dg + r * ldg : unwanted,
                         du ? du + r * ldu : unwanted + F);
}

CLONES void tt_fast_glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                                 int64_t ldu, const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    tt_bf16 *unwanted = tt_scratch(SCRATCH_ROWS, 2 * (size_t)F * sizeof *unwanted);
    EACH_ACT(glu_bwd_half, R, F, g, ldg, u, ldu, dy, dg, du, unwanted)
}
