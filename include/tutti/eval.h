/* eval: metrics. Local; every result is a function of the examples in their order, and of nothing else.
 *
 * A metric is a row of one table: what it needs of an example, what it gives, in which range, after which program. A scoring is a
 * metric with its options and the numbers of the examples added so far. `tutti score`, `tutti eval` and the evaluation inside
 * training all go through it, so one set of predictions has one score. */
#ifndef TUTTI_EVAL_H
#define TUTTI_EVAL_H

#include "tutti/base.h"
#include "tutti/conf.h"
#include "tutti/data.h"
#include "tutti/model.h"

/* ---- one example ---------------------------------------------------------------------------------------------------
 * What is not there is NULL, 0 or NaN; a metric that needs it refuses the example. Texts are valid UTF-8, numbers written as text.
 * Everything is the caller's and only read. */
enum {
    TT_NEED_PREDICTION = 1,  /* prediction */
    TT_NEED_REFERENCE = 2,   /* nref >= 1, ref */
    TT_NEED_GROUP = 4,       /* group */
    TT_NEED_OPTIONS = 8,     /* nopt >= 1, option, ll, gold */
    TT_NEED_LIKELIHOOD = 16, /* loglik and the counts that the metric divides by */
    TT_NEED_CONFIDENCE = 32, /* confidence, correct */
    TT_NEED_ALL = 63,
};

typedef struct tt_case {
    const char *where; /* "FILE:12", colours messages; may be NULL */
    const char *prediction;
    int nref;
    const char *const *ref;
    const char *group; /* examples that are right or wrong together: MultiRC's paragraph and question */
    /* answers to choose from: log-likelihoods (natural logarithm, summed over tokens) given the prompt */
    int nopt;
    const char *const *option;
    const double *ll;
    const double *ll_alone; /* without the prompt; NULL: not known */
    const int64_t *ntoken;  /* tokens of each; NULL: not known */
    const bool *is_greedy;  /* NULL: not known */
    int ngold;              /* any of them is right */
    const int *gold;        /* in [0, nopt) */
    double loglik;          /* of a whole text; NaN: none */
    int64_t tokens, words, bytes;
    double confidence,
        correct;      /* of the answer, in [0,1]; was it right, 0 or 1 (a fraction counts as wrong); NaN: none */
    double no_answer; /* SQuAD 2: probability that there is none; NaN: none */
} tt_case;

/* Where an example lies in a JSON object: the names of the keys. */
typedef struct tt_fields {
    const char *prediction, *reference, *group, *options, *ll, *alone, *greedy, *ntoken, *gold;
    const char *loglik, *tokens, *words, *bytes, *confidence, *correct, *no_answer;
} tt_fields;
extern const tt_keyrow tt_field_keys[];
struct json_t;
/* What needs names is read, and the references and no_answer of a prediction; the other keys may hold anything. Numbers become text as they
 * stand, true and false 1 and 0; null is as if the key were not there, null references are left out; NaN and infinities may be written as
 * the texts "nan", "inf", "-inf". *c lives in a. TT_EDATA with where: a value of another kind. */
tt_err tt_case_read(const tt_fields *f, unsigned needs, tt_arena *a, const char *where, const struct json_t *o,
                    tt_case *c);

/* ---- options of all metrics -------------------------------------------------------------------------------------------- */
enum { TT_BLEU_13A, TT_BLEU_INTL, TT_BLEU_CHAR, TT_BLEU_NONE };          /* tokenize */
enum { TT_SMOOTH_EXP, TT_SMOOTH_FLOOR, TT_SMOOTH_ADDK, TT_SMOOTH_NONE }; /* smooth */

typedef struct tt_mopts {
    bool stem;                      /* rouge */
    bool split_sentences;           /* rouge: " . " becomes " .\n" first, as T5 and BIG-bench do for Lsum */
    int aggregate;                  /* rouge: the reference's BootstrapAggregator beside the mean */
    int tokenize, smooth;           /* bleu */
    double smooth_value;            /* bleu; NaN: floor 0.1, add-k 1 */
    int effective_order;            /* bleu: 0 no, 1 yes, 2: yes for one example alone, no for many, as sacrebleu */
    int64_t max_order;              /* bleu */
    bool lowercase;                 /* bleu, chrf */
    int64_t char_order, word_order; /* chrf */
    double beta;                    /* chrf */
    bool whitespace, eps_smoothing; /* chrf */
    const char *positive;           /* f1: the class that counts */
    int64_t classes; /* f1_macro: average over classes 0..classes-1, present or not; 0: those that occur */
    bool ignore_case, ignore_punctuation, ignore_numbers; /* exact_match */
    double threshold;  /* squad_v2: above this no_answer the prediction counts as empty */
    int64_t bootstrap; /* resamples of a standard error that has no formula */
} tt_mopts;
extern const tt_keyrow tt_mopt_keys[];

/* ---- the table ------------------------------------------------------------------------------------------------------------ */
typedef struct tt_metric {
    const char *name;
    const char *what; /* one line */
    unsigned needs;
    int better;                      /* +1: higher is better, -1: lower */
    double lo, hi;                   /* range of its values */
    const char *options;             /* those it reads, blank-separated */
    const char *source;              /* the program whose numbers it gives */
    const char *shown;               /* the values that a table shows; NULL: the main one */
    const struct tt_metric_def *def; /* private: metric.h */
} tt_metric;
extern const tt_metric tt_metrics[];               /* ends with name NULL */
const tt_metric *tt_metric_find(const char *name); /* NULL: none; TT_EJOB is set with the nearest name */

typedef struct tt_scoring tt_scoring;
/* opt: n "key=value". TT_EJOB: unknown metric; unknown option, or one that this metric does not read. */
tt_err tt_scoring_new(const char *metric, int n, char *const *opt, tt_scoring **out);
/* "rouge" or "rouge:stem=1,aggregate=bootstrap". */
tt_err tt_scoring_parse(const char *spec, tt_scoring **out);
/* The next of a list of them, "loss rouge:stem=1" or "loss, rouge": *rest goes on behind it; NULL at the end. Writes into the text. */
char *tt_spec_next(char **rest);
void tt_scoring_free(tt_scoring *s);
const tt_metric *tt_scoring_metric(const tt_scoring *s);
/* Keeps the example's numbers, not the example. TT_EDATA: it lacks what the metric needs, or a number is NaN; says where. */
tt_err tt_scoring_add(tt_scoring *s, const tt_case *c);
int64_t tt_scoring_count(const tt_scoring *s);
/* The values' names, "rouge1.f1"; the metric's own name where there is but one. */
int tt_scoring_values(const tt_scoring *s, const char *const **name);
/* The main value: what a table shows. */
int tt_scoring_main(const tt_scoring *s);
bool tt_scoring_shown(const tt_scoring *s, int v); /* does a table show value v? */
/* Over all examples. TT_EDATA: none was added, or the labels do not fit the options. */
tt_err tt_scoring_total(const tt_scoring *s, double *value);
/* Example i alone. */
void tt_scoring_one(const tt_scoring *s, int64_t i, double *value);
/* Standard errors of the values: sample deviation / sqrt(n) for means, else the sample deviation over opts.bootstrap resamples
 * (as lm-evaluation-harness: chunks of 1000, chunk i drawn by Python's random.Random(i)). NaN for one example. */
tt_err tt_scoring_errors(const tt_scoring *s, double *error);
/* The total (or example i, i >= 0), and the standard errors, as JSON: {"rouge1": {"precision": ...}, ...}; NaN and infinities are the
 * strings "nan", "inf", "-inf". A new reference. TT_EDATA as tt_scoring_total. */
tt_err tt_scoring_object(const tt_scoring *s, int64_t i, struct json_t **out);
tt_err tt_scoring_errors_object(const tt_scoring *s, struct json_t **out);
struct json_t *tt_json_number(double x);

/* Resamples of standard errors, instead of the option bootstrap. */
void tt_scoring_resamples(tt_scoring *s, int64_t n);

/* ---- evaluating a model ------------------------------------------------------------------------------------------------------
 * Collective. Asks the model what the metrics of each data set need (its entry's, else job->eval.metrics: "loss rouge:stem=1 choice"), as
 * job->eval says, on the examples of sets (eval.limit of each, a seeded sample). predictions: path of a file of JSON lines in the order of
 * the examples, or NULL; `tutti score` on it gives the same scores. *result on rank 0 (a new reference; NULL elsewhere):
 *   {"all": {"rouge:stem=1": {"rouge1.f1": {"data_sets", "n", "mean", "error", "mean_of_data_sets", "undefined"}}},
 *    "categories": {name: the same},
 *    "data_sets": [{"name", "category", "examples", "answers", "scores": {"rouge:stem=1": {...}}, "errors": the same, "n": {...}}]}
 * mean, error: over data sets by their examples, the error pooled. Equal to the bit for any number of ranks and any
 * eval.rows. TT_EJOB: the configuration, a metric that is not there, options that are not there; TT_EDATA: a row. */
tt_err tt_eval_run(const tt_mesh *m, const tt_job *job, const tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, struct json_t **result);

/* How job->eval and job->seed want answers made. */
tt_gencfg tt_eval_gencfg(const tt_job *job);

/* The value of a metric, "rouge1.f1" of "rouge:stem=1", in an object of "data_sets". n 0: the set has none. */
typedef struct tt_value {
    double x, error; /* NaN: not defined */
    int64_t n;
} tt_value;
tt_value tt_eval_value(const struct json_t *set, const char *spec, const char *name);

/* ---- ROUGE ------------------------------------------------------------------------------------------------------------------
 * As google-research's rouge_score 0.1.2, equal to it to the last bit. Texts are lower-cased (Unicode), every run of [a-z0-9] is a
 * token, and with stem tokens longer than 3 go through the Porter stemmer. N: clipped matches of n-grams; L: one longest common subsequence
 * over the whole texts; Lsum: lines as sentences, union of their subsequences. A score is 0 where a side has no n-gram (no token). */
typedef struct tt_prf {
    double p, r, f;
} tt_prf;
enum { TT_ROUGE_1, TT_ROUGE_2, TT_ROUGE_3, TT_ROUGE_L, TT_ROUGE_LSUM, TT_ROUGE_N };
typedef struct tt_rouge tt_rouge; /* work memory and the stems seen; one per thread */
tt_rouge *tt_rouge_new(bool stem);
void tt_rouge_free(tt_rouge *w);
/* Several references: of each kind the one with the highest F (the first of equals), as score_multi. nref >= 1.
 * kinds: bits 1 << TT_ROUGE_x; the others are not computed and left alone. */
void tt_rouge_score(tt_rouge *w, int nref, const char *const *ref, const char *prediction, unsigned kinds,
                    tt_prf out[TT_ROUGE_N]);
/* The tokens, one blank between them; heap, the caller frees. */
char *tt_rouge_tokens(const char *text, bool stem);
/* Porter stemmer as nltk's PorterStemmer in its default NLTK_EXTENSIONS mode; in place, ASCII lower case. */
void tt_porter(char *word);
/* rouge_score's BootstrapAggregator, numpy seeded with 123: percentiles 2.5, 50, 97.5 of 1000 means. x[n][TT_ROUGE_N], all kinds. */
void tt_rouge_aggregate(int64_t n, const tt_prf (*x)[TT_ROUGE_N], tt_prf low[TT_ROUGE_N], tt_prf mid[TT_ROUGE_N],
                        tt_prf high[TT_ROUGE_N]);

/* ---- BLEU -------------------------------------------------------------------------------------------------------------------
 * As sacrebleu 2.6.0, equal to it to the last bit. Statistics of segments add up; the score is made of their sum. */
enum { TT_BLEU_MOST = 16 };
typedef struct tt_bleustat {
    int64_t sys, ref, correct[TT_BLEU_MOST], total[TT_BLEU_MOST];
} tt_bleustat;
typedef struct tt_bleu {
    double score, bp, precision[TT_BLEU_MOST], correct[TT_BLEU_MOST],
        total[TT_BLEU_MOST]; /* score, precision: 0..100 */
    int64_t sys, ref;
} tt_bleu;
/* One segment added to *sum. A NULL reference is missing; nref >= 1, one there. */
void tt_bleu_add(const tt_mopts *o, const char *hyp, int nref, const char *const *ref, tt_bleustat *sum);
void tt_bleu_score(const tt_mopts *o, bool effective, const tt_bleustat *sum, tt_bleu *out);
char *tt_bleu_tokens(const tt_mopts *o, const char *text); /* after the whole preparation, blanks between; heap */
/* sacrebleu's signature, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"; nref < 0: varies. */
void tt_bleu_signature(const tt_mopts *o, bool effective, int nref, char *buf, size_t size);

/* ---- answers --------------------------------------------------------------------------------------------------------------- */
/* True if the prediction is equal to one of the references, blanks (" \t\n\v\f\r") at both ends aside. */
bool tt_exact_match(int nref, const char *const *ref, const char *prediction);
/* SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single blanks. trivia: TriviaQA's, punctuation becomes blanks.
 * Heap, the caller frees. */
char *tt_answer_normalize(const char *text, bool trivia);
/* F1 over normalised tokens as multisets. both_empty: the value where neither side has a token (SQuAD 1.1: 0, 2.0: 1). */
double tt_answer_f1(const char *reference, const char *prediction, bool trivia, double both_empty);

/* ---- numbers -------------------------------------------------------------------------------------------------------------------
 * Sums run in index order. weight NULL: 1 each; else example i counts weight[i] times. */
double tt_mean(int64_t n, const double *x, const double *weight);
double tt_sample_sd(int64_t n, const double *x); /* divided by n-1; NaN for n < 2 */
double tt_median_upper(int64_t n,
                       const double *x); /* element n/2 of the sorted list, as lm-evaluation-harness; n > 0 */
double tt_pearson(int64_t n, const double *x, const double *y, const double *weight);  /* NaN if a side is constant */
double tt_spearman(int64_t n, const double *x, const double *y, const double *weight); /* Pearson of average ranks */
/* Classes 0..K-1 as counts[gold*K + pred]. f1 of a class without gold and without predictions is 0. */
typedef struct tt_labels {
    double accuracy, matthews, f1_macro, f1_micro, f1_weighted; /* macro: over the classes that occur on either side */
    double f1_macro_all;                                        /* over all K */
} tt_labels;
void tt_labels_score(int K, const double *counts, tt_labels *out);
double tt_label_f1(int K, const double *counts, int k);
/* HELM: equal-mass bins; p confidences, ok 0 or 1. */
double tt_ece(int64_t n, const double *p, const double *ok, int bins);
void tt_selective(int64_t n, const double *p, const double *ok, double *at10, double *area);
/* lm-evaluation-harness: errors of a group of tasks with sizes size[k] and errors se[k]. */
double tt_pooled_error(int k, const double *se, const double *size);
double tt_combined_error(int k, const double *se, const double *size, const double *x); /* x[k]: the tasks' values */
double tt_group_mean(int k, const double *x, const double *size);                       /* size NULL: unweighted */

#endif
