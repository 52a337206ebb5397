/* The Porter stemmer with NLTK's extensions (PorterStemmer.NLTK_EXTENSIONS), which rouge_score uses.
 * M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980; the departures from it are marked NLTK.
 * A step tries its rules in order; the first whose suffix matches ends the step, whether or not its condition holds. */
#include "tutti/eval.h"

#include <string.h>

typedef struct word {
    char *w; /* 0-terminated; never grows beyond its first length */
    int n;
} word;

typedef struct rule {
    const char *suffix, *with;
    bool (*cond)(const char *w, int stem); /* of the word without the suffix; NULL: always */
} rule;

static bool is_vowel_letter(char c) { return c && strchr("aeiou", c); }

/* y is a consonant at the start and after a vowel, so in a run of y's every second one is. */
static bool is_consonant(const char *w, int i)
{
    if (w[i] != 'y') return !is_vowel_letter(w[i]);
    int run = 0;
    while (run < i && w[i - run - 1] == 'y') run++;
    bool first = run == i || is_vowel_letter(w[i - run - 1]);
    return first == (run % 2 == 0);
}

/* The number of changes from vowel to consonant in the first n letters. */
static int measure(const char *w, int n)
{
    int m = 0;
    bool vowel = false;
    for (int i = 0; i < n; i++) {
        bool consonant = w[i] == 'y' ? i == 0 || vowel : !is_vowel_letter(w[i]);
        m += vowel && consonant;
        vowel = !consonant;
    }
    return m;
}

static bool m_gt0(const char *w, int n) { return measure(w, n) > 0; }
static bool m_gt1(const char *w, int n) { return measure(w, n) > 1; }

static bool has_vowel(const char *w, int n)
{
    for (int i = 0; i < n; i++)
        if (!is_consonant(w, i)) return true;
    return false;
}

static bool ends_double(const char *w, int n) { return n >= 2 && w[n - 1] == w[n - 2] && is_consonant(w, n - 1); }

static bool ends_cvc(const char *w, int n)
{
    if (n == 2) return !is_consonant(w, 0) && is_consonant(w, 1); /* NLTK */
    return n >= 3 && is_consonant(w, n - 3) && !is_consonant(w, n - 2) && is_consonant(w, n - 1) &&
           !strchr("wxy", w[n - 1]);
}

static bool m1_cvc(const char *w, int n) { return measure(w, n) == 1 && ends_cvc(w, n); }
static bool after_consonant(const char *w, int n) { return n > 1 && is_consonant(w, n - 1); } /* NLTK */
static bool ion(const char *w, int n) { return m_gt1(w, n) && (w[n - 1] == 's' || w[n - 1] == 't'); }
static bool logi(const char *w, int n) { return m_gt0(w, n + 1); } /* NLTK: of the word less three letters */
static bool ll(const char *w, int n) { return m_gt1(w, n + 1); }

/* The length without suffix, or -1. */
static int strip(const word *x, const char *suffix)
{
    int k = x->n - (int)strlen(suffix);
    return k >= 0 && !memcmp(x->w + k, suffix, (size_t)(x->n - k)) ? k : -1;
}

static void set_end(word *x, int stem, const char *with)
{
    size_t n = strlen(with);
    memcpy(x->w + stem, with, n + 1);
    x->n = stem + (int)n;
}

static bool apply(word *x, const rule *rules)
{
    for (const rule *r = rules; r->suffix; r++) {
        int stem = strip(x, r->suffix);
        if (stem < 0) continue;
        if (!r->cond || r->cond(x->w, stem)) set_end(x, stem, r->with);
        return true;
    }
    return false;
}

static void step1a(word *x)
{
    static const rule rules[] = {{"sses", "ss", NULL}, {"ies", "i", NULL}, {"ss", "ss", NULL}, {"s", "", NULL}, {0}};
    if (x->n == 4 && strip(x, "ies") == 1)
        set_end(x, 1, "ie"); /* NLTK */
    else
        apply(x, rules);
}

/* After -ed or -ing was taken off: put the word into shape. */
static void mend(word *x)
{
    static const rule before[] = {{"at", "ate", NULL}, {"bl", "ble", NULL}, {"iz", "ize", NULL}, {0}};
    if (apply(x, before)) return;
    if (ends_double(x->w, x->n)) {
        if (!strchr("lsz", x->w[x->n - 1])) set_end(x, x->n - 1, "");
    } else if (m1_cvc(x->w, x->n))
        set_end(x, x->n, "e");
}

static void step1b(word *x)
{
    int stem = strip(x, "ied");
    if (stem >= 0) { /* NLTK */
        set_end(x, stem, x->n == 4 ? "ie" : "i");
        return;
    }
    if ((stem = strip(x, "eed")) >= 0) {
        if (m_gt0(x->w, stem)) set_end(x, stem, "ee");
        return;
    }
    if ((stem = strip(x, "ed")) < 0) stem = strip(x, "ing");
    if (stem < 0 || !has_vowel(x->w, stem)) return;
    set_end(x, stem, "");
    mend(x);
}

static void step2(word *x)
{
    static const rule rules[] = {{"ational", "ate", m_gt0},
                                 {"tional", "tion", m_gt0},
                                 {"enci", "ence", m_gt0},
                                 {"anci", "ance", m_gt0},
                                 {"izer", "ize", m_gt0},
                                 {"bli", "ble", m_gt0},
                                 {"alli", "al", m_gt0},
                                 {"entli", "ent", m_gt0},
                                 {"eli", "e", m_gt0},
                                 {"ousli", "ous", m_gt0},
                                 {"ization", "ize", m_gt0},
                                 {"ation", "ate", m_gt0},
                                 {"ator", "ate", m_gt0},
                                 {"alism", "al", m_gt0},
                                 {"iveness", "ive", m_gt0},
                                 {"fulness", "ful", m_gt0},
                                 {"ousness", "ous", m_gt0},
                                 {"aliti", "al", m_gt0},
                                 {"iviti", "ive", m_gt0},
                                 {"biliti", "ble", m_gt0},
                                 {"fulli", "ful", m_gt0},
                                 {"logi", "log", logi},
                                 {0}};
    int stem;
    while ((stem = strip(x, "alli")) >= 0 && m_gt0(x->w, stem)) set_end(x, stem, "al"); /* NLTK: then step 2 again */
    apply(x, rules);
}

void tt_porter(char *w)
{
    static const char *const irregular[][2] = {
        {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
        {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
        {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"}};
    static const rule step1c[] = {{"y", "i", after_consonant}, {0}};
    static const rule step3[] = {
        {"icate", "ic", m_gt0}, {"ative", "", m_gt0}, {"alize", "al", m_gt0}, {"iciti", "ic", m_gt0},
        {"ical", "ic", m_gt0},  {"ful", "", m_gt0},   {"ness", "", m_gt0},    {0}};
    static const rule step4[] = {{"al", "", m_gt1},    {"ance", "", m_gt1}, {"ence", "", m_gt1}, {"er", "", m_gt1},
                                 {"ic", "", m_gt1},    {"able", "", m_gt1}, {"ible", "", m_gt1}, {"ant", "", m_gt1},
                                 {"ement", "", m_gt1}, {"ment", "", m_gt1}, {"ent", "", m_gt1},  {"ion", "", ion},
                                 {"ou", "", m_gt1},    {"ism", "", m_gt1},  {"ate", "", m_gt1},  {"iti", "", m_gt1},
                                 {"ous", "", m_gt1},   {"ive", "", m_gt1},  {"ize", "", m_gt1},  {0}};
    static const rule step5b[] = {{"ll", "l", ll}, {0}};
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++)
        if (!strcmp(w, irregular[i][0])) {
            strcpy(w, irregular[i][1]);
            return;
        }
    word x = {w, (int)strlen(w)};
    if (x.n <= 2) return;
    step1a(&x);
    step1b(&x);
    apply(&x, step1c);
    step2(&x);
    apply(&x, step3);
    apply(&x, step4);
    int stem = strip(&x, "e"); /* step 5a tries both conditions */
    if (stem >= 0 && (m_gt1(w, stem) || (measure(w, stem) == 1 && !ends_cvc(w, stem)))) set_end(&x, stem, "");
    apply(&x, step5b);
}
