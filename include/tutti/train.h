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

/* Per-task results of an evaluation; sums are exact: integers, or doubles added in example order on every rank. */
typedef struct tt_score {
    int64_t examples, tokens;
    double nll; /* sum over target tokens */
    int64_t generated, exact;
    double rouge1, rouge2, rougeL; /* sums of F1 over generated examples */
} tt_score;

/* Collective. score[sets->n]; predictions (path or NULL) receives JSON lines from rank 0. Results do not depend on the rank count. */
tt_err tt_evaluate(const tt_mesh *m, const tt_job *job, tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, tt_score *score);

#endif
