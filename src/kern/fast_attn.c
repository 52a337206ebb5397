/* Softmax attention: per segment and head, blocks of queries against the keys they can see. Scores by a product, softmax in
 * place, output by a product. The backward recomputes the probabilities from lse. The relative bias depends on the distance
 * alone: a table over distances is made once per call, and its gradient is summed along the diagonals first. */
#include "linear.h"
#include "vmath.h"

/* A block of scores stays in the second-level cache; half as many rows where a diagonal cuts through it. */
enum { BLOCK_ELEMENTS = 1 << 17, BLOCK_ROWS_LEAST = 16, BLOCK_ROWS_MOST = 256, MIXED = 64 };

typedef struct call {
    const tt_attn *a;
    const float *q, *k, *v, *o, *dout, *lse;
    float *out, *lse_out, *dq, *dk, *dv;
    int64_t ldq, ldk, ldv, ldo;
    bool back;     /* two blocks of scores */
    float *s, *t;  /* two blocks of scores */
    int first;     /* the tables below begin at this distance (key - query) */
    int span;      /* distances in them */
    int *bucket;   /* [span] */
    float *bias;   /* [H, span]; NULL: no bias */
    float *diag;   /* [span] sums of dS of one segment and head; NULL: not wanted */
    double *dbias; /* [H, nbucket] */
} call;

/* One block: queries i0 .. i0+n-1 of segment s, head h, keys lo .. lo+w-1; scores have row stride ld. */
typedef struct block {
    const tt_seg *s;
    int seg, h, i0, n, lo, w;
    int64_t ld;
} block;

/* ---- one row ----------------------------------------------------------------------------------------------------*/

/* s = exp(s + bias - top); returns the sum and the logarithm of the sum of exponentials. */
CLONES static float softmax_row(int n, float *restrict s, const float *restrict bias, float *lse)
{
    float top = -INFINITY, sum = 0;
    if (bias) {
#pragma omp simd reduction(max : top)
        for (int j = 0; j < n; j++) {
            float z = s[j] + bias[j];
            s[j] = z;
            top = z > top ? z : top;
        }
    } else {
#pragma omp simd reduction(max : top)
        for (int j = 0; j < n; j++) top = s[j] > top ? s[j] : top;
    }
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) sum += s[j] = vexp(s[j] - top);
    *lse = top + logf(sum);
    return sum;
}

CLONES static void scale_row(int n, float a, float *x)
{
#pragma omp simd
    for (int j = 0; j < n; j++) x[j] *= a;
}

/* Column j of the row stream is key j; the array begins at key first. */
CLONES static void drop_scores(int n, uint32_t first, drop_row row, uint32_t below, float up, float *s)
{
#pragma omp simd
    for (int j = 0; j < n; j++) s[j] = drop_keep(row, first + (uint32_t)j, below) ? s[j] * up : 0;
}

CLONES static float dot_row(int n, const float *x, const float *y)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) sum += x[j] * y[j];
    return sum;
}

/* s = exp(s + bias - lse) */
CLONES static void probs_row(int n, float *restrict s, const float *restrict bias, float lse)
{
    if (bias) {
#pragma omp simd
        for (int j = 0; j < n; j++) s[j] = vexp(s[j] + bias[j] - lse);
    } else {
#pragma omp simd
        for (int j = 0; j < n; j++) s[j] = vexp(s[j] - lse);
    }
}

/* t = s (t - delta) */
CLONES static void dscore_row(int n, const float *restrict s, float *restrict t, float delta)
{
#pragma omp simd
    for (int j = 0; j < n; j++) t[j] = s[j] * (t[j] - delta);
}

CLONES static void add_row(int n, const float *restrict x, float *restrict y)
{
#pragma omp simd
    for (int j = 0; j < n; j++) y[j] += x[j];
}

/* ---- tables over distances ----------------------------------------------------------------------------------------*/

static void find_span(call *c)
{
    int least = 0, most = 0;
    for (int n = 0; n < c->a->nseg; n++) {
        const tt_seg *s = &c->a->seg[n];
        int lo = -(s->p0 + s->qn - 1), hi = s->kn - 1 - s->p0;
        if (s->qn == 0 || s->kn == 0) continue;
        least = lo < least ? lo : least;
        most = hi > most ? hi : most;
    }
    c->first = least;
    c->span = most - least + 1;
}

static void make_tables(call *c, bool back)
{
    const tt_attn *a = c->a;
    if (!a->bias) return;
    find_span(c);
    size_t span = (size_t)c->span, H = (size_t)a->H;
    size_t sums = back ? H * (size_t)a->nbucket * sizeof(double) : 0;
    char *mem = tt_scratch(SCRATCH_TABLE, sums + span * sizeof(int) + (H + 1) * span * sizeof(float));
    c->dbias = back ? memset(mem, 0, sums) : NULL;
    c->bucket = (int *)(mem + sums);
    c->bias = (float *)(c->bucket + span);
    c->diag = back ? c->bias + H * span : NULL;
    for (int d = 0; d < c->span; d++) {
        int b = c->bucket[d] = tt_rel_bucket(c->first + d, a->bidirectional, a->nbucket, a->max_distance);
        for (int h = 0; h < a->H; h++) c->bias[h * c->span + d] = a->bias[b * a->H + h];
    }
}

/* Place of (query i, key j) in a table over distances. */
static int place(const call *c, const tt_seg *s, int i, int j) { return j - (s->p0 + i) - c->first; }

static const float *bias_row(const call *c, const block *b, int i, int j)
{
    return c->bias ? c->bias + b->h * c->span + place(c, b->s, i, j) : NULL;
}

static void flush_diagonals(call *c, int h)
{
    for (int d = 0; d < c->span; d++) c->dbias[h * c->a->nbucket + c->bucket[d]] += c->diag[d];
}

/* ---- blocks -----------------------------------------------------------------------------------------------------*/

static int64_t row_stride(int keys) { return ((int64_t)keys + 15) / 16 * 16 + 16; }

/* Queries of a block at most: a matter of the segment alone, so that its bits are. */
static int block_rows(const call *c, const tt_seg *s)
{
    int rows = BLOCK_ELEMENTS / (s->kn > 0 ? s->kn : 1);
    int top = c->a->causal || c->a->window > 0 ? BLOCK_ROWS_MOST / 2 : BLOCK_ROWS_MOST;
    if (rows > top) rows = top;
    return rows < BLOCK_ROWS_LEAST ? BLOCK_ROWS_LEAST : rows;
}

/* Room for the scores of any block. */
static void make_room(call *c)
{
    int64_t most = 0;
    for (int n = 0; n < c->a->nseg; n++) {
        const tt_seg *s = &c->a->seg[n];
        int64_t rows = block_rows(c, s), need = (rows < s->qn ? rows : s->qn) * row_stride(s->kn);
        most = need > most ? need : most;
    }
    c->s = tt_scratch(SCRATCH_ATTN, (size_t)most * sizeof(float) * (c->back ? 2 : 1));
    c->t = c->s + most;
}

static block block_at(const call *c, int seg, int h, int i0)
{
    const tt_seg *s = &c->a->seg[seg];
    int rows = block_rows(c, s);
    block b = {.s = s, .seg = seg, .h = h, .i0 = i0, .n = s->qn - i0 < rows ? s->qn - i0 : rows};
    b.lo = attn_lo(c->a, s, i0);
    b.w = attn_hi(c->a, s, i0 + b.n - 1) - b.lo;
    if (b.w < 0) b.w = 0;
    b.ld = row_stride(b.w);
    return b;
}

typedef struct span {
    int from, to; /* columns of the block that a row sees */
} span;

static span row_span(const call *c, const block *b, int i)
{
    int from = attn_lo(c->a, b->s, i) - b->lo, to = attn_hi(c->a, b->s, i) - b->lo;
    if (to < 0) to = 0;
    return (span){from < to ? from : to, to};
}

static void clear_outside(float *row, span x, int w)
{
    memset(row, 0, (size_t)x.from * sizeof *row);
    memset(row + x.to, 0, (size_t)(w - x.to) * sizeof *row);
}

static const float *q_of(const call *c, const block *b) { return c->q + (b->s->q0 + b->i0) * c->ldq + b->h * c->a->K; }
static int64_t o_of(const call *c, const block *b) { return (b->s->q0 + b->i0) * c->ldo + b->h * c->a->K; }
static int64_t kv_of(const call *c, const block *b, int64_t ld)
{
    return (b->s->k0 + b->lo) * ld + b->h / (c->a->H / c->a->Hkv) * c->a->K;
}

static drop_row drop_of(const call *c, const block *b, int i)
{
    return drop_row_of(c->a->drop_key, drop_attn_row(c->a, b->seg, b->h, i));
}

/* o = up * sum over j of s[j] v_j for MIXED elements of v: even and odd j apart, so that no sum waits for the one before. The same
 * elements of the next head are asked for meanwhile. */
INLINE void mix_some(int n, float up, const float *s, const float *v, int64_t ldv, float *o)
{
    lanes even[MIXED / LANES] = {0}, odd[MIXED / LANES] = {0};
    int j = 0;
    for (; j + 2 <= n; j += 2, v += 2 * ldv)
        for (int i = 0; i < MIXED / LANES; i++) {
            __builtin_prefetch(v + MIXED + i * LANES);
            __builtin_prefetch(v + ldv + MIXED + i * LANES);
            even[i] += s[j] * load(v + i * LANES);
            odd[i] += s[j + 1] * load(v + ldv + i * LANES);
        }
    for (int i = 0; i < MIXED / LANES; i++) {
        if (j < n) even[i] += s[j] * load(v + i * LANES);
        lanes sum = (even[i] + odd[i]) * up;
        memcpy(o + i * LANES, &sum, sizeof sum);
    }
}

/* Of K elements. */
CLONES static void mix_rows(int n, int K, float up, const float *restrict s, const float *restrict v, int64_t ldv,
                            float *restrict o)
{
    int at = 0;
    for (; at + MIXED <= K; at += MIXED) mix_some(n, up, s, v + at, ldv, o + at);
    if (at == K) return;
    memset(o + at, 0, (size_t)(K - at) * sizeof *o);
    for (int j = 0; j < n; j++) {
#pragma omp simd
        for (int k = at; k < K; k++) o[k] += s[j] * v[j * ldv + k];
    }
    for (int k = at; k < K; k++) o[k] *= up;
}

/* One query alone, as in decoding: products of a vector, which calls of BLAS would cost more than they compute. */
static void query_fwd(const call *c, const block *b)
{
    const tt_attn *a = c->a;
    float up = 0, lse = -INFINITY;
    if (b->w > 0) {
        tt_fast_dots(b->w, a->K, a->scale, q_of(c, b), c->k + kv_of(c, b, c->ldk), c->ldk, c->s);
        up = 1 / softmax_row(b->w, c->s, bias_row(c, b, b->i0, b->lo), &lse);
        if (a->drop > 0)
            drop_scores(b->w, (uint32_t)b->lo, drop_of(c, b, b->i0), drop_below(a->drop), 1 / (1 - a->drop), c->s);
    }
    mix_rows(b->w, a->K, up, c->s, c->v + kv_of(c, b, c->ldv), c->ldv, c->out + o_of(c, b));
    c->lse_out[(b->s->q0 + b->i0) * a->H + b->h] = lse;
}

static void block_fwd(const call *c, const block *b)
{
    if (b->n == 1) {
        query_fwd(c, b);
        return;
    }
    const tt_attn *a = c->a;
    int K = a->K, H = a->H;
    float *o = c->out + o_of(c, b), up[BLOCK_ROWS_MOST];
    tt_fast_gemm(false, true, b->n, b->w, K, a->scale, q_of(c, b), c->ldq, c->k + kv_of(c, b, c->ldk), c->ldk, 0, c->s,
                 b->ld);
    for (int r = 0; r < b->n; r++) {
        int i = b->i0 + r;
        span x = row_span(c, b, i);
        float *s = c->s + r * b->ld, lse = -INFINITY;
        up[r] = x.to > x.from ? 1 / softmax_row(x.to - x.from, s + x.from, bias_row(c, b, i, b->lo + x.from), &lse) : 0;
        if (a->drop > 0)
            drop_scores(x.to - x.from, (uint32_t)(b->lo + x.from), drop_of(c, b, i), drop_below(a->drop),
                        1 / (1 - a->drop), s + x.from);
        clear_outside(s, x, b->w);
        c->lse_out[(b->s->q0 + i) * H + b->h] = lse;
    }
    tt_fast_gemm(false, false, b->n, K, b->w, 1, c->s, b->ld, c->v + kv_of(c, b, c->ldv), c->ldv, 0, o, c->ldo);
    for (int r = 0; r < b->n; r++) scale_row(K, up[r], o + r * c->ldo);
}

static void row_bwd(const call *c, const block *b, int r)
{
    const tt_attn *a = c->a;
    int i = b->i0 + r, K = a->K;
    span x = row_span(c, b, i);
    int n = x.to - x.from, j = b->lo + x.from;
    float *s = c->s + r * b->ld, *t = c->t + r * b->ld;
    int64_t at = o_of(c, b) + r * c->ldo;
    float delta = dot_row(K, c->dout + at, c->o + at);
    probs_row(n, s + x.from, bias_row(c, b, i, j), c->lse[(b->s->q0 + i) * a->H + b->h]);
    if (a->drop > 0) drop_scores(n, (uint32_t)j, drop_of(c, b, i), drop_below(a->drop), 1 / (1 - a->drop), t + x.from);
    dscore_row(n, s + x.from, t + x.from, delta);
    if (a->drop > 0) drop_scores(n, (uint32_t)j, drop_of(c, b, i), drop_below(a->drop), 1 / (1 - a->drop), s + x.from);
    if (c->diag) add_row(n, t + x.from, c->diag + place(c, b->s, i, j));
    clear_outside(s, x, b->w);
    clear_outside(t, x, b->w);
}

/* s: P with dropout, t: dS. */
static void block_bwd(const call *c, const block *b)
{
    const tt_attn *a = c->a;
    int K = a->K;
    int64_t kat = kv_of(c, b, c->ldk), vat = kv_of(c, b, c->ldv), ld = b->ld;
    const float *q = q_of(c, b), *dout = c->dout + o_of(c, b);
    tt_fast_gemm(false, true, b->n, b->w, K, a->scale, q, c->ldq, c->k + kat, c->ldk, 0, c->s, ld);
    tt_fast_gemm(false, true, b->n, b->w, K, 1, dout, c->ldo, c->v + vat, c->ldv, 0, c->t, ld);
    for (int r = 0; r < b->n; r++) row_bwd(c, b, r);
    if (c->dv) tt_fast_gemm(true, false, b->w, K, b->n, 1, c->s, ld, dout, c->ldo, 1, c->dv + vat, c->ldv);
    if (c->dk) tt_fast_gemm(true, false, b->w, K, b->n, a->scale, c->t, ld, q, c->ldq, 1, c->dk + kat, c->ldk);
    if (c->dq)
        tt_fast_gemm(false, false, b->n, K, b->w, a->scale, c->t, ld, c->k + kat, c->ldk, 1, c->dq + (q - c->q),
                     c->ldq);
}

/* ---- calls ------------------------------------------------------------------------------------------------------*/

void tt_fast_attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                      int64_t ldv, float *o, int64_t ldo, float *lse)
{
    call c = {.a = a, .q = q, .k = k, .v = v, .out = o, .lse_out = lse, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    make_tables(&c, false);
    make_room(&c);
    for (int seg = 0; seg < a->nseg; seg++)
        for (int h = 0; h < a->H; h++)
            for (int i = 0; i < a->seg[seg].qn;) {
                block b = block_at(&c, seg, h, i);
                block_fwd(&c, &b);
                i += b.n;
            }
}

void tt_fast_attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                      int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                      float *dk, float *dv, float *dbias)
{
    call c = {.a = a,
              .q = q,
              .k = k,
              .v = v,
              .o = o,
              .dout = dout,
              .lse = lse,
              .dq = dq,
              .dk = dk,
              .dv = dv,
              .ldq = ldq,
              .ldk = ldk,
              .ldv = ldv,
              .ldo = ldo};
    make_tables(&c, dbias != NULL);
    c.back = true;
    make_room(&c);
    for (int seg = 0; seg < a->nseg; seg++)
        for (int h = 0; h < a->H; h++) {
            if (c.diag) memset(c.diag, 0, (size_t)c.span * sizeof *c.diag);
            for (int i = 0; i < a->seg[seg].qn;) {
                block b = block_at(&c, seg, h, i);
                if (b.w > 0) block_bwd(&c, &b);
                i += b.n;
            }
            if (c.diag) flush_diagonals(&c, h);
        }
    for (int h = 0; h < a->H && c.diag; h++)
        for (int n = 0; n < a->nbucket; n++) dbias[n * a->H + h] += (float)c.dbias[h * a->nbucket + n];
}
