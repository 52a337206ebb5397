/* The rate of bf16 matrix products: oneDNN's matmul through its C API (oneapi-src.github.io/oneDNN, version 2). */
#include "bench.h"

#include <dnnl.h>
#include <stdlib.h>

struct tt_bench_half {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t matmul;
    dnnl_memory_t memory[3]; /* A, B, C */
};

/* A row-major matrix [rows, cols], seen as [cols, rows] when transposed. */
static bool matrix_desc(dnnl_memory_desc_t *d, dnnl_data_type_t type, bool transposed, int64_t rows, int64_t cols)
{
    dnnl_dims_t shape = {rows, cols}, plain = {cols, 1}, turned = {1, rows};
    return dnnl_memory_desc_init_by_strides(d, 2, shape, type, transposed ? turned : plain) == dnnl_success;
}

static bool make_matmul(tt_bench_half *h, const dnnl_memory_desc_t desc[3])
{
    dnnl_matmul_desc_t op;
    if (dnnl_matmul_desc_init(&op, &desc[0], &desc[1], NULL, &desc[2]) != dnnl_success ||
        dnnl_primitive_desc_create(&h->pd, &op, NULL, h->engine, NULL) != dnnl_success ||
        dnnl_primitive_create(&h->matmul, h->pd) != dnnl_success)
        return false;
    for (int i = 0; i < 3; i++)
        if (dnnl_memory_create(&h->memory[i], &desc[i], h->engine, DNNL_MEMORY_NONE) != dnnl_success) return false;
    return true;
}

tt_bench_half *tt_bench_half_new(bool ta, bool tb, int64_t m, int64_t n, int64_t k)
{
    tt_bench_half *h = tt_malloc(sizeof *h);
    *h = (tt_bench_half){0};
    dnnl_memory_desc_t desc[3];
    if (dnnl_engine_create(&h->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&h->stream, h->engine, dnnl_stream_default_flags) == dnnl_success &&
        matrix_desc(&desc[0], dnnl_bf16, ta, m, k) && matrix_desc(&desc[1], dnnl_bf16, tb, k, n) &&
        matrix_desc(&desc[2], dnnl_f32, false, m, n) && make_matmul(h, desc))
        return h;
    tt_bench_half_free(h);
    return NULL;
}

void tt_bench_half_run(tt_bench_half *h, const uint16_t *A, const uint16_t *B, float *C)
{
    void *at[3] = {(void *)A, (void *)B, C};
    for (int i = 0; i < 3; i++) dnnl_memory_set_data_handle(h->memory[i], at[i]);
    dnnl_exec_arg_t arg[] = {
        {DNNL_ARG_SRC, h->memory[0]}, {DNNL_ARG_WEIGHTS, h->memory[1]}, {DNNL_ARG_DST, h->memory[2]}};
    if (dnnl_primitive_execute(h->matmul, h->stream, 3, arg) != dnnl_success ||
        dnnl_stream_wait(h->stream) != dnnl_success)
        TT_BUG("oneDNN refused a product that it had accepted");
}

void tt_bench_half_free(tt_bench_half *h)
{
    if (!h) return;
    for (int i = 0; i < 3; i++) dnnl_memory_destroy(h->memory[i]);
    dnnl_primitive_destroy(h->matmul);
    dnnl_primitive_desc_destroy(h->pd);
    dnnl_stream_destroy(h->stream);
    dnnl_engine_destroy(h->engine);
    free(h);
}
