/* y = scale * x w^T for rows by the sixteen, to the bit what fast_linear.c computes row by row. There a vector holds sixteen terms of one sum,
 * here one term of sixteen rows' sums: the sum of lane l runs over k = l, l+16, ...; the lanes' sums are folded in halves, which is
 * adding vectors here. x is turned once per call, the weights are read as they lie. */
#include "impl.h"
#include "linear.h"
#include "vmath.h"

#if X86
enum {
    WIDE = 2,    /* vectors of rows in a tile */
    DEEP = 12,   /* columns in a tile of one vector of rows, half as many in one of two */
    DEPTH = 4,   /* log2(LANES) */
    NEAR = 12288 /* weights of a tile that the first-level cache holds beside the rest */
};

typedef struct form {
    int V, N; /* vectors of rows, columns */
} form;

/* ---- turning ---------------------------------------------------------------------------------------------------------------*/

/* t[l][j][v] = lane l of the j-th sixteen elements of the v-th sixteen rows. */
INLINE void turn_rows(int V, int64_t in, const float *x, float *t)
{
    int64_t J = in / LANES;
    for (int v = 0; v < V; v++)
        for (int64_t j = 0; j < J; j++) {
            lanes m[LANES];
            for (int r = 0; r < LANES; r++) m[r] = load(x + (v * LANES + r) * in + j * LANES);
            turn(m);
            for (int l = 0; l < LANES; l++) memcpy(t + ((l * J + j) * V + v) * LANES, &m[l], sizeof m[l]);
        }
}

/* ---- a tile ----------------------------------------------------------------------------------------------------------------*/

/* acc[o*V+v] = sum over j of x[j][v] w[o][16 j]. fetch: a row of the next tile's weights is asked for meanwhile; NULL: none. */
INLINE void lane_sums(form f, int64_t J, int64_t in, const float *x, const float *w, const float *fetch, lanes *acc)
{
    for (int i = 0; i < f.N * f.V; i++) acc[i] = (lanes){0};
    const float *w4 = w + 4 * in, *w8 = w + 8 * in;
    for (int64_t j = 0; j < J; j++, x += f.V * LANES) {
        lanes a[WIDE];
        for (int v = 0; v < f.V; v++) a[v] = load(x + v * LANES);
        if (fetch) __builtin_prefetch(fetch + j * LANES, 0, 2);
        for (int o = 0; o < f.N; o++) {
            float b = (o < 4 ? w : o < 8 ? w4 : w8)[o % 4 * in + j * LANES];
            for (int v = 0; v < f.V; v++) acc[o * f.V + v] += a[v] * b;
        }
    }
}

/* Lanes in the order in which halves are folded: 0 8 4 12 2 10 6 14 1 ... */
INLINE int lane_at(int i) { return (i & 1) << 3 | (i & 2) << 1 | (i & 4) >> 1 | (i & 8) >> 3; }

INLINE void add_sums(int n, const lanes *x, lanes *y)
{
#pragma GCC unroll 32
    for (int i = 0; i < n; i++) y[i] += x[i];
}

INLINE void copy_sums(int n, const lanes *x, lanes *y)
{
#pragma GCC unroll 32
    for (int i = 0; i < n; i++) y[i] = x[i];
}

/* sum[o*V+v]: of all lanes, by twos. part[d]: what waits for its other half of 2^d lanes. */
INLINE void tile_sums(form f, int64_t in, const float *x, const float *w, bool fetch, lanes *sum)
{
    lanes part[DEPTH][WIDE * DEEP];
    int64_t J = in / LANES;
    for (int i = 0; i < LANES; i += 2) {
        int l = lane_at(i), d = 1;
        const float *ahead = fetch && i < f.N ? w + (f.N + i) * in : NULL;
        lane_sums(f, J, in, x + l * J * f.V * LANES, w + l, ahead, part[0]);
        l = lane_at(i + 1);
        lane_sums(f, J, in, x + l * J * f.V * LANES, w + l, ahead ? ahead + in : NULL, sum);
        add_sums(f.N * f.V, part[0], sum);
        for (; i >> d & 1; d++) add_sums(f.N * f.V, part[d], sum);
        if (i < LANES - 2) copy_sums(f.N * f.V, sum, part[d]);
    }
}

INLINE void tile(form f, const product *p, const float *x, const float *w, bool fetch, float *y)
{
    lanes sum[WIDE * DEEP];
    tile_sums(f, p->in, x, w, fetch, sum);
    for (int v = 0; v < f.V; v++) {
        lanes m[LANES];
        for (int o = 0; o < LANES; o++) m[o] = o < f.N ? sum[o * f.V + v] * p->scale : (lanes){0};
        turn(m);
        for (int r = 0; r < LANES; r++) memcpy(y + (v * LANES + r) * p->out, &m[r], sizeof *y * (size_t)f.N);
    }
}

/* Columns o.. of all rows in t; the number of columns that are done. */
INLINE int64_t columns(int N, const product *p, int64_t R, const float *t, int64_t o, float *y)
{
    for (; o + N <= p->out; o += N) {
        const float *w = p->w + o * p->in;
        int64_t r = 0;
        for (; r + WIDE * LANES <= R; r += WIDE * LANES)
            tile((form){WIDE, N}, p, t + r * p->in, w, r == 0 && o + 2 * N <= p->out, y + r * p->out + o);
        if (r < R) tile((form){1, N}, p, t + r * p->in, w, r == 0 && o + 2 * N <= p->out, y + r * p->out + o);
    }
    return o;
}

V4 static int64_t many(const product *p, int64_t R, const float *x, float *t, float *y)
{
    int64_t r = 0;
    for (; r + WIDE * LANES <= R; r += WIDE * LANES) turn_rows(WIDE, p->in, x + r * p->in, t + r * p->in);
    if (r < R) turn_rows(1, p->in, x + r * p->in, t + r * p->in);
    return R == LANES && DEEP * p->in < NEAR ? columns(DEEP, p, R, t, 0, y) : columns(DEEP / WIDE, p, R, t, 0, y);
}

int64_t tt_linear_many(const product *p, int64_t R, const float *x, float *y)
{
    bool fits = p->in > 0 && p->in % LANES == 0 && DEEP / WIDE * p->in <= NEAR;
    if (!fits || !__builtin_cpu_supports("x86-64-v4")) return 0;
    return many(p, R, x, tt_scratch(SCRATCH_LINEAR, sizeof *x * (size_t)(R * p->in)), y);
}
#else
int64_t tt_linear_many(const product *p, int64_t R, const float *x, float *y) { return 0; }
#endif
