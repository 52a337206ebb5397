/* y = scale * x w^T for inference. Every element is one sum in one order (16 lanes along k, folded in halves), whichever tile it falls
 * into: a row's bits do not depend on the rows beside it, and AVX-512 and AVX2 give the same. Weights are read once per block of rows, which is
 * what decoding a few rows costs. OpenBLAS has neither property: it picks kernels by the number of rows, and packs. */
#include "impl.h"
#include "vmath.h"

#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && !defined __SANITIZE_ADDRESS__
#define X86 1
#define V4 __attribute__((target("arch=x86-64-v4"), optimize("fp-contract=fast")))
#define V3 __attribute__((target("arch=x86-64-v3"), optimize("fp-contract=fast")))
#else
#define X86 0
#endif
enum { LANES = 16, BLOCK = 64 /* rows that stay in the second-level cache while the weights pass by */ };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t picks __attribute__((vector_size(LANES * sizeof(float))));

typedef struct product {
    int64_t in, out;
    float scale;
    const float *w;
} product;

INLINE lanes load(const float *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

INLINE lanes load_part(const float *x, int64_t n)
{
    lanes v = {0};
    memcpy(&v, x, (size_t)n * sizeof *x);
    return v;
}

/* acc[r*N+o] = sum over k of x[r][k] w[o][k], lane by lane. fetch: the weights' next N rows are asked for meanwhile. */
INLINE void tile_sums(int M, int N, int64_t in, const float *const *x, const float *const *w, bool fetch, lanes *acc)
{
    for (int i = 0; i < M * N; i++) acc[i] = (lanes){0};
    int64_t k = 0, whole = in / LANES * LANES;
    for (; k < whole; k += LANES) {
        lanes b[LANES];
        for (int o = 0; o < N; o++) {
            b[o] = load(w[o] + k);
            if (fetch) __builtin_prefetch(w[o] + N * in + k);
        }
        for (int r = 0; r < M; r++) {
            lanes a = load(x[r] + k);
            for (int o = 0; o < N; o++) acc[r * N + o] += a * b[o];
        }
    }
    if (k == in) return;
    for (int r = 0; r < M; r++)
        for (int o = 0; o < N; o++) acc[r * N + o] += load_part(x[r] + k, in - k) * load_part(w[o] + k, in - k);
}

/* The halves of a and of b added: a's lanes in the lower half of the result, b's in the upper, for steps of 8, 4, 2, 1 lanes. */
INLINE lanes fold8(lanes a, lanes b)
{
    const picks lo = {0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23};
    const picks hi = {8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31};
    return __builtin_shuffle(a, b, lo) + __builtin_shuffle(a, b, hi);
}

INLINE lanes fold4(lanes a, lanes b)
{
    const picks lo = {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27};
    const picks hi = {4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31};
    return __builtin_shuffle(a, b, lo) + __builtin_shuffle(a, b, hi);
}

INLINE lanes fold2(lanes a, lanes b)
{
    const picks lo = {0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29};
    const picks hi = {2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31};
    return __builtin_shuffle(a, b, lo) + __builtin_shuffle(a, b, hi);
}

INLINE lanes fold1(lanes a, lanes b)
{
    const picks lo = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
    const picks hi = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
    return __builtin_shuffle(a, b, lo) + __builtin_shuffle(a, b, hi);
}

/* Lane i of the result is the sum of acc[i]'s lanes; sixteen sums in fifteen steps. */
INLINE lanes fold_all(const lanes *acc)
{
    lanes a[8], b[4], c0, c1;
    for (int i = 0; i < 8; i++) a[i] = fold8(acc[2 * i], acc[2 * i + 1]);
    for (int i = 0; i < 4; i++) b[i] = fold4(a[2 * i], a[2 * i + 1]);
    c0 = fold2(b[0], b[1]);
    c1 = fold2(b[2], b[3]);
    return fold1(c0, c1);
}

/* The same sum of one accumulator. */
INLINE float fold_one(lanes v)
{
    float a[8], b[4];
    for (int i = 0; i < 8; i++) a[i] = v[i] + v[i + 8];
    for (int i = 0; i < 4; i++) b[i] = a[i] + a[i + 4];
    return (b[0] + b[2]) + (b[1] + b[3]);
}

/* Rows x[0..M), columns w[0..N) -> y. */
INLINE void tile(int M, int N, bool together, bool fetch, const product *p, const float *x, const float *const *w,
                 float *y)
{
    lanes acc[16];
    const float *row[4];
    int64_t ldy = p->out;
    for (int r = 0; r < M; r++) row[r] = x + r * p->in;
    tile_sums(M, N, p->in, row, w, fetch, acc);
    if (together) {
        for (int i = M * N; i < 16; i++) acc[i] = (lanes){0};
        lanes sum = fold_all(acc) * p->scale;
        for (int r = 0; r < M; r++)
            for (int o = 0; o < N; o++) y[r * ldy + o] = sum[r * N + o];
        return;
    }
    for (int r = 0; r < M; r++)
        for (int o = 0; o < N; o++) y[r * ldy + o] = fold_one(acc[r * N + o]) * p->scale;
}

/* n < M rows that are left. */
INLINE void last_rows(int64_t n, int N, bool together, bool fetch, const product *p, const float *x,
                      const float *const *w, float *y)
{
    switch (n) {
    case 1: tile(1, N, together, fetch, p, x, w, y); break;
    case 2: tile(2, N, together, fetch, p, x, w, y); break;
    case 3: tile(3, N, together, fetch, p, x, w, y); break;
    }
}

INLINE void row_tiles(int M, int N, bool together, const product *p, int64_t R, const float *x, const float *const *w,
                      float *y)
{
    int64_t r = 0;
    if (R >= M) tile(M, N, together, true, p, x, w, y), r = M;
    for (; r + M <= R; r += M) tile(M, N, together, false, p, x + r * p->in, w, y + r * p->out);
    last_rows(R - r, N, together, R < M, p, x + r * p->in, w, y + r * p->out);
}

/* Blocks of rows; in each the weights pass by once, N rows of w at a time. */
INLINE void all(int M, int N, bool together, const product *p, int64_t R, const float *x, float *y)
{
    for (int64_t r = 0; r < R; r += BLOCK) {
        int64_t n = R - r < BLOCK ? R - r : BLOCK, o = 0;
        const float *w[4];
        for (; o + N <= p->out; o += N) {
            for (int i = 0; i < N; i++) w[i] = p->w + (o + i) * p->in;
            row_tiles(M, N, together, p, n, x + r * p->in, w, y + r * p->out + o);
        }
        for (; o < p->out; o++) {
            w[0] = p->w + o * p->in;
            row_tiles(M, 1, together, p, n, x + r * p->in, w, y + r * p->out + o);
        }
    }
}

#if X86
V4 static void linear_v4(const product *p, int64_t R, const float *x, float *y) { all(4, 4, true, p, R, x, y); }
V3 static void linear_v3(const product *p, int64_t R, const float *x, float *y) { all(2, 3, false, p, R, x, y); }
#endif
static void linear_plain(const product *p, int64_t R, const float *x, float *y) { all(2, 2, false, p, R, x, y); }

/* s[j] = scale <q, k_j>, sixteen keys at a time: each a sum in the order above. */
INLINE void dots(bool together, int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk,
                 float *s)
{
    lanes acc[LANES];
    for (int64_t j = 0; j < n; j += LANES) {
        const float *w[LANES];
        for (int i = 0; i < LANES; i++) w[i] = k + (j + i < n ? j + i : n - 1) * ldk;
        tile_sums(1, LANES, in, &q, w, false, acc);
        int64_t here = n - j < LANES ? n - j : LANES;
        if (together) {
            lanes sum = fold_all(acc) * scale;
            memcpy(s + j, &sum, (size_t)here * sizeof *s);
        } else
            for (int64_t i = 0; i < here; i++) s[j + i] = fold_one(acc[i]) * scale;
    }
}

#if X86
V4 static void dots_v4(int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk, float *s)
{
    dots(true, n, in, scale, q, k, ldk, s);
}

V3 static void dots_v3(int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk, float *s)
{
    dots(false, n, in, scale, q, k, ldk, s);
}
#endif

void tt_fast_dots(int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk, float *s)
{
#if X86
    if (__builtin_cpu_supports("x86-64-v4")) {
        dots_v4(n, in, scale, q, k, ldk, s);
        return;
    }
    if (__builtin_cpu_supports("x86-64-v3")) {
        dots_v3(n, in, scale, q, k, ldk, s);
        return;
    }
#endif
    dots(false, n, in, scale, q, k, ldk, s);
}

void tt_fast_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y)
{
    product p = {in, out, scale, w};
#if X86
    if (__builtin_cpu_supports("x86-64-v4")) {
        linear_v4(&p, R, x, y);
        return;
    }
    if (__builtin_cpu_supports("x86-64-v3")) {
        linear_v3(&p, R, x, y);
        return;
    }
#endif
    linear_plain(&p, R, x, y);
}
