/* Gradients on their way to their owners, and the tree (DESIGN D4). */
#include "zero.h"

#include <stdlib.h>
#include <string.h>

enum { TAG = 7 }; /* of all messages: between two ranks they match by order */

/* ---- arrays that hold partial sums -----------------------------------------------------------------------------*/

static float *slab_of(const gsum *s)
{
    const tt_zero *z = s->z;
    return z->streams ? NULL : z->part->g + z->part->group[s->group].at;
}

static float *take_spare(gsum *s)
{
    if (s->nspare) return s->spare[--s->nspare];
    return TT_NEW(s->z->a, float, s->fold.n);
}

static void give_spare(void *ctx, float *x)
{
    gsum *s = ctx;
    if (x != slab_of(s)) s->spare[s->nspare++] = x;
}

static void reset_sum(gsum *s)
{
    for (int i = 0; i < s->fold.depth; i++) give_spare(s, s->fold.top[i].x);
    s->fold.depth = 0;
    s->sent = false;
}

/* ---- who sends what ----------------------------------------------------------------------------------------------*/

/* The nodes that the ranks at place d of the data-parallel axis hold of one delivery. */
static int nodes_of(const tt_zero *z, int d, int64_t round, node *out)
{
    tt_deal deal = {d, z->deal.size, z->deal.turns};
    int64_t lo, hi;
    if (z->streams) {
        int64_t i = tt_deal_nth(&deal, z->grains, round);
        if (i >= 0) out[0] = (node){i, 0, NULL};
        return i >= 0;
    }
    tt_share(z->grains, d, deal.size, &lo, &hi);
    return tree_cover(z->grains, lo, hi, out);
}

static stretch stretch_to(const tt_zero *z, int group, int tp, int owner)
{
    stretch s = {.group = group, .tp = tp, .once = true};
    tt_own_range(z->own, group, owner, &s.lo, &s.hi);
    return s;
}

static int64_t floats_to(const tt_zero *z, int group, int tp, int owner)
{
    stretch s = stretch_to(z, group, tp, owner);
    return z->direct ? s.hi - s.lo : slice_floats(z, s);
}

static int tp_of(const tt_zero *z, int rank) { return rank % z->tp; }
static int dp_of(const tt_zero *z, int rank) { return rank / z->tp; }

/* ---- memory of an exchange: landing places of nodes, then messages ----------------------------------------------------*/

/* Floats a message takes in memory: as it is packed and, with bf16 on the wire, as it travels. */
static int64_t room(const tt_zero *z, int64_t n)
{
    int64_t whole = (n + 15) / 16 * 16;
    return z->job->mesh.wire == TT_PREC_BF16 ? 2 * whole : whole;
}

static size_t memory_of(const tt_zero *z, const exchange *x, int64_t own)
{
    int64_t sum = (int64_t)x->nnode * room(z, own), mine = 0;
    node tmp[2 * TREE_DEPTH];
    if (z->direct) return (size_t)sum;
    for (int r = 0; r < z->m->size; r++) {
        int64_t n = nodes_of(z, dp_of(z, r), x->round, tmp);
        sum += n * room(z, floats_to(z, x->group, tp_of(z, r), z->m->rank));
        if (dp_of(z, r) == z->deal.rank) mine = n;
    }
    for (int r = 0; r < z->m->size; r++) sum += mine * room(z, floats_to(z, x->group, tp_of(z, z->m->rank), r));
    return (size_t)sum;
}

static void make_room(exchange *x, size_t floats)
{
    floats += 16; /* never none: a rank that owns nothing of a group has a place of its nodes all the same */
    if (floats <= x->cap) return;
    free(x->mem);
    x->mem = tt_malloc_large(floats * sizeof *x->mem);
    x->cap = floats;
}

/* ---- messages ------------------------------------------------------------------------------------------------------*/

static float *take(float **at, const tt_zero *z, int64_t n)
{
    float *x = *at;
    *at += room(z, n);
    return x;
}

static float *wire_of(float *msg, int64_t n) { return msg + (n + 15) / 16 * 16; }

static void send(tt_zero *z, exchange *x, float *msg, int64_t n, int to)
{
    if (z->job->mesh.wire == TT_PREC_FP32) {
        tt_isend_f32(z->m, x->q, msg, n, to, TAG);
        return;
    }
    tt_bf16_from_f32(n, msg, (uint16_t *)(void *)wire_of(msg, n));
    tt_isend_f32(z->m, x->q, wire_of(msg, n), (n + 1) / 2, to, TAG);
}

static void receive(tt_zero *z, exchange *x, float *msg, int64_t n, int from)
{
    bool half = z->job->mesh.wire == TT_PREC_BF16;
    tt_irecv_f32(z->m, x->q, half ? wire_of(msg, n) : msg, half ? (n + 1) / 2 : n, from, TAG);
}

/* One message that has come, or of this rank to itself, into the owner's order. */
static void open_message(const tt_zero *z, int group, int tp, float *msg, int64_t n, float *landing)
{
    if (z->job->mesh.wire == TT_PREC_BF16) tt_f32_from_bf16(n, (const uint16_t *)(void *)wire_of(msg, n), msg);
    slice_unpack_whole(z, stretch_to(z, group, tp, z->m->rank), msg, landing);
}

static void own_message(tt_zero *z, int group, const float *part, float *landing, float *msg, int64_t n)
{
    int tp = tp_of(z, z->m->rank);
    slice_pack_part(z, stretch_to(z, group, tp, z->m->rank), part, msg);
    if (z->job->mesh.wire == TT_PREC_BF16) tt_bf16_from_f32(n, msg, (uint16_t *)(void *)wire_of(msg, n));
    open_message(z, group, tp, msg, n, landing);
}

/* Messages to this rank in the order of memory: for each rank, for each of its nodes. open: they have come. */
static void each_message(tt_zero *z, exchange *x, float **at, const node *mine, bool open)
{
    node tmp[2 * TREE_DEPTH];
    for (int r = 0, j = 0; r < z->m->size; r++) {
        int tp = tp_of(z, r), n = nodes_of(z, dp_of(z, r), x->round, tmp);
        int64_t floats = floats_to(z, x->group, tp, z->m->rank);
        for (int i = 0; i < n; i++) {
            float *msg = take(at, z, floats), *landing = x->node[j + i].x;
            if (r == z->m->rank) {
                if (!open) own_message(z, x->group, mine[i].x, landing, msg, floats);
            } else if (open) {
                open_message(z, x->group, tp, msg, floats, landing);
            } else if (floats) {
                receive(z, x, msg, floats, r);
            }
        }
        if (tp == z->tp - 1) j += n;
    }
}

static void send_packed(tt_zero *z, exchange *x, float **at, const node *mine, int nmine)
{
    int tp = tp_of(z, z->m->rank), size = z->m->size, me = z->m->rank;
    for (int k = 1; k < size; k++) {
        int to = (me + k) % size;
        stretch s = stretch_to(z, x->group, tp, to);
        int64_t n = slice_floats(z, s);
        for (int i = 0; i < nmine && n; i++) {
            float *msg = take(at, z, n);
            slice_pack_part(z, s, mine[i].x, msg);
            send(z, x, msg, n, to);
        }
    }
}

/* Parts laid out as the whole: gradients leave from where they are, own nodes need no landing. */
static void post_direct(tt_zero *z, exchange *x, const node *mine, int nmine)
{
    int size = z->m->size, me = z->m->rank;
    int64_t lo, hi, at = z->whole->group[x->group].at;
    node tmp[2 * TREE_DEPTH];
    tt_own_range(z->own, x->group, me, &lo, &hi);
    for (int r = 0, j = 0; r < size; r++) {
        int n = nodes_of(z, r, x->round, tmp);
        for (int i = 0; i < n; i++, j++)
            if (r == me)
                x->node[j].x = mine[i].x + (lo - at);
            else if (hi > lo)
                receive(z, x, x->node[j].x, hi - lo, r);
    }
    for (int k = 1; k < size; k++) {
        int to = (me + k) % size;
        tt_own_range(z->own, x->group, to, &lo, &hi);
        for (int i = 0; i < nmine && hi > lo; i++) send(z, x, mine[i].x + (lo - at), hi - lo, to);
    }
}

static exchange *next_exchange(tt_zero *z)
{
    if (z->xn == EXCHANGES) exchange_wait(z);
    return &z->x[(z->xhead + z->xn++) % EXCHANGES];
}

static void post(tt_zero *z, int group, const node *mine, int nmine, float *buffer)
{
    exchange *x = next_exchange(z);
    x->group = group;
    x->round = z->round;
    x->g = buffer;
    x->nnode = 0;
    for (int d = 0; d < z->deal.size; d++) x->nnode += nodes_of(z, d, x->round, x->node + x->nnode);
    int64_t own = zero_n(z, group);
    make_room(x, memory_of(z, x, own));
    float *at = x->mem;
    for (int j = 0; j < x->nnode; j++) x->node[j].x = take(&at, z, own);
    if (!z->direct && at > x->mem)
        memset(x->mem, 0, sizeof *x->mem * (size_t)(at - x->mem)); /* messages leave the padding out */
    if (z->direct) {
        post_direct(z, x, mine, nmine);
    } else {
        each_message(z, x, &at, mine, false);
        send_packed(z, x, &at, mine, nmine);
    }
}

/* ---- completion -----------------------------------------------------------------------------------------------------*/

static bool in_delivery(const exchange *x, const float *p)
{
    for (int j = 0; j < x->nnode; j++)
        if (x->node[j].x == p) return true;
    return false;
}

static void give_kept(void *ctx, float *x)
{
    gsum *s = ctx;
    if (!in_delivery(s->delivery, x)) give_spare(s, x);
}

/* The owner's running sum. What the round leaves on the stack moves out of the delivery's memory. Returns the total after the
 * last grain, else NULL. */
static float *fold_stream(tt_zero *z, exchange *x)
{
    gsum *s = &z->sum[x->group];
    s->delivery = x;
    s->fold.drop = give_kept;
    for (int j = 0; j < x->nnode; j++) tree_push(&s->fold, x->node[j]);
    bool last = x->node[x->nnode - 1].at + 1 == z->grains;
    if (last) {
        assert(s->fold.depth == 1);
        float *total = s->fold.top[0].x;
        s->fold.depth = 0;
        if (!in_delivery(x, total)) give_spare(s, total);
        return total;
    }
    for (int i = 0; i < s->fold.depth; i++)
        if (in_delivery(x, s->fold.top[i].x))
            s->fold.top[i].x = memcpy(take_spare(s), s->fold.top[i].x, sizeof(float) * (size_t)s->fold.n);
    return NULL;
}

/* All nodes at once: finished in the place of the sum where that is one of them. */
static float *fold_once(tt_zero *z, exchange *x)
{
    fold f = {.grains = z->grains, .n = zero_n(z, x->group), .k = z->k};
    f.keep = z->direct ? zero_own_sum(z, x->group) : NULL;
    for (int j = 0; j < x->nnode; j++) tree_push(&f, x->node[j]);
    assert(f.depth == 1);
    return f.top[0].x;
}

static void release(tt_zero *z, const float *g)
{
    for (int i = 0; i < GRAD_BUFFERS; i++)
        if (g && z->gbuf[i] == g) z->gbusy[i] = false;
}

static void deliver(tt_zero *z, exchange *x)
{
    int64_t n = zero_n(z, x->group);
    if (!z->direct) {
        float *at = x->mem + (int64_t)x->nnode * room(z, n);
        each_message(z, x, &at, NULL, true);
    }
    float *total = z->streams ? fold_stream(z, x) : fold_once(z, x);
    if (!total) return;
    if (z->job->optim.update == TT_UPDATE_BLOCK)
        z->sum[x->group].total = total;
    else if (n > 0 && total != zero_own_sum(z, x->group))
        memcpy(zero_own_sum(z, x->group), total, sizeof(float) * (size_t)n);
    if (z->on_sum) z->on_sum(z->on_ctx, x->group);
    z->sum[x->group].total = NULL;
}

static void complete(tt_zero *z)
{
    exchange *x = &z->x[z->xhead];
    z->xhead = (z->xhead + 1) % EXCHANGES;
    z->xn--;
    if (z->job->mesh.reduce == TT_REDUCE_EXACT) deliver(z, x);
    release(z, x->g);
}

void exchange_wait(tt_zero *z)
{
    exchange *x = &z->x[z->xhead];
    double t0 = tt_now();
    tt_reqs_wait(x->q);
    z->waited += tt_now() - t0;
    complete(z);
}

bool exchange_poll(tt_zero *z)
{
    if (z->xn == 0 || !tt_reqs_test(z->x[z->xhead].q)) return false;
    complete(z);
    return true;
}

/* ---- one grain of one group ---------------------------------------------------------------------------------------------*/

/* In the order in which grains come, one running sum, then MPI's own reduction, to compare. */
static void add_grain(tt_zero *z, gsum *s, int64_t grain, float *g)
{
    int64_t n = z->part->group[s->group].n;
    if (s->fold.depth)
        z->k->add(n, s->fold.top[0].x, g);
    else
        s->fold.top[s->fold.depth++] = (node){grain, 0, take_spare(s)};
    memcpy(s->fold.top[0].x, g, sizeof *g * (size_t)n);
}

static void post_reduce(tt_zero *z, int group, bool any)
{
    const tt_group *t = &z->part->group[group];
    exchange *x = next_exchange(z);
    x->group = group;
    x->g = NULL;
    if (!any) memset(z->part->g + t->at, 0, sizeof(float) * (size_t)t->n);
    tt_iallsum_f32(z->m, x->q, z->part->g + t->at, t->n);
}

/* The gradient moves out of the slab only if no sum takes it at once; the last grain stays where it is. */
static void fold_grain(gsum *s, int64_t grain, float *g, bool last)
{
    s->fold.keep = last ? g : NULL;
    s->fold.drop = give_spare;
    tree_push(&s->fold, (node){grain, 0, g});
    node *top = &s->fold.top[s->fold.depth - 1];
    if (!last && top->x == g) top->x = memcpy(take_spare(s), g, sizeof *g * (size_t)s->fold.n);
}

static void exchange_run(tt_zero *z, int group, float *g)
{
    gsum *s = &z->sum[group];
    int64_t grain = tt_deal_nth(&z->deal, z->grains, z->round);
    bool last = !g || tt_deal_nth(&z->deal, z->grains, z->round + 1) < 0;
    bool exact = z->job->mesh.reduce == TT_REDUCE_EXACT;
    if (g && exact) fold_grain(s, grain, g, last);
    if (g && !exact) add_grain(z, s, grain, g);
    if (!last) return;
    assert(!s->sent);
    s->sent = true;
    if (exact)
        post(z, group, s->fold.top, s->fold.depth, NULL);
    else
        post_reduce(z, group, g != NULL);
}

void exchange_grain(tt_zero *z, int group, float *g)
{
    if (!z->streams) {
        exchange_run(z, group, g);
        return;
    }
    node mine = {tt_deal_nth(&z->deal, z->grains, z->round), 0, g};
    post(z, group, &mine, mine.at >= 0, g);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------*/

void exchange_open(tt_zero *z)
{
    z->sum = TT_ZNEW(z->a, gsum, z->whole->ngroup);
    for (int g = 0; g < z->whole->ngroup; g++) {
        gsum *s = &z->sum[g];
        *s = (gsum){.z = z, .group = g};
        s->fold = (fold){.grains = z->grains, .k = z->k, .ctx = s, .drop = give_spare};
        s->fold.n = z->streams ? zero_n(z, g) : z->part->group[g].n;
    }
    for (int i = 0; i < EXCHANGES; i++) {
        z->x[i].q = tt_reqs_new();
        z->x[i].node = TT_NEW(z->a, node, (int64_t)z->deal.size * 2 * (z->streams ? 1 : TREE_DEPTH));
    }
}

void exchange_begin(tt_zero *z)
{
    assert(z->xn == 0);
    for (int g = 0; g < z->whole->ngroup; g++) reset_sum(&z->sum[g]);
}

void exchange_close(tt_zero *z)
{
    for (int i = 0; i < EXCHANGES; i++) {
        free(z->x[i].mem);
        if (z->x[i].q) tt_reqs_free(z->x[i].q);
    }
}
