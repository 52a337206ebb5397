/* Pearson's and Spearman's correlation. */
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double weight_of(const double *weight, int64_t i) { return weight ? weight[i] : 1; }

/* ---- Pearson ---------------------------------------------------------------------------------------------------------
 * Deviations from the mean, over the largest of them so that no square overflows or vanishes. */

typedef struct side {
    const double *x;
    double mean, scale; /* scale: 1 / the largest deviation; 0: constant */
} side;

static side centre(int64_t n, const double *x, const double *weight)
{
    double mean = tt_mean(n, x, weight), low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (weight_of(weight, i) == 0) continue;
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    double most = fmax(high - mean, mean - low);
    return (side){x, mean, low < high ? 1 / most : 0};
}

double tt_pearson(int64_t n, const double *x, const double *y, const double *weight)
{
    side a = centre(n, x, weight), b = centre(n, y, weight);
    if (a.scale == 0 || b.scale == 0) return NAN;
    double xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight_of(weight, i), p = (x[i] - a.mean) * a.scale, q = (y[i] - b.mean) * b.scale;
        xx += w * p * p;
        yy += w * q * q;
        xy += w * p * q;
    }
    double r = xy / (sqrt(xx * yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* ---- ranks -----------------------------------------------------------------------------------------------------------*/

typedef struct place {
    double x;
    int64_t i;
} place;

static int by_value(const void *a, const void *b)
{
    const place *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

/* class[i]: how many different values are below x[i]. Returns how many there are. */
static int64_t classes_of(int64_t n, const double *x, double *class)
{
    place *p = tt_malloc(((size_t)n + 1) * sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = (place){x[i], i};
    qsort(p, (size_t)n, sizeof *p, by_value);
    int64_t kinds = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && p[i].x != p[i - 1].x) kinds++;
        class[p[i].i] = (double)kinds;
    }
    free(p);
    return kinds + 1;
}

/* Whole numbers from 0 to about n serve as classes as they are. Returns their number, 0 if x is not so. */
static int64_t classes_in(int64_t n, const double *x)
{
    double most = 0, limit = 2 * (double)n + 16;
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] >= 0 && x[i] < limit) || x[i] != (double)(int64_t)x[i]) return 0;
        most = x[i] > most ? x[i] : most;
    }
    return (int64_t)most + 1;
}

/* rank[i]: the average of the places 1, 2, ... that x[i] and its equals take. */
static void rank_values(int64_t n, const double *x, const double *weight, double *rank)
{
    int64_t K = classes_in(n, x);
    const double *class = x;
    if (!K) K = classes_of(n, x, rank), class = rank;
    double *mass = tt_malloc((size_t)K * sizeof *mass), below = 0;
    memset(mass, 0, (size_t)K * sizeof *mass);
    for (int64_t i = 0; i < n; i++) mass[(size_t) class[i]] += weight_of(weight, i);
    for (int64_t k = 0; k < K; k++) {
        double here = mass[k];
        mass[k] = below + (here + 1) / 2;
        below += here;
    }
    for (int64_t i = 0; i < n; i++) rank[i] = mass[(size_t) class[i]];
    free(mass);
}

double tt_spearman(int64_t n, const double *x, const double *y, const double *weight)
{
    double *rank = tt_malloc(2 * (size_t)n * sizeof *rank + 1);
    rank_values(n, x, weight, rank);
    rank_values(n, y, weight, rank + n);
    double r = tt_pearson(n, rank, rank + n, weight);
    free(rank);
    return r;
}

/* ---- metrics ---------------------------------------------------------------------------------------------------------*/

enum { PREDICTION, REFERENCE, WIDTH };

static tt_err number_of(const tt_scoring *s, const tt_case *c, const char *what, const char *text, double *x)
{
    if (tt_number(text, x)) return TT_OK;
    return tt_fail(TT_EDATA, "%s: the %s '%.40s' is no finite number; %s compares numbers", tt_case_at(c), what, text,
                   s->m->name);
}

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    TT_TRY(number_of(s, c, "prediction", c->prediction, &stat[PREDICTION]));
    return number_of(s, c, "reference", c->ref[0], &stat[REFERENCE]);
}

static void split(int64_t n, const double *stat, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        x[i] = stat[WIDTH * i + PREDICTION];
        y[i] = stat[WIDTH * i + REFERENCE];
    }
}

typedef double correlation(int64_t n, const double *x, const double *y, const double *weight);

static double correlate(correlation *of, int64_t n, const double *stat, const double *weight)
{
    double *x = tt_malloc(2 * (size_t)n * sizeof *x + 1);
    split(n, stat, x, x + n);
    double r = of(n, x, x + n, weight);
    free(x);
    return r;
}

static void total_pearson(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                          double *value)
{
    *value = correlate(tt_pearson, n, stat, weight);
}

static void total_spearman(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                           double *value)
{
    *value = correlate(tt_spearman, n, stat, weight);
}

/* Classes rank as their values do, and need no sorting. */
static void ease_ranks(int64_t n, double *stat)
{
    double *x = tt_malloc(2 * (size_t)n * sizeof *x + 1), *class = x + n;
    for (int k = 0; k < WIDTH; k++) {
        for (int64_t i = 0; i < n; i++) x[i] = stat[WIDTH * i + k];
        classes_of(n, x, class);
        for (int64_t i = 0; i < n; i++) stat[WIDTH * i + k] = class[i];
    }
    free(x);
}

const tt_metric_def tt_def_pearson = {
    .values = (const char *const[]){"pearson", NULL}, .width = WIDTH, .each = each, .total = total_pearson};
const tt_metric_def tt_def_spearman = {.values = (const char *const[]){"spearman", NULL},
                                       .width = WIDTH,
                                       .each = each,
                                       .total = total_spearman,
                                       .ease = ease_ranks};
