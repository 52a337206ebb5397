/* tutti bench growth: how the time of a step grows with width, depth, length, vocabulary and ranks. */
#include "bench.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *json;
    int64_t times;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {{"times", TT_KINT, AT(times), "3", "1..", "steps, of which the best counts"},
                                 {"quick", TT_KBOOL, AT(quick), "false", NULL, "small sizes: does it run?"},
                                 {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
                                 {0}};

/* What a row changes; the rest is the base's. expect: the share of the products, for the reader. */
typedef struct row {
    const char *name, *expect;
    size_t field; /* in setting */
    int64_t x[4]; /* rising; 0 ends */
} row;

typedef struct setting {
    tt_bench_dims d;
    int64_t batch, enc, dec;
} setting;

#define OF(f) offsetof(setting, f)
/* The last of each is about a second's work. F and the heads' number keep their ratio to D. */
static const row rows[] = {
    {"D  width", "1 to 2: projections and feed-forward D^2, attention, norms and head D", OF(d.D), {64, 128, 256, 512}},
    {"L  layers of a side", "1, and a part for head and update that does not grow", OF(d.L), {1, 2, 4, 8}},
    {"S  source length", "1 to 2: attention S^2, all else S", OF(enc), {128, 256, 512, 1024}},
    {"B  examples", "1, and the update that does not grow", OF(batch), {1, 2, 4, 8}},
    {"V  vocabulary", "1 in the end: head and its update", OF(d.V), {4000, 8000, 16000, 32000}},
};

static const setting base = {{"growth", 256, 512, 2, 4, 64, 8000}, 4, 256, 64};
static const setting small = {{"quick", 32, 64, 1, 2, 16, 100}, 2, 8, 4};

static setting changed(const setting *from, const row *r, int64_t x)
{
    setting s = *from;
    *(int64_t *)((char *)&s + r->field) = x;
    if (r->field == OF(d.D)) {
        s.d.F = 2 * x;
        s.d.H = x / s.d.K > 0 ? x / s.d.K : 1;
    }
    return s;
}

/* Collective on m. Seconds of the best step. */
static double time_setting(const tt_mesh *m, const setting *s, int64_t times)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_bench_batch b = tt_bench_batch_make(a, s->batch, s->enc, s->dec);
    tt_bench_work *w;
    double best = INFINITY;
    int64_t grains = s->batch < 4 ? s->batch : 4;
    if (tt_bench_work_new(m, &s->d, &b, grains, TT_REDUCE_EXACT, NULL, &w) != TT_OK) TT_BUG("%s", tt_fail_text());
    for (int64_t i = 0; i <= times; i++) {
        tt_bench_time t;
        tt_barrier(m);
        tt_bench_work_step(w, &t);
        if (m->size == 1) t.step = t.cpu; /* others use the machine too */
        MPI_Allreduce(MPI_IN_PLACE, &t.step, 1, MPI_DOUBLE, MPI_MAX, m->world);
        if (i > 0 && t.step < best) best = t.step;
    }
    tt_bench_work_free(w);
    tt_arena_free(a);
    return best;
}

/* Slope of log y over log x, least squares. */
static double exponent(int n, const double *x, const double *y)
{
    double mx = 0, my = 0, xy = 0, xx = 0;
    for (int i = 0; i < n; i++) mx += log(x[i]) / n;
    for (int i = 0; i < n; i++) my += log(y[i]) / n;
    for (int i = 0; i < n; i++) {
        xy += (log(x[i]) - mx) * (log(y[i]) - my);
        xx += (log(x[i]) - mx) * (log(x[i]) - mx);
    }
    return n > 1 ? xy / xx : 0;
}

static json_t *show(const char *name, const char *expect, int n, const double *x, const double *t)
{
    json_t *xs = json_array(), *ts = json_array();
    printf("%-20s", name);
    for (int i = 0; i < 4; i++) {
        if (i < n) printf(" %6.0f %7.4f", x[i], t[i]);
        if (i >= n) printf(" %6s %7s", "", "");
    }
    for (int i = 0; i < n; i++) {
        json_array_append_new(xs, json_real(x[i]));
        json_array_append_new(ts, json_real(t[i]));
    }
    double all = exponent(n, x, t), last = n > 1 ? exponent(2, x + n - 2, t + n - 2) : 0;
    printf(" %8.2f %8.2f  %s\n", all, last, expect);
    return json_pack("{s:s,s:o,s:o,s:f,s:f}", "of", name, "x", xs, "seconds", ts, "exponent", all, "last", last);
}

static json_t *time_row(const tt_mesh *alone, const options *o, const row *r)
{
    double x[4], t[4];
    int n = 0;
    for (; n < 4 && r->x[n] && (!o->quick || n < 2); n++) {
        setting s = changed(o->quick ? &small : &base, r, o->quick ? r->x[n] / r->x[0] * 32 : r->x[n]);
        x[n] = *(int64_t *)((char *)&s + r->field);
        t[n] = time_setting(alone, &s, o->times);
    }
    return show(r->name, r->expect, n, x, t);
}

/* Collective. The base with a larger batch on 1, 2, 4 ... ranks; what rank 0 has to show, NULL elsewhere. */
static json_t *time_ranks(const tt_mesh *m, const options *o)
{
    double x[4], t[4];
    int n = 0;
    setting s = o->quick ? small : base;
    for (int ranks = 1; ranks <= m->size && n < 4; ranks *= 2, n++) {
        tt_mesh sub = *m;
        MPI_Comm_split(m->world, m->rank < ranks, m->rank, &sub.world);
        MPI_Comm_rank(sub.world, &sub.rank);
        MPI_Comm_size(sub.world, &sub.size);
        x[n] = ranks;
        if (m->rank < ranks) t[n] = time_setting(&sub, &s, o->times);
        tt_bench_wait(m);
        MPI_Comm_free(&sub.world);
    }
    return m->rank ? NULL : show("ranks", "-1 at best: the batch stays, 4 grains", n, x, t);
}

/* Collective; rank 0 measures what needs one rank, and all but sleep meanwhile. */
tt_err tt_bench_growth(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    TT_TRY(tt_agree(m, tt_args_bind(args, keys, &o)));
    json_t *all = json_array();
    tt_mesh alone = *m;
    MPI_Comm_dup(MPI_COMM_SELF, &alone.world);
    alone.rank = 0;
    alone.size = 1;
    if (m->rank == 0) {
        printf("processor seconds of a step, fp32, one rank (with several: seconds); base: D %lld, F %lld, %lld + %lld "
               "layers, V %lld, %lld x (%lld + %lld) "
               "tokens\n\n%-20s %60s%8s %8s  %s\n",
               (long long)base.d.D, (long long)base.d.F, (long long)base.d.L, (long long)base.d.L, (long long)base.d.V,
               (long long)base.batch, (long long)base.enc, (long long)base.dec, "", "", "exponent", "last two",
               "to expect");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            json_array_append_new(all, time_row(&alone, &o, &rows[i]));
    }
    tt_bench_wait(m);
    MPI_Comm_free(&alone.world);
    json_t *ranks = time_ranks(m, &o);
    if (!ranks) return json_decref(all), tt_agree(m, TT_OK);
    json_array_append_new(all, ranks);
    return tt_agree(m, tt_bench_print(json_pack("{s:s,s:o}", "part", "growth", "rows", all), o.json));
}
