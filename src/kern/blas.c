/* Which kernels OpenBLAS runs: chosen by CPUID before anything else, verified, described. */
#include "impl.h"

#include <cblas.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment's choice before ours, for the log; its presence also says that the re-execution has happened. */
#define WAS "TUTTI_BLAS_WAS"

static const char *core_by_cpu(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell"; /* AMD's Zen set is the same */
#endif
    return NULL;
}

/* NULL: leave OpenBLAS its own choice. */
static const char *core_wanted(void)
{
    const char *set = getenv("TUTTI_BLAS");
    if (!set || !*set || !strcmp(set, "auto")) return core_by_cpu();
    return strcmp(set, "env") ? set : NULL;
}

/* True if OpenBLAS, already loaded with the old value, must be loaded again. */
static bool set_default(const char *name, const char *value)
{
    if (getenv(name)) return false;
    setenv(name, value, 1);
    return true;
}

void tt_blas_choose(char **argv)
{
    if (getenv(WAS)) return;
    const char *core = core_wanted(), *was = getenv("OPENBLAS_CORETYPE");
    bool anew = core && (!was || strcasecmp(core, was));
    bool threads = set_default("OMP_NUM_THREADS", "1") | set_default("OPENBLAS_NUM_THREADS", "1");
    if (!anew && !threads) return;
    setenv(WAS, was ? was : "", 1);
    if (anew) setenv("OPENBLAS_CORETYPE", core, 1);
    /* By its own path where there is one, so that ps and top show its name. */
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0) path[n] = 0, execv(path, argv);
    execv("/proc/self/exe", argv);
    tt_warn_once("blas",
                 "the program could not be started again with the right BLAS kernels: %s; set OPENBLAS_CORETYPE=%s",
                 strerror(errno), core ? core : "");
}

void tt_blas_threads(int n)
{
    omp_set_num_threads(n);
    openblas_set_num_threads(n);
}

const char *tt_blas_describe(void)
{
    static _Thread_local char text[256];
    char version[64] = "OpenBLAS";
    sscanf(openblas_get_config(), "OpenBLAS %63s", version);
    const char *was = getenv(WAS), *how = getenv("TUTTI_BLAS");
    int threads = openblas_get_num_threads();
    int n = snprintf(text, sizeof text, "OpenBLAS %s, %s kernels, %d thread%s", version, openblas_get_corename(),
                     threads, threads == 1 ? "" : "s");
    if (how && *how && strcmp(how, "auto"))
        snprintf(text + n, sizeof text - (size_t)n, " (TUTTI_BLAS=%s)", how);
    else if (was && *was && strcasecmp(was, openblas_get_corename()))
        snprintf(text + n, sizeof text - (size_t)n, " (chosen by CPU, the environment said %s)", was);
    else
        snprintf(text + n, sizeof text - (size_t)n, " (chosen by CPU)");
    return text;
}

/* ---- verify ---------------------------------------------------------------------------------------------------*/
typedef struct shape {
    int m, n, k;
    bool ta, tb;
    float alpha, beta;
} shape;

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) x[i] = (float)((double)(tt_mix64(seed + (uint64_t)i) >> 40) * 0x1p-24 - 0.5);
}

/* The largest |C - reference| in units of its rounding error bound; NaN if a NaN came out. */
static double error_of(const shape *s, float *A, float *B, float *C, float *D)
{
    int64_t lda = (s->ta ? s->m : s->k) + 3, ldb = (s->tb ? s->k : s->n) + 1, ldc = s->n + 2;
    fill(A, (s->ta ? s->k : s->m) * lda, 1);
    fill(B, (s->tb ? s->n : s->k) * ldb, 1u << 20);
    fill(C, s->m * ldc, 2u << 20);
    memcpy(D, C, (size_t)(s->m * ldc) * sizeof *C);
    tt_kern_fast.gemm(s->ta, s->tb, s->m, s->n, s->k, s->alpha, A, lda, B, ldb, s->beta, C, ldc);
    tt_ref_gemm(s->ta, s->tb, s->m, s->n, s->k, s->alpha, A, lda, B, ldb, s->beta, D, ldc);
    double worst = 0, bound = 1e-6 * (1 + sqrt(s->k));
    for (int64_t i = 0; i < s->m * ldc; i++) { /* the gaps between rows too: they must stay as they were */
        double e = fabs((double)C[i] - D[i]) / bound;
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

tt_err tt_blas_verify(void)
{
    static const shape shapes[] = {
        {1, 1, 1, false, false, 1, 0},     {1, 37, 65, false, true, 1, 0},      {65, 1, 37, true, false, 1, 1},
        {17, 33, 1, false, true, 2, 0},    {16, 48, 64, false, false, 1, 0},    {47, 65, 129, false, true, 1, 0},
        {65, 47, 255, true, false, 1, 1},  {33, 97, 31, true, true, -1, 0.5},   {97, 193, 385, false, false, 1, 1},
        {129, 31, 513, false, true, 1, 0}, {7, 200, 20, false, true, 0.125, 0},
    };
    enum { ROOM = 1 << 18 };
    float *mem = tt_malloc(4 * ROOM * sizeof *mem);
    tt_err e = TT_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !e; i++)
        if (!(error_of(&shapes[i], mem, mem + ROOM, mem + 2 * ROOM, mem + 3 * ROOM) <= 1))
            e = tt_fail(
                TT_ERUN,
                "OpenBLAS with %s kernels computes wrong products on this CPU (%d x %d x %d); set TUTTI_BLAS=Haswell",
                openblas_get_corename(), shapes[i].m, shapes[i].n, shapes[i].k);
    free(mem);
    return e;
}
