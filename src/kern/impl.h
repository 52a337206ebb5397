/* Private to kern: the members of the tables and what ref and fast share. */
#ifndef TUTTI_KERN_IMPL_H
#define TUTTI_KERN_IMPL_H

#include "tutti/kern.h"

#include <omp.h>

/* Every kernel of one table: tt_ref_gemm, tt_ref_rms_fwd ... */
#define KERN_PROTOTYPES(p)                                                                                             \
    void p##_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,         \
                  const float *B, int64_t ldb, float beta, float *C, int64_t ldc);                                     \
    void p##_rms_fwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y,           \
                     float *rstd);                                                                                     \
    void p##_rms_bwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,             \
                     const float *dy, float *dx, float *dw);                                                           \
    void p##_ln_fwd(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,         \
                    float *mean, float *rstd);                                                                         \
    void p##_ln_bwd(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,        \
                    const float *dy, float *dx, float *dw, float *db);                                                 \
    void p##_act_fwd(tt_act act, int64_t n, const float *x, float *y);                                                 \
    void p##_act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx);                               \
    void p##_glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,       \
                     float *y);                                                                                        \
    void p##_glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,       \
                     const float *dy, float *dg, float *du, bool acc);                                                 \
    void p##_attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,      \
                      int64_t ldv, float *o, int64_t ldo, float *lse);                                                 \
    void p##_attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,      \
                      int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,        \
                      float *dk, float *dv, float *dbias);                                                             \
    void p##_embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y);                            \
    void p##_embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE);                          \
    void p##_dropout(int64_t n, float prob, tt_rkey key, const float *x, float *y, bool acc);                          \
    void p##_dropout_part(int64_t R, int64_t n, int64_t of, int64_t lo, float prob, tt_rkey key, const float *x,       \
                          float *y, bool acc);                                                                         \
    void p##_linear(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y);        \
    double p##_logsumexp(int64_t n, const float *z, int64_t *best);                                                    \
    double p##_head(const tt_head *h);                                                                                 \
    void p##_add(int64_t n, const float *x, float *y);                                                                 \
    void p##_scale(int64_t n, float a, float *x);                                                                      \
    double p##_sumsq(int64_t n, const float *x);                                                                       \
    void p##_adam(const tt_adam *o, int64_t n, float *w, const float *g, float *m, float *v);                          \
    void p##_adafactor(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *w, const float *g,     \
                       float *row, float *col, float *full, float *mom, float *work);                                  \
    void p##_add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps, \
                         float *sum, void *y, float *rstd);                                                            \
    void p##_add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,        \
                         const void *dy, float *dx, float *dw, tt_bf16 *dxh);                                          \
    void p##_gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,  \
                       const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc);                \
    void p##_to_half(int64_t n, const float *x, tt_bf16 *y);                                                           \
    void p##_add_half(int64_t n, const tt_bf16 *x, float *y);                                                          \
    void p##_act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y);                                        \
    void p##_act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx);                    \
    void p##_glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,           \
                          int64_t ldu, tt_bf16 *y);                                                                    \
    void p##_glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u,           \
                          int64_t ldu, const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du);                                   \
    void p##_dropout_half(int64_t n, float prob, tt_rkey key, const tt_bf16 *x, tt_bf16 *y);                           \
    void p##_attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,             \
                           const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse);                        \
    void p##_attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,             \
                           const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,          \
                           const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias);
KERN_PROTOTYPES(tt_ref)
KERN_PROTOTYPES(tt_fast)
KERN_PROTOTYPES(tt_check)
KERN_PROTOTYPES(tt_split) /* some of them: see split.c */

/* Threads of this rank: tt_blas_threads. */
static inline int tt_threads(void) { return omp_get_max_threads(); }

/* s[j] = scale * <q, k + j*ldk>, j < n, over in elements: for one query; bits as of tt_fast_linear. */
void tt_fast_dots(int64_t n, int64_t in, float scale, const float *q, const float *k, int64_t ldk, float *s);

void tt_fast_from_half(int64_t n, const tt_bf16 *x, float *y);

/* Scratch memory of this thread, one growing block per slot, 64-byte aligned, valid until the slot is asked for again. It keeps
 * its size, so that a step after the first asks the system for nothing. Each user has its own slot. */
typedef enum scratch_slot {
    SCRATCH_GEMM,
    SCRATCH_ROWS,
    SCRATCH_ATTN,
    SCRATCH_TABLE,
    SCRATCH_HEAD,
    SCRATCH_LINEAR,
    SCRATCH_UPDATE,
    SCRATCH_SPLIT,
    SCRATCH_WIDE, /* the first of several: bf16 operands as fp32 */
    SCRATCH_WIDE_LAST = SCRATCH_WIDE + 7,
    SCRATCH_CHECK, /* the last: check takes several from here on */
    SCRATCH_SLOTS = SCRATCH_CHECK + 12
} scratch_slot;
void *tt_scratch(int slot, size_t bytes);

/* ---- dropout masks ------------------------------------------------------------------------------------------
 * The mask of column j in row i of a stream: keep iff hash(hash(j + a) ^ b) >= drop * 2^32, where (a, b) is a 64-bit mix of the
 * stream's key and i, and hash is Wellons' lowbias32 finalizer. Cheap, counter-based, and 32-bit so that it vectorises.
 * Element i of tt_kern.dropout is column i mod 2^32 of row i / 2^32; the attention probability of segment s, head h, query i (from
 * the segment's first), key j (likewise) is column j of row (s * H + h) * 2^32 + i, heads counted in the whole layer. */
typedef struct drop_row {
    uint32_t a, b;
} drop_row;

static inline drop_row drop_row_of(tt_rkey key, uint64_t row)
{
    uint64_t x = tt_mix64(key ^ tt_mix64(row));
    return (drop_row){(uint32_t)x, (uint32_t)(x >> 32)};
}

static inline uint32_t drop_hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

static inline bool drop_keep(drop_row r, uint32_t column, uint32_t below)
{
    return drop_hash(drop_hash(column + r.a) ^ r.b) >= below;
}

static inline uint32_t drop_below(float prob)
{
    assert(prob >= 0 && prob < 1);
    return (uint32_t)((double)prob * 0x1p32);
}

static inline uint64_t drop_attn_row(const tt_attn *a, int seg, int h, int i)
{
    uint64_t H = (uint64_t)(a->Hall ? a->Hall : a->H);
    return (((uint64_t)seg * H + (uint64_t)(a->h0 + h)) << 32) + (uint64_t)i;
}

/* Size of the whole vocabulary, of which the head may have a part. */
static inline int64_t head_V(const tt_head *t) { return t->Vall ? t->Vall : t->V; }

/* ---- which keys a query sees: j in [lo, hi) ------------------------------------------------------------------*/
static inline int attn_lo(const tt_attn *a, const tt_seg *s, int i)
{
    int lo = a->window > 0 ? s->p0 + i - a->window + 1 : 0;
    return lo > 0 ? lo : 0;
}

static inline int attn_hi(const tt_attn *a, const tt_seg *s, int i)
{
    int hi = a->causal ? s->p0 + i + 1 : s->kn;
    return hi < s->kn ? hi : s->kn;
}

#endif
