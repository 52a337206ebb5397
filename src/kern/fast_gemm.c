/* Products by OpenBLAS. */
#include "impl.h"

#include <cblas.h>
#include <string.h>

/* c[n] = alpha * op(B)^T a + beta * c: one row, as in decoding; the matrix-vector kernel reads B once without packing it. */
static void one_row(bool tb, int n, int k, float alpha, const float *a, int inca, const float *B, int ldb, float beta,
                    float *c)
{
    if (beta == 0) memset(c, 0, (size_t)n * sizeof *c); /* releases differ on 0 * NaN */
    if (tb)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, alpha, B, ldb, a, inca, beta == 0 ? 1 : beta, c, 1);
    else
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, alpha, B, ldb, a, inca, beta == 0 ? 1 : beta, c, 1);
}

void tt_fast_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *A, int64_t lda,
                  const float *B, int64_t ldb, float beta, float *C, int64_t ldc)
{
    assert(m < INT32_MAX && n < INT32_MAX && k < INT32_MAX && lda < INT32_MAX && ldb < INT32_MAX && ldc < INT32_MAX);
    if (m == 0 || n == 0) return;
    if (m == 1 && k > 0) {
        one_row(tb, (int)n, (int)k, alpha, A, ta ? (int)lda : 1, B, (int)ldb, beta, C);
        return;
    }
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
                alpha, A, (int)lda, B, (int)ldb, beta, C, (int)ldc);
}
