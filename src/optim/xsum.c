/* The exact sum over ranks (DESIGN D4). */
#include "tutti/optim.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* The part of the exchange that is in flight at one time; two of them alternate. */
typedef struct window {
    tt_reqs *q;
    float *buf; /* [nodes of other ranks][chunk] */
} window;

struct tt_xsum {
    const tt_mesh *m;
    const tt_pars *pars;
    const int64_t *cut;
    const tt_kern *k;
    int64_t grains, lo, hi; /* all; this rank's */
    bool exact;

    int nnode;    /* over all ranks, in order of grains */
    node *node;   /* [nnode]; x is set for this rank's nodes when they are complete */
    int *first;   /* [size+1] first node of a rank */
    fold fold;    /* of this rank's run of grains */
    int64_t next; /* grain expected */

    tt_arena *slabs;
    int nspare;
    float *spare[TREE_DEPTH]; /* slabs not in use */

    int64_t chunk;  /* floats of a slice that move at a time */
    int64_t rounds; /* over the longest slice */
    window window[2];
};

static void give_slab(void *ctx, float *slab)
{
    tt_xsum *x = ctx;
    if (slab != x->pars->g) x->spare[x->nspare++] = slab;
}

static float *take_slab(tt_xsum *x)
{
    if (x->nspare) return x->spare[--x->nspare];
    return TT_NEW(x->slabs, float, x->pars->size);
}

/* Every rank knows which nodes every other rank will hold. */
static void plan_nodes(tt_xsum *x)
{
    int size = x->m->size;
    x->first = tt_malloc(sizeof *x->first * (size_t)(size + 1));
    x->node = tt_malloc(sizeof *x->node * (size_t)size * 2 * TREE_DEPTH);
    x->nnode = 0;
    for (int r = 0; r < size; r++) {
        int64_t lo, hi;
        tt_share(x->grains, r, size, &lo, &hi);
        x->first[r] = x->nnode;
        x->nnode += tree_cover(x->grains, lo, hi, x->node + x->nnode);
    }
    x->first[size] = x->nnode;
}

static int64_t longest_slice(const tt_xsum *x)
{
    int64_t most = 0;
    for (int r = 0; r < x->m->size; r++) {
        int64_t n = x->cut[r + 1] - x->cut[r];
        if (n > most) most = n;
    }
    return most;
}

/* Messages are large enough for the network and small enough that two windows of all nodes stay below 128 MiB. */
static void plan_exchange(tt_xsum *x)
{
    const int64_t budget = (int64_t)16 << 20, least = 16384, most = (int64_t)1 << 20;
    int64_t slice = longest_slice(x), c = budget / (x->nnode ? x->nnode : 1);
    c = c < least ? least : c > most ? most : c;
    if (c > slice) c = slice;
    if (c > (int64_t)(x->m->chunk / sizeof(float))) c = (int64_t)(x->m->chunk / sizeof(float));
    x->chunk = c < 1 ? 1 : c;
    x->rounds = (slice + x->chunk - 1) / x->chunk;
    for (int i = 0; i < 2; i++) {
        x->window[i].q = tt_reqs_new();
        x->window[i].buf = tt_malloc(sizeof(float) * (size_t)(x->chunk * x->nnode + 1));
    }
}

tt_xsum *tt_xsum_new(const tt_mesh *m, const tt_pars *pars, const int64_t *cut, int64_t grains, int reduce,
                     const tt_kern *k)
{
    tt_xsum *x = tt_malloc(sizeof *x);
    *x = (tt_xsum){.m = m, .pars = pars, .cut = cut, .k = k, .grains = grains, .exact = reduce == TT_REDUCE_EXACT};
    tt_share(grains, m->rank, m->size, &x->lo, &x->hi);
    x->slabs = tt_arena_new(0);
    plan_nodes(x);
    if (m->size > 1 && x->exact) plan_exchange(x);
    return x;
}

void tt_xsum_free(tt_xsum *x)
{
    if (!x) return;
    for (int i = 0; i < 2; i++) {
        tt_reqs_free(x->window[i].q);
        free(x->window[i].buf);
    }
    tt_arena_free(x->slabs);
    free(x->node);
    free(x->first);
    free(x);
}

tt_xsum_size tt_xsum_sizes(const tt_mesh *m, const tt_pars *pars, const int64_t *cut, int64_t grains, int reduce)
{
    tt_xsum *x = tt_xsum_new(m, pars, cut, grains, reduce, &tt_kern_dry); /* untouched windows cost nothing */
    tt_xsum_size s = {2 * sizeof(float) * (size_t)(x->chunk * x->nnode), 1, x->nnode};
    if (x->exact) s.slabs = tree_waiting(grains, x->lo, x->hi, pars->size, &tt_kern_dry);
    if (x->rounds == 0) s.windows = 0;
    tt_xsum_free(x);
    return s;
}

void tt_xsum_begin(tt_xsum *x)
{
    for (int i = 0; i < x->fold.depth; i++) give_slab(x, x->fold.top[i].x);
    x->fold = (fold){.grains = x->grains, .n = x->pars->size, .k = x->k, .drop = give_slab, .ctx = x};
    x->next = x->lo;
}

/* The gradient goes into a slab only if no sum takes it at once; the last grain stays where it is. */
static void push_exact(tt_xsum *x, int64_t grain)
{
    bool last = grain + 1 == x->hi;
    x->fold.keep = last ? x->pars->g : NULL;
    tree_push(&x->fold, (node){grain, 0, x->pars->g});
    node *top = &x->fold.top[x->fold.depth - 1];
    if (last || top->x != x->pars->g) return;
    top->x = memcpy(take_slab(x), x->pars->g, sizeof(float) * (size_t)x->pars->size);
}

/* In the order in which grains come: one running sum. */
static void push_mpi(tt_xsum *x, int64_t grain)
{
    node *sum = &x->fold.top[0];
    if (x->fold.depth == 0) {
        *sum = (node){grain, 0, take_slab(x)};
        x->fold.depth = 1;
        memcpy(sum->x, x->pars->g, sizeof(float) * (size_t)x->pars->size);
    } else {
        x->k->add(x->pars->size, x->pars->g, sum->x);
    }
}

void tt_xsum_push(tt_xsum *x, int64_t grain)
{
    assert(grain == x->next && grain < x->hi);
    x->next++;
    if (x->exact)
        push_exact(x, grain);
    else
        push_mpi(x, grain);
}

/* The part of rank r's slice that moves in this round: slab offset, and floats (0 when its slice has ended). */
static int64_t part(const tt_xsum *x, int r, int64_t round, int64_t *n)
{
    int64_t at = x->cut[r] + round * x->chunk, left = x->cut[r + 1] - at;
    *n = left < 0 ? 0 : left < x->chunk ? left : x->chunk;
    return at;
}

static float *landing(const tt_xsum *x, const window *w, int j) { return w->buf + j * x->chunk; }

/* Receives this rank's part of all foreign nodes, sends every other owner its part of this rank's nodes. Between two
 * ranks the tag counts the sender's nodes, and rounds follow one another, so messages cannot be confused. */
static void post(tt_xsum *x, int64_t round, window *w)
{
    int size = x->m->size, me = x->m->rank;
    int64_t n;
    part(x, me, round, &n);
    for (int i = 1; i < size; i++) {
        int from = (me + size - i) % size;
        for (int j = x->first[from]; j < x->first[from + 1]; j++)
            tt_irecv_f32(x->m, w->q, landing(x, w, j), n, from, j - x->first[from]);
    }
    for (int i = 1; i < size; i++) {
        int to = (me + i) % size;
        int64_t at = part(x, to, round, &n);
        for (int j = x->first[me]; j < x->first[me + 1]; j++)
            tt_isend_f32(x->m, w->q, x->node[j].x + at, n, to, j - x->first[me]);
    }
}

/* The owner finishes the tree for its part. Own nodes are folded in place: nobody else reads that part of them. */
static void finish_part(tt_xsum *x, int64_t round, const window *w)
{
    int64_t n, at = part(x, x->m->rank, round, &n);
    if (n == 0) return;
    float *g = x->pars->g + at;
    fold f = {.grains = x->grains, .n = n, .k = x->k, .keep = g};
    for (int j = 0; j < x->nnode; j++) {
        node v = x->node[j];
        v.x = v.x ? v.x + at : landing(x, w, j);
        tree_push(&f, v);
    }
    assert(f.depth == 1);
    if (f.top[0].x != g) memcpy(g, f.top[0].x, sizeof *g * (size_t)n);
}

static void own_nodes(tt_xsum *x)
{
    int at = x->first[x->m->rank];
    assert(x->fold.depth == x->first[x->m->rank + 1] - at);
    for (int i = 0; i < x->fold.depth; i++) {
        assert(x->node[at + i].at == x->fold.top[i].at && x->node[at + i].level == x->fold.top[i].level);
        x->node[at + i].x = x->fold.top[i].x;
    }
}

static double exchange(tt_xsum *x)
{
    double waited = 0, t0 = tt_now();
    own_nodes(x);
    if (x->rounds > 0) post(x, 0, &x->window[0]);
    for (int64_t r = 0; r < x->rounds; r++) {
        if (r + 1 < x->rounds) post(x, r + 1, &x->window[(r + 1) % 2]);
        tt_reqs_wait(x->window[r % 2].q);
        waited += tt_now() - t0;
        finish_part(x, r, &x->window[r % 2]);
        t0 = tt_now();
    }
    return waited + tt_now() - t0;
}

static double reduce_mpi(tt_xsum *x)
{
    double t0 = tt_now();
    size_t bytes = sizeof(float) * (size_t)x->pars->size;
    if (x->fold.depth)
        memcpy(x->pars->g, x->fold.top[0].x, bytes);
    else
        memset(x->pars->g, 0, bytes);
    tt_allsum_f32(x->m, x->pars->g, x->pars->size);
    return tt_now() - t0;
}

double tt_xsum_finish(tt_xsum *x)
{
    assert(x->next == x->hi);
    if (!x->exact) return reduce_mpi(x);
    return x->m->size > 1 ? exchange(x) : 0;
}

static double tree_value(const double *v, int64_t grains, int64_t at, int64_t width)
{
    if (width == 1) return v[at];
    double left = tree_value(v, grains, at, width / 2);
    int64_t right = at + width / 2;
    return right < grains ? left + tree_value(v, grains, right, width / 2) : left;
}

double tt_xsum_scalar(const tt_mesh *m, int64_t grains, double *vals)
{
    if (grains == 0) return 0;
    tt_allsum_f64(m, vals, grains); /* one value and zeros: exact in any order */
    int64_t width = 1;
    while (width < grains) width *= 2;
    return tree_value(vals, grains, 0, width);
}
