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
    int group;
    /* In the table of a part of a model: which rows (axis 0) or columns (axis 1), [lo, hi), of the `of` of the whole parameter these are;
     * axis -1: all. */
    int axis;
    int64_t lo, hi, of;
    float *w;       /* weights; NULL where nobody has put any */
    float *g;       /* gradient; NULL until there is room for it */
    uint16_t *h;    /* w as bf16, or NULL */
    uint8_t *unset; /* 1: g holds nothing yet, the first contribution overwrites it; NULL: g is always added to */
} tt_par;

/* Rows of the table that come and go together: a block of the model, its head; group 0 holds what is in use all along (embedding,
 * relative positions, final norms). Groups tile the slab. */
typedef struct tt_group {
    int first, end; /* rows */
    int64_t at, n;  /* of the slab */
} tt_group;

typedef struct tt_pars {
    int n;
    tt_par *p;
    int64_t size; /* floats in one slab, padding included (padding is zero and stays zero) */
    float *w, *g; /* slabs, 64-byte aligned; NULL: not allocated */
    uint16_t *h;
    uint8_t *unset; /* [n] */
    int ngroup;
    tt_group *group;
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
void tt_pars_group(tt_pars *t);  /* rows added from here on make a new group; the first group needs no call */
void tt_pars_lay(tt_pars *t);    /* lays out the slabs, allocates nothing; no rows may follow */
void tt_pars_seal(tt_pars *t);   /* tt_pars_lay and tt_pars_alloc */
void tt_pars_alloc(tt_pars *t);  /* allocates w (zero) and points the rows at it; nothing if that has happened */
void tt_pars_drop(tt_pars *t);   /* frees w */
float *tt_pars_take(tt_pars *t); /* w, which is the caller's to free now; NULL: there is none */
void tt_pars_grads(tt_pars *t);  /* allocates g (zero); nothing if that has happened */
/* Rows of group: weights, gradients, bf16 weights lie at w, g, h (element 0 of the group; NULL: nowhere). */
void tt_pars_place(tt_pars *t, int group, float *w, float *g, uint16_t *h);
/* The gradients of group hold nothing (true): contributions overwrite; or are complete (false): what got none is cleared. */
void tt_pars_unset(tt_pars *t, int group, bool unset);
void tt_pars_halve(tt_pars *t, int group);    /* h = w as bf16, for the group; allocates the slab if h is nowhere */
void tt_pars_draw(tt_pars *t, uint64_t seed); /* initial values by each row's init; a function of (seed, name, index) */
void tt_par_draw(const tt_par *p, uint64_t seed, float *w); /* the same for one row, to w */
tt_par *tt_pars_find(const tt_pars *t, const char *name);   /* NULL if absent */
void tt_pars_fini(tt_pars *t);
int64_t tt_pars_count(const tt_pars *t, bool trained_only); /* elements without padding */
/* Between a whole parameter and a part's slice of it: out [part->n] = the slice; whole gets the slice put into its place. */
void tt_par_slice(const tt_par *part, const float *whole, float *out);
void tt_par_unslice(const tt_par *part, const float *slice, float *whole);
/* The same for elements at .. at+n-1 of the whole, which lie at some: those that the slice has, if any, are copied. */
void tt_par_slice_some(const tt_par *part, int64_t at, int64_t n, const float *some, float *out);
void tt_par_unslice_some(const tt_par *part, int64_t at, int64_t n, const float *slice, float *some);
int64_t tt_par_whole(const tt_par *part); /* elements of the whole parameter */

/* ---- tensors and the tape ------------------------------------------------------------------------------------
 * An eager tape: an op computes at once, and records its backward if any input needs a gradient and the tape records.
 * All memory is in the step arena; tt_tape_begin forgets the last step's nodes (the caller resets the arena).
 *
 * Gradients of tensors exist only while the backward pass needs them: the first contribution makes the buffer, and when the
 * producer's backward has run the buffer serves the next tensor of that size. tt_add passes its buffer on instead of copying it;
 * a shared buffer is copied before anything is added to it.
 * Gradients of parameters (par->g) are added to, or begun where par->unset says so. Parameters that are not trained get none. */
typedef struct tt_t {
    int64_t rows, cols, ld; /* rows begin ld elements apart: more than cols in a view */
    float *x;               /* value; NULL where it is bf16 */
    tt_bf16 *h;             /* value of a bf16 tensor */
    float *
        g; /* gradient, stored as bf16 if the value is and not wide (TT_GRAD_HALF); NULL until the backward pass reaches it.
                 Only tensors made by tt_new keep theirs afterwards */
    struct tt_t *of; /* this is a view: columns of that tensor, its gradient likewise */
    bool need;       /* needs a gradient */
    bool spare;      /* no backward needs the value so far: tt_add and tt_drop may write over it */
    bool wide;       /* many read it: its gradient is summed in fp32 though it is bf16 */
} tt_t;

typedef struct tt_node tt_node;
typedef struct tt_gbuf tt_gbuf;

/* What the owner of the weights wants to know of a recorded pass. use: the group's weights (back: and gradients) are needed from here on; done:
 * they are not (back: the gradients are complete). poll: now and then during the backward pass. Every pass makes the same calls. */
typedef struct tt_hooks {
    void (*use)(void *ctx, int group, bool back);
    void (*done)(void *ctx, int group, bool back);
    void (*poll)(void *ctx);
    void *ctx;
} tt_hooks;

typedef struct tt_tape {
    tt_arena *a;
    tt_arena *ga; /* of gradient buffers; must not be a where blocks are recomputed */
    const tt_kern *k;
    const tt_hooks *hooks; /* NULL: nobody wants to know */
    bool recompute;        /* tt_block keeps its input alone and computes again in the backward pass */
    bool
        half; /* bf16 compute while recording; parameters have their h. Residual sums, norms' statistics, loss stay fp32 */
    bool record; /* false: inference, nothing is saved */
    bool
        dry; /* values are never looked at: k does nothing, a and ga are phantoms, weights may be nowhere, nobody is asked for sums */
    float drop;    /* dropout probability of this pass; 0 in evaluation */
    tt_rkey key;   /* names (seed, step, grain); every dropout use takes the next sub-key */
    uint64_t uses; /* dropout uses so far in this pass */
    const struct tt_mesh
        *tp; /* who computes the model with this rank, each with a part of it (tt_mesh of comm.h); NULL: nobody */
    tt_node *last;
    tt_gbuf *pool; /* gradient buffers to be used again */
} tt_tape;

void tt_tape_begin(tt_tape *t, tt_arena *a, const tt_kern *k, bool record, float drop, tt_rkey key);
void tt_tape_back(
    tt_tape *t); /* runs the recorded backwards in reverse; loss ops have already seeded their gradients */
tt_t *tt_new(tt_tape *t, int64_t rows, int64_t cols, bool need);      /* value not cleared */
tt_t *tt_new_half(tt_tape *t, int64_t rows, int64_t cols, bool need); /* of bf16 */
void tt_seed(tt_tape *t, tt_t *y, const float *dy);                   /* y's gradient += dy: makes y a root */

/* One block of the model: y = fn(ctx, x, aux), of x's shape, whose parameters are group. Tells the hooks. With tape->recompute the block keeps
 * x and y alone; the backward pass runs fn again with the same dropout. x and aux (NULL: none) stay as they are. */
typedef tt_t *(*tt_blockfn)(tt_tape *t, const void *ctx, tt_t *x, tt_t *aux);
tt_t *tt_block(tt_tape *t, int group, tt_blockfn fn, const void *ctx, tt_t *x, tt_t *aux);
void tt_group_use(tt_tape *t, int group, bool back); /* tells the hooks, if the tape records */
void tt_group_done(tt_tape *t, int group, bool back);

/* y[R,out] = x[R,in] w[out,in]^T.  dx += dy w; dw += dy^T x */
tt_t *tt_linear(tt_tape *t, tt_t *x, const tt_par *w);
/* out[i] = x w[i]^T for n <= TT_LINEARS parameters. When recording they are views of one tensor, made by one product where the parameters lie
 * one after the other; dx is one product then, too. tt_attend and tt_gate take views. */
enum { TT_LINEARS = 4 };
void tt_linears(tt_tape *t, tt_t *x, int n, const tt_par *const *w, tt_t **out);
/* h <- h + f and rms(h) * w of that, in one pass; f NULL: the norm alone. */
tt_t *tt_add_rms(tt_tape *t, tt_t **h, tt_t *f, const tt_par *w, float eps);
/* y = rms(x) * w */
tt_t *tt_rms(tt_tape *t, tt_t *x, const tt_par *w, float eps);
tt_t *tt_layernorm(tt_tape *t, tt_t *x, const tt_par *w, const tt_par *b, float eps);
tt_t *tt_activate(tt_tape *t, tt_t *x, tt_act act);
tt_t *tt_gate(tt_tape *t, tt_t *g, tt_t *u, tt_act act); /* act(g) * u */
/* a + b, a fp32. The sum is written over b where b is spare (comes straight from another op); then b->x becomes NULL. */
tt_t *tt_add(tt_tape *t, tt_t *a, tt_t *b);
/* x itself when the tape's drop is 0; else, as tt_add, over x where x is spare. */
tt_t *tt_drop(tt_tape *t, tt_t *x);
/* As tt_drop for a tensor that is columns lo .. lo+cols-1 of the `of` of another: the mask is that of the other. */
tt_t *tt_drop_part(tt_tape *t, tt_t *x, int64_t lo, int64_t of);
/* ids count in the whole vocabulary. Where E is a slice of it the rows of other ids are zero: follow with tt_fan_in. */
tt_t *tt_embed(tt_tape *t, const int32_t *ids, int64_t R, const tt_par *E);
/* o[Rq, H*K]; a->seg and a->bias describe the problem (bias table: pass the parameter so that it gets its gradient; NULL none).
 * a is copied; a->seg must live as long as the tape. */
tt_t *tt_attend(tt_tape *t, tt_t *q, tt_t *k, tt_t *v, const tt_attn *a, const tt_par *bias);
/* logits[R,V] = scale * h W^T, all of them: for probes and tests. */
tt_t *tt_logits(tt_tape *t, tt_t *h, const tt_par *W, float scale);

/* The pair of ops between what every rank of the tape's tp has alike and what each has a share of (Shoeybi et al. 2019, f and g).
 * Collective over tp; x itself where the rank is alone.
 * out: y = x, before a product with a slice of rows; dx = sum over tp of dy.
 * in: y = sum over tp of x, after a product with a slice of columns; dx = dy. Over x where x is spare, as tt_add. */
tt_t *tt_fan_out(tt_tape *t, tt_t *x);
tt_t *tt_fan_in(tt_tape *t, tt_t *x);

/* W may be a slice of the vocabulary: then Collective over tp, h comes from tt_fan_out, and y and argmax count in the whole vocabulary.
 * Loss over targets by the chunked head; y < 0 rows are left out. Seeds and computes dh and dW at once (it is the root of the tape).
 * token, nll, argmax: [R] arrays of the caller or NULL (token may be NULL too). Returns sum_r weight[r]*token[r]. */
double tt_head_loss(tt_tape *t, tt_t *h, const tt_par *W, float scale, const int32_t *y, const float *weight,
                    float smooth, float zloss, float *token, float *nll, int32_t *argmax);

#endif
