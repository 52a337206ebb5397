/* y = scale * x w^T for inference. Every element is one sum in one order (16 lanes along k, folded in halves), whichever tile it falls
 * into: a row's bits do not depend on the rows beside it, and AVX-512 and AVX2 give the same. Weights are read once per block of rows, which is
 * what decoding a few rows costs. OpenBLAS has neither property: it picks kernels by the number of rows, and packs. */
#include "linear.h"

enum {
    BLOCK = 64, /* rows that stay in the second-level cache while the weights pass by */
    MANY = 128, /* likewise, of those that are turned */
    NEAR = 8192 /* weights that stay in the first-level cache while rows of x pass by */
};

INLINE lanes load_part(const float *x, int64_t n)
{
    lanes v = {0};
    memcpy(&v, x, (size_t)n * sizeof *x);
    return v;
}

/* acc[r*N+o] = sum over k of x[r*in+k] w[o][k], lane by lane. whole: in is a multiple of LANES, and the sums stay in registers. fetch:
 * the weights' next N rows are asked for meanwhile. */
INLINE void tile_sums(int M, int N, bool whole, int64_t in, const float *x, const float *const *w, bool fetch,
                      lanes *acc)
{
    for (int i = 0; i < M * N; i++) acc[i] = (lanes){0};
    int64_t k = 0, end = whole ? in : in / LANES * LANES;
    for (; k < end; k += LANES) {
        lanes b[LANES];
        for (int o = 0; o < N; o++) {
            b[o] = load(w[o] + k);
            if (fetch) __builtin_prefetch(w[o] + N * in + k);
        }
        for (int r = 0; r < M; r++) {
            lanes a = load(x + r * in + k);
            for (int o = 0; o < N; o++) acc[r * N + o] += a * b[o];
        }
    }
    if (whole || k == in) return;
    for (int r = 0; r < M; r++)
        for (int o = 0; o < N; o++) acc[r * N + o] += load_part(x + r * in + k, in - k) * load_part(w[o] + k, in - k);
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

/* Shapes of the code made of it: a tile's rows and columns; are its sums folded together; are rows whole lanes. */
typedef struct form {
    int M, N;
    bool together, whole;
} form;

/* Rows x[0..M), columns w[0..N) -> y. */
INLINE void tile(form f, bool fetch, const product *p, const float *x, const float *const *w, float *y)
{
    lanes acc[LANES];
    int M = f.M, N = f.N;
    int64_t ldy = p->out;
    tile_sums(M, N, f.whole, p->in, x, w, fetch, acc);
    if (f.together) {
        for (int i = M * N; i < LANES; i++) acc[i] = (lanes){0};
        lanes sum = fold_all(acc) * p->scale;
        for (int r = 0; r < M; r++)
            for (int o = 0; o < N; o++) y[r * ldy + o] = sum[r * N + o];
        return;
    }
    for (int r = 0; r < M; r++)
        for (int o = 0; o < N; o++) y[r * ldy + o] = fold_one(acc[r * N + o]) * p->scale;
}

/* n <= M rows. */
INLINE void some_rows(form f, int64_t n, bool fetch, const product *p, const float *x, const float *const *w, float *y)
{
    switch (n) {
    case 1: f.M = 1, tile(f, fetch, p, x, w, y); break;
    case 2: f.M = 2, tile(f, fetch, p, x, w, y); break;
    case 3: f.M = 3, tile(f, fetch, p, x, w, y); break;
    case 4: f.M = 4, tile(f, fetch, p, x, w, y); break;
    }
}

/* n rows of x, at most M, with columns [o,end) of y. */
INLINE void strip(form f, int64_t n, bool fetch, const product *p, int64_t o, int64_t end, const float *x, float *y)
{
    const float *w[LANES];
    for (; o + f.N <= end; o += f.N) {
        for (int i = 0; i < f.N; i++) w[i] = p->w + (o + i) * p->in;
        if (n == f.M)
            tile(f, fetch, p, x, w, y + o);
        else
            some_rows(f, n, fetch, p, x, w, y + o);
    }
    f.N = 1;
    for (; o < end; o++) {
        w[0] = p->w + o * p->in;
        some_rows(f, n, fetch, p, x, w, y + o);
    }
}

/* Columns from.. of y. Blocks of rows; in each the weights pass by once. */
INLINE void all(form f, const product *p, int64_t from, int64_t R, const float *x, float *y)
{
    int64_t near = NEAR / (p->in > 0 ? p->in : 1), columns = near < f.N ? f.N : near / f.N * f.N;
    for (int64_t r0 = 0; r0 < R; r0 += BLOCK)
        for (int64_t o = from; o < p->out; o += columns) {
            int64_t end = o + columns < p->out ? o + columns : p->out, last = r0 + BLOCK < R ? r0 + BLOCK : R;
            for (int64_t r = r0; r < last; r += f.M)
                strip(f, last - r < f.M ? last - r : f.M, r == r0, p, o, end, x + r * p->in, y + r * p->out);
        }
}

#if X86
V4 static void linear_v4(const product *p, int64_t from, int64_t R, const float *x, float *y)
{
    if (p->in % LANES == 0)
        all((form){4, 4, true, true}, p, from, R, x, y);
    else
        all((form){4, 4, true, false}, p, from, R, x, y);
}

V3 static void linear_v3(const product *p, int64_t from, int64_t R, const float *x, float *y)
{
    all((form){2, 3, false, false}, p, from, R, x, y);
}
#endif
static void linear_plain(const product *p, int64_t from, int64_t R, const float *x, float *y)
{
    all((form){2, 2, false, false}, p, from, R, x, y);
}

/* s[j] = scale <q, k_j>, sixteen keys at a time: each a sum in the order above. */
INLINE void dots(bool together, int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk,
                 float *s)
{
    lanes acc[LANES];
    for (int64_t j = 0; j < n; j += LANES) {
        const float *w[LANES];
        for (int i = 0; i < LANES; i++) {
            w[i] = k + (j + i < n ? j + i : n - 1) * ldk;
            for (int64_t e = 0; e < in; e += LANES) __builtin_prefetch(w[i] + in + e); /* the next head's */
        }
        tile_sums(1, LANES, false, in, q, w, false, acc);
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

static void some_columns(const product *p, int64_t from, int64_t R, const float *x, float *y)
{
#if X86
    if (__builtin_cpu_supports("x86-64-v4")) {
        linear_v4(p, from, R, x, y);
        return;
    }
    if (__builtin_cpu_supports("x86-64-v3")) {
        linear_v3(p, from, R, x, y);
        return;
    }
#endif
    linear_plain(p, from, R, x, y);
}

void tt_fast_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y)
{
    product p = {in, out, scale, w};
    for (int64_t n; R >= LANES; R -= n, x += n * in, y += n * out) {
        n = R < MANY ? R / LANES * LANES : MANY;
        some_columns(&p, tt_linear_many(&p, n, x, y), n, x, y);
    }
    if (R > 0) some_columns(&p, 0, R, x, y);
}
