// TEST np=1
/* MultiRC: samples worked out by hand, weights against repeated points, the numbers of Hugging Face, jiant and lm-evaluation-harness. */
#include "scoring.h"

enum { F1A, EXACT, F1M, MEAN };

static tt_err add(tt_scoring *s, const char *group, const char *gold, const char *pred)
{
    const char *ref[] = {gold};
    tt_case c = {.where = "m.jsonl:9", .nref = 1, .ref = ref, .prediction = pred, .group = group};
    return scoring_add(s, &c);
}

static void t_hand(void)
{
    tt_metric m;
    double x[4];
    tt_scoring *s = scoring(&m, "multirc", &tt_def_multirc);
    add(s, "p1 q1", "1", "1");
    add(s, "p1 q1", "0", "0");
    add(s, "p1 q2", "1", "1");
    add(s, "p1 q2", "0", "1");
    scoring_total(s, x);
    ok(same(x[F1A], .8) && same(x[EXACT], .5) && same(x[F1M], (1 + (2. / 3 + 0) / 2) / 2) && same(x[MEAN], .65),
       "multirc: %.4f %.4f %.4f %.4f", x[F1A], x[EXACT], x[F1M], x[MEAN]);
    add(s, "p1 q3", "False", " no");
    add(s, "p1 q1", "TRUE", "1.0");
    scoring_total(s, x);
    ok(same(x[F1A], 6. / 7) && same(x[EXACT], 2. / 3), "multirc: words in any case; groups that come back");
    ok(same(x[F1M], (1 + 1. / 3 + 1) / 3), "multirc: a question's classes are those that occur: %.6f", x[F1M]);
    const double weight[] = {1, 2, 0, 0, 1, 0};
    double drawn[4];
    values_of(s, s->n, s->stat, weight, drawn);
    ok(drawn[EXACT] == 1 && drawn[F1M] == 1, "multirc: a question that is not drawn does not count");
    add(s, "p1 q3", "0", "who knows");
    scoring_total(s, x);
    ok(same(x[F1A], 6. / 7) && same(x[EXACT], 1. / 3), "multirc: what is neither is wrong, not positive");
    ok(add(s, "q", "perhaps", "1") == TT_EDATA && strstr(tt_fail_text(), "m.jsonl:9: the label 'perhaps'"),
       "refused: %s", tt_fail_text());
    tt_fail_clear();
    scoring_free(s);
}

static void t_weights(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "multirc", &tt_def_multirc);
    double weight[60];
    for (uint64_t i = 0; i < 60; i++) {
        char q[2] = {(char)('a' + tt_rand_below(1, i, 20)), 0};
        add(s, q, tt_rand_below(2, i, 2) ? "1" : "0", tt_rand_below(3, i, 2) ? "1" : "0");
        weight[i] = (double)tt_rand_below(4, i, 3);
    }
    ok(weights_are_repeats(s, weight), "multirc: weights are repeats");
    scoring_free(s);
}

static void golden_values(json_t *line, double x[4])
{
    static const char *const key[] = {"paragraph", "question", "labels", "preds"};
    tt_metric m;
    tt_scoring *s = scoring(&m, "multirc", &tt_def_multirc);
    for (size_t i = 0; i < json_array_size(json_object_get(line, "labels")); i++) {
        char text[4][32], group[80];
        for (int k = 0; k < 4; k++) number_text(json_array_get(json_object_get(line, key[k]), i), text[k]);
        snprintf(group, sizeof group, "%s %s", text[0], text[1]);
        add(s, group, text[2], text[3]);
    }
    scoring_total(s, x);
    scoring_free(s);
}

static bool check_multirc(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    double x[4];
    golden_values(line, x);
    return agrees(want, "f1a", x[F1A]) && agrees(want, "exact_match", x[EXACT]) &&
           agrees(want, "f1m_macro_per_question", x[F1M]) && agrees(want, "mean_f1a_em", x[MEAN]) &&
           agrees(want, "jiant_em", x[EXACT]) && agrees(want, "jiant_f1", x[F1A]);
}

static bool check_acc_all(json_t *line)
{
    double x[4];
    golden_values(line, x);
    return agrees(json_object_get(line, "expected"), "acc_all", x[EXACT]);
}

int main(void)
{
    t_hand();
    t_weights();
    golden("superglue_multirc", NULL, check_multirc);
    golden("lmeval_aggregate", "acc_all", check_acc_all);
    return tap_done();
}
