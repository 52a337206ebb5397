/* From what all ranks of tp have alike to what each has a share of, and back: a pair of ops, each the other's backward. */
#include "tape.h"

#include "tutti/comm.h"

#include <string.h>

bool tt_parted(const tt_tape *t) { return t->tp && t->tp->tp > 1; }

typedef struct fan_node {
    tt_node node;
    tt_t *x;
} fan_node;

static void fan_out_back(tt_tape *t, tt_node *node)
{
    fan_node *n = (fan_node *)node;
    tt_tp_sum(t->tp, tt_grad_own(t, node->y), node->y->rows * node->y->cols);
    tt_grad_pass(t, n->x, node->y);
}

static void fan_in_back(tt_tape *t, tt_node *node) { tt_grad_pass(t, ((fan_node *)node)->x, node->y); }

/* x's memory is shared with the result: neither may be written over. */
tt_t *tt_fan_out(tt_tape *t, tt_t *x)
{
    if (!tt_parted(t)) return x;
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = x->rows, .cols = x->cols, .x = x->x, .need = wants(t, x)};
    x->spare = false;
    if (y->need) RECORD(t, fan_node, fan_out_back, y)->x = x;
    return y;
}

tt_t *tt_fan_in(tt_tape *t, tt_t *x)
{
    if (!tt_parted(t)) return x;
    int64_t n = x->rows * x->cols;
    const float *from = x->x;
    tt_t *y = tt_over(t, x);
    if (y->x != from) memcpy(y->x, from, sizeof *from * (size_t)n);
    tt_tp_sum(t->tp, y->x, n);
    y->spare = true;
    y->need = wants(t, x);
    if (y->need) RECORD(t, fan_node, fan_in_back, y)->x = x;
    return y;
}
