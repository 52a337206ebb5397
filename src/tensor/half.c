/* bf16 tensors: how their gradients are set, and the way in from fp32. */
#include "tape.h"

half_grad tt_half_begin(tt_tape *t, tt_t *x)
{
    assert(x->h);
    if (!x->need) return (half_grad){0};
    if (grad_half(x) && !x->g) {
        float beta;
        return (half_grad){NULL, half_of(tt_grad_set(t, x, &beta))};
    }
    return (half_grad){x, TT_NEW(t->ga, tt_bf16, x->rows * x->ld)};
}

/* Sums of bf16 gradients are rounded once per summand; a tensor that many read is wide. */
void tt_half_end(tt_tape *t, half_grad g)
{
    if (!g.x) return;
    int64_t cols = g.x->cols, ld = g.x->ld;
    float *sum = TT_NEW(t->ga, float, cols), *to = tt_grad_add(t, g.x);
    for (int64_t r = 0; r < g.x->rows; r++) {
        if (g.x->wide) {
            t->k->add_half(cols, g.to + r * ld, to + r * ld);
            continue;
        }
        put_single(t, cols, half_of(to) + r * ld, sum);
        t->k->add_half(cols, g.to + r * ld, sum);
        t->k->to_half(cols, sum, half_of(to) + r * ld);
    }
}

typedef struct halve_node {
    tt_node node;
    tt_t *x;
} halve_node;

static void halve_back(tt_tape *t, tt_node *node)
{
    tt_t *x = ((halve_node *)node)->x;
    t->k->add_half(x->rows * x->cols, half_of(node->y->g), tt_grad_add(t, x));
}

tt_t *tt_halve(tt_tape *t, tt_t *x)
{
    if (x->h) return x;
    tt_t *y = tt_new_half(t, x->rows, x->cols, wants(t, x));
    t->k->to_half(x->rows * x->cols, x->x, y->h);
    if (y->need) RECORD(t, halve_node, halve_back, y)->x = x;
    return y;
}
