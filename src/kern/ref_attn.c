/* Reference: softmax attention over segments, one query and one head at a time, in double. */
#include "attn.h"

#include <math.h>

typedef struct args {
    const tt_attn *a;
    const float *q, *k, *v;
    int64_t ldq, ldk, ldv;
} args;

static int group_of(const tt_attn *a, int h) { return h / (a->H / a->Hkv); }

static int bucket_of(const tt_attn *a, const tt_seg *s, int i, int j)
{
    return tt_rel_bucket(j - (s->p0 + i), a->bidirectional, a->nbucket, a->max_distance);
}

/* score[j] for the keys that query i of segment s sees. */
static void scores(const args *x, const tt_seg *s, int h, int i, double *score)
{
    const tt_attn *a = x->a;
    const float *q = x->q + (s->q0 + i) * x->ldq + h * a->K;
    for (int j = attn_lo(a, s, i); j < attn_hi(a, s, i); j++) {
        const float *k = x->k + (s->k0 + j) * x->ldk + group_of(a, h) * a->K;
        double dot = 0;
        for (int e = 0; e < a->K; e++) dot += (double)q[e] * k[e];
        score[j] = a->scale * dot + (a->bias ? a->bias[bucket_of(a, s, i, j) * a->H + h] : 0);
    }
}

static double log_sum_exp(const double *x, int lo, int hi)
{
    double top = -INFINITY, sum = 0;
    for (int j = lo; j < hi; j++) top = fmax(top, x[j]);
    for (int j = lo; j < hi; j++) sum += exp(x[j] - top);
    return hi > lo ? top + log(sum) : -INFINITY;
}

/* What dropout does to the probability of key j: 0, or 1/(1-drop). */
static double kept(const tt_attn *a, drop_row row, int j)
{
    if (a->drop == 0) return 1;
    return drop_keep(row, (uint32_t)j, drop_below(a->drop)) ? 1 / (1 - (double)a->drop) : 0;
}

static void query_fwd(const args *x, int seg, int h, int i, double *p, float *o, float *lse)
{
    const tt_attn *a = x->a;
    const tt_seg *s = &a->seg[seg];
    int lo = attn_lo(a, s, i), hi = attn_hi(a, s, i);
    drop_row row = drop_row_of(a->drop_key, drop_attn_row(a, seg, h, i));
    scores(x, s, h, i, p);
    double l = log_sum_exp(p, lo, hi);
    *lse = (float)l;
    for (int j = lo; j < hi; j++) p[j] = exp(p[j] - l) * kept(a, row, j);
    for (int e = 0; e < a->K; e++) {
        double sum = 0;
        for (int j = lo; j < hi; j++) sum += p[j] * x->v[(s->k0 + j) * x->ldv + group_of(a, h) * a->K + e];
        o[e] = (float)sum;
    }
}

static double *score_row(const tt_attn *a)
{
    int most = 0;
    for (int n = 0; n < a->nseg; n++) most = a->seg[n].kn > most ? a->seg[n].kn : most;
    return tt_scratch(SCRATCH_ATTN, (size_t)most * sizeof(double));
}

void tt_ref_attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, float *o, int64_t ldo, float *lse)
{
    args x = {a, q, k, v, ldq, ldk, ldv};
    double *p = score_row(a);
    for (int n = 0; n < a->nseg; n++)
        for (int h = 0; h < a->H; h++)
            for (int i = 0; i < a->seg[n].qn; i++) {
                int64_t r = a->seg[n].q0 + i;
                query_fwd(&x, n, h, i, p, o + r * ldo + h * a->K, lse + r * a->H + h);
            }
}

typedef struct grads {
    float *dq, *dk, *dv, *dbias;
} grads;

/* P from the scores and lse. With m the dropout factor and dP = m <dout, v>: dS = P (dP - <dout, o>). */
static void query_bwd(const args *x, int seg, int h, int i, const float *o, const float *dout, double lse, double *p,
                      const grads *g)
{
    const tt_attn *a = x->a;
    const tt_seg *s = &a->seg[seg];
    int K = a->K, kv = group_of(a, h) * K;
    drop_row row = drop_row_of(a->drop_key, drop_attn_row(a, seg, h, i));
    double delta = 0;
    for (int e = 0; e < K; e++) delta += (double)dout[e] * o[e];
    scores(x, s, h, i, p);
    for (int j = attn_lo(a, s, i); j < attn_hi(a, s, i); j++) {
        int64_t rk = s->k0 + j, rq = s->q0 + i;
        double m = kept(a, row, j), P = exp(p[j] - lse), dP = 0;
        for (int e = 0; e < K; e++) dP += m * dout[e] * x->v[rk * x->ldv + kv + e];
        double dS = P * (dP - delta);
        for (int e = 0; e < K; e++) {
            if (g->dq) g->dq[rq * x->ldq + h * K + e] += (float)(a->scale * dS * x->k[rk * x->ldk + kv + e]);
            if (g->dk) g->dk[rk * x->ldk + kv + e] += (float)(a->scale * dS * x->q[rq * x->ldq + h * K + e]);
            if (g->dv) g->dv[rk * x->ldv + kv + e] += (float)(m * P * dout[e]);
        }
        if (g->dbias) g->dbias[bucket_of(a, s, i, j) * a->H + h] += (float)dS;
    }
}

void tt_ref_attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                     float *dk, float *dv, float *dbias)
{
    args x = {a, q, k, v, ldq, ldk, ldv};
    grads g = {dq, dk, dv, a->bias ? dbias : NULL};
    double *p = score_row(a);
    for (int n = 0; n < a->nseg; n++)
        for (int h = 0; h < a->H; h++)
            for (int i = 0; i < a->seg[n].qn; i++) {
                int64_t r = a->seg[n].q0 + i, at = r * ldo + h * a->K;
                query_bwd(&x, n, h, i, o + at, dout + at, lse[r * a->H + h], p, &g);
            }
}

/* bf16: the same in fp32 on the operands as they are, rounded once at the end. */
void tt_ref_attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    attn_call c = {a, q, k, v, .out = o, .lse_out = lse, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    tt_attn_wide_fwd(tt_ref_attn_fwd, &c);
}

void tt_ref_attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                          const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    attn_call c = {a,        q,        k,        v,          o,          dout,       lse,
                   .dq = dq, .dk = dk, .dv = dv, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    tt_attn_wide_bwd(tt_ref_attn_bwd, &c, dbias);
}
