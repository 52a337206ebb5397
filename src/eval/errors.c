/* Standard errors by resampling, as lm-evaluation-harness draws them.
 *
 * Examples with equal numbers are of one kind (right and wrong labels make a handful), a resample is the counts of the kinds,
 * and the values are those of the kinds with their counts as weights. So 100,000 resamples cost little more than their draws. */
#include "metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1000, BLOCK = 2048, LANES = 8, BANKS = 4 };

/* ---- kinds -----------------------------------------------------------------------------------------------------------*/

typedef struct kinds {
    int64_t n, K, width;
    uint32_t *of;   /* [n] kind of each example */
    double *stat;   /* [K, width] in rising order */
    uint64_t *lane; /* [n] 1 in the byte of the kind, where there are at most LANES; else NULL */
} kinds;

typedef struct row {
    const double *x;
    int64_t width, i;
} row;

/* NaN is equal to itself, and above numbers. */
static int compare_numbers(double x, double y)
{
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    for (int64_t k = 0; k < x->width; k++) {
        int c = compare_numbers(x->x[k], y->x[k]);
        if (c) return c;
    }
    return 0;
}

static int by_row(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int c = compare_rows(a, b);
    return c ? c : (x->i > y->i) - (x->i < y->i);
}

static row *sorted_rows(const tt_scoring *s)
{
    row *r = tt_malloc((size_t)s->n * sizeof *r);
    for (int64_t i = 0; i < s->n; i++) r[i] = (row){s->stat + i * s->width, s->width, i};
    qsort(r, (size_t)s->n, sizeof *r, by_row);
    return r;
}

static void find_lanes(kinds *k)
{
    if (k->K > LANES) return;
    k->lane = tt_malloc((size_t)k->n * sizeof *k->lane);
    for (int64_t i = 0; i < k->n; i++) k->lane[i] = (uint64_t)1 << (8 * k->of[i]);
}

static kinds find_kinds(const tt_scoring *s)
{
    size_t n = (size_t)s->n, width = (size_t)s->width;
    kinds k = {s->n, 0, s->width, tt_malloc(n * sizeof *k.of), tt_malloc(n * width * sizeof *k.stat), NULL};
    row *r = sorted_rows(s);
    for (int64_t i = 0; i < s->n; i++) {
        if (i == 0 || compare_rows(&r[i - 1], &r[i]) != 0) {
            memcpy(k.stat + k.K * k.width, r[i].x, width * sizeof *k.stat);
            k.K++;
        }
        k.of[r[i].i] = (uint32_t)(k.K - 1);
    }
    free(r);
    find_lanes(&k);
    return k;
}

static void free_kinds(kinds *k)
{
    free(k->of);
    free(k->stat);
    free(k->lane);
}

/* ---- one resample: counts of kinds -----------------------------------------------------------------------------------*/

/* Eight counters of a byte in one word, emptied before they can overflow. */
static void tally_lanes(const kinds *k, int64_t n, const uint32_t *index, uint32_t *count)
{
    for (int64_t from = 0; from < n; from += UINT8_MAX) {
        int64_t to = n - from < UINT8_MAX ? n : from + UINT8_MAX;
        uint64_t sum = 0;
        for (int64_t i = from; i < to; i++) sum += k->lane[index[i]];
        for (int64_t j = 0; j < k->K; j++) count[j] += sum >> (8 * j) & UINT8_MAX;
    }
}

/* Several banks of counters: the next draw need not wait for the last where both are of one kind. */
static void tally_banks(const kinds *k, int64_t n, const uint32_t *index, uint32_t *count)
{
    for (int64_t i = 0; i < n; i++) count[(i % BANKS) * k->K + k->of[index[i]]]++;
}

static void resample(const kinds *k, tt_mt *m, uint32_t *count, double *weight)
{
    uint32_t index[BLOCK];
    memset(count, 0, (size_t)(BANKS * k->K) * sizeof *count);
    for (int64_t left = k->n; left > 0; left -= BLOCK) {
        int64_t n = left < BLOCK ? left : BLOCK;
        tt_mt_choices(m, k->n, n, index);
        (k->lane ? tally_lanes : tally_banks)(k, n, index, count);
    }
    for (int64_t j = 0; j < k->K; j++) {
        weight[j] = 0;
        for (int b = 0; b < BANKS; b++) weight[j] += count[b * k->K + j];
    }
}

/* ---- all of them -----------------------------------------------------------------------------------------------------*/

static void values_of(const tt_scoring *s, const kinds *k, const double *weight, double *value)
{
    const tt_metric_def *def = s->m->def;
    if (def->total) {
        def->total(s, k->K, k->stat, weight, false, value);
        return;
    }
    for (int v = 0; v < s->nvalue; v++) {
        double sum = 0;
        for (int64_t j = 0; j < k->K; j++) sum += weight[j] != 0 ? weight[j] * k->stat[j * k->width + v] : 0;
        value[v] = sum / (double)k->n;
    }
}

/* x[value][replicate] */
static void replicates(const tt_scoring *s, const kinds *k, int64_t chunks, int64_t chunk, double *x)
{
    uint32_t *count = tt_malloc((size_t)(BANKS * k->K) * sizeof *count);
    double *weight = tt_malloc((size_t)k->K * sizeof *weight), *value = tt_malloc((size_t)s->nvalue * sizeof *value);
    int64_t all = chunks * chunk;
    tt_mt m;
    for (int64_t i = 0; i < all; i++) {
        uint32_t seed = (uint32_t)(i / chunk);
        if (i % chunk == 0) tt_mt_seed_words(&m, 1, &seed);
        resample(k, &m, count, weight);
        values_of(s, k, weight, value);
        for (int v = 0; v < s->nvalue; v++) x[v * all + i] = value[v];
    }
    free(count);
    free(weight);
    free(value);
}

/* Beyond these an index is no 31 bits, or a chunk's number no 32: the draws alone would take days. */
static bool within_reach(const tt_scoring *s) { return s->n <= INT32_MAX && s->o.bootstrap / CHUNK <= UINT32_MAX; }

void tt_bootstrap_errors(const tt_scoring *s, double *error)
{
    for (int v = 0; v < s->nvalue; v++) error[v] = NAN;
    int64_t chunk = s->o.bootstrap < CHUNK ? s->o.bootstrap : CHUNK;
    if (s->n < 2 || chunk < 1 || !within_reach(s)) return;
    int64_t chunks = s->o.bootstrap / chunk, all = chunks * chunk;
    kinds k = find_kinds(s);
    if (s->m->def->ease) s->m->def->ease(k.K, k.stat);
    double *x = tt_malloc((size_t)(s->nvalue * all) * sizeof *x);
    replicates(s, &k, chunks, chunk, x);
    for (int v = 0; v < s->nvalue; v++) error[v] = tt_sample_sd(all, x + v * all);
    free(x);
    free_kinds(&k);
}
