// TEST np=1
/* BLEU against samples worked out by hand, a literal restatement of its tokenizers, and what sacrebleu gave. */
#include "../../src/eval/metric.h"
#include "../../src/eval/text.h"

#include "lines.h"

static tt_mopts defaults(void) { return (tt_mopts){.smooth_value = NAN, .effective_order = 2, .max_order = 4}; }

/* ---- tokens ------------------------------------------------------------------------------------------------------------*/

static bool tokens_are(int tokenize, const char *text, const char *want)
{
    tt_mopts o = defaults();
    o.tokenize = tokenize;
    char *t = tt_bleu_tokens(&o, text);
    bool same = !strcmp(t, want);
    if (!same) printf("#   '%s' gave '%s', should be '%s'\n", text, t, want);
    free(t);
    return same;
}

static void t_tokens(void)
{
    static const char *const sample[][2] = {{"Hello, world!", "Hello , world !"},
                                            {"a...b 1...5 a..5 1..5", "a . . . b 1 . . .5 a . .5 1 . . 5"},
                                            {"1.5 1,000.50. .5 5.", "1.5 1,000.50 . . 5 5 ."},
                                            {"3-4 x-y 3-", "3 - 4 x-y 3 -"},
                                            {"&amp;lt; &quot;x&quot; a&b", "< \" x \" a & b"},
                                            {"a<skipped>b line-\nend\nnext -\n", "ab lineend next -"},
                                            {"don't $5/kg\xc2\xa0x \xe3\x80\x80", "don't $ 5 / kg x"},
                                            {"", ""},
                                            {" \n", ""}};
    int bad = 0;
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
        bad += !tokens_are(TT_BLEU_13A, sample[i][0], sample[i][1]);
    ok(bad == 0, "13a: samples");
    ok(tokens_are(TT_BLEU_INTL,
                  "x\xe2\x80\x9cy\xe2\x80\x9d 3.5 \xe2\x82\xac"
                  "5 5.",
                  "x \xe2\x80\x9c y \xe2\x80\x9d 3.5 \xe2\x82\xac 5 5."),
       "intl: sample");
    ok(tokens_are(TT_BLEU_INTL, ".5 a..", ".5 a . ."), "intl: no padding");
    ok(tokens_are(TT_BLEU_CHAR, "a \xc3\xa4\xc2\xa0-", "a \xc3\xa4 -"), "char: sample");
    ok(tokens_are(TT_BLEU_NONE, " a,  b.\xe2\x80\xa8", "a, b."), "none: sample");
}

/* The passes one after another, each a scan without overlap over code points: slow, plain, the specification. */
enum { MOST = 4096 };
typedef struct line {
    uint32_t c[MOST];
    int n;
} line;

static void put(line *x, uint32_t c)
{
    if (x->n == MOST) exit(3);
    x->c[x->n++] = c;
}

typedef bool class_fn(uint32_t c);
static bool is_point(uint32_t c) { return c == '.' || c == ','; }
static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
static bool no_digit(uint32_t c) { return !is_digit(c); }
static bool is_dash(uint32_t c) { return c == '-'; }
static bool is_mark(uint32_t c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
           (c >= ':' && c <= '@') || c == '/';
}
static bool is_p(uint32_t c) { return tt_uc_class(c) == TT_UC_P; }
static bool is_s(uint32_t c) { return tt_uc_class(c) == TT_UC_S; }
static bool no_n(uint32_t c) { return tt_uc_class(c) != TT_UC_N; }

/* Replaces matches by the form's characters; '1' and '2' stand for the match's. b NULL: matches of one character. */
static void pass(line *x, class_fn *a, class_fn *b, const char *form)
{
    static line in;
    in = *x;
    x->n = 0;
    for (int i = 0; i < in.n;) {
        bool hit = a(in.c[i]) && (!b || (i + 1 < in.n && b(in.c[i + 1])));
        if (!hit) {
            put(x, in.c[i++]);
            continue;
        }
        for (const char *f = form; *f; f++) put(x, *f == '1' ? in.c[i] : *f == '2' ? in.c[i + 1] : (uint32_t)*f);
        i += b ? 2 : 1;
    }
}

static char *replaced(char *s, const char *what, const char *with)
{
    char *out = malloc(strlen(s) + 1), *o = out;
    for (char *p = s; *p;) {
        bool hit = !strncmp(p, what, strlen(what));
        if (hit)
            o = stpcpy(o, with), p += strlen(what);
        else
            *o++ = *p++;
    }
    *o = 0;
    free(s);
    return out;
}

static char *unescaped(char *s)
{
    s = replaced(replaced(replaced(s, "<skipped>", ""), "-\n", ""), "\n", " ");
    s = replaced(replaced(s, "&quot;", "\""), "&amp;", "&");
    return replaced(replaced(s, "&lt;", "<"), "&gt;", ">");
}

static char *plain_tokens(int tokenize, const char *text)
{
    static line x;
    char *s = strdup(text), *out = calloc(MOST, 6), *o = out;
    int len;
    s[tt_uc_rstrip(s, strlen(s))] = 0;
    if (tokenize == TT_BLEU_13A) s = unescaped(s);
    x.n = 0;
    if (tokenize == TT_BLEU_13A) put(&x, ' ');
    for (const char *p = s; *p; p += len) put(&x, tt_uc_next(p, &len));
    if (tokenize == TT_BLEU_13A) {
        put(&x, ' ');
        pass(&x, is_mark, NULL, " 1 ");
        pass(&x, no_digit, is_point, "1 2 ");
        pass(&x, is_point, no_digit, " 1 2");
        pass(&x, is_digit, is_dash, "1 2 ");
    } else {
        pass(&x, no_n, is_p, "1 2 ");
        pass(&x, is_p, no_n, " 1 2");
        pass(&x, is_s, NULL, " 1 ");
    }
    bool space = true;
    for (int i = 0; i < x.n; i++) {
        bool blank = tt_uc_space(x.c[i]);
        if (!blank && space && o > out) *o++ = ' ';
        if (!blank) o += tt_uc_put(o, x.c[i]);
        space = blank;
    }
    free(s);
    return out;
}

static void t_passes(void)
{
    static const char *const piece[] = {"a",
                                        "b",
                                        " ",
                                        ".",
                                        ",",
                                        "1",
                                        "2",
                                        "-",
                                        "!",
                                        "$",
                                        ".",
                                        "1",
                                        "\n",
                                        "&quot;",
                                        "&amp;",
                                        "lt;",
                                        "&lt;",
                                        "<skipped>",
                                        "<",
                                        "_",
                                        "'",
                                        "\xc2\xa0",
                                        "\xc3\xa4",
                                        "\xe2\x80\x9d",
                                        "\xc2\xb2",
                                        "\xe2\x82\xac",
                                        "\xd9\xa3",
                                        "\xe3\x80\x80",
                                        "\xe3\x80\x82",
                                        "\xf0\x9f\x98\x80",
                                        "\x1c",
                                        "/",
                                        NULL};
    uint64_t seed = 99;
    int bad = 0, n = 60000;
    for (int i = 0; i < n && bad < 5; i++) {
        char *text = random_text(&seed, piece + (i % 3 ? 0 : 3), i % 7 ? 8 : 60);
        for (int tok = TT_BLEU_13A; tok <= TT_BLEU_INTL; tok++) {
            char *want = plain_tokens(tok, text);
            bad += !tokens_are(tok, text, want);
            free(want);
        }
        free(text);
    }
    ok(bad == 0, "%d random texts: one pass gives what the passes give", n);
    static const char *const few[] = {"a", ".", "1", " ", NULL}; /* all texts of up to 8 of them */
    bad = n = 0;
    for (int size = 0; size <= 8; size++)
        for (int code = 0; code < 1 << 2 * size && bad < 5; code++, n++) {
            char text[16] = "";
            for (int i = 0; i < size; i++) strcat(text, few[code >> 2 * i & 3]);
            for (int tok = TT_BLEU_13A; tok <= TT_BLEU_INTL; tok++) {
                char *want = plain_tokens(tok, text);
                bad += !tokens_are(tok, text, want);
                free(want);
            }
        }
    ok(bad == 0, "%d short texts: likewise", n);
}

/* ---- counts and score --------------------------------------------------------------------------------------------------*/

static void t_score(void)
{
    tt_mopts o = defaults();
    o.max_order = 2;
    tt_bleustat s = {0};
    const char *const ref[] = {"the cat sat", NULL, "the the mat on it"};
    tt_bleu_add(&o, "the the the cat", 3, ref, &s);
    ok(s.sys == 4 && s.ref == 3, "closest length, the shorter of two: %d %d", (int)s.sys, (int)s.ref);
    ok(s.correct[0] == 3 && s.total[0] == 4 && s.correct[1] == 2 && s.total[1] == 3,
       "counts are clipped by the highest of one reference: %d %d", (int)s.correct[0], (int)s.correct[1]);
    tt_bleu b;
    tt_bleu_score(&o, false, &s, &b);
    ok(fabs(b.score - 100 * sqrt(3. / 4 * 2 / 3)) < 1e-12 && b.bp == 1, "score %.6f", b.score);
    tt_bleustat none = {.sys = 4, .ref = 8, .total = {4, 3}};
    tt_bleu_score(&o, true, &none, &b);
    ok(b.score == 0 && b.precision[0] == 0 && b.bp == exp(-1), "nothing matches: 0 whatever the smoothing");
    tt_bleustat half = {.sys = 4, .ref = 4, .correct = {4, 0}, .total = {4, 3}};
    tt_bleu_score(&o, true, &half, &b);
    ok(b.precision[1] == 100. / 6, "exp halves: %g", b.precision[1]);
    o.smooth = TT_SMOOTH_NONE;
    tt_bleu_score(&o, true, &half, &b);
    ok(b.score == 0, "without smoothing an order without a match makes 0: %g", b.score);
    o.smooth = TT_SMOOTH_FLOOR;
    tt_bleu_score(&o, true, &half, &b);
    ok(b.precision[1] == 100. * 0.1 / 3, "floor: %g", b.precision[1]);
    o.smooth = TT_SMOOTH_ADDK;
    tt_bleu_score(&o, true, &half, &b);
    ok(b.precision[0] == 100 && b.precision[1] == 25 && b.total[0] == 4 && b.total[1] == 4,
       "add-k adds from order 2 on: %g", b.precision[1]);
    tt_bleustat empty = {.ref = 3};
    tt_bleu_score(&o, true, &empty, &b);
    ok(b.score == 0 && b.bp == 0, "an empty hypothesis: 0");
}

/* Plain counting of n-grams of tokens, several references. */
static void t_counts(void)
{
    static const char *const piece[] = {" a", " b", " c", " d", " e", ".", " 1", NULL};
    uint64_t seed = 5;
    tt_mopts o = defaults();
    o.tokenize = TT_BLEU_NONE;
    o.max_order = 5;
    int bad = 0;
    for (int i = 0; i < 2000; i++) {
        char *t[4];
        for (int k = 0; k < 4; k++) t[k] = random_text(&seed, piece, i % 9 ? 12 : 200);
        char *v[4][256];
        int n[4] = {0};
        tt_bleustat s = {0};
        tt_bleu_add(&o, t[0], 3, (const char *const *)t + 1, &s);
        for (int k = 0; k < 4; k++) {
            char *rest = t[k];
            for (char *w; (w = strsep(&rest, " "));)
                if (*w) v[k][n[k]++] = w;
        }
        for (int order = 1; order <= 5; order++) {
            int64_t hits = 0;
            for (int a = 0; a + order <= n[0];
                 a++) { /* the a-th is a hit if some reference has as many as there are up to a */
                int before = 0, most = 0;
                for (int k = 0; k < 4; k++) {
                    int found = 0;
                    for (int b = 0; b + order <= n[k]; b++) {
                        bool same = true;
                        for (int c = 0; c < order; c++) same &= !strcmp(v[0][a + c], v[k][b + c]);
                        if (k == 0 && b > a) same = false;
                        found += same;
                    }
                    if (k == 0)
                        before = found;
                    else if (found > most)
                        most = found;
                }
                hits += before <= most;
            }
            bad += hits != s.correct[order - 1] || s.total[order - 1] != (n[0] >= order ? n[0] - order + 1 : 0);
        }
        for (int k = 0; k < 4; k++) free(t[k]);
    }
    ok(bad == 0, "random texts, three references: counts as by plain counting");
}

static void t_metric(void)
{
    tt_scoring s = {.o = defaults(), .nref = 1, .n = 2};
    const char *const ref[] = {"a b c d e f", "g h"};
    tt_case c[] = {{.prediction = "a b c d e x", .nref = 1, .ref = ref},
                   {.prediction = "g h", .nref = 1, .ref = ref + 1}};
    double stat[20], value[1], only[1];
    ok(tt_def_bleu.open(&s) == TT_OK && s.width == 10, "metric: width %d", s.width);
    for (int i = 0; i < 2; i++) tt_def_bleu.each(&s, &c[i], stat + 10 * i);
    s.stat = stat;
    tt_def_bleu.total(&s, 1, stat + 10, NULL, true, only);
    ok(fabs(only[0] - 100) < 1e-9, "metric: one example alone has an effective order: %.9f", only[0]);
    s.o.effective_order = 0;
    tt_def_bleu.total(&s, 1, stat + 10, NULL, true, value);
    ok(value[0] == 0, "metric: unless it is told not to: %g", value[0]);
    s.o.effective_order = 2;
    tt_def_bleu.total(&s, 2, stat, NULL, false, value);
    double want = 100 * exp((log(7. / 8) + log(5. / 6) + log(3. / 4) + log(2. / 3)) / 4);
    ok(fabs(value[0] - want) < 1e-9, "metric: corpus %.9f", value[0]);
    const double w[2] = {0, 1};
    tt_def_bleu.total(&s, 2, stat, w, false, value);
    ok(value[0] == 0, "metric: weights count, and many have no effective order: %g", value[0]);
    json_t *out = json_object();
    tt_def_bleu.more(&s, -1, out);
    ok(number_of(out, "sys_len") == 8 && json_array_size(key(out, "precisions")) == 4 &&
           json_is_integer(json_array_get(key(out, "counts"), 0)) &&
           !strcmp(text_of(out, "signature"), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"),
       "metric: more, %s", text_of(out, "signature"));
    json_decref(out);
    tt_def_bleu.close(&s);
    s.o.max_order = TT_BLEU_MOST + 1;
    ok(tt_def_bleu.open(&s) == TT_EJOB && strstr(tt_fail_text(), "max_order"), "metric: %s", tt_fail_text());
    tt_fail_clear();
}

/* ---- golden files --------------------------------------------------------------------------------------------------------*/

static int place(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!strcmp(word, list[i])) return i;
    exit(3);
}
static const char *const tok_name[] = {"13a", "intl", "char", "none", NULL};
static const char *const smooth_name[] = {"exp", "floor", "add-k", "none", NULL};

static tt_mopts options(json_t *config)
{
    tt_mopts o = defaults();
    json_t *v;
    if ((v = key(config, "tokenize"))) o.tokenize = place(json_string_value(v), tok_name);
    if ((v = key(config, "smooth_method"))) o.smooth = place(json_string_value(v), smooth_name);
    if (json_is_number(v = key(config, "smooth_value"))) o.smooth_value = json_number_value(v);
    if ((v = key(config, "effective_order"))) o.effective_order = json_is_true(v);
    if ((v = key(config, "max_ngram_order"))) o.max_order = json_integer_value(v);
    o.lowercase = json_is_true(key(config, "lowercase"));
    return o;
}

static bool same_list(json_t *want, const double *got)
{
    bool same = true;
    for (size_t i = 0; i < json_array_size(want); i++) same &= json_number_value(json_array_get(want, i)) == got[i];
    return same;
}

/* To the last bit. */
static bool same_bleu(json_t *want, const tt_bleu *b, int64_t order)
{
    return number_of(want, "score") == b->score && number_of(want, "bp") == b->bp &&
           number_of(want, "sys_len") == (double)b->sys && number_of(want, "ref_len") == (double)b->ref &&
           json_array_size(key(want, "precisions")) == (size_t)order && same_list(key(want, "counts"), b->correct) &&
           same_list(key(want, "totals"), b->total) && same_list(key(want, "precisions"), b->precision);
}

static bool check_tokens(json_t *j)
{
    bool same = true;
    for (int i = 0; i < 4; i++) {
        char *want = joined(key(key(j, "tokens"), tok_name[i]));
        same &= tokens_are(i, text_of(j, "text"), want);
        free(want);
    }
    tt_mopts o = defaults();
    o.lowercase = true;
    char *got = tt_bleu_tokens(&o, text_of(j, "text")), *want = joined(key(j, "tokens_lc_13a"));
    same &= !strcmp(got, want);
    free(got);
    free(want);
    return same;
}

static bool check_sentence(json_t *j)
{
    texts ref = texts_of(key(j, "references"));
    bool same = true;
    size_t i;
    json_t *run;
    json_array_foreach(key(j, "runs"), i, run)
    {
        tt_mopts o = options(key(run, "config"));
        tt_bleustat s = {0};
        tt_bleu b;
        tt_bleu_add(&o, text_of(j, "hypothesis"), ref.n, ref.v, &s);
        tt_bleu_score(&o, o.effective_order != 0, &s, &b);
        same &= same_bleu(key(run, "result"), &b, o.max_order);
    }
    return same && i > 0;
}

/* The same examples through the metric. */
static double through_metric(const tt_mopts *o, const texts *hyp, const texts *stream, int streams)
{
    tt_scoring s = {.o = *o, .nref = streams};
    double value = NAN;
    tt_def_bleu.open(&s);
    double *stat = malloc(sizeof *stat * (size_t)(s.width * hyp->n));
    for (int i = 0; i < hyp->n; i++) {
        const char *ref[16];
        for (int k = 0; k < streams; k++) ref[k] = stream[k].v[i];
        tt_case c = {.prediction = hyp->v[i], .nref = streams, .ref = ref};
        tt_def_bleu.each(&s, &c, stat + i * s.width);
    }
    tt_def_bleu.total(&s, hyp->n, stat, NULL, false, &value);
    tt_def_bleu.close(&s);
    free(stat);
    return value;
}

static bool check_run(json_t *run, const texts *hyp, const texts *stream, int streams)
{
    tt_mopts o = options(key(run, "config"));
    tt_bleustat s = {0};
    tt_bleu b;
    int nref = 0;
    for (int i = 0; i < hyp->n; i++) {
        const char *ref[16];
        int there = 0;
        for (int k = 0; k < streams; k++) there += (ref[k] = stream[k].v[i]) != NULL;
        nref = i == 0 || nref == there ? there : -1;
        tt_bleu_add(&o, hyp->v[i], streams, ref, &s);
    }
    bool effective = o.effective_order == 1;
    char signature[160];
    tt_bleu_score(&o, effective, &s, &b);
    tt_bleu_signature(&o, effective, nref, signature, sizeof signature);
    return same_bleu(key(run, "result"), &b, o.max_order) && !strcmp(signature, text_of(run, "signature")) &&
           through_metric(&o, hyp, stream, streams) == b.score;
}

static bool check_corpus(json_t *j)
{
    texts hyp = texts_of(key(j, "hypotheses")), *stream = malloc(16 * sizeof *stream);
    int streams = (int)json_array_size(key(j, "references"));
    for (int k = 0; k < streams; k++) stream[k] = texts_of(json_array_get(key(j, "references"), (size_t)k));
    bool same = streams <= 16;
    size_t i;
    json_t *run;
    json_array_foreach(key(j, "runs"), i, run) same = same && check_run(run, &hyp, stream, streams);
    free(stream);
    return same && i > 0;
}

static bool check_stats(json_t *j)
{
    tt_mopts o = options(key(j, "config"));
    if (!key(key(j, "config"), "smooth_method")) o.smooth = TT_SMOOTH_NONE;
    tt_bleustat s = {.sys = (int64_t)number_of(j, "sys_len"), .ref = (int64_t)number_of(j, "ref_len")};
    for (size_t k = 0; k < json_array_size(key(j, "correct")); k++) {
        s.correct[k] = json_integer_value(json_array_get(key(j, "correct"), k));
        s.total[k] = json_integer_value(json_array_get(key(j, "total"), k));
    }
    tt_bleu b;
    tt_bleu_score(&o, o.effective_order == 1, &s, &b);
    return same_bleu(key(j, "result"), &b, o.max_order);
}

int main(void)
{
    t_tokens();
    t_passes();
    t_score();
    t_counts();
    t_metric();
    golden("bleu_tokenize", check_tokens);
    golden("bleu_sentence", check_sentence);
    golden("bleu_corpus", check_corpus);
    golden("bleu_stats", check_stats);
    return tap_done();
}
