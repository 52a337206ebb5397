// TEST np=1
// The stratified order: within one of the plan at every place, exact over a cycle, random access, any period.
#include "../../src/data/quota.h"
#include "../tap.h"

enum { MANY = 800, BIG = 20000 };

/* Few or many sets; equal, uniform, heavy-tailed, one giant among dwarfs, half to two and dust. */
static int sample(int trial, int64_t *e)
{
    int n = 2 + (int)tt_rand_below((tt_rkey)trial, 0, trial % 2 ? 20 : MANY - 1);
    for (int i = 0; i < n; i++) {
        double u = tt_rand01((tt_rkey)trial, (uint64_t)i + 1);
        switch (trial % 5) {
        case 0: e[i] = 17; break;
        case 1: e[i] = 1 + (int64_t)(u * 300); break;
        case 2: e[i] = 1 + (int64_t)exp(u * 9); break;
        case 3: e[i] = i == 0 ? BIG : 1 + (int64_t)(u * 30); break;
        default: e[i] = i < 2 ? BIG : 1; break;
        }
    }
    return n;
}

/* The largest distance to the plan at any place, of all sets; wrong counts the errors of everything else. */
static double walk(int n, const int64_t *e, int64_t period, int64_t *wrong)
{
    tt_quota *q = tt_quota_new(n, e, 7, period);
    int64_t C = tt_quota_cycle(q), *c = calloc(MANY, sizeof *c), *there = calloc(MANY, sizeof *there);
    double worst = 0;
    for (int64_t t = 0; t < C; t++) {
        int64_t use;
        int s = tt_quota_draw(q, t, &use);
        *wrong += use != c[s]++;
        bool all = t % 61 == 0 || n < 30; /* a set is furthest from its line where it is drawn, or before */
        for (int i = all ? 0 : s; i < (all ? n : s + 1); i++) {
            double off = fabs((double)c[i] - (double)(t + 1) * (double)e[i] / (double)C);
            if (off > worst) worst = off;
        }
        double before = fabs((double)c[s] - 1 - (double)t * (double)e[s] / (double)C);
        if (before > worst) worst = before;
        if (t % 9973 == 0) {
            tt_quota_counts(q, t + 1, there);
            for (int i = 0; i < n; i++) *wrong += there[i] != c[i];
        }
    }
    for (int i = 0; i < n; i++) *wrong += c[i] != e[i];
    tt_quota_free(q);
    free(c);
    free(there);
    return worst;
}

static void bounds(void)
{
    static int64_t e[MANY];
    static const int64_t period[] = {0, 1000, 64};
    for (int k = 0; k < 3; k++) {
        double worst = 0;
        int64_t wrong = 0;
        for (int trial = 0; trial < 10; trial++) {
            int n = sample(trial, e);
            double w = walk(n, e, period[k], &wrong);
            if (w > worst) worst = w;
        }
        ok(worst <= 1 && !wrong, "periods of %lld: never off the plan by more than %.6f, cycles exact (%lld wrong)",
           (long long)period[k], worst, (long long)wrong);
    }
}

static void jumps(void)
{
    static int64_t e[MANY];
    int n = sample(2, e);
    tt_quota *a = tt_quota_new(n, e, 7, 512), *b = tt_quota_new(n, e, 7, 512), *c = tt_quota_new(n, e, 8, 512);
    int64_t C = tt_quota_cycle(a), differ = 0, moved = 0;
    for (uint64_t k = 0; k < 300; k++) {
        int64_t at = (int64_t)tt_rand_below(3, k, (uint64_t)C), use, use2, use3;
        int s = tt_quota_draw(a, at, &use);
        for (int64_t t = at; t < at + 3 && t < C; t++) {
            int far = tt_quota_draw(b, t, &use2);
            if (t == at) differ += far != s || use2 != use;
        }
        moved += tt_quota_draw(c, at, &use3) != s;
    }
    ok(!differ, "a draw is the same wherever one comes from");
    ok(moved > 10, "another key breaks ties another way");
    tt_quota_free(a);
    tt_quota_free(b);
    tt_quota_free(c);
}

static void no_share(void)
{
    int64_t e[] = {0, 3, 0, 1}, wrong = 0, use;
    tt_quota *q = tt_quota_new(4, e, 1, 0);
    for (int64_t t = 0; t < 4; t++) wrong += e[tt_quota_draw(q, t, &use)] == 0;
    ok(!wrong && tt_quota_cycle(q) == 4, "a set without a quota is not drawn");
    tt_quota_free(q);
}

int main(void)
{
    bounds();
    jumps();
    no_share();
    return tap_done();
}
