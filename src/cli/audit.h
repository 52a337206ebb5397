/* Private to cli: the audit of a job, before a run (the plan) or after one (what was drawn). Rank 0 builds one JSON document; the
 * screen, audit.json and audit.html are three views of it. */
#ifndef TUTTI_CLI_AUDIT_H
#define TUTTI_CLI_AUDIT_H

#include "tutti/data.h"

#include <jansson.h>

typedef struct audit_run { /* what a run left behind */
    const char *dir;
    int64_t step, draw; /* of its newest checkpoint */
    int64_t skipped;    /* steps that changed nothing */
    int64_t *used;      /* [train->n] examples drawn, as the run counted them */
    uint32_t **times;   /* [train->n][rows]: how often each row was drawn, by walking the draws once more; rank 0 */
} audit_run;

typedef struct audit {
    const tt_mesh *m;
    const tt_job *job;
    tt_arena *a;
    tt_tok *tok;
    tt_sets *train, *validation, *test;
    tt_clean *clean; /* duplicates, contamination */
    tt_mix *mix;
    tt_lengths *train_len, *validation_len, *test_len;
    json_t *reasons;      /* set -> reason -> {"rows", "line" of the first}: why rows were quarantined */
    const audit_run *run; /* NULL: before a run */
} audit;

/* audit_run.c. Collective. The run folder's newest checkpoint, and its draws walked once more. */
tt_err audit_run_read(audit *u, audit_run *r);
void audit_run_fini(const audit *u, audit_run *r);
/* Rank 0: {"step", "draws", "chi_square": {...}, "counts_agree": true, "sets": [...]} */
json_t *audit_run_json(const audit *u, const audit_run *r);
/* Rank 0. One line an example: data set, file, line, how often it was drawn, or why never. TT_ERUN. */
tt_err audit_run_examples(const audit *u, const audit_run *r, const char *path);
double audit_chi_tail(double x, double dof); /* P(chi-square with dof degrees of freedom > x) */

/* audit_model.c. Rank 0: the document. */
json_t *audit_model(const audit *u);
double audit_planned_draws(const audit *u); /* of the whole run; with train.steps an estimate by mean lengths */

/* audit_found.c. Rank 0: [{"kind", "set", "with", "count", "where", "text"}], the most serious first. */
json_t *audit_found(const audit *u);

/* audit_text.c, audit_page.c: views. */
void audit_print(const json_t *doc);
tt_err audit_write_json(const json_t *doc, const char *path);
tt_err audit_write_page(const json_t *doc, const char *path);

/* audit_show.c. Rank 0: n examples of the training mixture as the model will see them, from draw first. */
tt_err audit_show(const audit *u, int64_t first, int64_t n);

#endif
