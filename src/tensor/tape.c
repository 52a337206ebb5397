/* The tape: records, the backward walk, the life of gradient buffers. */
#include "tape.h"

/* In front of every gradient buffer. holders counts tensors; at 0 the buffer goes to the tape's pool. */
struct tt_gbuf {
    tt_gbuf *next;
    int64_t n;
    int holders;
};
enum { HEAD_FLOATS = 16 }; /* keeps the floats behind the header 64-byte aligned */
_Static_assert(sizeof(tt_gbuf) <= HEAD_FLOATS * sizeof(float), "header fits");

static tt_gbuf *buf_of(float *g) { return (tt_gbuf *)(void *)(g - HEAD_FLOATS); }
static float *floats_of(tt_gbuf *b) { return (float *)(void *)b + HEAD_FLOATS; }

static float *buf_get(tt_tape *t, int64_t n)
{
    tt_gbuf **at = &t->pool;
    while (*at && (*at)->n != n) at = &(*at)->next;
    tt_gbuf *b = *at;
    if (b)
        *at = b->next;
    else
        b = (tt_gbuf *)(void *)TT_NEW(t->ga, float, n + HEAD_FLOATS);
    *b = (tt_gbuf){.n = n, .holders = 1};
    return floats_of(b);
}

static void buf_drop(tt_tape *t, float *g)
{
    tt_gbuf *b = buf_of(g);
    if (--b->holders) return;
    b->next = t->pool;
    t->pool = b;
}

static size_t bytes_of(const tt_t *x) { return sizeof(float) * (size_t)(x->rows * x->cols); }

/* Of x's gradient. */
static int64_t grad_floats(const tt_t *x)
{
    int64_t n = x->rows * x->cols;
    return grad_half(x) ? (n + 1) / 2 : n;
}

/* The place of a view's gradient in that of the tensor it is part of. Never shared: no op passes a view's buffer on. */
static float *view_grad(tt_tape *t, tt_t *x)
{
    tt_t *of = x->of;
    if (!of->g) of->g = buf_get(t, grad_floats(of));
    int64_t at = of->h ? x->h - of->h : x->x - of->x;
    return grad_half(of) ? (float *)(void *)(half_of(of->g) + at) : of->g + at;
}

/* Before anything is added to a buffer that another tensor still reads. */
static void unshare(tt_tape *t, tt_t *x)
{
    if (buf_of(x->g)->holders == 1) return;
    int64_t n = grad_floats(x);
    float *mine = buf_get(t, n);
    put_copy(t, mine, x->g, sizeof(float) * (size_t)n);
    buf_drop(t, x->g);
    x->g = mine;
}

float *tt_grad_set(tt_tape *t, tt_t *x, float *beta)
{
    if (!x->need) return NULL;
    *beta = x->g ? 1.f : 0.f;
    if (x->of)
        x->g = view_grad(t, x);
    else if (x->g)
        unshare(t, x);
    else
        x->g = buf_get(t, grad_floats(x));
    return x->g;
}

void tt_view_clear(const tt_tape *t, tt_t *x)
{
    size_t size = grad_half(x) ? sizeof(tt_bf16) : sizeof(float);
    for (int64_t r = 0; r < x->rows; r++)
        put_zero(t, (char *)x->g + (size_t)(r * x->ld) * size, (size_t)x->cols * size);
}

float *tt_grad_add(tt_tape *t, tt_t *x)
{
    float beta, *g = tt_grad_set(t, x, &beta);
    if (g && beta == 0.f) tt_view_clear(t, x);
    return g;
}

void tt_grad_pass(tt_tape *t, tt_t *x, tt_t *y)
{
    if (!x->need) return;
    if (x->g) {
        unshare(t, x);
        t->k->add(x->rows * x->cols, y->g, x->g);
        return;
    }
    x->g = y->g;
    buf_of(y->g)->holders++;
}

float *tt_grad_own(tt_tape *t, tt_t *y)
{
    unshare(t, y);
    return y->g;
}

bool tt_grad_take(tt_t *x, tt_t *y)
{
    if (!x->need || x->g || buf_of(y->g)->holders > 1) return false;
    x->g = y->g;
    y->g = NULL;
    return true;
}

float *tt_par_grad_set(const tt_par *p, float *beta)
{
    if (!p || !p->trained) return NULL;
    assert(p->g);
    *beta = p->unset && *p->unset ? 0.f : 1.f;
    if (p->unset) *p->unset = 0;
    return p->g;
}

float *tt_par_grad(const tt_par *p)
{
    float beta, *g = tt_par_grad_set(p, &beta);
    if (g && beta == 0.f) memset(g, 0, sizeof *g * (size_t)p->n);
    return g;
}

void tt_tape_begin(tt_tape *t, tt_arena *a, const tt_kern *k, bool record, float drop, tt_rkey key)
{
    *t = (tt_tape){.a = a, .ga = a, .k = k, .record = record, .drop = drop, .key = key};
}

tt_t *tt_new(tt_tape *t, int64_t rows, int64_t cols, bool need)
{
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = rows, .cols = cols, .ld = cols, .x = TT_NEW(t->a, float, rows *cols), .need = need};
    return y;
}

tt_t *tt_new_half(tt_tape *t, int64_t rows, int64_t cols, bool need)
{
    tt_t *y = TT_NEW(t->a, tt_t, 1);
    *y = (tt_t){.rows = rows, .cols = cols, .ld = cols, .h = TT_NEW(t->a, tt_bf16, rows * cols), .need = need};
    return y;
}

void tt_seed(tt_tape *t, tt_t *y, const float *dy)
{
    assert(y->need);
    half_grad to = {0};
    if (!grad_half(y))
        t->k->add(y->rows * y->cols, dy, tt_grad_add(t, y));
    else if ((to = tt_half_begin(t, y)).to)
        t->k->to_half(y->rows * y->cols, dy, to.to);
    tt_half_end(t, to);
}

void *tt_tape_record(tt_tape *t, size_t bytes, void (*back)(tt_tape *t, tt_node *node), tt_t *y)
{
    tt_node *n = tt_zalloc(t->a, bytes);
    *n = (tt_node){.prev = t->last, .back = back, .y = y};
    t->last = n;
    return n;
}

/* A result that nothing depended on has no gradient, and its producer nothing to do. Nodes without a result always run. */
static void walk(tt_tape *t, tt_node *from)
{
    for (tt_node *n = from; n; n = n->prev) {
        if (t->hooks && t->hooks->poll) t->hooks->poll(t->hooks->ctx);
        if (n->y && !n->y->g) continue;
        n->back(t, n);
        if (!n->y) continue;
        if (n->y->g) buf_drop(t, n->y->g);
        n->y->g = NULL;
    }
}

void tt_tape_back(tt_tape *t)
{
    walk(t, t->last);
    t->last = NULL;
}

/* ---- blocks --------------------------------------------------------------------------------------------------*/

void tt_group_use(tt_tape *t, int group, bool back)
{
    if (t->hooks && t->record) t->hooks->use(t->hooks->ctx, group, back);
}

void tt_group_done(tt_tape *t, int group, bool back)
{
    if (t->hooks && t->record) t->hooks->done(t->hooks->ctx, group, back);
}

typedef struct group_node {
    tt_node node;
    int group;
} group_node;

static void begin_back(tt_tape *t, tt_node *node) { tt_group_done(t, ((group_node *)node)->group, true); }
static void end_back(tt_tape *t, tt_node *node) { tt_group_use(t, ((group_node *)node)->group, true); }

static void record_group(tt_tape *t, int group, void (*back)(tt_tape *, tt_node *))
{
    if (t->hooks && t->record) RECORD(t, group_node, back, NULL)->group = group;
}

typedef struct again_node {
    tt_node node;
    tt_blockfn fn;
    const void *ctx;
    tt_t *x, *aux;
    uint64_t uses;
} again_node;

static void again_back(tt_tape *t, tt_node *node)
{
    again_node *n = (again_node *)node;
    tt_mark mark = tt_arena_mark(t->a);
    uint64_t uses = t->uses;
    t->uses = n->uses;
    t->last = NULL;
    tt_t *y = n->fn(t, n->ctx, n->x, n->aux);
    y->g = node->y->g;
    buf_of(y->g)->holders++;
    walk(t, t->last);
    t->uses = uses;
    tt_arena_rewind(t->a, mark);
}

static tt_t *run_forgetting(tt_tape *t, tt_blockfn fn, const void *ctx, tt_t *x, tt_t *aux)
{
    assert(t->ga != t->a);
    tt_t *y = tt_new(t, x->rows, x->cols, false);
    uint64_t uses = t->uses;
    tt_node *last = t->last;
    tt_mark mark = tt_arena_mark(t->a);
    tt_t *h = fn(t, ctx, x, aux);
    assert(h->rows == y->rows && h->cols == y->cols);
    put_copy(t, y->x, h->x, bytes_of(y));
    y->need = h->need;
    t->last = last;
    tt_arena_rewind(t->a, mark);
    if (!y->need) return y;
    again_node *n = RECORD(t, again_node, again_back, y);
    n->fn = fn;
    n->ctx = ctx;
    n->x = x;
    n->aux = aux;
    n->uses = uses;
    return y;
}

tt_t *tt_block(tt_tape *t, int group, tt_blockfn fn, const void *ctx, tt_t *x, tt_t *aux)
{
    tt_group_use(t, group, false);
    record_group(t, group, begin_back);
    x->spare = false;
    if (aux) aux->spare = false;
    tt_t *y = t->recompute && t->record ? run_forgetting(t, fn, ctx, x, aux) : fn(t, ctx, x, aux);
    record_group(t, group, end_back);
    tt_group_done(t, group, false);
    return y;
}
