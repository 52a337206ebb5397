/* Products of attention on packed operands, for one instruction set: included by attn_<set>.c, which defines
 *
 *   TALL, WIDE   rows and vectors of columns of a tile, whose sums stay in registers
 *   HALF         1: operands are bf16
 *   mac, lanes_max, lanes_exp2
 *
 * An operand consists of words of 32 bits: one float, or two bf16 that follow one another in the sum. It comes in panels of
 * PANEL words:
 *   rows  x[p][r][PANEL]   words of row r. The left operand, word by word; in fp32 also the right operand of sums over rows
 *   cols  x[p][d][PANEL]   word d of rows p*PANEL ... The right operand of scores
 *   pairs x[p][d][PANEL]   bf16: the columns p*PANEL .. of rows 2d and 2d+1. The right operand of sums over rows
 * Sums are fp32 and come in panels of PANEL columns, as rows. */
#include "attn.h"

enum { PANEL = WIDE * LANES, WORD = HALF ? 2 : 1, ELEM = HALF ? 2 : 4 };

typedef float lanes_at __attribute__((vector_size(LANES * sizeof(float)), aligned(2), may_alias));
typedef int64_t i64;

INLINE lanes get(const float *x) { return *(const lanes_at *)x; }
INLINE void put(float *x, lanes v) { *(lanes_at *)x = v; }

INLINE i64 panels(i64 n) { return (n + PANEL - 1) / PANEL; }
/* Vectors that hold columns in panel p of n columns. */
INLINE int wide(i64 n, i64 p)
{
    i64 v = (n - p * PANEL + LANES - 1) / LANES;
    return v < WIDE ? (int)v : WIDE;
}
INLINE i64 least(i64 a, i64 b) { return a < b ? a : b; }
INLINE i64 most(i64 a, i64 b) { return a > b ? a : b; }

/* out[M][PANEL] = init + sum over d < depth of left(i, d) right[d][PANEL]. */
typedef struct tile_args {
    i64 depth;
    const float *left;  /* along: words d of row i, left[i*PANEL + d]; across: left[d*PANEL + i] */
    i64 step;           /* along: from one panel of left to the next */
    const float *right; /* [depth][PANEL] */
    const float *init;  /* row i at init + i*stride */
    i64 stride;
    float *out;
} tile_args;

#define EACH_ROW _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)
#define EACH_VEC _Pragma("GCC unroll 4") for (int v = 0; v < N; v++)

INLINE void tile_body(int M, int N, bool across, const tile_args *t)
{
    lanes acc[TALL * WIDE], w[WIDE];
    const float *a = t->left, *b = t->right;
    EACH_ROW EACH_VEC acc[i * N + v] = get(t->init + i * t->stride + v * LANES);
    for (i64 left = t->depth; left > 0; left -= PANEL, a += t->step) {
        i64 n = across ? left : least(left, PANEL);
        for (i64 d = 0; d < n; d++, b += PANEL) {
            const float *x = across ? a + d * PANEL : a + d;
            EACH_VEC w[v] = get(b + v * LANES);
            EACH_ROW EACH_VEC acc[i * N + v] = mac(acc[i * N + v], x + (across ? i : i * PANEL), w[v]);
        }
        if (across) break;
    }
    EACH_ROW EACH_VEC put(t->out + i * PANEL + v * LANES, acc[i * N + v]);
}

#define CASE(M) \
    case M: tile_body(M, N, across, t); break

INLINE void tile_any(int M, int N, bool across, const tile_args *t)
{
    switch (M) {
        CASE(1);
        CASE(2);
#if TALL > 2
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
#endif
#if TALL > 6
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
#endif
    default: assert(0);
    }
}

static __attribute__((noinline)) void along_wide(int M, const tile_args *t) { tile_any(M, WIDE, false, t); }
static __attribute__((noinline)) void across_wide(int M, const tile_args *t) { tile_any(M, WIDE, true, t); }
#if WIDE > 1
static __attribute__((noinline)) void along_one(int M, const tile_args *t) { tile_any(M, 1, false, t); }
static __attribute__((noinline)) void across_one(int M, const tile_args *t) { tile_any(M, 1, true, t); }
#else
#define along_one along_wide
#define across_one across_wide
#endif

INLINE void along(int M, int N, const tile_args *t) { N == WIDE ? along_wide(M, t) : along_one(M, t); }
INLINE void across(int M, int N, const tile_args *t) { N == WIDE ? across_wide(M, t) : across_one(M, t); }

/* The rows of one of the fewest strips of at most TALL rows that n rows divide into, as even as can be: from the at-th on. In bf16
 * strips begin at even rows. */
INLINE int strip(int n, int at)
{
    int tall = HALF ? TALL & ~1 : TALL, left = n - at, strips = (left + tall - 1) / tall;
    int m = (left + strips - 1) / strips;
    return HALF ? (m + 1) & ~1 : m;
}
