/* ROUGE of many examples: the metric, and rouge_score's BootstrapAggregator. */
#include "metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the aggregator ----------------------------------------------------------------------------------------------------*/

enum { RESAMPLES = 1000, SEED = 123, TRIPLE = 3 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numpy.percentile of sorted values: linear, from the nearer side. */
static double percentile(const double *x, int n, double q)
{
    double at = q / 100 * (n - 1), low = floor(at), t = at - low;
    int i = (int)low, j = i + 1 < n ? i + 1 : i;
    double d = x[j] - x[i];
    return t >= 0.5 ? x[j] - d * (1 - t) : x[i] + d * t;
}

/* Means of one draw of n examples. */
static void resample(int64_t n, const tt_prf (*x)[TT_ROUGE_N], int kind, tt_mt *mt, double mean[TRIPLE])
{
    double p = 0, r = 0, f = 0;
    for (int64_t i = 0; i < n; i++) {
        const tt_prf *y = &x[tt_mt_masked(mt, (uint32_t)(n - 1))][kind];
        p += y->p;
        r += y->r;
        f += y->f;
    }
    mean[0] = p / (double)n;
    mean[1] = r / (double)n;
    mean[2] = f / (double)n;
}

static tt_prf percentiles(double sorted[TRIPLE][RESAMPLES], double q)
{
    return (tt_prf){percentile(sorted[0], RESAMPLES, q), percentile(sorted[1], RESAMPLES, q),
                    percentile(sorted[2], RESAMPLES, q)};
}

void tt_rouge_aggregate(int64_t n, const tt_prf (*x)[TT_ROUGE_N], tt_prf low[TT_ROUGE_N], tt_prf mid[TT_ROUGE_N],
                        tt_prf high[TT_ROUGE_N])
{
    assert(n >= 1 && n <= UINT32_MAX);
    double mean[TRIPLE][RESAMPLES], one[TRIPLE];
    tt_mt mt;
    tt_mt_seed(&mt, SEED);
    for (int kind = 0; kind < TT_ROUGE_N; kind++) {
        for (int i = 0; i < RESAMPLES; i++) {
            resample(n, x, kind, &mt, one);
            for (int k = 0; k < TRIPLE; k++) mean[k][i] = one[k];
        }
        for (int k = 0; k < TRIPLE; k++) qsort(mean[k], RESAMPLES, sizeof mean[k][0], by_value);
        low[kind] = percentiles(mean, 2.5);
        mid[kind] = percentiles(mean, 50);
        high[kind] = percentiles(mean, 97.5);
    }
}

/* ---- the metric ----------------------------------------------------------------------------------------------------------
 * Numbers of an example: precision, recall, F of every kind, which are the values too. */

static const char *const kind_name[] = {"rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"};
static const char *const values[] = {"rouge1.precision",    "rouge1.recall",    "rouge1.f1",        "rouge2.precision",
                                     "rouge2.recall",       "rouge2.f1",        "rouge3.precision", "rouge3.recall",
                                     "rouge3.f1",           "rougeL.precision", "rougeL.recall",    "rougeL.f1",
                                     "rougeLsum.precision", "rougeLsum.recall", "rougeLsum.f1",     NULL};
enum { WIDTH = TT_ROUGE_N * TRIPLE, ALL_KINDS = (1 << TT_ROUGE_N) - 1, MAIN = TT_ROUGE_1 * TRIPLE + 2 };

static tt_err open_rouge(tt_scoring *s)
{
    s->state = tt_rouge_new(s->o.stem);
    return TT_OK;
}

static void close_rouge(tt_scoring *s)
{
    tt_rouge_free(s->state);
    s->state = NULL;
}

/* Sentences as lines: " . " becomes " .\n". Heap, the caller frees. */
static char *as_lines(const char *text)
{
    char *out = tt_malloc(strlen(text) + 1);
    strcpy(out, text);
    for (char *p = out; (p = strstr(p, " . ")) != NULL; p += 3) p[2] = '\n';
    return out;
}

static void score_lines(tt_rouge *w, const tt_case *c, tt_prf *out)
{
    char **ref = tt_malloc(sizeof *ref * (size_t)c->nref), *prediction = as_lines(c->prediction);
    for (int i = 0; i < c->nref; i++) ref[i] = as_lines(c->ref[i]);
    tt_rouge_score(w, c->nref, (const char *const *)ref, prediction, ALL_KINDS, out);
    for (int i = 0; i < c->nref; i++) free(ref[i]);
    free(ref);
    free(prediction);
}

static tt_err each_rouge(tt_scoring *s, const tt_case *c, double *stat)
{
    tt_prf x[TT_ROUGE_N];
    if (s->o.split_sentences)
        score_lines(s->state, c, x);
    else
        tt_rouge_score(s->state, c->nref, c->ref, c->prediction, ALL_KINDS, x);
    for (int k = 0; k < TT_ROUGE_N; k++) {
        stat[TRIPLE * k] = x[k].p;
        stat[TRIPLE * k + 1] = x[k].r;
        stat[TRIPLE * k + 2] = x[k].f;
    }
    return TT_OK;
}

static json_t *triple(tt_prf x) { return json_pack("{s:f, s:f, s:f}", "precision", x.p, "recall", x.r, "f1", x.f); }

static void more_rouge(const tt_scoring *s, int64_t i, json_t *out)
{
    if (i >= 0 || !s->o.aggregate || s->n == 0) return;
    tt_prf(*x)[TT_ROUGE_N] = tt_malloc(sizeof *x * (size_t)s->n), low[TT_ROUGE_N], mid[TT_ROUGE_N], high[TT_ROUGE_N];
    for (int64_t e = 0; e < s->n; e++)
        for (int k = 0; k < TT_ROUGE_N; k++) {
            const double *y = s->stat + e * WIDTH + TRIPLE * k;
            x[e][k] = (tt_prf){y[0], y[1], y[2]};
        }
    tt_rouge_aggregate(s->n, (const tt_prf(*)[TT_ROUGE_N])x, low, mid, high);
    json_t *all = json_object();
    for (int k = 0; k < TT_ROUGE_N; k++)
        json_object_set_new(
            all, kind_name[k],
            json_pack("{s:o, s:o, s:o}", "low", triple(low[k]), "mid", triple(mid[k]), "high", triple(high[k])));
    json_object_set_new(out, "bootstrap", all);
    free(x);
}

const tt_metric_def tt_def_rouge = {.values = values,
                                    .main = MAIN,
                                    .width = WIDTH,
                                    .open = open_rouge,
                                    .close = close_rouge,
                                    .each = each_rouge,
                                    .more = more_rouge};
