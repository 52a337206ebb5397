/* Accuracy, F1 and the Matthews correlation of labels. An example keeps two numbers, the classes of its reference and of its
 * prediction; the scores need only the margins and the diagonal of the confusion matrix, so thousands of classes are cheap. */
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- scores ---------------------------------------------------------------------------------------------------------*/

typedef struct margins {
    int K;
    double n, *both, *gold, *pred; /* [K] examples of the class: on both sides, in the references, in the predictions */
} margins;

static margins margins_new(int K)
{
    double *x = calloc(3 * (size_t)K + 1, sizeof *x);
    if (!x) TT_BUG("out of memory: %d classes", K);
    return (margins){K, 0, x, x + K, x + 2 * (size_t)K};
}

static void margins_free(margins *m) { free(m->both); }

static void margins_add(margins *m, size_t gold, size_t pred, double weight)
{
    m->n += weight;
    m->gold[gold] += weight;
    m->pred[pred] += weight;
    if (gold == pred) m->both[gold] += weight;
}

static double dot(int K, const double *x, const double *y)
{
    double sum = 0;
    for (int k = 0; k < K; k++) sum += x[k] * y[k];
    return sum;
}

static double right(const margins *m)
{
    double sum = 0;
    for (int k = 0; k < m->K; k++) sum += m->both[k];
    return sum;
}

static double accuracy(const margins *m) { return right(m) / m->n; }

/* R_K (Gorodkin 2004) as scikit-learn has it: 0 where one side knows a single class. */
static double matthews(const margins *m)
{
    double together = right(m) * m->n - dot(m->K, m->gold, m->pred);
    double gold = m->n * m->n - dot(m->K, m->gold, m->gold), pred = m->n * m->n - dot(m->K, m->pred, m->pred);
    return gold * pred == 0 ? 0 : together / sqrt(gold * pred);
}

static double f1_of(const margins *m, int k)
{
    double sides = m->gold[k] + m->pred[k];
    return sides > 0 ? 2 * m->both[k] / sides : 0;
}

static double f1_sum(const margins *m)
{
    double sum = 0;
    for (int k = 0; k < m->K; k++) sum += f1_of(m, k);
    return sum;
}

static double f1_macro(const margins *m)
{
    int there = 0;
    for (int k = 0; k < m->K; k++) there += m->gold[k] + m->pred[k] > 0;
    return f1_sum(m) / there;
}

static double f1_weighted(const margins *m)
{
    double sum = 0;
    for (int k = 0; k < m->K; k++) sum += m->gold[k] * f1_of(m, k);
    return sum / m->n;
}

static margins margins_of(int K, const double *counts)
{
    margins m = margins_new(K);
    for (size_t g = 0; g < (size_t)K; g++)
        for (size_t p = 0; p < (size_t)K; p++) margins_add(&m, g, p, counts[g * (size_t)K + p]);
    return m;
}

void tt_labels_score(int K, const double *counts, tt_labels *out)
{
    margins m = margins_of(K, counts);
    double acc = accuracy(&m);
    *out = (tt_labels){acc, matthews(&m), f1_macro(&m), acc, f1_weighted(&m), f1_sum(&m) / K};
    margins_free(&m);
}

double tt_label_f1(int K, const double *counts, int k)
{
    margins m = margins_of(K, counts);
    double f1 = f1_of(&m, k);
    margins_free(&m);
    return f1;
}

/* ---- metrics of pairs of classes -----------------------------------------------------------------------------------*/

enum { GOLD, PRED, WIDTH };

typedef struct state {
    tt_names *names; /* of both sides; a class's number is its place */
    int ngold, cap;
    int *gold;     /* [ngold] the references' classes, in the order in which they came */
    bool *is_gold; /* [cap] by class */
} state;

static tt_err open(tt_scoring *s)
{
    state *t = tt_malloc(sizeof *t);
    *t = (state){.names = tt_names_new()};
    s->state = t;
    return TT_OK;
}

static void close(tt_scoring *s)
{
    state *t = s->state;
    tt_names_free(t->names);
    free(t->gold);
    free(t->is_gold);
    free(t);
}

static void note_gold(state *t, int k)
{
    int old = t->cap;
    if (k >= t->cap) {
        t->cap = k < 8 ? 16 : 2 * k;
        t->gold = tt_realloc(t->gold, (size_t)t->cap * sizeof *t->gold);
        t->is_gold = tt_realloc(t->is_gold, (size_t)t->cap * sizeof *t->is_gold);
        memset(t->is_gold + old, 0, (size_t)(t->cap - old) * sizeof *t->is_gold);
    }
    if (!t->is_gold[k]) t->gold[t->ngold++] = k;
    t->is_gold[k] = true;
}

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    state *t = s->state;
    for (int i = 1; i < c->nref; i++)
        if (!tt_same_label(c->ref[0], c->ref[i]))
            return tt_fail(TT_EDATA, "%s: two labels, '%.40s' and '%.40s'; %s wants one: choose, or use accuracy",
                           tt_case_at(c), c->ref[0], c->ref[i], s->m->name);
    int gold = tt_names_put_label(t->names, c->ref[0]);
    note_gold(t, gold);
    stat[GOLD] = gold;
    stat[PRED] = tt_names_put_label(t->names, c->prediction);
    return TT_OK;
}

static margins margins_sum(const tt_scoring *s, int64_t n, const double *stat, const double *weight)
{
    margins m = margins_new(tt_names_count(((const state *)s->state)->names));
    for (int64_t i = 0; i < n; i++)
        margins_add(&m, (size_t)stat[WIDTH * i + GOLD], (size_t)stat[WIDTH * i + PRED], weight ? weight[i] : 1);
    return m;
}

static void total_matthews(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                           double *value)
{
    margins m = margins_sum(s, n, stat, weight);
    *value = matthews(&m);
    margins_free(&m);
}

static void total_micro(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                        double *value)
{
    margins m = margins_sum(s, n, stat, weight);
    *value = accuracy(&m); /* every example has one label on each side: precision = recall */
    margins_free(&m);
}

static void total_weighted(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                           double *value)
{
    margins m = margins_sum(s, n, stat, weight);
    *value = f1_weighted(&m);
    margins_free(&m);
}

/* A class that is no reference's has F1 0, so with a given number of classes the references' are the sum. */
static void total_macro(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                        double *value)
{
    margins m = margins_sum(s, n, stat, weight);
    *value = s->o.classes > 0 ? f1_sum(&m) / (double)s->o.classes : f1_macro(&m);
    margins_free(&m);
}

static const char *positive(const tt_scoring *s) { return s->o.positive ? s->o.positive : "1"; }

static void total_binary(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                         double *value)
{
    int k = tt_names_find_label(((const state *)s->state)->names, positive(s));
    margins m = margins_sum(s, n, stat, weight);
    *value = k < 0 ? 0 : f1_of(&m, k);
    margins_free(&m);
}

/* ---- do the labels fit the options? --------------------------------------------------------------------------------*/

/* The references' first labels: "no, yes, ...". */
static void list_labels(const state *t, char *buf, size_t size)
{
    size_t at = 0;
    *buf = 0;
    for (int i = 0; i < t->ngold && at < size; i++) {
        const char *sep = i ? ", " : "";
        if (i == 8) {
            snprintf(buf + at, size - at, ", ...");
            return;
        }
        at += (size_t)snprintf(buf + at, size - at, "%s%.40s", sep, tt_names_text(t->names, t->gold[i]));
    }
}

static tt_err check_binary(const tt_scoring *s)
{
    const state *t = s->state;
    char labels[512];
    double x;
    if (s->o.positive) return TT_OK;
    for (int i = 0; i < t->ngold; i++)
        if (tt_number(tt_names_text(t->names, t->gold[i]), &x)) return TT_OK;
    list_labels(t, labels, sizeof labels);
    return tt_fail(TT_EDATA, "%s: no label is 1; say positive=LABEL; the labels are %s", s->m->name, labels);
}

static bool outside(const char *label, int64_t classes)
{
    double x;
    return tt_number(label, &x) && !(x >= 0 && x < (double)classes && x == floor(x));
}

static tt_err check_macro(const tt_scoring *s)
{
    const state *t = s->state;
    char labels[512];
    if (s->o.classes <= 0) return TT_OK;
    for (int i = 0; i < t->ngold; i++) {
        const char *label = tt_names_text(t->names, t->gold[i]);
        if (outside(label, s->o.classes))
            return tt_fail(TT_EDATA, "%s: label %.40s is none of the classes 0..%lld; mend classes=N", s->m->name,
                           label, (long long)s->o.classes - 1);
    }
    if (t->ngold <= s->o.classes) return TT_OK;
    list_labels(t, labels, sizeof labels);
    return tt_fail(TT_EDATA, "%s: there are %d labels (%s), but classes=%lld; mend classes=N", s->m->name, t->ngold,
                   labels, (long long)s->o.classes);
}

/* ---- definitions ----------------------------------------------------------------------------------------------------*/

static tt_err each_accuracy(tt_scoring *s, const tt_case *c, double *stat)
{
    *stat = 0;
    for (int i = 0; i < c->nref; i++)
        if (tt_same_label(c->ref[i], c->prediction)) *stat = 1;
    return TT_OK;
}

#define PAIRS .width = WIDTH, .open = open, .close = close, .each = each
const tt_metric_def tt_def_accuracy = {
    .values = (const char *const[]){"accuracy", NULL}, .width = 1, .each = each_accuracy};
const tt_metric_def tt_def_f1 = {
    .values = (const char *const[]){"f1", NULL}, PAIRS, .total = total_binary, .check = check_binary};
const tt_metric_def tt_def_f1_macro = {
    .values = (const char *const[]){"f1_macro", NULL}, PAIRS, .total = total_macro, .check = check_macro};
const tt_metric_def tt_def_f1_micro = {.values = (const char *const[]){"f1_micro", NULL}, PAIRS, .total = total_micro};
const tt_metric_def tt_def_f1_weighted = {
    .values = (const char *const[]){"f1_weighted", NULL}, PAIRS, .total = total_weighted};
const tt_metric_def tt_def_matthews = {
    .values = (const char *const[]){"matthews", NULL}, PAIRS, .total = total_matthews};
