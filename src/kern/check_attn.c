/* check: attention. */
#include "check.h"

#include <math.h>
#include <string.h>

#define HALF_ULP 0x1p-8 /* relative error of rounding to bf16 */

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

double tt_check_widest(int64_t R, int H, int K, const float *x, int64_t ld)
{
    double top = 0;
    for (int64_t r = 0; r < R; r++)
        for (int h = 0; h < H; h++) top = fmax(top, tt_check_norm(K, x + r * ld + h * K, 1));
    return top;
}

/* Error of a score, so the relative error of a probability. */
static double score_error(const tt_attn *a, const extents *e, const float *q, int64_t ldq, const float *k, int64_t ldk)
{
    double product = tt_check_widest(e->Rq, a->H, a->K, q, ldq) * tt_check_widest(e->Rk, a->Hkv, a->K, k, ldk);
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

/* Allowed errors of the results; half: relative error of what is rounded on the way. */
typedef struct allowed {
    double lse, o, dq, dk, dv, dbias;
} allowed;

static void allow_fwd(const tt_attn *a, const extents *e, const float *q, int64_t ldq, const float *k, int64_t ldk,
                      const float *v, int64_t ldv, double half, allowed *w)
{
    double vm = tt_check_largest_rows(e->Rk, (int64_t)a->Hkv * a->K, v, ldv);
    w->lse = score_error(a, e, q, ldq, k, ldk);
    w->o = (2 * w->lse + half + ULP * (8 + sqrt(e->most_k))) * vm / (1 - (double)a->drop);
}

static void allow_bwd(const tt_attn *a, const extents *e, const float *q, int64_t ldq, const float *k, int64_t ldk,
                      const float *v, int64_t ldv, const float *dout, int64_t ldo, double half, allowed *w)
{
    int64_t wq = (int64_t)a->H * a->K, wk = (int64_t)a->Hkv * a->K;
    double err = score_error(a, e, q, ldq, k, ldk), up = 1 / (1 - (double)a->drop), group = a->H / a->Hkv;
    double sums = 2 + sqrt((double)e->queries), scale = fabs((double)a->scale);
    /* dP, delta and so dS / P are at most |dout| |v| up. dS errs by twice that times eP; rows of P sum to 1. */
    double g = tt_check_widest(e->Rq, a->H, a->K, dout, ldo) * tt_check_widest(e->Rk, a->Hkv, a->K, v, ldv) * up;
    double eS = 2 * g * (2 * err + ULP * (16 + sqrt(a->K) + sqrt(e->most_k))), eR = eS + 2 * g * half;
    w->dq = scale * eR * tt_check_largest_rows(e->Rk, wk, k, ldk);
    w->dk = scale * eR * tt_check_largest_rows(e->Rq, wq, q, ldq) * sums * group;
    w->dv = (2 * err + half + 16 * ULP) * tt_check_largest_rows(e->Rq, wq, dout, ldo) * up * sums * group;
    w->dbias = eS * sums * sqrt(e->most_k);
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
    allowed most;
    allow_fwd(a, &e, q, ldq, k, ldk, v, ldv, 0, &most);
    tt_check_compare(&w, "lse", e.Rq * a->H, lse, lse2, most.lse);
    compare_rows(&w, "o", e.Rq, width, o, o2, ldo, most.o);
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
    double sums = 2 + sqrt((double)e.queries);
    allowed most;
    allow_bwd(a, &e, q, ldq, k, ldk, v, ldv, dout, ldo, 0, &most);
    double was_q = ULP * tt_check_largest_rows(e.Rq, wq, dq, ldq),
           was_k = ULP * tt_check_largest_rows(e.Rk, wk, dk, ldk);
    double was_v = ULP * tt_check_largest_rows(e.Rk, wk, dv, ldv), was_b = ULP * tt_check_largest(nb, dbias);
    tt_fast_attn_bwd(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias);
    tt_ref_attn_bwd(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq2, dk2, dv2, db2);
    /* ref adds one float at a time: its own roundings grow with the count */
    compare_rows(&w, "dq", e.Rq, wq, dq, dq2, ldq, most.dq + 4 * was_q * sqrt(e.most_k));
    compare_rows(&w, "dk", e.Rk, wk, dk, dk2, ldk, most.dk + 4 * was_k * sums);
    compare_rows(&w, "dv", e.Rk, wk, dv, dv2, ldv, most.dv + 4 * was_v * sums);
    tt_check_compare(&w, "dbias", nb, dbias, db2, most.dbias + 4 * was_b * sums * sqrt(e.most_k));
}

/* ---- bf16: against ref on the same operands, which it has as fp32 ------------------------------------------------*/

static const float *widened(tt_copies *c, int64_t R, int64_t width, const tt_bf16 *x, int64_t ld)
{
    float *y = tt_check_room(c, R * width);
    for (int64_t r = 0; r < R; r++) tt_f32_from_bf16(width, x + r * ld, y + r * width);
    return y;
}

static float *zeros(tt_copies *c, int64_t n, const void *wanted)
{
    return wanted ? memset(tt_check_room(c, n), 0, (size_t)n * sizeof(float)) : NULL;
}

/* Rows of x that segments cover, against ref [R, width]. */
static void compare_half(const tt_where *w, const char *array, tt_copies *c, const tt_attn *a, bool keys, int64_t width,
                         const tt_bf16 *x, int64_t ld, const float *ref, double most)
{
    float *row = tt_check_room(c, width);
    for (int n = 0; n < a->nseg && x; n++) {
        int64_t from = keys ? a->seg[n].k0 : a->seg[n].q0, rows = keys ? a->seg[n].kn : a->seg[n].qn;
        for (int64_t r = from; r < from + rows; r++) {
            tt_f32_from_bf16(width, x + r * ld, row);
            double own = HALF_ULP * tt_check_largest(width, ref + r * width);
            tt_check_compare(w, array, width, row, ref + r * width, most + own);
        }
    }
    c->used--;
}

void tt_check_attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                            const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    tt_copies c = {0};
    tt_where w = {.kernel = "attn_fwd_half"};
    extents e = extents_of(a);
    describe(&w, a, &e);
    int64_t wq = (int64_t)a->H * a->K, wk = (int64_t)a->Hkv * a->K;
    const float *q2 = widened(&c, e.Rq, wq, q, ldq), *k2 = widened(&c, e.Rk, wk, k, ldk);
    const float *v2 = widened(&c, e.Rk, wk, v, ldv);
    float *o2 = tt_check_room(&c, e.Rq * wq), *lse2 = tt_check_copy(&c, e.Rq * a->H, lse);
    tt_fast_attn_fwd_half(a, q, ldq, k, ldk, v, ldv, o, ldo, lse);
    tt_ref_attn_fwd(a, q2, wq, k2, wk, v2, wk, o2, wq, lse2);
    allowed most;
    allow_fwd(a, &e, q2, wq, k2, wk, v2, wk, HALF_ULP, &most);
    tt_check_compare(&w, "lse", e.Rq * a->H, lse, lse2, most.lse);
    compare_half(&w, "o", &c, a, false, wq, o, ldo, o2, most.o);
}

void tt_check_attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                            const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                            const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    tt_copies c = {0};
    tt_where w = {.kernel = "attn_bwd_half"};
    extents e = extents_of(a);
    describe(&w, a, &e);
    int64_t wq = (int64_t)a->H * a->K, wk = (int64_t)a->Hkv * a->K, nb = a->bias ? (int64_t)a->nbucket * a->H : 0;
    const float *q2 = widened(&c, e.Rq, wq, q, ldq), *k2 = widened(&c, e.Rk, wk, k, ldk);
    const float *v2 = widened(&c, e.Rk, wk, v, ldv), *o2 = widened(&c, e.Rq, wq, o, ldo);
    const float *g2 = widened(&c, e.Rq, wq, dout, ldo);
    float *dq2 = zeros(&c, e.Rq * wq, dq), *dk2 = zeros(&c, e.Rk * wk, dk), *dv2 = zeros(&c, e.Rk * wk, dv);
    float *db2 = tt_check_copy(&c, nb, dbias);
    double sums = (2 + sqrt((double)e.queries)) * sqrt(e.most_k), was_b = ULP * tt_check_largest(nb, dbias);
    tt_fast_attn_bwd_half(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias);
    tt_ref_attn_bwd(a, q2, wq, k2, wk, v2, wk, o2, g2, wq, lse, dq2, dk2, dv2, db2);
    allowed most;
    allow_bwd(a, &e, q2, wq, k2, wk, v2, wk, g2, wq, HALF_ULP, &most);
    compare_half(&w, "dq", &c, a, false, wq, dq, ldq, dq2, most.dq);
    compare_half(&w, "dk", &c, a, true, wk, dk, ldk, dk2, most.dk);
    compare_half(&w, "dv", &c, a, true, wk, dv, ldv, dv2, most.dv);
    tt_check_compare(&w, "dbias", nb, dbias, db2, most.dbias + 4 * was_b * sums);
}
