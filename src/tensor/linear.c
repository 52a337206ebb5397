/* y = scale * x w^T for one parameter, and for several that read the same x: one product where they lie one after the other. */
#include "tape.h"

typedef struct linear_node {
    tt_node node;
    tt_t *x;
    int n; /* parameters */
    const tt_par *w[TT_LINEARS];
    tt_t *view[TT_LINEARS]; /* of y; NULL: y itself */
    float scale;
} linear_node;

static bool follow_w(int n, const tt_par *const *w)
{
    for (int i = 1; i < n; i++)
        if (w[i]->w != w[i - 1]->w + w[i - 1]->n || (w[0]->h && w[i]->h != w[i - 1]->h + w[i - 1]->n)) return false;
    return true;
}

/* *begun as of tt_par_grad_set, the same for all. */
static bool follow_g(int n, const tt_par *const *w)
{
    for (int i = 1; i < n; i++) {
        const tt_par *a = w[i - 1], *b = w[i];
        bool unset = a->unset && *a->unset, next = b->unset && *b->unset;
        if (!a->trained || !b->trained || b->g != a->g + a->n || unset != next) return false;
    }
    return true;
}

static int64_t rows_of(int n, const tt_par *const *w)
{
    int64_t rows = 0;
    for (int i = 0; i < n; i++) rows += w[i]->shape[0];
    return rows;
}

/* Runs of parameters that one product can take: each of them alone, or all. */
static int run(int n, bool together) { return together ? n : 1; }

/* ---- backward ----------------------------------------------------------------------------------------------------*/

static void weight_gradient(tt_tape *t, const linear_node *n, const tt_par *const *w, int count, const void *dy)
{
    int64_t R = n->x->rows, in = n->x->cols, out = rows_of(count, w), ld = n->node.y->cols;
    float beta, begun = 1, *dw = tt_par_grad_set(w[0], &begun);
    for (int i = 1; i < count; i++) tt_par_grad_set(w[i], &beta);
    if (!dw) return;
    if (n->x->h)
        t->k->gemm_half(true, false, out, in, R, n->scale, dy, ld, n->x->h, in, begun, TT_SINGLE, dw, in);
    else
        t->k->gemm(true, false, out, in, R, n->scale, dy, ld, n->x->x, in, begun, dw, in);
}

static void input_gradient(tt_tape *t, const linear_node *n, const tt_par *const *w, int count, const void *dy)
{
    int64_t R = n->x->rows, in = n->x->cols, out = rows_of(count, w), ld = n->node.y->cols;
    float beta, *dx = tt_grad_set(t, n->x, &beta);
    if (!dx) return;
    if (n->x->h)
        t->k->gemm_half(false, false, R, in, out, n->scale, dy, ld, w[0]->h, in, beta,
                        grad_half(n->x) ? TT_HALF : TT_SINGLE, dx, in);
    else
        t->k->gemm(false, false, R, in, out, n->scale, dy, ld, w[0]->w, in, beta, dx, in);
}

/* dy from column at on. */
static const void *columns(const tt_t *y, int64_t at)
{
    return grad_half(y) ? (const void *)(half_of(y->g) + at) : (const void *)(y->g + at);
}

static void clear_unused(tt_tape *t, const linear_node *n)
{
    for (int i = 0; i < n->n; i++) {
        tt_t *v = n->view[i];
        if (v && !v->g) tt_grad_add(t, v);
        if (v) v->g = NULL;
    }
}

static void linear_back(tt_tape *t, tt_node *node)
{
    linear_node *n = (linear_node *)node;
    clear_unused(t, n);
    int step = run(n->n, follow_g(n->n, n->w));
    int64_t at = 0;
    for (int i = 0; i < n->n; at += rows_of(step, n->w + i), i += step)
        weight_gradient(t, n, n->w + i, step, columns(node->y, at));
    step = run(n->n, follow_w(n->n, n->w));
    at = 0;
    for (int i = 0; i < n->n; at += rows_of(step, n->w + i), i += step)
        input_gradient(t, n, n->w + i, step, columns(node->y, at));
}

/* ---- forward ------------------------------------------------------------------------------------------------------*/

static void product(tt_tape *t, const tt_t *x, const tt_par *const *w, int count, float scale, tt_t *y, int64_t at)
{
    int64_t R = x->rows, in = x->cols, out = rows_of(count, w);
    if (x->h)
        t->k->gemm_half(false, true, R, out, in, scale, x->h, in, w[0]->h, in, 0, TT_HALF, y->h + at, y->ld);
    else if (t->record)
        t->k->gemm(false, true, R, out, in, scale, x->x, in, w[0]->w, in, 0, y->x + at, y->ld);
    else
        t->k->linear(R, out, in, scale, x->x, w[0]->w, y->x);
}

static tt_t *linear(tt_tape *t, tt_t *x, int n, const tt_par *const *w, float scale, linear_node **node)
{
    assert(n <= TT_LINEARS && x->ld == x->cols && w[0]->ndim == 2 && w[0]->shape[1] == x->cols);
    if (halved(t)) x = tt_halve(t, x);
    bool trained = false;
    for (int i = 0; i < n; i++) trained = trained || trains(t, w[i]);
    tt_t *y = (x->h ? tt_new_half : tt_new)(t, x->rows, rows_of(n, w), wants(t, x) || trained);
    int step = run(n, follow_w(n, w));
    int64_t at = 0;
    for (int i = 0; i < n; at += rows_of(step, w + i), i += step) product(t, x, w + i, step, scale, y, at);
    y->spare = true;
    *node = NULL;
    if (!y->need) return y;
    if (trained) x->spare = false;
    *node = RECORD(t, linear_node, linear_back, y);
    (*node)->x = x;
    (*node)->n = n;
    (*node)->scale = scale;
    for (int i = 0; i < n; i++) (*node)->w[i] = w[i];
    return y;
}

tt_t *tt_linear(tt_tape *t, tt_t *x, const tt_par *w)
{
    linear_node *node;
    return linear(t, x, 1, &w, 1.f, &node);
}

tt_t *tt_logits(tt_tape *t, tt_t *h, const tt_par *W, float scale)
{
    linear_node *node;
    return linear(t, h, 1, &W, scale, &node);
}

static tt_t *view(tt_tape *t, tt_t *y, int64_t at, int64_t cols)
{
    tt_t *v = TT_NEW(t->a, tt_t, 1);
    *v = (tt_t){.rows = y->rows, .cols = cols, .ld = y->ld, .of = y, .need = y->need, .wide = y->wide};
    if (y->h) v->h = y->h + at;
    if (y->x) v->x = y->x + at;
    return v;
}

void tt_linears(tt_tape *t, tt_t *x, int n, const tt_par *const *w, tt_t **out)
{
    if (!t->record) {
        for (int i = 0; i < n; i++) out[i] = tt_linear(t, x, w[i]);
        return;
    }
    linear_node *node;
    tt_t *y = linear(t, x, n, w, 1.f, &node);
    y->spare = false;
    int64_t at = 0;
    for (int i = 0; i < n; at += w[i++]->shape[0]) {
        out[i] = view(t, y, at, w[i]->shape[0]);
        if (node) node->view[i] = out[i];
    }
}
