// TEST np=1
// Span corruption: T5's counts, and that source and target put together again give the text.
#include "../../src/data/span.h"
#include "make.h"
#include "model.h"

static void plan(int n, int noise, int spans)
{
    int a, b;
    tt_span_plan(n, 0.15, 3, 100, &a, &b);
    ok(a == noise && b == spans, "%d tokens: %d masked in %d spans", n, a, b);
}

/* Fills the sentinels of src from tgt; -1 if they do not fit together. */
static int restore(const tt_tok *t, const tt_ids *src, const tt_ids *tgt, int32_t *out)
{
    int n = 0, k = 0, at = 0;
    for (int i = 0; i < src->n - 1; i++) {
        if (src->id[i] != tt_tok_sentinel(t, k)) {
            out[n++] = src->id[i];
            continue;
        }
        if (tgt->id[at++] != tt_tok_sentinel(t, k++)) return -1;
        while (tgt->id[at] != tt_tok_sentinel(t, k) && tgt->id[at] != tt_tok_eos(t)) out[n++] = tgt->id[at++];
    }
    bool ends = src->id[src->n - 1] == tt_tok_eos(t) && tgt->id[tgt->n - 1] == tt_tok_eos(t);
    return ends && at == tgt->n - 1 ? n : -1;
}

static void corrupt_all(const tt_tok *t)
{
    int broken = 0, counts = 0, fixed = 0;
    for (int n = 2; n <= 300; n++)
        for (int seed = 0; seed < 4; seed++) {
            int32_t ids[300], back[600];
            int noise, spans;
            for (int i = 0; i < n; i++) ids[i] = 1000 + i;
            tt_ids src = {0}, tgt = {0};
            tt_rkey key = tt_key(7, "t", (uint64_t)n, (uint64_t)seed, 0);
            tt_span_corrupt(t, ids, n, 0.15, 3, key, &src, &tgt);
            tt_span_plan(n, 0.15, 3, 100, &noise, &spans);
            broken += restore(t, &src, &tgt, back) != n || memcmp(back, ids, sizeof *ids * (size_t)n);
            counts += src.n != n - noise + spans + 1 || tgt.n != noise + spans + 1;
            fixed += src.id[0] != ids[0]; /* T5's masks start with a token that stays */
            tt_ids_fini(&src);
            tt_ids_fini(&tgt);
        }
    ok(!broken && !counts && !fixed, "2 to 300 tokens: text restored, sizes as planned (%d, %d, %d)", broken, counts,
       fixed);
}

/* Each of the 200 tokens is masked equally often, and the mean span is 3. */
static void distribution(const tt_tok *t)
{
    enum { N = 200, TIMES = 4000 };
    static int32_t ids[N];
    static int masked[N];
    long spans = 0, total = 0;
    for (int i = 0; i < N; i++) ids[i] = 1000 + i;
    for (int k = 0; k < TIMES; k++) {
        tt_ids src = {0}, tgt = {0};
        tt_span_corrupt(t, ids, N, 0.15, 3, tt_key(1, "d", (uint64_t)k, 0, 0), &src, &tgt);
        for (int i = 0; i < tgt.n - 1; i++) {
            if (tgt.id[i] < 1000)
                spans++;
            else
                masked[tgt.id[i] - 1000]++, total++;
        }
        tt_ids_fini(&src);
        tt_ids_fini(&tgt);
    }
    int low = TIMES, high = 0;
    for (int i = 20; i < N - 20; i++) {
        if (masked[i] < low) low = masked[i];
        if (masked[i] > high) high = masked[i];
    }
    ok(total == 30L * TIMES && spans == 10L * TIMES, "30 of 200 tokens in 10 spans, every time");
    ok(low > 0.10 * TIMES && high < 0.20 * TIMES,
       "each place is masked between 10%% and 20%% of the times (%d, %d of %d)", low, high, TIMES);
}

static void small(const tt_tok *t)
{
    const int32_t one[] = {1000};
    tt_ids src = {0}, tgt = {0};
    tt_span_corrupt(t, one, 1, 0.15, 3, 1, &src, &tgt);
    ok(src.n == 2 && src.id[0] == 1000 && tgt.n == 2 && tgt.id[0] == tt_tok_sentinel(t, 0), "one token stays");
    src.n = tgt.n = 0;
    tt_span_corrupt(t, one, 0, 0.15, 3, 1, &src, &tgt);
    ok(src.n == 1 && tgt.n == 1, "no token: the ends alone");
    tt_ids_fini(&src);
    tt_ids_fini(&tgt);
    int32_t many[2000];
    for (int i = 0; i < 2000; i++) many[i] = 1000 + i;
    tt_span_corrupt(t, many, 2000, 0.5, 1, 1, &src, &tgt);
    ok(tgt.n == 1000 + 100 + 1, "never more spans than sentinels (%d)", tgt.n);
    tt_ids_fini(&src);
    tt_ids_fini(&tgt);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    plan(2, 1, 1);
    plan(10, 2, 1);
    plan(20, 3, 1);
    plan(100, 15, 5);
    plan(568, 85, 28);
    plan(512, 77, 26);
    ok(tt_span_fit(10000, 0.15, 3, 100, 512, 114) == 568, "568 tokens fill 512 of source and 114 of target, as in T5");
    ok(tt_span_fit(50, 0.15, 3, 100, 512, 114) == 50, "a short text is taken whole");
    ok(tt_span_fit(10000, 0.15, 3, 100, 4, 512) == 3, "a small source");
    place p = place_new(&m);
    tt_tok *t = own_tokenizer(&p);
    corrupt_all(t);
    distribution(t);
    small(t);
    tt_tok_close(t);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
