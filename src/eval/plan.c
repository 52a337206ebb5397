/* What is asked of the model for each data set, and who does it. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

/* ---- metrics of a data set --------------------------------------------------------------------------------------------*/

static tt_err add_spec(setplan *p, const char *spec, const char *set, bool span)
{
    tt_scoring *s;
    if (p->nspec == TT_METRICS_MOST) return tt_fail(TT_EJOB, "%s: more than %d metrics", set, TT_METRICS_MOST);
    TT_TRY(tt_scoring_parse(spec, &s));
    unsigned needs = tt_scoring_metric(s)->needs;
    tt_scoring_free(s);
    if (span && !(needs & TT_NEED_LIKELIHOOD)) return TT_OK; /* a corrupted span is no question */
    if (needs & TT_NEED_GROUP)
        return tt_fail(TT_EJOB, "%s: %s needs groups of examples, which data sets do not have; use tutti score", set,
                       spec);
    p->answer |= (needs & TT_NEED_PREDICTION) != 0;
    p->options |= (needs & (TT_NEED_OPTIONS | TT_NEED_CONFIDENCE)) != 0;
    p->likelihood |= (needs & TT_NEED_LIKELIHOOD) != 0;
    p->spec[p->nspec++] = spec;
    return TT_OK;
}

static tt_err read_metrics(harness *h, const tt_setinfo *info, setplan *p)
{
    const char *text = info->metrics ? info->metrics : h->job->eval.metrics;
    char *rest = tt_strdup(h->a, text ? text : "loss");
    for (char *w; (w = tt_spec_next(&rest));)
        TT_TRY(add_spec(p, w, info->name, h->job->train.objective == TT_OBJ_SPAN));
    if (p->nspec == 0)
        return tt_fail(TT_EJOB, "%s: no metric; set eval.metrics, for instance to \"loss rouge:stem=1\"", info->name);
    return TT_OK;
}

/* Is the answer of the set's first row one of its options? */
static bool can_rank(harness *h, int set)
{
    const tt_set *s = h->sets->set[set];
    tt_prompt p;
    char **option;
    int n = 0, gold;
    tt_arena_reset(h->block);
    if (!tt_set_info(s)->options || tt_set_info(s)->rows == 0) return false;
    tt_prompt_make(s, 0, (uint64_t)h->job->seed, 0, h->block, &p);
    tt_prompt_options(s, 0, &p, h->block, &n, &option, &gold);
    return n > 0;
}

static tt_err plan_set(harness *h, int set)
{
    const tt_setinfo *info = tt_set_info(h->sets->set[set]);
    setplan *p = &h->plan[set];
    int answer = info->answer >= 0 ? info->answer : h->job->eval.answer;
    int64_t limit = h->job->eval.limit, generate = h->job->eval.generate;
    TT_TRY(read_metrics(h, info, p));
    p->rank = answer == TT_ANSWER_RANK || (answer == TT_ANSWER_AUTO && can_rank(h, set));
    p->options |= p->rank && p->answer;
    if (p->options && !info->options)
        return tt_fail(TT_EJOB,
                       "%s: has no options to rank; give its entry options, or score it with eval.answer: generate and "
                       "metrics that need none",
                       info->name);
    p->examples = limit > 0 && limit < info->rows ? limit : info->rows;
    p->answered = generate > 0 && generate < p->examples && !p->rank ? generate : p->examples;
    return TT_OK;
}

/* ---- examples ---------------------------------------------------------------------------------------------------------*/

int harness_set_of(const harness *h, int64_t at)
{
    int lo = 0, hi = h->sets->n;
    while (lo + 1 < hi) {
        int mid = (lo + hi) / 2;
        *(h->first[mid] <= at ? &lo : &hi) = mid;
    }
    return lo;
}

tt_err harness_show(harness *h, int64_t at, int *set, int64_t *row, tt_shown *out)
{
    *set = harness_set_of(h, at);
    const tt_setinfo *info = tt_set_info(h->sets->set[*set]);
    tt_rkey order = tt_key((uint64_t)h->job->seed, info->name, 0, 0, 1);
    *row = (int64_t)tt_permute(order, (uint64_t)info->rows, (uint64_t)(at - h->first[*set]));
    return tt_maker_show(&h->maker, at, (tt_draw){*set, *row, 0}, out);
}

/* Tokens that go through the model: a token decoded by itself costs some times one that is encoded among others. */
enum { DECODED = 4 };

static int64_t cost_of(const harness *h, const setplan *p, const tt_shown *s, int nopt)
{
    int64_t S = s->size.S, T = s->size.T, cost = S + 1;
    if (p->likelihood) cost += S + T;
    if (p->options) cost += S + T * nopt;
    if (p->answer && !p->rank) cost += S + DECODED * T * h->gen.beams;
    return cost;
}

/* Each rank looks at a run of the examples; all know all costs. */
static tt_err measure(harness *h)
{
    int64_t n = h->first[h->sets->n], lo, hi;
    h->cost = TT_ZNEW(h->a, int64_t, n + 1);
    tt_share(n, h->m->rank, h->m->size, &lo, &hi);
    tt_err e = TT_OK;
    for (int64_t at = lo; at < hi && e == TT_OK; at++) {
        tt_shown s;
        int set, nopt = 0, gold;
        int64_t row;
        char **option;
        tt_arena_reset(h->block);
        e = harness_show(h, at, &set, &row, &s);
        if (e == TT_OK && h->plan[set].options)
            tt_prompt_options(h->sets->set[set], row, &s.prompt, h->block, &nopt, &option, &gold);
        if (e == TT_OK) h->cost[at] = cost_of(h, &h->plan[set], &s, nopt);
        tt_watch_kick("evaluation");
    }
    TT_TRY(tt_agree(h->m, e));
    tt_allsum_i64(h->m, h->cost, n);
    return TT_OK;
}

typedef struct piece {
    int64_t at, cost;
} piece;

static int by_cost(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Of n examples the costliest goes to the rank with the least to do, and so on; of equals to the first. All ranks come to the same. */
static void deal(harness *h, const piece *p, int64_t n, int64_t *load)
{
    for (int64_t i = 0; i < n; i++) {
        int least = 0;
        for (int r = 1; r < h->m->size; r++)
            if (load[r] < load[least]) least = r;
        load[least] += p[i].cost;
        if (least == h->m->rank) h->mine[h->nmine++] = p[i].at;
    }
}

/* Rounds of examples of like cost, so that no rank waits long for another at the end of one. */
static void deal_rounds(harness *h)
{
    int64_t n = h->first[h->sets->n], each = (int64_t)h->m->size * TT_ROUND;
    int64_t *load = TT_ZNEW(h->a, int64_t, h->m->size);
    piece *p = tt_malloc(sizeof *p * (size_t)(n + 1));
    h->mine = TT_NEW(h->a, int64_t, n + 1);
    h->nround = (n + each - 1) / each;
    h->round = TT_ZNEW(h->a, int64_t, h->nround + 1);
    for (int64_t i = 0; i < n; i++) p[i] = (piece){i, h->cost[i]};
    qsort(p, (size_t)n, sizeof *p, by_cost);
    for (int64_t r = 0; r < h->nround; r++) {
        int64_t from = r * each, left = n - from;
        deal(h, p + from, left < each ? left : each, load);
        h->round[r + 1] = h->nmine;
    }
    free(p);
}

tt_err harness_plan(harness *h)
{
    int n = h->sets->n;
    h->plan = TT_ZNEW(h->a, setplan, n + 1);
    h->first = TT_ZNEW(h->a, int64_t, n + 1);
    tt_err e = TT_OK;
    for (int i = 0; i < n && e == TT_OK; i++) {
        e = plan_set(h, i);
        h->first[i + 1] = h->first[i] + h->plan[i].examples;
    }
    TT_TRY(tt_agree(h->m, e));
    TT_TRY(measure(h));
    deal_rounds(h);
    return TT_OK;
}
