/* From what all ranks of tp have alike to what each has a share of, and back: a pair of ops, each the other's backward. */
#include "tape.h"

#include "tutti/comm.h"

bool tt_parted(const tt_tape *t) { return t->tp && t->tp->tp > 1; }

typedef struct fan_node {
    tt_node node;
    tt_t *x;
} fan_node;

static void sum(const tt_tape *t, float *x, int64_t n)
{
    if (!t->dry) tt_tp_sum(t->tp, x, n);
}

/* x's gradient gets y's, which is fp32. */
static void pass(tt_tape *t, tt_t *x, tt_t *y)
{
    if (!grad_half(x)) {
        tt_grad_pass(t, x, y);
        return;
    }
    half_grad dx = tt_half_begin(t, x);
    if (dx.to) t->k->to_half(x->rows * x->cols, y->g, dx.to);
    tt_half_end(t, dx);
}

static void fan_out_back(tt_tape *t, tt_node *node)
{
    sum(t, tt_grad_own(t, node->y), node->y->rows * node->y->cols);
    pass(t, ((fan_node *)node)->x, node->y);
}

static void fan_in_back(tt_tape *t, tt_node *node) { pass(t, ((fan_node *)node)->x, node->y); }

/* x's memory is shared with the result: neither may be written over. The gradient is summed in fp32. */
tt_t *tt_fan_out(tt_tape *t, tt_t *x)
{
    if (!tt_parted(t)) return x;
    assert(x->ld == x->cols);
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = x->rows, .cols = x->cols, .ld = x->ld, .x = x->x, .h = x->h, .wide = true, .need = wants(t, x)};
    x->spare = false;
    if (y->need) RECORD(t, fan_node, fan_out_back, y)->x = x;
    return y;
}

/* bf16 products are summed as fp32. */
tt_t *tt_fan_in(tt_tape *t, tt_t *x)
{
    if (!tt_parted(t)) return x;
    int64_t n = x->rows * x->cols;
    const float *from = x->x;
    tt_t *y = x->h ? tt_new(t, x->rows, x->cols, false) : tt_over(t, x);
    if (x->h)
        put_single(t, n, x->h, y->x);
    else if (y->x != from)
        put_copy(t, y->x, from, sizeof *from * (size_t)n);
    sum(t, y->x, n);
    y->spare = true;
    y->need = wants(t, x);
    if (y->need) RECORD(t, fan_node, fan_in_back, y)->x = x;
    return y;
}
