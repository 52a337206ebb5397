/* BLEU as sacrebleu 2.6.0: K. Papineni et al., "BLEU", 2002; M. Post, "A Call for Clarity in Reporting BLEU Scores", 2018; smoothing after
 * B. Chen & C. Cherry, 2014. Sums and divisions run in the reference's order, so results are equal to the last bit. */
#include "metric.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

/* ---- statistics ------------------------------------------------------------------------------------------------------*/

typedef struct work { /* large: on the heap */
    tt_words words;
    tt_grams grams;
    tt_spans spans;
    tt_ids32 ids;
} work;

static work *work_new(void)
{
    work *w = tt_malloc(sizeof *w);
    w->spans = (tt_spans){0};
    w->ids = (tt_ids32){0};
    tt_words_init(&w->words);
    tt_grams_init(&w->grams);
    return w;
}

static void work_free(work *w)
{
    if (!w) return;
    tt_words_fini(&w->words);
    tt_grams_fini(&w->grams);
    tt_spans_fini(&w->spans);
    free(w->ids.v);
    free(w);
}

static void read_text(work *w, const tt_mopts *o, const char *text)
{
    tt_bleu_split(o, text, &w->spans);
    w->ids.n = 0;
    for (size_t i = 0; i < w->spans.n; i++)
        tt_ids32_add(&w->ids, tt_words_id_padded(&w->words, w->spans.v[i].s, w->spans.v[i].n));
}

/* The closest to the hypothesis; of two, the shorter. */
static int64_t closer(int64_t hyp, int64_t a, int64_t b)
{
    int64_t x = llabs(hyp - a), y = llabs(hyp - b);
    return x < y || (x == y && a < b) ? a : b;
}

static void count(work *w, const tt_mopts *o, const char *hyp, int nref, const char *const *ref, tt_bleustat *sum)
{
    int order = (int)o->max_order;
    tt_words_trim(&w->words);
    read_text(w, o, hyp);
    int64_t sys = w->ids.n, closest = -1;
    tt_grams_hold(&w->grams, w->ids.v, w->ids.n, order);
    for (int r = 0; r < nref; r++) {
        if (!ref[r]) continue;
        read_text(w, o, ref[r]);
        closest = closest < 0 ? w->ids.n : closer(sys, w->ids.n, closest);
        tt_grams_match(&w->grams, w->ids.v, w->ids.n, order, true, sum->correct);
    }
    sum->sys += sys;
    sum->ref += closest < 0 ? 0 : closest;
    for (int k = 0; k < order; k++) sum->total[k] += sys > k ? sys - k : 0;
}

void tt_bleu_add(const tt_mopts *o, const char *hyp, int nref, const char *const *ref, tt_bleustat *sum)
{
    work *w = work_new();
    count(w, o, hyp, nref, ref, sum);
    work_free(w);
}

/* ---- score -----------------------------------------------------------------------------------------------------------*/

static double smooth_value(const tt_mopts *o)
{
    if (!isnan(o->smooth_value)) return o->smooth_value;
    return o->smooth == TT_SMOOTH_FLOOR ? 0.1 : 1;
}

static double brevity(int64_t sys, int64_t ref)
{
    if (sys >= ref) return 1;
    return sys > 0 ? exp(1 - (double)ref / (double)sys) : 0;
}

/* Of the order whose counts are c and t > 0. *factor: of exp, doubled at every order without a match. */
static double precision(const tt_mopts *o, double c, double t, double *factor)
{
    if (c != 0) return 100. * c / t;
    if (o->smooth == TT_SMOOTH_EXP) return 100. / ((*factor *= 2) * t);
    return o->smooth == TT_SMOOTH_FLOOR ? 100. * smooth_value(o) / t : 0;
}

/* Fills in the precisions; the number of orders that the mean is taken of. */
static int precisions(const tt_mopts *o, bool effective, tt_bleu *out)
{
    int order = (int)o->max_order, n = order;
    double factor = 1;
    for (int k = 0; k < order; k++) {
        if (o->smooth == TT_SMOOTH_ADDK && k > 0) {
            out->correct[k] += smooth_value(o);
            out->total[k] += smooth_value(o);
        }
        if (out->total[k] == 0) break;
        if (effective) n = k + 1;
        out->precision[k] = precision(o, out->correct[k], out->total[k], &factor);
    }
    return n;
}

void tt_bleu_score(const tt_mopts *o, bool effective, const tt_bleustat *sum, tt_bleu *out)
{
    *out = (tt_bleu){.bp = brevity(sum->sys, sum->ref), .sys = sum->sys, .ref = sum->ref};
    bool any = false;
    for (int k = 0; k < o->max_order; k++) {
        out->correct[k] = (double)sum->correct[k];
        out->total[k] = (double)sum->total[k];
        any |= sum->correct[k] != 0;
    }
    if (!any) return;
    int n = precisions(o, effective, out);
    double logs = 0;
    for (int k = 0; k < n; k++) logs += out->precision[k] == 0 ? -9999999999. : log(out->precision[k]);
    out->score = out->bp * exp(logs / n);
}

void tt_bleu_signature(const tt_mopts *o, bool effective, int nref, char *buf, size_t size)
{
    static const char *const tok[] = {"13a", "intl", "char", "none"}, *const smooth[] = {"exp", "floor", "add-k",
                                                                                         "none"};
    char refs[16] = "var", value[32] = "";
    if (nref >= 0) snprintf(refs, sizeof refs, "%d", nref);
    if (o->smooth == TT_SMOOTH_FLOOR || o->smooth == TT_SMOOTH_ADDK)
        snprintf(value, sizeof value, "[%.2f]", smooth_value(o));
    snprintf(buf, size, "nrefs:%s|case:%s|eff:%s|tok:%s|smooth:%s%s|version:2.6.0", refs, o->lowercase ? "lc" : "mixed",
             effective ? "yes" : "no", tok[o->tokenize], smooth[o->smooth], value);
}

/* ---- the metric ------------------------------------------------------------------------------------------------------
 * Numbers of an example: length, length of the reference, correct[order], total[order]. */

static tt_err open_bleu(tt_scoring *s)
{
    if (s->o.max_order < 1 || s->o.max_order > TT_BLEU_MOST)
        return tt_fail(TT_EJOB, "bleu: max_order is %lld; it must be from 1 to %d", (long long)s->o.max_order,
                       TT_BLEU_MOST);
    s->width = 2 + 2 * (int)s->o.max_order;
    s->state = work_new();
    return TT_OK;
}

static void close_bleu(tt_scoring *s)
{
    work_free(s->state);
    s->state = NULL;
}

static tt_err each_bleu(tt_scoring *s, const tt_case *c, double *stat)
{
    int order = (int)s->o.max_order;
    tt_bleustat x = {0};
    count(s->state, &s->o, c->prediction, c->nref, c->ref, &x);
    stat[0] = (double)x.sys;
    stat[1] = (double)x.ref;
    for (int k = 0; k < order; k++) {
        stat[2 + k] = (double)x.correct[k];
        stat[2 + order + k] = (double)x.total[k];
    }
    return TT_OK;
}

static void add_up(int64_t n, int width, const double *stat, const double *weight, double *sum)
{
    for (int k = 0; k < width; k++) sum[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        if (w == 0) continue;
        for (int k = 0; k < width; k++) sum[k] += w * stat[i * width + k];
    }
}

static bool is_effective(const tt_mopts *o, bool one)
{
    return o->effective_order == 1 || (o->effective_order == 2 && one);
}

static void score_of(const tt_mopts *o, int64_t n, const double *stat, const double *weight, bool one, tt_bleu *out)
{
    int order = (int)o->max_order;
    double sum[2 + 2 * TT_BLEU_MOST];
    add_up(n, 2 + 2 * order, stat, weight, sum);
    tt_bleustat x = {.sys = llround(sum[0]), .ref = llround(sum[1])};
    for (int k = 0; k < order; k++) {
        x.correct[k] = llround(sum[2 + k]);
        x.total[k] = llround(sum[2 + order + k]);
    }
    tt_bleu_score(o, is_effective(o, one), &x, out);
}

static void total_bleu(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                       double *value)
{
    tt_bleu b;
    score_of(&s->o, n, stat, weight, one, &b);
    value[0] = b.score;
}

static json_t *numbers(const double *x, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, x[i] == floor(x[i]) && fabs(x[i]) < 1e15 ? json_integer((json_int_t)x[i])
                                                                             : json_real(x[i]));
    return list;
}

static json_t *reals(const double *x, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_real(x[i]));
    return list;
}

static void more_bleu(const tt_scoring *s, int64_t i, json_t *out)
{
    tt_bleu b;
    char signature[160];
    bool one = i >= 0;
    score_of(&s->o, one ? 1 : s->n, one ? s->stat + i * s->width : s->stat, NULL, one, &b);
    tt_bleu_signature(&s->o, is_effective(&s->o, one), s->nref, signature, sizeof signature);
    json_object_set_new(out, "bp", json_real(b.bp));
    json_object_set_new(out, "sys_len", json_integer(b.sys));
    json_object_set_new(out, "ref_len", json_integer(b.ref));
    json_object_set_new(out, "counts", numbers(b.correct, s->o.max_order));
    json_object_set_new(out, "totals", numbers(b.total, s->o.max_order));
    json_object_set_new(out, "precisions", reals(b.precision, s->o.max_order));
    json_object_set_new(out, "signature", json_string(signature));
}

static const char *const values[] = {"bleu", NULL};
const tt_metric_def tt_def_bleu = {.values = values,
                                   .open = open_bleu,
                                   .close = close_bleu,
                                   .each = each_bleu,
                                   .total = total_bleu,
                                   .more = more_bleu};
