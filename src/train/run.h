/* Private to train: what a run holds, from set-up to end. */
#ifndef TUTTI_TRAIN_RUN_H
#define TUTTI_TRAIN_RUN_H

#include "tutti/train.h"

/* Sums of losses are kept as integers in units of 2^-24 nat, so that they are the same in any order and on any rank count. */
#define FIX_UNIT 16777216.0

typedef struct tally { /* one data set, since the last log line */
    int64_t examples, tokens, nll;
} tally;

typedef struct run {
    const tt_mesh *m;
    const tt_job *job;
    tt_mesh mesh;   /* cut into dp x tp */
    tt_job settled; /* the job with what this machine can do */
    const tt_kern *k;
    tt_arena *job_arena, *step_arena, *grad_arena;
    tt_tok *tok;
    tt_model *model, *part; /* part: what this rank computes with; the model itself without tensor parallelism */
    tt_pars *pars;
    tt_sets *train, *validation, *test;
    tt_clean *clean; /* NULL: nothing was looked for */
    tt_mix *mix;
    tt_batcher *batcher;
    tt_optim *opt;
    tt_zero *zero;
    FILE *metrics;
    const char *ckpt_dir;
    float dropout;

    /* the state that a checkpoint holds */
    int64_t step, draw;
    int64_t examples, src_tokens, tgt_tokens, truncated, skipped;
    int64_t best_step;
    double best_loss;
    int64_t *used; /* [train->n] examples drawn so far */

    /* since the last log line */
    tally *tally; /* [train->n], this rank's */
    double t_log, comm;
    int64_t log_step, log_tokens;
    int64_t bad_in_a_row;
    int64_t lines; /* of steps, on the screen */

    /* for the plan that the run is held against */
    double base; /* bytes before gradients and moments, without the weights */
    double took, cpu,
        cpu_log; /* seconds of all steps but the first: by the clock, of this process's processor; when the last line came */
    int64_t timed; /* those steps */
} run;

/* what one step did; the same on all ranks */
typedef struct stepinfo {
    double loss, norm, lr;
    bool skipped;
    int signal;
} stepinfo;

/* setup.c: Collective. */
tt_err run_open(run *r, const tt_mesh *m, const tt_job *job);
void run_close(run *r);
int64_t run_total_draws(const run *r); /* 0: the run is counted in steps */
int64_t run_total_steps(const run *r); /* with epochs: estimated from the draws per step so far */
bool run_done(const run *r);

/* step.c: Collective. */
tt_err run_step(run *r, stepinfo *s);

/* state.c: Collective. */
tt_err state_save(run *r);
tt_err state_resume(run *r);

/* plan_check.c: Collective. One line: memory and time of a step as the plan has them, and as they were. Runs too short to tell say nothing. */
void plan_check(run *r);

/* report.c */
tt_err report_open(run *r, bool resumed);
void report_start(run *r);
void report_step(run *r, const stepinfo *s); /* Collective */
struct figures;
void report_eval(run *r, const struct figures *f, const char *split, const tt_sets *sets, const tt_score *score);
void report_event(run *r, const char *event, const char *detail);

#endif
