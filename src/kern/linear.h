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

#endif
