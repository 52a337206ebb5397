/* Private to optim: an update rule is one row of a table; optim.c does what all rules share. */
#ifndef TUTTI_OPTIM_RULE_H
#define TUTTI_OPTIM_RULE_H

#include "tutti/optim.h"

enum { MAX_MOMENTS = 4 };

/* A stretch of one parameter that is updated at once: a block, or the whole of it. */
typedef struct piece {
    int par;
    int64_t at, n; /* elements of the parameter */
} piece;

typedef struct rate {
    double lr, clip; /* clip: factor on the gradient, at most 1 */
    double decay;    /* of this parameter */
    int64_t t;       /* this update, from 1 */
} rate;

/* What one call may touch. Moments are NULL where the rule gives this parameter none. */
typedef struct target {
    const tt_par *par;
    int64_t n;
    float *w;
    const float *g;
    float *moment[MAX_MOMENTS];
    float *work; /* n floats; whole rules only */
} target;

typedef struct rule {
    bool whole;                      /* needs whole parameters */
    const char *moment[MAX_MOMENTS]; /* names; NULL ends */
    /* Shape of one moment of one parameter; 0 dimensions: it has none. */
    int (*shape)(const tt_job *job, const tt_par *p, int moment, int64_t shape[4]);
    void (*update)(const tt_job *job, const tt_kern *k, const rate *r, const target *t);
} rule;

extern const rule rule_adamw, rule_adafactor, rule_sgd;

int shape_of_par(const tt_par *p, int64_t shape[4]); /* the parameter's own shape */

#endif
