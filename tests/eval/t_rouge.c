// TEST np=1
/* Metrics against samples worked out by hand and, where the shared folder is present, against what rouge_score and NLTK gave. */
#include "../../src/eval/metric.h"

#include "lines.h"

static void t_porter(void)
{
    static const char *const pairs[][2] = {{"caresses", "caress"},   {"ponies", "poni"},
                                           {"dies", "die"},          {"died", "die"},
                                           {"agreed", "agre"},       {"feed", "feed"},
                                           {"plastered", "plaster"}, {"motoring", "motor"},
                                           {"hopping", "hop"},       {"falling", "fall"},
                                           {"filing", "file"},       {"happy", "happi"},
                                           {"enjoy", "enjoy"},       {"by", "by"},
                                           {"relational", "relat"},  {"rationally", "ration"},
                                           {"apology", "apolog"},    {"sensibly", "sensibl"},
                                           {"adoption", "adopt"},    {"controlling", "control"},
                                           {"roll", "roll"},         {"skies", "sky"},
                                           {"proceed", "proceed"},   {"oed", "o"},
                                           {"yyyy", "yyyi"},         {"rate", "rate"},
                                           {"cease", "ceas"},        {"probate", "probat"}};
    int bad = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char w[64];
        strcpy(w, pairs[i][0]);
        tt_porter(w);
        if (strcmp(w, pairs[i][1]) != 0) {
            bad++;
            printf("#   %s: %s, should be %s\n", pairs[i][0], w, pairs[i][1]);
        }
    }
    ok(bad == 0, "porter: samples");
}

static bool tokens_are(const char *text, bool stem, const char *want)
{
    char *t = tt_rouge_tokens(text, stem);
    bool same = !strcmp(t, want);
    if (!same) printf("#   '%s' gave '%s', should be '%s'\n", text, t, want);
    free(t);
    return same;
}

static tt_prf score_one(const char *target, const char *prediction, int kind)
{
    tt_rouge *w = tt_rouge_new(false);
    tt_prf x[TT_ROUGE_N];
    tt_rouge_score(w, 1, &target, prediction, 1U << kind, x);
    tt_rouge_free(w);
    return x[kind];
}

static void t_samples(void)
{
    ok(tokens_are("1,000 don't foo_bar Stra\xc3\x9f"
                  "e",
                  false, "1 000 don t foo bar stra e"),
       "tokens: punctuation and other letters separate");
    ok(tokens_are(" \n..", true, ""), "tokens: nothing left");
    ok(tokens_are("30\xe2\x84\xaa \xc4\xb0stanbul", false, "30k i stanbul"), "tokens: two characters lower into ASCII");
    ok(tokens_are("The cats were running", true, "the cat were run"), "tokens: stemmed when longer than three");

    tt_prf s = score_one("the cat sat on the mat", "the the the cat", TT_ROUGE_1);
    ok(s.p == 3. / 4 && s.r == 3. / 6, "rouge-1 clips counts: %.4f %.4f", s.p, s.r);
    s = score_one("the cat sat on the mat", "the cat on the mat", TT_ROUGE_2);
    ok(s.p == 3. / 4 && s.r == 3. / 5, "rouge-2: %.4f %.4f", s.p, s.r);
    s = score_one("a b c d a b c", "a b c x a b c", TT_ROUGE_3);
    ok(s.p == 2. / 5 && s.r == 2. / 5, "rouge-3: %.4f %.4f", s.p, s.r);
    s = score_one("police killed the gunman", "the gunman killed police", TT_ROUGE_L);
    ok(s.p == 0.5 && s.r == 0.5 && s.f == 0.5, "rouge-L: the longest subsequence, not the longest run");
    s = score_one("one", "one", TT_ROUGE_2);
    ok(s.p == 0 && s.r == 0 && s.f == 0, "rouge-2 of one token is 0");
    s = score_one("", "a", TT_ROUGE_L);
    ok(s.p == 0 && s.r == 0 && s.f == 0, "rouge-L of an empty text is 0");
    /* Lin's example: w1 w2 and w1 w3 w5 unite to w1 w2 w3 w5, of 5 words; the lines swapped count as before */
    s = score_one("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\n\nw1 w3 w8 w9 w5\n", TT_ROUGE_LSUM);
    ok(s.r == 4. / 5 && s.p == 4. / 10, "rouge-Lsum unites lines: %.4f %.4f", s.p, s.r);
    s = score_one("a b\nc d", "c d\na b", TT_ROUGE_LSUM);
    ok(s.f == 1, "rouge-Lsum does not mind the order of lines");
    s = score_one("a x a", "a\na\na", TT_ROUGE_LSUM);
    ok(s.r == 1. / 3 && s.p == 1. / 3, "rouge-Lsum: every line finds the same word, the last: %.4f", s.r);

    tt_rouge *w = tt_rouge_new(false);
    const char *const ref[] = {"first text", "text first text", "text first text"};
    tt_prf x[TT_ROUGE_N] = {[TT_ROUGE_1] = {7, 7, 7}};
    tt_rouge_score(w, 3, ref, "text first", 1 << TT_ROUGE_L, x);
    ok(x[TT_ROUGE_L].r == 2. / 3 && x[TT_ROUGE_L].p == 1,
       "several references: the best F with its own precision and recall");
    const char *const tie[] = {"a a", "a a b b c c c c"};
    tt_rouge_score(w, 2, tie, "a a b b", 1 << TT_ROUGE_L, x);
    ok(x[TT_ROUGE_L].r == 1 && x[TT_ROUGE_L].p == 0.5, "several references: the first of equals");
    ok(x[TT_ROUGE_1].f == 7, "kinds that were not asked for are left alone");
    tt_rouge_free(w);
}

static const char *const pieces[] = {" a", " b", " c", " running", " runs", " d", "\n", " . ", "E", " 7", NULL};

/* ---- the plain versions, as the reference describes itself ----------------------------------------------------------*/

enum { MOST = 400 };
typedef struct list {
    char *all, *v[MOST];
    int n;
} list;

static list words_of(const char *text, bool stem)
{
    list x = {tt_rouge_tokens(text, stem), {0}, 0};
    char *rest = x.all;
    for (char *t; (t = strsep(&rest, " "));)
        if (*t) x.v[x.n++] = t;
    return x;
}

static bool same_words(char *const *a, char *const *b, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

static int64_t plain_hits(const list *t, const list *p, int n)
{
    bool used[MOST] = {0};
    int64_t hits = 0;
    for (int i = 0; i + n <= p->n; i++)
        for (int k = 0; k + n <= t->n; k++)
            if (!used[k] && same_words(p->v + i, t->v + k, n)) {
                used[k] = true;
                hits++;
                break;
            }
    return hits;
}

static int table[MOST + 1][MOST + 1];

static int plain_lcs(const list *t, const list *p)
{
    for (int i = 0; i <= t->n; i++)
        for (int j = 0; j <= p->n; j++) {
            if (!i || !j)
                table[i][j] = 0;
            else if (!strcmp(t->v[i - 1], p->v[j - 1]))
                table[i][j] = table[i - 1][j - 1] + 1;
            else
                table[i][j] = table[i - 1][j] > table[i][j - 1] ? table[i - 1][j] : table[i][j - 1];
        }
    return table[t->n][p->n];
}

static void plain_mark(const list *t, const list *p, bool *marked)
{
    plain_lcs(t, p);
    for (int i = t->n, j = p->n; i && j;)
        if (!strcmp(t->v[i - 1], p->v[j - 1])) {
            marked[i - 1] = true;
            i--, j--;
        } else if (table[i][j - 1] > table[i - 1][j])
            j--;
        else
            i--;
}

static bool take(list *x, const char *word)
{
    for (int i = 0; i < x->n; i++)
        if (x->v[i] && !strcmp(x->v[i], word)) {
            x->v[i] = NULL;
            return true;
        }
    return false;
}

static int has(const list *x, const char *word)
{
    for (int i = 0; i < x->n; i++)
        if (x->v[i] && !strcmp(x->v[i], word)) return true;
    return false;
}

static int64_t plain_line(const char *line, const char *guess, bool stem, list *left_t, list *left_p)
{
    list t = words_of(line, stem);
    bool marked[MOST] = {0};
    char *copy = strdup(guess), *rest = copy;
    for (char *l; (l = strsep(&rest, "\n"));) {
        list p = words_of(l, stem);
        plain_mark(&t, &p, marked);
        free(p.all);
    }
    int64_t hits = 0;
    for (int i = 0; i < t.n; i++)
        if (marked[i] && has(left_t, t.v[i]) && has(left_p, t.v[i])) {
            take(left_t, t.v[i]);
            take(left_p, t.v[i]);
            hits++;
        }
    free(t.all);
    free(copy);
    return hits;
}

static int64_t plain_union(const char *target, const char *guess, bool stem)
{
    list left_t = words_of(target, stem), left_p = words_of(guess, stem);
    char *copy = strdup(target), *rest = copy;
    int64_t hits = 0;
    for (char *l; (l = strsep(&rest, "\n"));) hits += plain_line(l, guess, stem, &left_t, &left_p);
    free(copy);
    free(left_t.all);
    free(left_p.all);
    return hits;
}

static bool is_score(tt_prf got, int64_t hits, int nt, int np)
{
    double p = (double)hits / (np > 0 ? np : 1), r = (double)hits / (nt > 0 ? nt : 1);
    return got.p == p && got.r == r && got.f == (p + r > 0 ? 2 * p * r / (p + r) : 0);
}

static bool equal_to_plain(const char *target, const char *guess, bool stem, const tt_prf *x)
{
    list t = words_of(target, stem), p = words_of(guess, stem);
    bool same = true;
    for (int k = 0; k < 3; k++) same &= is_score(x[TT_ROUGE_1 + k], plain_hits(&t, &p, k + 1), t.n - k, p.n - k);
    same &= is_score(x[TT_ROUGE_L], plain_lcs(&t, &p), t.n, p.n);
    same &= is_score(x[TT_ROUGE_LSUM], plain_union(target, guess, stem), t.n, p.n);
    if (!same) printf("#   target '%s' guess '%s'\n", target, guess);
    free(t.all);
    free(p.all);
    return same;
}

/* The best over references is what the references give one by one. */
static bool equal_to_single(tt_rouge *w, const char *const *ref, const char *guess)
{
    tt_prf all[TT_ROUGE_N], one[TT_ROUGE_N], best[TT_ROUGE_N];
    tt_rouge_score(w, 3, ref, guess, 31, all);
    for (int i = 0; i < 3; i++) {
        tt_rouge_score(w, 1, ref + i, guess, 31, one);
        for (int k = 0; k < TT_ROUGE_N; k++)
            if (i == 0 || one[k].f > best[k].f) best[k] = one[k];
    }
    bool same = true;
    for (int k = 0; k < TT_ROUGE_N; k++) same &= all[k].p == best[k].p && all[k].r == best[k].r;
    return same;
}

static void t_several(void)
{
    uint64_t seed = 77;
    int bad = 0, n = 1000;
    tt_rouge *w = tt_rouge_new(true);
    for (int i = 0; i < n; i++) {
        char *t[4];
        for (int k = 0; k < 4; k++) t[k] = random_text(&seed, pieces, i % 5 ? 15 : 150);
        bad += !equal_to_single(w, (const char *const *)t, t[3]);
        for (int k = 0; k < 4; k++) free(t[k]);
    }
    ok(bad == 0, "%d random examples of three references: the best of them", n);
    tt_rouge_free(w);
}

#define TEN(w) w w w w w w w w w w
#define RUN(w) TEN(w) TEN(w) TEN(w) TEN(w)
static const char *const runs[] = {RUN(" a"), RUN(" b"), RUN(" c"), " a", " b", " d", NULL};

/* Texts beyond 64 and 128 words too, so that several words of bits are needed; some of one or two words, for long carries. */
static void t_plain(void)
{
    uint64_t seed = 20240607;
    int bad = 0, n = 3000;
    tt_rouge *w[2] = {tt_rouge_new(false), tt_rouge_new(true)};
    for (int i = 0; i < n && bad < 3; i++) {
        int most = i % 10 == 0 ? 390 : i % 3 == 0 ? 90 : 12;
        static const char *const two[] = {" a", " a", " a", " a", " a", " a", " b", NULL};
        const char *const *from = i % 20 == 0 ? two : pieces;
        if (i % 20 == 3) from = runs, most = 8;
        char *t = random_text(&seed, from, most), *g = random_text(&seed, from, most);
        tt_prf x[TT_ROUGE_N];
        tt_rouge_score(w[i & 1], 1, (const char *const *)&t, g, 31, x);
        bad += !equal_to_plain(t, g, i & 1, x);
        free(t);
        free(g);
    }
    ok(bad == 0, "%d random pairs: equal to the plain versions", n);
    tt_rouge_free(w[0]);
    tt_rouge_free(w[1]);
}

/* ---- the aggregator and the metric -----------------------------------------------------------------------------------*/

/* Low, middle and high of the kinds, from a restatement in Python. */
static const double drawn[TT_ROUGE_N][3] = {{0.08857142857142856, 0.25142857142857145, 0.47142857142857136},
                                            {0.08571428571428572, 0.2571428571428572, 0.45149999999999996},
                                            {0.08564285714285716, 0.25, 0.45149999999999996},
                                            {0.09714285714285716, 0.2485714285714286, 0.45142857142857146},
                                            {0.08564285714285715, 0.24857142857142858, 0.4514285714285714}};

static void t_aggregate(void)
{
    tt_prf x[7][TT_ROUGE_N], low[TT_ROUGE_N], mid[TT_ROUGE_N], high[TT_ROUGE_N];
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < TT_ROUGE_N; k++) x[i][k] = (tt_prf){i * i / 50., 0.5, 1 - i * i / 50.};
    tt_rouge_aggregate(7, (const tt_prf(*)[TT_ROUGE_N])x, low, mid, high);
    double worst = 0;
    for (int k = 0; k < TT_ROUGE_N; k++) {
        worst = fmax(worst, fmax(fabs(low[k].p - drawn[k][0]), fabs(mid[k].p - drawn[k][1])));
        worst = fmax(worst, fmax(fabs(high[k].p - drawn[k][2]), fabs(high[k].r - 0.5)));
        worst = fmax(worst, fabs(high[k].f - (1 - drawn[k][0])));
    }
    ok(worst < 1e-15, "aggregate: numpy's draws and percentiles, differences up to %.2g", worst);
    tt_rouge_aggregate(1, (const tt_prf(*)[TT_ROUGE_N])(x + 5), low, mid, high);
    ok(low[0].p == 0.5 && high[0].f == 0.5, "aggregate of one example is the example");
}

static void t_metric(void)
{
    tt_scoring s = {.o = {.stem = true, .split_sentences = true, .aggregate = 1}};
    double stat[2][15];
    const char *const ref[] = {"a b . c d"};
    tt_def_rouge.open(&s);
    tt_case c = {.prediction = "c d . a b", .nref = 1, .ref = ref};
    tt_def_rouge.each(&s, &c, stat[0]);
    ok(tt_def_rouge.width == 15 && !strcmp(tt_def_rouge.values[tt_def_rouge.main], "rouge1.f1"), "metric: values");
    ok(stat[0][14] == 1 && stat[0][11] == 0.5 && !strcmp(tt_def_rouge.values[14], "rougeLsum.f1"),
       "metric: ' . ' ends a line with split_sentences: %g %g", stat[0][14], stat[0][11]);
    s.o.split_sentences = false;
    tt_def_rouge.each(&s, &c, stat[1]);
    ok(stat[1][14] == 0.5, "metric: else it does not");
    s.stat = stat[0];
    s.width = 15;
    s.n = 2;
    json_t *out = json_object();
    tt_def_rouge.more(&s, 0, out);
    ok(json_object_size(out) == 0, "metric: one example has no bootstrap");
    tt_def_rouge.more(&s, -1, out);
    json_t *mid = key(key(key(out, "bootstrap"), "rougeLsum"), "mid");
    ok(number_of(mid, "f1") == 0.75, "metric: bootstrap %g", number_of(mid, "f1"));
    json_decref(out);
    tt_def_rouge.close(&s);
}

/* ---- golden files ------------------------------------------------------------------------------------------------*/

static bool check_porter(json_t *j)
{
    char w[256];
    snprintf(w, sizeof w, "%s", text_of(j, "word"));
    for (char *c = w; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c += 32;
    tt_porter(w);
    return !strcmp(w, text_of(j, "stem"));
}

static bool same_tokens(json_t *j, const char *name, bool stem)
{
    char *got = tt_rouge_tokens(text_of(j, "text"), stem), *want = joined(key(j, name));
    bool same = !strcmp(got, want);
    free(got);
    free(want);
    return same;
}

static bool check_tokens(json_t *j) { return same_tokens(j, "tokens", false) && same_tokens(j, "tokens_stem", true); }

static const char *const kind_name[] = {"rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"};

static bool same_prf(json_t *want, tt_prf got, double tolerance)
{
    double g[3] = {got.p, got.r, got.f};
    for (size_t i = 0; i < 3; i++)
        if (!(fabs(json_number_value(json_array_get(want, i)) - g[i]) <= tolerance)) return false;
    return true;
}

/* Each kind alone and all at once: to the last bit. */
static bool same_scores(json_t *j, int nref, const char *const *ref)
{
    bool same = true;
    for (int stem = 0; stem < 2; stem++) {
        tt_rouge *w = tt_rouge_new(stem);
        tt_prf x[TT_ROUGE_N], one[TT_ROUGE_N];
        tt_rouge_score(w, nref, ref, text_of(j, "prediction"), 31, x);
        for (int k = 0; k < TT_ROUGE_N; k++) {
            json_t *want = key(key(key(j, "scores"), stem ? "stem" : "nostem"), kind_name[k]);
            tt_rouge_score(w, nref, ref, text_of(j, "prediction"), 1U << k, one);
            same &= same_prf(want, x[k], 0) && same_prf(want, one[k], 0);
        }
        tt_rouge_free(w);
    }
    return same;
}

static bool check_rouge(json_t *j)
{
    const char *ref[] = {text_of(j, "target")};
    return same_scores(j, 1, ref);
}

static bool check_multi(json_t *j)
{
    texts t = texts_of(key(j, "targets"));
    return same_scores(j, t.n, t.v);
}

static json_t *named(json_t *j, const char *what, bool stem)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", what, stem ? "stem" : "nostem");
    return key(j, name);
}

static bool same_aggregate(json_t *j, bool stem, int n, const tt_prf (*x)[TT_ROUGE_N])
{
    tt_prf low[TT_ROUGE_N], mid[TT_ROUGE_N], high[TT_ROUGE_N];
    tt_rouge_aggregate(n, x, low, mid, high);
    bool same = true;
    for (int k = 0; k < TT_ROUGE_N; k++) {
        json_t *want = key(named(j, "bootstrap_np_seed123", stem), kind_name[k]);
        same &= same_prf(key(want, "low"), low[k], 1e-15) && same_prf(key(want, "mid"), mid[k], 1e-15) &&
                same_prf(key(want, "high"), high[k], 1e-15);
        tt_prf m = {0, 0, 0};
        for (int i = 0; i < n; i++) m = (tt_prf){m.p + x[i][k].p, m.r + x[i][k].r, m.f + x[i][k].f};
        same &= same_prf(key(named(j, "mean", stem), kind_name[k]), (tt_prf){m.p / n, m.r / n, m.f / n}, 1e-12);
    }
    return same;
}

/* T5's mean: lines for sentences, F times 100. */
static bool same_t5(json_t *j, bool stem, const texts *target, const texts *guess)
{
    tt_scoring s = {.o = {.stem = stem, .split_sentences = true}};
    double sum[15] = {0}, stat[15];
    tt_def_rouge.open(&s);
    for (int i = 0; i < guess->n; i++) {
        tt_case c = {.prediction = guess->v[i], .nref = 1, .ref = target->v + i};
        tt_def_rouge.each(&s, &c, stat);
        for (int k = 0; k < 15; k++) sum[k] += stat[k];
    }
    tt_def_rouge.close(&s);
    bool same = true;
    for (int k = 0; k < TT_ROUGE_N; k++) {
        json_t *want = key(named(j, "t5_rouge_mean", stem), kind_name[k]);
        same &= !want || close_to(100 * sum[3 * k + 2] / guess->n, json_number_value(want));
    }
    return same && named(j, "t5_rouge_mean", stem);
}

static bool check_aggregate(json_t *j)
{
    texts t = texts_of(key(j, "targets")), p = texts_of(key(j, "predictions"));
    tt_prf(*x)[TT_ROUGE_N] = malloc(sizeof *x * (size_t)p.n);
    bool same = true;
    for (int stem = 0; stem < 2; stem++) {
        tt_rouge *w = tt_rouge_new(stem);
        for (int i = 0; i < p.n; i++) tt_rouge_score(w, 1, t.v + i, p.v[i], 31, x[i]);
        tt_rouge_free(w);
        same &= same_aggregate(j, stem, p.n, (const tt_prf(*)[TT_ROUGE_N])x) && same_t5(j, stem, &t, &p);
    }
    free(x);
    return same;
}

int main(void)
{
    t_porter();
    t_samples();
    t_plain();
    t_several();
    t_aggregate();
    t_metric();
    golden("porter_nltk", check_porter);
    golden("rouge_tokenize", check_tokens);
    golden("rouge", check_rouge);
    golden("rouge_multi", check_multi);
    golden("rouge_aggregate", check_aggregate);
    return tap_done();
}
