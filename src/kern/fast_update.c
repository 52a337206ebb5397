/* AdamW and Adafactor: one pass over the memory where the rule allows it. */
#include "impl.h"
#include "vmath.h"

CLONES void tt_fast_adam(const tt_adam *o, int64_t n, float *restrict w, const float *restrict g, float *restrict m,
                         float *restrict v)
{
    double c1 = 1 - pow(o->beta1, (double)o->t), c2 = 1 - pow(o->beta2, (double)o->t);
    float b1 = (float)o->beta1, b2 = (float)o->beta2, a1 = (float)(1 - o->beta1), a2 = (float)(1 - o->beta2);
    float gscale = (float)o->gscale, l2 = o->l2 ? (float)o->wd : 0, decay = o->l2 ? 0 : (float)(o->lr * o->wd);
    float step = (float)(o->lr / c1), up = (float)(1 / sqrt(c2)), eps = (float)o->eps;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float wi = w[i], gi = g[i] * gscale + l2 * wi;
        float mi = b1 * m[i] + a1 * gi, vi = b2 * v[i] + a2 * (gi * gi);
        m[i] = mi;
        v[i] = vi;
        w[i] = wi - decay * wi - step * mi / (sqrtf(vi) * up + eps);
    }
}

typedef struct second { /* what the second-moment updates share */
    float gscale, eps1, keep, add;
} second;

/* Row means and column sums of g^2 + eps1 in one pass. */
INLINE double matrix_moments(second c, int64_t rows, int64_t cols, const float *restrict g, float *restrict row,
                             double *restrict colsum)
{
    double mean_row = 0;
    memset(colsum, 0, (size_t)cols * sizeof *colsum);
    for (int64_t r = 0; r < rows; r++, g += cols) {
        double s = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t j = 0; j < cols; j++) {
            float gj = g[j] * c.gscale;
            double u = (double)gj * gj + (double)c.eps1;
            s += u;
            colsum[j] += u;
        }
        row[r] = c.keep * row[r] + c.add * (float)(s / (double)cols);
        mean_row += row[r];
    }
    return mean_row / (double)rows;
}

INLINE void matrix_update(second c, int64_t rows, int64_t cols, const float *restrict g, const float *restrict row,
                          double mean_row, const float *restrict colr, float *restrict u)
{
    for (int64_t r = 0; r < rows; r++, g += cols, u += cols) {
        float f = (float)(c.gscale / sqrt(row[r] / mean_row));
#pragma omp simd
        for (int64_t j = 0; j < cols; j++) u[j] = g[j] * f * colr[j];
    }
}

CLONES static void factored(second c, int64_t rows, int64_t cols, const float *g, float *row, float *restrict col,
                            float *u)
{
    double *colsum = tt_scratch(SCRATCH_UPDATE, (size_t)cols * (sizeof(double) + sizeof(float)));
    float *restrict colr = (float *)(colsum + cols);
    double mean_row = matrix_moments(c, rows, cols, g, row, colsum);
    for (int64_t j = 0; j < cols; j++) {
        col[j] = c.keep * col[j] + c.add * (float)(colsum[j] / (double)rows);
        colr[j] = (float)(1 / sqrt((double)col[j]));
    }
    matrix_update(c, rows, cols, g, row, mean_row, colr, u);
}

CLONES static void whole(second c, int64_t n, const float *restrict g, float *restrict full, float *restrict u)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * c.gscale, v = c.keep * full[i] + c.add * (gi * gi + c.eps1);
        full[i] = v;
        u[i] = gi / sqrtf(v);
    }
}

CLONES static void apply(int64_t n, float keep, float step, float beta1, float *restrict w, float *restrict mom,
                         const float *restrict u)
{
    if (beta1 > 0) {
        float add = (1 - beta1) * step;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            mom[i] = beta1 * mom[i] + add * u[i];
            w[i] = keep * w[i] - mom[i];
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) w[i] = keep * w[i] - step * u[i];
    }
}

static double rms(int64_t n, const float *x) { return n ? sqrt(tt_fast_sumsq(n, x) / (double)n) : 0; }

void tt_fast_adafactor(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *w, const float *g,
                       float *row, float *col, float *full, float *mom, float *work)
{
    int64_t n = batch * rows * cols;
    second c = {(float)o->gscale, (float)o->eps1, (float)o->beta2t, (float)(1 - o->beta2t)};
    double a = o->lr * (o->param_scale ? fmax(o->eps2, rms(n, w)) : 1);
    if (o->factored)
        for (int64_t b = 0; b < batch; b++)
            factored(c, rows, cols, g + b * rows * cols, row + b * rows, col + b * cols, work + b * rows * cols);
    else
        whole(c, n, g, full, work);
    double step = a / fmax(1, rms(n, work) / o->clip), keep = 1 - o->wd * (o->wd_by_lr ? a : 1);
    apply(n, (float)keep, (float)step, (float)o->beta1, w, mom, work);
}
