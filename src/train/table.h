/* Private to train: tables of evaluation results. Local. */
#ifndef TUTTI_TRAIN_TABLE_H
#define TUTTI_TRAIN_TABLE_H

#include "tutti/train.h"

/* The figures of a job's evaluations: what tables show of the metrics that eval.metrics and the data sets ask for. */
typedef struct figure {
    char spec[64], value[64]; /* "rouge:stem=1", "rouge1.f1" */
    char name[32];            /* "rouge1" */
    bool lower;               /* is better */
} figure;
typedef struct figures {
    int n;
    figure f[TT_FIGURES_MOST];
} figures;
tt_err figures_of(const tt_job *job, const tt_sets *sets, figures *out); /* TT_EJOB: no such metric */
int figures_find(const figures *f, const char *name);                    /* -1 */

void table_add(const figures *f, tt_score *a, const tt_score *b); /* weighted means of both */
tt_score table_total(const figures *f, const tt_sets *sets, const tt_score *score);
/* One line of the log. */
void table_line(const figures *f, const char *split, int64_t step, const tt_sets *sets, const tt_score *score,
                double seconds);
/* Log and path: every category before (NULL: not scored then) and after. */
tt_err table_categories(const figures *f, const char *path, const tt_sets *sets, const tt_score *before,
                        const tt_score *after);
/* "<lead>\texamples\t<figure> before\t<figure> after..." and one line of it. */
void table_tsv_header(FILE *out, const figures *f, const char *lead, bool before);
void table_tsv_row(FILE *out, const figures *f, const char *lead, const tt_score *before, const tt_score *after);
/* Rank 0. Writes RUN/eval-<split>.tsv (every data set, before and after) and prints what changed. */
tt_err table_compare(const tt_job *job, const figures *f, const char *split, const tt_sets *sets,
                     const tt_score *after);

#endif
