/* chrF and chrF++ as sacrebleu 2.x (M. Popovic, 2015, 2017): F over n-grams of characters, and of words, averaged over the orders.
 * Statistics of segments add up; of several references a segment takes the one with the highest F. */
#include "metric.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORDERS = 32, TRIPLE = 3 }; /* of an order: n-grams of the hypothesis, of the reference, matches */

typedef struct text { /* characters and words as numbers */
    tt_ids32 chars, words;
} text;

typedef struct work {
    tt_words words;
    tt_grams chars, grams; /* the hypothesis's, of characters and of words */
    text hyp, ref;
} work;

/* ---- reading -----------------------------------------------------------------------------------------------------------*/

static void read_chars(const tt_mopts *o, const char *s, tt_ids32 *out)
{
    out->n = 0;
    for (int len; *s; s += len) {
        uint32_t c = tt_uc_next(s, &len);
        if (o->whitespace || !tt_uc_space(c)) tt_ids32_add(out, (int32_t)c);
    }
}

/* Bytes of a word that go before the cut: a punctuation mark at the end is apart, else one at the start, as the author's chrF++ has it:
 * "(hi)" is "(hi" and ")". 0: none, as for a word of one character. */
static size_t cut_of(const char *word, size_t n)
{
    int len;
    tt_uc_next(word, &len);
    if ((size_t)len == n) return 0;
    return tt_ascii_punctuation((unsigned char)word[n - 1]) ? n - 1 : tt_ascii_punctuation((unsigned char)*word);
}

static void read_words(work *w, const char *s, tt_ids32 *out)
{
    size_t n;
    out->n = 0;
    for (const char *word; (word = tt_uc_split(&s, &n)) != NULL;) {
        size_t cut = cut_of(word, n);
        if (cut) tt_ids32_add(out, tt_words_id(&w->words, word, cut));
        tt_ids32_add(out, tt_words_id(&w->words, word + cut, n - cut));
    }
}

static void read_text(work *w, const tt_mopts *o, const char *s, text *out)
{
    char *lower = o->lowercase ? tt_uc_lower(s) : NULL;
    read_chars(o, lower ? lower : s, &out->chars);
    if (o->word_order > 0) read_words(w, lower ? lower : s, &out->words);
    free(lower);
}

/* ---- statistics ----------------------------------------------------------------------------------------------------------*/

/* Orders 1..order of the two lists. Where the reference has no n-gram, those of the hypothesis do not count. */
static void count_orders(tt_grams *held, const tt_ids32 *hyp, const tt_ids32 *ref, int order, double *stat)
{
    int64_t hit[MOST_ORDERS] = {0};
    tt_grams_match(held, ref->v, ref->n, order, false, hit);
    for (int k = 0; k < order; k++) {
        bool any = ref->n > k;
        stat[TRIPLE * k] = any && hyp->n > k ? hyp->n - k : 0;
        stat[TRIPLE * k + 1] = any ? ref->n - k : 0;
        stat[TRIPLE * k + 2] = (double)hit[k];
    }
}

/* 0..100 */
static double f_score(const tt_mopts *o, const double *stat)
{
    const double eps = 1e-16, factor = o->beta * o->beta;
    double smoothed = 0, p = 0, r = 0;
    int order = (int)(o->char_order + o->word_order), effective = 0;
    for (int k = 0; k < order; k++) {
        double nhyp = stat[TRIPLE * k], nref = stat[TRIPLE * k + 1], match = stat[TRIPLE * k + 2];
        double prec = nhyp > 0 ? match / nhyp : eps, rec = nref > 0 ? match / nref : eps, denom = factor * prec + rec;
        smoothed += denom > 0 ? (1 + factor) * prec * rec / denom : eps;
        if (!(nhyp > 0 && nref > 0)) continue;
        p += prec;
        r += rec;
        effective++;
    }
    if (o->eps_smoothing) return 100 * smoothed / order;
    if (p + r == 0) return 0;
    p /= effective;
    r /= effective;
    double score = (1 + factor) * p * r;
    return 100 * (score / (factor * p + r));
}

/* The statistics of the reference with the highest F, the first of equals. */
static void best_of(work *w, const tt_mopts *o, const tt_case *c, double *stat)
{
    int nc = (int)o->char_order, nw = (int)o->word_order, width = TRIPLE * (nc + nw);
    double best = -1, x[TRIPLE * MOST_ORDERS];
    for (int k = 0; k < width; k++) stat[k] = 0;
    tt_words_trim(&w->words);
    read_text(w, o, c->prediction, &w->hyp);
    tt_grams_hold(&w->chars, w->hyp.chars.v, w->hyp.chars.n, nc);
    if (nw > 0) tt_grams_hold(&w->grams, w->hyp.words.v, w->hyp.words.n, nw);
    for (int i = 0; i < c->nref; i++) {
        if (!c->ref[i]) continue;
        read_text(w, o, c->ref[i], &w->ref);
        count_orders(&w->chars, &w->hyp.chars, &w->ref.chars, nc, x);
        if (nw > 0) count_orders(&w->grams, &w->hyp.words, &w->ref.words, nw, x + (size_t)TRIPLE * (size_t)nc);
        double f = f_score(o, x);
        if (f <= best) continue;
        best = f;
        memcpy(stat, x, sizeof *stat * (size_t)width);
    }
}

/* ---- the metric ----------------------------------------------------------------------------------------------------------*/

static tt_err open_chrf(tt_scoring *s)
{
    int64_t nc = s->o.char_order, nw = s->o.word_order;
    if (nc < 0 || nw < 0 || nc > MOST_ORDERS || nw > MOST_ORDERS || nc + nw < 1 || nc + nw > MOST_ORDERS)
        return tt_fail(TT_EJOB, "chrf: char_order %lld and word_order %lld: together they must be from 1 to %d",
                       (long long)nc, (long long)nw, MOST_ORDERS);
    s->width = TRIPLE * (int)(nc + nw);
    work *w = tt_malloc(sizeof *w);
    *w = (work){0};
    tt_words_init(&w->words);
    tt_grams_init(&w->chars);
    tt_grams_init(&w->grams);
    s->state = w;
    return TT_OK;
}

static void free_text(text *t)
{
    free(t->chars.v);
    free(t->words.v);
}

static void close_chrf(tt_scoring *s)
{
    work *w = s->state;
    if (!w) return;
    tt_words_fini(&w->words);
    tt_grams_fini(&w->chars);
    tt_grams_fini(&w->grams);
    free_text(&w->hyp);
    free_text(&w->ref);
    free(w);
    s->state = NULL;
}

static tt_err each_chrf(tt_scoring *s, const tt_case *c, double *stat)
{
    best_of(s->state, &s->o, c, stat);
    return TT_OK;
}

static void total_chrf(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                       double *value)
{
    double sum[TRIPLE * MOST_ORDERS] = {0};
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        for (int k = 0; w != 0 && k < s->width; k++) sum[k] += w * stat[i * s->width + k];
    }
    value[0] = f_score(&s->o, sum);
}

static void more_chrf(const tt_scoring *s, int64_t i, json_t *out)
{
    const tt_mopts *o = &s->o;
    char refs[16] = "var", line[200];
    if (s->nref >= 0) snprintf(refs, sizeof refs, "%d", s->nref);
    snprintf(line, sizeof line, "nrefs:%s|case:%s|eff:%s|nc:%lld|nw:%lld|space:%s|version:2.6.0", refs,
             o->lowercase ? "lc" : "mixed", o->eps_smoothing ? "no" : "yes", (long long)o->char_order,
             (long long)o->word_order, o->whitespace ? "yes" : "no");
    json_object_set_new(out, "signature", json_string(line));
    int n = snprintf(line, sizeof line, "chrF%g", o->beta);
    for (int64_t k = 0; k < o->word_order; k++) line[n++] = '+';
    line[n] = 0;
    json_object_set_new(out, "name", json_string(line));
}

static const char *const values[] = {"chrf", NULL};
const tt_metric_def tt_def_chrf = {.values = values,
                                   .open = open_chrf,
                                   .close = close_chrf,
                                   .each = each_chrf,
                                   .total = total_chrf,
                                   .more = more_chrf};
