/* Answers: exact match; SQuAD's normalisation and F1 (P. Rajpurkar et al., 2016, 2018), and TriviaQA's as T5's scripts have it. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- exact match -------------------------------------------------------------------------------------------------------*/

static const char *trim(const char *s, size_t *n)
{
    static const char blank[] = " \t\n\v\f\r";
    s += strspn(s, blank);
    *n = strlen(s);
    while (*n && strchr(blank, s[*n - 1])) --*n;
    return s;
}

bool tt_exact_match(int nref, const char *const *ref, const char *prediction)
{
    size_t n, k;
    const char *p = trim(prediction, &n);
    for (int i = 0; i < nref; i++) {
        const char *r = trim(ref[i], &k);
        if (k == n && !memcmp(r, p, n)) return true;
    }
    return false;
}

/* ---- normalisation -----------------------------------------------------------------------------------------------------*/

/* Punctuation is deleted, or for TriviaQA turned into blanks; there some typographic marks are punctuation too. In place. */
static void drop_punctuation(char *s, bool trivia)
{
    char *o = s;
    int len;
    for (; *s; s += len) {
        uint32_t c = tt_uc_next(s, &len);
        bool mark = tt_ascii_punctuation(c) || (trivia && (c == 0x2018 || c == 0x2019 || c == 0xb4));
        if (mark && trivia) *o++ = ' ';
        if (mark) continue;
        memmove(o, s, (size_t)len);
        o += len;
    }
    *o = 0;
}

static bool is_article(const char *s, size_t n)
{
    return (n == 1 && *s == 'a') || (n == 2 && !memcmp(s, "an", 2)) || (n == 3 && !memcmp(s, "the", 3));
}

/* Runs of word characters that are an article, as \b(a|an|the)\b finds them, become blanks. */
static void blank_articles(char *s)
{
    int len;
    while (*s) {
        char *start = s;
        while (*s && tt_uc_word(tt_uc_next(s, &len))) s += len;
        if (is_article(start, (size_t)(s - start))) memset(start, ' ', (size_t)(s - start));
        while (*s && !tt_uc_word(tt_uc_next(s, &len))) s += len;
    }
}

static void single_blanks(char *s)
{
    const char *from = s, *word;
    char *o = s;
    for (size_t n; (word = tt_uc_split(&from, &n)) != NULL;) {
        if (o > s) *o++ = ' ';
        memmove(o, word, n);
        o += n;
    }
    *o = 0;
}

char *tt_answer_normalize(const char *text, bool trivia)
{
    char *s = tt_uc_lower(text);
    drop_punctuation(s, trivia);
    blank_articles(s);
    single_blanks(s);
    return s;
}

/* ---- F1 ------------------------------------------------------------------------------------------------------------------*/

/* The words of a normalised text. */
static void number(tt_words *w, const char *s, tt_ids32 *out)
{
    size_t n;
    for (const char *word; (word = tt_uc_split(&s, &n)) != NULL;) tt_ids32_add(out, tt_words_id(w, word, n));
}

/* Words in common, as multisets of nword kinds. */
static int64_t shared(const tt_ids32 *a, const tt_ids32 *b, int nword)
{
    int64_t hits = 0;
    int *left = tt_malloc(sizeof *left * (size_t)(nword + 1));
    memset(left, 0, sizeof *left * (size_t)nword);
    for (int i = 0; i < a->n; i++) left[a->v[i]]++;
    for (int i = 0; i < b->n; i++) hits += left[b->v[i]]-- > 0;
    free(left);
    return hits;
}

/* Of normalised texts. */
static double f1(const char *reference, const char *prediction, double both_empty)
{
    tt_words w;
    tt_ids32 r = {0}, p = {0};
    if (!*reference && !*prediction) return both_empty;
    tt_words_init(&w);
    number(&w, reference, &r);
    number(&w, prediction, &p);
    int64_t same = shared(&r, &p, w.n);
    double precision = p.n ? (double)same / p.n : 0, recall = r.n ? (double)same / r.n : 0;
    tt_words_fini(&w);
    free(r.v);
    free(p.v);
    return same ? 2 * precision * recall / (precision + recall) : 0;
}

double tt_answer_f1(const char *reference, const char *prediction, bool trivia, double both_empty)
{
    char *r = tt_answer_normalize(reference, trivia), *p = tt_answer_normalize(prediction, trivia);
    double x = f1(r, p, both_empty);
    free(r);
    free(p);
    return x;
}

tt_answer tt_answer_best(int nref, const char *const *ref, const char *prediction, bool trivia, double both_empty)
{
    tt_answer best = {0, 0};
    char *p = tt_answer_normalize(prediction, trivia);
    for (int i = 0; i < nref; i++) {
        char *r = tt_answer_normalize(ref[i], trivia);
        double x = f1(r, p, both_empty);
        if (!strcmp(r, p)) best.exact = 1;
        if (x > best.f1) best.f1 = x;
        free(r);
    }
    free(p);
    return best;
}
