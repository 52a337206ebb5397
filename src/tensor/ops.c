/* Ops over rows: norms, activations, sums, dropout, embedding. Each computes at once and records its backward. */
#include "tape.h"

/* ---- sums and dropout --------------------------------------------------------------------------------------*/
tt_t *tt_over(tt_tape *t, tt_t *x)
{
    assert(x->ld == x->cols);
    if (!x->spare) return (x->h ? tt_new_half : tt_new)(t, x->rows, x->cols, false);
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = x->rows, .cols = x->cols, .ld = x->ld, .x = x->x, .h = x->h, .wide = x->wide};
    if (x->x) x->x = NULL; /* h stays: it says what x's gradient is */
    x->spare = false;
    return y;
}

typedef struct add_node {
    tt_node node;
    tt_t *a, *b;
    bool passed; /* the norm after the sum has passed b's gradient on */
} add_node;

/* a is the residual stream, to whose gradient more is added later; b's producer reads its share before that happens. */
static void add_back(tt_tape *t, tt_node *node)
{
    add_node *n = (add_node *)node;
    if (n->b->h && !n->passed) {
        half_grad db = tt_half_begin(t, n->b);
        if (db.to) t->k->to_half(n->b->rows * n->b->cols, node->y->g, db.to);
        tt_half_end(t, db);
    } else if (!n->b->h) {
        tt_grad_pass(t, n->b, node->y);
    }
    tt_grad_pass(t, n->a, node->y);
}

/* The tensor that a + b is written to, its record made; *bx is b's value, *node (or NULL) the record. */
static tt_t *sum_of(tt_tape *t, tt_t *a, tt_t *b, const void **bx, add_node **node)
{
    assert(a->rows == b->rows && a->cols == b->cols && a != b && !a->h && b->ld == b->cols);
    *bx = b->h ? (const void *)b->h : b->x;
    *node = NULL;
    tt_t *y = b->h ? tt_new(t, a->rows, a->cols, false) : tt_over(t, b);
    y->need = wants(t, a) || wants(t, b);
    if (!y->need) return y;
    *node = RECORD(t, add_node, add_back, y);
    (*node)->a = a;
    (*node)->b = b;
    return y;
}

tt_t *tt_add(tt_tape *t, tt_t *a, tt_t *b)
{
    int64_t n = a->rows * a->cols;
    const void *bx;
    add_node *node;
    tt_t *y = sum_of(t, a, b, &bx, &node);
    if (b->h) {
        put_copy(t, y->x, a->x, sizeof(float) * (size_t)n);
        t->k->add_half(n, bx, y->x);
        return y;
    }
    if (y->x != bx) put_copy(t, y->x, bx, sizeof(float) * (size_t)n);
    t->k->add(n, a->x, y->x);
    return y;
}

typedef struct drop_node {
    tt_node node;
    tt_t *x;
    float p;
    tt_rkey key;
    int64_t lo, of; /* x is columns lo .. of the `of` that the mask is of */
} drop_node;

static void drop(const tt_tape *t, const drop_node *n, const float *x, float *y, bool acc)
{
    int64_t R = n->x->rows, cols = n->x->cols;
    if (cols == n->of)
        t->k->dropout(R * cols, n->p, n->key, x, y, acc);
    else
        t->k->dropout_part(R, cols, n->of, n->lo, n->p, n->key, x, y, acc);
}

/* A part's mask is made in fp32. */
static void drop_half(tt_tape *t, const drop_node *n, const tt_bf16 *x, tt_bf16 *y)
{
    int64_t count = n->x->rows * n->x->cols;
    if (n->x->cols == n->of) {
        t->k->dropout_half(count, n->p, n->key, x, y);
        return;
    }
    tt_mark mark = tt_arena_mark(t->a);
    float *single = TT_NEW(t->a, float, count);
    put_single(t, count, x, single);
    drop(t, n, single, single, false);
    t->k->to_half(count, single, y);
    tt_arena_rewind(t->a, mark);
}

static void drop_back_half(tt_tape *t, drop_node *n)
{
    tt_bf16 *dy = half_of(n->node.y->g);
    if (tt_grad_take(n->x, n->node.y)) {
        drop_half(t, n, dy, dy);
        return;
    }
    half_grad dx = tt_half_begin(t, n->x);
    drop_half(t, n, dy, dx.to);
    tt_half_end(t, dx);
}

static void drop_back(tt_tape *t, tt_node *node)
{
    drop_node *n = (drop_node *)node;
    float beta, *dy = node->y->g;
    assert(grad_half(n->x) == grad_half(node->y));
    if (grad_half(n->x)) {
        drop_back_half(t, n);
        return;
    }
    if (tt_grad_take(n->x, node->y)) {
        drop(t, n, dy, dy, false);
        return;
    }
    float *dx = tt_grad_set(t, n->x, &beta);
    drop(t, n, dy, dx, beta != 0.f);
}

tt_t *tt_drop_part(tt_tape *t, tt_t *x, int64_t lo, int64_t of)
{
    assert(lo >= 0 && lo + x->cols <= of);
    if (t->drop == 0.f) return x;
    const float *from = x->x;
    const tt_bf16 *from_half = x->h;
    tt_t *y = tt_over(t, x);
    drop_node with = {.x = x, .p = t->drop, .key = tt_key(t->key, "dropout", t->uses++, 0, 0), .lo = lo, .of = of};
    if (x->h)
        drop_half(t, &with, from_half, y->h);
    else
        drop(t, &with, from, y->x, false);
    y->spare = true;
    y->wide = x->wide;
    y->need = wants(t, x);
    if (!y->need) return y;
    drop_node *n = RECORD(t, drop_node, drop_back, y);
    with.node = n->node;
    *n = with;
    return y;
}

tt_t *tt_drop(tt_tape *t, tt_t *x) { return tt_drop_part(t, x, 0, x->cols); }

/* ---- norms -------------------------------------------------------------------------------------------------*/
typedef struct norm_node {
    tt_node node;
    tt_t *x;
    const tt_par *w, *b;
    float *mean, *rstd;
    add_node *sum; /* x is this sum, whose bf16 summand gets x's gradient rounded; or NULL */
} norm_node;

static void rms_back(tt_tape *t, tt_node *node)
{
    norm_node *n = (norm_node *)node;
    tt_prec type = grad_half(node->y) ? TT_HALF : TT_SINGLE;
    float beta, *dx = tt_grad_add(t, n->x);
    tt_bf16 *dxh = NULL;
    if (n->sum && dx && n->sum->b->need && !n->sum->b->g) {
        dxh = half_of(tt_grad_set(t, n->sum->b, &beta));
        n->sum->passed = true;
    }
    t->k->add_rms_bwd(type, n->x->rows, n->x->cols, n->x->x, n->w->w, n->rstd, node->y->g, dx, tt_par_grad(n->w), dxh);
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

/* x, the norm's input, is made of h and f by the same kernel where there is an f. */
static tt_t *rms(tt_tape *t, const tt_t *h, add_node *sum, const void *fx, tt_t *x, const tt_par *w, float eps)
{
    assert(w->n == x->cols);
    bool half = halved(t);
    tt_t *y = (half ? tt_new_half : tt_new)(t, x->rows, x->cols, wants(t, x) || trains(t, w));
    float *rstd = TT_NEW(t->a, float, x->rows);
    t->k->add_rms_fwd(half ? TT_HALF : TT_SINGLE, x->rows, x->cols, h->x, fx, w->w, eps, x->x,
                      half ? (void *)y->h : (void *)y->x, rstd);
    y->spare = true;
    if (!y->need) return y;
    norm_record(t, rms_back, y, (norm_node){.x = x, .w = w, .rstd = rstd, .sum = sum});
    return y;
}

tt_t *tt_rms(tt_tape *t, tt_t *x, const tt_par *w, float eps)
{
    assert(!x->h && x->ld == x->cols);
    return rms(t, x, NULL, NULL, x, w, eps);
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

tt_t *tt_add_rms(tt_tape *t, tt_t **h, tt_t *f, const tt_par *w, float eps)
{
    if (!f) return tt_rms(t, *h, w, eps);
    if (!t->record || !f->h != !halved(t)) {
        *h = tt_add(t, *h, f);
        return tt_rms(t, *h, w, eps);
    }
    const void *fx;
    add_node *node;
    tt_t *a = *h, *x = *h = sum_of(t, a, f, &fx, &node);
    return rms(t, a, f->h && !f->wide ? node : NULL, fx, x, w, eps);
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
    int64_t count = n->g->rows * n->g->cols;
    if (!n->g->h) {
        t->k->act_bwd(n->act, count, n->g->x, node->y->g, tt_grad_add(t, n->g));
        return;
    }
    half_grad dx = tt_half_begin(t, n->g);
    t->k->act_bwd_half(n->act, count, n->g->h, half_of(node->y->g), dx.to);
    tt_half_end(t, dx);
}

tt_t *tt_activate(tt_tape *t, tt_t *x, tt_act act)
{
    assert(x->ld == x->cols);
    tt_t *y = (x->h ? tt_new_half : tt_new)(t, x->rows, x->cols, wants(t, x));
    if (x->h)
        t->k->act_fwd_half(act, x->rows * x->cols, x->h, y->h);
    else
        t->k->act_fwd(act, x->rows * x->cols, x->x, y->x);
    y->spare = true;
    if (!y->need) return y;
    x->spare = false;
    act_node *n = RECORD(t, act_node, activate_back, y);
    n->g = x;
    n->act = act;
    return y;
}

/* Both gradients are set where both begin here, which is so unless a tensor is used elsewhere, too. */
static void gate_back(tt_tape *t, tt_node *node)
{
    act_node *n = (act_node *)node;
    tt_t *g = n->g, *u = n->u;
    bool acc = g->g || u->g;
    float beta, *dg = acc ? tt_grad_add(t, g) : tt_grad_set(t, g, &beta);
    float *du = acc ? tt_grad_add(t, u) : tt_grad_set(t, u, &beta);
    t->k->glu_bwd(n->act, g->rows, g->cols, g->x, g->ld, u->x, u->ld, node->y->g, dg, du, acc);
}

static void gate_back_half(tt_tape *t, tt_node *node)
{
    act_node *n = (act_node *)node;
    tt_t *g = n->g, *u = n->u;
    half_grad dg = tt_half_begin(t, g), du = tt_half_begin(t, u);
    t->k->glu_bwd_half(n->act, g->rows, g->cols, g->h, g->ld, u->h, u->ld, half_of(node->y->g), dg.to, du.to);
    tt_half_end(t, dg);
    tt_half_end(t, du);
}

tt_t *tt_gate(tt_tape *t, tt_t *g, tt_t *u, tt_act act)
{
    assert(g->rows == u->rows && g->cols == u->cols && g != u && !g->h == !u->h);
    tt_t *y = (g->h ? tt_new_half : tt_new)(t, g->rows, g->cols, wants(t, g) || wants(t, u));
    if (g->h)
        t->k->glu_fwd_half(act, g->rows, g->cols, g->h, g->ld, u->h, u->ld, y->h);
    else
        t->k->glu_fwd(act, g->rows, g->cols, g->x, g->ld, u->x, u->ld, y->x);
    y->spare = true;
    if (!y->need) return y;
    g->spare = u->spare = false;
    act_node *n = RECORD(t, act_node, g->h ? gate_back_half : gate_back, y);
    n->g = g;
    n->u = u;
    n->act = act;
    return y;
}

/* ---- embedding ---------------------------------------------------------------------------------------------*/
/* Ids as rows of E, a slice of the vocabulary; -1 where another rank has the row. Of a dry tape there are none. */
static const int32_t *local_ids(const tt_tape *t, const int32_t *ids, int64_t R, const tt_par *E)
{
    int32_t *own = TT_NEW(t->a, int32_t, R);
    for (int64_t r = 0; r < R && !t->dry; r++)
        own[r] = ids[r] >= E->lo && ids[r] < E->hi ? ids[r] - (int32_t)E->lo : -1;
    return own;
}

/* Rows r .. *end-1 of R all have an id (true) or none of them has. */
static bool ids_run(const tt_tape *t, const int32_t *ids, int64_t r, int64_t R, int64_t *end)
{
    *end = R;
    if (t->dry) return true;
    bool has = ids[r] >= 0;
    for (*end = r + 1; *end < R && (ids[*end] >= 0) == has;) ++*end;
    return has;
}

typedef struct embed_node {
    tt_node node;
    const int32_t *ids;
    const tt_par *E;
} embed_node;

static void embed_back(tt_tape *t, tt_node *node)
{
    embed_node *n = (embed_node *)node;
    int64_t D = node->y->cols, R = node->y->rows, end;
    float *dE = tt_par_grad(n->E);
    for (int64_t r = 0; r < R; r = end)
        if (ids_run(t, n->ids, r, R, &end)) t->k->embed_bwd(end - r, D, n->ids + r, node->y->g + r * D, dE);
}

tt_t *tt_embed(tt_tape *t, const int32_t *ids, int64_t R, const tt_par *E)
{
    int64_t D = E->shape[1], end;
    assert(!sliced(E) || tt_parted(t));
    if (sliced(E)) ids = local_ids(t, ids, R, E);
    tt_t *y = tt_new(t, R, D, trains(t, E));
    for (int64_t r = 0; r < R; r = end)
        if (ids_run(t, ids, r, R, &end) || !sliced(E))
            t->k->embed_fwd(end - r, D, ids + r, E->w, y->x + r * D);
        else
            put_zero(t, y->x + r * D, sizeof(float) * (size_t)((end - r) * D));
    y->spare = true;
    if (!y->need) return y;
    embed_node *n = RECORD(t, embed_node, embed_back, y);
    n->ids = ids;
    n->E = E;
    return y;
}
