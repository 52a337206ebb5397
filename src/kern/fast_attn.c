/* Softmax attention: a call's tables, the choice of instruction set, and one query alone. The work on blocks of queries is in attn_fwd.h
 * and attn_bwd.h. The relative bias depends on the distance alone: a table over distances is made once per call, and its gradient
 * is summed along the diagonals first. */
#include "attn.h"

enum { MIXED = 64 };

/* ---- tables over distances ----------------------------------------------------------------------------------------*/

static void find_span(attn_call *c)
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
    c->row = c->span + 2 * MARGIN;
}

static void make_tables(attn_call *c, bool back)
{
    const tt_attn *a = c->a;
    if (!a->bias) return;
    find_span(c);
    size_t floats = (size_t)(a->H * c->row), sums = back ? (size_t)a->nseg * (size_t)(a->H * a->nbucket) : 0;
    double *mem =
        tt_scratch(SCRATCH_TABLE, sums * sizeof(double) + floats * sizeof(float) + (size_t)c->span * sizeof(int));
    float *bias = memset(mem + sums, 0, floats * sizeof *bias);
    int *bucket = (int *)(bias + floats);
    for (int d = 0; d < c->span; d++) {
        int b = bucket[d] = tt_rel_bucket(c->first + d, a->bidirectional, a->nbucket, a->max_distance);
        for (int h = 0; h < a->H; h++) bias[h * c->row + MARGIN + d] = a->bias[b * a->H + h] / a->scale;
    }
    c->dbias = back ? memset(mem, 0, sums * sizeof *mem) : NULL;
    c->bucket = bucket;
    c->bias = bias;
}

/* In the order of the segments. */
static void add_dbias(const attn_call *c, float *dbias)
{
    const tt_attn *a = c->a;
    int64_t one = (int64_t)a->H * a->nbucket;
    for (int h = 0; h < a->H && c->dbias; h++)
        for (int b = 0; b < a->nbucket; b++) {
            double sum = 0;
            for (int seg = 0; seg < a->nseg; seg++) sum += c->dbias[seg * one + h * a->nbucket + b];
            dbias[b * a->H + h] += (float)sum;
        }
}

/* ---- one query alone -----------------------------------------------------------------------------------------------*/

/* s = exp(s + scale * bias - top); returns the sum and the logarithm of the sum of exponentials. */
CLONES static float softmax_row(int n, float *restrict s, const float *restrict bias, float scale, float *lse)
{
    float top = -INFINITY, sum = 0;
    if (bias) {
#pragma omp simd reduction(max : top)
        for (int j = 0; j < n; j++) {
            float z = s[j] + scale * bias[j];
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

/* Column j of the row stream is key j; the array begins at key first. */
CLONES static void drop_scores(int n, uint32_t first, drop_row row, uint32_t below, float up, float *s)
{
#pragma omp simd
    for (int j = 0; j < n; j++) s[j] = drop_keep(row, first + (uint32_t)j, below) ? s[j] * up : 0;
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

/* As in decoding: products of a vector, which packing would cost more than they compute. */
static void query_fwd(const attn_call *c, int seg, int h)
{
    const tt_attn *a = c->a;
    const tt_seg *s = &a->seg[seg];
    int lo = attn_lo(a, s, 0), n = attn_hi(a, s, 0) - lo, K = a->K;
    float up = 0, lse = -INFINITY, *z = tt_scratch(SCRATCH_ATTN, (size_t)(s->kn + 1) * sizeof *z);
    int64_t kv = kv_head(a, h) * K;
    n = n > 0 ? n : 0;
    if (n > 0) {
        const float *q = (const float *)c->q + s->q0 * c->ldq + h * K;
        tt_fast_dots(n, K, a->scale, q, (const float *)c->k + (s->k0 + lo) * c->ldk + kv, c->ldk, z);
        up = 1 / softmax_row(n, z, c->bias ? bias_at(c, s, h, 0, lo) : NULL, a->scale, &lse);
        if (a->drop > 0)
            drop_scores(n, (uint32_t)lo, drop_row_of(a->drop_key, drop_attn_row(a, seg, h, 0)), drop_below(a->drop),
                        1 / (1 - a->drop), z);
    }
    mix_rows(n, K, up, z, (const float *)c->v + (s->k0 + lo) * c->ldv + kv, c->ldv,
             (float *)c->out + s->q0 * c->ldo + h * K);
    c->lse_out[s->q0 * a->H + h] = lse;
}

/* ---- calls ------------------------------------------------------------------------------------------------------*/

static const attn_set *best_set(void)
{
#if ATTN_X86
    if (__builtin_cpu_supports("x86-64-v4")) return &tt_attn_v4;
    if (__builtin_cpu_supports("x86-64-v3")) return &tt_attn_v3;
#endif
    return &tt_attn_any;
}

/* NULL: bf16 is to be computed as fp32. */
static const attn_set *half_set(const tt_attn *a)
{
#if ATTN_X86
    if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") && a->K % LANES == 0)
        return &tt_attn_half;
#endif
    return NULL;
}

static void one_fwd(const attn_call *c, const attn_set *set, int seg, int g)
{
    int group = c->a->H / c->a->Hkv;
    if (c->a->seg[seg].qn != 1 || set == &tt_attn_half)
        set->fwd(c, seg, g);
    else
        for (int h = g * group; h < (g + 1) * group; h++) query_fwd(c, seg, h);
}

void tt_attn_call_fwd(attn_call *c, const attn_set *set)
{
    const tt_attn *a = c->a;
    assert(a->scale > 0);
    make_tables(c, false);
    int n = a->nseg * a->Hkv;
    if (tt_threads() == 1) {
        for (int t = 0; t < n; t++) one_fwd(c, set, t / a->Hkv, t % a->Hkv);
        return;
    }
#pragma omp parallel for schedule(dynamic)
    for (int t = 0; t < n; t++) one_fwd(c, set, t / a->Hkv, t % a->Hkv);
}

/* Segments come one after the other and share no rows. */
static bool apart(const tt_attn *a)
{
    for (int n = 1; n < a->nseg; n++) {
        const tt_seg *s = &a->seg[n], *before = s - 1;
        if (s->q0 < before->q0 + before->qn || s->k0 < before->k0 + before->kn) return false;
    }
    return true;
}

void tt_attn_call_bwd(attn_call *c, const attn_set *set, float *dbias)
{
    const tt_attn *a = c->a;
    assert(a->scale > 0);
    make_tables(c, dbias != NULL);
    int n = a->nseg * a->Hkv;
    if (tt_threads() == 1 || !apart(a)) {
        for (int t = 0; t < n; t++) set->bwd(c, t / a->Hkv, t % a->Hkv);
    } else {
#pragma omp parallel for schedule(dynamic)
        for (int t = 0; t < n; t++) set->bwd(c, t / a->Hkv, t % a->Hkv);
    }
    add_dbias(c, dbias);
}

void tt_fast_attn_fwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                      int64_t ldv, float *o, int64_t ldo, float *lse)
{
    attn_call c = {a, q, k, v, .out = o, .lse_out = lse, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    tt_attn_call_fwd(&c, best_set());
}

void tt_fast_attn_bwd(const tt_attn *a, const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v,
                      int64_t ldv, const float *o, const float *dout, int64_t ldo, const float *lse, float *dq,
                      float *dk, float *dv, float *dbias)
{
    attn_call c = {a,        q,        k,        v,          o,          dout,       lse,
                   .dq = dq, .dk = dk, .dv = dv, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    tt_attn_call_bwd(&c, best_set(), dbias);
}

void tt_fast_attn_fwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                           const tt_bf16 *v, int64_t ldv, tt_bf16 *o, int64_t ldo, float *lse)
{
    attn_call c = {a, q, k, v, .out = o, .lse_out = lse, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    const attn_set *set = half_set(a);
    if (set)
        tt_attn_call_fwd(&c, set);
    else
        tt_attn_wide_fwd(tt_fast_attn_fwd, &c);
}

void tt_fast_attn_bwd_half(const tt_attn *a, const tt_bf16 *q, int64_t ldq, const tt_bf16 *k, int64_t ldk,
                           const tt_bf16 *v, int64_t ldv, const tt_bf16 *o, const tt_bf16 *dout, int64_t ldo,
                           const float *lse, tt_bf16 *dq, tt_bf16 *dk, tt_bf16 *dv, float *dbias)
{
    attn_call c = {a,        q,        k,        v,          o,          dout,       lse,
                   .dq = dq, .dk = dk, .dv = dv, .ldq = ldq, .ldk = ldk, .ldv = ldv, .ldo = ldo};
    const attn_set *set = half_set(a);
    if (set)
        tt_attn_call_bwd(&c, set, dbias);
    else
        tt_attn_wide_bwd(tt_fast_attn_bwd, &c, dbias);
}
