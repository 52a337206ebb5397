/* Private to the fast linear products: vectors of sixteen, and the problem. */
#ifndef TUTTI_KERN_LINEAR_H
#define TUTTI_KERN_LINEAR_H

#include "impl.h"
#include "vmath.h"

#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && !defined __SANITIZE_ADDRESS__
#define X86 1
#define V4 __attribute__((target("arch=x86-64-v4"), optimize("fp-contract=fast")))
#define V3 __attribute__((target("arch=x86-64-v3"), optimize("fp-contract=fast")))
#else
#define X86 0
#endif
enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t picks __attribute__((vector_size(LANES * sizeof(float))));

typedef struct product {
    int64_t in, out;
    float scale;
    const float *w;
} product;

/* Columns 0..n-1 of y for R rows, a multiple of LANES; returns n, which is 0 where the shape or the processor does not suit. */
int64_t tt_linear_many(const product *p, int64_t R, const float *x, float *y);

INLINE lanes load(const float *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* Blocks of S x S lanes change places across the diagonal of a and the row S below. */
#define SWAP_BLOCKS(S, A, B)                       \
    do {                                           \
        picks lo = {0}, hi = {0};                  \
        for (int p = 0; p < LANES; p++) {          \
            lo[p] = p & (S) ? p - (S) + LANES : p; \
            hi[p] = p & (S) ? p + LANES : p + (S); \
        }                                          \
        lanes a_ = (A), b_ = (B);                  \
        (A) = __builtin_shuffle(a_, b_, lo);       \
        (B) = __builtin_shuffle(a_, b_, hi);       \
    } while (0)

INLINE void turn(lanes *m)
{
    for (int i = 0; i < 8; i++) SWAP_BLOCKS(8, m[i], m[i + 8]);
    for (int i = 0; i < LANES; i++)
        if (!(i & 4)) SWAP_BLOCKS(4, m[i], m[i + 4]);
    for (int i = 0; i < LANES; i++)
        if (!(i & 2)) SWAP_BLOCKS(2, m[i], m[i + 2]);
    for (int i = 0; i < LANES; i++)
        if (!(i & 1)) SWAP_BLOCKS(1, m[i], m[i + 1]);
}

#endif
