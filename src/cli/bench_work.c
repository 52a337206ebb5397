/* A training step as tutti train makes it, without data: grains of given lengths, gradients, the sum over grains, norm, update. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tt_bench_work {
    const tt_mesh *m;
    tt_arena *a, *step;
    tt_model *model;
    tt_pars *pars;
    tt_optim *opt;
    tt_zero *zero;
    double sum;                /* seconds in the sum's hooks */
    bool shares;               /* model and step are another's */
    int64_t G, lo, hi, tokens; /* grains of all ranks, of this one; tokens of all */
    double flops;
    tt_grain *grain; /* [hi - lo] */
    float **weight;  /* of each grain's target rows */
};

static const int32_t *draw_ids(tt_arena *a, int64_t V, const char *side, int64_t example, int n)
{
    int32_t *ids = TT_NEW(a, int32_t, n);
    tt_rkey key = tt_key(1, side, (uint64_t)example, 0, 0);
    for (int i = 0; i < n; i++) ids[i] = 2 + (int32_t)tt_rand_below(key, (uint64_t)i, (uint64_t)(V - 2));
    return ids;
}

/* Examples lo..hi of the batch. */
static void draw_grain(tt_arena *a, int64_t V, const tt_bench_batch *b, int64_t lo, int64_t hi, tt_grain *g)
{
    tt_ex *ex = TT_ZNEW(a, tt_ex, hi - lo + 1);
    for (int64_t i = lo; i < hi; i++)
        ex[i - lo] = (tt_ex){.S = b->S[i],
                             .T = b->T[i],
                             .src = draw_ids(a, V, "source", i, b->S[i]),
                             .tgt = draw_ids(a, V, "target", i, b->T[i])};
    tt_grain_make(a, (int)(hi - lo), ex, 0, g);
}

static void draw_batch(tt_bench_work *w, const tt_bench_batch *b)
{
    int64_t V = tt_model_cfg(w->model)->V, targets = 0;
    for (int64_t i = 0; i < b->n; i++) targets += b->T[i];
    for (int64_t i = 0; i < b->n; i++) w->tokens += b->S[i] + b->T[i];
    tt_share(w->G, w->m->rank, w->m->size, &w->lo, &w->hi);
    w->grain = TT_ZNEW(w->a, tt_grain, w->hi - w->lo + 1);
    w->weight = TT_NEW(w->a, float *, w->hi - w->lo + 1);
    for (int64_t i = w->lo; i < w->hi; i++) {
        int64_t lo, hi;
        tt_grain *g = &w->grain[i - w->lo];
        tt_share(b->n, (int)i, (int)w->G, &lo, &hi);
        draw_grain(w->a, V, b, lo, hi, g);
        w->flops += tt_t5_flops(tt_model_cfg(w->model), g, true);
        w->weight[i - w->lo] = TT_NEW(w->a, float, g->Rt);
        for (int64_t r = 0; r < g->Rt; r++) w->weight[i - w->lo][r] = 1.0f / (float)targets;
    }
}

static tt_err make_model(tt_bench_work *w, const tt_bench_dims *d)
{
    w->step = tt_arena_new((size_t)1 << 26);
    TT_TRY(tt_bench_build(d, &w->model));
    tt_pars_draw(tt_model_pars(w->model), 1);
    return TT_OK;
}

tt_err tt_bench_work_new(const tt_mesh *m, const tt_bench_dims *d, const tt_bench_batch *b, int64_t grains, int reduce,
                         const tt_bench_work *base, tt_bench_work **out)
{
    tt_bench_work *w = tt_malloc(sizeof *w);
    *w = (tt_bench_work){.m = m, .a = tt_arena_new(1 << 16), .G = grains, .shares = base != NULL};
    tt_job *job;
    *out = w;
    if (base) w->model = base->model, w->step = base->step;
    if (!base) TT_TRY(make_model(w, d));
    char *set[] = {"optim.name=adamw", "optim.clip=1",
                   reduce == TT_REDUCE_MPI ? "mesh.reduce=mpi" : "mesh.reduce=exact"};
    TT_TRY(tt_job_read(w->a, NULL, 3, set, &job));
    w->pars = tt_model_pars(w->model);
    w->zero = tt_zero_new(m, job, w->pars, w->pars, grains, tt_t5_walk, w->model, &tt_kern_fast);
    w->opt = tt_optim_new(m, job, w->pars, w->zero, &tt_kern_fast);
    draw_batch(w, b);
    return TT_OK;
}

void tt_bench_work_free(tt_bench_work *w)
{
    if (!w) return;
    tt_optim_free(w->opt);
    tt_zero_free(w->zero);
    if (!w->shares && w->model) tt_model_free(w->model);
    if (!w->shares) tt_arena_free(w->step);
    tt_arena_free(w->a);
    free(w);
}

int64_t tt_bench_work_tokens(const tt_bench_work *w) { return w->tokens; }
double tt_bench_work_flops(const tt_bench_work *w) { return w->flops; }

void tt_bench_wait(const tt_mesh *m)
{
    MPI_Request r;
    MPI_Ibarrier(m->world, &r);
    for (int done = 0; !done;) {
        MPI_Test(&r, &done, MPI_STATUS_IGNORE);
        if (!done) nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* The sum's own hooks, under a watch. */
static void on_use(void *ctx, int group, bool back)
{
    const tt_hooks *h = tt_zero_hooks(((tt_bench_work *)ctx)->zero);
    h->use(h->ctx, group, back);
}

static void on_done(void *ctx, int group, bool back)
{
    tt_bench_work *w = ctx;
    const tt_hooks *h = tt_zero_hooks(w->zero);
    double at = tt_now();
    h->done(h->ctx, group, back);
    w->sum += tt_now() - at;
}

static void on_poll(void *ctx)
{
    tt_bench_work *w = ctx;
    const tt_hooks *h = tt_zero_hooks(w->zero);
    double at = tt_now();
    h->poll(h->ctx);
    w->sum += tt_now() - at;
}

static void gradient(tt_bench_work *w, int64_t i)
{
    tt_tape tape;
    tt_loss loss;
    tt_hooks hooks = {on_use, on_done, on_poll, w};
    tt_arena_reset(w->step);
    tt_tape_begin(&tape, w->step, &tt_kern_fast, true, 0, 0);
    tape.hooks = &hooks;
    tt_t5_loss(&tape, w->model, &w->grain[i], w->weight[i], 0, 0, &loss);
}

/* Waits for the gathers, which a run does behind its next forward pass. */
static double settle(tt_bench_work *w)
{
    double at = tt_now();
    tt_zero_whole(w->zero, true);
    tt_zero_whole(w->zero, false);
    return tt_now() - at;
}

void tt_bench_work_step(tt_bench_work *w, tt_bench_time *t)
{
    *t = (tt_bench_time){0};
    double start = tt_now(), cpu = tt_bench_cpu(), at;
    w->sum = 0;
    tt_zero_begin(w->zero);
    for (int64_t k = 0; k < tt_zero_rounds(w->zero); k++) {
        tt_zero_round(w->zero, k);
        gradient(w, k);
    }
    at = tt_now();
    tt_barrier(w->m);
    t->wait = tt_now() - at;
    at = tt_now();
    tt_zero_finish(w->zero);
    t->sum = w->sum + tt_now() - at;
    at = tt_now();
    tt_optim_step(w->opt, 1e-4, tt_optim_norm(w->opt));
    t->update = tt_now() - at;
    t->gather = settle(w);
    t->step = tt_now() - start;
    t->cpu = tt_bench_cpu() - cpu;
}
