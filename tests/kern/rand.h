/* Random shapes and arrays for the kernel tests, from counter-based streams: the same on every run. */
#ifndef TUTTI_TESTS_KERN_RAND_H
#define TUTTI_TESTS_KERN_RAND_H

#include "tutti/kern.h"

typedef struct rnd {
    tt_rkey key;
    uint64_t at;
} rnd;

static inline int pick(rnd *r, int lo, int hi) /* lo..hi */
{
    return lo + (int)tt_rand_below(r->key, r->at++, (uint64_t)(hi - lo + 1));
}

static inline float *normals(rnd *r, int64_t n, double std) /* free() it */
{
    float *x = tt_malloc((size_t)(n > 0 ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(std * tt_rand_normal(r->key, r->at++));
    return x;
}

/* A ragged attention problem: segments one after the other, sometimes empty ones. seg has room for 8. */
static inline tt_attn some_attn(rnd *r, tt_seg *seg, int *Rq, int *Rk)
{
    tt_attn a = {.nseg = pick(r, 1, 5), .seg = seg, .K = pick(r, 1, 40), .Hkv = pick(r, 1, 3), .scale = 0.3f};
    bool self = pick(r, 0, 2) > 0;
    a.H = a.Hkv * pick(r, 1, 3);
    a.causal = pick(r, 0, 1);
    a.window = pick(r, 0, 2) ? 0 : pick(r, 1, 9);
    *Rq = *Rk = 0;
    for (int n = 0; n < a.nseg; n++) {
        int big = pick(r, 0, 5) == 0, qn = pick(r, 0, big ? 150 : 9), kn = self ? qn : pick(r, 0, big ? 200 : 12);
        seg[n] = (tt_seg){.q0 = *Rq, .qn = qn, .k0 = *Rk, .kn = kn, .p0 = self ? 0 : pick(r, 0, 7)};
        *Rq += qn;
        *Rk += kn;
    }
    a.bidirectional = pick(r, 0, 1);
    a.nbucket = a.bidirectional ? 2 * pick(r, 2, 16) : pick(r, 2, 32);
    a.max_distance = a.nbucket + pick(r, 1, 100);
    a.drop = pick(r, 0, 1) ? 0 : 0.3f;
    a.drop_key = r->key + r->at++;
    return a;
}

#endif
