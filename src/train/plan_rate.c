/* How fast this machine runs the kernels, at the sizes a plan has, cut where they would take long. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PART = 4 << 20, /* floats of one operand at most: beyond the last cache, as a slab is */
    PARTS = 3,
    ROWS = 1 << 20, /* floats of a row kernel: an activation of a grain */
    HEADS = 4,
    TIMES = 2
};
static const double flops_most = 6e8; /* of one measured product: some milliseconds */

static bool is_half(tt_dry_kind k) { return k >= TT_DRY_GEMM_HALF && k <= TT_DRY_ATTN_BWD_HALF; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- one call of each kind: returns the work done -------------------------------------------------------------------------*/

/* The same memory as bf16. */
static tt_bf16 *halves(float *x) { return (tt_bf16 *)(void *)x; }

/* Halves the longest side until the product is short. */
static double run_gemm(const tt_dry_call *c, float *x)
{
    int64_t d[3] = {c->m, c->n, c->k};
    for (;;) {
        int top = d[0] >= d[1] && d[0] >= d[2] ? 0 : d[1] >= d[2] ? 1 : 2;
        bool fits = d[0] * d[1] <= PART && d[1] * d[2] <= PART && d[0] * d[2] <= PART;
        if (fits && 2.0 * (double)d[0] * (double)d[1] * (double)d[2] <= flops_most) break;
        d[top] /= 2;
    }
    int64_t lda = c->ta ? d[0] : d[2], ldb = c->tb ? d[2] : d[1];
    if (c->kind == TT_DRY_GEMM_HALF)
        tt_kern_fast.gemm_half(c->ta, c->tb, d[0], d[1], d[2], 1, halves(x), lda, halves(x + PART), ldb, 0,
                               c->ta ? TT_SINGLE : TT_HALF, x + 2 * PART, d[1]);
    else
        tt_kern_fast.gemm(c->ta, c->tb, d[0], d[1], d[2], 1, x, lda, x + PART, ldb, 0, x + 2 * PART, d[1]);
    return 2.0 * (double)d[0] * (double)d[1] * (double)d[2];
}

static double run_head(const tt_dry_call *c, float *x)
{
    int64_t D = least(c->k, 8192), V = least(c->n, PART / D), R = least(least(c->m, 256), PART / (2 * V));
    float *h = x + 2 * PART + PART / 2, *row = h + 2 * R * D;
    int32_t *y = (int32_t *)(void *)(row + 2 * R);
    if (R < 1 || (3 * R + 2 * R * D) > PART / 2) R = 1;
    for (int64_t r = 0; r < R; r++) y[r] = (int32_t)(r % V);
    tt_head p = {.R = R, .D = D, .V = V, .h = h, .W = x, .scale = 1, .y = y, .weight = row, .chunk = R};
    p.work = x + 2 * PART;
    p.token = row + R;
    bool half = c->kind == TT_DRY_HEAD_HALF;
    if (half) {
        p.hh = halves(h);
        p.Wh = halves(x);
        p.h = p.W = NULL;
    }
    if (c->ta && half) p.dhh = halves(h + R * D);
    if (c->ta && !half) p.dh = h + R * D;
    if (c->tb) p.dW = x + PART;
    tt_kern_fast.head(&p);
    return 2.0 * (1 + c->ta + c->tb) * (double)R * (double)V * (double)D;
}

static void attend_half(const tt_attn *a, float *x, int64_t ld, int64_t part, float *lse, bool back, float *dbias)
{
    tt_bf16 *at[8];
    for (int i = 0; i < 8; i++) at[i] = halves(x + i * part);
    if (back)
        tt_kern_fast.attn_bwd_half(a, at[0], ld, at[1], ld, at[2], ld, at[3], at[4], ld, lse, at[5], at[6], at[7],
                                   dbias);
    else
        tt_kern_fast.attn_fwd_half(a, at[0], ld, at[1], ld, at[2], ld, at[3], ld, lse);
}

static double run_attn(const tt_dry_call *c, float *x)
{
    int64_t q = least(c->m, 512), k = least(c->n, 512), K = least(c->k, 256), ld = HEADS * K, part = 512 * ld;
    bool back = c->kind == TT_DRY_ATTN_BWD || c->kind == TT_DRY_ATTN_BWD_HALF;
    tt_seg seg = {.qn = (int)q, .kn = (int)k};
    tt_attn a = {.nseg = 1, .seg = &seg, .H = HEADS, .Hkv = HEADS, .K = (int)K, .scale = 1, .causal = c->ta};
    a.bias = c->tb ? x + 9 * part : NULL;
    a.nbucket = 32;
    a.max_distance = 128;
    a.bidirectional = !c->ta;
    float *lse = x + 8 * part, *dbias = c->tb ? x + 9 * part + HEADS * 32 : NULL;
    if (is_half(c->kind))
        attend_half(&a, x, ld, part, lse, back, dbias);
    else if (back)
        tt_kern_fast.attn_bwd(&a, x, ld, x + part, ld, x + 2 * part, ld, x + 3 * part, x + 4 * part, ld, lse,
                              x + 5 * part, x + 6 * part, x + 7 * part, dbias);
    else
        tt_kern_fast.attn_fwd(&a, x, ld, x + part, ld, x + 2 * part, ld, x + 3 * part, ld, lse);
    return (back ? 10.0 : 4.0) * (double)q * (c->ta ? (double)(k + 1) / 2 : (double)k) * (double)ld;
}

static double run_norm(const tt_dry_call *c, float *x)
{
    int64_t D = least(c->n, ROWS), R = least(c->m, ROWS / D);
    float *y = x + ROWS, *dx = x + 2 * ROWS, *w = x + 3 * ROWS, *dw = w + D, *rstd = dw + D, *mean = rstd + R;
    switch (c->kind) {
    case TT_DRY_RMS_FWD: tt_kern_fast.add_rms_fwd(TT_SINGLE, R, D, x, NULL, w, 1e-6f, NULL, y, rstd); break;
    case TT_DRY_RMS_BWD: tt_kern_fast.add_rms_bwd(TT_SINGLE, R, D, x, w, rstd, y, dx, dw, NULL); break;
    case TT_DRY_LN_FWD: tt_kern_fast.ln_fwd(R, D, x, w, NULL, 1e-6f, y, mean, rstd); break;
    default: tt_kern_fast.ln_bwd(R, D, x, w, mean, rstd, y, dx, dw, NULL);
    }
    return (double)R * (double)D;
}

static double run_act(const tt_dry_call *c, float *x)
{
    float *a = x, *b = x + ROWS, *y = x + 2 * ROWS, *d = x + 3 * ROWS;
    switch (c->kind) {
    case TT_DRY_ACT_FWD: tt_kern_fast.act_fwd(TT_GELU_NEW, ROWS, a, y); break;
    case TT_DRY_ACT_BWD: tt_kern_fast.act_bwd(TT_GELU_NEW, ROWS, a, b, y); break;
    case TT_DRY_GLU_FWD: tt_kern_fast.glu_fwd(TT_GELU_NEW, 1, ROWS, a, ROWS, b, ROWS, y); break;
    case TT_DRY_GLU_BWD: tt_kern_fast.glu_bwd(TT_GELU_NEW, 1, ROWS, a, ROWS, b, ROWS, y, d, d + ROWS, false); break;
    default: tt_kern_fast.dropout(ROWS, 0.1f, 1, a, y, false);
    }
    return ROWS;
}

static double run_embed(const tt_dry_call *c, float *x)
{
    int64_t D = least(c->n, PART / 64), V = PART / D, R = least(c->m, ROWS / D);
    int32_t *ids = (int32_t *)(void *)(x + 2 * PART);
    for (int64_t r = 0; r < R; r++) ids[r] = (int32_t)(r * 7919 % V);
    if (c->kind == TT_DRY_EMBED_FWD)
        tt_kern_fast.embed_fwd(R, D, ids, x, x + PART);
    else
        tt_kern_fast.embed_bwd(R, D, ids, x + PART, x);
    return (double)R * (double)D;
}

/* Whole slabs: nothing stays in a cache. */
static double run_slab(const tt_dry_call *c, float *x)
{
    enum { N = PART / 4 * PARTS, SIDE = 1024 };
    tt_adam adam = {.lr = 1e-9, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .gscale = 1, .t = 10};
    tt_adafactor ada = {.lr = 1e-9, .beta2t = 0.9, .eps1 = 1e-30, .eps2 = 1e-3, .clip = 1, .factored = true};
    ada.gscale = 1;
    ada.param_scale = true;
    switch (c->kind) {
    case TT_DRY_ADD: tt_kern_fast.add(N, x, x + N); return N;
    case TT_DRY_SUMSQ: tt_kern_fast.sumsq(N, x); return N;
    case TT_DRY_ADAM: tt_kern_fast.adam(&adam, N, x, x + N, x + 2 * N, x + 3 * N); return N;
    case TT_DRY_ADAFACTOR:
        tt_kern_fast.adafactor(&ada, 1, SIDE, N / SIDE, x, x + N, x + 3 * N, x + 3 * N + SIDE, NULL, NULL, x + 2 * N);
        return N;
    default: memcpy(x, x + 2 * N, 2 * sizeof(float) * N); return 4.0 * sizeof(float) * N;
    }
}

typedef struct kind {
    double (*run)(const tt_dry_call *c, float *x);
    double
        passes; /* floats read and written per unit of work: what is reckoned where nothing is measured; 0: a product */
} kind;

static const kind kinds[TT_DRY_KINDS] = {
    [TT_DRY_GEMM] = {run_gemm, 0},          [TT_DRY_HEAD] = {run_head, 0},       [TT_DRY_ATTN_FWD] = {run_attn, 0},
    [TT_DRY_GEMM_HALF] = {run_gemm, 0},     [TT_DRY_HEAD_HALF] = {run_head, 0},  [TT_DRY_ATTN_FWD_HALF] = {run_attn, 0},
    [TT_DRY_ATTN_BWD_HALF] = {run_attn, 0}, [TT_DRY_ATTN_BWD] = {run_attn, 0},   [TT_DRY_RMS_FWD] = {run_norm, 2},
    [TT_DRY_RMS_BWD] = {run_norm, 4},       [TT_DRY_LN_FWD] = {run_norm, 2},     [TT_DRY_LN_BWD] = {run_norm, 4},
    [TT_DRY_ACT_FWD] = {run_act, 2},        [TT_DRY_ACT_BWD] = {run_act, 4},     [TT_DRY_GLU_FWD] = {run_act, 3},
    [TT_DRY_GLU_BWD] = {run_act, 7},        [TT_DRY_EMBED_FWD] = {run_embed, 2}, [TT_DRY_EMBED_BWD] = {run_embed, 3},
    [TT_DRY_DROPOUT] = {run_act, 3},        [TT_DRY_ADD] = {run_slab, 3},        [TT_DRY_SUMSQ] = {run_slab, 1},
    [TT_DRY_ADAM] = {run_slab, 7},          [TT_DRY_ADAFACTOR] = {run_slab, 6},  [TT_DRY_PASS] = {run_slab, 0.25},
};

bool plan_is_product(tt_dry_kind k) { return kinds[k].passes == 0; }

/* ---- measuring ------------------------------------------------------------------------------------------------------------*/

static void make_room(rates *r)
{
    if (r->room) return;
    r->room = tt_malloc_large(sizeof(float) * PARTS * PART);
    for (int64_t i = 0; i < (int64_t)PARTS * PART; i++) { /* small numbers, read as floats or as halves */
        float value = 0.01f * (float)(i % 13 - 6);
        tt_bf16 *pair = halves(r->room + i);
        tt_bf16_from_f32(1, &value, pair);
        pair[1] = pair[0];
    }
}

/* With one thread the processor's time of this thread: others who use the machine do not count. */
static double clock_of(const tt_job *j)
{
    struct timespec t;
    if (j->mesh.threads > 1) return tt_now();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double measure(rates *r, const tt_job *j, const tt_dry_call *c)
{
    double best = INFINITY, start = clock_of(j);
    make_room(r);
    kinds[c->kind].run(c, r->room);
    for (int i = 0; i < TIMES; i++) {
        double t0 = clock_of(j), work = kinds[c->kind].run(c, r->room), per = (clock_of(j) - t0) / work;
        if (per < best) best = per;
    }
    r->budget -= clock_of(j) - start;
    return best;
}

/* As the job's keys have it; without plan.gflops_bf16 bf16 is twice as fast. */
static double reckoned(const tt_job *j, tt_dry_kind k)
{
    double half = j->plan.gflops_bf16 > 0 ? j->plan.gflops_bf16 : 2 * j->plan.gflops;
    return plan_is_product(k) ? 1e-9 / (is_half(k) ? half : j->plan.gflops)
                              : kinds[k].passes * sizeof(float) * 1e-9 / j->plan.pass;
}

static bool same_call(const tt_dry_call *a, const tt_dry_call *b)
{
    return a->kind == b->kind && a->ta == b->ta && a->tb == b->tb && a->m == b->m && a->n == b->n && a->k == b->k;
}

static double distance(const tt_dry_call *a, const tt_dry_call *b)
{
    double d = fabs(log2((double)(a->m + 1) / (double)(b->m + 1)));
    d += fabs(log2((double)(a->n + 1) / (double)(b->n + 1))) + fabs(log2((double)(a->k + 1) / (double)(b->k + 1)));
    return d + (a->ta != b->ta) + (a->tb != b->tb);
}

/* The rate of the nearest size of that kind. */
static double nearest(const rates *r, const tt_job *j, const tt_dry_call *c)
{
    double best = INFINITY, per = reckoned(j, c->kind);
    for (int i = 0; i < r->n; i++) {
        const rate_of *k = &r->known[i];
        if (k->call.kind != c->kind || distance(&k->call, c) >= best) continue;
        best = distance(&k->call, c);
        per = k->per_work;
    }
    return per;
}

static double per_work(tt_planner *p, const tt_dry_call *c)
{
    rates *r = &p->rates;
    if (!p->job->plan.calibrate) return reckoned(p->job, c->kind);
    for (int i = 0; i < r->n; i++)
        if (same_call(&r->known[i].call, c)) return r->known[i].per_work;
    if (r->budget <= 0 || r->n == RATES_MOST) {
        r->guessed++;
        return nearest(r, p->job, c);
    }
    r->known[r->n++] = (rate_of){*c, measure(r, p->job, c)};
    return r->known[r->n - 1].per_work;
}

double plan_seconds(tt_planner *p, const tt_dry_call *c) { return c->work * per_work(p, c); }

/* Half of a copy's bytes are read, half written. */
double plan_copy_rate(tt_planner *p)
{
    return 0.5 / per_work(p, &(tt_dry_call){.kind = TT_DRY_PASS, .m = 1, .n = 1, .k = 1});
}
