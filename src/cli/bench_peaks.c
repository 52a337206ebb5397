/* tutti bench peaks: what this machine can do: matrix products, memory, disk. Everything else is a share of these. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *model, *config, *disk, *json;
    int64_t square, rows_enc, rows_dec, memory_mb, disk_mb, times;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"model", TT_KTEXT, AT(model), "small", NULL, "T5 1.1's small, base, large, xl or xxl: whose shapes"},
    {"config", TT_KTEXT, AT(config), NULL, NULL, "or those of a config.json"},
    {"square", TT_KINT, AT(square), "2048", "16..", "largest square product; halves of it too"},
    {"rows.enc", TT_KINT, AT(rows_enc), "2048", "1..", "source tokens in a grain"},
    {"rows.dec", TT_KINT, AT(rows_dec), "512", "1..", "target tokens in a grain"},
    {"memory_mb", TT_KINT, AT(memory_mb), "128", "1..", "size of an array that is copied; beyond all caches"},
    {"disk", TT_KTEXT, AT(disk), NULL, NULL, "folder to write to; $TMPDIR or /tmp. The runs' own disk tells more"},
    {"disk_mb", TT_KINT, AT(disk_mb), "1000", "0..", "most of a checkpoint: fewer layers are saved then; 0: no disk"},
    {"times", TT_KINT, AT(times), "5", "1..", "runs, of which the best counts"},
    {"quick", TT_KBOOL, AT(quick), "false", NULL, "small sizes: does it run?"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

enum { FP32, BF16 };

/* ---- products -------------------------------------------------------------------------------------------------------------*/

typedef struct product {
    const char *name;
    bool ta, tb;
    int64_t m, n, k;
} product;

static void fill(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++) x[i] = (float)(i % 13) - 6;
}

/* A share of a second's work, so that short products are not lost in the clock's noise. */
static int repeats(const product *p)
{
    double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    return flops > 2e9 ? 1 : (int)(2e9 / flops) < 1000 ? 1 + (int)(2e9 / flops) : 1000;
}

static double best_rate(const product *p, int times, tt_bench_half *h, const float *A, const float *B,
                        const uint16_t *a, const uint16_t *b, float *C)
{
    double best = 0;
    int each = repeats(p);
    for (int t = 0; t <= times; t++) { /* the first run is not counted */
        double start = tt_now();
        for (int i = 0; i < each; i++) {
            if (h)
                tt_bench_half_run(h, a, b, C);
            else
                tt_kern_fast.gemm(p->ta, p->tb, p->m, p->n, p->k, 1, A, p->ta ? p->m : p->k, B, p->tb ? p->k : p->n, 0,
                                  C, p->n);
        }
        double rate = 2e-9 * (double)p->m * (double)p->n * (double)p->k * each / (tt_now() - start);
        if (t > 0 && rate > best) best = rate;
    }
    return best;
}

/* GFLOP/s in fp32 and in bf16; 0: it cannot. */
static void rates(const product *p, int times, double out[2])
{
    int64_t na = p->m * p->k, nb = p->k * p->n;
    float *A = tt_malloc_large(sizeof *A * (size_t)(na + nb + p->m * p->n)), *B = A + na, *C = B + nb;
    uint16_t *a = tt_malloc_large(sizeof *a * (size_t)(na + nb)), *b = a + na;
    fill(na + nb, A);
    tt_bf16_from_f32(na + nb, A, a);
    out[FP32] = best_rate(p, times, NULL, A, B, a, b, C);
    tt_bench_half *h = tt_bench_half_new(p->ta, p->tb, p->m, p->n, p->k);
    out[BF16] = h ? best_rate(p, times, h, A, B, a, b, C) : 0;
    tt_bench_half_free(h);
    free(A);
    free(a);
}

static void largest_squares(const options *o, double peak[2])
{
    printf("%-34s %12s %12s\n", "matrix products, GFLOP/s", "fp32", "bf16");
    peak[FP32] = peak[BF16] = 0;
    for (int64_t n = o->square / 4 > 16 ? o->square / 4 : 16; n <= o->square; n *= 2) {
        double r[2];
        rates(&(product){"square", false, true, n, n, n}, (int)o->times, r);
        printf("square of %-24lld %12.1f %12.1f\n", (long long)n, r[FP32], r[BF16]);
        for (int i = 0; i < 2; i++) peak[i] = r[i] > peak[i] ? r[i] : peak[i];
    }
}

/* ---- the model's products ---------------------------------------------------------------------------------------------------*/

static json_t *direction(const options *o, const product *p, const double peak[2])
{
    double r[2];
    rates(p, (int)o->times, r);
    printf("  %-12s %6lld %6lld %6lld %12.1f %12.1f %8.0f%% %8.0f%%\n", p->name, (long long)p->m, (long long)p->n,
           (long long)p->k, r[FP32], r[BF16], 100 * r[FP32] / peak[FP32],
           peak[BF16] > 0 ? 100 * r[BF16] / peak[BF16] : 0);
    return json_pack("{s:[I,I,I],s:f,s:f}", "mnk", (json_int_t)p->m, (json_int_t)p->n, (json_int_t)p->k, "fp32_gflops",
                     r[FP32], "bf16_gflops", r[BF16]);
}

/* y[R,out] = x w^T; dx[R,in] = dy w; dw[out,in] = dy^T x */
static json_t *linear(const options *o, const char *name, int64_t R, int64_t out, int64_t in, const double peak[2])
{
    const product d[] = {{"forward", false, true, R, out, in},
                         {"to inputs", false, false, R, in, out},
                         {"to weights", true, false, out, in, R}};
    json_t *j = json_object();
    printf("%s\n", name);
    for (int i = 0; i < 3; i++) json_object_set_new(j, d[i].name, direction(o, &d[i], peak));
    return j;
}

static json_t *model_products(const options *o, const tt_bench_dims *d, const double peak[2])
{
    int64_t Rs = o->rows_enc, Rt = o->rows_dec, HK = d->H * d->K;
    /* The head works on chunks of rows: src/tensor/head.c. */
    const struct {
        const char *name;
        int64_t R, out, in;
    } w[] = {{"encoder q, k, v", Rs, HK, d->D}, {"encoder o", Rs, d->D, HK},
             {"encoder wi", Rs, d->F, d->D},    {"encoder wo", Rs, d->D, d->F},
             {"decoder q, k, v", Rt, HK, d->D}, {"decoder wi", Rt, d->F, d->D},
             {"decoder wo", Rt, d->D, d->F},    {"head", Rt < 128 ? Rt : 128, d->V, d->D}};
    json_t *j = json_object();
    printf("\n  %-12s %6s %6s %6s %12s %12s %9s %9s\n", d->name, "m", "n", "k", "fp32", "bf16", "of peak", "of peak");
    for (size_t i = 0; i < sizeof w / sizeof *w; i++)
        json_object_set_new(j, w[i].name, linear(o, w[i].name, w[i].R, w[i].out, w[i].in, peak));
    return j;
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------*/

__attribute__((noinline)) static void triad(int64_t n, float s, const float *b, const float *c, float *a)
{
    for (int64_t i = 0; i < n; i++) a[i] = b[i] + s * c[i];
}

/* GB/s as STREAM counts (McCalpin 1995): bytes read and bytes written, the lines fetched before a write not counted. */
static json_t *memory(const options *o)
{
    int64_t n = (o->memory_mb << 20) / (int64_t)sizeof(float);
    float *a = tt_malloc_large(3 * sizeof *a * (size_t)n), *b = a + n, *c = b + n;
    fill(3 * n, a);
    double copy = 0, three = 0, bytes = 1e-9 * (double)n * sizeof *a;
    for (int64_t t = 0; t < o->times; t++) {
        double start = tt_now();
        memcpy(a, b, sizeof *a * (size_t)n);
        double mid = tt_now();
        triad(n, 0.5f, b, c, a);
        double end = tt_now();
        if (2 * bytes / (mid - start) > copy) copy = 2 * bytes / (mid - start);
        if (3 * bytes / (end - mid) > three) three = 3 * bytes / (end - mid);
    }
    free(a);
    printf("\nmemory, one core, GB/s: memcpy %.1f (read and written), triad %.1f\n", copy, three);
    return json_pack("{s:f,s:f}", "memcpy_gb_s", copy, "triad_gb_s", three);
}

/* ---- the part -------------------------------------------------------------------------------------------------------------------*/

static void make_quick(options *o)
{
    o->square = 64;
    o->rows_enc = 32;
    o->rows_dec = 16;
    o->memory_mb = 1;
    o->times = 1;
    o->disk_mb = o->disk_mb < 4 ? o->disk_mb : 4;
}

tt_err tt_bench_peaks(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    tt_bench_dims d;
    double peak[2];
    TT_TRY(tt_args_bind(args, keys, &o));
    TT_TRY(tt_bench_dims_of(o.model, o.config, &d));
    TT_TRY(tt_blas_verify());
    if (o.quick) make_quick(&o);
    if (o.quick) d = (tt_bench_dims){"quick", 32, 64, 1, 2, 16, 100};
    printf("%s\n\n", tt_blas_describe());
    largest_squares(&o, peak);
    json_t *shapes = model_products(&o, &d, peak), *mem = memory(&o), *disk = NULL;
    tt_err e = o.disk_mb > 0 ? tt_bench_disk(m, &d, o.disk, o.disk_mb, o.quick ? 1 : 2, &disk) : TT_OK;
    json_t *j = json_pack("{s:s,s:s,s:s,s:f,s:f,s:o,s:o,s:o?}", "part", "peaks", "blas", tt_blas_describe(), "model",
                          d.name, "fp32_gflops", peak[FP32], "bf16_gflops", peak[BF16], "products", shapes, "memory",
                          mem, "disk", disk);
    if (e == TT_OK) return tt_bench_print(j, o.json);
    json_decref(j);
    return e;
}
