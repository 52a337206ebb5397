/* tutti bench ranks: the same global batch on 1, 2, 4 ... ranks; what the sum over grains costs; what the network gives. */
#include "bench.h"

#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *model, *config, *json;
    int64_t batch, enc, dec, grains, times, threads, net_mb;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"model", TT_KTEXT, AT(model), "small", NULL, "T5 1.1's small, base, large, xl or xxl"},
    {"config", TT_KTEXT, AT(config), NULL, NULL, "or that of a config.json"},
    {"batch", TT_KINT, AT(batch), "4", "1..", "examples of all ranks together"},
    {"enc", TT_KINT, AT(enc), "512", "0..", "source tokens of an example; 0: DialogSum's lengths"},
    {"dec", TT_KINT, AT(dec), "128", "1..", "target tokens of an example"},
    {"grains", TT_KINT, AT(grains), "4", "1..", "into which the batch is cut"},
    {"times", TT_KINT, AT(times), "2", "1..", "rounds of all in turn, of which the best counts"},
    {"threads", TT_KINT, AT(threads), "2", "0..", "also one rank with so many BLAS threads; 0: not"},
    {"net_mb", TT_KINT, AT(net_mb), "64", "1..", "size of what is reduced and gathered"},
    {"quick", TT_KBOOL, AT(quick), "false", NULL, "small sizes: does it run?"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

/* One way to do the batch: by the first ranks of them, or by every rank for itself. */
typedef struct way {
    char name[40];
    int ranks, threads;
    bool together; /* every rank all of it, all at once: what they take from one another */
    tt_mesh mesh;  /* of this rank; size 0: it sleeps meanwhile */
    tt_bench_work *work;
    tt_bench_time best; /* step: of the slowest rank; the rest: rank 0's */
} way;

enum { WAYS = 40 };

typedef struct bench {
    const options *o;
    const tt_mesh *m;
    tt_arena *a;
    tt_bench_dims d;
    tt_bench_batch batch;
    int n;
    way way[WAYS];
} bench;

/* ---- steps ----------------------------------------------------------------------------------------------------------------*/

/* Collective on m. */
static tt_mesh split(const tt_mesh *m, bool in, int colour)
{
    tt_mesh sub = *m;
    MPI_Comm_split(m->world, in ? colour : MPI_UNDEFINED, m->rank, &sub.world);
    sub.rank = sub.size = 0;
    if (!in) return sub;
    MPI_Comm_rank(sub.world, &sub.rank);
    MPI_Comm_size(sub.world, &sub.size);
    return sub;
}

/* Collective. */
static tt_err add_way(bench *b, int ranks, int reduce, int threads, bool together, const char *name)
{
    way *w = &b->way[b->n++];
    assert(b->n <= WAYS);
    bool in = together || b->m->rank < ranks;
    *w = (way){.ranks = ranks, .threads = threads, .together = together};
    snprintf(w->name, sizeof w->name, "%s", name);
    w->mesh = split(b->m, in, together ? b->m->rank : 0);
    if (!in) return TT_OK;
    const tt_bench_work *base = b->way[0].work; /* made by the first way, in which every rank takes part */
    return tt_bench_work_new(&w->mesh, &b->d, &b->batch, b->o->grains, reduce, base, &w->work);
}

static void free_ways(bench *b)
{
    while (b->n > 0) {
        way *w = &b->way[--b->n];
        tt_bench_work_free(w->work);
        if (w->mesh.size) MPI_Comm_free(&w->mesh.world);
    }
}

/* mpirun has bound a rank to one core, which is undone while it has several threads. */
static void set_threads(int n, cpu_set_t *before)
{
    cpu_set_t all;
    sched_getaffinity(0, sizeof *before, before);
    CPU_ZERO(&all);
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF) && i < CPU_SETSIZE; i++) CPU_SET((size_t)i, &all);
    sched_setaffinity(0, sizeof all, &all);
    tt_blas_threads(n);
}

/* Collective on the mesh of all. */
static void one_step(const bench *b, way *w, bool counts)
{
    tt_bench_time t = {0};
    cpu_set_t before;
    tt_bench_wait(b->m);
    if (w->mesh.size) {
        if (w->threads > 1) set_threads(w->threads, &before);
        tt_barrier(&w->mesh);
        tt_bench_work_step(w->work, &t);
        if (w->threads > 1) tt_blas_threads(1), sched_setaffinity(0, sizeof before, &before);
    }
    tt_bench_wait(b->m);
    MPI_Allreduce(MPI_IN_PLACE, &t.step, 1, MPI_DOUBLE, MPI_MAX, b->m->world);
    if (counts && (w->best.step == 0 || t.step < w->best.step)) w->best = t;
}

/* Collective. 1, 2, 4 ... all ranks. */
static tt_err make_ways(bench *b)
{
    int size = b->m->size;
    char name[64];
    TT_TRY(add_way(b, 1, TT_REDUCE_EXACT, 1, true, "all at once, each alone"));
    for (int n = 1; n <= size; n = n < size && 2 * n > size ? size : 2 * n) {
        snprintf(name, sizeof name, "%d rank%s", n, n == 1 ? "" : "s");
        TT_TRY(add_way(b, n, TT_REDUCE_EXACT, 1, false, name));
    }
    snprintf(name, sizeof name, "%d ranks, MPI's reduction", size);
    if (size > 1) TT_TRY(add_way(b, size, TT_REDUCE_MPI, 1, false, name));
    snprintf(name, sizeof name, "1 rank of %lld threads", (long long)b->o->threads);
    if (b->o->threads > 1) TT_TRY(add_way(b, 1, TT_REDUCE_EXACT, (int)b->o->threads, false, name));
    return TT_OK;
}

/* Collective. In turns, so that a busy minute hits all alike; the first round makes memory and does not count. */
static void run_ways(bench *b)
{
    for (int64_t t = 0; t <= b->o->times; t++)
        for (int i = 0; i < b->n; i++) one_step(b, &b->way[i], t > 0);
}

/* ---- the network ------------------------------------------------------------------------------------------------------------*/

typedef struct net {
    double memcpy_gb_s, allreduce_gb_s, allgather_gb_s, exchange_gb_s, allreduce_us, pingpong_us;
} net;

static double memcpy_rate(int64_t n, float *x)
{
    double best = 0, bytes = 1e-9 * (double)(n / 2) * sizeof *x;
    for (int t = 0; t < 5; t++) {
        double start = tt_now();
        memcpy(x, x + n / 2, sizeof *x * (size_t)(n / 2));
        double rate = bytes / (tt_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* Seconds of the best of some rounds of n calls, as the slowest rank saw it. */
typedef void network_call(const tt_mesh *m, int64_t n, float *x);

static double time_call(const tt_mesh *m, network_call *call, int64_t n, float *x, int calls)
{
    double best = INFINITY;
    for (int t = 0; t < 4; t++) {
        tt_barrier(m);
        double start = tt_now();
        for (int i = 0; i < calls; i++) call(m, n, x);
        double s = (tt_now() - start) / calls;
        MPI_Allreduce(MPI_IN_PLACE, &s, 1, MPI_DOUBLE, MPI_MAX, m->world);
        if (t > 0 && s < best) best = s; /* the first has pages and connections to make */
    }
    return best;
}

static void call_allreduce(const tt_mesh *m, int64_t n, float *x) { tt_allsum_f32(m, x, n); }

static void call_allgather(const tt_mesh *m, int64_t n, float *x)
{
    int64_t *cut = tt_malloc(sizeof *cut * (size_t)(m->size + 1));
    for (int r = 0; r <= m->size; r++) cut[r] = n * r / m->size;
    tt_allgather_cuts(m, x, cut);
    free(cut);
}

/* Every rank to its right neighbour at once, half of x each way: as the exact sum moves it. */
static void call_exchange(const tt_mesh *m, int64_t n, float *x)
{
    tt_reqs *q = tt_reqs_new();
    tt_irecv_f32(m, q, x, n / 2, (m->rank + m->size - 1) % m->size, 1);
    tt_isend_f32(m, q, x + n / 2, n / 2, (m->rank + 1) % m->size, 1);
    tt_reqs_wait(q);
    tt_reqs_free(q);
}

static void call_pingpong(const tt_mesh *m, int64_t n, float *x)
{
    if (m->rank > 1) return;
    tt_reqs *q = tt_reqs_new();
    for (int turn = 0; turn < 2; turn++) {
        if (m->rank == turn)
            tt_isend_f32(m, q, x, n, 1 - m->rank, 2);
        else
            tt_irecv_f32(m, q, x, n, 1 - m->rank, 2);
        tt_reqs_wait(q);
    }
    tt_reqs_free(q);
}

/* Collective. */
static net time_network(const bench *b)
{
    net r = {0};
    int64_t n = (b->o->net_mb << 20) / (int64_t)sizeof(float);
    double bytes = 1e-9 * (double)n * sizeof(float), share = (double)(b->m->size - 1) / b->m->size;
    float *x = tt_malloc_large(sizeof *x * (size_t)n);
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    r.memcpy_gb_s = memcpy_rate(n, x);
    if (b->m->size > 1) {
        r.allreduce_gb_s = 2 * share * bytes / time_call(b->m, call_allreduce, n, x, 1);
        r.allgather_gb_s = share * bytes / time_call(b->m, call_allgather, n, x, 1);
        r.exchange_gb_s = bytes / 2 / time_call(b->m, call_exchange, n, x, 1);
        r.allreduce_us = 1e6 * time_call(b->m, call_allreduce, 1, x, 200);
        r.pingpong_us = 1e6 / 2 * time_call(b->m, call_pingpong, 1, x, 200);
    }
    free(x);
    return r;
}

static json_t *show_network(const net *r)
{
    printf("\nbetween ranks, GB/s a rank sends: all-reduce %.2f, all-gather %.2f, exchange %.2f; memcpy copies %.2f\n"
           "latency: all-reduce of a number %.1f us, one way %.1f us\n",
           r->allreduce_gb_s, r->allgather_gb_s, r->exchange_gb_s, r->memcpy_gb_s, r->allreduce_us, r->pingpong_us);
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f}", "memcpy_gb_s", r->memcpy_gb_s, "allreduce_gb_s", r->allreduce_gb_s,
                     "allgather_gb_s", r->allgather_gb_s, "exchange_gb_s", r->exchange_gb_s, "allreduce_us",
                     r->allreduce_us, "latency_us", r->pingpong_us);
}

/* ---- what is printed ----------------------------------------------------------------------------------------------------------*/

static double alone(const bench *b) { return b->way[1].best.step; }
static double ceiling(const bench *b) { return b->m->size * alone(b) / b->way[0].best.step; }

static void show_head(const bench *b)
{
    const options *o = b->o;
    printf("%s\nT5 1.1 %s, %lld examples of ", tt_blas_describe(), b->d.name, (long long)b->batch.n);
    if (o->enc)
        printf("%lld + %lld tokens", (long long)o->enc, (long long)o->dec);
    else
        printf("DialogSum's lengths");
    printf(" in %lld grains, fp32, %d ranks\n\n", (long long)o->grains, b->m->size);
    printf("%-26s %9s %9s %10s %10s %10s %10s %10s\n", "", "seconds", "speed-up", "sum", "waiting", "gather", "update",
           "processor");
}

static json_t *show_way(const bench *b, const way *w)
{
    const tt_bench_time *t = &w->best;
    double up = (w->together ? b->m->size : 1) * alone(b) / t->step, percent = 100 / t->step;
    printf("%-26s %9.3f %9.2f %9.1f%% %9.1f%% %9.1f%% %9.1f%% %9.1f%%\n", w->name, t->step, up, percent * t->sum,
           percent * t->wait, percent * t->gather, percent * t->update, percent * t->cpu);
    return json_pack("{s:s,s:i,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "name", w->name, "ranks", w->ranks, "threads",
                     w->threads, "step_s", t->step, "speedup", up, "sum_s", t->sum, "sum_share", t->sum / t->step,
                     "wait_s", t->wait, "gather_s", t->gather, "update_s", t->update, "comm_share",
                     (t->sum + t->wait + t->gather) / t->step, "cpu_share", t->cpu / t->step);
}

static json_t *show_ways(const bench *b)
{
    json_t *rows = json_array();
    show_head(b);
    for (int i = 1; i < b->n; i++) json_array_append_new(rows, show_way(b, &b->way[i]));
    if (b->m->size == 1) return rows;
    json_array_append_new(rows, show_way(b, &b->way[0]));
    printf(
        "\nThe last line: %d processes that each do all of it at once and share nothing but the machine. More speed-up "
        "than %.2f it does not give.\n",
        b->m->size, ceiling(b));
    return rows;
}

static void warn_if_busy(const bench *b)
{
    for (int i = 0; i < b->n; i++)
        if (b->way[i].threads == 1 && b->way[i].best.cpu < 0.95 * b->way[i].best.step) {
            printf("A rank had a processor only %.0f%% of the time (%s): others use this machine, and the times tell "
                   "little.\n",
                   100 * b->way[i].best.cpu / b->way[i].best.step, b->way[i].name);
            return;
        }
}

static void make_quick(options *o, tt_bench_dims *d)
{
    *d = (tt_bench_dims){"quick", 32, 64, 1, 2, 16, 100};
    o->enc = o->enc ? 16 : 0;
    o->dec = 8;
    o->times = 1;
    o->net_mb = 1;
}

/* Collective. */
static tt_err measure(bench *b, json_t **out)
{
    tt_err e = tt_agree(b->m, make_ways(b));
    if (e == TT_OK) {
        run_ways(b);
        net n = time_network(b);
        if (b->m->rank == 0) {
            json_t *rows = show_ways(b);
            warn_if_busy(b);
            *out = json_pack("{s:s,s:i,s:s,s:o,s:f,s:o}", "part", "ranks", "ranks", b->m->size, "model", b->d.name,
                             "rows", rows, "ceiling", ceiling(b), "network", show_network(&n));
        }
    }
    free_ways(b);
    return e;
}

/* Collective. */
tt_err tt_bench_ranks(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    json_t *out = NULL;
    bench b = {.o = &o, .m = m, .a = tt_arena_new(1 << 16)};
    TT_TRY(tt_agree(m, tt_args_bind(args, keys, &o)));
    TT_TRY(tt_agree(m, tt_bench_dims_of(o.model, o.config, &b.d)));
    TT_TRY(tt_agree(m, tt_blas_verify()));
    if (o.quick) make_quick(&o, &b.d);
    b.batch = tt_bench_batch_make(b.a, o.batch, o.enc, o.dec);
    tt_err e = measure(&b, &out);
    tt_arena_free(b.a);
    if (e == TT_OK && out) e = tt_bench_print(out, o.json);
    return tt_agree(m, e);
}
