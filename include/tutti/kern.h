/* kern: kernels on plain arrays, in three tables.
 *
 *   tt_kern_ref    plain loops, the specification (sums in double)
 *   tt_kern_fast   what runs
 *   tt_kern_check  runs both, compares, aborts the run with kernel, shape and the worst element when they differ
 *
 * TUTTI_KERN=ref|fast|check chooses for a whole run. All kernels are local, and their bits
 * depend on their arguments only (not on the rank, the address or the time): the exact sum rests on that.
 *
 * Every batch is ragged: R rows of whole examples one after the other, no padding. A backward kernel adds to its gradient
 * outputs (dx += ...). A gradient pointer may be NULL: that part is not computed. Arrays do not overlap unless said. */
#ifndef TUTTI_KERN_H
#define TUTTI_KERN_H

#include "tutti/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a tensor's elements are stored. bf16: the upper half of a float32, rounded to nearest even. */
typedef uint16_t tt_bf16;
typedef enum tt_prec { TT_SINGLE, TT_HALF } tt_prec;

typedef enum tt_act { TT_RELU, TT_GELU, TT_GELU_NEW, TT_SILU, TT_QUICK_GELU, TT_TANH, TT_IDENTITY } tt_act;
/* relu | gelu (erf) | gelu_new, gelu_pytorch_tanh (tanh form) | silu, swish | quick_gelu | tanh. False if unknown. */
bool tt_act_parse(const char *name, tt_act *out);

/* One attention problem of one example: queries q0..q0+qn-1 attend to keys k0..k0+kn-1.
 * p0 is the position of the first query counted from the first key (0 in training; t when decoding step t with a cache). */
typedef struct tt_seg {
    int q0, qn, k0, kn, p0;
} tt_seg;

/* Softmax attention over segments.
 *   score[i,j,h] = scale * <q[i,h,:], k[j,h/(H/Hkv),:]> + bias[bucket(j - (p0+i)), h]     o[i,h,:] = softmax_j(score) v[j,...]
 * j runs over the segment's keys; causal: j <= p0+i; window w > 0: j > p0+i-w.
 * Relative bias as T5 (Raffel et al. 2020, HF modeling_t5.py _relative_position_bucket); bias NULL: none.
 * Dropout with probability drop on the probabilities: the mask of element (query row, key row, h) is a function of key alone
 * (drop_key), the same in forward and backward. */
typedef struct tt_attn {
    int nseg;
    const tt_seg *seg;
    int H, Hkv, K;
    int h0, Hall; /* these are heads h0 .. h0+H-1 of Hall, for the dropout masks; Hall 0: they are all */
    float scale;
    bool causal;
    int window;
    const float *bias; /* [nbucket, H] */
    int nbucket, max_distance;
    bool bidirectional;
    float drop;
    tt_rkey drop_key;
} tt_attn;

int tt_rel_bucket(int relative, bool bidirectional, int nbucket, int max_distance); /* relative = key - query */

/* What one row of logits comes to: in a part of the vocabulary, or in all of it. */
typedef struct tt_headrow {
    double top, sum; /* the largest logit; sum of exp(z - top) */
    double label;    /* logit of the label; 0 where that lies in another part */
    double mean;     /* sum of z over the part, divided by the whole vocabulary's size */
    int64_t best;    /* the first of the largest, counted in the whole vocabulary */
} tt_headrow;

/* Chunked output head and cross-entropy. Never holds more than chunk rows of logits.
 *   z[r,:] = scale * h[r,:] W^T         W [V,D]
 *   nll[r] = logsumexp(z[r,:]) - z[r,y_r]
 *   token[r] = (1-smooth) * nll[r] + smooth * mean_v(lse - z[r,v]) + zloss * lse^2        (smooth as HF's LabelSmoother)
 *   loss = sum_r weight[r] * token[r]
 * y_r < 0: the row is left out (token[r] = nll[r] = 0, argmax[r] = -1). dh and dW (either may be NULL) receive += d loss.
 * A part of the vocabulary: W [V,D] holds tokens v0 .. v0+V-1 of Vall, and join makes of n rows (a chunk's) as this part sees them what
 * all parts together see. Results are then those of the whole, but dh is this part's share of a sum over parts. */
typedef struct tt_head {
    int64_t R, D, V;
    const float *h, *W;
    float scale;
    const int32_t *y;
    const float *weight; /* [R] */
    float smooth, zloss;
    int64_t chunk;   /* rows per chunk, > 0 */
    float *work;     /* tt_head_work() floats */
    float *token;    /* [R] out: smoothed loss per row, unweighted */
    float *nll;      /* [R] out: plain negative log-likelihood per row; may be NULL */
    int32_t *argmax; /* [R] out: best token (lowest id among ties); may be NULL */
    float *dh, *dW;
    /* bf16: hh instead of h, Wh instead of W, dhh (or dh) receives; logits, loss and dW stay fp32, d loss / dz is rounded once. */
    const tt_bf16 *hh, *Wh;
    tt_bf16 *dhh;                                        /* overwritten, unlike dh */
    int64_t v0, Vall;                                    /* Vall 0: V */
    void (*join)(void *ctx, int64_t n, tt_headrow *row); /* NULL: nobody else has a part */
    void *join_ctx;
} tt_head;
size_t tt_head_work(int64_t chunk, int64_t V, int64_t D);

/* AdamW as torch (Loshchilov & Hutter 2019): w *= 1 - lr*wd; m,v EMAs; w -= lr/(1-b1^t) * m / (sqrt(v/(1-b2^t)) + eps). t from 1.
 * l2: wd*w is added to the gradient instead (Adam with L2). g is multiplied by gscale (clipping) first. */
typedef struct tt_adam {
    double lr, beta1, beta2, eps, wd, gscale;
    int64_t t;
    bool l2;
} tt_adam;

/* Adafactor (Shazeer & Stern 2018) for one tensor [rows, cols] (batch leading matrices), or a vector [n] (factored false).
 * Both published rules: HF's transformers and T5X's (hf-semantics §7). */
typedef struct tt_adafactor {
    double lr;         /* rho: before parameter scale */
    double beta2t;     /* second-moment decay of this step, e.g. 1 - t^-0.8 */
    double eps1, eps2; /* 1e-30, 1e-3 */
    double clip;       /* update RMS threshold */
    double beta1;      /* 0: no momentum */
    double wd;
    bool param_scale; /* lr * max(eps2, rms(w)) */
    bool wd_by_lr;    /* true: w -= wd*a*w (HF); false: w -= wd*w (T5X) */
    bool factored;
    double gscale;
} tt_adafactor;

typedef struct tt_kern {
    const char *name;

    /* C[m,n] = alpha * op(A)[m,k] op(B)[k,n] + beta * C; ta: A is stored [k,m]; tb: B is stored [n,k]. lda, ldb, ldc in elements. */
    void (*gemm)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                 const float *B, int64_t ldb, float beta, float *C, int64_t ldc);

    /* y[R,out] = scale * x[R,in] w[out,in]^T, for inference: the bits of a row depend on that row of x and on w alone, not on R or
     * its place. About as fast as gemm on many rows, and several times as fast on a few, as in decoding. One thread. */
    void (*linear)(int64_t R, int64_t out, int64_t in, float scale, const float *x, const float *w, float *y);

    /* y[r,:] = w * x[r,:] * rstd[r], rstd = 1/sqrt(mean(x^2) + eps). wplus adds a constant to w (Gemma: 1). */
    void (*rms_fwd)(int64_t R, int64_t D, const float *x, const float *w, float wplus, float eps, float *y,
                    float *rstd);
    void (*rms_bwd)(int64_t R, int64_t D, const float *x, const float *w, float wplus, const float *rstd,
                    const float *dy, float *dx, float *dw);
    /* y = w * (x - mean) * rstd + b; biased variance. b may be NULL. */
    void (*ln_fwd)(int64_t R, int64_t D, const float *x, const float *w, const float *b, float eps, float *y,
                   float *mean, float *rstd);
    void (*ln_bwd)(int64_t R, int64_t D, const float *x, const float *w, const float *mean, const float *rstd,
                   const float *dy, float *dx, float *dw, float *db);

    /* y = act(x) */
    void (*act_fwd)(tt_act act, int64_t n, const float *x, float *y);
    void (*act_bwd)(tt_act act, int64_t n, const float *x, const float *dy, float *dx);
    /* y[R,F] = act(g) * u; rows of g and dg begin ldg elements apart, of u and du ldu. acc: dg and du are added to, else set. */
    void (*glu_fwd)(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    float *y);
    void (*glu_bwd)(tt_act act, int64_t R, int64_t F, const float *g, int64_t ldg, const float *u, int64_t ldu,
                    const float *dy, float *dg, float *du, bool acc);

    /* The bits of a segment depend on its own queries, keys and values alone.
     * o and lse out; lse[r*H+h] = logsumexp of the row's scores (-inf where a query has no key; its o is 0). ld*: row strides in
     * elements; head h of row r starts at q + r*ldq + h*K. */
    void (*attn_fwd)(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, float *o, int64_t ldo, float *lse);
    /* dq, dk, dv share the strides of q, k, v; dbias [nbucket,H]. */
    void (*attn_bwd)(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                     int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                     float *dk, float *dv, float *dbias);

    /* y[r,:] = E[ids[r],:]; ids in [0,V) (asserted). */
    void (*embed_fwd)(int64_t R, int64_t D, const int32_t *ids, const float *E, float *y);
    void (*embed_bwd)(int64_t R, int64_t D, const int32_t *ids, const float *dy, float *dE);

    /* y[i] = keep(key, i) ? x[i] / (1-p) : 0. The backward is the same call on dy, added: acc true means y += . In place allowed. */
    void (*dropout)(int64_t n, float p, tt_rkey key, const float *x, float *y, bool acc);

    /* The same for columns lo .. lo+n-1 of rows of `of` columns: y[R,n], element [r,c] is masked as i = r*of + lo + c. */
    void (*dropout_part)(int64_t R, int64_t n, int64_t of, int64_t lo, float p, tt_rkey key, const float *x, float *y,
                         bool acc);

    double (*head)(const tt_head *h); /* returns the loss */
    /* Returns log(sum over i of exp(z[i])); *best (or NULL): the first largest element, 0 if all are -inf or NaN. n > 0. */
    double (*logsumexp)(int64_t n, const float *z, int64_t *best);

    void (*add)(int64_t n, const float *x, float *y); /* y += x */
    void (*scale)(int64_t n, float a, float *x);      /* x *= a */
    double (*sumsq)(int64_t n, const float *x);       /* fixed order for a given n; NaN/Inf come through */

    void (*adam)(const tt_adam *o, int64_t n, float *w, const float *g, float *m, float *v);
    /* row[rows], col[cols] for one matrix (batch matrices: row[batch*rows], col[batch*cols]); full[n] when not factored;
     * mom[n] if beta1 > 0. work: n floats. rms of w and of the update are over the whole tensor of batch*rows*cols elements. */
    void (*adafactor)(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *w, const float *g,
                      float *row, float *col, float *full, float *mom, float *work);

    /* sum = h + f, y = w * sum * rstd in one pass; f and y are of the given type. f NULL: y = rms(h), and sum is not written. sum may
     * be h, or an f of fp32. */
    void (*add_rms_fwd)(tt_prec type, int64_t R, int64_t D, const float *h, const void *f, const float *w, float eps,
                        float *sum, void *y, float *rstd);
    /* Of y = rms(x) w, dy of the given type: dx += as rms_bwd, dw += . dxh (may be NULL): the finished dx, rounded. */
    void (*add_rms_bwd)(tt_prec type, int64_t R, int64_t D, const float *x, const float *w, const float *rstd,
                        const void *dy, float *dx, float *dw, tt_bf16 *dxh);

    /* ---- bf16 ---- operands and results bf16, everything in between fp32. Results are set, not added to. */
    /* As gemm; C is of type ctype. Products and sums in fp32, one rounding at the end. */
    void (*gemm_half)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                      const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc);
    void (*to_half)(int64_t n, const float *x, tt_bf16 *y);
    void (*add_half)(int64_t n, const tt_bf16 *x, float *y); /* y += x */
    void (*act_fwd_half)(tt_act act, int64_t n, const tt_bf16 *x, tt_bf16 *y);
    void (*act_bwd_half)(tt_act act, int64_t n, const tt_bf16 *x, const tt_bf16 *dy, tt_bf16 *dx);
    void (*glu_fwd_half)(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         tt_bf16 *y);
    void (*glu_bwd_half)(tt_act act, int64_t R, int64_t F, const tt_bf16 *g, int64_t ldg, const tt_bf16 *u, int64_t ldu,
                         const tt_bf16 *dy, tt_bf16 *dg, tt_bf16 *du);
    void (*dropout_half)(int64_t n, float p, tt_rkey key, const tt_bf16 *x, tt_bf16 *y); /* in place allowed */
    /* As attn_fwd and attn_bwd; scores, softmax and sums are fp32, probabilities and dS are rounded before they are multiplied. dq, dk,
     * dv are set: segments share no rows, and the caller clears rows that none covers. */
    void (*attn_fwd_half)(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse);
    void (*attn_bwd_half)(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                          const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                          const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias);
} tt_kern;

extern const tt_kern tt_kern_ref, tt_kern_fast, tt_kern_check;
/* The table named by TUTTI_KERN (default fast). NULL and tt_fail TT_EJOB when the name is unknown. */
const tt_kern *tt_kern_get(void);

/* ---- dry runs -------------------------------------------------------------------------------------------------
 * A table whose kernels touch no memory and only add up, for this thread, what they were asked for. Calls alike are one entry: sizes are
 * rounded up to three significant bits, so that batches of many lengths stay a short list. */
extern const tt_kern tt_kern_dry;
typedef enum tt_dry_kind {
    TT_DRY_GEMM,     /* C[m,n] = op(A)[m,k] op(B)[k,n]; work: multiplications and additions */
    TT_DRY_HEAD,     /* m rows, n vocabulary, k width; work: as of its three products (one without gradients) */
    TT_DRY_ATTN_FWD, /* a segment of m queries and n keys, width k, ta: causal, tb: bias; work: as of its products */
    TT_DRY_ATTN_BWD,
    TT_DRY_GEMM_HALF, /* the same in bf16 */
    TT_DRY_HEAD_HALF,
    TT_DRY_ATTN_FWD_HALF,
    TT_DRY_ATTN_BWD_HALF,
    TT_DRY_RMS_FWD, /* m rows of n; work from here on: elements */
    TT_DRY_RMS_BWD,
    TT_DRY_LN_FWD,
    TT_DRY_LN_BWD,
    TT_DRY_ACT_FWD,
    TT_DRY_ACT_BWD,
    TT_DRY_GLU_FWD,
    TT_DRY_GLU_BWD,
    TT_DRY_EMBED_FWD,
    TT_DRY_EMBED_BWD,
    TT_DRY_DROPOUT,
    TT_DRY_ADD,
    TT_DRY_SUMSQ,
    TT_DRY_ADAM,
    TT_DRY_ADAFACTOR,
    TT_DRY_PASS, /* memory set or copied; work: bytes */
    TT_DRY_KINDS
} tt_dry_kind;
typedef struct tt_dry_call {
    tt_dry_kind kind;
    bool ta, tb;
    int64_t m, n, k;
    double calls, work;
} tt_dry_call;
void tt_dry_clear(void);
void tt_dry_pass(size_t bytes);
const tt_dry_call *tt_dry_calls(int *n); /* until the next call or clear */

/* ---- BLAS -----------------------------------------------------------------------------------------------------
 * OpenBLAS reads OPENBLAS_CORETYPE when it is loaded; releases older than the CPU fall back to slow kernels silently.
 * tt_blas_choose picks the kernel set by CPUID and, if the environment says otherwise, sets the variable and re-executes
 * the program (once; before MPI_Init). TUTTI_BLAS=auto|env|<core type>: env keeps the environment's choice.
 * It also sets OPENBLAS_NUM_THREADS/OMP_NUM_THREADS to 1 unless the user has set them: one rank, one core, fixed bits. */
void tt_blas_choose(char **argv);
/* Threads of one rank's kernels. The same number on every rank, or the bits of BLAS's products may differ; those of our own do not. */
void tt_blas_threads(int n);
const char *tt_blas_describe(
    void); /* e.g. "OpenBLAS 0.3.21, SkylakeX kernels, 1 thread (chosen by CPU, the environment said Haswell)" */
/* A few shapes against plain loops: TT_ERUN "OpenBLAS with X kernels computes wrong products on this CPU; set TUTTI_BLAS=Haswell". */
tt_err tt_blas_verify(void);

/* Are bf16 products fast on this CPU? If not, *why (may be NULL) says so for the log; they are computed all the same, in fp32. */
bool tt_half_supported(const char **why);

/* ---- number formats -------------------------------------------------------------------------------------------*/
void tt_bf16_from_f32(int64_t n, const float *x, uint16_t *y); /* round to nearest even; NaN stays NaN */
void tt_f32_from_bf16(int64_t n, const uint16_t *x, float *y);
void tt_f16_from_f32(int64_t n, const float *x, uint16_t *y); /* IEEE half, nearest even, subnormals, overflow to inf */
void tt_f32_from_f16(int64_t n, const uint16_t *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
