// TEST np=1
// The stratified order: within one of the plan at every place, exact over a cycle, random access, any period.
#include "../../src/data/quota.h"
#include "../tap.h"

enum { MANY = 2000, BIG = 20000 };

/* Few or many sets; equal, uniform, heavy-tailed, one giant among dwarfs, half to two and dust, half to hundreds alike and half to dust. */
static int sample(int trial, int64_t *e)
{
    int n = 2 + (int)tt_rand_below((tt_rkey)trial, 0, trial % 2 ? 20 : 800);
    for (int i = 0; i < n; i++) {
        double u = tt_rand01((tt_rkey)trial, (uint64_t)i + 1);
        switch (trial % 6) {
        case 0: e[i] = 17; break;
        case 1: e[i] = 1 + (int64_t)(u * 300); break;
        case 2: e[i] = 1 + (int64_t)exp(u * 9); break;
        case 3: e[i] = i == 0 ? BIG : 1 + (int64_t)(u * 30); break;
        case 4: e[i] = i < 2 ? BIG : 1; break;
        default: e[i] = i < n / 2 ? 400 + (int64_t)(u * 4) : 1 + (int64_t)(u * 2); break;
        }
    }
    return n;
}

/* Is the set less than one off its line before draw t and after it, which takes it from c to c + 1? In between it cannot be further off. */
static bool on_line(int64_t t, int64_t c, int64_t e, int64_t C)
{
    return (__int128)t * e - (__int128)c * C < C && (__int128)(c + 1) * C - (__int128)(t + 1) * e < C;
}

typedef struct faults {
    int64_t off, use, count, cycle;
} faults;

/* Reads two cycles in order. */
static void walk(int n, const int64_t *e, int64_t period, faults *f)
{
    static int64_t c[MANY], there[MANY];
    tt_quota *q = tt_quota_new(n, e, 7, period);
    int64_t C = tt_quota_cycle(q), use;
    memset(c, 0, sizeof c);
    for (int64_t t = 0; t < 2 * C; t++) {
        int s = tt_quota_draw(q, t, &use);
        f->off += !on_line(t, c[s], e[s], C);
        f->use += use != c[s]++;
        if (t % 9973 != 0) continue;
        tt_quota_counts(q, t + 1, there);
        f->count += memcmp(there, c, sizeof *c * (size_t)n) != 0;
    }
    for (int i = 0; i < n; i++) f->cycle += c[i] != 2 * e[i];
    tt_quota_free(q);
}

static void bounds(void)
{
    static int64_t e[MANY];
    static const int64_t period[] = {0, 1000, 64, 1};
    for (int k = 0; k < 4; k++) {
        faults f = {0};
        for (int trial = 0; trial < (period[k] == 1 ? 6 : 12); trial++) {
            int n = sample(trial, e);
            if (period[k] == 1 && n > 200) n = 200; /* a middle at every draw: slow, but all of it is middles */
            walk(n, e, period[k], &f);
        }
        ok(!f.off && !f.use && !f.count && !f.cycle,
           "pieces of %lld: less than one off the plan at every place, cycles exact (%lld off, %lld, %lld, %lld)",
           (long long)period[k], (long long)f.off, (long long)f.use, (long long)f.count, (long long)f.cycle);
    }
}

/* 2,000 sets with shares from about 1e-7 to 0.5 of cycle draws. */
static void wide(int64_t cycle, int64_t *e)
{
    static double w[MANY];
    double sum = 0;
    for (int i = 1; i < MANY; i++) sum += w[i] = 1e-7 * pow(1e5, tt_rand01(11, (uint64_t)i));
    e[0] = cycle;
    for (int i = 1; i < MANY; i++) {
        e[i] = 1 + (int64_t)(0.5 * w[i] / sum * (double)(cycle - 2 * MANY));
        e[0] -= e[i];
    }
}

/* Cycles of many pieces of the default length: the ends of pieces are where a bound would break. */
static void wide_bounds(void)
{
    static int64_t e[MANY];
    faults f = {0};
    wide(700001, e);
    walk(MANY, e, 0, &f);
    ok(!f.off && !f.use && !f.count && !f.cycle, "2,000 sets of shares from 1e-7 to 0.5 (%lld off, %lld, %lld, %lld)",
       (long long)f.off, (long long)f.use, (long long)f.count, (long long)f.cycle);
}

/* Anywhere in cycles of up to 2^48 draws: counts there and a thousand draws on agree with the draws between, and with the plan. */
static void far(int64_t cycle)
{
    static int64_t e[MANY], c[MANY], there[MANY];
    int64_t off = 0, wrong = 0, use;
    wide(cycle, e);
    tt_quota *q = tt_quota_new(MANY, e, 7, 0);
    int64_t C = tt_quota_cycle(q);
    for (uint64_t k = 0; k < 8; k++) {
        int64_t at = (int64_t)tt_rand_below(5, k, (uint64_t)C - 1000);
        tt_quota_counts(q, at, c);
        for (int64_t t = at; t < at + 1000; t++) {
            int s = tt_quota_draw(q, t, &use);
            off += !on_line(t, c[s], e[s], C);
            wrong += use != c[s]++;
        }
        tt_quota_counts(q, at + 1000, there);
        wrong += memcmp(there, c, sizeof c) != 0;
    }
    ok(C == cycle && !off && !wrong, "far places in a cycle of %lld (%lld off, %lld wrong)", (long long)C,
       (long long)off, (long long)wrong);
    tt_quota_free(q);
}

static void order(void)
{
    int64_t e[40], use, moved = 0;
    int first[40];
    for (int i = 0; i < 40; i++) e[i] = 1;
    tt_quota *q = tt_quota_new(40, e, 7, 0);
    for (int t = 0; t < 40; t++) first[t] = tt_quota_draw(q, t, &use);
    for (int t = 0; t < 40; t++) moved += tt_quota_draw(q, 40 + t, &use) != first[t];
    ok(moved > 20, "equal sets come in another order in the next cycle");
    tt_quota_free(q);
}

static void jumps(void)
{
    static int64_t e[MANY];
    int n = sample(2, e);
    tt_quota *a = tt_quota_new(n, e, 7, 512), *b = tt_quota_new(n, e, 7, 512), *c = tt_quota_new(n, e, 8, 512);
    int64_t C = tt_quota_cycle(a), differ = 0, moved = 0;
    for (uint64_t k = 0; k < 300; k++) {
        int64_t at = (int64_t)tt_rand_below(3, k, 3 * (uint64_t)C), use, use2, use3;
        int s = tt_quota_draw(a, at, &use);
        for (int64_t t = at > 700 ? at - 700 : 0; t <= at; t++) { /* from the piece before */
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
    wide_bounds();
    far((int64_t)1 << 30);
    far(((int64_t)1 << 48) - 7);
    order();
    jumps();
    no_share();
    return tap_done();
}
