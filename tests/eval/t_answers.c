// TEST np=1
/* Exact match and the metrics of answers against samples worked out by hand and what the official scripts gave. */
#include "../../src/eval/metric.h"

#include "lines.h"

/* ---- samples -----------------------------------------------------------------------------------------------------------*/

static void t_exact(void)
{
    const char *const ref[] = {"yes", " Paris\n"};
    ok(tt_exact_match(2, ref, "Paris"), "exact match: blanks at the ends do not count");
    ok(tt_exact_match(2, ref, "\tyes "), "exact match: any reference");
    ok(!tt_exact_match(2, ref, "paris"), "exact match: letter case counts");
    ok(!tt_exact_match(2, ref, ""), "exact match: an empty answer is wrong");
    ok(!tt_exact_match(0, ref, "yes"), "exact match: no reference, no match");
}

static double exact_with(tt_mopts o, const char *ref, const char *prediction)
{
    tt_scoring s = {.o = o};
    tt_case c = {.prediction = prediction, .nref = 1, .ref = &ref};
    double x = NAN;
    tt_def_exact_match.each(&s, &c, &x);
    return x;
}

static void t_options(void)
{
    tt_mopts none = {0}, fold = {.ignore_case = true}, marks = {.ignore_punctuation = true},
             digits = {.ignore_numbers = true};
    ok(exact_with(none, " a", "a") == 1 && exact_with(fold, " a", "a") == 0,
       "options: blanks are trimmed without any only");
    ok(exact_with(fold, "\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82") == 1,
       "options: lower case beyond ASCII");
    ok(exact_with(marks, "1,000", "1000.") == 1 && exact_with(marks, "a", "A") == 0, "options: punctuation");
    ok(exact_with(digits, "a1", "2a") == 1 && exact_with(digits, "a.", "a") == 0, "options: digits");
}

static bool normal_is(const char *text, bool trivia, const char *want)
{
    char *got = tt_answer_normalize(text, trivia);
    bool same = !strcmp(got, want);
    if (!same) printf("#   '%s' gave '%s', should be '%s'\n", text, got, want);
    free(got);
    return same;
}

static void t_normalize(void)
{
    ok(normal_is("The  Cat's an\xc2\xa0"
                 "A-team!",
                 false, "cats ateam"),
       "normalise: SQuAD");
    ok(normal_is("The  Cat's an\xc2\xa0"
                 "A-team!",
                 true, "cat s team"),
       "normalise: TriviaQA");
    ok(normal_is("the\xe2\x80\x99s", false, "\xe2\x80\x99s") &&
           normal_is("the\xe6\xbc\xa2", false, "the\xe6\xbc\xa2") && normal_is("a\xcc\x81", false, "\xcc\x81"),
       "normalise: words end where Python's \\b is");
    ok(normal_is("x\xc2\xb4y\xe2\x80\x98z`u\xe2\x80\x99v_w", true, "x y z u v w") &&
           normal_is("x\xc2\xb4y\xe2\x80\x98z", false, "x\xc2\xb4y\xe2\x80\x98z"),
       "normalise: quotation marks");
    ok(normal_is("a the an", false, "") && normal_is("", true, ""), "normalise: nothing left");
    ok(normal_is("t.h.e a_n", false, "") && normal_is("t.h.e", true, "t h e"),
       "normalise: punctuation goes before articles");
}

static void t_f1(void)
{
    ok(tt_answer_f1("the big cat", "cat cat", false, 0) == 0.5, "F1 counts a word as often as both sides have it");
    ok(tt_answer_f1("a", "the", false, 0) == 0 && tt_answer_f1("a", "the", false, 1) == 1, "F1 of nothing and nothing");
    ok(tt_answer_f1("a", "x", false, 1) == 0 && tt_answer_f1("x", "a", false, 1) == 0, "F1 of nothing and something");
    ok(tt_answer_f1("x-y", "x", false, 0) == 0 && tt_answer_f1("x-y", "x", true, 0) > 0.6, "F1: TriviaQA's blanks");
}

typedef struct two {
    double exact, f1;
} two;

static two each(const tt_metric_def *def, const tt_mopts *o, const tt_case *c)
{
    tt_scoring s = {.o = *o};
    double x[2] = {NAN, NAN};
    def->each(&s, c, x);
    return (two){x[0], x[1]};
}

static void t_trivia(void)
{
    tt_mopts o = {0};
    const char *const ref[] = {"x", "jean-luc"};
    tt_case c = {.prediction = "Jean Luc", .nref = 2, .ref = ref};
    ok(each(&tt_def_trivia_qa, &o, &c).exact == 100 && each(&tt_def_squad, &o, &c).exact == 0,
       "trivia_qa: dashes are blanks");
    c.prediction = "the Jean";
    ok(close_to(each(&tt_def_trivia_qa, &o, &c).f1, 200. / 3) && each(&tt_def_record, &o, &c).f1 == 0, "trivia_qa: F1");
    c.prediction = "the x y";
    ok(close_to(each(&tt_def_record, &o, &c).f1, 2. / 3), "record: F1 as a fraction");
}

static void t_squad_v2(void)
{
    tt_mopts o = {.threshold = 0.5};
    const char *const ref[] = {"cat", "the"}, *const none[] = {"", ""};
    tt_case c = {.prediction = "", .no_answer = NAN};
    ok(each(&tt_def_squad_v2, &o, &c).exact == 100, "squad_v2: no references, no answer: right");
    c.prediction = "cat";
    ok(each(&tt_def_squad_v2, &o, &c).f1 == 0, "squad_v2: no references, an answer: wrong");
    c.no_answer = 0.6;
    ok(each(&tt_def_squad_v2, &o, &c).f1 == 100, "squad_v2: above the threshold it counts as none");
    c.nref = 2;
    c.ref = none;
    ok(each(&tt_def_squad_v2, &o, &c).f1 == 100, "squad_v2: empty references are none");
    c.ref = ref;
    ok(each(&tt_def_squad_v2, &o, &c).exact == 0, "squad_v2: above the threshold a question with an answer is wrong");
    c.no_answer = 0.5;
    ok(each(&tt_def_squad_v2, &o, &c).exact == 100, "squad_v2: at the threshold it is not");
    c.prediction = "an";
    ok(each(&tt_def_squad_v2, &o, &c).f1 == 0, "squad_v2: references of which nothing is left are dropped");
    ok(each(&tt_def_squad, &o, &c).exact == 100 && each(&tt_def_squad, &o, &c).f1 == 0,
       "squad: they are not, and F1 is 0");
}

/* ---- golden files --------------------------------------------------------------------------------------------------------*/

static bool check_normalize(json_t *j)
{
    return normal_is(text_of(j, "text"), false, text_of(j, "squad")) &&
           normal_is(text_of(j, "text"), true, text_of(j, "trivia_qa"));
}

static bool same_two(json_t *want, const char *exact, two got, int n)
{
    return close_to(got.exact / n, number_of(want, exact)) && close_to(got.f1 / n, number_of(want, "f1"));
}

static bool check_record(json_t *j)
{
    texts p = texts_of(key(j, "preds"));
    tt_mopts o = {0};
    json_t *want = key(j, "expected");
    two squad = {0, 0}, trivia = {0, 0}, record = {0, 0};
    bool same = true;
    for (int i = 0; i < p.n; i++) {
        texts g = texts_of(json_array_get(key(j, "golds"), (size_t)i));
        tt_case c = {.prediction = p.v[i], .nref = g.n, .ref = g.v};
        two s = each(&tt_def_squad, &o, &c), t = each(&tt_def_trivia_qa, &o, &c), r = each(&tt_def_record, &o, &c);
        squad = (two){squad.exact + s.exact, squad.f1 + s.f1};
        trivia = (two){trivia.exact + t.exact, trivia.f1 + t.f1};
        record = (two){record.exact + r.exact, record.f1 + r.f1};
        same &= r.exact == json_number_value(json_array_get(key(want, "em_each"), (size_t)i)) &&
                r.f1 == json_number_value(json_array_get(key(want, "f1_each"), (size_t)i));
    }
    return same && same_two(key(want, "squad_percent"), "exact_match", squad, p.n) &&
           same_two(key(want, "t5_squad_percent"), "em", squad, p.n) &&
           same_two(key(want, "t5_trivia_qa_percent"), "em", trivia, p.n) &&
           same_two(key(want, "record_fraction"), "exact_match", record, p.n);
}

static bool check_v2_set(json_t *j)
{
    texts p = texts_of(key(j, "preds"));
    tt_mopts o = {.threshold = number_of(j, "na_prob_thresh")};
    two sum = {0, 0};
    for (int i = 0; i < p.n; i++) {
        texts g = texts_of(json_array_get(key(j, "answers"), (size_t)i));
        json_t *none = json_array_get(key(j, "no_answer_prob"), (size_t)i);
        tt_case c = {.prediction = p.v[i], .nref = g.n, .ref = g.v, .no_answer = none ? json_number_value(none) : NAN};
        two s = each(&tt_def_squad_v2, &o, &c);
        sum = (two){sum.exact + s.exact, sum.f1 + s.f1};
    }
    return same_two(key(j, "expected"), "exact", sum, p.n) && number_of(key(j, "expected"), "total") == p.n;
}

static bool check_v2(json_t *j)
{
    if (!strcmp(text_of(j, "kind"), "dataset")) return check_v2_set(j);
    texts g = texts_of(key(j, "golds"));
    tt_mopts o = {.threshold = 1};
    tt_case c = {.prediction = text_of(j, "pred"), .nref = g.n, .ref = g.v, .no_answer = NAN};
    two s = each(&tt_def_squad_v2, &o, &c);
    double best = 0;
    for (int i = 0; i < g.n; i++) best = fmax(best, tt_answer_f1(g.v[i], text_of(j, "pred"), false, 1));
    return number_of(key(j, "expected"), "f1") == best &&
           same_two(key(j, "expected"), "exact", (two){s.exact / 100, s.f1 / 100}, 1);
}

/* regexes_to_ignore is an option that we do not have */
static bool check_lm_eval(json_t *j)
{
    json_t *given = key(j, "options");
    if (key(given, "regexes_to_ignore")) return true;
    tt_mopts o = {.ignore_case = json_is_true(key(given, "ignore_case")),
                  .ignore_punctuation = json_is_true(key(given, "ignore_punctuation")),
                  .ignore_numbers = json_is_true(key(given, "ignore_numbers"))};
    texts p = texts_of(key(j, "predictions")), r = texts_of(key(j, "references"));
    double sum = 0;
    for (int i = 0; i < p.n; i++) sum += exact_with(o, r.v[i], p.v[i]);
    return close_to(sum / p.n, number_of(key(j, "expected"), "exact_match"));
}

int main(void)
{
    t_exact();
    t_options();
    t_normalize();
    t_f1();
    t_trivia();
    t_squad_v2();
    golden("answer_normalize", check_normalize);
    golden("squad_record", check_record);
    golden("squad_v2", check_v2);
    golden_kind("lmeval_aggregate", "exact_match", check_lm_eval);
    return tap_done();
}
