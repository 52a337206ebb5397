/* The mixture as a function of the draw's number (DESIGN D8): shares of the parts, quotas of the data sets, the draw. */
#include "mixspec.h"
#include "quota.h"
#include "sets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tt_mix {
    int n;
    uint64_t seed;
    tt_arena *a;
    tt_mixspec spec;
    const tt_set *const *set;
    int *leaf;      /* [n] node of the spec */
    int64_t *cap;   /* [n] */
    int64_t *count; /* [n]: min(rows, cap) */
    int64_t *e;     /* [n]: draws in a cycle */
    int64_t *first; /* [n+1]: sums of e before */
    int64_t epoch, cycle;
    tt_quota *quota;
};

/* Uses of c as the last number of a set's keys: templates have 0 (prompt.c), the order of its rows this. */
enum { KEY_ROWS = 2 };
#define MAX_EPOCH ((int64_t)1 << 48)
#define LEAST_CYCLE \
    ((int64_t)1 << 30) /* fineness of shares that are not whole numbers of examples: 1e-7 is still 107 draws */

/* ---- what a data set counts -------------------------------------------------------------------------------------------------*/

static bool can_draw(const tt_setinfo *s) { return s->rows > 0 && s->weight > 0; }

/* Within its part, by the part's rate. */
static double rate_of(const tt_mixnode *part, const tt_setinfo *s, int64_t count)
{
    if (!can_draw(s)) return 0;
    switch (part->rate) {
    case TT_RATE_TEMPERATURE: return pow(s->weight * (double)count, 1 / part->temperature);
    case TT_RATE_EQUAL: return 1;
    case TT_RATE_WEIGHTS: return s->weight;
    default: return s->weight * (double)count;
    }
}

static void choose_caps(tt_mix *x)
{
    for (int i = 0; i < x->n; i++) {
        const tt_setinfo *s = tt_set_info(x->set[i]);
        x->cap[i] = s->cap > 0 ? s->cap : x->spec.node[x->leaf[i]].cap;
        x->count[i] = x->cap[i] > 0 && x->cap[i] < s->rows ? x->cap[i] : s->rows;
    }
}

/* ---- shares of the parts ----------------------------------------------------------------------------------------------------*/

/* sum[node]: the rates of its data sets, those of its parts included. Parts come behind their parents. */
static void add_up(tt_mix *x, double *sum)
{
    tt_mixspec *p = &x->spec;
    for (int i = 0; i < p->n; i++) sum[i] = 0, p->node[i].pub.nset = 0;
    for (int i = 0; i < x->n; i++) {
        const tt_setinfo *s = tt_set_info(x->set[i]);
        sum[x->leaf[i]] += rate_of(&p->node[x->leaf[i]], s, x->count[i]);
        p->node[x->leaf[i]].pub.nset += can_draw(s);
    }
    for (int i = p->n - 1; i > 0; i--) {
        if (!p->node[i].leaf) continue;
        for (int up = p->node[i].parent; up >= 0; up = p->node[up].parent) {
            sum[up] += sum[i];
            p->node[up].pub.nset += p->node[i].pub.nset;
        }
    }
}

/* What a part counts among its siblings: its given share, or its size; nothing if it is empty. */
static double claim(const tt_mixnode *n, double sum) { return sum <= 0 ? 0 : n->given >= 0 ? n->given : sum; }

static void tell_empty(const tt_mix *x)
{
    for (int i = 1; i < x->spec.n; i++) {
        const tt_mixnode *n = &x->spec.node[i];
        if (n->pub.nset == 0 && n->given > 0)
            tt_warn_once(n->pub.path,
                         "part %s of the mixture has nothing to draw; its share of %g goes to its siblings",
                         n->pub.path, n->given);
    }
}

static void share_out(tt_mix *x, const double *sum)
{
    tt_mixspec *p = &x->spec;
    p->node[0].pub.share = 1;
    for (int i = 1; i < p->n; i++) {
        double all = 0;
        for (int k = 1; k < p->n; k++)
            if (p->node[k].parent == p->node[i].parent) all += claim(&p->node[k], sum[k]);
        p->node[i].pub.share = all > 0 ? p->node[p->node[i].parent].pub.share * claim(&p->node[i], sum[i]) / all : 0;
    }
    tell_empty(x);
}

/* ---- whole numbers over a cycle ---------------------------------------------------------------------------------------------*/

/* One flat mixture by size: an epoch is the examples that count, exactly. */
static tt_err quotas_by_size(tt_mix *x)
{
    for (int i = 0; i < x->n; i++) {
        const tt_setinfo *s = tt_set_info(x->set[i]);
        double e = can_draw(s) ? rint(s->weight * (double)x->count[i]) : 0;
        if (can_draw(s) && e < 1) e = 1;
        if (e > (double)MAX_EPOCH || x->epoch + (int64_t)e > MAX_EPOCH)
            return tt_fail(TT_EDATA, "%s: weight %g makes an epoch of more than 2^48 examples; lower it", s->name,
                           s->weight);
        x->e[i] = (int64_t)e;
        x->epoch += x->e[i];
    }
    x->cycle = x->epoch;
    return TT_OK;
}

typedef struct rest {
    double part;
    int set;
} rest;

static int largest_first(const void *a, const void *b)
{
    const rest *x = a, *y = b;
    if (x->part != y->part) return x->part < y->part ? 1 : -1;
    return x->set - y->set;
}

/* Shares to whole numbers that add up to the cycle: largest remainders, at least one each. */
static void round_shares(tt_mix *x, const double *share)
{
    rest *r = tt_malloc(sizeof *r * (size_t)(x->n + 1));
    int64_t left = x->cycle;
    for (int i = 0; i < x->n; i++) {
        double want = share[i] * (double)x->cycle, low = floor(want);
        if (share[i] > 0 && low < 1) low = 1;
        x->e[i] = (int64_t)low;
        left -= x->e[i];
        r[i] = (rest){share[i] > 0 ? want - low : -INFINITY, i};
    }
    qsort(r, (size_t)x->n, sizeof *r, largest_first);
    for (int k = 0; left > 0; k = (k + 1) % x->n)
        if (share[r[k].set] > 0) x->e[r[k].set]++, left--;
    for (int k = x->n - 1; left < 0;
         k = k ? k - 1 : x->n - 1) /* too many were lifted to one: the largest remainders pay last */
        if (x->e[r[k].set] > 1) x->e[r[k].set]--, left++;
    free(r);
}

static void quotas_by_share(tt_mix *x, const double *sum)
{
    double *share = tt_malloc(sizeof *share * (size_t)(x->n + 1));
    for (int i = 0; i < x->n; i++) {
        const tt_mixnode *part = &x->spec.node[x->leaf[i]];
        const tt_setinfo *s = tt_set_info(x->set[i]);
        share[i] = sum[x->leaf[i]] > 0 ? part->pub.share * rate_of(part, s, x->count[i]) / sum[x->leaf[i]] : 0;
        if (share[i] > 0) x->epoch += x->count[i];
    }
    x->cycle = x->epoch > LEAST_CYCLE ? x->epoch : LEAST_CYCLE;
    if (x->epoch) round_shares(x, share);
    free(share);
}

static tt_err make_quotas(tt_mix *x)
{
    double *sum = tt_malloc(sizeof *sum * (size_t)x->spec.n);
    add_up(x, sum);
    share_out(x, sum);
    tt_err e = TT_OK;
    if (x->spec.n == 1 && x->spec.node[0].rate == TT_RATE_PROPORTIONAL)
        e = quotas_by_size(x);
    else
        quotas_by_share(x, sum);
    free(sum);
    if (e == TT_OK && !x->epoch)
        e = tt_fail(TT_EDATA, "the mixture is empty: %d data sets, none with a usable row and a weight above 0", x->n);
    return e;
}

/* ---- the mixture ------------------------------------------------------------------------------------------------------------*/

/* The prompts of a part's data sets, where their entries do not say otherwise. */
static tt_err set_styles(const tt_mix *x, const tt_job *job, const tt_sets *s)
{
    for (int i = 0; i < s->n; i++) {
        tt_set *set = s->set[i];
        const tt_yaml *part = x->spec.node[x->leaf[i]].prompts;
        if (!part) continue;
        TT_TRY(tt_style_of_job(job, &set->style));
        TT_TRY(tt_style_override(x->a, part, &set->style));
        TT_TRY(tt_style_override(x->a, set->spec->prompts, &set->style));
    }
    return TT_OK;
}

static tt_err build(tt_mix *x, const tt_job *job, const tt_sets *s)
{
    TT_TRY(tt_mixspec_read(x->a, job, &x->spec));
    TT_TRY(tt_mixspec_assign(&x->spec, s, x->leaf));
    choose_caps(x);
    TT_TRY(set_styles(x, job, s));
    TT_TRY(make_quotas(x));
    for (int i = 0; i < x->n; i++) x->first[i + 1] = x->first[i] + x->e[i];
    if (x->spec.draw == TT_DRAW_STRATIFIED) x->quota = tt_quota_new(x->n, x->e, tt_key(x->seed, "mixture", 0, 0, 0), 0);
    return TT_OK;
}

tt_err tt_mix_new(const tt_job *job, const tt_sets *s, tt_mix **out)
{
    tt_mix *x = tt_malloc(sizeof *x);
    *x = (tt_mix){.n = s->n, .seed = (uint64_t)job->seed, .a = tt_arena_new(1 << 14)};
    x->set = (const tt_set *const *)s->set;
    x->leaf = TT_ZNEW(x->a, int, s->n + 1);
    x->cap = TT_ZNEW(x->a, int64_t, s->n + 1);
    x->count = TT_ZNEW(x->a, int64_t, s->n + 1);
    x->e = TT_ZNEW(x->a, int64_t, s->n + 1);
    x->first = TT_ZNEW(x->a, int64_t, s->n + 1);
    tt_err e = build(x, job, s);
    if (e != TT_OK)
        tt_mix_free(x);
    else
        *out = x;
    return e;
}

void tt_mix_free(tt_mix *x)
{
    if (!x) return;
    tt_quota_free(x->quota);
    tt_arena_free(x->a);
    free(x);
}

int64_t tt_mix_epoch(const tt_mix *x) { return x->epoch; }
double tt_mix_share(const tt_mix *x, int set) { return (double)x->e[set] / (double)x->cycle; }
int64_t tt_mix_cap(const tt_mix *x, int set) { return x->cap[set]; }
int tt_mix_parts(const tt_mix *x) { return x->spec.n - 1; }
const tt_mixpart *tt_mix_part(const tt_mix *x, int part) { return &x->spec.node[part + 1].pub; }
int tt_mix_part_of(const tt_mix *x, int set) { return x->spec.n > 1 ? x->leaf[set] - 1 : -1; }

int64_t tt_mix_hash(const tt_mix *x)
{
    /* The number in the name is that of the rule of quota.c and of the rows: with another rule a cursor means other draws. */
    uint64_t h = tt_key(x->seed, "mixture 2", (uint64_t)x->spec.draw, (uint64_t)x->cycle, (uint64_t)x->epoch);
    for (int i = 0; i < x->n; i++) {
        const tt_setinfo *s = tt_set_info(x->set[i]);
        h = tt_key(h, s->name, (uint64_t)s->rows, (uint64_t)x->e[i], 0);
    }
    return (int64_t)(h >> 1);
}

/* ---- draws ------------------------------------------------------------------------------------------------------------------*/

/* The set whose run holds slot. */
static int set_of(const tt_mix *x, int64_t slot)
{
    int lo = 0, hi = x->n;
    while (lo + 1 < hi) {
        int mid = lo + (hi - lo) / 2;
        *(x->first[mid] <= slot ? &lo : &hi) = mid;
    }
    return lo;
}

static tt_draw draw_random(const tt_mix *x, int64_t n)
{
    tt_rkey key = tt_key(x->seed, "random mixture", (uint64_t)n, 0, 0);
    int i = set_of(x, (int64_t)tt_rand_below(key, 0, (uint64_t)x->cycle));
    int64_t rows = tt_set_info(x->set[i])->rows;
    return (tt_draw){i, (int64_t)tt_rand_below(key, 1, (uint64_t)rows), n};
}

tt_draw tt_mix_draw(const tt_mix *x, int64_t n)
{
    if (x->spec.draw == TT_DRAW_RANDOM) return draw_random(x, n);
    int64_t use;
    int i = tt_quota_draw(x->quota, n, &use);
    const tt_setinfo *s = tt_set_info(x->set[i]);
    int64_t round = use / s->rows;
    tt_rkey key = tt_key(x->seed, s->name, (uint64_t)round, 0, KEY_ROWS);
    int64_t row = (int64_t)tt_permute(key, (uint64_t)s->rows, (uint64_t)(use % s->rows));
    return (tt_draw){i, row, round};
}

void tt_mix_counts(const tt_mix *x, int64_t n, int64_t *count)
{
    if (x->spec.draw == TT_DRAW_RANDOM) {
        memset(count, 0, sizeof *count * (size_t)x->n);
        for (int64_t k = 0; k < n; k++) count[draw_random(x, k).set]++;
        return;
    }
    tt_quota_counts(x->quota, n, count);
}
