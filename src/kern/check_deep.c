/* check: attention and the output head. */
#include "check.h"

#include <math.h>
#include <string.h>

/* ---- attention ----------------------------------------------------------------------------------------------------*/

typedef struct extents {
    int64_t Rq, Rk;     /* rows of q and k up to the last one used */
    int most_q, most_k; /* of one segment */
    int64_t queries;    /* over all segments */
} extents;

static extents extents_of(const tt_attn *a)
{
    extents e = {0};
    for (int n = 0; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n];
        e.Rq = s->q0 + s->qn > e.Rq ? s->q0 + s->qn : e.Rq;
        e.Rk = s->k0 + s->kn > e.Rk ? s->k0 + s->kn : e.Rk;
        e.most_q = s->qn > e.most_q ? s->qn : e.most_q;
        e.most_k = s->kn > e.most_k ? s->kn : e.most_k;
        e.queries += s->qn;
    }
    return e;
}

/* Elements of an array of R rows of H heads with row stride ld: the last row is not followed by a gap. */
static int64_t extent(int64_t R, int64_t ld, int64_t width) { return R > 0 ? (R - 1) * ld + width : 0; }

static double widest_head(int64_t R, int H, int K, const float *x, int64_t ld)
{
    double top = 0;
    for (int64_t r = 0; r < R; r++)
        for (int h = 0; h < H; h++) top = fmax(top, tt_check_norm(K, x + r * ld + h * K, 1));
    return top;
}

/* Error of a score, so the relative error of a probability. */
static double score_error(const tt_attn *a, const extents *e, const float *q, int64_t ldq, const float *k, int64_t ldk)
{
    double product = widest_head(e->Rq, a->H, a->K, q, ldq) * widest_head(e->Rk, a->Hkv, a->K, k, ldk);
    double bias = a->bias ? tt_check_largest((int64_t)a->nbucket * a->H, a->bias) : 0;
    return ULP * (fabs((double)a->scale) * product * (8 + sqrt(a->K)) + 4 * bias + 16);
}

static void describe(tt_where *w, const tt_attn *a, const extents *e)
{
    snprintf(w->shape, sizeof w->shape,
             "%d segments up to %d x %d, H %d Hkv %d K %d causal %d window %d bias %d drop %g", a->nseg, e->most_q,
             e->most_k, a->H, a->Hkv, a->K, a->causal, a->window, a->bias != NULL, (double)a->drop);
}

static void compare_rows(const tt_where *w, const char *array, int64_t R, int64_t width, const float *fast,
                         const float *ref, int64_t ld, double allowed)
{
    for (int64_t r = 0; r < R && fast; r++) tt_check_compare(w, array, width, fast + r * ld, ref + r * ld, allowed);
}

void tt_check_attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                       int64_t ldv, float *o, int64_t ldo, float *lse)
{
    tt_copies c = {0};
    tt_where w = {.kernel = "attn_fwd"};
    extents e = extents_of(a);
    describe(&w, a, &e);
    int64_t width = (int64_t)a->H * a->K;
    float *o2 = tt_check_copy(&c, extent(e.Rq, ldo, width), o), *lse2 = tt_check_copy(&c, e.Rq * a->H, lse);
    tt_fast_attn_fwd(a, q, ldq, k, ldk, v, ldv, o, ldo, lse);
    tt_ref_attn_fwd(a, q, ldq, k, ldk, v, ldv, o2, ldo, lse2);
    double err = score_error(a, &e, q, ldq, k, ldk), vm = tt_check_largest_rows(e.Rk, (int64_t)a->Hkv * a->K, v, ldv);
    tt_check_compare(&w, "lse", e.Rq * a->H, lse, lse2, err);
    compare_rows(&w, "o", e.Rq, width, o, o2, ldo, (2 * err + ULP * (8 + sqrt(e.most_k))) * vm / (1 - (double)a->drop));
}

void tt_check_attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                       int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                       float *dk, float *dv, float *dbias)
{
    tt_copies c = {0};
    tt_where w = {.kernel = "attn_bwd"};
    extents e = extents_of(a);
    describe(&w, a, &e);
    int64_t wq = (int64_t)a->H * a->K, wk = (int64_t)a->Hkv * a->K, nb = a->bias ? (int64_t)a->nbucket * a->H : 0;
    float *dq2 = tt_check_copy(&c, extent(e.Rq, ldq, wq), dq), *dk2 = tt_check_copy(&c, extent(e.Rk, ldk, wk), dk);
    float *dv2 = tt_check_copy(&c, extent(e.Rk, ldv, wk), dv), *db2 = tt_check_copy(&c, nb, dbias);
    double err = score_error(a, &e, q, ldq, k, ldk), up = 1 / (1 - (double)a->drop), sums = 2 + sqrt((double)e.queries);
    /* dP, delta and so dS / P are at most |dout| |v| up. dS errs by twice that times eP; rows of P sum to 1. */
    double g = widest_head(e.Rq, a->H, a->K, dout, ldo) * widest_head(e.Rk, a->Hkv, a->K, v, ldv) * up;
    double eS = 2 * g * (2 * err + ULP * (16 + sqrt(a->K) + sqrt(e.most_k)));
    double bq = fabs((double)a->scale) * eS * tt_check_largest_rows(e.Rk, wk, k, ldk);
    double bk = fabs((double)a->scale) * eS * tt_check_largest_rows(e.Rq, wq, q, ldq) * sums * (a->H / a->Hkv);
    double bv = (2 * err + 16 * ULP) * tt_check_largest_rows(e.Rq, wq, dout, ldo) * up * sums * (a->H / a->Hkv);
    double was_q = ULP * tt_check_largest_rows(e.Rq, wq, dq, ldq),
           was_k = ULP * tt_check_largest_rows(e.Rk, wk, dk, ldk);
    double was_v = ULP * tt_check_largest_rows(e.Rk, wk, dv, ldv), was_b = ULP * tt_check_largest(nb, dbias);
    tt_fast_attn_bwd(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias);
    tt_ref_attn_bwd(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq2, dk2, dv2, db2);
    /* ref adds one float at a time: its own roundings grow with the count */
    compare_rows(&w, "dq", e.Rq, wq, dq, dq2, ldq, bq + 4 * was_q * sqrt(e.most_k));
    compare_rows(&w, "dk", e.Rk, wk, dk, dk2, ldk, bk + 4 * was_k * sums);
    compare_rows(&w, "dv", e.Rk, wk, dv, dv2, ldv, bv + 4 * was_v * sums);
    tt_check_compare(&w, "dbias", nb, dbias, db2, eS * sums * sqrt(e.most_k) + 4 * was_b * sums * sqrt(e.most_k));
}

/* ---- head ---------------------------------------------------------------------------------------------------------*/

/* Of token v, which this part has. */
static double logit(const tt_head *t, int64_t r, int64_t v)
{
    v -= t->v0;
    double dot = 0;
    for (int64_t d = 0; d < t->D; d++) dot += (double)t->h[r * t->D + d] * t->W[v * t->D + d];
    return t->scale * dot;
}

static bool has(const tt_head *t, int64_t v) { return v >= t->v0 && v < t->v0 + t->V; }

/* Near ties may fall either way. Where another part has one of the two nothing can be said. */
static void compare_argmax(const tt_where *w, const tt_head *t, const int32_t *ref, double err)
{
    for (int64_t r = 0; r < t->R && t->argmax; r++) {
        int32_t f = t->argmax[r];
        if (f == ref[r] || (t->join && !(has(t, f) && has(t, ref[r])))) continue;
        bool near = f >= 0 && ref[r] >= 0 && !(logit(t, r, f) < logit(t, r, ref[r]) - 2 * err);
        if (!near) tt_check_compare1(w, "argmax", f, ref[r], 0);
    }
}

double tt_check_head(const tt_head *t)
{
    tt_copies c = {0};
    WHERE(w, "head", "R %lld D %lld V %lld chunk %lld", (long long)t->R, (long long)t->D, (long long)t->V,
          (long long)t->chunk);
    tt_head u = *t;
    u.token = tt_check_room(&c, t->R);
    u.nll = t->nll ? tt_check_room(&c, t->R) : NULL;
    u.argmax = t->argmax ? (int32_t *)tt_check_room(&c, t->R) : NULL;
    u.dh = tt_check_copy(&c, t->R * t->D, t->dh);
    u.dW = tt_check_copy(&c, t->V * t->D, t->dW);
    double hm = widest_head(t->R, 1, (int)t->D, t->h, t->D), wm = widest_head(t->V, 1, (int)t->D, t->W, t->D);
    if (t->join) wm *= 4; /* the other parts' weights are not known here */
    double top = fabs((double)t->scale) * hm * wm, err = ULP * (top * (8 + sqrt((double)t->D)) + 16);
    double most = top + log((double)head_V(t)), weight = tt_check_largest(t->R, t->weight);
    double was_h = ULP * tt_check_largest(t->R * t->D, t->dh), was_w = ULP * tt_check_largest(t->V * t->D, t->dW);
    double fast = tt_fast_head(t), ref = tt_ref_head(&u);
    double etoken = 2 * err * (1 + 2 * t->zloss * most) + 4 * ULP * most;
    double slope = weight * 2 * (1 + 2 * t->zloss * most) * fabs((double)t->scale);
    double eg = slope * (2 * err + ULP * (8 + sqrt((double)t->V)));
    tt_check_compare(&w, "token", t->R, t->token, u.token, etoken);
    tt_check_compare(&w, "nll", t->R, t->nll, u.nll, etoken);
    compare_argmax(&w, t, u.argmax, err);
    /* ref adds V terms to dh and R to dW one float at a time */
    tt_check_compare(&w, "dh", t->R * t->D, t->dh, u.dh, (eg * 2 + ULP * slope * sqrt((double)t->V)) * wm + 4 * was_h);
    tt_check_compare(&w, "dW", t->V * t->D, t->dW, u.dW, eg * hm * (2 + sqrt((double)t->R)) + 4 * was_w);
    tt_check_compare1(&w, "the loss", fast, ref, (etoken * weight + 4 * ULP * fabs(ref)) * (double)(t->R + 1));
    return fast;
}

double tt_check_logsumexp(int64_t n, const float *z, int64_t *best)
{
    WHERE(w, "logsumexp", "n %lld", (long long)n);
    int64_t fast_at, ref_at;
    double fast = tt_fast_logsumexp(n, z, &fast_at), ref = tt_ref_logsumexp(n, z, &ref_at);
    tt_check_compare1(&w, "the place of the largest", (double)fast_at, (double)ref_at, 0);
    tt_check_compare1(&w, "the sum", fast, ref, ULP * (16 + fabs(ref)));
    if (best) *best = fast_at;
    return fast;
}
