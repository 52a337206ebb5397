/* bf16 products by oneDNN.
 *
 * A primitive with every extent and stride left to run time does for all products of one kind (transpositions, scale, type of
 * C): its kernels are made once, in a millisecond, and a batch with a new number of rows costs nothing. Primitives for one shape
 * and repacked weights are 5 % faster in two directions and 10 % slower in the third, dW += dy^T x, and cost half a millisecond a shape. */
#include "impl.h"
#include "vmath.h"

#include <dnnl.h>
#include <stdlib.h>
#include <string.h>

/* TUTTI_HALF=fp32 has a CPU with bf16 instructions take the path of one without. */
static bool refused(void)
{
    const char *set = getenv("TUTTI_HALF");
    return set && !strcmp(set, "fp32");
}

bool tt_half_supported(const char **why)
{
    const char *no = "this build is not for x86-64";
#ifdef __x86_64__
    __builtin_cpu_init();
    no = __builtin_cpu_supports("avx512bf16") ? NULL : "the CPU has no bf16 instructions (avx512_bf16)";
#endif
    if (refused()) no = "TUTTI_HALF=fp32 says so";
    if (why) *why = no;
    return !no;
}

#define MUST(call)                                                                     \
    do {                                                                               \
        dnnl_status_t status_ = (call);                                                \
        if (status_ != dnnl_success) TT_BUG("oneDNN: " #call " failed (%d)", status_); \
    } while (0)

/* ---- kinds of products ------------------------------------------------------------------------------------------*/

typedef struct kind {
    bool ta, tb;
    tt_prec ctype;
    float alpha, beta;
} kind;

enum { KINDS = 32 }; /* transpositions, types and scales that a program uses; past that the oldest is made anew */

typedef struct maker {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int made;
    struct {
        kind is;
        dnnl_primitive_t does;
    } of[KINDS];
} maker;

/* One per thread, as scratch memory is; lives as long as the thread. */
static maker *mine(void)
{
    static _Thread_local maker m;
    if (!m.engine) {
        MUST(dnnl_engine_create(&m.engine, dnnl_cpu, 0));
        MUST(dnnl_stream_create(&m.stream, m.engine, dnnl_stream_default_flags));
    }
    return &m;
}

/* A matrix [rows, cols], stored turned if t. */
static dnnl_memory_desc_t matrix(int64_t rows, int64_t cols, int64_t ld, bool t, tt_prec type)
{
    dnnl_memory_desc_t d;
    const dnnl_dims_t dims = {rows, cols}, strides = {t ? 1 : ld, t ? ld : 1};
    MUST(dnnl_memory_desc_init_by_strides(&d, 2, dims, type == TT_SINGLE ? dnnl_f32 : dnnl_bf16, strides));
    return d;
}

static dnnl_primitive_attr_t attributes(const kind *k)
{
    dnnl_primitive_attr_t a;
    MUST(dnnl_primitive_attr_create(&a));
    if (k->alpha != 1.f) MUST(dnnl_primitive_attr_set_output_scales(a, 1, 0, &k->alpha));
    if (k->beta != 0.f) {
        dnnl_post_ops_t ops;
        MUST(dnnl_post_ops_create(&ops));
        MUST(dnnl_post_ops_append_sum(ops, k->beta));
        MUST(dnnl_primitive_attr_set_post_ops(a, ops));
        MUST(dnnl_post_ops_destroy(ops));
    }
    return a;
}

static dnnl_primitive_t make(maker *m, const kind *k)
{
    const int64_t any = DNNL_RUNTIME_DIM_VAL;
    dnnl_memory_desc_t a = matrix(any, any, any, k->ta, TT_HALF), b = matrix(any, any, any, k->tb, TT_HALF);
    dnnl_memory_desc_t c = matrix(any, any, any, false, k->ctype);
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t p;
    dnnl_primitive_attr_t attr = attributes(k);
    MUST(dnnl_matmul_desc_init(&desc, &a, &b, NULL, &c));
    MUST(dnnl_primitive_desc_create(&pd, &desc, attr, m->engine, NULL));
    MUST(dnnl_primitive_create(&p, pd));
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
    return p;
}

static bool same(const kind *a, const kind *b)
{
    return a->ta == b->ta && a->tb == b->tb && a->ctype == b->ctype && vbits(a->alpha) == vbits(b->alpha) &&
           vbits(a->beta) == vbits(b->beta);
}

static dnnl_primitive_t primitive_of(maker *m, const kind *k)
{
    for (int i = 0; i < KINDS && i < m->made; i++)
        if (same(&m->of[i].is, k)) return m->of[i].does;
    int at = m->made++ % KINDS;
    if (m->made > KINDS) dnnl_primitive_destroy(m->of[at].does);
    m->of[at].is = *k;
    return m->of[at].does = make(m, k);
}

/* ---- products -----------------------------------------------------------------------------------------------------*/

static dnnl_memory_t memory(const maker *m, dnnl_memory_desc_t d, const void *at)
{
    dnnl_memory_t mem;
    MUST(dnnl_memory_create(&mem, &d, m->engine, (void *)(uintptr_t)at));
    return mem;
}

static void by_onednn(const kind *kd, int64_t m, int64_t n, int64_t k, const tt_bf16 *A, int64_t lda, const tt_bf16 *B,
                      int64_t ldb, void *C, int64_t ldc)
{
    maker *my = mine();
    dnnl_primitive_t p = primitive_of(my, kd);
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, memory(my, matrix(m, k, lda, kd->ta, TT_HALF), A)},
        {DNNL_ARG_WEIGHTS, memory(my, matrix(k, n, ldb, kd->tb, TT_HALF), B)},
        {DNNL_ARG_DST, memory(my, matrix(m, n, ldc, false, kd->ctype), C)},
    };
    MUST(dnnl_primitive_execute(p, my->stream, 3, args));
    for (int i = 0; i < 3; i++) dnnl_memory_destroy(args[i].memory);
}

static const float *widened(int slot, int64_t rows, int64_t cols, int64_t ld, const tt_bf16 *x)
{
    float *y = tt_scratch(SCRATCH_WIDE + slot, (size_t)(rows * cols + 1) * sizeof *y);
    for (int64_t r = 0; r < rows; r++) tt_fast_from_half(cols, x + r * ld, y + r * cols);
    return y;
}

/* The same products of the same rounded operands, on a CPU without instructions for them. */
static void by_fp32(const kind *kd, int64_t m, int64_t n, int64_t k, const tt_bf16 *A, int64_t lda, const tt_bf16 *B,
                    int64_t ldb, void *C, int64_t ldc)
{
    const float *a = widened(0, kd->ta ? k : m, kd->ta ? m : k, lda, A);
    const float *b = widened(1, kd->tb ? n : k, kd->tb ? k : n, ldb, B);
    tt_bf16 *h = C;
    bool half = kd->ctype == TT_HALF;
    float *c = half ? tt_scratch(SCRATCH_WIDE + 2, (size_t)(m * n) * sizeof *c) : C;
    for (int64_t i = 0; i < m && half && kd->beta != 0.f; i++) tt_fast_from_half(n, h + i * ldc, c + i * n);
    tt_fast_gemm(kd->ta, kd->tb, m, n, k, kd->alpha, a, kd->ta ? m : k, b, kd->tb ? k : n, kd->beta, c, half ? n : ldc);
    for (int64_t i = 0; i < m && half; i++) tt_fast_to_half(n, c + i * n, h + i * ldc);
}

void tt_fast_gemm_half(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const tt_bf16 *A, int64_t lda,
                       const tt_bf16 *B, int64_t ldb, float beta, tt_prec ctype, void *C, int64_t ldc)
{
    if (m == 0 || n == 0) return;
    if (k == 0) {
        tt_ref_gemm_half(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, ctype, C, ldc);
        return;
    }
    kind is = {ta, tb, ctype, alpha, beta};
    (tt_half_supported(NULL) ? by_onednn : by_fp32)(&is, m, n, k, A, lda, B, ldb, C, ldc);
}
