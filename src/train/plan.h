/* Private to train: the parts of a plan. */
#ifndef TUTTI_TRAIN_PLAN_H
#define TUTTI_TRAIN_PLAN_H

#include "tutti/train.h"

/* ---- lengths: plan_batch.c -----------------------------------------------------------------------------------------------*/
typedef struct pexample {
    int32_t S, T;
    int64_t grain;
} pexample;
typedef struct pbatch {
    int n;
    pexample *ex;
} pbatch;
enum { BATCHES_MOST = 8 };

/* ---- rates: plan_rate.c --------------------------------------------------------------------------------------------------*/
enum { RATES_MOST = 2048 };
typedef struct rate_of {
    tt_dry_call call;
    double per_work; /* seconds per unit of work */
} rate_of;
typedef struct rates {
    double budget; /* seconds of a processor left for measuring; 0: nothing is measured */
    int n;
    int64_t guessed; /* calls whose rate is that of the nearest size, or of the job's keys */
    rate_of *known;  /* [RATES_MOST] */
    float *room;     /* operands of what is measured; NULL before the first */
} rates;

struct tt_planner {
    tt_arena *a;
    const tt_job *job;
    const char *json; /* config.json */
    const char *lengths;
    double base;
    int nbatch;
    pbatch batch[BATCHES_MOST];
    int64_t grains; /* that the examples' grain counts */
    rates rates;
};

/* Local. A planner that knows the job alone. */
tt_planner *plan_begin(const tt_job *job, double base);
tt_err plan_first_batches(tt_planner *p, tt_batcher *b); /* Collective on the batcher's mesh */
/* Lengths of the first batches by the job's data, or at their longest. TT_EDATA as training would fail. */
tt_err plan_lengths(tt_planner *p);
/* grain[n] of the examples of b for G grains. */
int64_t plan_fullest(const pbatch *b, int64_t G); /* the grain with most tokens, by the examples' own grains */
void plan_cut(const tt_planner *p, const pbatch *b, int64_t G, int64_t *grain);

/* Seconds that a rank which has a core to itself takes for a call: measured when it is first asked for, while there is time. */
double plan_seconds(tt_planner *p, const tt_dry_call *c);
double plan_copy_rate(tt_planner *p); /* bytes/s that a rank copies */
bool plan_is_product(tt_dry_kind k);

/* ---- the dry run: plan_walk.c --------------------------------------------------------------------------------------------*/
typedef struct walked {    /* seconds: without neighbours on the core */
    double bytes;          /* of the step arena, the fullest grain */
    double products, rest; /* seconds of the slowest rank, mean over batches */
    double flops;          /* of the model, a step, mean */
    double examples, tokens;
    double sums; /* bytes of one tensor-parallel sum after another, a step, one rank */
    double nsum;
} walked;
typedef struct layout { /* who does what */
    int64_t nodes, per_node, ranks, dp, tp, grains;
    double crowd; /* ranks that share a core */
} layout;
void plan_walk(tt_planner *p, const tt_job *job, tt_model *m, const layout *l, bool quick, walked *out);

/* ---- communication: plan_net.c -------------------------------------------------------------------------------------------*/
typedef struct traffic {
    double sent, net;      /* bytes a step, a rank; out of a node */
    double local, network; /* seconds: copying inside the node, waiting for the network */
} traffic;
/* nodes: of the tree, that all ranks send. */
traffic plan_traffic(tt_planner *p, const tt_job *job, const layout *l, const tt_pars *pars, double nodes,
                     const walked *w);
double plan_hidden(const tt_job *job, const tt_pars *pars, const traffic *t, double backward);

#endif
