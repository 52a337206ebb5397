// TEST np=1
/* Metrics of labels: samples worked out by hand, weights against repeated points, scikit-learn's and jiant's numbers. */
#include "scoring.h"

#include "../../src/eval/numbers.h"

static tt_err add(tt_scoring *s, const char *gold, const char *pred)
{
    const char *ref[] = {gold};
    tt_case c = {.where = "p.jsonl:7", .nref = 1, .ref = ref, .prediction = pred, .group = "q"};
    return scoring_add(s, &c);
}

static double total1(const tt_scoring *s)
{
    double x[8];
    scoring_total(s, x);
    return x[0];
}

static void t_classes(void)
{
    double x = 7;
    ok(tt_same_label("1", "1.0") && tt_same_label(" yes\n", "yes") && tt_same_label("+1e0", "1") &&
           tt_same_label("-0", "0.000"),
       "one class: equal texts, equal numbers");
    ok(!tt_same_label("true", "True") && !tt_same_label("true", "1") && !tt_same_label("1", "1x") &&
           !tt_same_label("", "0"),
       "two classes: other texts");
    ok(!tt_same_label("0x1", "1") && !tt_same_label("nan", "NaN") && tt_same_label("nan", "nan") &&
           !tt_same_label("inf", "infinity"),
       "words are no numbers");
    ok(!tt_same_label("12345678901234567890", "12345678901234567891") &&
           !tt_same_label("9007199254740993", "9007199254740992") && !tt_same_label("1e-999", "0"),
       "long numbers stay texts");
    ok(tt_same_label("100000000000000000000", "1e20") && tt_same_label("0.1", ".10000000000000000000"),
       "zeros at an end are no digits");
    ok(!tt_number("", &x) && !tt_number(".", &x) && !tt_number("1e", &x) && !tt_number("0x10", &x) &&
           !tt_number("1 2", &x) && !tt_number("1e999", &x) && !tt_number("nan", &x) && x == 7,
       "no number");
    ok(tt_number("\t-1.5e1 ", &x) && x == -15 && tt_number("5.", &x) && x == 5 && tt_number(".5", &x) && x == .5,
       "numbers");
}

static void t_names(void)
{
    tt_names *t = tt_names_new();
    char buf[32];
    bool good = true;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3000; i++) {
            snprintf(buf, sizeof buf, round ? "%d.0" : " %d", i);
            good = good && tt_names_put_label(t, buf) == i;
        }
    ok(good && tt_names_count(t) == 3000, "names: the same label has the same number, in the order of coming");
    ok(tt_names_find_label(t, "2999") == 2999 && tt_names_find_label(t, "3000") == -1, "names: found, not found");
    ok(tt_names_put(t, "1.0") == 3000 && tt_names_put(t, "1") == 1, "names: texts are not numbers");
    tt_names_free(t);
}

/* Gold and predicted classes of a small table: 4 3 / 2 1. */
static void t_hand(void)
{
    const double counts[] = {4, 3, 2, 1};
    tt_labels l;
    tt_labels_score(2, counts, &l);
    ok(same(l.accuracy, .5) && l.f1_micro == l.accuracy, "accuracy");
    ok(same(l.matthews, (4 * 1 - 3 * 2) / sqrt(7. * 3 * 6 * 4)), "matthews: (tp tn - fp fn) / sqrt(...)");
    ok(same(tt_label_f1(2, counts, 0), 8. / 13) && same(tt_label_f1(2, counts, 1), 2. / 7), "f1 of a class");
    ok(same(l.f1_macro, (8. / 13 + 2. / 7) / 2) && same(l.f1_weighted, .7 * 8 / 13 + .3 * 2 / 7), "f1 of all classes");
    const double single[] = {3, 2, 0, 0};
    tt_labels_score(2, single, &l);
    ok(l.matthews == 0, "matthews: 0 where one side knows a single class");
    const double wide[] = {4, 0, 3, 0, 0, 0, 2, 0, 1};
    tt_labels_score(3, wide, &l);
    ok(same(l.f1_macro, (8. / 13 + 2. / 7) / 2) && same(l.f1_macro_all, (8. / 13 + 2. / 7) / 3),
       "f1_macro: classes that occur, or all");
}

static void t_positive(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "f1", &tt_def_f1);
    add(s, "yes", "yes");
    add(s, "no", "yes");
    add(s, "yes", "1");
    ok(tt_def_f1.check(s) == TT_EDATA &&
           !strcmp(tt_fail_text(), "f1: no label is 1; say positive=LABEL; the labels are yes, no"),
       "f1 of words without positive: %s", tt_fail_text());
    tt_fail_clear();
    s->o.positive = "yes";
    ok(tt_def_f1.check(s) == TT_OK && same(total1(s), .5), "f1: positive=yes");
    s->o.positive = "maybe";
    ok(total1(s) == 0, "f1: a class that never occurs has 0");
    scoring_free(s);
    s = scoring(&m, "f1", &tt_def_f1);
    add(s, "0", "0");
    ok(tt_def_f1.check(s) == TT_OK && total1(s) == 0, "f1: neither a true nor a predicted positive");
    add(s, "1.0", "1");
    ok(total1(s) == 1, "f1: 1.0 is 1");
    scoring_free(s);
}

static void t_given_classes(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "f1_macro", &tt_def_f1_macro);
    add(s, "0", "0");
    add(s, "2", "2");
    add(s, "2", "what?");
    ok(same(total1(s), (1 + 2. / 3 + 0) / 3), "f1_macro: a word that is predicted is a class");
    s->o.classes = 4;
    ok(tt_def_f1_macro.check(s) == TT_OK && same(total1(s), (1 + 2. / 3) / 4), "f1_macro: classes=4");
    s->o.classes = 2;
    ok(tt_def_f1_macro.check(s) == TT_EDATA && strstr(tt_fail_text(), "label 2 is none of the classes 0..1"),
       "f1_macro: %s", tt_fail_text());
    tt_fail_clear();
    add(s, "1.5", "1");
    s->o.classes = 4;
    ok(tt_def_f1_macro.check(s) == TT_EDATA, "f1_macro: %s", tt_fail_text());
    tt_fail_clear();
    scoring_free(s);
    s = scoring(&m, "f1_macro", &tt_def_f1_macro);
    add(s, "a", "a");
    add(s, "b", "a");
    s->o.classes = 1;
    ok(tt_def_f1_macro.check(s) == TT_EDATA && strstr(tt_fail_text(), "2 labels (a, b), but classes=1"), "f1_macro: %s",
       tt_fail_text());
    tt_fail_clear();
    scoring_free(s);
}

static void t_references(void)
{
    tt_metric m;
    const char *ref[] = {"yes", "no"}, *equal[] = {"1", "1.0"};
    tt_case c = {.where = "p.jsonl:7", .nref = 2, .ref = ref, .prediction = " no"};
    tt_scoring *s = scoring(&m, "accuracy", &tt_def_accuracy);
    scoring_add(s, &c);
    add(s, "no", "No");
    ok(same(total1(s), .5), "accuracy: any of the references");
    scoring_free(s);
    s = scoring(&m, "matthews", &tt_def_matthews);
    ok(scoring_add(s, &c) == TT_EDATA && strstr(tt_fail_text(), "p.jsonl:7: two labels, 'yes' and 'no'"),
       "matthews wants one label: %s", tt_fail_text());
    tt_fail_clear();
    c.ref = equal;
    ok(scoring_add(s, &c) == TT_OK, "matthews: two ways to write one label");
    scoring_free(s);
}

static void t_many_classes(void)
{
    tt_metric m;
    tt_scoring *s = scoring(&m, "f1_macro", &tt_def_f1_macro);
    char text[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(text, sizeof text, "text %d", i);
        add(s, text, text);
    }
    ok(total1(s) == 1, "50,000 classes");
    scoring_free(s);
}

static void t_weights(void)
{
    static const tt_metric_def *const defs[] = {&tt_def_accuracy, &tt_def_f1,          &tt_def_f1_macro,
                                                &tt_def_f1_micro, &tt_def_f1_weighted, &tt_def_matthews};
    for (size_t d = 0; d < sizeof defs / sizeof *defs; d++) {
        tt_metric m;
        tt_scoring *s = scoring(&m, defs[d]->values[0], defs[d]);
        double weight[40];
        for (uint64_t i = 0; i < 40; i++) {
            char g[2] = {(char)('0' + tt_rand_below(d, 3 * i, 4)), 0},
                 p[2] = {(char)('0' + tt_rand_below(d, 3 * i + 1, 5)), 0};
            add(s, g, p);
            weight[i] = (double)tt_rand_below(d, 3 * i + 2, 3);
        }
        ok(weights_are_repeats(s, weight), "%s: weights are repeats", m.name);
        scoring_free(s);
    }
}

/* ---- golden ----------------------------------------------------------------------------------------------------------*/

static double golden_value(json_t *line, const char *name, const tt_metric_def *def, int classes)
{
    json_t *labels = json_object_get(line, "labels"), *preds = json_object_get(line, "preds");
    tt_metric m;
    tt_scoring *s = scoring(&m, name, def);
    char g[32], p[32];
    s->o.classes = classes;
    for (size_t i = 0; i < json_array_size(labels); i++)
        add(s, number_text(json_array_get(labels, i), g), number_text(json_array_get(preds, i), p));
    if (def->check && def->check(s) != TT_OK) printf("#   %s\n", tt_fail_text());
    double x = total1(s);
    scoring_free(s);
    return x;
}

static double *table_of(json_t *line, int K)
{
    json_t *labels = json_object_get(line, "labels"), *preds = json_object_get(line, "preds");
    double *counts = calloc((size_t)(K * K), sizeof *counts);
    for (size_t i = 0; i < json_array_size(labels); i++) {
        json_int_t g = json_integer_value(json_array_get(labels, i)), p = json_integer_value(json_array_get(preds, i));
        counts[g * K + p]++;
    }
    return counts;
}

static bool check_glue(json_t *line)
{
    static const struct {
        const char *name;
        const tt_metric_def *def;
    } rows[] = {{"accuracy", &tt_def_accuracy}, {"matthews", &tt_def_matthews}, {"f1", &tt_def_f1},
                {"f1_macro", &tt_def_f1_macro}, {"f1_micro", &tt_def_f1_micro}, {"f1_weighted", &tt_def_f1_weighted}};
    json_t *want = json_object_get(line, "expected");
    bool good = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        good = agrees(want, rows[i].name, golden_value(line, rows[i].name, rows[i].def, 0)) && good;
    double mean = (golden_value(line, "accuracy", &tt_def_accuracy, 0) + golden_value(line, "f1", &tt_def_f1, 0)) / 2;
    double *counts = table_of(line, 64);
    tt_labels l;
    tt_labels_score(64, counts, &l);
    good = good && agrees(want, "accuracy", l.accuracy) && agrees(want, "matthews", l.matthews) &&
           agrees(want, "f1_macro", l.f1_macro) && agrees(want, "f1_micro", l.f1_micro) &&
           agrees(want, "f1_weighted", l.f1_weighted) && agrees(want, "f1", tt_label_f1(64, counts, 1));
    free(counts);
    return agrees(want, "acc_and_f1_mean_jiant", mean) && good;
}

static bool check_cb(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    double *counts = table_of(line, 3);
    tt_labels l;
    tt_labels_score(3, counts, &l);
    bool good = agrees(want, "accuracy", l.accuracy) && agrees(want, "macro_f1_present_labels", l.f1_macro) &&
                agrees(want, "macro_f1_three_classes", l.f1_macro_all);
    for (int k = 0; k < 3; k++) {
        double f1 = json_number_value(json_array_get(json_object_get(want, "jiant_class_f1"), (size_t)k));
        good = good && same(tt_label_f1(3, counts, k), f1);
    }
    free(counts);
    double present = golden_value(line, "f1_macro", &tt_def_f1_macro, 0);
    double three = golden_value(line, "f1_macro", &tt_def_f1_macro, 3);
    return good && agrees(want, "macro_f1_present_labels", present) && agrees(want, "macro_f1_three_classes", three) &&
           agrees(want, "macro_f1_three_classes_t5", three) &&
           agrees(want, "jiant_major_mean_acc_f1", (l.accuracy + three) / 2);
}

int main(void)
{
    t_classes();
    t_names();
    t_hand();
    t_positive();
    t_given_classes();
    t_references();
    t_many_classes();
    t_weights();
    golden("glue_classification", NULL, check_glue);
    golden("superglue_cb", NULL, check_cb);
    return tap_done();
}
