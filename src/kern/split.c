/* The kernels of the fast table divided among a rank's threads. Bits do not depend on their number: elements and rows are independent,
 * and what is summed over rows is summed over blocks of SUMMED rows first, whose sums are added in order. With one thread no
 * parallel region is entered. Products, attention and the head divide their work themselves. */
#include "impl.h"

#include <string.h>

enum {
    SPAN = 1 << 14, /* elements that are worth a thread */
    SUMMED = 256
};

/* call for i, m: the parts i .. i+m-1 of n. */
#define SPLIT(n, step, call)                                                                 \
    do {                                                                                     \
        int64_t n_ = (n), step_ = (step);                                                    \
        if (tt_threads() == 1 || n_ <= step_) {                                              \
            int64_t i = 0, m = n_;                                                           \
            call;                                                                            \
            break;                                                                           \
        }                                                                                    \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < n_; i += step_) \
        {                                                                                    \
            int64_t m = n_ - i < step_ ? n_ - i : step_;                                     \
            call;                                                                            \
        }                                                                                    \
    } while (0)

/* Likewise for the blocks of R rows, one after the other where there is one thread. */
#define SPLIT_SUMS(R, call)                                                                    \
    do {                                                                                       \
        if (!many_rows(R)) {                                                                   \
            for (int64_t i = 0; i < (R); i += SUMMED) {                                        \
                int64_t m = (R)-i < SUMMED ? (R)-i : SUMMED;                                   \
                call;                                                                          \
            }                                                                                  \
            break;                                                                             \
        }                                                                                      \
        _Pragma("omp parallel for schedule(static)") for (int64_t i = 0; i < (R); i += SUMMED) \
        {                                                                                      \
            int64_t m = (R)-i < SUMMED ? (R)-i : SUMMED;                                       \
            call;                                                                              \
        }                                                                                      \
    } while (0)

static int64_t rows_of(int64_t D) { return D < SPAN ? SPAN / (D > 0 ? D : 1) : 1; }

/* ---- elements ---------------------------------------------------------------------------------------------------*/

void tt_split_add(int64_t n, const float *x, float *y) { SPLIT(n, SPAN, tt_fast_add(m, x + i, y + i)); }
void tt_split_add_half(int64_t n, const tt_bf16 *x, float *y) { SPLIT(n, SPAN, tt_fast_add_half(m, x + i, y + i)); }
void tt_split_to_half(int64_t n, const float *x, tt_bf16 *y) { SPLIT(n, SPAN, tt_fast_to_half(m, x + i, y + i)); }
void tt_split_scale(int64_t n, float a, float *x) { SPLIT(n, SPAN, tt_fast_scale(m, a, x + i)); }

void tt_split_adam(const tt_adam *o, int64_t n, float *w, const float *g, float *m1, float *v)
{
    SPLIT(n, SPAN, tt_fast_adam(o, m, w + i, g + i, m1 + i, v + i));
}

void tt_split_act_fwd(tt_act act, int64_t n, const float *x, float *y)
{
    SPLIT(n, SPAN, tt_fast_act_fwd(act, m, x + i, y + i));
}

void tt_split_act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx)
{
    SPLIT(n, SPAN, tt_fast_act_bwd(act, m, x + i, dy + i, dx + i));
}

void tt_split_act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y)
{
    SPLIT(n, SPAN, tt_fast_act_fwd_half(act, m, x + i, y + i));
}

void tt_split_act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx)
{
    SPLIT(n, SPAN, tt_fast_act_bwd_half(act, m, x + i, dy + i, dx + i));
}

/* ---- rows -------------------------------------------------------------------------------------------------------*/

/* Row i of x, NULL stays NULL. */
#define AT(x, ld) ((x) ? (x) + i * (ld) : NULL)

void tt_split_glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                      float *y)
{
    SPLIT(R, rows_of(F), tt_fast_glu_fwd(act, m, F, g + i * ldg, ldg, u + i * ldu, ldu, y + i * F));
}

void tt_split_glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                      const float *dy, float *dg, float *du, bool acc)
{
    SPLIT(R, rows_of(F),
          tt_fast_glu_bwd(act, m, F, g + i * ldg, ldg, u + i * ldu, ldu, dy + i * F, AT(dg, ldg), AT(du, ldu), acc));
}

void tt_split_glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                           int64_t ldu, tt_bf16 *y)
{
    SPLIT(R, rows_of(F), tt_fast_glu_fwd_half(act, m, F, g + i * ldg, ldg, u + i * ldu, ldu, y + i * F));
}

void tt_split_glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,
                           int64_t ldu, const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    SPLIT(R, rows_of(F),
          tt_fast_glu_bwd_half(act, m, F, g + i * ldg, ldg, u + i * ldu, ldu, dy + i * F, AT(dg, ldg), AT(du, ldu)));
}

void tt_split_rms_fwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y,
                      float *rstd)
{
    SPLIT(R, rows_of(D), tt_fast_rms_fwd(m, D, x + i * D, w, wplus, eps, y + i * D, rstd + i));
}

void tt_split_ln_fwd(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,
                     float *mean, float *rstd)
{
    SPLIT(R, rows_of(D), tt_fast_ln_fwd(m, D, x + i * D, w, b, eps, y + i * D, mean + i, rstd + i));
}

/* Row i of an array of either precision. */
static const void *in_at(tt_prec type, const void *x, int64_t at)
{
    return x ? (const char *)x + at * (type == TT_HALF ? 2 : 4) : NULL;
}
static void *out_at(tt_prec type, void *x, int64_t at) { return x ? (char *)x + at * (type == TT_HALF ? 2 : 4) : NULL; }

void tt_split_add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps,
                          float *sum, void *y, float *rstd)
{
    SPLIT(R, rows_of(D),
          tt_fast_add_rms_fwd(type, m, D, h + i * D, in_at(type, f, i * D), w, eps, AT(sum, D), out_at(type, y, i * D),
                              rstd + i));
}

/* One thread only where rows are few: the block of rows that fast_linear.c keeps near is 64. */
void tt_split_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y)
{
    SPLIT(R, 64, tt_fast_linear(m, out, in, scale, x + i * in, w, y + i * out));
}

void tt_split_embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    SPLIT(R, rows_of(D), tt_fast_embed_fwd(m, D, ids + i, E, y + i * D));
}

/* Columns, for rows may name the same row of E. */
static void embed_columns(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE, int64_t at, int64_t n)
{
    for (int64_t r = 0; r < R; r++) tt_fast_add(n, dy + r * D + at, dE + ids[r] * D + at);
}

void tt_split_embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE)
{
    if (tt_threads() == 1)
        tt_fast_embed_bwd(R, D, ids, dy, dE);
    else
        SPLIT(D, 64, embed_columns(R, D, ids, dy, dE, i, m));
}

/* ---- sums over rows ---------------------------------------------------------------------------------------------*/

static bool many_rows(int64_t R) { return R > SUMMED && tt_threads() > 1; }

/* Zeros [blocks][n] for the blocks' sums; NULL: there is one thread, which adds to the result itself. */
static float *sums_begin(int64_t R, int64_t n)
{
    if (!many_rows(R)) return NULL;
    size_t size = (size_t)((R + SUMMED - 1) / SUMMED * n) * sizeof(float);
    return memset(tt_scratch(SCRATCH_SPLIT, size), 0, size);
}

static void sums_end(int64_t R, int64_t n, int64_t ld, const float *part, float *sum)
{
    for (int64_t i = 0; i < R && part && sum; i += SUMMED, part += ld) tt_fast_add(n, part, sum);
}

/* Where block i/SUMMED adds its part number p of n floats each. */
#define PART(sum, p, parts) (!(sum) ? NULL : part ? part + (i / SUMMED * (parts) + (p)) * D : (sum))

void tt_split_rms_bwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,
                      const float *dy, float *dx, float *dw)
{
    float *part = sums_begin(R, D);
    SPLIT_SUMS(R, tt_fast_rms_bwd(m, D, x + i * D, w, wplus, rstd + i, dy + i * D, AT(dx, D), PART(dw, 0, 1)));
    sums_end(R, D, D, part, dw);
}

void tt_split_ln_bwd(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,
                     const float *dy, float *dx, float *dw, float *db)
{
    float *part = sums_begin(R, 2 * D);
    SPLIT_SUMS(R, tt_fast_ln_bwd(m, D, x + i * D, w, mean + i, rstd + i, dy + i * D, AT(dx, D), PART(dw, 0, 2),
                                 PART(db, 1, 2)));
    sums_end(R, D, 2 * D, part, dw);
    sums_end(R, D, 2 * D, part ? part + D : NULL, db);
}

void tt_split_add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                          const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    float *part = sums_begin(R, D);
    SPLIT_SUMS(R, tt_fast_add_rms_bwd(type, m, D, x + i * D, w, rstd + i, in_at(type, dy, i * D), AT(dx, D),
                                      PART(dw, 0, 1), AT(dxh, D)));
    sums_end(R, D, D, part, dw);
}
