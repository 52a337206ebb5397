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
    tt_zero *z;
    const tt_own *own;
    int rank; /* its place in that */
    const tt_kern *k;
    const rule *rule;
    int64_t t;       /* updates made */
    rate rate;       /* optim.update: block, of this step */
    piece *piece;    /* this rank's, trained parameters only, group after group */
    int64_t *first;  /* [ngroup+1] first piece of a group */
    moments *moment; /* [pars->n] */
    tt_arena *a;
    float *work;
    double *sums;         /* [nblock] */
    int64_t *group_block; /* [ngroup+1] first block of a group */
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

bool tt_optim_whole(const tt_job *job) { return rule_of(job)->whole; }

/* This rank's elements of parameter i: [lo, hi), empty if it holds none. */
static void own_range(const tt_optim *o, int i, int64_t *lo, int64_t *hi)
{
    tt_own_elements(o->own, i, o->rank, lo, hi);
}

/* Blocks begin at multiples of TT_BLOCK within a parameter, and so do cuts: a piece is the same on every rank count. */
static void plan_pieces(tt_optim *o)
{
    int64_t npiece = 0;
    o->piece = TT_NEW(o->a, piece, o->pars->nblock);
    o->first = TT_NEW(o->a, int64_t, o->pars->ngroup + 1);
    for (int i = 0, g = 0; i < o->pars->n; i++) {
        int64_t lo, hi;
        while (g <= o->pars->p[i].group) o->first[g++] = npiece;
        own_range(o, i, &lo, &hi);
        if (!o->pars->p[i].trained) continue;
        for (int64_t n; lo < hi; lo += n) {
            n = o->rule->whole || hi - lo < TT_BLOCK ? hi - lo : TT_BLOCK;
            o->piece[npiece++] = (piece){i, lo, n};
        }
    }
    for (int g = o->pars->n ? o->pars->p[o->pars->n - 1].group + 1 : 0; g <= o->pars->ngroup; g++) o->first[g] = npiece;
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
    for (int64_t i = 0; o->rule->whole && i < o->first[o->pars->ngroup]; i++)
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
    o->sums = TT_ZNEW(o->a, double, o->pars->nblock);
    o->group_block = TT_NEW(o->a, int64_t, o->pars->ngroup + 1);
    int64_t b = 0;
    for (int g = 0; g < o->pars->ngroup; g++) {
        while (b < o->pars->nblock && o->pars->block[b] < o->pars->group[g].at) b++;
        o->group_block[g] = b;
    }
    o->group_block[o->pars->ngroup] = o->pars->nblock;
}

static void update_group(void *ctx, int group);

tt_optim *tt_optim_new(const tt_mesh *m, const tt_job *job, tt_pars *pars, tt_zero *z, const tt_kern *k)
{
    tt_optim *o = tt_malloc(sizeof *o);
    *o = (tt_optim){.m = m, .job = job, .pars = pars, .z = z, .k = k, .rule = rule_of(job), .own = tt_zero_own(z)};
    o->rank = tt_zero_rank(z);
    o->a = tt_arena_new(moment_bytes(o));
    make_moments(o);
    plan_pieces(o);
    make_work(o);
    plan_norm(o);
    if (job->optim.update == TT_UPDATE_BLOCK) tt_zero_on_sum(z, update_group, o);
    return o;
}

tt_optim_size tt_optim_sizes(const tt_job *job, tt_pars *pars, const tt_own *own, int rank)
{
    tt_optim o = {.job = job, .pars = pars, .rule = rule_of(job), .own = own, .rank = rank};
    o.a = tt_arena_new(0);
    plan_pieces(&o);
    tt_optim_size s = {moment_bytes(&o), sizeof(float) * (size_t)work_floats(&o)};
    tt_arena_free(o.a);
    return s;
}

void tt_optim_free(tt_optim *o)
{
    if (!o) return;
    tt_arena_free(o->a);
    free(o);
}

int64_t tt_optim_t(const tt_optim *o) { return o->t; }
void tt_optim_set_t(tt_optim *o, int64_t t) { o->t = t; }

/* ---- the norm ------------------------------------------------------------------------------------------------------*/

/* Sums of squares of the blocks of a group that this rank owns. */
static void square_group(tt_optim *o, int group)
{
    int64_t lo, hi;
    tt_own_range(o->own, group, tt_zero_rank(o->z), &lo, &hi);
    const float *g = tt_zero_sum(o->z, group);
    int p = o->pars->group[group].first;
    for (int64_t b = o->group_block[group]; b < o->group_block[group + 1]; b++) {
        int64_t at = o->pars->block[b], n = o->pars->block[b + 1] - at;
        if (at < lo || at >= hi) continue;
        while (p + 1 < o->pars->n && o->pars->p[p + 1].at <= at) p++;
        o->sums[b] = o->pars->p[p].trained ? o->k->sumsq(n, g + (at - lo)) : 0;
    }
}

/* Blocks of other ranks are 0 here: the sum over ranks is exact. */
static double add_blocks(tt_optim *o)
{
    double sum = 0;
    if (o->m->size > 1 && o->job->mesh.zero > 0) tt_allsum_f64(o->m, o->sums, o->pars->nblock);
    for (int64_t b = 0; b < o->pars->nblock; b++) sum += o->sums[b];
    memset(o->sums, 0, sizeof *o->sums * (size_t)o->pars->nblock);
    return sqrt(sum);
}

double tt_optim_norm(tt_optim *o)
{
    for (int g = 0; g < o->pars->ngroup && o->job->optim.update == TT_UPDATE_STEP; g++) square_group(o, g);
    return add_blocks(o);
}

static bool group_trained(const tt_optim *o, int group)
{
    const tt_group *g = &o->pars->group[group];
    for (int i = g->first; i < g->end; i++)
        if (o->pars->p[i].trained) return true;
    return false;
}

/* ---- updates ---------------------------------------------------------------------------------------------------------*/

static void update_piece(tt_optim *o, const piece *c, rate r)
{
    const tt_par *p = &o->pars->p[c->par];
    int64_t lo, hi, from, to;
    own_range(o, c->par, &lo, &hi);
    tt_own_range(o->own, p->group, tt_zero_rank(o->z), &from, &to);
    bool spared = o->job->optim.decay == TT_DECAY_HF && p->no_decay;
    r.decay = spared ? 0 : o->job->optim.weight_decay;
    int64_t at = p->at + c->at - from;
    target t = {.par = p, .n = c->n, .w = tt_zero_master(o->z, p->group) + at, .g = tt_zero_sum(o->z, p->group) + at};
    t.work = o->work;
    for (int k = 0; k < MAX_MOMENTS; k++)
        if (o->moment[c->par][k]) t.moment[k] = o->moment[c->par][k] + (c->at - lo);
    o->rule->update(o->job, o->k, &r, &t);
}

static void update_pieces(tt_optim *o, int group, rate r)
{
    if (!group_trained(o, group)) return;
    for (int64_t i = o->first[group]; i < o->first[group + 1]; i++) update_piece(o, &o->piece[i], r);
    tt_zero_changed(o->z, group);
}

/* As soon as the group's gradient is there. The owner of a stretch that is not finite leaves it; the norm tells everyone. */
static void update_group(void *ctx, int group)
{
    tt_optim *o = ctx;
    square_group(o, group);
    double sum = 0;
    for (int64_t b = o->group_block[group]; b < o->group_block[group + 1]; b++) sum += o->sums[b];
    rate r = o->rate;
    if (isfinite(sum))
        update_pieces(o, group, r);
    else
        tt_zero_changed(o->z, group);
}

void tt_optim_begin(tt_optim *o, double lr) { o->rate = (rate){.lr = lr, .clip = 1, .t = o->t + 1}; }

void tt_optim_step(tt_optim *o, double lr, double norm)
{
    double clip = o->job->optim.clip, factor = clip > 0 ? fmin(1, clip / (norm + 1e-6)) : 1;
    rate r = {.lr = lr, .clip = factor, .t = ++o->t};
    for (int g = 0; g < o->pars->ngroup && o->job->optim.update == TT_UPDATE_STEP; g++) update_pieces(o, g, r);
}

/* ---- the state ----------------------------------------------------------------------------------------------------------*/

/* The part [*lo,*hi) of what this rank holds that it writes: all of it, but in stage 0 its cut, for every rank holds everything. */
static void kept(const tt_optim *o, int i, int64_t *lo, int64_t *hi)
{
    if (o->job->mesh.zero == 0)
        tt_zero_cut(o->z, i, lo, hi);
    else
        own_range(o, i, lo, hi);
}

/* False if parameter i has no moment k. */
static bool describe_moment(const tt_optim *o, int i, int k, bool all, tt_ckarray *c)
{
    int64_t lo, hi, from, to;
    *c = (tt_ckarray){0};
    c->ndim = moment_range(o, i, k, c->shape, &lo, &hi);
    if (c->ndim == 0) return false;
    c->n = volume(c->ndim, c->shape);
    kept(o, i, &from, &to);
    if (o->rule->whole) to = from < to ? hi : from;
    c->lo = all ? lo : from;
    c->hi = all ? hi : to;
    if (c->lo >= c->hi) c->lo = c->hi = 0;
    c->x = o->moment[i][k] ? o->moment[i][k] + (c->lo - lo) : NULL;
    int len = snprintf(c->path, sizeof c->path, "/optim/%s/%s", o->rule->moment[k], o->pars->p[i].name);
    if (len >= (int)sizeof c->path) TT_BUG("parameter name too long: %s", o->pars->p[i].name);
    return true;
}

static void describe_weights(const tt_optim *o, int i, bool all, tt_ckarray *c)
{
    const tt_par *p = &o->pars->p[i];
    int64_t from, to;
    *c = (tt_ckarray){.ndim = p->ndim, .n = p->n};
    int len = snprintf(c->path, sizeof c->path, "/weights/%s", p->name);
    if (len >= (int)sizeof c->path) TT_BUG("parameter name too long: %s", p->name);
    memcpy(c->shape, p->shape, sizeof c->shape);
    if (all)
        own_range(o, i, &c->lo, &c->hi);
    else
        kept(o, i, &c->lo, &c->hi);
    tt_own_range(o->own, p->group, tt_zero_rank(o->z), &from, &to);
    c->x = tt_zero_master(o->z, p->group) + (p->at + c->lo - from);
}

void tt_optim_arrays(tt_optim *o, tt_arena *a, bool all, int *n, tt_ckarray **arrays)
{
    *arrays = TT_NEW(a, tt_ckarray, o->pars->n * (MAX_MOMENTS + 1) + 1);
    *n = 0;
    for (int i = 0; i < o->pars->n; i++) describe_weights(o, i, all, &(*arrays)[(*n)++]);
    for (int i = 0; i < o->pars->n; i++)
        for (int k = 0; k < MAX_MOMENTS; k++) *n += describe_moment(o, i, k, all, &(*arrays)[*n]);
}
