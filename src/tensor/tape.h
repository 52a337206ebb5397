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
static inline void put_zero(const tt_tape *t, float *x, size_t bytes)
{
    if (t->dry)
        tt_dry_pass(bytes);
    else
        memset(x, 0, bytes);
}
static inline void put_copy(const tt_tape *t, float *to, const float *from, size_t bytes)
{
    if (t->dry)
        tt_dry_pass(2 * bytes);
    else
        memcpy(to, from, bytes);
}

/* An op's result needs a gradient if one of its inputs wants one or one of its parameters is trained. */
static inline bool wants(const tt_tape *t, const tt_t *x) { return t->record && x->need; }
static inline bool trains(const tt_tape *t, const tt_par *p) { return p && t->record && p->trained; }
/* Where a trained parameter's gradient is added, else NULL. */
float *tt_par_grad(const tt_par *p);
/* The same for a kernel that can overwrite: *beta is 0 at the first contribution (memory not cleared), else 1. */
float *tt_par_grad_set(const tt_par *p, float *beta);

/* x's gradient, to be added to: cleared when this is the first contribution. NULL if x needs none. */
float *tt_grad_add(tt_tape *t, tt_t *x);
/* x's gradient for a kernel that can overwrite: *beta is 0 at the first contribution (memory not cleared), else 1. */
float *tt_grad_set(tt_tape *t, tt_t *x, float *beta);
/* x's gradient += y's, without a copy where x has none yet. */
void tt_grad_pass(tt_tape *t, tt_t *x, tt_t *y);
/* Takes y's gradient buffer for x if nobody else holds it and x has none (for in-place backwards); false otherwise. */
bool tt_grad_take(tt_t *x, tt_t *y);

#endif
