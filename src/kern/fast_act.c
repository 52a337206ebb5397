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

INLINE void glu_fwd(tt_act act, int64_t n, const float *restrict g, const float *restrict u, float *restrict y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = value(act, g[i]) * u[i];
}

CLONES void tt_fast_glu_fwd(tt_act act, int64_t n, const float *g, const float *u,
                            float *y){EACH_ACT(glu_fwd, n, g, u, y)}

INLINE void glu_bwd(tt_act act, int64_t n, const float *restrict g, const float *restrict u, const float *restrict dy,
                    float *restrict dg, float *restrict du)
{
    if (dg && du) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            dg[i] += dy[i] * u[i] * slope(act, g[i]);
            du[i] += dy[i] * value(act, g[i]);
        }
    } else if (dg) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) dg[i] += dy[i] * u[i] * slope(act, g[i]);
    } else if (du) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) du[i] += dy[i] * value(act, g[i]);
    }
}

CLONES void tt_fast_glu_bwd(tt_act act, int64_t n, const float *g, const float *u, const float *dy, float *dg,
                            float *du)
{
    EACH_ACT(glu_bwd, n, g, u, dy, dg, du)
}
