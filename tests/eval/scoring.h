/* A scoring filled by hand, and lines of golden files. */
#ifndef TUTTI_TEST_SCORING_H
#define TUTTI_TEST_SCORING_H

#include "../../src/eval/metric.h"

#include <jansson.h>

#include "../tap.h"

__attribute__((unused)) static tt_scoring *scoring(tt_metric *m, const char *name, const tt_metric_def *def)
{
    *m = (tt_metric){.name = name, .def = def};
    tt_scoring *s = tt_malloc(sizeof *s);
    *s = (tt_scoring){.m = m, .a = tt_arena_new(4096), .width = def->width, .name = def->values};
    while (def->values[s->nvalue]) s->nvalue++;
    if (def->open && def->open(s) != TT_OK) abort();
    return s;
}

__attribute__((unused)) static void scoring_free(tt_scoring *s)
{
    if (s->m->def->close) s->m->def->close(s);
    tt_arena_free(s->a);
    free(s->stat);
    free(s);
}

__attribute__((unused)) static tt_err scoring_add(tt_scoring *s, const tt_case *c)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->stat = tt_realloc(s->stat, (size_t)(s->cap * s->width) * sizeof *s->stat);
    }
    tt_err e = s->m->def->each(s, c, s->stat + s->n * s->width);
    if (e == TT_OK) s->n++;
    return e;
}

__attribute__((unused)) static void values_of(const tt_scoring *s, int64_t n, const double *stat, const double *weight,
                                              double *value)
{
    if (s->m->def->total) {
        s->m->def->total(s, n, stat, weight, false, value);
        return;
    }
    double *x = tt_malloc((size_t)n * sizeof *x + 1);
    for (int v = 0; v < s->nvalue; v++) {
        for (int64_t i = 0; i < n; i++) x[i] = stat[i * s->width + v];
        value[v] = tt_mean(n, x, weight);
    }
    free(x);
}

__attribute__((unused)) static void scoring_total(const tt_scoring *s, double *value)
{
    values_of(s, s->n, s->stat, NULL, value);
}

__attribute__((unused)) static int value_at(const tt_scoring *s, const char *name)
{
    for (int v = 0; v < s->nvalue; v++)
        if (!strcmp(s->name[v], name)) return v;
    abort();
}

/* Relative 1e-12, absolute near 0; NaN is NaN. */
__attribute__((unused)) static bool same(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b)) return a == b;
    return fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

/* Repeated points and weights are one thing: each of s's examples weight[i] times, weight[i] small whole numbers. */
__attribute__((unused)) static bool weights_are_repeats(const tt_scoring *s, const double *weight)
{
    size_t width = (size_t)s->width, most = 0, n = 0;
    for (int64_t i = 0; i < s->n; i++) most += (size_t)weight[i];
    double *stat = tt_malloc(most * width * sizeof *stat + 1), a[32], b[32];
    for (int64_t i = 0; i < s->n; i++)
        for (int k = 0; k < (int)weight[i]; k++) memcpy(stat + n++ * width, s->stat + (size_t)i * width, width * 8);
    values_of(s, s->n, s->stat, weight, a);
    values_of(s, (int64_t)n, stat, NULL, b);
    free(stat);
    bool good = true;
    for (int v = 0; v < s->nvalue; v++) good = good && same(a[v], b[v]);
    return good;
}

/* ---- golden files ------------------------------------------------------------------------------------------------*/

/* want[key], where it is there, against got. */
__attribute__((unused)) static bool agrees(json_t *want, const char *key, double got)
{
    json_t *x = json_object_get(want, key);
    if (!x) return true;
    const char *text = json_string_value(x);
    double w = !text ? json_number_value(x) : !strcmp(text, "nan") ? NAN : !strcmp(text, "inf") ? INFINITY : -INFINITY;
    if (same(got, w)) return true;
    printf("#   %s: %.17g, should be %.17g\n", key, got, w);
    return false;
}

/* All lines of that kind (NULL: all) through check. */
__attribute__((unused)) static void golden(const char *file, const char *kind, bool check(json_t *line))
{
    const char *dir = shared_dir();
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/metrics/%s.jsonl", dir ? dir : "", file);
    FILE *f = dir ? fopen(path, "r") : NULL;
    if (!f) {
        skip(1, "no shared golden files here");
        return;
    }
    int n = 0, bad = 0;
    json_error_t e;
    for (json_t *j; (j = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e)); json_decref(j)) {
        if (kind && strcmp(kind, json_string_value(json_object_get(j, "kind"))) != 0) continue;
        n++;
        if (!check(j) && bad++ < 5) printf("#   %s\n", json_string_value(json_object_get(j, "id")));
    }
    ok(feof(f) && n > 0 && bad == 0, "%s%s%s: %d of %d equal", file, kind ? " " : "", kind ? kind : "", n - bad, n);
    fclose(f);
}

/* The number as text, 17 digits; booleans as 0 and 1. */
__attribute__((unused)) static const char *number_text(const json_t *x, char buf[32])
{
    snprintf(buf, 32, "%.17g", json_is_boolean(x) ? json_is_true(x) : json_number_value(x));
    return buf;
}

/* Elements of a list of numbers; the caller frees. */
__attribute__((unused)) static double *numbers(const json_t *line, const char *key, int64_t *n)
{
    const json_t *list = json_object_get(line, key);
    *n = (int64_t)json_array_size(list);
    double *x = tt_malloc((size_t)*n * sizeof *x + 1);
    for (int64_t i = 0; i < *n; i++) x[i] = json_number_value(json_array_get(list, (size_t)i));
    return x;
}

#endif
