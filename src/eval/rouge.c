/* ROUGE-N and ROUGE-L as google-research's rouge_score 0.1.2 (C.-Y. Lin, "ROUGE", 2004). Sums are integers; one division each
 * for precision, recall and F, in the reference's order, so results are equal to the last bit. */
#include "tutti/eval.h"

#include <stdlib.h>
#include <string.h>

/* ---- tokens ------------------------------------------------------------------------------------------------------*/

/* One letter of the lower-cased text, or 0 for whatever separates; *len bytes were read. Beside A-Z two characters lower into
 * ASCII: U+212A KELVIN SIGN (E2 84 AA) to k, and U+0130 (C4 B0) to i and a combining dot, which separates. */
static char next_letter(const char *s, int *len)
{
    *len = 1;
    if (*s >= 'A' && *s <= 'Z') return (char)(*s + 32);
    if ((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9')) return *s;
    if (!strncmp(s, "\xe2\x84\xaa", 3)) {
        *len = 3;
        return 'k';
    }
    return 0;
}

static char *put_token(char *start, char *end, bool stem)
{
    *end = 0;
    if (!stem || end - start <= 3) return end;
    tt_porter(start);
    return start + strlen(start);
}

char *tt_rouge_tokens(const char *text, bool stem)
{
    char *out = tt_malloc(strlen(text) + 2), *start = out, *o = out; /* no token is longer than its text */
    for (int len; *text; text += len) {
        char c = next_letter(text, &len);
        if (c) {
            *o++ = c;
            continue;
        }
        bool dotted_i = !strncmp(text, "\xc4\xb0", 2);
        if (dotted_i) {
            len = 2;
            *o++ = 'i';
        }
        if (o > start) {
            o = put_token(start, o, stem);
            *o++ = ' ';
            start = o;
        }
    }
    if (o > start)
        o = put_token(start, o, stem);
    else if (o > out)
        o--;
    *o = 0;
    return out;
}

/* Both texts as numbers: equal numbers for equal tokens. */
typedef struct pair {
    int32_t *t, *p; /* target, prediction: two parts of one allocation */
    int nt, np;
} pair;

static int count_tokens(const char *s)
{
    int n = *s != 0;
    for (; *s; s++) n += *s == ' ';
    return n;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void split(char *s, int n, char **out)
{
    for (int i = 0; i < n; i++) out[i] = strsep(&s, " ");
}

static pair number(const char *target, const char *prediction, bool stem)
{
    char *a = tt_rouge_tokens(target, stem), *b = tt_rouge_tokens(prediction, stem);
    pair x = {NULL, NULL, count_tokens(a), count_tokens(b)};
    size_t n = (size_t)x.nt + (size_t)x.np;
    char **tok = tt_malloc((2 * n + 1) * sizeof *tok), **sorted = tok + n;
    split(a, x.nt, tok);
    split(b, x.np, tok + x.nt);
    memcpy(sorted, tok, n * sizeof *tok);
    qsort(sorted, n, sizeof *sorted, by_text);
    size_t kinds = 0;
    for (size_t i = 0; i < n; i++)
        if (kinds == 0 || strcmp(sorted[kinds - 1], sorted[i]) != 0) sorted[kinds++] = sorted[i];
    x.t = tt_malloc((n + 1) * sizeof *x.t);
    x.p = x.t + x.nt;
    for (size_t i = 0; i < n; i++)
        x.t[i] = (int32_t)((char **)bsearch(&tok[i], sorted, kinds, sizeof *sorted, by_text) - sorted);
    free(tok);
    free(a);
    free(b);
    return x;
}

/* ---- scores ------------------------------------------------------------------------------------------------------*/

static tt_prf score(int64_t hits, int64_t ntarget, int64_t nprediction)
{
    double p = (double)hits / (double)(nprediction > 0 ? nprediction : 1);
    double r = (double)hits / (double)(ntarget > 0 ? ntarget : 1);
    return (tt_prf){p, r, p + r > 0 ? 2 * p * r / (p + r) : 0};
}

static int compare_grams(const int32_t *a, const int32_t *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int by_gram(const void *a, const void *b, void *n)
{
    return compare_grams(*(const int32_t *const *)a, *(const int32_t *const *)b, *(int *)n);
}

/* The n-grams of x[0..len), sorted; *count of them. */
static const int32_t **grams(const int32_t *x, int len, int n, int *count)
{
    *count = len >= n ? len - n + 1 : 0;
    const int32_t **g = tt_malloc(((size_t)*count + 1) * sizeof *g);
    for (int i = 0; i < *count; i++) g[i] = x + i;
    qsort_r(g, (size_t)*count, sizeof *g, by_gram, &n);
    return g;
}

/* Clipped matches: the common part of two sorted lists. */
static int64_t common(const int32_t **a, int na, const int32_t **b, int nb, int n)
{
    int64_t hits = 0;
    for (int i = 0, j = 0; i < na && j < nb;) {
        int c = compare_grams(a[i], b[j], n);
        hits += c == 0;
        i += c <= 0;
        j += c >= 0;
    }
    return hits;
}

tt_prf tt_rouge_n(const char *target, const char *prediction, int n, bool stem)
{
    assert(n >= 1);
    pair x = number(target, prediction, stem);
    int nt, np;
    const int32_t **t = grams(x.t, x.nt, n, &nt), **p = grams(x.p, x.np, n, &np);
    tt_prf s = score(common(t, nt, p, np, n), nt, np);
    free(t);
    free(p);
    free(x.t);
    return s;
}

/* Length of a longest common subsequence; one row of the table is held. */
static int64_t lcs(const int32_t *a, int na, const int32_t *b, int nb)
{
    int32_t *row = tt_malloc(((size_t)nb + 1) * sizeof *row);
    memset(row, 0, ((size_t)nb + 1) * sizeof *row);
    for (int i = 0; i < na; i++)
        for (int j = 0, diag = 0; j < nb; j++) {
            int up = row[j + 1], left = row[j];
            row[j + 1] = a[i] == b[j] ? diag + 1 : up > left ? up : left;
            diag = up;
        }
    int64_t longest = row[nb];
    free(row);
    return longest;
}

tt_prf tt_rouge_l(const char *target, const char *prediction, bool stem)
{
    pair x = number(target, prediction, stem);
    tt_prf s = score(lcs(x.t, x.nt, x.p, x.np), x.nt, x.np);
    free(x.t);
    return s;
}

tt_prf tt_rouge_multi(int nref, char *const *ref, const char *prediction, int kind, bool stem)
{
    tt_prf best = {0, 0, 0};
    for (int i = 0; i < nref; i++) {
        tt_prf s = kind ? tt_rouge_n(ref[i], prediction, kind, stem) : tt_rouge_l(ref[i], prediction, stem);
        if (i == 0 || s.f > best.f) best = s;
    }
    return best;
}
