// TEST np=1
/* chrF against cases worked out by hand and the numbers of an independent restatement in Python, itself compared with those that
 * sacrebleu's tests publish. */
#include "../../src/eval/metric.h"

#include "lines.h"

static tt_mopts defaults(void) { return (tt_mopts){.char_order = 6, .beta = 2}; }

/* A corpus, and every example by itself into one[]; nref references each, one list after another. */
static double chrf(const tt_mopts *o, int n, const char *const *hyp, int nref, const char *const *ref, double *one)
{
    tt_scoring s = {.o = *o, .nref = nref};
    double value = NAN;
    if (tt_def_chrf.open(&s) != TT_OK) return NAN;
    double *stat = malloc(sizeof *stat * (size_t)(s.width * n));
    for (int i = 0; i < n; i++) {
        tt_case c = {.prediction = hyp[i], .nref = nref, .ref = ref + i * nref};
        tt_def_chrf.each(&s, &c, stat + i * s.width);
        if (one) tt_def_chrf.total(&s, 1, stat + i * s.width, NULL, true, &one[i]);
    }
    tt_def_chrf.total(&s, n, stat, NULL, false, &value);
    tt_def_chrf.close(&s);
    free(stat);
    return value;
}

static double pair(const tt_mopts *o, const char *hyp, const char *ref) { return chrf(o, 1, &hyp, 1, &ref, NULL); }

static void t_hand(void)
{
    tt_mopts o = defaults();
    ok(pair(&o, "a b c", "abc") == 100, "blanks do not count");
    ok(pair(&o, "", "abc") == 0 && pair(&o, "abc", "") == 0 && pair(&o, "x", "y") == 0, "nothing in common: 0");
    ok(close_to(pair(&o, "aa", "ab"), 25), "orders that both sides have: half of order 1, none of 2");
    ok(pair(&o, "\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xb6") == 100 && close_to(pair(&o, "\xc3\xa4", "\xc3\xb6"), 0),
       "characters, not bytes");
    /* order 1: 2 of 3 and 2 of 2; order 2: 1 of 2 and 1 of 1; order 3 has no reference. P 7/12, R 1, F = 5 P R / (4 P + R) */
    ok(close_to(pair(&o, "abc", "ab"), 100 * 5 * (7. / 12) / (4 * (7. / 12) + 1)), "beta 2 weighs recall");
    o.whitespace = true;
    ok(pair(&o, "a b c", "abc") < 100, "with whitespace blanks count");
    o = defaults();
    ok(pair(&o, "AB", "ab") == 0, "letter case counts");
    o.lowercase = true;
    ok(pair(&o, "AB", "ab") == 100, "with lowercase it does not");
    o = (tt_mopts){.word_order = 1, .beta = 1};
    ok(close_to(pair(&o, "(hi) \"yes", "(hi ) yes x"), 100 * 2 * 2. / (4 + 5)),
       "words: the mark at the end is apart, else one before");
    o = (tt_mopts){.char_order = 1, .beta = 1};
    const char *const hyp[] = {"aabb", "x"}, *const tie[] = {"aa", "aabbcccc", "y", "y"};
    ok(close_to(chrf(&o, 2, hyp, 2, tie, NULL), 100 * 2 * (2. / 5) * (2. / 3) / (2. / 5 + 2. / 3)),
       "of equal references the first");
    o = (tt_mopts){.beta = 2};
    ok(isnan(pair(&o, "a", "a")) && strstr(tt_fail_text(), "char_order"), "no order at all: %s", tt_fail_text());
    tt_fail_clear();
}

static void t_python(void)
{
    static const char *const hyp[] = {"The quick brown fox, it jumps!",
                                      "Ein \xc3\x9c"
                                      "berblick (kurz) \xe2\x80\x93 3,5 km",
                                      "ab"};
    static const char *const ref[] = {"A quick brown fox jumps.",
                                      "The quick, brown fox jumped!",
                                      "Ein kurzer \xc3\x9c"
                                      "berblick: 3.5 km",
                                      "Kurzer \xc3\xbc"
                                      "berblick (3,5 km)",
                                      "abc",
                                      "b"};
    static const struct {
        tt_mopts o;
        double all, one[3];
    } row[] = {
        {{.char_order = 6, .beta = 2}, 58.91410654737712, {69.15388524789525, 49.42273839027385, 83.33333333333334}},
        {{.char_order = 6, .word_order = 2, .beta = 2},
         53.83626117588637,
         {64.3147735185316, 45.524795074867356, 42.42424242424242}},
        {{.char_order = 6, .beta = 2, .whitespace = true},
         62.76163117943923,
         {74.17871671227707, 51.657148857550375, 83.33333333333334}},
        {{.char_order = 6, .beta = 2, .lowercase = true},
         63.54753221572796,
         {69.15388524789525, 58.42845961231304, 83.33333333333334}},
        {{.char_order = 6, .beta = 2, .eps_smoothing = true},
         58.46686931519266,
         {69.14811538650548, 49.42226450560327, 21.16402116402116}},
        {{.char_order = 6, .word_order = 2, .beta = 3, .lowercase = true},
         59.714404898067954,
         {66.16958969304598, 54.90636375672781, 45.45454545454545}},
        {{.char_order = 3, .beta = 1}, 70.19335511982572, {74.78622930186032, 66.18357487922705, 73.68421052631578}},
        {{.char_order = 6, .word_order = 1, .beta = 2, .whitespace = true, .eps_smoothing = true},
         60.806417223766225,
         {72.50688154464295, 51.18906772264851, 18.140589569160998}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double one[3], all = chrf(&row[i].o, 3, hyp, 2, ref, one);
        bool same = close_to(all, row[i].all);
        for (int k = 0; k < 3; k++) same &= close_to(one[k], row[i].one[k]);
        ok(same, "restatement, case %d: %.12f", (int)i, all);
    }
}

/* Hypotheses of more than 63 characters are counted another way. */
static void t_long(void)
{
#define H                                                                  \
    "It was the best of times, it was the worst of times, it was \xc3\xbc" \
    "ber-good (really). "
#define R                                                              \
    "It was the worst of times, it was the best of times and \xc3\xbc" \
    "ber-bad, (really)? Yes, it was. "
    static const struct {
        tt_mopts o;
        double both, cut_ref, cut_hyp;
    } row[] = {
        {{.char_order = 6, .beta = 2}, 74.87343367128004, 56.19495115199783, 24.283177653331194},
        {{.char_order = 6, .word_order = 2, .beta = 2}, 74.65852693136196, 55.75089750748818, 24.381732341166085},
        {{.char_order = 2, .word_order = 3, .beta = 2, .whitespace = true},
         76.24052949422321,
         55.277974831538465,
         24.732313765460958},
    };
    const char *h = H H, *r = R R, *cut = "It was the best of times, it was the wor";
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        ok(close_to(pair(&row[i].o, h, r), row[i].both) && close_to(pair(&row[i].o, r, cut), row[i].cut_ref) &&
               close_to(pair(&row[i].o, cut, r), row[i].cut_hyp),
           "restatement, long texts, case %d", (int)i);
}

static void t_more(void)
{
    tt_scoring s = {.o = defaults(), .nref = 1};
    json_t *out = json_object();
    tt_def_chrf.more(&s, -1, out);
    ok(!strcmp(text_of(out, "signature"), "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0") &&
           !strcmp(text_of(out, "name"), "chrF2"),
       "signature: %s", text_of(out, "signature"));
    s.o.word_order = 2;
    s.o.lowercase = s.o.whitespace = s.o.eps_smoothing = true;
    s.nref = -1;
    tt_def_chrf.more(&s, -1, out);
    ok(!strcmp(text_of(out, "signature"), "nrefs:var|case:lc|eff:no|nc:6|nw:2|space:yes|version:2.6.0") &&
           !strcmp(text_of(out, "name"), "chrF2++"),
       "signature: %s", text_of(out, "signature"));
    json_decref(out);
}

int main(void)
{
    t_hand();
    t_python();
    t_long();
    t_more();
    return tap_done();
}
