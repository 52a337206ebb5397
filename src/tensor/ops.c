/* Ops over rows: linear, norms, activations, sums, dropout, embedding. Each computes at once and records its backward. */
#include "tape.h"

/* ---- y = scale * x w^T -------------------------------------------------------------------------------------*/
typedef struct linear_node {
    tt_node node;
    tt_t *x;
    const tt_par *w;
    float scale;
} linear_node;

static void linear_back(tt_tape *t, tt_node *node)
{
    linear_node *n = (linear_node *)node;
    int64_t R = n->x->rows, in = n->x->cols, out = node->y->cols;
    const float *dy = node->y->g;
    float beta, begun, *dx = tt_grad_set(t, n->x, &beta), *dw = tt_par_grad_set(n->w, &begun);
    if (dw) t->k->gemm(true, false, out, in, R, n->scale, dy, out, n->x->x, in, begun, dw, in);
    if (dx) t->k->gemm(false, false, R, in, out, n->scale, dy, out, n->w->w, in, beta, dx, in);
}

static tt_t *linear(tt_tape *t, tt_t *x, const tt_par *w, float scale)
{
    assert(w->ndim == 2 && w->shape[1] == x->cols);
    int64_t R = x->rows, in = x->cols, out = w->shape[0];
    tt_t *y = tt_new(t, R, out, wants(t, x) || trains(t, w));
    if (t->record)
        t->k->gemm(false, true, R, out, in, scale, x->x, in, w->w, in, 0.f, y->x, out);
    else
        t->k->linear(R, out, in, scale, x->x, w->w, y->x);
    y->spare = true;
    if (!y->need) return y;
    if (w->trained) x->spare = false;
    linear_node *n = RECORD(t, linear_node, linear_back, y);
    n->x = x;
    n->w = w;
    n->scale = scale;
    return y;
}

tt_t *tt_linear(tt_tape *t, tt_t *x, const tt_par *w) { return linear(t, x, w, 1.f); }

tt_t *tt_logits(tt_tape *t, tt_t *h, const tt_par *W, float scale) { return linear(t, h, W, scale); }

/* ---- norms -------------------------------------------------------------------------------------------------*/
typedef struct norm_node {
    tt_node node;
    tt_t *x;
    const tt_par *w, *b;
    float *mean, *rstd;
} norm_node;

static void rms_back(tt_tape *t, tt_node *node)
{
    norm_node *n = (norm_node *)node;
    t->k->rms_bwd(n->x->rows, n->x->cols, n->x->x, n->w->w, 0.f, n->rstd, node->y->g, tt_grad_add(t, n->x),
                  tt_par_grad(n->w));
}

static void layernorm_back(tt_tape *t, tt_node *node)
{
    norm_node *n = (norm_node *)node;
    t->k->ln_bwd(n->x->rows, n->x->cols, n->x->x, n->w->w, n->mean, n->rstd, node->y->g, tt_grad_add(t, n->x),
                 tt_par_grad(n->w), tt_par_grad(n->b));
}

static void norm_record(tt_tape *t, void (*back)(tt_tape *, tt_node *), tt_t *y, norm_node with)
{
    with.x->spare = false;
    norm_node *n = RECORD(t, norm_node, back, y);
    with.node = n->node;
    *n = with;
}

tt_t *tt_rms(tt_tape *t, tt_t *x, const tt_par *w, float eps)
{
    assert(w->n == x->cols);
    tt_t *y = tt_new(t, x->rows, x->cols, wants(t, x) || trains(t, w));
    float *rstd = TT_NEW(t->a, float, x->rows);
    t->k->rms_fwd(x->rows, x->cols, x->x, w->w, 0.f, eps, y->x, rstd);
    y->spare = true;
    if (y->need) norm_record(t, rms_back, y, (norm_node){.x = x, .w = w, .rstd = rstd});
    return y;
}

tt_t *tt_layernorm(tt_tape *t, tt_t *x, const tt_par *w, const tt_par *b, float eps)
{
    assert(w->n == x->cols && (!b || b->n == x->cols));
    tt_t *y = tt_new(t, x->rows, x->cols, wants(t, x) || trains(t, w) || trains(t, b));
    float *mean = TT_NEW(t->a, float, x->rows), *rstd = TT_NEW(t->a, float, x->rows);
    t->k->ln_fwd(x->rows, x->cols, x->x, w->w, b ? b->w : NULL, eps, y->x, mean, rstd);
    y->spare = true;
    if (y->need) norm_record(t, layernorm_back, y, (norm_node){.x = x, .w = w, .b = b, .mean = mean, .rstd = rstd});
    return y;
}

/* ---- activations -------------------------------------------------------------------------------------------*/
typedef struct act_node {
    tt_node node;
    tt_t *g, *u; /* u: NULL without a gate */
    tt_act act;
} act_node;

static void activate_back(tt_tape *t, tt_node *node)
{
    act_node *n = (act_node *)node;
    t->k->act_bwd(n->act, n->g->rows * n->g->cols, n->g->x, node->y->g, tt_grad_add(t, n->g));
}

tt_t *tt_activate(tt_tape *t, tt_t *x, tt_act act)
{
    tt_t *y = tt_new(t, x->rows, x->cols, wants(t, x));
    t->k->act_fwd(act, x->rows * x->cols, x->x, y->x);
    y->spare = true;
    if (!y->need) return y;
    x->spare = false;
    act_node *n = RECORD(t, act_node, activate_back, y);
    n->g = x;
    n->act = act;
    return y;
}

static void gate_back(tt_tape *t, tt_node *node)
{
    act_node *n = (act_node *)node;
    t->k->glu_bwd(n->act, n->g->rows * n->g->cols, n->g->x, n->u->x, node->y->g, tt_grad_add(t, n->g),
                  tt_grad_add(t, n->u));
}

tt_t *tt_gate(tt_tape *t, tt_t *g, tt_t *u, tt_act act)
{
    assert(g->rows == u->rows && g->cols == u->cols);
    tt_t *y = tt_new(t, g->rows, g->cols, wants(t, g) || wants(t, u));
    t->k->glu_fwd(act, g->rows * g->cols, g->x, u->x, y->x);
    y->spare = true;
    if (!y->need) return y;
    g->spare = u->spare = false;
    act_node *n = RECORD(t, act_node, gate_back, y);
    n->g = g;
    n->u = u;
    n->act = act;
    return y;
}

/* ---- sums and dropout --------------------------------------------------------------------------------------*/
/* A result of x's shape: x's memory if that is spare, else new memory. */
static tt_t *over(tt_tape *t, tt_t *x)
{
    if (!x->spare) return tt_new(t, x->rows, x->cols, false);
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = x->rows, .cols = x->cols, .x = x->x};
    x->x = NULL;
    x->spare = false;
    return y;
}

typedef struct add_node {
    tt_node node;
    tt_t *a, *b;
} add_node;

/* a is the residual stream, to whose gradient more is added later; b's producer reads its share before that happens. */
static void add_back(tt_tape *t, tt_node *node)
{
    add_node *n = (add_node *)node;
    tt_grad_pass(t, n->b, node->y);
    tt_grad_pass(t, n->a, node->y);
}

tt_t *tt_add(tt_tape *t, tt_t *a, tt_t *b)
{
    assert(a->rows == b->rows && a->cols == b->cols && a != b);
    int64_t n = a->rows * a->cols;
    const float *bx = b->x;
    tt_t *y = over(t, b);
    if (y->x != bx) put_copy(t, y->x, bx, sizeof(float) * (size_t)n);
    t->k->add(n, a->x, y->x);
    y->need = wants(t, a) || wants(t, b);
    if (!y->need) return y;
    add_node *node = RECORD(t, add_node, add_back, y);
    node->a = a;
    node->b = b;
    return y;
}

typedef struct drop_node {
    tt_node node;
    tt_t *x;
    float p;
    tt_rkey key;
} drop_node;

static void drop_back(tt_tape *t, tt_node *node)
{
    drop_node *n = (drop_node *)node;
    int64_t count = n->x->rows * n->x->cols;
    float beta, *dy = node->y->g;
    if (tt_grad_take(n->x, node->y)) {
        t->k->dropout(count, n->p, n->key, dy, dy, false);
        return;
    }
    float *dx = tt_grad_set(t, n->x, &beta);
    t->k->dropout(count, n->p, n->key, dy, dx, beta != 0.f);
}

tt_t *tt_drop(tt_tape *t, tt_t *x)
{
    if (t->drop == 0.f) return x;
    const float *from = x->x;
    tt_t *y = over(t, x);
    tt_rkey key = tt_key(t->key, "dropout", t->uses++, 0, 0);
    t->k->dropout(x->rows * x->cols, t->drop, key, from, y->x, false);
    y->spare = true;
    y->need = wants(t, x);
    if (!y->need) return y;
    drop_node *n = RECORD(t, drop_node, drop_back, y);
    n->x = x;
    n->p = t->drop;
    n->key = key;
    return y;
}

/* ---- embedding ---------------------------------------------------------------------------------------------*/
typedef struct embed_node {
    tt_node node;
    const int32_t *ids;
    const tt_par *E;
} embed_node;

static void embed_back(tt_tape *t, tt_node *node)
{
    embed_node *n = (embed_node *)node;
    t->k->embed_bwd(node->y->rows, node->y->cols, n->ids, node->y->g, tt_par_grad(n->E));
}

tt_t *tt_embed(tt_tape *t, const int32_t *ids, int64_t R, const tt_par *E)
{
    tt_t *y = tt_new(t, R, E->shape[1], trains(t, E));
    t->k->embed_fwd(R, E->shape[1], ids, E->w, y->x);
    y->spare = true;
    if (!y->need) return y;
    embed_node *n = RECORD(t, embed_node, embed_back, y);
    n->ids = ids;
    n->E = E;
    return y;
}
