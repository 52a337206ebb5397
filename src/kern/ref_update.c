/* Reference: AdamW and Adafactor. */
#include "impl.h"

#include <math.h>

void tt_ref_adam(const tt_adam *o, int64_t n, float *w, const float *g, float *m, float *v)
{
    double b1 = o->beta1, b2 = o->beta2;
    double c1 = 1 - pow(b1, (double)o->t), c2 = 1 - pow(b2, (double)o->t);
    for (int64_t i = 0; i < n; i++) {
        double gi = (double)g[i] * o->gscale, wi = w[i];
        if (o->l2)
            gi += o->wd * wi;
        else
            wi *= 1 - (double)o->lr * o->wd;
        m[i] = (float)(b1 * m[i] + (1 - b1) * gi);
        v[i] = (float)(b2 * v[i] + (1 - b2) * gi * gi);
        w[i] = (float)(wi - o->lr / c1 * m[i] / (sqrt(v[i] / c2) + o->eps));
    }
}

static double rms(int64_t n, const float *x) { return n ? sqrt(tt_ref_sumsq(n, x) / (double)n) : 0; }

/* Second moments of one matrix by its row and column means, and the update g / sqrt(row / mean(row)) / sqrt(col) into u. */
static void factored(const tt_adafactor *o, int64_t rows, int64_t cols, const float *g, float *row, float *col,
                     float *u)
{
    double mean_row = 0;
    for (int64_t r = 0; r < rows; r++) {
        double s = 0;
        for (int64_t c = 0; c < cols; c++) s += pow((double)g[r * cols + c] * o->gscale, 2) + o->eps1;
        row[r] = (float)(o->beta2t * row[r] + (1 - o->beta2t) * s / (double)cols);
        mean_row += row[r] / (double)rows;
    }
    for (int64_t c = 0; c < cols; c++) {
        double s = 0;
        for (int64_t r = 0; r < rows; r++) s += pow((double)g[r * cols + c] * o->gscale, 2) + o->eps1;
        col[c] = (float)(o->beta2t * col[c] + (1 - o->beta2t) * s / (double)rows);
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            u[r * cols + c] =
                (float)((double)g[r * cols + c] * o->gscale / (sqrt(row[r] / mean_row) * sqrt((double)col[c])));
}

static void whole(const tt_adafactor *o, int64_t n, const float *g, float *full, float *u)
{
    for (int64_t i = 0; i < n; i++) {
        double gi = (double)g[i] * o->gscale;
        full[i] = (float)(o->beta2t * full[i] + (1 - o->beta2t) * (gi * gi + o->eps1));
        u[i] = (float)(gi / sqrt((double)full[i]));
    }
}

void tt_ref_adafactor(const tt_adafactor *o, int64_t batch, int64_t rows, int64_t cols, float *w, const float *g,
                      float *row, float *col, float *full, float *mom, float *work)
{
    int64_t n = batch * rows * cols;
    double a = o->lr * (o->param_scale ? fmax(o->eps2, rms(n, w)) : 1);
    if (o->factored)
        for (int64_t b = 0; b < batch; b++)
            factored(o, rows, cols, g + b * rows * cols, row + b * rows, col + b * cols, work + b * rows * cols);
    else
        whole(o, n, g, full, work);
    double step = a / fmax(1, rms(n, work) / o->clip);
    double keep = 1 - o->wd * (o->wd_by_lr ? a : 1);
    for (int64_t i = 0; i < n; i++) {
        double u = step * work[i];
        if (o->beta1 > 0) u = mom[i] = (float)(o->beta1 * (double)mom[i] + (1 - (double)o->beta1) * u);
        w[i] = (float)(keep * w[i] - u);
    }
}
