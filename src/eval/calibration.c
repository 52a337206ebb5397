/* Calibration and selective accuracy as HELM has them, after p-lambda/verified_calibration. */
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- expected calibration error --------------------------------------------------------------------------------------*/

typedef struct answer {
    double p, ok;
    int64_t i;
} answer;

static int ascending(const void *a, const void *b)
{
    const answer *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

/* By rising confidence, equal ones as they came. Resamples come in order. */
static answer *sorted_answers(int64_t n, const double *p, const double *ok)
{
    answer *x = tt_malloc((size_t)n * sizeof *x);
    bool in_order = true;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (answer){p[i], ok[i], i};
        in_order = in_order && (i == 0 || p[i - 1] <= p[i]);
    }
    if (!in_order) qsort(x, (size_t)n, sizeof *x, ascending);
    return x;
}

/* Upper borders of bins of equal mass: midway between neighbours, the last 1; the first n mod bins runs are one longer. With
 * fewer points than bins, and of bins with equal borders, some stay empty. */
static void borders_of(int64_t n, const double *p, const double *ok, int bins, double *border)
{
    answer *x = sorted_answers(n, p, ok);
    int64_t at = 0;
    for (int b = 0; b < bins; b++) {
        at += n / bins + (b < n % bins);
        border[b] = at == n ? 1 : (x[at - 1].p + x[at].p) / 2;
    }
    free(x);
}

typedef struct bin {
    double n, p, ok;
} bin;

/* A point lies in the first bin whose upper border is not below it. */
static void fill(int64_t n, const double *p, const double *ok, int bins, const double *border, bin *x)
{
    memset(x, 0, (size_t)bins * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        int b = 0;
        while (b < bins - 1 && border[b] < p[i]) b++;
        x[b].n++;
        x[b].p += p[i];
        x[b].ok += ok[i];
    }
}

double tt_ece(int64_t n, const double *p, const double *ok, int bins)
{
    assert(n > 0 && bins > 0);
    double *border = tt_malloc((size_t)bins * sizeof *border), sum = 0;
    bin *x = tt_malloc((size_t)bins * sizeof *x);
    borders_of(n, p, ok, bins, border);
    fill(n, p, ok, bins, border, x);
    for (int b = 0; b < bins; b++)
        if (x[b].n > 0) sum += x[b].n / (double)n * fabs(x[b].p / x[b].n - x[b].ok / x[b].n);
    free(border);
    free(x);
    return sum;
}

/* ---- selective accuracy ----------------------------------------------------------------------------------------------*/

typedef struct curve {
    int64_t k, tenth; /* answers given so far; where at10 is read */
    double right, sum, at10;
} curve;

static void give(curve *c, const answer *x)
{
    c->right += x->ok;
    double accuracy = c->right / (double)(c->k + 1);
    c->sum += accuracy;
    if (c->k++ == c->tenth) c->at10 = accuracy;
}

/* Accuracy of the k surest, k = 1..n: its mean over k, and where a tenth of all is answered. Equal ones as they came: so the
 * reference has it up to 16 examples, and in no set order beyond. */
void tt_selective(int64_t n, const double *p, const double *ok, double *at10, double *area)
{
    assert(n > 0);
    answer *x = sorted_answers(n, p, ok);
    curve c = {.tenth = (int64_t)(0.1 * (double)n)};
    for (int64_t high = n, low; high > 0; high = low) {
        for (low = high - 1; low > 0 && x[low - 1].p == x[low].p;) low--;
        for (int64_t i = low; i < high; i++) give(&c, &x[i]);
    }
    *at10 = c.at10;
    *area = c.sum / (double)n;
    free(x);
}

/* ---- metric ----------------------------------------------------------------------------------------------------------*/

enum { CONFIDENCE, CORRECT, WIDTH };

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    if (!(c->confidence >= 0 && c->confidence <= 1))
        return tt_fail(TT_EDATA, "%s: the confidence is %g; give the answer's probability, from 0 to 1", tt_case_at(c),
                       c->confidence);
    if (!(c->correct >= 0 && c->correct <= 1))
        return tt_fail(TT_EDATA, "%s: correct is %g; give 1 for a right answer, 0 for a wrong one", tt_case_at(c),
                       c->correct);
    stat[CONFIDENCE] = c->confidence;
    stat[CORRECT] = c->correct == 1; /* a fraction is no right answer */
    return TT_OK;
}

static int64_t points(int64_t n, const double *weight)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += weight ? weight[i] : 1;
    return (int64_t)sum;
}

/* A weight is a number of equal points, one after the other. */
static void repeat(int64_t n, const double *stat, const double *weight, double *p, double *ok)
{
    for (int64_t i = 0; i < n; i++, stat += WIDTH)
        for (double w = weight ? weight[i] : 1; w > 0; w--) {
            *p++ = stat[CONFIDENCE];
            *ok++ = stat[CORRECT];
        }
}

static void total(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value)
{
    int64_t N = points(n, weight);
    double *p = tt_malloc(2 * (size_t)N * sizeof *p), *ok = p + N;
    repeat(n, stat, weight, p, ok);
    value[0] = tt_ece(N, p, ok, 10);
    value[1] = tt_ece(N, p, ok, 1);
    tt_selective(N, p, ok, &value[2], &value[3]);
    free(p);
}

static const char *const values[] = {"ece_10_bin", "ece_1_bin", "selective_acc@10", "selective_cov_acc_area", NULL};
const tt_metric_def tt_def_calibration = {.values = values, .width = WIDTH, .each = each, .total = total};
