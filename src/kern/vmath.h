/* Private to kern: elementary functions that vectorise, and how the fast kernels are compiled.
 *
 * CLONES compiles a function three times (AVX-512, AVX2, plain x86-64) from one source; the loader picks. Loops carry
 * `#pragma omp simd`, with a reduction clause where they sum: the order of a sum is fixed by its length and the machine's
 * vector width, never by an address. The inlines below have no branches and call nothing. */
#ifndef TUTTI_KERN_VMATH_H
#define TUTTI_KERN_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && !defined __SANITIZE_ADDRESS__
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t vbits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

INLINE float vfloat(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* bf16 as tt_bf16_from_f32 and back. */
INLINE float vwide(uint16_t h) { return vfloat((uint32_t)h << 16); }

INLINE uint16_t vhalf(float x)
{
    uint32_t u = vbits(x), r = u + 0x7fffu + ((u >> 16) & 1);
    r = (u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : r;
    return (uint16_t)(r >> 16);
}

/* e^x, within 2 ulp; 0 below ln 2^-126, inf above ln FLT_MAX, NaN for NaN. x = n ln 2 + r, e^r by Cephes' polynomial. */
INLINE float vexp(float x)
{
    const float least = -87.336544f, most = 88.722839f, round = 12582912.0f /* 1.5 * 2^23 */;
    float c = x < least ? least : x;
    c = c > most ? most : c;
    float t = c * 1.44269504f + round, n = t - round;
    float r = (c - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    float y = vfloat(vbits(p) + (vbits(t) << 23));
    y = x < least ? 0.0f : y;
    y = x > most ? (float)INFINITY : y;
    return x != x ? x : y;
}

INLINE float vsigmoid(float x) { return 1.0f / (1.0f + vexp(-x)); }

/* The sigmoid and its slope s (1 - s), which keeps its relative accuracy where s is near 1. */
INLINE float vsigmoid_slope(float x, float *slope)
{
    float e = vexp(-fabsf(x)), r = 1.0f / (1.0f + e);
    *slope = e * r * r;
    return x < 0 ? e * r : r;
}

/* Near 0 Cephes' odd polynomial (relative accuracy), elsewhere by e^2|x|. */
INLINE float vtanh(float x)
{
    float a = fabsf(x), z = x * x, far = 1.0f - 2.0f / (vexp(2.0f * a) + 1.0f);
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    return a < 0.625f ? p : copysignf(far, x);
}

/* erfc(x), relative error below 2e-7 plus that of exp: Chebyshev fit of Press et al., Numerical Recipes, 2nd ed., 6.2. */
INLINE float verfc(float x)
{
    float a = fabsf(x), t = 1.0f / (1.0f + 0.5f * a);
    float p = 0.17087277f;
    p = p * t - 0.82215223f;
    p = p * t + 1.48851587f;
    p = p * t - 1.13520398f;
    p = p * t + 0.27886807f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678418f;
    p = p * t + 0.37409196f;
    p = p * t + 1.00002368f;
    p = p * t - 1.26551223f;
    float y = t * vexp(p - a * a);
    return x < 0 ? 2.0f - y : y;
}

#endif
