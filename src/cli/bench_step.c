/* tutti bench step: how near a training step of T5-small comes to this machine's matrix products, and to a peer run beside it. */
#include "bench.h"
#include "tutti/cli.h"
#include "tutti/model.h"
#include "tutti/optim.h"

#include <jansson.h>
#include <string.h>
#include <time.h>
#include <stdlib.h>

typedef struct options {
    int64_t batch, enc, dec, steps, layers, vocab;
    int precision; /* 1: bf16 */
    const char *peer, *json;
} options;

static const tt_keyrow keys[] = {
    {"batch", TT_KINT, offsetof(options, batch), "4", "1..", "examples in a step"},
    {"enc", TT_KINT, offsetof(options, enc), "512", "0..", "source tokens of an example; 0: DialogSum's lengths"},
    {"dec", TT_KINT, offsetof(options, dec), "128", "1..", "target tokens of an example"},
    {"layers", TT_KINT, offsetof(options, layers), "8", "1..", "layers of the encoder and of the decoder"},
    {"vocab", TT_KINT, offsetof(options, vocab), "32128", "4..", "vocabulary"},
    {"steps", TT_KINT, offsetof(options, steps), "4", "1..", "timed steps"},
    {"precision", TT_KENUM, offsetof(options, precision), "fp32", "fp32|bf16", "of the products"},
    {"peer", TT_KTEXT, offsetof(options, peer), NULL, NULL, "torch_t5.py to run beside it (also $TUTTI_PEER)"},
    {"json", TT_KTEXT, offsetof(options, json), NULL, NULL, "file for the numbers"},
    {0}};

typedef struct result {
    double peak;        /* GFLOP/s of a large square product, best of some */
    double step, flops; /* seconds of the mean timed step, operations of its products */
    double cpu;         /* processor seconds of it: less than step where others use the machine */
    double tok_s, gflops;
    double peer_tok_s; /* 0: no peer was run */
    int64_t rss;       /* most bytes of memory so far, when the steps end */
    double fill;       /* share of real tokens, were all rows padded to the longest */
} result;

static const char *precision_of(const options *o) { return o->precision ? "bf16" : "fp32"; }

/* ---- the peak -----------------------------------------------------------------------------------------------------*/

enum { N = 1536, TIMES = 8 };

static void square(bool half, const float *A, float *C)
{
    if (half)
        tt_kern_fast.gemm_half(false, true, N, N, N, 1, (const tt_bf16 *)A, N, (const tt_bf16 *)A + N * N, N, 0,
                               TT_HALF, C, N);
    else
        tt_kern_fast.gemm(false, true, N, N, N, 1, A, N, A + N * N, N, 0, C, N);
}

static double peak_gflops(bool half)
{
    float *A = tt_malloc(3 * sizeof *A * N * N), *C = A + 2 * N * N;
    for (int i = 0; i < 2 * N * N; i++) A[i] = (float)(i % 13) - 6;
    for (int i = 0; i < N * N && half; i++) A[i] = 0x1.8182p0f; /* two bf16 a little above 1 */
    double best = 0;
    for (int t = 0; t < TIMES; t++) {
        double start = tt_now();
        square(half, A, C);
        double rate = 2e-9 * N * N * N / (tt_now() - start);
        if (rate > best) best = rate;
    }
    free(A);
    return best;
}

/* ---- the step -----------------------------------------------------------------------------------------------------*/

typedef struct bench {
    const options *o;
    tt_model *model;
    tt_pars *pars;
    tt_arena *a, *step; /* for good, for one step */
    tt_optim *opt;
    tt_zero *zero;
    const tt_mesh *mesh;
} bench;

static const int32_t *random_ids(bench *b, uint64_t stream, int64_t n)
{
    int32_t *ids = TT_NEW(b->a, int32_t, n);
    int64_t V = tt_model_cfg(b->model)->V;
    for (int64_t i = 0; i < n; i++)
        ids[i] = 2 + (int32_t)tt_rand_below(tt_key(1, "bench", stream, 0, 0), (uint64_t)i, (uint64_t)(V - 2));
    return ids;
}

static void make_grain(bench *b, tt_grain *g)
{
    const options *o = b->o;
    tt_bench_batch batch = tt_bench_batch_make(b->a, o->batch, o->enc, o->dec);
    tt_ex *ex = TT_ZNEW(b->a, tt_ex, o->batch);
    for (int64_t i = 0; i < o->batch; i++) {
        ex[i].S = batch.S[i];
        ex[i].T = batch.T[i];
        ex[i].src = random_ids(b, (uint64_t)(2 * i), batch.S[i]);
        ex[i].tgt = random_ids(b, (uint64_t)(2 * i + 1), batch.T[i]);
    }
    tt_grain_make(b->a, (int)o->batch, ex, 0, g);
}

static void one_step(bench *b, const tt_grain *g, const float *weight)
{
    tt_arena_reset(b->step);
    tt_tape tape;
    tt_loss loss;
    tt_tape_begin(&tape, b->step, &tt_kern_timed, true, 0, 0);
    tape.half = b->o->precision;
    tape.hooks = tt_zero_hooks(b->zero);
    tt_zero_begin(b->zero);
    tt_zero_round(b->zero, 0);
    tt_t5_loss(&tape, b->model, g, weight, 0, 0, &loss);
    tt_zero_finish(b->zero);
    tt_optim_step(b->opt, 1e-4, tt_optim_norm(b->opt));
}

static double fill_of(const tt_grain *g)
{
    int S = 1, T = 1;
    for (int e = 0; e < g->B; e++) {
        if (g->ex[e].S > S) S = g->ex[e].S;
        if (g->ex[e].T > T) T = g->ex[e].T;
    }
    return (double)(g->Rs + g->Rt) / ((double)g->B * (S + T));
}

static void time_steps(bench *b, result *r)
{
    tt_grain g;
    make_grain(b, &g);
    float *weight = TT_NEW(b->a, float, g.Rt);
    for (int64_t i = 0; i < g.Rt; i++) weight[i] = 1.0f / (float)g.Rt;
    one_step(b, &g, weight); /* memory is taken from the system here */
    tt_laps_clear();
    double start = tt_now(), cpu = tt_bench_cpu(), n = (double)b->o->steps;
    for (int64_t i = 0; i < b->o->steps; i++) one_step(b, &g, weight);
    r->step = (tt_now() - start) / n;
    r->cpu = (tt_bench_cpu() - cpu) / n;
    r->flops = tt_t5_flops(tt_model_cfg(b->model), &g, true);
    r->gflops = 1e-9 * r->flops / r->step;
    r->tok_s = (double)(g.Rs + g.Rt) / r->step;
    r->rss = tt_rss_peak_bytes();
    r->fill = fill_of(&g);
}

static tt_err run_steps(const tt_mesh *m, const options *o, result *r)
{
    bench b = {.o = o, .mesh = m, .a = tt_arena_new(1 << 16), .step = tt_arena_new((size_t)1 << 28)};
    tt_job *job;
    char *set[] = {"optim.name=adamw", "optim.clip=1", o->precision ? "precision=bf16" : "precision=fp32"};
    TT_TRY(tt_job_read(b.a, NULL, 3, set, &job));
    TT_TRY(tt_bench_model(o->layers, o->vocab, &b.model));
    b.pars = tt_model_pars(b.model);
    tt_pars_draw(b.pars, 1);
    b.zero = tt_zero_new(m, job, b.pars, b.pars, 1, tt_t5_walk, b.model, &tt_kern_timed);
    b.opt = tt_optim_new(m, job, b.pars, b.zero, &tt_kern_timed);
    time_steps(&b, r);
    tt_optim_free(b.opt);
    tt_zero_free(b.zero);
    tt_model_free(b.model);
    tt_arena_free(b.step);
    tt_arena_free(b.a);
    return TT_OK;
}

/* ---- the peer -----------------------------------------------------------------------------------------------------*/

static const char *peer_path(const options *o) { return o->peer && *o->peer ? o->peer : getenv("TUTTI_PEER"); }

/* Its tokens/s; 0 if it does not run (no torch ...). */
static double run_peer(const options *o)
{
    const char *path = peer_path(o);
    char arg[256];
    if (!path || !*path) return 0;
    snprintf(arg, sizeof arg, "--dtype %s --threads 1 --batch %lld --enc %lld --dec %lld", precision_of(o),
             (long long)o->batch, (long long)o->enc, (long long)o->dec);
    json_t *j = tt_bench_peer(path, arg);
    double tok_s = json_number_value(json_object_get(j, "tok_s"));
    json_decref(j);
    return tok_s;
}

/* ---- what is printed ------------------------------------------------------------------------------------------------*/

static void print_table(const options *o, const result *r)
{
    double n = (double)o->steps, known = 0;
    printf("%-12s %9s %11s %7s %9s %9s\n", "kernel", "calls", "ms/step", "share", "GFLOP/s", "of peak");
    for (const tt_lap *l = tt_laps(); l->kernel; l++) {
        if (l->calls == 0) continue;
        double rate = 1e-9 * l->flops / l->seconds;
        known += l->seconds / n;
        printf("%-12s %9lld %11.2f %6.1f%%", l->kernel, (long long)(l->calls / o->steps), 1e3 * l->seconds / n,
               100 * l->seconds / n / r->step);
        if (l->flops > 0) printf(" %9.1f %8.1f%%", rate, 100 * rate / r->peak);
        printf("\n");
    }
    printf("%-12s %9s %11.2f %6.1f%%\n", "other", "", 1e3 * (r->step - known), 100 * (r->step - known) / r->step);
    printf("%-12s %9s %11.2f %6.1f%% %9.1f %8.1f%%\n", "step", "", 1e3 * r->step, 100.0, r->gflops,
           100 * r->gflops / r->peak);
}

static void print_result(const options *o, const result *r)
{
    printf("%s\nT5 1.1 small, %lld + %lld layers, vocabulary %lld, %lld x (%lld + %lld) tokens, %s, one process\n",
           tt_blas_describe(), (long long)o->layers, (long long)o->layers, (long long)o->vocab, (long long)o->batch,
           (long long)o->enc, (long long)o->dec, precision_of(o));
    printf("peak of a square %s product in this run: %.1f GFLOP/s\n\n", precision_of(o), r->peak);
    print_table(o, r);
    if (r->cpu < 0.95 * r->step)
        printf(
            "\nThe process had a processor %.0f%% of the time: others use this machine, and the times tell little.\n",
            100 * r->cpu / r->step);
    printf("\n%.2f GiB of memory at most; %.1f tokens/s", (double)r->rss / 0x1p30, r->tok_s);
    if (r->fill < 1) printf(" (%.1f with the padding of a padded batch)", r->tok_s / r->fill);
    if (r->peer_tok_s > 0) printf("; the peer: %.1f tokens/s; ratio %.2f", r->peer_tok_s, r->tok_s / r->peer_tok_s);
    printf("\n");
}

static tt_err print_json(const options *o, const result *r)
{
    json_t *k = json_object();
    for (const tt_lap *l = tt_laps(); l->kernel; l++)
        if (l->calls > 0)
            json_object_set_new(k, l->kernel,
                                json_pack("{s:I,s:f,s:f}", "calls", (json_int_t)(l->calls / o->steps), "seconds",
                                          l->seconds / (double)o->steps, "gflop", 1e-9 * l->flops / (double)o->steps));
    json_t *j = json_pack("{s:s,s:s,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:o}", "blas", tt_blas_describe(),
                          "precision", precision_of(o), "batch", (json_int_t)o->batch, "enc", (json_int_t)o->enc, "dec",
                          (json_int_t)o->dec, "peak_gflops", r->peak, "step_s", r->step, "step_cpu_s", r->cpu, "gflops",
                          r->gflops, "tok_s", r->tok_s, "rss_mib", (double)r->rss / 0x1p20, "fill", r->fill,
                          "peer_tok_s", r->peer_tok_s, "kernels", k);
    return tt_bench_print(j, o->json);
}

/* Local: of one process. */
tt_err tt_bench_step(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    result r = {0};
    TT_TRY(tt_args_bind(args, keys, &o));
    TT_TRY(tt_blas_verify());
    double before = peak_gflops(o.precision);
    TT_TRY(run_steps(m, &o, &r));
    double after = peak_gflops(o.precision);
    r.peak = before > after ? before : after;
    r.peer_tok_s = run_peer(&o);
    print_result(&o, &r);
    return print_json(&o, &r);
}
