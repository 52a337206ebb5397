/* Means, deviations, and the errors of groups of tasks. */
#include "tutti/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double tt_mean(int64_t n, const double *x, const double *weight)
{
    double sum = 0, mass = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        if (w == 0) continue; /* 0 times infinity is none */
        sum += w * x[i];
        mass += w;
    }
    return sum / mass;
}

double tt_sample_sd(int64_t n, const double *x)
{
    if (n < 2) return NAN;
    double mean = tt_mean(n, x, NULL), squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    return sqrt(squares / (double)(n - 1));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tt_median_upper(int64_t n, const double *x)
{
    assert(n > 0);
    double *sorted = tt_malloc((size_t)n * sizeof *sorted);
    memcpy(sorted, x, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    double m = sorted[n / 2];
    free(sorted);
    return m;
}

double tt_pooled_error(int k, const double *se, const double *size)
{
    double squares = 0, all = 0;
    for (int i = 0; i < k; i++) {
        squares += (size[i] - 1) * (se[i] * se[i]) * size[i];
        all += size[i];
    }
    return sqrt(squares / (all - k) / all);
}

/* The first task's size stands for all tasks so far: so the program does it, and these are its numbers. */
double tt_combined_error(int k, const double *se, const double *size, const double *x)
{
    assert(k > 0);
    double n = size[0], mean = x[0], variance = se[0] * se[0];
    for (int i = 1; i < k; i++) {
        double both = n + size[i];
        mean = (mean * n + x[i] * size[i]) / both;
        double apart = mean - x[i];
        variance = ((n - 1) * variance + (size[i] - 1) * (se[i] * se[i])) / (both - 1) +
                   n * size[i] / (both * (both - 1)) * (apart * apart);
    }
    return sqrt(variance);
}

double tt_group_mean(int k, const double *x, const double *size) { return tt_mean(k, x, size); }
