/* Private to eval: what a metric is made of, and the Mersenne Twister that the references draw with. */
#ifndef TUTTI_METRIC_H
#define TUTTI_METRIC_H

#include "tutti/eval.h"

#include <jansson.h>

struct tt_scoring {
    const tt_metric *m;
    tt_mopts o;
    tt_arena *a; /* texts of options */
    void *state; /* the metric's own, made by open */
    int width;   /* numbers kept of one example */
    int nvalue;  /* values given */
    const char *const *name;
    int64_t n, cap;
    double *stat; /* [n, width] */
    int nref;     /* references of every example; -1: their number varies */
};

/* A metric keeps width numbers of each example, and makes its values of the numbers of any weighted collection of examples. */
typedef struct tt_metric_def {
    const char *const *
        values; /* names, ends with NULL: "rouge1.precision", "rouge1.recall", ...; the first part is the JSON object's key */
    int main;  /* the value a table shows */
    int width; /* 0: asked of open, which sets s->width */
    tt_err (*open)(
        tt_scoring *s); /* may be NULL; may also set s->width, s->nvalue and s->name where they depend on the options */
    void (*close)(tt_scoring *s); /* may be NULL */
    /* The numbers of one example; what m->needs asks for is there. TT_EDATA with c->where. */
    tt_err (*each)(tt_scoring *s, const tt_case *c, double *stat);
    /* Values of n examples; example i counts weight[i] times (NULL: once). one: it is a single example by itself.
     * NULL: value i is the weighted mean of number i (then width = number of values, and standard errors have a formula). */
    void (*total)(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value);
    tt_err (*check)(const tt_scoring *s); /* of all examples, before a total; may be NULL */
    void (*more)(const tt_scoring *s, int64_t i,
                 json_t *out); /* further keys of the JSON: a signature, counts; i < 0: of all. May be NULL */
    bool sparse; /* a value that is NaN could not be computed (counts or likelihoods are not known) and is left out */
    /* May be NULL. Before many totals of the same n rows: other rows with the same totals, which it makes of them quicker. */
    void (*ease)(int64_t n, double *stat);
} tt_metric_def;

/* The rows' definitions: text.c ... each in the file of its metric. */
extern const tt_metric_def tt_def_rouge, tt_def_bleu, tt_def_chrf, tt_def_exact_match, tt_def_squad, tt_def_squad_v2,
    tt_def_trivia_qa, tt_def_record;
extern const tt_metric_def tt_def_accuracy, tt_def_f1, tt_def_f1_macro, tt_def_f1_micro, tt_def_f1_weighted,
    tt_def_matthews, tt_def_pearson, tt_def_spearman, tt_def_multirc, tt_def_choice, tt_def_brier, tt_def_calibration,
    tt_def_perplexity, tt_def_loss;

/* choice.c: p = softmax(ll); a likelihood of 0 is -inf, and all of them so give NaN. */
void tt_prob_norm(int n, const double *ll, double *p);
double tt_brier(int n, const double *p, int gold); /* sum over options of (p - [option is gold])^2 */

/* ---- MT19937 (Matsumoto & Nishimura 1998) -------------------------------------------------------------------------*/
typedef struct tt_mt {
    uint32_t s[624];
    int at;
} tt_mt;
void tt_mt_seed(tt_mt *m, uint32_t seed); /* init_genrand: numpy.random.RandomState(seed) */
void tt_mt_seed_words(
    tt_mt *m, int n,
    const uint32_t
        *word); /* init_by_array: Python's random.Random(int) by its 32-bit words, low first; 0 is one word */
uint32_t tt_mt_next(tt_mt *m);
double tt_mt_01(tt_mt *m); /* 53 bits of two outputs: Python's random() */
/* k times floor(random() * n), as Python's random.choices draws from n things; 1 <= n < 2^31. */
void tt_mt_choices(tt_mt *m, int64_t n, int64_t k, uint32_t *index);
uint32_t tt_mt_masked(tt_mt *m,
                      uint32_t most); /* 0..most, masked and rejected: numpy's legacy randint; no draw for most = 0 */

/* Values of any weighted collection of examples, whether the metric is a mean or has a total. */
void tt_scoring_weigh(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                      double *value);

/* errors.c: the sample deviation of each value over resamples of the examples; see tt_scoring_errors. */
void tt_bootstrap_errors(const tt_scoring *s, double *error);

#endif
