/* Private to train: tables of evaluation results. Local. */
#ifndef TUTTI_TRAIN_TABLE_H
#define TUTTI_TRAIN_TABLE_H

#include "tutti/train.h"

tt_score table_total(const tt_sets *sets, const tt_score *score); /* sums over data sets */
/* One line of the log: the figures that the job asked for. */
void table_line(const tt_job *job, const char *split, int64_t step, const tt_sets *sets, const tt_score *score,
                double seconds);
/* Rank 0. Writes RUN/eval-<split>.tsv (every data set, before and after) and prints what changed. */
tt_err table_compare(const tt_job *job, const char *split, const tt_sets *sets, const tt_score *after);

#endif
