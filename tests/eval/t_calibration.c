// TEST np=1
/* Calibration: samples worked out by hand, weights against repeated points, HELM's numbers. */
#include "scoring.h"

static tt_err add(tt_scoring *s, double confidence, double correct)
{
    tt_case c = {.where = "c.jsonl:2", .confidence = confidence, .correct = correct};
    return scoring_add(s, &c);
}

static void t_hand(void)
{
    const double p[] = {.1, .2, .3}, ok3[] = {0, 1, 1};
    double at10, area;
    ok(same(tt_ece(3, p, ok3, 10), (.1 + .8 + .7) / 3), "ece: as many bins as points");
    ok(same(tt_ece(3, p, ok3, 1), 1.4 / 3), "ece: one bin");
    ok(same(tt_ece(3, p, ok3, 2), 2. / 3 * (.5 - .15) + 1. / 3 * .7), "ece: the first bin is the longer one");
    tt_selective(3, p, ok3, &at10, &area);
    ok(at10 == 1 && same(area, (1 + 1 + 2. / 3) / 3), "selective accuracy");
    const double tied[] = {.9, .5, .5, .5}, ok4[] = {0, 1, 1, 0};
    ok(same(tt_ece(4, tied, ok4, 4), .75 * (2. / 3 - .5) + .25 * .9), "ece: equal borders are one");
    tt_selective(4, tied, ok4, &at10, &area);
    ok(at10 == 0 && same(area, (0 + .5 + 2. / 3 + .5) / 4), "selective accuracy: equal ones as they came");
    const double even[] = {0, .5, .5, 1}, right[] = {1, 0, 0, 1};
    ok(same(tt_ece(4, even, right, 2), 0), "ece: a point on a border is of the lower bin");
    double q[20], k[20];
    for (int i = 0; i < 20; i++) q[i] = (i * 7 % 20) / 20., k[i] = q[i] > .85;
    tt_selective(20, q, k, &at10, &area);
    ok(same(at10, 2. / 3), "selective accuracy at the point after a tenth: %g", at10);
}

static void t_refused(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "calibration", &tt_def_calibration);
    ok(add(s, 1.5, 1) == TT_EDATA && strstr(tt_fail_text(), "c.jsonl:2: the confidence is 1.5"), "refused: %s",
       tt_fail_text());
    tt_fail_clear();
    ok(add(s, NAN, 1) == TT_EDATA && add(s, -.1, 1) == TT_EDATA, "refused: no confidence");
    tt_fail_clear();
    ok(add(s, .5, NAN) == TT_EDATA && strstr(tt_fail_text(), "correct is nan") && add(s, .5, 2) == TT_EDATA,
       "refused: %s", tt_fail_text());
    tt_fail_clear();
    ok(add(s, 0, .5) == TT_OK && add(s, 1, 1) == TT_OK && s->stat[1] == 0 && s->stat[3] == 1, "a fraction is wrong");
    scoring_free(s);
}

static void t_weights(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "calibration", &tt_def_calibration);
    double weight[60];
    for (uint64_t i = 0; i < 60; i++) {
        add(s, (double)tt_rand_below(1, i, 40) / 39, (double)tt_rand_below(2, i, 2));
        weight[i] = (double)tt_rand_below(3, i, 3);
    }
    ok(weights_are_repeats(s, weight), "calibration: weights are repeats");
    scoring_free(s);
}

static bool check_helm(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    int64_t n;
    double *p = numbers(line, "max_prob", &n), *right = numbers(line, "exact_match", &n), x[4];
    tt_metric m;
    tt_scoring *s = scoring(&m, "calibration", &tt_def_calibration);
    for (int64_t i = 0; i < n; i++) add(s, p[i], right[i]);
    scoring_total(s, x);
    bool good = true;
    for (int v = 0; v < s->nvalue; v++) good = agrees(want, s->name[v], x[v]) && good;
    scoring_free(s);
    free(p);
    free(right);
    return good;
}

int main(void)
{
    t_hand();
    t_refused();
    t_weights();
    golden("helm_calibration", NULL, check_helm);
    return tap_done();
}
