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
    t->k->attn_bwd(&n->a, n->q->x, n->q->ld, n->k->x, n->k->ld, n->v->x, n->v->ld, node->y->x, node->y->g, node->y->ld,
                   n->lse, tt_grad_add(t, n->q), tt_grad_add(t, n->k), tt_grad_add(t, n->v), tt_par_grad(n->bias));
}

/* Where segments leave rows out the kernel does not write. */
static half_grad cleared(tt_tape *t, tt_t *x, int64_t covered)
{
    half_grad g = tt_half_begin(t, x);
    for (int64_t r = 0; r < x->rows && g.to && covered < x->rows; r++)
        put_zero(t, g.to + r * x->ld, (size_t)x->cols * sizeof *g.to);
    return g;
}

static void attend_back_half(tt_tape *t, tt_node *node)
{
    attend_node *n = (attend_node *)node;
    int64_t queries = 0, keys = 0;
    for (int i = 0; i < n->a.nseg; i++) {
        queries += n->a.seg[i].qn;
        keys += n->a.seg[i].kn;
    }
    half_grad q = cleared(t, n->q, queries), k = cleared(t, n->k, keys), v = cleared(t, n->v, keys);
    t->k->attn_bwd_half(&n->a, n->q->h, n->q->ld, n->k->h, n->k->ld, n->v->h, n->v->ld, node->y->h, half_of(node->y->g),
                        node->y->ld, n->lse, q.to, k.to, v.to, tt_par_grad(n->bias));
    tt_half_end(t, q);
    tt_half_end(t, k);
    tt_half_end(t, v);
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
    assert(!q->h == !k->h && !k->h == !v->h);
    tt_attn own = problem(t, a, bias);
    bool need = wants(t, q) || wants(t, k) || wants(t, v) || trains(t, bias);
    tt_t *o = (q->h ? tt_new_half : tt_new)(t, q->rows, q->cols, need);
    float *lse = TT_NEW(t->a, float, q->rows * a->H);
    if (q->h)
        t->k->attn_fwd_half(&own, q->h, q->ld, k->h, k->ld, v->h, v->ld, o->h, o->ld, lse);
    else
        t->k->attn_fwd(&own, q->x, q->ld, k->x, k->ld, v->x, v->ld, o->x, o->ld, lse);
    if (!o->need) return o;
    q->spare = k->spare = v->spare = false;
    attend_node *n = RECORD(t, attend_node, q->h ? attend_back_half : attend_back, o);
    n->q = q;
    n->k = k;
    n->v = v;
    n->bias = bias;
    n->a = own;
    n->lse = lse;
    return o;
}
