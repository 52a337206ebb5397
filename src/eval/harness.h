/* Private to eval: evaluating a model on data sets.
 *
 *   plan.c     which metrics each data set gets and what they need of the model; which examples; which rank takes which
 *   answer.c   a rank's examples through the model: log-likelihoods of references and options, then generation; one JSON object each
 *   results.c  rank 0: predictions in order to a file, scores and standard errors of every data set and category
 *
 * An example's object is a function of model, job and example alone, and rank 0 scores the objects in the order of the examples: the
 * results do not depend on ranks, and `tutti score` on the file of predictions gives them again. */
#ifndef TUTTI_HARNESS_H
#define TUTTI_HARNESS_H

#include "tutti/comm.h"
#include "tutti/model.h"

#include "metric.h"

enum { TT_METRICS_MOST = 32, TT_ROUND = 1024 /* examples of a rank between two agreements, on average */ };

typedef struct setplan { /* one data set */
    int nspec;
    const char *spec[TT_METRICS_MOST]; /* "rouge:stem=1" */
    bool rank;                         /* answers are the best option, else generated */
    bool answer, options, likelihood;  /* what is asked of the model */
    int64_t examples, answered;        /* answered: the first so many */
} setplan;

typedef struct harness {
    const tt_mesh *m;
    const tt_job *job;
    const tt_model *model;
    const tt_tok *tok;
    const tt_sets *sets;
    const tt_kern *k;
    tt_arena *a, *block; /* of the whole evaluation; of one block of examples */
    tt_maker maker;
    tt_gencfg gen;
    setplan *plan;          /* [sets->n] */
    int64_t *first;         /* [sets->n+1]: examples of the sets before */
    int64_t *cost;          /* [first[sets->n]] of each example, in tokens */
    int64_t nmine, *mine;   /* this rank's examples */
    int64_t nround, *round; /* [nround+1]: where each round begins in mine */
    char *out;              /* objects of this rank: place, text, place, text ... */
    size_t out_n, out_cap;
} harness;

/* Collective. Fills plan, first, cost, mine. TT_EJOB: a metric that does not exist, a data set without options to rank. */
tt_err harness_plan(harness *h);
int harness_set_of(const harness *h, int64_t at);
/* Example at, made by the maker; *row: its row of the set. Rows are taken in an order drawn from the seed, so that a limit gives a fair
 * sample and always the same one. */
tt_err harness_show(harness *h, int64_t at, int *set, int64_t *row, tt_shown *out);

/* Collective. */
tt_err harness_answer(harness *h);

/* Collective. *result: rank 0's, NULL elsewhere. predictions: path or NULL. */
tt_err harness_results(harness *h, const char *predictions, json_t **result);

#endif
