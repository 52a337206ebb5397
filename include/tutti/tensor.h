/* tensor: tensors, the tape, coarse ops, the parameter table. Local; knows nothing of models. */
#ifndef TUTTI_TENSOR_H
#define TUTTI_TENSOR_H

#include "tutti/base.h"
#include "tutti/kern.h"

/* ---- parameter table ----------------------------------------------------------------------------------------
 * One row per parameter; everything that walks parameters reads this table: slabs, ZeRO cuts, HDF5 paths, safetensors names,
 * weight decay, Adafactor's axes. Rows are found by name, never by number. */
typedef enum tt_init { TT_INIT_ZERO, TT_INIT_ONE, TT_INIT_NORMAL } tt_init;

typedef struct tt_par {
    const char *name; /* the stored name, as the model's home framework writes it */
    int ndim;
    int64_t shape[4];
    int64_t n;  /* elements */
    int64_t at; /* offset in the slabs, a multiple of 16 floats */
    tt_init init;
    double std;    /* for TT_INIT_NORMAL */
    bool norm;     /* scale of a norm layer (no decay in HF's grouping) */
    bool no_decay; /* HF Trainer grouping: norm scales and names containing "bias" */
    bool trained;
    float *w; /* weights slab + at */
    float *g; /* gradient slab + at; NULL until tt_pars_grads */
} tt_par;

typedef struct tt_pars {
    int n;
    tt_par *p;
    int64_t size; /* floats in one slab, padding included (padding is zero and stays zero) */
    float *w, *g; /* slabs, 64-byte aligned */
    /* Blocks of at most TT_BLOCK elements, never crossing a parameter: the unit of partition, norms and checksums. */
    int64_t nblock;
    const int64_t *block; /* [nblock+1] slab offsets */
    int cap;
    int64_t *block_buf;
} tt_pars;

enum { TT_BLOCK = 65536 };

void tt_pars_init(tt_pars *t);
/* Adds a row; name is copied. Returns its index (rows move until tt_pars_seal; pointers to them are good after it). */
int tt_pars_add(tt_pars *t, const char *name, int ndim, const int64_t *shape, tt_init init, double std, bool norm);
void tt_pars_seal(tt_pars *t);                /* lays out the slabs, allocates w (zero) */
void tt_pars_grads(tt_pars *t);               /* allocates g (zero) */
void tt_pars_draw(tt_pars *t, uint64_t seed); /* initial values by each row's init; a function of (seed, name, index) */
tt_par *tt_pars_find(const tt_pars *t, const char *name); /* NULL if absent */
void tt_pars_fini(tt_pars *t);
int64_t tt_pars_count(const tt_pars *t, bool trained_only); /* elements without padding */

/* ---- tensors and the tape ------------------------------------------------------------------------------------
 * An eager tape: an op computes at once, and records its backward if any input needs a gradient and the tape records.
 * All memory is in the step arena; tt_tape_begin forgets the last step's nodes (the caller resets the arena).
 *
 * Gradients of tensors exist only while the backward pass needs them: the first contribution makes the buffer, and when the
 * producer's backward has run the buffer serves the next tensor of that size. tt_add passes its buffer on instead of copying it;
 * a shared buffer is copied before anything is added to it.
 * Gradients of parameters (par->g) are added to: the caller clears the slab. Parameters that are not trained get none. */
typedef struct tt_t {
    int64_t rows, cols;
    float *x; /* value */
    float
        *g; /* gradient; NULL until the backward pass reaches it. Only tensors made by tt_new keep theirs afterwards */
    bool need;  /* needs a gradient */
    bool spare; /* no backward needs the value so far: tt_add and tt_drop may write over it */
} tt_t;

typedef struct tt_node tt_node;
typedef struct tt_gbuf tt_gbuf;
typedef struct tt_tape {
    tt_arena *a;
    const tt_kern *k;
    bool record;   /* false: inference, nothing is saved */
    float drop;    /* dropout probability of this pass; 0 in evaluation */
    tt_rkey key;   /* names (seed, step, grain); every dropout use takes the next sub-key */
    uint64_t uses; /* dropout uses so far in this pass */
    tt_node *last;
    tt_gbuf *pool; /* gradient buffers to be used again */
} tt_tape;

void tt_tape_begin(tt_tape *t, tt_arena *a, const tt_kern *k, bool record, float drop, tt_rkey key);
void tt_tape_back(
    tt_tape *t); /* runs the recorded backwards in reverse; loss ops have already seeded their gradients */
tt_t *tt_new(tt_tape *t, int64_t rows, int64_t cols, bool need); /* value not cleared */
void tt_seed(tt_tape *t, tt_t *y, const float *dy);              /* y's gradient += dy: makes y a root */

/* y[R,out] = x[R,in] w[out,in]^T.  dx += dy w; dw += dy^T x */
tt_t *tt_linear(tt_tape *t, tt_t *x, const tt_par *w);
/* y = rms(x) * w */
tt_t *tt_rms(tt_tape *t, tt_t *x, const tt_par *w, float eps);
tt_t *tt_layernorm(tt_tape *t, tt_t *x, const tt_par *w, const tt_par *b, float eps);
tt_t *tt_activate(tt_tape *t, tt_t *x, tt_act act);
tt_t *tt_gate(tt_tape *t, tt_t *g, tt_t *u, tt_act act); /* act(g) * u */
/* a + b. The sum is written over b where b is spare (comes straight from another op); then b->x becomes NULL. */
tt_t *tt_add(tt_tape *t, tt_t *a, tt_t *b);
/* x itself when the tape's drop is 0; else, as tt_add, over x where x is spare. */
tt_t *tt_drop(tt_tape *t, tt_t *x);
tt_t *tt_embed(tt_tape *t, const int32_t *ids, int64_t R, const tt_par *E);
/* o[Rq, H*K]; a->seg and a->bias describe the problem (bias table: pass the parameter so that it gets its gradient; NULL none).
 * a is copied; a->seg must live as long as the tape. */
tt_t *tt_attend(tt_tape *t, tt_t *q, tt_t *k, tt_t *v, const tt_attn *a, const tt_par *bias);
/* logits[R,V] = scale * h W^T, all of them: for probes and tests. */
tt_t *tt_logits(tt_tape *t, tt_t *h, const tt_par *W, float scale);

/* Loss over targets by the chunked head; y < 0 rows are left out. Seeds and computes dh and dW at once (it is the root of the tape).
 * token, nll, argmax: [R] arrays of the caller or NULL (token may be NULL too). Returns sum_r weight[r]*token[r]. */
double tt_head_loss(tt_tape *t, tt_t *h, const tt_par *W, float scale, const int32_t *y, const float *weight,
                    float smooth, float zloss, float *token, float *nll, int32_t *argmax);

#endif
