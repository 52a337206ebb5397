/* Private to train: tables of evaluation results. Local. */
#ifndef TUTTI_TRAIN_TABLE_H
#define TUTTI_TRAIN_TABLE_H

#include "tutti/train.h"

/* One row per figure: how it comes from the sums. Loss is per target token, the others are means over examples, in percent. */
typedef struct figure {
    const char *name;
    double (*get)(const tt_score *s); /* NaN if it was not measured */
} figure;
extern const figure table_figures[]; /* ends with name NULL */
bool table_wanted(const char *metrics,
                  const figure *f); /* what the job asked for: exact and rouge are measured only then */
void table_add(tt_score *a, const tt_score *b);
tt_score table_total(const tt_sets *sets, const tt_score *score); /* sums over data sets */
/* One line of the log: the figures that the job asked for. */
void table_line(const tt_job *job, const char *split, int64_t step, const tt_sets *sets, const tt_score *score,
                double seconds);
/* Log and path: every category before (NULL: not scored then) and after. */
tt_err table_categories(const tt_job *job, const char *path, const tt_sets *sets, const tt_score *before,
                        const tt_score *after);
/* "<lead>\texamples\t<figure> before\t<figure> after..." and one line of it. */
void table_tsv_header(FILE *f, const tt_job *job, const char *lead, bool before);
void table_tsv_row(FILE *f, const tt_job *job, const char *lead, const tt_score *before, const tt_score *after);
/* Rank 0. Writes RUN/eval-<split>.tsv (every data set, before and after) and prints what changed. */
tt_err table_compare(const tt_job *job, const char *split, const tt_sets *sets, const tt_score *after);

#endif
