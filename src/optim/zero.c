/* ZeRO: which buffers a group has when, rounds of grains, and what the tape's hooks do. */
#include "zero.h"

#include <stdlib.h>
#include <string.h>

/* ---- settings ------------------------------------------------------------------------------------------------------*/

bool tt_zero_streams(const tt_job *job) { return job->mesh.zero >= 2 || job->optim.update == TT_UPDATE_BLOCK; }

tt_err tt_zero_check(const tt_mesh *m, const tt_job *j)
{
    if (j->optim.update == TT_UPDATE_BLOCK && j->optim.clip > 0)
        return tt_fail(TT_EJOB,
                       "optim.update: block applies gradients before their norm is known; it needs optim.clip: "
                       "0 (Adafactor clips every update by itself)");
    if (j->optim.update == TT_UPDATE_BLOCK && j->mesh.zero == 0)
        return tt_fail(TT_EJOB, "optim.update: block needs mesh.zero: 1 or more; at 0 every rank updates everything");
    if (j->mesh.reduce == TT_REDUCE_MPI &&
        (tt_zero_streams(j) || j->mesh.zero == 0 || j->mesh.tp > 1 || j->mesh.wire != TT_PREC_FP32))
        return tt_fail(TT_EJOB,
                       "mesh.reduce: mpi is there to compare with; it knows mesh.zero: 1, mesh.tp: 1, mesh.wire: fp32 "
                       "and optim.update: step alone");
    if (m->size % j->mesh.tp)
        return tt_fail(TT_EJOB, "mesh.tp: %lld does not divide the %d ranks; choose a divisor", (long long)j->mesh.tp,
                       m->size);
    return TT_OK;
}

/* ---- what a pass does, in which order --------------------------------------------------------------------------------*/

typedef struct recorder {
    int *use, nuse, *back, nback;
} recorder;

static void add(int **list, int *n, int group)
{
    *list = tt_realloc(*list, sizeof **list * (size_t)(*n + 1));
    (*list)[(*n)++] = group;
}

static void record_use(void *ctx, int group, bool back)
{
    add(&((recorder *)ctx)->use, &((recorder *)ctx)->nuse, group);
}

static void record_done(void *ctx, int group, bool back)
{
    if (back) add(&((recorder *)ctx)->back, &((recorder *)ctx)->nback, group);
}

/* Without a model: the groups one after the other. */
static void plain_walk(const tt_pars *t, const tt_hooks *h)
{
    for (int g = 0; g < t->ngroup; g++) {
        h->use(h->ctx, g, true);
        h->done(h->ctx, g, true);
    }
}

static void do_walk(const tt_zero *z, const tt_hooks *h)
{
    if (z->walk)
        z->walk(z->model, h);
    else
        plain_walk(z->whole, h);
}

static void plan_order(tt_zero *z)
{
    recorder r = {0};
    do_walk(z, &(tt_hooks){.use = record_use, .done = record_done, .ctx = &r});
    z->order = r.use;
    z->norder = r.nuse;
    z->back = r.back;
    z->nback = r.nback;
    assert(z->nback == z->whole->ngroup);
}

/* ---- the hooks -----------------------------------------------------------------------------------------------------------*/

static float *grad_buffer(tt_zero *z)
{
    for (;;) {
        for (int i = 0; i < GRAD_BUFFERS; i++)
            if (!z->gbusy[i]) {
                z->gbusy[i] = true;
                return z->gbuf[i];
            }
        exchange_wait(z);
    }
}

static float *grad_of(tt_zero *z, int group)
{
    if (!z->streams) return z->part->g + z->part->group[group].at;
    return group == 0 ? z->gbuf0 : grad_buffer(z);
}

/* The resident group's buffer is on its way from the last round until that completes. */
static void free_resident(tt_zero *z)
{
    bool busy = true;
    while (busy) {
        busy = false;
        for (int i = 0; i < z->xn; i++) busy |= z->x[(z->xhead + i) % EXCHANGES].group == 0;
        if (busy) exchange_wait(z);
    }
}

static void begin_gradient(tt_zero *z, int group)
{
    if (!zero_trained(z, group) || z->absent) return;
    if (z->streams && group == 0) free_resident(z);
    float *g = grad_of(z, group);
    const tt_group *t = &z->part->group[group];
    for (int i = t->first; i < t->end; i++) z->part->p[i].g = g + (z->part->p[i].at - t->at);
    tt_pars_unset(z->part, group, true);
}

/* Starts what the pass will use next, if that is not there. */
static void look_ahead(tt_zero *z, int group)
{
    assert(z->order[z->next] == group);
    z->next = (z->next + 1) % z->norder;
    for (int i = z->next; z->passing && i < z->norder; i++) {
        if (z->order[i] == group || z->order[i] == 0) continue;
        weights_ahead(z, z->order[i]);
        return;
    }
}

static void on_use(void *ctx, int group, bool back)
{
    tt_zero *z = ctx;
    weights_use(z, group);
    look_ahead(z, group);
    if (back) begin_gradient(z, group);
}

static void on_done(void *ctx, int group, bool back)
{
    tt_zero *z = ctx;
    if (!back || !zero_trained(z, group)) return;
    float *g = NULL;
    if (!z->absent) {
        tt_pars_unset(z->part, group, false);
        g = z->part->p[z->part->group[group].first].g;
    }
    exchange_grain(z, group, g);
}

static void on_poll(void *ctx) { exchange_poll(ctx); }

const tt_hooks *tt_zero_hooks(const tt_zero *z) { return &z->hooks; }

/* ---- a step ----------------------------------------------------------------------------------------------------------------*/

void tt_zero_begin(tt_zero *z)
{
    exchange_begin(z);
    weights_forget(z);
    z->next = 0;
}

int64_t tt_zero_rounds(const tt_zero *z)
{
    int64_t lo, hi;
    if (z->streams) return (z->grains + z->deal.size - 1) / z->deal.size;
    tt_share(z->grains, z->deal.rank, z->deal.size, &lo, &hi);
    return hi - lo;
}

int64_t tt_zero_grain(const tt_zero *z, int64_t round) { return tt_deal_nth(&z->deal, z->grains, round); }

void tt_zero_round(tt_zero *z, int64_t round)
{
    z->round = round;
    z->absent = tt_zero_grain(z, round) < 0;
}

void tt_zero_idle(tt_zero *z) { do_walk(z, &z->hooks); }

/* Stage 0: the owners' sums go to everyone. */
static void share_sums(tt_zero *z, int group)
{
    int size = z->m->size;
    int64_t *lo = tt_malloc(2 * sizeof *lo * (size_t)size), *hi = lo + size, at = z->whole->group[group].at;
    for (int r = 0; r < size; r++) {
        tt_own_range(z->own, group, r, &lo[r], &hi[r]);
        lo[r] -= at;
        hi[r] -= at;
    }
    tt_reqs *q = tt_reqs_new();
    double t0 = tt_now();
    tt_iallgather_f32(z->m, q, tt_zero_sum(z, group), lo, hi);
    tt_reqs_wait(q);
    z->waited += tt_now() - t0;
    tt_reqs_free(q);
    free(lo);
}

void tt_zero_finish(tt_zero *z)
{
    z->absent = true;
    for (int i = 0; i < z->nback && !z->streams; i++)
        if (zero_trained(z, z->back[i]) && !z->sum[z->back[i]].sent) exchange_grain(z, z->back[i], NULL);
    while (z->xn) exchange_wait(z);
    for (int i = 0; i < z->nback && z->job->mesh.zero == 0; i++)
        if (zero_trained(z, z->back[i])) share_sums(z, z->back[i]);
}

double tt_zero_waited(tt_zero *z)
{
    double s = z->waited;
    z->waited = 0;
    return s;
}

/* ---- what the optimizer sees ---------------------------------------------------------------------------------------------------*/

const tt_own *tt_zero_own(const tt_zero *z) { return z->job->mesh.zero == 0 ? z->all : z->own; }
int tt_zero_rank(const tt_zero *z) { return z->job->mesh.zero == 0 ? 0 : z->m->rank; }
const tt_deal *tt_zero_deal(const tt_zero *z) { return &z->deal; }

void tt_zero_cut(const tt_zero *z, int i, int64_t *lo, int64_t *hi) { tt_own_elements(z->own, i, z->m->rank, lo, hi); }

static int64_t first_of(const tt_zero *z, int group)
{
    int64_t lo, hi;
    tt_own_range(tt_zero_own(z), group, tt_zero_rank(z), &lo, &hi);
    return lo;
}

float *tt_zero_master(const tt_zero *z, int group)
{
    return z->master ? z->master + z->at[group] : z->part->w + first_of(z, group);
}

float *tt_zero_sum(const tt_zero *z, int group)
{
    if (z->sum[group].total) return z->sum[group].total;
    return z->sums ? z->sums + z->at[group] : z->part->g + first_of(z, group);
}

/* In stage 0 the rank's cut within the sum of everything. */
float *zero_own_sum(const tt_zero *z, int group)
{
    int64_t lo, hi;
    tt_own_range(z->own, group, z->m->rank, &lo, &hi);
    return tt_zero_sum(z, group) + (z->job->mesh.zero == 0 ? lo - z->whole->group[group].at : 0);
}

void tt_zero_on_sum(tt_zero *z, void (*fn)(void *ctx, int group), void *ctx)
{
    z->on_sum = fn;
    z->on_ctx = ctx;
}

int64_t zero_n(const tt_zero *z, int group)
{
    int64_t lo, hi;
    tt_own_range(z->own, group, z->m->rank, &lo, &hi);
    return hi - lo;
}

bool zero_trained(const tt_zero *z, int group)
{
    const tt_group *g = &z->whole->group[group];
    for (int i = g->first; i < g->end; i++)
        if (z->whole->p[i].trained) return true;
    return false;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------*/

static float *zeros(int64_t n)
{
    size_t bytes = sizeof(float) * (size_t)(n + 1);
    return memset(tt_malloc_large(bytes), 0, bytes);
}

/* Every rank learns the slices of all tensor-parallel places. */
static void learn_slices(tt_zero *z)
{
    int n = z->whole->n, tp = z->tp;
    int64_t *mine = tt_malloc(3 * sizeof *mine * (size_t)n), *all;
    size_t *off = tt_malloc(sizeof *off * (size_t)(z->m->size + 1));
    for (int i = 0; i < n; i++) {
        const tt_par *p = &z->part->p[i];
        memcpy(mine + 3 * i, (int64_t[]){p->axis, p->lo, p->hi}, 3 * sizeof *mine);
    }
    tt_allgatherv(z->m, mine, 3 * sizeof *mine * (size_t)n, (void **)&all, off);
    z->slice = TT_NEW(z->a, slice, (int64_t)tp * n);
    for (int i = 0; i < tp * n; i++) z->slice[i] = (slice){(int)all[3 * i], all[3 * i + 1], all[3 * i + 2]};
    free(mine);
    free(off);
    free(all);
}

static void place_shares(tt_zero *z)
{
    z->at = TT_ZNEW(z->a, int64_t, z->whole->ngroup + 1);
    for (int g = 0; g < z->whole->ngroup; g++) {
        int64_t lo, hi;
        tt_own_range(tt_zero_own(z), g, tt_zero_rank(z), &lo, &hi);
        z->at[g + 1] = z->at[g] + hi - lo;
    }
}

/* Masters and sums lie in the part's own slabs where that has the same layout and is there. */
static void open_memory(tt_zero *z)
{
    bool tp = z->tp > 1, whole = z->whole->w != NULL;
    int64_t own = z->at[z->whole->ngroup], most = 0;
    for (int g = 1; g < z->part->ngroup; g++)
        if (z->part->group[g].n > most) most = z->part->group[g].n;
    if (z->passing || tp) z->master = zeros(own);
    if (!z->passing) tt_pars_alloc(z->part);
    if ((z->streams && z->job->optim.update == TT_UPDATE_STEP) || !z->direct) z->sums = zeros(own);
    if (!z->streams) tt_pars_grads(z->part);
    for (int i = 0; i < GRAD_BUFFERS && z->streams; i++) z->gbuf[i] = zeros(most);
    if (z->streams) z->gbuf0 = zeros(z->part->group[0].n);
    weights_open(z);
    if (!z->master || !whole) return;
    for (int i = 0; i < z->whole->n; i++) tt_zero_put(z, i, z->whole->p[i].w);
    tt_pars_drop(z->whole);
}

tt_zero *tt_zero_new(const tt_mesh *m, const tt_job *job, tt_pars *whole, tt_pars *part, int64_t grains, tt_walk walk,
                     const void *model, const tt_kern *k)
{
    tt_zero *z = tt_malloc(sizeof *z);
    *z = (tt_zero){.job = job, .whole = whole, .part = part, .k = k, .grains = grains, .walk = walk, .model = model};
    int tp = z->tp = job->mesh.tp > 1 ? (int)job->mesh.tp : 1;
    size_t bucket = (size_t)job->mesh.bucket << 20;
    z->mesh = *m;
    z->m = &z->mesh;
    if (bucket && (!z->mesh.chunk || bucket < z->mesh.chunk)) z->mesh.chunk = bucket;
    MPI_Comm_dup(m->world, &z->mesh.world);
    z->streams = tt_zero_streams(job);
    z->deal = (tt_deal){m->rank / tp, m->size / tp, z->streams};
    z->direct = tp == 1 && job->mesh.wire == TT_PREC_FP32;
    z->half = job->precision == TT_PREC_BF16;
    z->passing = job->mesh.zero == 3 && m->size > 1;
    z->a = tt_arena_new(1 << 16);
    z->own = tt_own_new(whole, m->size, tt_optim_whole(job));
    z->all = tt_own_new(whole, 1, tt_optim_whole(job));
    z->hooks = (tt_hooks){on_use, on_done, on_poll, z};
    plan_order(z);
    learn_slices(z);
    place_shares(z);
    exchange_open(z);
    open_memory(z);
    return z;
}

void tt_zero_free(tt_zero *z)
{
    if (!z) return;
    weights_close(z);
    exchange_close(z);
    tt_own_free(z->own);
    tt_own_free(z->all);
    for (int i = 0; i < GRAD_BUFFERS; i++) free(z->gbuf[i]);
    free(z->gbuf0);
    free(z->master);
    free(z->sums);
    free(z->order);
    free(z->back);
    tt_arena_free(z->a);
    MPI_Comm_free(&z->mesh.world);
    free(z);
}
