/* train: one step, the loop, evaluation in the loop. */
#ifndef TUTTI_TRAIN_H
#define TUTTI_TRAIN_H

#include "tutti/comm.h"
#include "tutti/conf.h"
#include "tutti/data.h"
#include "tutti/model.h"
#include "tutti/optim.h"

/* Collective. Runs the job from start or checkpoint to its end. TT_ESTOP after a clean stop by signal. */
tt_err tt_train(const tt_mesh *m, const tt_job *job);

/* What one data set scored: the figures that eval.metrics asks for, in their order. x: NaN where it was not measured. weight: what it counts
 * in a mean over data sets: tokens of a loss, examples of the others. */
enum { TT_FIGURES_MOST = 32 };
typedef struct tt_score {
    int64_t examples;
    double x[TT_FIGURES_MOST], weight[TT_FIGURES_MOST];
} tt_score;

/* Collective. score[sets->n], the same on all ranks and for any number of them; predictions (path or NULL) receives JSON lines. */
tt_err tt_evaluate(const tt_mesh *m, const tt_job *job, const tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, tt_score *score);

/* ---- plans ------------------------------------------------------------------------------------------------------
 * What a job will take, without its weights: memory by a dry run of the tape, work by the same, time by a short calibration of this
 * machine, communication by a model (src/train/plan_net.c). */
enum {                  /* where a rank's memory goes */
       TT_PLAN_BASE,    /* the program, its libraries, data sets, tokenizer */
       TT_PLAN_WEIGHTS, /* fp32, and their bf16 copy */
       TT_PLAN_GRADS,   /* and those that wait for their sum */
       TT_PLAN_MOMENTS,
       TT_PLAN_ACTS,    /* activations: the step arena */
       TT_PLAN_BUFFERS, /* messages, memory to work in */
       TT_PLAN_KINDS
};
extern const char *const tt_plan_kinds[TT_PLAN_KINDS];

typedef struct tt_plan {
    int64_t nodes, per_node, ranks, dp, tp;
    int64_t parameters, grains;
    double examples, tokens;      /* of a step */
    double memory[TT_PLAN_KINDS]; /* bytes of the fullest rank */
    double rank, node, limit;     /* bytes: of a rank, of a node, that a node has */
    double flops;                 /* of the model, a step, all ranks */
    double sent, net;             /* bytes a step: that a rank sends; that leave a node */
    double checkpoint, exported;  /* bytes */
    /* seconds of a step */
    double products, rest; /* the slowest rank: matrix products; other kernels of its grains */
    double update;         /* folding the sum, norm, optimizer */
    double wait;           /* communication that is not hidden */
    double hidden;         /* that is */
    double step;
} tt_plan;

typedef struct tt_planner tt_planner;
/* Local. Reads the model's shape and, where that is quick, the lengths of the first batches. base: bytes that the program takes before
 * weights come; 0: what this process takes now. Texts live as long as the planner. */
tt_err tt_planner_new(const tt_job *job, double base, tt_planner **out);
void tt_planner_free(tt_planner *p);
const char *tt_planner_lengths(const tt_planner *p); /* where the lengths come from */
const char *tt_planner_rates(tt_planner *p);         /* what was measured, or that nothing was */
/* From here on a batch is copies grains, each like the fullest of the first batch. */
void tt_planner_repeat(tt_planner *p, int64_t copies);
/* Local. The planner's job, or another that differs in settings alone, on nodes of per_node ranks. quick: one batch. TT_EJOB: cannot be. */
tt_err tt_plan_make(tt_planner *p, const tt_job *job, int64_t nodes, int64_t per_node, bool quick, tt_plan *out);

typedef struct tt_plan_choice { /* a setting that fits */
    tt_job job;
    int64_t per_node;
    tt_plan plan;
    char text[256]; /* "mesh.zero=2 train.recompute=block" */
} tt_plan_choice;
/* Local. The fastest setting that fits the nodes, among those that change the numbers least. False: none does. */
bool tt_plan_fit(tt_planner *p, const tt_job *job, int64_t nodes, int64_t per_node, tt_plan_choice *out);

#endif
