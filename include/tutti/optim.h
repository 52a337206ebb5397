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

/* ---- which grains, which blocks -----------------------------------------------------------------------------------*/
/* Rank r owns the grains of tt_share(grains, r, size). */
/* cut[size+1]: slab offsets at block boundaries (whole_tensors: at parameter boundaries), balanced by trained
 * elements. */
void tt_cuts(const tt_pars *pars, int size, bool whole_tensors, int64_t *cut);

/* ---- the exact sum (DESIGN D4) ------------------------------------------------------------------------------------
 * sum over grains 0..G-1 of g_i, in the order of the binary tree over [0, 2^ceil(log2 G)) whose node [a, a+2^k) is
 * the sum of its two halves (absent grains are absent, not zero). A rank folds its run of grains into the largest
 * aligned subtrees; each goes, cut by cut[], to the owner of the slice, which finishes the tree. The bits depend on
 * G and the g_i alone. */
typedef struct tt_xsum tt_xsum;
/* reduce: TT_REDUCE_EXACT or TT_REDUCE_MPI (MPI's own order of summation, to compare). */
tt_xsum *tt_xsum_new(const tt_mesh *m, const tt_pars *pars, const int64_t *cut, int64_t grains, int reduce,
                     const tt_kern *k);
void tt_xsum_free(tt_xsum *x);
void tt_xsum_begin(tt_xsum *x);
/* Local. Adds grain i (all own grains, in ascending order) whose gradient is pars->g. The slab may be overwritten at
 * once, but after the last own grain it must stay as it is until tt_xsum_finish. */
void tt_xsum_push(tt_xsum *x, int64_t grain);
/* Collective. Leaves the total in pars->g[cut[rank] .. cut[rank+1]) on its owner; the rest of pars->g is then
 * undefined. Returns seconds spent waiting in communication. */
double tt_xsum_finish(tt_xsum *x);
/* The same tree for one double per grain (losses): vals[G] with this rank's entries filled, others 0; gathers and
 * sums in tree order. Collective. */
double tt_xsum_scalar(const tt_mesh *m, int64_t grains, double *vals);

/* Local. What a rank of m (made up, for plans: rank and size count) would take, and nothing is allocated that costs. */
typedef struct tt_xsum_size {
    size_t windows; /* bytes of the exchange */
    int slabs;      /* of gradients that wait for their sum */
    int64_t nodes;  /* of the tree that ranks send, over all ranks */
} tt_xsum_size;
tt_xsum_size tt_xsum_sizes(const tt_mesh *m, const tt_pars *pars, const int64_t *cut, int64_t grains, int reduce);

/* ---- the optimizer ------------------------------------------------------------------------------------------------
 * State is sharded by cut[] (ZeRO 1): every rank updates its slice and the slices are gathered. AdamW and SGD cut at
 * blocks, Adafactor at whole parameters; neither changes a bit. */
typedef struct tt_optim tt_optim;
/* Local. TT_EJOB for settings that contradict each other. */
tt_err tt_optim_check(const tt_job *job);
/* Local. Frozen parameters hold no moments and are never touched. */
tt_optim *tt_optim_new(const tt_mesh *m, const tt_job *job, tt_pars *pars, const tt_kern *k);
void tt_optim_free(tt_optim *o);
const int64_t *tt_optim_cuts(const tt_optim *o);
/* Collective. Norm of the whole gradient from the owners' slices: block sums of squares in double, added in block
 * order on every rank. */
double tt_optim_norm(tt_optim *o);
/* Collective. One update with clip factor min(1, clip/(norm+1e-6)) (clip 0: none), rate lr; gathers the weights. t
 * counts from 1 and is advanced here; the caller skips steps whose norm is not finite. Returns seconds in
 * communication. */
double tt_optim_step(tt_optim *o, double lr, double norm);
/* Local. Bytes of the moments, and of the memory to work in, that a rank of m (made up, for plans) would hold. */
typedef struct tt_optim_size {
    size_t moments, work;
} tt_optim_size;
tt_optim_size tt_optim_sizes(const tt_mesh *m, const tt_job *job, tt_pars *pars);
bool tt_optim_whole(const tt_job *job); /* does the rule need whole parameters */
int64_t tt_optim_t(const tt_optim *o);
void tt_optim_set_t(tt_optim *o, int64_t t);
/* The moments as checkpoint arrays "/optim/<moment>/<name>" (this rank's lo..hi). Arrays live in a. */
void tt_optim_arrays(tt_optim *o, tt_arena *a, int *n, tt_ckarray **arrays);

#endif
