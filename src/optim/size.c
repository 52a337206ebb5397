/* What the engine of zero.c, weights.c and exchange.c takes, reckoned without it: for plans. */
#include "zero.h"

typedef struct sizing {
    const tt_job *job;
    const tt_pars *whole, *part;
    int tp, rank;
    int64_t dp, grains;
    bool streams, direct, passing;
    const tt_own *own;
} sizing;

static int64_t largest(const tt_pars *t)
{
    int64_t most = 0;
    for (int g = 1; g < t->ngroup; g++)
        if (t->group[g].n > most) most = t->group[g].n;
    return most;
}

static int64_t own_of(const sizing *s, int group)
{
    int64_t lo, hi;
    tt_own_range(s->own, group, s->rank, &lo, &hi);
    return hi - lo;
}

/* Floats that the rank finishes, or (stage 0) updates. */
static int64_t shares(const sizing *s)
{
    return s->job->mesh.zero == 0 ? s->whole->size : tt_own_total(s->own, s->rank);
}

static int64_t weight_bytes(const sizing *s)
{
    int64_t each = s->job->precision == TT_PREC_BF16 ? 6 : 4, masters = 4 * shares(s);
    if (s->passing) return masters + each * (s->part->group[0].n + WEIGHT_BUFFERS * largest(s->part));
    return each * s->part->size + (s->tp > 1 ? masters : 0);
}

/* The first rank has as many grains as any. */
static int64_t slabs_waiting(const sizing *s)
{
    int64_t lo, hi;
    if (s->job->mesh.reduce == TT_REDUCE_MPI) return 1;
    tt_share(s->grains, 0, (int)s->dp, &lo, &hi);
    return tree_waiting(s->grains, lo, hi, 1);
}

static int64_t gradient_floats(const sizing *s)
{
    bool step = s->job->optim.update == TT_UPDATE_STEP;
    int64_t sums = (s->streams && step) || !s->direct ? shares(s) : 0;
    if (!s->streams) return sums + s->part->size * (1 + slabs_waiting(s));
    int64_t waiting = tree_waiting(s->grains, 0, s->grains, s->dp) * tt_own_total(s->own, s->rank);
    return sums + waiting + GRAD_BUFFERS * largest(s->part) + s->part->group[0].n;
}

/* Subtrees that places lo .. hi-1 of the data-parallel axis send in one delivery. */
static int64_t delivered(const sizing *s, int64_t hi)
{
    int64_t sum = 0;
    node tmp[2 * TREE_DEPTH];
    if (s->streams) return hi < s->grains ? hi : s->grains;
    for (int64_t d = 0; d < hi; d++) {
        int64_t from, to;
        tt_share(s->grains, (int)d, (int)s->dp, &from, &to);
        sum += tree_cover(s->grains, from, to, tmp);
    }
    return sum;
}

/* Landing places, of other ranks alone where messages are not packed; messages to this rank and from it. */
static int64_t exchange_floats(const sizing *s, int group)
{
    int64_t all = delivered(s, s->dp), mine = delivered(s, 1), own = own_of(s, group);
    int64_t times = s->job->mesh.wire == TT_PREC_BF16 ? 2 : 1;
    return s->direct ? (all - mine) * own : times * (2 * all * own + mine * (s->part->group[group].n - own));
}

/* The exchanges take turns. Unless the groups divide by them, each of them meets the largest in time. */
static int64_t exchanges(const sizing *s)
{
    int64_t top[EXCHANGES] = {0}, sum = 0;
    for (int g = 0; g < s->whole->ngroup; g++) {
        int64_t n = exchange_floats(s, g);
        for (int i = 0; i < EXCHANGES; i++)
            if (n > top[i]) {
                int64_t less = top[i];
                top[i] = n;
                n = less;
            }
    }
    for (int i = 0; i < EXCHANGES; i++) sum += top[s->whole->ngroup % EXCHANGES ? 0 : i];
    return sum;
}

/* After an update all weights are under way at once, in messages of their own where parts are slices. */
static int64_t gather_floats(const sizing *s)
{
    if (s->tp == 1 || s->job->mesh.zero == 0 || s->passing) return 0;
    return s->part->size + tt_own_total(s->own, s->rank);
}

tt_zero_size tt_zero_sizes(const tt_job *job, const tt_pars *whole, const tt_pars *part, const tt_own *own, int size,
                           int rank)
{
    sizing s = {.job = job, .whole = whole, .part = part, .own = own, .rank = rank};
    s.tp = (int)job->mesh.tp;
    s.dp = size / s.tp;
    s.grains = job->train.grains;
    s.streams = tt_zero_streams(job);
    s.direct = s.tp == 1 && job->mesh.wire == TT_PREC_FP32;
    s.passing = job->mesh.zero == 3 && size > 1;
    tt_zero_size o = {.weights = (size_t)weight_bytes(&s), .grads = sizeof(float) * (size_t)gradient_floats(&s)};
    if (size > 1 || !s.direct) o.messages = sizeof(float) * (size_t)(exchanges(&s) + gather_floats(&s));
    o.nodes = s.streams ? s.grains : delivered(&s, s.dp);
    return o;
}
