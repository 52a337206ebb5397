// TEST np=1
/* Means, deviations, groups, perplexities: samples worked out by hand and lm-evaluation-harness's numbers. */
#include "scoring.h"

static void t_hand(void)
{
    const double x[] = {1, 2, 6}, w[] = {2, 0, 1}, wide[] = {1, INFINITY, 4};
    ok(tt_mean(3, x, NULL) == 3 && same(tt_mean(3, x, w), 8. / 3) && tt_mean(3, wide, w) == 2, "mean, weighted mean");
    ok(same(tt_sample_sd(3, x), sqrt(7)) && isnan(tt_sample_sd(1, x)) && isnan(tt_sample_sd(0, x)), "sample deviation");
    const double far[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    ok(same(tt_sample_sd(3, far), 1), "sample deviation far from 0");
    ok(tt_median_upper(3, x) == 2 && tt_median_upper(2, x) == 2 && tt_median_upper(1, x) == 1, "upper median");
    const double se[] = {.1, .2}, size[] = {10, 20}, value[] = {.5, .8};
    ok(same(tt_pooled_error(2, se, size), sqrt((9 * .01 * 10 + 19 * .04 * 20) / 28 / 30)), "pooled error");
    ok(same(tt_combined_error(1, se, size, value), .1), "combined error of one task");
    ok(same(tt_combined_error(2, se, size, value), sqrt((9 * .01 + 19 * .04) / 29 + 200. / (30 * 29) * .01)),
       "combined error of two tasks");
    ok(same(tt_group_mean(2, value, size), .7) && same(tt_group_mean(2, value, NULL), .65), "mean of a group");
}

static tt_err add(tt_scoring *s, double ll, int64_t tokens, int64_t words, int64_t bytes)
{
    tt_case c = {.where = "w.jsonl:5", .loglik = ll, .tokens = tokens, .words = words, .bytes = bytes};
    return scoring_add(s, &c);
}

static void t_perplexity(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "perplexity", &tt_def_perplexity);
    double x[5], weight[] = {2, 0, 3};
    add(s, -8, 4, 2, 16);
    add(s, -4, 2, 4, 8);
    scoring_total(s, x);
    ok(same(x[0], exp(6)) && same(x[1], exp(2)) && same(x[2], exp(.5)) && same(x[3], .5 / log(2)) && same(x[4], exp(2)),
       "perplexity: per text, word, byte, in bits, per token");
    add(s, -1, 5, 0, 7);
    ok(weights_are_repeats(s, weight), "perplexity: weights are repeats");
    scoring_total(s, x);
    ok(isnan(x[1]) && same(x[4], exp(13. / 11)), "perplexity: a count that is not known");
    ok(add(s, NAN, 1, 1, 1) == TT_EDATA && strstr(tt_fail_text(), "w.jsonl:5: the log-likelihood is nan"),
       "refused: %s", tt_fail_text());
    tt_fail_clear();
    ok(add(s, -INFINITY, 1, 1, 1) == TT_OK, "-inf is a likelihood of 0");
    const double possible[] = {1, 1, 1, 0};
    ok(weights_are_repeats(s, possible), "perplexity: what is not drawn does not count");
    scoring_total(s, x);
    ok(x[0] == INFINITY, "perplexity of the impossible");
    scoring_free(s);
}

/* ---- golden ----------------------------------------------------------------------------------------------------------*/

static bool check_mean(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    int64_t n;
    double *x = numbers(line, "values", &n), sd = tt_sample_sd(n, x), scale = (double)(n - 1) / (double)n;
    bool good = agrees(want, "mean", tt_mean(n, x, NULL)) && agrees(want, "median_upper", tt_median_upper(n, x)) &&
                agrees(want, "sample_stddev", sd) && agrees(want, "mean_stderr", sd / sqrt((double)n)) &&
                agrees(want, "pop_stddev", n > 1 ? sd * sqrt(scale) : 0);
    free(x);
    return good;
}

static bool check_group(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    int64_t n;
    double *x = numbers(line, "metrics", &n), *size = numbers(line, "sizes", &n), *se = numbers(line, "stderrs", &n);
    int k = (int)n;
    bool good = agrees(want, "weighted", tt_group_mean(k, x, size)) &&
                agrees(want, "unweighted", tt_group_mean(k, x, NULL)) &&
                agrees(want, "pooled_stderr", tt_pooled_error(k, se, size)) &&
                agrees(want, "combined_stderr", tt_combined_error(k, se, size, x));
    free(x);
    free(size);
    free(se);
    return good;
}

static bool check_perplexity(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    int64_t n;
    double *ll = numbers(line, "loglikelihoods", &n), *words = numbers(line, "words", &n), x[5];
    double *bytes = numbers(line, "bytes", &n);
    tt_metric m;
    tt_scoring *s = scoring(&m, "perplexity", &tt_def_perplexity);
    for (int64_t i = 0; i < n; i++) add(s, ll[i], 0, (int64_t)words[i], (int64_t)bytes[i]);
    scoring_total(s, x);
    bool good = isnan(x[4]);
    for (int v = 0; v < 4; v++) good = agrees(want, s->name[v], x[v]) && good;
    scoring_free(s);
    free(ll);
    free(words);
    free(bytes);
    return good;
}

static bool check_brier(json_t *line)
{
    json_t *probs = json_object_get(line, "probs");
    int64_t n, k;
    double *gold = numbers(line, "gold", &n), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        json_t *row = json_pack("{sO}", "p", json_array_get(probs, (size_t)i));
        double *p = numbers(row, "p", &k);
        sum += tt_brier((int)k, p, (int)gold[i]);
        free(p);
        json_decref(row);
    }
    free(gold);
    return agrees(json_object_get(line, "expected"), "brier", sum / (double)n);
}

int main(void)
{
    t_hand();
    t_perplexity();
    golden("lmeval_aggregate", "mean", check_mean);
    golden("lmeval_aggregate", "group", check_group);
    golden("lmeval_aggregate", "perplexity", check_perplexity);
    golden("lmeval_aggregate", "brier", check_brier);
    return tap_done();
}
