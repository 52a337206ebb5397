/* Span corruption: random_spans_noise_mask of T5 (Raffel et al. 2020, t5/data/preprocessors.py), with keyed draws. */
#include "tutti/data.h"
#include "span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int clamp(int x, int lo, int hi) { return x < lo ? lo : x > hi ? hi : x; }

/* T5 rounds in fp32, half to even. A text of one token is treated as if it had two, of which the second falls away. */
void tt_span_plan(int n, double rate, double mean, int max_spans, int *noise, int *spans)
{
    int length = n < 2 ? 2 : n;
    *noise = clamp((int)rintf((float)length * (float)rate), 1, length - 1);
    int most = *noise < length - *noise ? *noise : length - *noise;
    *spans = clamp((int)rintf((float)*noise / (float)mean), 1, most < max_spans ? most : max_spans);
}

int tt_span_fit(int n, double rate, double mean, int max_spans, int max_source, int max_target)
{
    int lo = 1, hi = n + 1; /* lo is taken, hi is too long */
    while (lo + 1 < hi) {
        int mid = lo + (hi - lo) / 2, noise, spans;
        tt_span_plan(mid, rate, mean, max_spans, &noise, &spans);
        bool fits = mid - noise + spans + 1 <= max_source && noise + spans + 1 <= max_target;
        *(fits ? &lo : &hi) = mid;
    }
    return lo;
}

/* items cut into segments, all cuts equally likely: first[i] tells whether a segment starts at item i. T5 shuffles
 * segments-1 marks over the items but the first; the first places of a permutation are the same. */
static void segment(tt_rkey key, int items, int segments, bool *first)
{
    memset(first, 0, sizeof *first * (size_t)items);
    first[0] = true;
    for (int i = 0; i < segments - 1; i++) first[1 + tt_permute(key, (uint64_t)items - 1, (uint64_t)i)] = true;
}

/* Length of the segment that starts at i. */
static int run(const bool *first, int items, int i)
{
    int n = 1;
    while (i + n < items && !first[i + n]) n++;
    return n;
}

static void push_all(tt_ids *v, const int32_t *ids, int n)
{
    for (int i = 0; i < n; i++) tt_ids_push(v, ids[i]);
}

static int sentinels(const tt_tok *t)
{
    int n = 0;
    while (n < 100 && tt_tok_sentinel(t, n) >= 0) n++;
    return n;
}

void tt_span_corrupt(const tt_tok *t, const int32_t *ids, int n, double rate, double mean, tt_rkey key, tt_ids *src,
                     tt_ids *tgt)
{
    int noise, spans, max_spans = sentinels(t);
    assert(max_spans > 0);
    tt_span_plan(n, rate, mean, max_spans, &noise, &spans);
    int length = n < 2 ? 2 : n, clear = length - noise;
    bool *cut = tt_malloc((size_t)length); /* [clear] then [noise] */
    segment(tt_key(key, "clear", 0, 0, 0), clear, spans, cut);
    segment(tt_key(key, "noise", 0, 0, 0), noise, spans, cut + clear);
    for (int k = 0, c = 0, z = 0; k < spans && c + z < n; k++) {
        int keep = run(cut, clear, c), mask = run(cut + clear, noise, z), at = c + z;
        if (at + keep > n) keep = n - at;
        push_all(src, ids + at, keep);
        tt_ids_push(tgt, tt_tok_sentinel(t, k));
        if (at + keep < n) tt_ids_push(src, tt_tok_sentinel(t, k));
        push_all(tgt, ids + at + keep, at + keep + mask > n ? n - at - keep : mask);
        c += keep;
        z += mask;
    }
    free(cut);
    tt_ids_push(src, tt_tok_eos(t));
    tt_ids_push(tgt, tt_tok_eos(t));
}
