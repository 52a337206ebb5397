/* The table of dry runs: kernels that add up what they were asked for, and touch nothing. */
#include "tutti/kern.h"

enum { CALLS_MOST = 4096 };

static _Thread_local tt_dry_call list[CALLS_MOST];
static _Thread_local int count;

void tt_dry_clear(void) { count = 0; }

const tt_dry_call *tt_dry_calls(int *n)
{
    *n = count;
    return list;
}

/* Up to three significant bits: 1 2 3 4 5 6 7 8 10 12 14 16 20 ... */
static int64_t rounded(int64_t n)
{
    int64_t unit = 1;
    while (n > 8 * unit) unit *= 2;
    return (n + unit - 1) / unit * unit;
}

static bool alike(const tt_dry_call *a, const tt_dry_call *b)
{
    return a->kind == b->kind && a->ta == b->ta && a->tb == b->tb && a->m == b->m && a->n == b->n && a->k == b->k;
}

static void tally(tt_dry_kind kind, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double calls, double work)
{
    tt_dry_call c = {kind, ta, tb, rounded(m), rounded(n), rounded(k), calls, work};
    int i = 0;
    while (i < count && !alike(&list[i], &c)) i++;
    if (i == CALLS_MOST) i--; /* a list that long says all it can */
    if (i == count)
        list[count++] = c;
    else
        list[i].calls += calls, list[i].work += work;
}

static void rows(tt_dry_kind kind, int64_t R, int64_t D)
{
    tally(kind, false, false, R, D, 1, 1, (double)R * (double)D);
}

/* Sizes do not matter here. */
static void elements(tt_dry_kind kind, int64_t n) { tally(kind, false, false, 1, 1, 1, 1, (double)n); }

void tt_dry_pass(size_t bytes) { elements(TT_DRY_PASS, (int64_t)bytes); }

static void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                 const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    tally(TT_DRY_GEMM, ta, tb, m, n, k, 1, 2.0 * (double)m * (double)n * (double)k);
}

static void linear(int64_t R, int64_t out, int64_t in, float a, const float *x, const float *w, float *y)
{
    tally(TT_DRY_GEMM, false, true, R, out, in, 1, 2.0 * (double)R * (double)out * (double)in);
}

static void rms_fwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y, float *rstd)
{
    rows(TT_DRY_RMS_FWD, R, D);
}

static void rms_bwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,
                    const float *dy, float *dx, float *dw)
{
    rows(TT_DRY_RMS_BWD, R, D);
}

static void ln_fwd(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,
                   float *mean, float *rstd)
{
    rows(TT_DRY_LN_FWD, R, D);
}

static void ln_bwd(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,
                   const float *dy, float *dx, float *dw, float *db)
{
    rows(TT_DRY_LN_BWD, R, D);
}

static void act_fwd(tt_act act, int64_t n, const float *x, float *y) { elements(TT_DRY_ACT_FWD, n); }
static void act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx) { elements(TT_DRY_ACT_BWD, n); }

static void glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    float *y)
{
    elements(TT_DRY_GLU_FWD, R * F);
}

static void glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    const float *dy, float *dg, float *du, bool acc)
{
    elements(TT_DRY_GLU_BWD, R * F);
}

/* Scores that are computed, whatever the window: a causal row sees half of the keys. */
static void attend(tt_dry_kind kind, const tt_attn *a, int products)
{
    for (int i = 0; i < a->nseg; i++) {
        const tt_seg *s = &a->seg[i];
        double seen = (double)s->qn * (a->causal ? (double)(s->kn + 1) / 2 : (double)s->kn);
        tally(kind, a->causal, a->bias != NULL, s->qn, s->kn, a->K, 1, 2.0 * products * seen * a->H * a->K);
    }
}

static void attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, float *o, int64_t ldo, float *lse)
{
    attend(TT_DRY_ATTN_FWD, a, 2);
}

static void attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                     float *dk, float *dv, float *dbias)
{
    attend(TT_DRY_ATTN_BWD, a, 5);
}

static void embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    rows(TT_DRY_EMBED_FWD, R, D);
}

static void embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE)
{
    rows(TT_DRY_EMBED_BWD, R, D);
}

static void dropout(int64_t n, float p, tt_rkey key, const float *x, float *y, bool acc)
{
    elements(TT_DRY_DROPOUT, n);
}

static void dropout_part(int64_t R, int64_t n, int64_t of, int64_t lo, float p, tt_rkey key, const float *x, float *y,
                         bool acc)
{
    elements(TT_DRY_DROPOUT, R * n);
}

static double head(const tt_head *h)
{
    bool dh = h->dh || h->dhh;
    int products = 1 + dh + (h->dW != NULL);
    tally(h->hh ? TT_DRY_HEAD_HALF : TT_DRY_HEAD, dh, h->dW != NULL, h->R, h->V, h->D, 1,
          2.0 * products * (double)h->R * (double)h->V * (double)h->D);
    return 0;
}

static double logsumexp(int64_t n, const float *z, int64_t *best) { return 0; }
static void add(int64_t n, const float *x, float *y) { elements(TT_DRY_ADD, n); }
static void scale(int64_t n, float a, float *x) { elements(TT_DRY_ADD, n); }

static double sumsq(int64_t n, const float *x)
{
    elements(TT_DRY_SUMSQ, n);
    return 0;
}

static void adam(const tt_adam *o, int64_t n, float *w, const float *g, float *m, float *v)
{
    elements(TT_DRY_ADAM, n);
}

static void adafactor(const tt_adafactor *o, int64_t batch, int64_t nrows, int64_t cols, float *w, const float *g,
                      float *row, float *col, float *full, float *mom, float *work)
{
    elements(TT_DRY_ADAFACTOR, batch * nrows * cols);
}

static void add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps,
                        float *sum, void *y, float *rstd)
{
    rows(TT_DRY_RMS_FWD, R, D);
    if (f) elements(TT_DRY_ADD, R * D);
}

static void add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                        const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    rows(TT_DRY_RMS_BWD, R, D);
    if (dxh) tt_dry_pass(sizeof *dxh * (size_t)(R * D));
}

/* ---- bf16: products by kinds of their own, what lies between them as its kind in half the elements: bytes decide ---------------*/

static void gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                      const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc)
{
    tally(TT_DRY_GEMM_HALF, ta, tb, m, n, k, 1, 2.0 * (double)m * (double)n * (double)k);
}

static void halves(tt_dry_kind kind, int64_t n) { elements(kind, (n + 1) / 2); }

static void to_half(int64_t n, const float *x, tt_bf16 *y) { tt_dry_pass((sizeof *x + sizeof *y) * (size_t)n); }

static void add_half(int64_t n, const tt_bf16 *x, float *y) { elements(TT_DRY_ADD, n); }

static void act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y) { halves(TT_DRY_ACT_FWD, n); }

static void act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx)
{
    halves(TT_DRY_ACT_BWD, n);
}

static void glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         tt_bf16 *y)
{
    halves(TT_DRY_GLU_FWD, R * F);
}

static void glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    halves(TT_DRY_GLU_BWD, R * F);
}

static void dropout_half(int64_t n, float p, tt_rkey key, const tt_bf16 *x, tt_bf16 *y) { halves(TT_DRY_DROPOUT, n); }

static void attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    attend(TT_DRY_ATTN_FWD_HALF, a, 2);
}

static void attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                          const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    attend(TT_DRY_ATTN_BWD_HALF, a, 5);
}

const tt_kern tt_kern_dry = {
    .name = "dry",
    .gemm = gemm,
    .linear = linear,
    .rms_fwd = rms_fwd,
    .rms_bwd = rms_bwd,
    .ln_fwd = ln_fwd,
    .ln_bwd = ln_bwd,
    .act_fwd = act_fwd,
    .act_bwd = act_bwd,
    .glu_fwd = glu_fwd,
    .glu_bwd = glu_bwd,
    .attn_fwd = attn_fwd,
    .attn_bwd = attn_bwd,
    .embed_fwd = embed_fwd,
    .embed_bwd = embed_bwd,
    .dropout = dropout,
    .dropout_part = dropout_part,
    .head = head,
    .logsumexp = logsumexp,
    .add = add,
    .scale = scale,
    .sumsq = sumsq,
    .adam = adam,
    .adafactor = adafactor,
    .add_rms_fwd = add_rms_fwd,
    .add_rms_bwd = add_rms_bwd,
    .gemm_half = gemm_half,
    .to_half = to_half,
    .add_half = add_half,
    .act_fwd_half = act_fwd_half,
    .act_bwd_half = act_bwd_half,
    .glu_fwd_half = glu_fwd_half,
    .glu_bwd_half = glu_bwd_half,
    .dropout_half = dropout_half,
    .attn_fwd_half = attn_fwd_half,
    .attn_bwd_half = attn_bwd_half,
};
