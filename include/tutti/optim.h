/* optim: the exact sum, partition of the state over ranks, AdamW, Adafactor, schedules. Knows nothing of models or
 * data. */
#ifndef TUTTI_OPTIM_H
#define TUTTI_OPTIM_H

#include "tutti/comm.h"
#include "tutti/conf.h"
#include "tutti/store.h"
#include "tutti/tensor.h"

/* ---- schedules: hf-semantics §7 -----------------------------------------------------------------------------------
 * done: optimizer updates made before this one; the first update with warm-up therefore has rate 0, as in Hugging
 * Face.
 *   constant 1 | linear (T-i)/(T-w) | cosine 0.5(1+cos(pi (i-w)/(T-w))) | rsqrt 1/sqrt((i + ts - w)/ts), ts = w or 10000
 * and min_ratio r: value*(1-r)+r for linear and cosine. */
double tt_schedule(int kind, int64_t done, int64_t warmup, int64_t total, double min_ratio);

/* ---- who owns what ------------------------------------------------------------------------------------------------
 * Every group of the parameter table is cut over all ranks; the owner of a stretch finishes its sum, holds its moments and updates
 * it. Cuts lie at blocks, or (whole) at parameters; groups take turns so that all ranks own about the same number of trained elements. */
typedef struct tt_own tt_own;
tt_own *tt_own_new(const tt_pars *pars, int size, bool whole);
void tt_own_free(tt_own *o);
/* Slab offsets [lo,hi) of the group that rank owns; tiles the group over the ranks, in some order of ranks. */
void tt_own_range(const tt_own *o, int group, int rank, int64_t *lo, int64_t *hi);
/* The same within parameter i: elements of the parameter. */
void tt_own_elements(const tt_own *o, int i, int rank, int64_t *lo, int64_t *hi);
int64_t tt_own_total(const tt_own *o, int rank); /* floats of all groups */

/* ---- the exact sum, and weights that are not everywhere (DESIGN D4, D5) --------------------------------------------
 * sum over grains 0..G-1 of g_i, in the order of the binary tree over [0, 2^ceil(log2 G)) whose node [a, a+2^k) is the sum of its
 * two halves (absent grains are absent, not zero). The bits depend on G and the g_i alone, not on who computed or added what.
 *
 *   stage  on every rank                              cut over the ranks
 *   0      weights, gradients, moments                -                            every rank updates everything
 *   1      weights, gradients                         moments
 *   2      weights, gradients of two groups           moments, sums of gradients   gradients leave group by group, grain by grain
 *   3      weights and gradients of a few groups      moments, sums, weights       weights come and go group by group
 *
 * Stages 0 and 1 deal runs of grains, fold them on the rank and send the largest aligned subtrees, a group at a time behind the
 * backward pass of the last grain. Stages 2 and 3 (and optim.update: block) deal grains in turns; the owner folds the grains of a
 * round as they arrive and holds its share of at most log2 G partial sums. Gathers of weights run behind the forward pass.
 *
 * whole: the table of the model. part: the table this rank computes with; the same one, or with tensor parallelism a slice of it
 * (rows in the same order and groups), or where weights come and go a copy of it without memory. */
typedef struct tt_zero tt_zero;
/* Makes the calls of one recorded pass on the hooks, in its order, without a pass (tt_t5_walk). */
typedef void (*tt_walk)(const void *model, const tt_hooks *hooks);
/* Local. TT_EJOB for settings that contradict each other. */
tt_err tt_zero_check(const tt_mesh *m, const tt_job *job);
/* Collective. Takes over the memory of part (weights as they are in whole, if those are there). walk NULL: a single group. */
tt_zero *tt_zero_new(const tt_mesh *m, const tt_job *job, tt_pars *whole, tt_pars *part, int64_t grains, tt_walk walk,
                     const void *model, const tt_kern *k);
void tt_zero_free(tt_zero *z);
bool tt_zero_streams(const tt_job *job); /* grains are dealt in turns, no full gradient is held */
const tt_deal *tt_zero_deal(const tt_zero *z);

/* Local. Row i of whole has the values w: every rank keeps what is its own. For weights that were read or drawn row by row. */
void tt_zero_put(tt_zero *z, int i, const float *w);
/* Collective. After all rows were put or masters changed by hand: every rank has the weights it computes with. */
void tt_zero_spread(tt_zero *z);
/* Collective. on: the whole table gets its memory and all weights, for evaluation and export; off: gives it back. Where the whole
 * table is what the ranks compute with, only waits for gathers under way. */
void tt_zero_whole(tt_zero *z, bool on);

/* One step. Local, but all ranks make the same calls, for rounds 0 .. tt_zero_rounds-1:
 *     tt_zero_begin; for each round: tt_zero_round, then a pass with tt_zero_hooks on grain tt_zero_grain(round), or tt_zero_idle
 *     where there is none or it is empty; tt_zero_finish
 * The gradient of an empty grain is zero. */
void tt_zero_begin(tt_zero *z);
int64_t tt_zero_rounds(const tt_zero *z);
int64_t tt_zero_grain(const tt_zero *z, int64_t round); /* -1: none */
void tt_zero_round(tt_zero *z, int64_t round);
const tt_hooks *tt_zero_hooks(const tt_zero *z);
void tt_zero_idle(tt_zero *z);
/* Collective. All sums are complete. */
void tt_zero_finish(tt_zero *z);
/* Seconds this rank has waited for communication since the last call. */
double tt_zero_waited(tt_zero *z);

/* For the optimizer. Stage 0 owns everything everywhere. */
const tt_own *tt_zero_own(const tt_zero *z);
int tt_zero_rank(const tt_zero *z); /* its place in that */
void tt_zero_cut(const tt_zero *z, int i, int64_t *lo,
                 int64_t *hi);                      /* elements of row i that fall to this rank when all are cut */
float *tt_zero_master(const tt_zero *z, int group); /* weights of the owned range, at its first element */
float *tt_zero_sum(const tt_zero *z, int group);    /* their gradient, complete after tt_zero_finish */
/* Calls fn when the sum of a group is complete, in the order of groups in the backward pass; its sum may then be forgotten. */
void tt_zero_on_sum(tt_zero *z, void (*fn)(void *ctx, int group), void *ctx);
/* Collective in effect. The owned weights of group have changed: starts their way to the others. */
void tt_zero_changed(tt_zero *z, int group);

/* The same tree for one double per grain (losses): vals[G] with this rank's entries filled, others 0; gathers and
 * sums in tree order. Collective. */
double tt_xsum_scalar(const tt_mesh *m, int64_t grains, double *vals);

/* Local, for plans: what rank of size would take; own is cut over size. The tables need no memory. */
typedef struct tt_zero_size {
    size_t weights, grads, messages; /* bytes; grads: with sums, and partial sums that wait */
    int64_t nodes;                   /* of the tree, that all places of the data-parallel axis send in a step */
} tt_zero_size;
tt_zero_size tt_zero_sizes(const tt_job *job, const tt_pars *whole, const tt_pars *part, const tt_own *own, int size,
                           int rank);

/* ---- the optimizer ------------------------------------------------------------------------------------------------
 * Every rank updates what it owns. AdamW and SGD cut at blocks, Adafactor at whole parameters; neither changes a bit. */
typedef struct tt_optim tt_optim;
/* Local. TT_EJOB for settings that contradict each other. */
tt_err tt_optim_check(const tt_job *job);
/* Local. Frozen parameters hold no moments and are never touched. */
tt_optim *tt_optim_new(const tt_mesh *m, const tt_job *job, tt_pars *pars, tt_zero *z, const tt_kern *k);
void tt_optim_free(tt_optim *o);
bool tt_optim_whole(const tt_job *job); /* its owners must hold whole parameters */
/* optim.update: block. Call before tt_zero_begin: groups are then updated at rate lr as their sums arrive, without clipping; a piece
 * whose gradient is not finite stays as it is. tt_optim_step only counts. */
void tt_optim_begin(tt_optim *o, double lr);
/* Collective. Norm of the whole gradient: block sums of squares in double, added in block order on every rank. */
double tt_optim_norm(tt_optim *o);
/* Collective. One update with clip factor min(1, clip/(norm+1e-6)) (clip 0: none), rate lr; new weights are on their way when it
 * returns. t counts from 1 and is advanced here; the caller skips steps whose norm is not finite. */
void tt_optim_step(tt_optim *o, double lr, double norm);
/* Local, for plans: bytes of the moments, and of the memory to work in, that rank would hold of what is cut as own is. */
typedef struct tt_optim_size {
    size_t moments, work;
} tt_optim_size;
tt_optim_size tt_optim_sizes(const tt_job *job, tt_pars *pars, const tt_own *own, int rank);
int64_t tt_optim_t(const tt_optim *o);
void tt_optim_set_t(tt_optim *o, int64_t t);
/* Weights "/weights/<name>" and moments "/optim/<moment>/<name>" as a checkpoint has them. all: every element this rank holds, for
 * reading; else those it writes: over all ranks each element once. After reading: tt_zero_spread. Arrays live in a. */
void tt_optim_arrays(tt_optim *o, tt_arena *a, bool all, int *n, tt_ckarray **arrays);

#endif
