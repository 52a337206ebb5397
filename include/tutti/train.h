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

#endif
