/* bf16 attention by the fp32 kernels: operands widened, results rounded. Rows are copied as they lie, gaps and all. */
#include "impl.h"

#include <string.h>

typedef struct table {
    void (*fwd)(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv,
                float *o, int64_t ldo, float *lse);
    void (*bwd)(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv,
                const float *o, const float *dout, int64_t ldo, const float *lse, float *dq, float *dk, float *dv,
                float *dbias);
} table;

static float *room(int i, int64_t n) { return tt_scratch(SCRATCH_WIDE + i, (size_t)(n + 1) * sizeof(float)); }

/* [R, width] without gaps. */
static float *wide(int i, int64_t R, int64_t width, const tt_bf16 *x, int64_t ld)
{
    float *y = room(i, R * width);
    for (int64_t r = 0; r < R; r++) tt_fast_from_half(width, x + r * ld, y + r * width);
    return y;
}

static void rounded(int64_t R, int64_t width, const float *x, tt_bf16 *y, int64_t ld)
{
    for (int64_t r = 0; r < R && y; r++) tt_fast_to_half(width, x + r * width, y + r * ld);
}

typedef struct extents {
    int64_t Rq, Rk, wq, wk;
} extents;

static extents extents_of(const tt_attn *a)
{
    extents e = {.wq = (int64_t)a->H * a->K, .wk = (int64_t)a->Hkv * a->K};
    for (int n = 0; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n];
        e.Rq = s->q0 + s->qn > e.Rq ? s->q0 + s->qn : e.Rq;
        e.Rk = s->k0 + s->kn > e.Rk ? s->k0 + s->kn : e.Rk;
    }
    return e;
}

static void attn_fwd(const table *t, const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                     const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    extents e = extents_of(a);
    float *out = room(3, e.Rq * e.wq);
    t->fwd(a, wide(0, e.Rq, e.wq, q, ldq), e.wq, wide(1, e.Rk, e.wk, k, ldk), e.wk, wide(2, e.Rk, e.wk, v, ldv), e.wk,
           out, e.wq, lse);
    for (int n = 0; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n];
        rounded(s->qn, e.wq, out + s->q0 * e.wq, o + s->q0 * ldo, ldo);
    }
}

static void attn_bwd(const table *t, const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                     const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                     const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    extents e = extents_of(a);
    int64_t nq = e.Rq * e.wq, nk = e.Rk * e.wk;
    float *g = memset(room(5, nq + 2 * nk), 0, (size_t)(nq + 2 * nk) * sizeof *g);
    t->bwd(a, wide(0, e.Rq, e.wq, q, ldq), e.wq, wide(1, e.Rk, e.wk, k, ldk), e.wk, wide(2, e.Rk, e.wk, v, ldv), e.wk,
           wide(3, e.Rq, e.wq, o, ldo), wide(4, e.Rq, e.wq, dout, ldo), e.wq, lse, dq ? g : NULL, dk ? g + nq : NULL,
           dv ? g + nq + nk : NULL, dbias);
    for (int n = 0; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n];
        if (dq) rounded(s->qn, e.wq, g + s->q0 * e.wq, dq + s->q0 * ldq, ldq);
        if (dk) rounded(s->kn, e.wk, g + nq + s->k0 * e.wk, dk + s->k0 * ldk, ldk);
        if (dv) rounded(s->kn, e.wk, g + nq + nk + s->k0 * e.wk, dv + s->k0 * ldv, ldv);
    }
}

static const table ref = {tt_ref_attn_fwd, tt_ref_attn_bwd}, fast = {tt_fast_attn_fwd, tt_fast_attn_bwd};

#define MEMBERS(name, with)                                                                                           \
    void tt_##name##_attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,    \
                                   const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)                \
    {                                                                                                                 \
        attn_fwd(&with, a, q, ldq, k, ldk, v, ldv, o, ldo, lse);                                                      \
    }                                                                                                                 \
    void tt_##name##_attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,    \
                                   const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo, \
                                   const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)             \
    {                                                                                                                 \
        attn_bwd(&with, a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias);                             \
    }
MEMBERS(ref, ref)
MEMBERS(fast, fast)
MEMBERS(check, fast)
