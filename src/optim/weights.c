/* Weights on their way from their owners: all of them after every update (stages 0 to 2), or group by group when a pass needs them
 * (stage 3). */
#include "zero.h"

#include <stdlib.h>
#include <string.h>

enum { TAG = 8 };

static stretch stretch_of(const tt_zero *z, int group, int tp, int owner)
{
    stretch s = {.group = group, .tp = tp};
    tt_own_range(z->own, group, owner, &s.lo, &s.hi);
    return s;
}

static int tp_of(const tt_zero *z, int rank) { return rank % z->tp; }

/* ---- one gather --------------------------------------------------------------------------------------------------*/

static void start_direct(tt_zero *z, gather *x)
{
    int size = z->m->size;
    int64_t *lo = tt_malloc(2 * sizeof *lo * (size_t)size), *hi = lo + size, at = z->whole->group[x->group].at;
    for (int r = 0; r < size; r++) {
        tt_own_range(z->own, x->group, r, &lo[r], &hi[r]);
        lo[r] -= at;
        hi[r] -= at;
    }
    int me = z->m->rank;
    if (z->master) memcpy(x->w + lo[me], tt_zero_master(z, x->group), sizeof(float) * (size_t)(hi[me] - lo[me]));
    tt_iallgather_f32(z->m, x->q, x->w, lo, hi);
    free(lo);
}

/* A message to every tensor-parallel place, the same for all ranks there, and one from every owner. */
static void start_packed(tt_zero *z, gather *x)
{
    int size = z->m->size, me = z->m->rank, tp = z->tp;
    int64_t need = 0;
    for (int r = 0; r < size; r++) need += slice_floats(z, stretch_of(z, x->group, tp_of(z, me), r));
    for (int t = 0; t < tp; t++) need += slice_floats(z, stretch_of(z, x->group, t, me));
    float *at = x->msg = tt_malloc_large(sizeof(float) * (size_t)(need + 1));
    for (int r = 0; r < size; r++) {
        int64_t n = slice_floats(z, stretch_of(z, x->group, tp_of(z, me), r));
        if (r == me)
            slice_pack_whole(z, stretch_of(z, x->group, tp_of(z, me), me), tt_zero_master(z, x->group), at);
        else if (n)
            tt_irecv_f32(z->m, x->q, at, n, r, TAG);
        at += n;
    }
    for (int t = 0; t < tp; t++) {
        int64_t n = slice_floats(z, stretch_of(z, x->group, t, me));
        slice_pack_whole(z, stretch_of(z, x->group, t, me), tt_zero_master(z, x->group), at);
        for (int r = t; r < size; r += tp)
            if (r != me && n) tt_isend_f32(z->m, x->q, at, n, r, TAG);
        at += n;
    }
}

/* Every rank has everything; a slice is cut out of it. */
static void start_alone(tt_zero *z, gather *x)
{
    const tt_group *g = &z->whole->group[x->group];
    stretch s = {.group = x->group, .tp = tp_of(z, z->m->rank), .lo = g->at, .hi = g->at + g->n};
    if (!z->master) return;
    float *msg = tt_malloc_large(sizeof *msg * (size_t)(g->n + 1));
    slice_pack_whole(z, s, tt_zero_master(z, x->group), msg);
    slice_unpack_part(z, s, msg, x->w);
    free(msg);
}

static void start(tt_zero *z, gather *x, int group)
{
    x->group = group;
    x->ready = false;
    x->fresh = true;
    if (z->job->mesh.zero == 0)
        start_alone(z, x);
    else if (z->tp > 1)
        start_packed(z, x);
    else
        start_direct(z, x);
}

static void finish(tt_zero *z, gather *x)
{
    if (x->ready) return;
    double t0 = tt_now();
    tt_reqs_wait(x->q);
    z->waited += tt_now() - t0;
    x->ready = true;
    const float *at = x->msg;
    for (int r = 0; at && r < z->m->size; r++) {
        stretch s = stretch_of(z, x->group, tp_of(z, z->m->rank), r);
        slice_unpack_part(z, s, at, x->w);
        at += slice_floats(z, s);
    }
    free(x->msg);
    x->msg = NULL;
}

static void halve(tt_zero *z, gather *x)
{
    if (!z->half || !x->fresh) return;
    x->fresh = false;
    if (x->h)
        tt_bf16_from_f32(z->part->group[x->group].n, x->w, x->h);
    else
        tt_pars_halve(z->part, x->group);
}

/* ---- weights that come and go --------------------------------------------------------------------------------------*/

static gather *find(tt_zero *z, int group)
{
    for (int i = 0; i <= WEIGHT_BUFFERS; i++)
        if (z->buf[i].group == group) return &z->buf[i];
    return NULL;
}

/* The buffer that was used longest ago. The last one that was used is in use. */
static gather *oldest(tt_zero *z)
{
    gather *x = &z->buf[1];
    for (int i = 2; i <= WEIGHT_BUFFERS; i++)
        if (z->buf[i].group == NO_GROUP || (x->group != NO_GROUP && z->buf[i].used < x->used)) x = &z->buf[i];
    if (x->group != NO_GROUP) finish(z, x);
    return x;
}

void weights_ahead(tt_zero *z, int group)
{
    if (!z->passing || find(z, group)) return;
    gather *x = group == 0 ? &z->buf[0] : oldest(z);
    x->used = ++z->clock;
    start(z, x, group);
}

void weights_use(tt_zero *z, int group)
{
    gather *x = &z->pull[group];
    if (z->passing) {
        weights_ahead(z, group);
        x = find(z, group);
        x->used = ++z->clock;
    }
    finish(z, x);
    halve(z, x);
    if (z->passing) tt_pars_place(z->part, group, x->w, NULL, x->h);
}

void weights_forget(tt_zero *z)
{
    for (int i = 0; z->passing && i <= WEIGHT_BUFFERS; i++) {
        if (z->buf[i].group != NO_GROUP) finish(z, &z->buf[i]);
        z->buf[i].group = NO_GROUP;
    }
}

void tt_zero_changed(tt_zero *z, int group)
{
    if (z->passing) return;
    finish(z, &z->pull[group]);
    start(z, &z->pull[group], group);
}

static void wait_all(tt_zero *z)
{
    for (int g = 0; g < z->whole->ngroup; g++) finish(z, &z->pull[g]);
}

void tt_zero_spread(tt_zero *z)
{
    weights_forget(z);
    for (int g = 0; g < z->whole->ngroup && !z->passing; g++) {
        finish(z, &z->pull[g]);
        start(z, &z->pull[g], g);
    }
    wait_all(z);
}

/* ---- rows put by hand, and the whole ----------------------------------------------------------------------------------*/

void tt_zero_put(tt_zero *z, int i, const float *w)
{
    const tt_par *p = &z->whole->p[i];
    int64_t lo, hi, from, to;
    tt_own_elements(tt_zero_own(z), i, tt_zero_rank(z), &lo, &hi);
    tt_own_range(tt_zero_own(z), p->group, tt_zero_rank(z), &from, &to);
    if (z->master && hi > lo)
        memcpy(tt_zero_master(z, p->group) + (p->at + lo - from), w + lo, sizeof *w * (size_t)(hi - lo));
    z->pull[p->group].fresh = true;
    if (z->passing) return;
    stretch s = {.group = p->group, .tp = tp_of(z, z->m->rank), .lo = p->at, .hi = p->at + p->n};
    const tt_group *g = &z->part->group[p->group];
    if (z->part->w + z->part->p[i].at == w) return;
    float *msg = tt_malloc_large(sizeof *msg * (size_t)(p->n + 1));
    slice_pack_whole(z, s, w, msg);
    slice_unpack_part(z, s, msg, z->part->w + g->at);
    free(msg);
}

/* Owners' stretches lie in the whole slab as they are cut. */
static void gather_whole(tt_zero *z, int group)
{
    int size = z->m->size;
    int64_t *lo = tt_malloc(2 * sizeof *lo * (size_t)size), *hi = lo + size, at = z->whole->group[group].at;
    for (int r = 0; r < size; r++) {
        tt_own_range(z->own, group, r, &lo[r], &hi[r]);
        lo[r] -= at;
        hi[r] -= at;
    }
    float *w = z->whole->w + at;
    int64_t from, to;
    tt_own_range(tt_zero_own(z), group, tt_zero_rank(z), &from, &to);
    memcpy(w + (from - at), tt_zero_master(z, group), sizeof *w * (size_t)(to - from));
    tt_reqs *q = tt_reqs_new();
    tt_iallgather_f32(z->m, q, w, lo, hi);
    tt_reqs_wait(q);
    tt_reqs_free(q);
    free(lo);
}

void tt_zero_whole(tt_zero *z, bool on)
{
    wait_all(z);
    if (!z->passing && z->whole == z->part) return;
    if (!on) {
        tt_pars_drop(z->whole);
        return;
    }
    weights_forget(z);
    tt_pars_alloc(z->whole);
    for (int g = 0; g < z->whole->ngroup; g++) gather_whole(z, g);
}

/* ---- life ----------------------------------------------------------------------------------------------------------------*/

static int64_t largest_group(const tt_pars *t)
{
    int64_t most = 0;
    for (int g = 1; g < t->ngroup; g++)
        if (t->group[g].n > most) most = t->group[g].n;
    return most;
}

static void open_buffers(tt_zero *z)
{
    for (int i = 0; i <= WEIGHT_BUFFERS; i++) {
        gather *x = &z->buf[i];
        int64_t n = i ? largest_group(z->part) : z->part->group[0].n;
        *x = (gather){.group = NO_GROUP, .q = tt_reqs_new(), .ready = true};
        if (!z->passing) continue;
        x->w = memset(tt_malloc_large(sizeof *x->w * (size_t)(n + 1)), 0, sizeof *x->w * (size_t)n);
        if (z->half) x->h = memset(tt_malloc_large(sizeof *x->h * (size_t)(n + 1)), 0, sizeof *x->h * (size_t)n);
    }
}

void weights_open(tt_zero *z)
{
    open_buffers(z);
    z->pull = TT_ZNEW(z->a, gather, z->whole->ngroup);
    for (int g = 0; g < z->whole->ngroup; g++) {
        z->pull[g] = (gather){.group = g, .ready = true, .fresh = true, .q = tt_reqs_new()};
        if (!z->passing) z->pull[g].w = z->part->w + z->part->group[g].at;
    }
}

void weights_close(tt_zero *z)
{
    weights_forget(z);
    wait_all(z);
    for (int i = 0; i <= WEIGHT_BUFFERS; i++) {
        free(z->buf[i].w);
        free(z->buf[i].h);
        tt_reqs_free(z->buf[i].q);
    }
    for (int g = 0; g < z->whole->ngroup; g++) tt_reqs_free(z->pull[g].q);
}
