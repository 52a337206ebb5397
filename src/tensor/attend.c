/* Attention over segments. */
#include "tape.h"

typedef struct attend_node {
    tt_node node;
    tt_t *q, *k, *v;
    const tt_par *bias;
    tt_attn a;
    float *lse;
} attend_node;

static void attend_back(tt_tape *t, tt_node *node)
{
    attend_node *n = (attend_node *)node;
    t->k->attn_bwd(&n->a, n->q->x, n->q->cols, n->k->x, n->k->cols, n->v->x, n->v->cols, node->y->x, node->y->g,
                   node->y->cols, n->lse, tt_grad_add(t, n->q), tt_grad_add(t, n->k), tt_grad_add(t, n->v),
                   tt_par_grad(n->bias));
}

static tt_attn problem(tt_tape *t, const tt_attn *a, const tt_par *bias)
{
    tt_attn own = *a;
    own.bias = bias ? bias->w : NULL;
    own.drop = t->drop;
    if (t->drop > 0.f) own.drop_key = tt_key(t->key, "attention dropout", t->uses++, 0, 0);
    return own;
}

tt_t *tt_attend(tt_tape *t, tt_t *q, tt_t *k, tt_t *v, const tt_attn *a, const tt_par *bias)
{
    assert(q->cols == (int64_t)a->H * a->K && k->cols == (int64_t)a->Hkv * a->K && v->cols == k->cols);
    tt_attn own = problem(t, a, bias);
    tt_t *o = tt_new(t, q->rows, q->cols, wants(t, q) || wants(t, k) || wants(t, v) || trains(t, bias));
    float *lse = TT_NEW(t->a, float, q->rows * a->H);
    t->k->attn_fwd(&own, q->x, q->cols, k->x, k->cols, v->x, v->cols, o->x, o->cols, lse);
    if (!o->need) return o;
    q->spare = k->spare = v->spare = false;
    attend_node *n = RECORD(t, attend_node, attend_back, o);
    n->q = q;
    n->k = k;
    n->v = v;
    n->bias = bias;
    n->a = own;
    n->lse = lse;
    return o;
}
