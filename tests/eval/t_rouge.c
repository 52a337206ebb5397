// TEST np=1
/* Metrics against samples worked out by hand and, where the shared folder is present, against what rouge_score and NLTK gave. */
#include "tutti/eval.h"

#include <jansson.h>

#include "../tap.h"

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

static void t_samples(void)
{
    ok(tokens_are("1,000 don't foo_bar Stra\xc3\x9f"
                  "e",
                  false, "1 000 don t foo bar stra e"),
       "tokens: punctuation and other letters separate");
    ok(tokens_are(" \n..", true, ""), "tokens: nothing left");
    ok(tokens_are("30\xe2\x84\xaa \xc4\xb0stanbul", false, "30k i stanbul"), "tokens: two characters lower into ASCII");
    ok(tokens_are("The cats were running", true, "the cat were run"), "tokens: stemmed when longer than three");

    tt_prf s = tt_rouge_n("the cat sat on the mat", "the the the cat", 1, false);
    ok(s.p == 3. / 4 && s.r == 3. / 6, "rouge-1 clips counts: %.4f %.4f", s.p, s.r);
    s = tt_rouge_n("the cat sat on the mat", "the cat on the mat", 2, false);
    ok(s.p == 3. / 4 && s.r == 3. / 5, "rouge-2: %.4f %.4f", s.p, s.r);
    s = tt_rouge_l("police killed the gunman", "the gunman killed police", false);
    ok(s.p == 0.5 && s.r == 0.5 && s.f == 0.5, "rouge-L: the longest subsequence, not the longest run");
    s = tt_rouge_n("one", "one", 2, false);
    ok(s.p == 0 && s.r == 0 && s.f == 0, "rouge-2 of one token is 0");
    s = tt_rouge_l("", "a", false);
    ok(s.p == 0 && s.r == 0 && s.f == 0, "rouge-L of an empty text is 0");

    char *ref[] = {"first text", "text first text"};
    s = tt_rouge_multi(2, ref, "text first", 0, false);
    ok(s.r == 2. / 3 && s.p == 1, "several references: the best F with its own precision and recall");
    s = tt_rouge_multi(0, NULL, "text", 1, false);
    ok(s.f == 0, "no reference: 0");
}

static void t_exact(void)
{
    char *ref[] = {"yes", " Paris\n"};
    ok(tt_exact_match(2, ref, "Paris"), "exact match: blanks at the ends do not count");
    ok(tt_exact_match(2, ref, "\tyes "), "exact match: any reference");
    ok(!tt_exact_match(2, ref, "paris"), "exact match: letter case counts");
    ok(!tt_exact_match(2, ref, ""), "exact match: an empty answer is wrong");
    ok(!tt_exact_match(0, ref, "yes"), "exact match: no reference, no match");
}

/* ---- golden files ------------------------------------------------------------------------------------------------*/

typedef bool check_fn(json_t *line);

static void golden(const char *file, check_fn *check)
{
    const char *dir = shared_dir();
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/metrics/%s.jsonl", dir ? dir : "", file);
    FILE *f = dir ? fopen(path, "r") : NULL;
    if (!f) {
        skip(1, "no shared golden files here");
        return;
    }
    int n = 0, bad = 0;
    json_error_t e;
    for (json_t *j; (j = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e)); json_decref(j), n++)
        if (!check(j) && bad++ < 5) printf("#   %s\n", json_string_value(json_object_get(j, "id")));
    ok(feof(f) && n > 0 && bad == 0, "%s: %d of %d equal", file, n - bad, n);
    fclose(f);
}

static const char *text_of(json_t *j, const char *key) { return json_string_value(json_object_get(j, key)); }

static bool check_porter(json_t *j)
{
    char w[256];
    snprintf(w, sizeof w, "%s", text_of(j, "word"));
    for (char *c = w; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c += 32;
    tt_porter(w);
    return !strcmp(w, text_of(j, "stem"));
}

static bool same_tokens(json_t *j, const char *key, bool stem)
{
    char *got = tt_rouge_tokens(text_of(j, "text"), stem), want[1 << 16] = "";
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(j, key), i, t)
    {
        if (i) strcat(want, " ");
        strcat(want, json_string_value(t));
    }
    bool same = !strcmp(got, want);
    free(got);
    return same;
}

static bool check_tokens(json_t *j) { return same_tokens(j, "tokens", false) && same_tokens(j, "tokens_stem", true); }

static bool same_prf(json_t *want, tt_prf got)
{
    double g[3] = {got.p, got.r, got.f};
    for (size_t i = 0; i < 3; i++)
        if (!(fabs(json_number_value(json_array_get(want, i)) - g[i]) <= 1e-12)) return false;
    return true;
}

static bool same_scores(json_t *j, int nref, char *const *ref)
{
    static const char *const name[] = {"rougeL", "rouge1", "rouge2", "rouge3"};
    const char *prediction = text_of(j, "prediction");
    json_t *scores = json_object_get(j, "scores");
    for (int stem = 0; stem < 2; stem++)
        for (int kind = 0; kind < 4; kind++) {
            json_t *want = json_object_get(json_object_get(scores, stem ? "stem" : "nostem"), name[kind]);
            if (!same_prf(want, tt_rouge_multi(nref, ref, prediction, kind, stem))) return false;
        }
    return true;
}

static bool check_rouge(json_t *j)
{
    char *ref[] = {(char *)text_of(j, "target")};
    return same_scores(j, 1, ref);
}

static bool check_multi(json_t *j)
{
    char *ref[64];
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(j, "targets"), i, t) ref[i] = (char *)json_string_value(t);
    return same_scores(j, (int)i, ref);
}

int main(void)
{
    t_porter();
    t_samples();
    t_exact();
    golden("porter_nltk", check_porter);
    golden("rouge_tokenize", check_tokens);
    golden("rouge", check_rouge);
    golden("rouge_multi", check_multi);
    return tap_done();
}
