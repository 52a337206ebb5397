/* The dry run: every grain of the busiest rank goes over a tape that only counts. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

enum { GRAINS_WALKED = 64 }; /* of a rank; the others take as long in the mean */

typedef struct space { /* phantoms, as the run's own arenas */
    tt_arena *step, *grads, *own;
} space;

static tt_grain grain_of(tt_arena *a, const pbatch *b, const int64_t *at, int64_t g)
{
    tt_grain o = {0};
    int32_t *s = TT_NEW(a, int32_t, b->n + 1), *t = TT_NEW(a, int32_t, b->n + 1);
    s[0] = t[0] = 0;
    for (int i = 0; i < b->n; i++) {
        if (at[i] != g) continue;
        o.B++;
        s[o.B] = s[o.B - 1] + b->ex[i].S;
        t[o.B] = t[o.B - 1] + b->ex[i].T;
    }
    o.Rs = s[o.B];
    o.Rt = t[o.B];
    o.s_off = s;
    o.t_off = t;
    return o;
}

/* What run_step does with a grain, without its numbers. */
static void walk_grain(space *s, const tt_job *job, tt_model *m, const tt_grain *g)
{
    tt_tape t;
    tt_loss loss;
    float drop = (float)(job->train.dropout < 0 ? tt_model_cfg(m)->dropout : job->train.dropout);
    tt_arena_reset(s->step);
    tt_arena_reset(s->grads);
    float *weight = TT_NEW(s->step, float, g->Rt);
    tt_tape_begin(&t, s->step, &tt_kern_dry, true, drop, 1);
    t.dry = true;
    t.half = job->precision == TT_PREC_BF16;
    t.recompute = job->train.recompute == TT_RECOMPUTE_BLOCK;
    t.ga = s->grads;
    tt_mesh tp = {.size = (int)job->mesh.tp, .tp = (int)job->mesh.tp, .dp = 1};
    if (tp.tp > 1) t.tp = &tp;
    tt_t5_loss(&t, m, g, weight, 0, 0, &loss);
}

/* Adds the tallies to the walk as seconds. */
static void charge(tt_planner *p, double times, walked *w)
{
    int n;
    const tt_dry_call *c = tt_dry_calls(&n);
    for (int i = 0; i < n; i++)
        *(plan_is_product(c[i].kind) ? &w->products : &w->rest) += times * plan_seconds(p, &c[i]);
    tt_dry_clear();
}

/* ---- who is the busiest ----------------------------------------------------------------------------------------------------*/

/* load[G], heap: tokens of every grain, those of a target counted twice. */
static double *loads(const pbatch *b, const int64_t *at, int64_t G)
{
    double *load = tt_malloc(sizeof *load * (size_t)G);
    for (int64_t g = 0; g < G; g++) load[g] = 0;
    for (int i = 0; i < b->n; i++) load[at[i]] += b->ex[i].S + 2.0 * b->ex[i].T;
    return load;
}

static int busiest(const double *load, const layout *l)
{
    double most = -1;
    int rank = 0;
    for (int r = 0; r < l->dp; r++) {
        int64_t lo, hi;
        double sum = 0;
        tt_share(l->grains, r, (int)l->dp, &lo, &hi);
        for (int64_t g = lo; g < hi; g++) sum += load[g];
        if (sum > most) most = sum, rank = r;
    }
    return rank;
}

static int64_t heaviest(const double *load, int64_t G)
{
    int64_t top = 0;
    for (int64_t g = 1; g < G; g++)
        if (load[g] > load[top]) top = g;
    return top;
}

int64_t plan_fullest(const pbatch *b, int64_t G)
{
    int64_t *at = tt_malloc(sizeof *at * (size_t)b->n);
    for (int i = 0; i < b->n; i++) at[i] = b->ex[i].grain;
    double *load = loads(b, at, G);
    int64_t top = heaviest(load, G);
    free(load);
    free(at);
    return top;
}

/* ---- a batch ---------------------------------------------------------------------------------------------------------------*/

/* Sums over tp of [R, D] in fp32: after the attention and the feed-forward of a block and once more on the way back, after the
 * embedding, before the head; the encoder's output gathers the gradients of all cross-attentions. A ring passes every float twice. */
static void count_sums(const tt_job *job, const tt_t5cfg *c, const layout *l, const tt_grain *g, walked *w)
{
    if (l->tp == 1) return;
    double passes = job->train.recompute == TT_RECOMPUTE_BLOCK ? 3 : 2, Rs = (double)g->Rs, Rt = (double)g->Rt;
    double enc = passes * 2 * (double)c->L, dec = passes * 3 * (double)c->Ld;
    w->nsum += enc + dec + 4;
    w->sums += sizeof(float) * (double)c->D * ((enc + 2) * Rs + (dec + 2) * Rt);
}

static void walk_rank(tt_planner *p, const tt_job *job, tt_model *m, const layout *l, const pbatch *b,
                      const int64_t *at, int rank, space *s, walked *w)
{
    int64_t lo, hi;
    tt_share(l->grains, rank, (int)l->dp, &lo, &hi);
    int64_t walked_to = hi - lo > GRAINS_WALKED ? lo + GRAINS_WALKED : hi;
    double times = walked_to > lo ? (double)(hi - lo) / (double)(walked_to - lo) : 0;
    for (int64_t g = lo; g < walked_to; g++) {
        tt_grain grain = grain_of(s->own, b, at, g);
        if (grain.B > 0) walk_grain(s, job, m, &grain);
        charge(p, times, w);
        walked one = {0};
        count_sums(job, tt_model_cfg(m), l, &grain, &one);
        w->sums += times * one.sums;
        w->nsum += times * one.nsum;
    }
}

/* The fullest grain decides how much memory the arena takes; it may be another rank's. */
static void walk_fullest(const tt_job *job, tt_model *m, const pbatch *b, const int64_t *at, int64_t top, space *s)
{
    tt_grain grain = grain_of(s->own, b, at, top);
    walk_grain(s, job, m, &grain);
    tt_dry_clear();
}

static void count_batch(const tt_t5cfg *c, const pbatch *b, walked *w)
{
    for (int i = 0; i < b->n; i++) {
        int32_t s[2] = {0, b->ex[i].S}, t[2] = {0, b->ex[i].T};
        tt_grain g = {.B = 1, .Rs = s[1], .Rt = t[1], .s_off = s, .t_off = t};
        w->flops += tt_t5_flops(c, &g, true);
        w->tokens += s[1] + t[1];
    }
    w->examples += b->n;
}

static void walk_batch(tt_planner *p, const tt_job *job, tt_model *m, const layout *l, const pbatch *b, space *s,
                       walked *w)
{
    int64_t *at = TT_NEW(s->own, int64_t, b->n);
    plan_cut(p, b, l->grains, at);
    double *load = loads(b, at, l->grains);
    walk_rank(p, job, m, l, b, at, busiest(load, l), s, w);
    walk_fullest(job, m, b, at, heaviest(load, l->grains), s);
    free(load);
    count_batch(tt_model_cfg(m), b, w);
}

void plan_walk(tt_planner *p, const tt_job *job, tt_model *m, const layout *l, bool quick, walked *out)
{
    enum { FIRST = 1 << 22 }; /* as the run's step arena */
    space s = {tt_arena_new_phantom(FIRST), tt_arena_new_phantom(FIRST), tt_arena_new(1 << 16)};
    int n = quick ? 1 : p->nbatch;
    *out = (walked){0};
    tt_dry_clear();
    for (int i = 0; i < n; i++) {
        walk_batch(p, job, m, l, &p->batch[i], &s, out);
        tt_arena_reset(s.own);
    }
    double *mean[] = {&out->products, &out->rest, &out->flops, &out->examples, &out->tokens, &out->sums, &out->nsum};
    for (size_t i = 0; i < sizeof mean / sizeof *mean; i++) *mean[i] /= n;
    out->bytes = (double)tt_arena_touched(s.step) + (double)tt_arena_touched(s.grads);
    tt_arena_free(s.step);
    tt_arena_free(s.grads);
    tt_arena_free(s.own);
}
