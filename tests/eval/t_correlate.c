// TEST np=1
/* Pearson and Spearman: samples worked out by hand, weights against repeated points, scipy's numbers. */
#include "scoring.h"

static tt_err add(tt_scoring *s, const char *gold, const char *pred)
{
    const char *ref[] = {gold};
    tt_case c = {.where = "sts.jsonl:3", .nref = 1, .ref = ref, .prediction = pred};
    return scoring_add(s, &c);
}

static void t_hand(void)
{
    const double x[] = {1, 2, 3, 4}, y[] = {1, 3, 2, 5}, tied[] = {1, 2, 2, 9}, flat[] = {.1, .1, .1, 5};
    ok(same(tt_pearson(4, x, y, NULL), 5.5 / sqrt(5 * 8.75)), "pearson");
    ok(same(tt_spearman(4, x, y, NULL), .8), "spearman: 1 - 6 sum d^2 / n (n^2 - 1)");
    ok(same(tt_spearman(4, x, tied, NULL), 4.5 / sqrt(5 * 4.5)), "spearman: equal values share their places");
    const double but_last[] = {1, 1, 1, 0};
    ok(isnan(tt_pearson(3, x, flat, NULL)) && isnan(tt_spearman(3, flat, x, NULL)), "a constant side: NaN");
    ok(isnan(tt_pearson(4, x, flat, but_last)) && isnan(tt_spearman(4, flat, x, but_last)),
       "constant where it counts: NaN");
    ok(isnan(tt_pearson(1, x, y, NULL)) && isnan(tt_spearman(1, x, y, NULL)), "one point: NaN");
    ok(tt_pearson(2, x, y, NULL) == 1 && tt_spearman(2, y, x, NULL) == 1, "two points: 1");
    const double first[] = {1, 0, 0, 0}, two[] = {0, 2, 0, 1};
    ok(isnan(tt_pearson(4, x, y, first)), "a weight of 0 takes a point away: one is left");
    ok(same(tt_pearson(4, x, y, two), 1), "a weight of 0 takes a point away: two are left");
}

static void t_scale(void)
{
    double x[50], y[50], a[50], b[50];
    for (uint64_t i = 0; i < 50; i++) {
        x[i] = tt_rand01(1, i);
        y[i] = x[i] + tt_rand01(2, i);
        a[i] = x[i] * 1e200;
        b[i] = y[i] * 1e-200;
    }
    ok(same(tt_pearson(50, a, b, NULL), tt_pearson(50, x, y, NULL)), "pearson: no square overflows or vanishes");
    ok(tt_spearman(50, a, b, NULL) == tt_spearman(50, x, y, NULL), "spearman: ranks do not change with the scale");
}

/* Whole numbers are ranked without sorting; halves of them are sorted. */
static void t_ranks(void)
{
    double x[200], y[200], hx[200], hy[200], weight[200];
    bool good = true;
    for (uint64_t round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 200; i++) {
            x[i] = (double)tt_rand_below(round, 4 * i, 1 + 8 * round);
            y[i] = (double)tt_rand_below(round, 4 * i + 1, 30);
            hx[i] = x[i] / 2 - 3;
            hy[i] = y[i] / 2;
            weight[i] = (double)tt_rand_below(round, 4 * i + 2, 4);
        }
        good = good && same(tt_spearman(200, x, y, weight), tt_spearman(200, hx, hy, weight));
    }
    ok(good, "spearman: whole numbers as other numbers");
}

static void t_refused(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "pearson", &tt_def_pearson);
    static const char *const bad[] = {"nan", "inf", "1,5", "", "five", "1 2", "1e999", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(add(s, "1", bad[i]) == TT_EDATA && strstr(tt_fail_text(), "sts.jsonl:3: the prediction '") &&
               add(s, bad[i], "1") == TT_EDATA,
           "refused: '%s'", bad[i]);
        tt_fail_clear();
    }
    ok(add(s, " 1.5\n", "-2e-1") == TT_OK && s->n == 1, "taken: numbers with blanks around them");
    scoring_free(s);
}

static void t_weights(void)
{
    static const tt_metric_def *const defs[] = {&tt_def_pearson, &tt_def_spearman};
    for (size_t d = 0; d < 2; d++) {
        tt_metric m;
        tt_scoring *s = scoring(&m, defs[d]->values[0], defs[d]);
        double weight[60], before, after;
        for (uint64_t i = 0; i < 60; i++) {
            char g[32], p[32];
            snprintf(g, sizeof g, "%.3f", (double)tt_rand_below(d, 4 * i, 21) / 4);
            snprintf(p, sizeof p, "%.17g", tt_rand01(d, 4 * i + 1) + atof(g));
            add(s, g, p);
            weight[i] = (double)tt_rand_below(d, 4 * i + 2, 3);
        }
        ok(weights_are_repeats(s, weight), "%s: weights are repeats", m.name);
        values_of(s, s->n, s->stat, weight, &before);
        if (defs[d]->ease) defs[d]->ease(s->n, s->stat);
        values_of(s, s->n, s->stat, weight, &after);
        ok(same(before, after), "%s: the same of quicker rows", m.name);
        scoring_free(s);
    }
}

static double golden_value(json_t *line, const tt_metric_def *def)
{
    json_t *labels = json_object_get(line, "labels"), *preds = json_object_get(line, "preds");
    tt_metric m;
    tt_scoring *s = scoring(&m, def->values[0], def);
    char g[32], p[32];
    double x;
    for (size_t i = 0; i < json_array_size(labels); i++)
        add(s, number_text(json_array_get(labels, i), g), number_text(json_array_get(preds, i), p));
    scoring_total(s, &x);
    scoring_free(s);
    return x;
}

static bool check_glue(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    double p = golden_value(line, &tt_def_pearson), r = golden_value(line, &tt_def_spearman);
    return agrees(want, "pearson", p) && agrees(want, "spearman", r) && agrees(want, "mean", (p + r) / 2);
}

int main(void)
{
    t_hand();
    t_scale();
    t_ranks();
    t_refused();
    t_weights();
    golden("glue_regression", NULL, check_glue);
    return tap_done();
}
