/* One step: batch, gradients grain by grain, exact sum, clip, update. */
#include "run.h"

#include <math.h>
#include <string.h>

/* Weight of every target row in the loss of the global batch: 1/N target tokens, or 1/(B T) per example. */
static float *row_weights(run *r, const tt_batch *b, const tt_grain *g)
{
    float *w = TT_NEW(r->step_arena, float, g->Rt);
    for (int e = 0; e < g->B; e++) {
        int T = g->t_off[e + 1] - g->t_off[e];
        double each =
            r->job->train.normalise == TT_NORM_EXAMPLE ? 1.0 / ((double)b->examples * T) : 1.0 / (double)b->tgt_tokens;
        for (int i = g->t_off[e]; i < g->t_off[e + 1]; i++) w[i] = (float)each;
    }
    return w;
}

static void count_grain(run *r, const tt_grain *g, const tt_loss *l)
{
    for (int e = 0; e < g->B; e++) {
        double nll = 0;
        int T = g->t_off[e + 1] - g->t_off[e];
        for (int i = g->t_off[e]; i < g->t_off[e + 1]; i++) nll += l->nll[i];
        tally *t = &r->tally[g->ex[e].set];
        t->examples++;
        t->tokens += T;
        if (isfinite(nll)) t->nll += llround(nll * FIX_UNIT);
    }
}

/* Gradient of one grain into the hands of r->zero; returns its share of the loss. */
static double grain_gradient(run *r, const tt_batch *b, int64_t i)
{
    const tt_grain *g = &b->grain[i];
    tt_arena_reset(r->step_arena);
    tt_arena_reset(r->grad_arena);
    tt_tape tape;
    tt_rkey key = tt_key((uint64_t)r->job->seed, "dropout", (uint64_t)r->step, (uint64_t)i, 0);
    tt_tape_begin(&tape, r->step_arena, r->k, true, r->dropout, key);
    tape.ga = r->grad_arena;
    tape.hooks = tt_zero_hooks(r->zero);
    tape.half = r->job->precision == TT_PREC_BF16;
    tape.tp = r->m->tp > 1 ? r->m : NULL;
    tape.recompute = r->job->train.recompute == TT_RECOMPUTE_BLOCK;
    tt_loss loss;
    tt_t5_loss(&tape, r->part, g, row_weights(r, b, g), (float)r->job->train.label_smoothing,
               (float)r->job->train.z_loss, &loss);
    if (r->m->tp_rank != 0) return 0; /* one of those who computed it counts it */
    count_grain(r, g, &loss);
    return loss.loss;
}

static double all_gradients(run *r, const tt_batch *b)
{
    tt_mark mark = tt_arena_mark(r->job_arena);
    double *loss = TT_ZNEW(r->job_arena, double, b->G);
    tt_zero_begin(r->zero);
    for (int64_t k = 0, n = tt_zero_rounds(r->zero); k < n; k++) {
        int64_t i = tt_zero_grain(r->zero, k);
        tt_zero_round(r->zero, k);
        if (i >= 0 && b->grain[i].B > 0)
            loss[i] = grain_gradient(r, b, i);
        else
            tt_zero_idle(r->zero);
        tt_watch_kick("gradients");
    }
    tt_zero_finish(r->zero);
    double sum = tt_xsum_scalar(r->m, b->G, loss);
    tt_arena_rewind(r->job_arena, mark);
    return sum;
}

static double step_rate(const run *r)
{
    const tt_job *j = r->job;
    return j->optim.lr *
           tt_schedule(j->optim.schedule, r->step, j->optim.warmup, run_total_steps(r), j->optim.min_ratio);
}

static void count_batch(run *r, const tt_batch *b)
{
    for (int64_t n = b->first; n < b->next; n++) r->used[tt_mix_draw(r->mix, n).set]++;
    r->draw = b->next;
    r->examples += b->examples;
    r->src_tokens += b->src_tokens;
    r->tgt_tokens += b->tgt_tokens;
    r->truncated += b->truncated;
    r->log_tokens += b->src_tokens + b->tgt_tokens;
}

enum { BAD_LIMIT = 20 };

/* A step whose loss or gradient is not finite changes no weight; too many in a row end the run. */
static tt_err skip_step(run *r, stepinfo *s)
{
    s->skipped = true;
    r->skipped++;
    if (++r->bad_in_a_row < BAD_LIMIT) return TT_OK;
    return tt_fail(TT_ERUN,
                   "step %lld: loss %g and gradient norm %g; %d steps in a row were not finite and changed nothing; "
                   "lower optim.lr or look at the data named in metrics.jsonl",
                   (long long)r->step, s->loss, s->norm, BAD_LIMIT);
}

tt_err run_step(run *r, stepinfo *s)
{
    *s = (stepinfo){0};
    const tt_batch *b;
    int64_t limit = run_total_draws(r);
    TT_TRY(tt_agree(r->m, tt_batcher_get(r->batcher, r->draw, limit ? limit - r->draw : 0, &b)));
    s->lr = step_rate(r);
    tt_optim_begin(r->opt, s->lr);
    s->loss = all_gradients(r, b);
    double t0 = tt_now();
    s->norm = tt_optim_norm(r->opt);
    r->comm += tt_now() - t0;
    count_batch(r, b);
    tt_err e = TT_OK;
    if (!isfinite(s->loss) || !isfinite(s->norm)) {
        e = skip_step(r, s);
    } else {
        r->bad_in_a_row = 0;
        tt_optim_step(r->opt, s->lr, s->norm);
    }
    r->comm += tt_zero_waited(r->zero);
    r->step++;
    int64_t sig = tt_signal_pending();
    tt_allmax_i64(r->m, &sig, 1);
    s->signal = (int)sig;
    tt_watch_kick("step done");
    return e;
}
