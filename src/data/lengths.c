/* Lengths in tokens of the examples of every data set: the ranks share the rows, all get the result. */
#include "tutti/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct seen { /* one example */
    int32_t S, T, cut, set;
    int64_t row;
} seen;

/* Rows measured of the sets before each. heap[n+1] */
static int64_t *starts(const tt_sets *s, int64_t limit)
{
    int64_t *first = tt_malloc(sizeof *first * (size_t)(s->n + 1));
    first[0] = 0;
    for (int i = 0; i < s->n; i++) {
        int64_t rows = tt_set_info(s->set[i])->rows;
        first[i + 1] = first[i] + (limit > 0 && limit < rows ? limit : rows);
    }
    return first;
}

/* The k-th row of the sample: in order when all are taken, else the first of a permutation. */
static int64_t sample_row(const tt_job *job, const tt_setinfo *info, int64_t k, int64_t size)
{
    if (size == info->rows) return k;
    tt_rkey key = tt_key((uint64_t)job->seed, info->name, 0, 0, 4);
    return (int64_t)tt_permute(key, (uint64_t)info->rows, (uint64_t)k);
}

static tt_err measure_one(tt_maker *k, int set, int64_t row, seen *out)
{
    int32_t *ids;
    tt_sizes size;
    TT_TRY(tt_maker_ids(k, row, (tt_draw){.set = set, .row = row}, &ids, &size));
    free(ids);
    *out = (seen){size.S, size.T, size.cut, set, row};
    return TT_OK;
}

/* Every size-th example, so that ranks share long and short sets alike. */
static tt_err measure_own(const tt_mesh *m, const tt_job *job, const tt_sets *s, tt_maker *k, const int64_t *first,
                          seen *out, int64_t *n)
{
    *n = 0;
    int set = 0;
    for (int64_t i = m->rank; i < first[s->n]; i += m->size) {
        while (i >= first[set + 1]) set++;
        int64_t row = sample_row(job, tt_set_info(s->set[set]), i - first[set], first[set + 1] - first[set]);
        TT_TRY(measure_one(k, set, row, &out[(*n)++]));
        tt_watch_kick("measuring lengths");
    }
    return TT_OK;
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int bin_of(int32_t length)
{
    int b = length < 1 ? 0 : (int)floor(4 * log2((double)length) + 1e-9);
    return b < TT_LENGTH_BINS ? b : TT_LENGTH_BINS - 1;
}

/* Nearest-rank quantiles. x is sorted here. */
static void spread(int32_t *x, int64_t n, tt_spread *out)
{
    if (!n) return;
    qsort(x, (size_t)n, sizeof *x, ascending);
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        out->bin[bin_of(x[i])]++;
    }
    out->mean = (double)sum / (double)n;
    out->p50 = x[(n - 1) / 2];
    out->p95 = x[(95 * n + 99) / 100 - 1];
    out->max = x[n - 1];
}

/* all: the examples of all ranks in any order. */
static void summarize(const seen *all, int64_t n, const tt_sets *s, const int64_t *first, tt_lengths *out)
{
    int32_t *S = tt_malloc(sizeof *S * (size_t)(n + 1)), *T = tt_malloc(sizeof *T * (size_t)(n + 1));
    int64_t *at = tt_malloc(sizeof *at * (size_t)(s->n + 1));
    memcpy(at, first, sizeof *at * (size_t)(s->n + 1));
    for (int i = 0; i < s->n; i++) out[i] = (tt_lengths){.rows = first[i + 1] - first[i], .cut_row = -1};
    for (int64_t i = 0; i < n; i++) {
        tt_lengths *o = &out[all[i].set];
        S[at[all[i].set]] = all[i].S;
        T[at[all[i].set]++] = all[i].T;
        o->cut += all[i].cut;
        if (all[i].cut && (o->cut_row < 0 || all[i].row < o->cut_row)) o->cut_row = all[i].row;
    }
    for (int i = 0; i < s->n; i++) {
        spread(S + first[i], out[i].rows, &out[i].source);
        spread(T + first[i], out[i].rows, &out[i].target);
    }
    free(S);
    free(T);
    free(at);
}

tt_err tt_lengths_measure(const tt_mesh *m, const tt_job *job, const tt_sets *s, const tt_tok *tok, int64_t limit,
                          tt_lengths *out)
{
    int64_t *first = starts(s, limit), n;
    seen *mine = tt_malloc(sizeof *mine * (size_t)(first[s->n] / m->size + 2));
    size_t *off = tt_malloc(sizeof *off * (size_t)(m->size + 1));
    void *all = NULL;
    tt_maker k;
    tt_maker_init(&k, job, s, tok);
    tt_err e = tt_agree(m, measure_own(m, job, s, &k, first, mine, &n));
    if (e == TT_OK) {
        tt_allgatherv(m, mine, sizeof *mine * (size_t)n, &all, off);
        summarize(all, first[s->n], s, first, out);
    }
    tt_maker_fini(&k);
    free(mine);
    free(off);
    free(all);
    free(first);
    return e;
}
