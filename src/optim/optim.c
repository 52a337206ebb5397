/* What all update rules share: the partition, the moments, the norm, clipping, gathering. */
#include "rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef float *moments[MAX_MOMENTS]; /* of one parameter: this rank's part, or NULL */

struct tt_optim {
    const tt_mesh *m;
    const tt_job *job;
    tt_pars *pars;
    const tt_kern *k;
    const rule *rule;
    int64_t t; /* updates made */
    int64_t *cut;
    int64_t npiece;
    piece *piece;    /* this rank's, trained parameters only */
    moments *moment; /* [pars->n] */
    tt_arena *a;
    float *work;
    double *sums;    /* [nblock] */
    int64_t *blocks; /* [size+1] first block of every rank, doubled: a double is two floats to the gather */
};

int shape_of_par(const tt_par *p, int64_t shape[4])
{
    for (int i = 0; i < p->ndim; i++) shape[i] = p->shape[i];
    return p->ndim;
}

static int64_t volume(int ndim, const int64_t *shape)
{
    int64_t n = ndim > 0;
    for (int i = 0; i < ndim; i++) n *= shape[i];
    return n;
}

static const rule *rule_of(const tt_job *job)
{
    switch (job->optim.name) {
    case TT_OPT_ADAFACTOR: return &rule_adafactor;
    case TT_OPT_SGD: return &rule_sgd;
    default: return &rule_adamw;
    }
}

tt_err tt_optim_check(const tt_job *job)
{
    if (job->optim.name == TT_OPT_SGD && job->optim.nesterov && (job->optim.momentum <= 0 || job->optim.dampening != 0))
        return tt_fail(TT_EJOB, "optim.nesterov needs optim.momentum above 0 and optim.dampening 0");
    if (job->optim.name != TT_OPT_ADAFACTOR) return TT_OK;
    if (job->optim.adafactor.rule == TT_RULE_T5X && job->optim.adafactor.relative_step)
        return tt_fail(TT_EJOB, "optim.adafactor.relative_step belongs to optim.adafactor.rule: hf");
    if (job->optim.adafactor.warmup_init && !job->optim.adafactor.relative_step)
        return tt_fail(TT_EJOB, "optim.adafactor.warmup_init needs optim.adafactor.relative_step: true");
    if (job->optim.adafactor.step_offset > 0)
        return tt_fail(TT_EJOB, "optim.adafactor.step_offset must not be above 0: the updates of a run count from 1");
    return TT_OK;
}

/* This rank's elements of parameter i: [lo, hi), empty if it holds none. */
static void own_range(const tt_optim *o, int i, int64_t *lo, int64_t *hi)
{
    const tt_par *p = &o->pars->p[i];
    int64_t from = o->cut[o->m->rank] - p->at, to = o->cut[o->m->rank + 1] - p->at;
    *lo = from < 0 ? 0 : from > p->n ? p->n : from;
    *hi = to > p->n ? p->n : to < *lo ? *lo : to;
}

/* Blocks begin at multiples of TT_BLOCK within a parameter, and so do cuts: a piece is the same on every rank count. */
static void plan_pieces(tt_optim *o)
{
    o->piece = TT_NEW(o->a, piece, o->pars->nblock);
    o->npiece = 0;
    for (int i = 0; i < o->pars->n; i++) {
        int64_t lo, hi;
        own_range(o, i, &lo, &hi);
        if (!o->pars->p[i].trained) continue;
        for (int64_t n; lo < hi; lo += n) {
            n = o->rule->whole || hi - lo < TT_BLOCK ? hi - lo : TT_BLOCK;
            o->piece[o->npiece++] = (piece){i, lo, n};
        }
    }
}

/* This rank's elements [lo, hi) of one moment of parameter i, and its whole shape. Moments of another shape than
 * their parameter occur with whole parameters only. */
static int moment_range(const tt_optim *o, int i, int k, int64_t shape[4], int64_t *lo, int64_t *hi)
{
    const tt_par *p = &o->pars->p[i];
    int ndim = p->trained && o->rule->moment[k] ? o->rule->shape(o->job, p, k, shape) : 0;
    own_range(o, i, lo, hi);
    if (o->rule->whole && *lo < *hi) *hi = volume(ndim, shape);
    return ndim;
}

static size_t moment_bytes(const tt_optim *o)
{
    size_t sum = 0;
    for (int i = 0; i < o->pars->n; i++)
        for (int k = 0; k < MAX_MOMENTS; k++) {
            int64_t shape[4], lo, hi;
            if (moment_range(o, i, k, shape, &lo, &hi)) sum += sizeof(float) * (size_t)(hi - lo) + 64;
        }
    return sum;
}

static void make_moments(tt_optim *o)
{
    o->moment = TT_ZNEW(o->a, moments, o->pars->n);
    for (int i = 0; i < o->pars->n; i++)
        for (int k = 0; k < MAX_MOMENTS; k++) {
            int64_t shape[4], lo, hi;
            if (moment_range(o, i, k, shape, &lo, &hi) && lo < hi) o->moment[i][k] = TT_ZNEW(o->a, float, hi - lo);
        }
}

/* Floats: the longest piece of a rule that needs whole parameters. */
static int64_t work_floats(const tt_optim *o)
{
    int64_t most = 0;
    for (int64_t i = 0; o->rule->whole && i < o->npiece; i++)
        if (o->piece[i].n > most) most = o->piece[i].n;
    return most;
}

static void make_work(tt_optim *o)
{
    int64_t most = work_floats(o);
    if (most) o->work = TT_NEW(o->a, float, most);
}

static void plan_norm(tt_optim *o)
{
    o->sums = TT_NEW(o->a, double, o->pars->nblock);
    o->blocks = TT_ZNEW(o->a, int64_t, o->m->size + 1);
    int64_t b = 0;
    for (int r = 0; r <= o->m->size; r++) {
        while (b < o->pars->nblock && o->pars->block[b] < o->cut[r]) b++;
        o->blocks[r] = 2 * b;
    }
}

tt_optim *tt_optim_new(const tt_mesh *m, const tt_job *job, tt_pars *pars, const tt_kern *k)
{
    tt_optim *o = tt_malloc(sizeof *o);
    *o = (tt_optim){.m = m, .job = job, .pars = pars, .k = k, .rule = rule_of(job)};
    o->cut = tt_malloc(sizeof *o->cut * (size_t)(m->size + 1));
    tt_cuts(pars, m->size, o->rule->whole, o->cut);
    o->a = tt_arena_new(moment_bytes(o));
    make_moments(o);
    plan_pieces(o);
    make_work(o);
    plan_norm(o);
    return o;
}

bool tt_optim_whole(const tt_job *job) { return rule_of(job)->whole; }

tt_optim_size tt_optim_sizes(const tt_mesh *m, const tt_job *job, tt_pars *pars)
{
    tt_optim o = {.m = m, .job = job, .pars = pars, .rule = rule_of(job)};
    o.cut = tt_malloc(sizeof *o.cut * (size_t)(m->size + 1));
    tt_cuts(pars, m->size, o.rule->whole, o.cut);
    o.a = tt_arena_new(0);
    plan_pieces(&o);
    tt_optim_size s = {moment_bytes(&o), sizeof(float) * (size_t)work_floats(&o)};
    tt_arena_free(o.a);
    free(o.cut);
    return s;
}

void tt_optim_free(tt_optim *o)
{
    if (!o) return;
    tt_arena_free(o->a);
    free(o->cut);
    free(o);
}

const int64_t *tt_optim_cuts(const tt_optim *o) { return o->cut; }
int64_t tt_optim_t(const tt_optim *o) { return o->t; }
void tt_optim_set_t(tt_optim *o, int64_t t) { o->t = t; }

double tt_optim_norm(tt_optim *o)
{
    int p = 0;
    for (int64_t b = o->blocks[o->m->rank] / 2; b < o->blocks[o->m->rank + 1] / 2; b++) {
        int64_t at = o->pars->block[b], n = o->pars->block[b + 1] - at;
        while (p + 1 < o->pars->n && o->pars->p[p + 1].at <= at) p++;
        o->sums[b] = o->pars->p[p].trained ? o->k->sumsq(n, o->pars->g + at) : 0;
    }
    tt_allgather_cuts(o->m, (float *)o->sums, o->blocks);
    double sum = 0;
    for (int64_t b = 0; b < o->pars->nblock; b++) sum += o->sums[b];
    return sqrt(sum);
}

static void update_piece(tt_optim *o, const piece *c, rate r)
{
    const tt_par *p = &o->pars->p[c->par];
    int64_t lo, hi;
    own_range(o, c->par, &lo, &hi);
    bool spared = o->job->optim.decay == TT_DECAY_HF && p->no_decay;
    r.decay = spared ? 0 : o->job->optim.weight_decay;
    target t = {.par = p, .n = c->n, .w = p->w + c->at, .g = p->g + c->at, .work = o->work};
    for (int k = 0; k < MAX_MOMENTS; k++)
        if (o->moment[c->par][k]) t.moment[k] = o->moment[c->par][k] + (c->at - lo);
    o->rule->update(o->job, o->k, &r, &t);
}

double tt_optim_step(tt_optim *o, double lr, double norm)
{
    double clip = o->job->optim.clip, factor = clip > 0 ? fmin(1, clip / (norm + 1e-6)) : 1;
    rate r = {.lr = lr, .clip = factor, .t = ++o->t};
    for (int64_t i = 0; i < o->npiece; i++) update_piece(o, &o->piece[i], r);
    double t0 = tt_now();
    tt_allgather_cuts(o->m, o->pars->w, o->cut);
    return tt_now() - t0;
}

/* False if parameter i has no moment k. */
static bool describe(const tt_optim *o, int i, int k, tt_ckarray *c)
{
    int64_t lo, hi;
    *c = (tt_ckarray){0};
    c->ndim = moment_range(o, i, k, c->shape, &lo, &hi);
    if (c->ndim == 0) return false;
    c->n = volume(c->ndim, c->shape);
    c->lo = lo < hi ? lo : 0;
    c->hi = lo < hi ? hi : 0;
    c->x = o->moment[i][k];
    int len = snprintf(c->path, sizeof c->path, "/optim/%s/%s", o->rule->moment[k], o->pars->p[i].name);
    if (len >= (int)sizeof c->path) TT_BUG("parameter name too long: %s", o->pars->p[i].name);
    return true;
}

void tt_optim_arrays(tt_optim *o, tt_arena *a, int *n, tt_ckarray **arrays)
{
    *arrays = TT_NEW(a, tt_ckarray, o->pars->n * MAX_MOMENTS + 1);
    *n = 0;
    for (int i = 0; i < o->pars->n; i++)
        for (int k = 0; k < MAX_MOMENTS; k++) *n += describe(o, i, k, &(*arrays)[*n]);
}
