/* The loop: resume, evaluate, step, save, stop. */
#include "run.h"

#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool every(int64_t n, int64_t step) { return n > 0 && step % n == 0; }

/* Are answers asked for? Then RUN/predictions-<split>-<step>.jsonl holds them. */
static const char *predictions_path(run *r, const figures *f, const char *split)
{
    if (f->n == 1 && figures_find(f, "loss") == 0) return NULL;
    return tt_sprintf(r->job_arena, "%s/predictions-%s-%lld.jsonl", r->job->run, split, (long long)r->step);
}

/* Collective. Evaluates one list. Scores live in the job arena. */
static tt_err evaluate(run *r, const char *split, const tt_sets *sets, figures *f, tt_score **out)
{
    tt_score *score = TT_ZNEW(r->job_arena, tt_score, sets->n + 1);
    double t0 = tt_now();
    TT_TRY(tt_agree(r->m, figures_of(r->job, sets, f)));
    tt_zero_whole(r->zero, true);
    tt_err e = tt_evaluate(r->m, r->job, r->model, r->tok, sets, predictions_path(r, f, split), score);
    tt_zero_whole(r->zero, false);
    TT_TRY(e);
    table_line(f, split, r->step, sets, score, tt_now() - t0);
    report_eval(r, f, split, sets, score);
    r->t_log += tt_now() - t0; /* evaluation does not count as training time */
    *out = score;
    return TT_OK;
}

/* Collective. Validation loss decides which checkpoint is the best. */
static tt_err validate(run *r)
{
    if (!r->validation || r->validation->n == 0) return TT_OK;
    tt_mark mark = tt_arena_mark(r->job_arena);
    tt_score *score;
    figures f;
    TT_TRY(evaluate(r, "validation", r->validation, &f, &score));
    tt_score all = table_total(&f, r->validation, score);
    int k = figures_find(&f, "loss");
    double loss = k >= 0 ? all.x[k] : INFINITY;
    tt_arena_rewind(r->job_arena, mark);
    if (!(loss < r->best_loss)) return TT_OK;
    r->best_loss = loss;
    r->best_step = r->step;
    return r->job->checkpoint.best ? state_save(r) : TT_OK;
}

/* The list that is scored before and after: test, or validation where there is no test. */
static const tt_sets *judge(const run *r, const char **split)
{
    bool test = r->test && r->test->n > 0;
    *split = test ? "test" : "validation";
    if (test) return r->test;
    return r->validation && r->validation->n > 0 ? r->validation : NULL;
}

static tt_err before(run *r)
{
    const char *split;
    const tt_sets *sets = judge(r, &split);
    tt_score *score;
    figures f;
    if (!sets || !r->job->eval.before || r->step > 0) return TT_OK;
    tt_mark mark = tt_arena_mark(r->job_arena);
    tt_err e = evaluate(r, split, sets, &f, &score);
    tt_arena_rewind(r->job_arena, mark);
    return e;
}

static tt_err after(run *r)
{
    const char *split;
    const tt_sets *sets = judge(r, &split);
    tt_score *score;
    figures f;
    if (!sets) return TT_OK;
    TT_TRY(evaluate(r, split, sets, &f, &score));
    return tt_agree(r->m, r->m->rank == 0 ? table_compare(r->job, &f, split, sets, score) : TT_OK);
}

static tt_err stop_by_signal(run *r, int sig, bool saved)
{
    if (!saved) TT_TRY(state_save(r));
    report_event(r, "stopped", tt_signal_name(sig));
    tt_log("%s: stopped cleanly after step %lld; the same command goes on from there", tt_signal_name(sig),
           (long long)r->step);
    return TT_ESTOP;
}

static tt_err loop(run *r)
{
    r->t_log = tt_now();
    r->log_step = r->step;
    while (!run_done(r)) {
        stepinfo s;
        TT_TRY(run_step(r, &s)); /* fails on all ranks or on none */
        report_step(r, &s);
        int64_t saved_best = r->best_step;
        if (every(r->job->eval.every, r->step) && !run_done(r)) TT_TRY(validate(r));
        bool save = every(r->job->checkpoint.every, r->step) || run_done(r);
        bool done = r->job->checkpoint.best && r->best_step != saved_best;
        if (save && !done) TT_TRY(state_save(r));
        if (s.signal && !run_done(r)) return stop_by_signal(r, s.signal, save || done);
    }
    return TT_OK;
}

static tt_err write_job(const run *r)
{
    if (r->m->rank != 0) return TT_OK;
    return tt_job_write(r->job, tt_sprintf(r->job_arena, "%s/job.resolved.yaml", r->job->run));
}

static tt_err begin(run *r, const tt_mesh *m, const tt_job *job)
{
    TT_TRY(run_open(r, m, job));
    TT_TRY(state_resume(r));
    TT_TRY(tt_agree(m, write_job(r)));
    TT_TRY(tt_agree(m, report_open(r, r->step > 0)));
    report_start(r);
    return before(r);
}

static void end_line(const run *r, double t0)
{
    tt_log_status("%s", "");
    tt_log("done: %lld steps, %lld examples, %lld + %lld tokens, %lld truncated, %lld steps skipped, %.0f s",
           (long long)r->step, (long long)r->examples, (long long)r->src_tokens, (long long)r->tgt_tokens,
           (long long)r->truncated, (long long)r->skipped, tt_now() - t0);
}

/* Rank 0 keeps RUN/log.txt. The folder is made here, before anything is said. */
static tt_err open_log(const tt_mesh *m, const tt_job *job)
{
    tt_err e = TT_OK;
    if (m->rank == 0) e = tt_mkdirs(job->run);
    if (m->rank == 0 && e == TT_OK) {
        char *path = NULL;
        if (asprintf(&path, "%s/log.txt", job->run) < 0) TT_BUG("out of memory");
        e = tt_log_open(path);
        free(path);
    }
    return tt_agree(m, e);
}

tt_err tt_train(const tt_mesh *m, const tt_job *job)
{
    run r;
    double t0 = tt_now();
    TT_TRY(open_log(m, job));
    tt_signals_install();
    tt_watch_start(m, (int)job->mesh.watchdog);
    tt_err e = begin(&r, m, job);
    if (e == TT_OK) e = loop(&r);
    if (e == TT_OK) e = after(&r);
    if (e == TT_OK) end_line(&r, t0);
    if (e == TT_OK) plan_check(&r);
    tt_watch_stop();
    tt_log_status("%s", "");
    run_close(&r);
    return e;
}
