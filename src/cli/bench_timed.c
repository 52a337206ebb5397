/* The fast kernels under a stopwatch: a table like the others whose members add up time, calls and operations. */
#include "bench.h"

enum {
    GEMM,
    LINEAR,
    RMS_FWD,
    RMS_BWD,
    LN_FWD,
    LN_BWD,
    ACT_FWD,
    ACT_BWD,
    GLU_FWD,
    GLU_BWD,
    ATTN_FWD,
    ATTN_BWD,
    EMBED_FWD,
    EMBED_BWD,
    DROPOUT,
    HEAD,
    LOGSUMEXP,
    ADD,
    SCALE,
    SUMSQ,
    ADAM,
    ADAFACTOR,
    CONVERT,
    KERNELS
};

static _Thread_local tt_lap lap[KERNELS + 1] = {
    [GEMM] = {"gemm"},           [LINEAR] = {"linear"},       [LOGSUMEXP] = {"logsumexp"},
    [RMS_FWD] = {"rms_fwd"},     [RMS_BWD] = {"rms_bwd"},     [LN_FWD] = {"ln_fwd"},
    [LN_BWD] = {"ln_bwd"},       [ACT_FWD] = {"act_fwd"},     [ACT_BWD] = {"act_bwd"},
    [GLU_FWD] = {"glu_fwd"},     [GLU_BWD] = {"glu_bwd"},     [ATTN_FWD] = {"attn_fwd"},
    [ATTN_BWD] = {"attn_bwd"},   [EMBED_FWD] = {"embed_fwd"}, [EMBED_BWD] = {"embed_bwd"},
    [DROPOUT] = {"dropout"},     [HEAD] = {"head"},           [ADD] = {"add"},
    [SCALE] = {"scale"},         [SUMSQ] = {"sumsq"},         [ADAM] = {"adam"},
    [ADAFACTOR] = {"adafactor"}, [CONVERT] = {"convert"},
};

const tt_lap *tt_laps(void) { return lap; }

void tt_laps_clear(void)
{
    for (int i = 0; i < KERNELS; i++) lap[i] = (tt_lap){.kernel = lap[i].kernel};
}

static void stop(int i, double start, double flops)
{
    lap[i].seconds += tt_now() - start;
    lap[i].flops += flops;
    lap[i].calls++;
}

#define TIMED(i, flops, call) \
    double start = tt_now();  \
    tt_kern_fast.call;        \
    stop(i, start, flops)

/* Scores that are seen, times 2 K per product. */
static double attn_flops(const tt_attn *a, int products)
{
    double seen = 0;
    for (int n = 0; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n];
        for (int i = 0; i < s->qn; i++) {
            int lo = a->window > 0 && s->p0 + i >= a->window ? s->p0 + i - a->window + 1 : 0;
            int hi = a->causal && s->p0 + i + 1 < s->kn ? s->p0 + i + 1 : s->kn;
            seen += hi > lo ? hi - lo : 0;
        }
    }
    return 2.0 * products * seen * a->H * a->K;
}

static void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                 const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    TIMED(GEMM, 2.0 * (double)m * (double)n * (double)k, gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc));
}

static void linear(int64_t R, int64_t out, int64_t in, float a, const float *x, const float *w, float *y)
{
    TIMED(LINEAR, 2.0 * (double)R * (double)out * (double)in, linear(R, out, in, a, x, w, y));
}

static void rms_fwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y, float *rstd)
{
    TIMED(RMS_FWD, 0, rms_fwd(R, D, x, w, wplus, eps, y, rstd));
}

static void rms_bwd(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,
                    const float *dy, float *dx, float *dw)
{
    TIMED(RMS_BWD, 0, rms_bwd(R, D, x, w, wplus, rstd, dy, dx, dw));
}

static void ln_fwd(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,
                   float *mean, float *rstd)
{
    TIMED(LN_FWD, 0, ln_fwd(R, D, x, w, b, eps, y, mean, rstd));
}

static void ln_bwd(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,
                   const float *dy, float *dx, float *dw, float *db)
{
    TIMED(LN_BWD, 0, ln_bwd(R, D, x, w, mean, rstd, dy, dx, dw, db));
}

static void act_fwd(tt_act act, int64_t n, const float *x, float *y) { TIMED(ACT_FWD, 0, act_fwd(act, n, x, y)); }

static void act_bwd(tt_act act, int64_t n, const float *x, const float *dy, float *dx)
{
    TIMED(ACT_BWD, 0, act_bwd(act, n, x, dy, dx));
}

static void glu_fwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    float *y)
{
    TIMED(GLU_FWD, 0, glu_fwd(act, R, F, g, ldg, u, ldu, y));
}

static void glu_bwd(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    const float *dy, float *dg, float *du, bool acc)
{
    TIMED(GLU_BWD, 0, glu_bwd(act, R, F, g, ldg, u, ldu, dy, dg, du, acc));
}

static void add_rms_fwd(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps,
                        float *sum, void *y, float *rstd)
{
    TIMED(RMS_FWD, 0, add_rms_fwd(type, R, D, h, f, w, eps, sum, y, rstd));
}

static void add_rms_bwd(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                        const void *dy, float *dx, float *dw, tt_bf16 *dxh)
{
    TIMED(RMS_BWD, 0, add_rms_bwd(type, R, D, x, w, rstd, dy, dx, dw, dxh));
}

static void gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                      const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc)
{
    TIMED(GEMM, 2.0 * (double)m * (double)n * (double)k,
          gemm_half(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, ctype, C, ldc));
}

static void to_half(int64_t n, const float *x, tt_bf16 *y) { TIMED(CONVERT, 0, to_half(n, x, y)); }

static void add_half(int64_t n, const tt_bf16 *x, float *y) { TIMED(ADD, 0, add_half(n, x, y)); }

static void act_fwd_half(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y)
{
    TIMED(ACT_FWD, 0, act_fwd_half(act, n, x, y));
}

static void act_bwd_half(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx)
{
    TIMED(ACT_BWD, 0, act_bwd_half(act, n, x, dy, dx));
}

static void glu_fwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         tt_bf16 *y)
{
    TIMED(GLU_FWD, 0, glu_fwd_half(act, R, F, g, ldg, u, ldu, y));
}

static void glu_bwd_half(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du)
{
    TIMED(GLU_BWD, 0, glu_bwd_half(act, R, F, g, ldg, u, ldu, dy, dg, du));
}

static void dropout_half(int64_t n, float p, tt_rkey key, const tt_bf16 *x, tt_bf16 *y)
{
    TIMED(DROPOUT, 0, dropout_half(n, p, key, x, y));
}

static void attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, float *o, int64_t ldo, float *lse)
{
    TIMED(ATTN_FWD, attn_flops(a, 2), attn_fwd(a, q, ldq, k, ldk, v, ldv, o, ldo, lse));
}

static void attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                     float *dk, float *dv, float *dbias)
{
    TIMED(ATTN_BWD, attn_flops(a, 5), attn_bwd(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias));
}

static void attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    TIMED(ATTN_FWD, attn_flops(a, 2), attn_fwd_half(a, q, ldq, k, ldk, v, ldv, o, ldo, lse));
}

static void attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                          const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    TIMED(ATTN_BWD, attn_flops(a, 5), attn_bwd_half(a, q, ldq, k, ldk, v, ldv, o, dout, ldo, lse, dq, dk, dv, dbias));
}

static void embed_fwd(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y)
{
    TIMED(EMBED_FWD, 0, embed_fwd(R, D, ids, E, y));
}

static void embed_bwd(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE)
{
    TIMED(EMBED_BWD, 0, embed_bwd(R, D, ids, dy, dE));
}

static void dropout(int64_t n, float p, tt_rkey key, const float *x, float *y, bool acc)
{
    TIMED(DROPOUT, 0, dropout(n, p, key, x, y, acc));
}

static double head(const tt_head *h)
{
    double rows = 0, start = tt_now();
    for (int64_t r = 0; r < h->R; r++) rows += h->y[r] >= 0;
    double loss = tt_kern_fast.head(h);
    stop(HEAD, start, 2 * rows * (double)h->D * (double)h->V * (1 + (h->dh || h->dhh) + (h->dW != NULL)));
    return loss;
}

static double logsumexp(int64_t n, const float *z, int64_t *best)
{
    double start = tt_now(), lse = tt_kern_fast.logsumexp(n, z, best);
    stop(LOGSUMEXP, start, 0);
    return lse;
}

static void add(int64_t n, const float *x, float *y) { TIMED(ADD, 0, add(n, x, y)); }

static void scale(int64_t n, float a, float *x) { TIMED(SCALE, 0, scale(n, a, x)); }

static double sumsq(int64_t n, const float *x)
{
    double start = tt_now(), s = tt_kern_fast.sumsq(n, x);
    stop(SUMSQ, start, 0);
    return s;
}

static void adam(const tt_adam *o, int64_t n, float *w, const float *g, float *m, float *v)
{
    TIMED(ADAM, 0, adam(o, n, w, g, m, v));
}

static void adafactor(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *w, const float *g,
                      float *row, float *col, float *full, float *mom, float *work)
{
    TIMED(ADAFACTOR, 0, adafactor(o, batch, rows, cols, w, g, row, col, full, mom, work));
}

const tt_kern tt_kern_timed = {
    .name = "timed",
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
    .attn_fwd = attn_fwd,
    .attn_bwd = attn_bwd,
    .embed_fwd = embed_fwd,
    .embed_bwd = embed_bwd,
    .dropout = dropout,
    .head = head,
    .logsumexp = logsumexp,
    .add = add,
    .scale = scale,
    .sumsq = sumsq,
    .adam = adam,
    .adafactor = adafactor,
};
