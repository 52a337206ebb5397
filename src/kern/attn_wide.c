/* Attention in bf16 by kernels of fp32: operands are converted, results rounded. Only the rows of segments are touched. */
#include "attn.h"

typedef struct side { /* the rows and columns of q and o, or of k and v */
    const tt_attn *a;
    bool keys;
    int64_t width, R; /* R: rows up to the last one of a segment */
} side;

static int first_of(const side *s, int n) { return s->keys ? s->a->seg[n].k0 : s->a->seg[n].q0; }
static int rows_of(const side *s, int n) { return s->keys ? s->a->seg[n].kn : s->a->seg[n].qn; }

static side side_of(const tt_attn *a, bool keys)
{
    side s = {.a = a, .keys = keys, .width = (int64_t)(keys ? a->Hkv : a->H) * a->K};
    for (int n = 0; n < a->nseg; n++)
        if (first_of(&s, n) + rows_of(&s, n) > s.R) s.R = first_of(&s, n) + rows_of(&s, n);
    return s;
}

/* Space for R rows without gaps, taken from *at. */
static float *room_of(const side *s, float **at)
{
    float *x = *at;
    *at += s->R * s->width;
    return x;
}

static float *widened(const side *s, float **at, const void *x, int64_t ld)
{
    float *y = room_of(s, at);
    for (int n = 0; n < s->a->nseg; n++)
        for (int64_t r = first_of(s, n), end = r + rows_of(s, n); r < end; r++)
            tt_fast_from_half(s->width, (const tt_bf16 *)x + r * ld, y + r * s->width);
    return y;
}

static float *zeros(const side *s, float **at, const void *wanted)
{
    return wanted ? memset(room_of(s, at), 0, (size_t)(s->R * s->width) * sizeof(float)) : NULL;
}

static void rounded(const side *s, const float *x, void *y, int64_t ld)
{
    for (int n = 0; n < s->a->nseg && x; n++)
        for (int64_t r = first_of(s, n), end = r + rows_of(s, n); r < end; r++)
            tt_fast_to_half(s->width, x + r * s->width, (tt_bf16 *)y + r * ld);
}

static float *space(const side *q, const side *k, int64_t nq, int64_t nk)
{
    return tt_scratch(SCRATCH_WIDE, (size_t)(nq * q->R * q->width + nk * k->R * k->width + 1) * sizeof(float));
}

void tt_attn_wide_fwd(__typeof__(tt_fast_attn_fwd) *fwd, const attn_call *c)
{
    side q = side_of(c->a, false), k = side_of(c->a, true);
    float *at = space(&q, &k, 2, 2), *qx = widened(&q, &at, c->q, c->ldq);
    float *kx = widened(&k, &at, c->k, c->ldk), *vx = widened(&k, &at, c->v, c->ldv), *o = room_of(&q, &at);
    fwd(c->a, qx, q.width, kx, k.width, vx, k.width, o, q.width, c->lse_out);
    rounded(&q, o, c->out, c->ldo);
}

void tt_attn_wide_bwd(__typeof__(tt_fast_attn_bwd) *bwd, const attn_call *c, float *dbias)
{
    side q = side_of(c->a, false), k = side_of(c->a, true);
    float *at = space(&q, &k, 4, 4), *qx = widened(&q, &at, c->q, c->ldq);
    float *kx = widened(&k, &at, c->k, c->ldk), *vx = widened(&k, &at, c->v, c->ldv);
    float *o = widened(&q, &at, c->o, c->ldo), *g = widened(&q, &at, c->dout, c->ldo);
    float *dq = zeros(&q, &at, c->dq), *dk = zeros(&k, &at, c->dk), *dv = zeros(&k, &at, c->dv);
    bwd(c->a, qx, q.width, kx, k.width, vx, k.width, o, g, q.width, c->lse, dq, dk, dv, dbias);
    rounded(&q, dq, c->dq, c->ldq);
    rounded(&k, dk, c->dk, c->ldk);
    rounded(&k, dv, c->dv, c->ldv);
}
