/* bfloat16 and IEEE half. */
#include "impl.h"

#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Below 2^-14 a half counts steps of 2^-24, the spacing of floats in [0.5, 1): the addition rounds to nearest even. */
static uint16_t f16_small(uint32_t magnitude)
{
    return (uint16_t)(bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f));
}

static uint16_t f16_of(uint32_t u)
{
    uint16_t sign = (uint16_t)((u >> 16) & 0x8000u);
    uint32_t a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return sign | 0x7e00u;
    if (a >= 0x477ff000u) return sign | 0x7c00u; /* 65520 and above round to infinity */
    if (a < 0x38800000u) return sign | f16_small(a);
    uint32_t odd = (a >> 13) & 1;
    return sign | (uint16_t)((a - 0x38000000u + 0xfffu + odd) >> 13);
}

static float f32_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31, m = h & 0x3ffu;
    if (e == 31) return float_of(sign | 0x7f800000u | (m << 13));
    if (e == 0) {
        float x = (float)m * 0x1p-24f;
        return sign ? -x : x;
    }
    return float_of(sign | ((e + 112) << 23) | (m << 13));
}

void tt_bf16_from_f32(int64_t n, const float *x, uint16_t *y) { tt_fast_to_half(n, x, y); }

void tt_f32_from_bf16(int64_t n, const uint16_t *x, float *y) { tt_fast_from_half(n, x, y); }

void tt_f16_from_f32(int64_t n, const float *x, uint16_t *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = f16_of(bits_of(x[i]));
}

void tt_f32_from_f16(int64_t n, const uint16_t *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = f32_of_f16(x[i]);
}
