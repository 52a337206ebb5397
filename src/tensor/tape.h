/* Private to the tensor layer: how an op records its backward and reaches gradients. */
#ifndef TUTTI_TAPE_H
#define TUTTI_TAPE_H

#include "tutti/tensor.h"

#include <string.h>

/* Every op's record starts with one of these. back is called once y's gradient is complete; it may not use y->g afterwards. */
struct tt_node {
    tt_node *prev;
    void (*back)(tt_tape *t, tt_node *node);
    tt_t *y;
};

/* A record of type that runs fn for y; the op fills in the rest. */
#define RECORD(tape, type, fn, out) ((type *)tt_tape_record((tape), sizeof(type), (fn), (out)))
void *tt_tape_record(tt_tape *t, size_t bytes, void (*back)(tt_tape *t, tt_node *node), tt_t *y);

/* Values are set and copied through these; a dry tape only counts them. */
static inline void put_zero(const tt_tape *t, void *x, size_t bytes)
{
    if (t->dry)
        tt_dry_pass(bytes);
    else
        memset(x, 0, bytes);
}
static inline void put_copy(const tt_tape *t, void *to, const void *from, size_t bytes)
{
    if (t->dry)
        tt_dry_pass(2 * bytes);
    else
        memcpy(to, from, bytes);
}
static inline void put_single(const tt_tape *t, int64_t n, const tt_bf16 *from, float *to)
{
    if (t->dry)
        tt_dry_pass((sizeof *from + sizeof *to) * (size_t)n);
    else
        tt_f32_from_bf16(n, from, to);
}

/* An op's result needs a gradient if one of its inputs wants one or one of its parameters is trained. */
static inline bool wants(const tt_tape *t, const tt_t *x) { return t->record && x->need; }
static inline bool trains(const tt_tape *t, const tt_par *p) { return p && t->record && p->trained; }
/* Where a trained parameter's gradient is added, else NULL. */
float *tt_par_grad(const tt_par *p);
/* The same for a kernel that can overwrite: *beta is 0 at the first contribution (memory not cleared), else 1. */
float *tt_par_grad_set(const tt_par *p, float *beta);

static inline bool halved(const tt_tape *t) { return t->half && t->record; }
/* Is x's gradient stored as bf16? */
static inline bool grad_half(const tt_t *x) { return x->h && !x->wide; }
static inline tt_bf16 *half_of(float *g) { return (tt_bf16 *)(void *)g; }

/* x's gradient, to be added to: cleared when this is the first contribution. NULL if x needs none. */
float *tt_grad_add(tt_tape *t, tt_t *x);
/* x->g = 0: of a view, its columns. */
void tt_view_clear(const tt_tape *t, tt_t *x);
/* x's gradient for a kernel that can overwrite: *beta is 0 at the first contribution (memory not cleared), else 1. */
float *tt_grad_set(tt_tape *t, tt_t *x, float *beta);
/* Where a kernel sets a bf16 tensor's gradient: the gradient itself, or memory that tt_half_end adds to it. NULL if x needs none. */
typedef struct half_grad {
    tt_t *x;
    tt_bf16 *to;
} half_grad;
half_grad tt_half_begin(tt_tape *t, tt_t *x);
void tt_half_end(tt_tape *t, half_grad g);
/* x as bf16: x itself if it is, else a rounded copy with its own record. */
tt_t *tt_halve(tt_tape *t, tt_t *x);

/* y's complete gradient, to be written over by y's own backward: a copy if another tensor holds it, too. */
float *tt_grad_own(tt_tape *t, tt_t *y);
/* x's gradient += y's, without a copy where x has none yet. */
void tt_grad_pass(tt_tape *t, tt_t *x, tt_t *y);
/* Takes y's gradient buffer for x if nobody else holds it and x has none (for in-place backwards); false otherwise. */
bool tt_grad_take(tt_t *x, tt_t *y);

/* A result of x's shape, with no gradient needed so far: x's memory if that is spare (then x->x becomes NULL), else new memory. */
tt_t *tt_over(tt_tape *t, tt_t *x);

/* Does the rank compute a part of the model? Is p a true slice? */
bool tt_parted(const tt_tape *t);
static inline bool sliced(const tt_par *p) { return p->axis >= 0 && p->hi - p->lo < p->of; }

#endif
