/* Reference: output head and cross-entropy, one row at a time. */
#include "impl.h"

#include <math.h>
#include <string.h>

static void logits(const tt_head *t, const float *h, double *z)
{
    for (int64_t v = 0; v < t->V; v++) {
        const float *w = t->W + v * t->D;
        double dot = 0;
        for (int64_t d = 0; d < t->D; d++) dot += (double)h[d] * w[d];
        z[v] = t->scale * dot;
    }
}

static int64_t best_of(const double *z, int64_t V)
{
    int64_t best = 0;
    for (int64_t v = 1; v < V; v++)
        if ((float)z[v] > (float)z[best]) best = v;
    return best;
}

double tt_ref_logsumexp(int64_t n, const float *z, int64_t *best)
{
    int64_t at = 0;
    double sum = 0;
    for (int64_t i = 1; i < n; i++)
        if (z[i] > z[at]) at = i;
    for (int64_t i = 0; i < n; i++) sum += exp((double)z[i] - z[at]);
    if (best) *best = at;
    return isinf(z[at]) ? z[at] : z[at] + log(sum);
}

/* d token / d z = p (1 + 2 zloss lse) - (1 - smooth) [v = y] - smooth / V */
static void row_bwd(const tt_head *t, int64_t r, const double *z, double lse)
{
    for (int64_t v = 0; v < t->V; v++) {
        double g = exp(z[v] - lse) * (1 + 2 * (double)t->zloss * lse) - t->smooth / (double)head_V(t);
        if (t->v0 + v == t->y[r]) g -= 1 - (double)t->smooth;
        g *= (double)t->weight[r] * t->scale;
        for (int64_t d = 0; d < t->D; d++) {
            if (t->dh) t->dh[r * t->D + d] += (float)(g * t->W[v * t->D + d]);
            if (t->dW) t->dW[v * t->D + d] += (float)(g * t->h[r * t->D + d]);
        }
    }
}

static tt_headrow look(const tt_head *t, int64_t r, const double *z)
{
    int64_t best = best_of(z, t->V), y = t->y[r] - t->v0;
    tt_headrow w = {.top = z[best], .best = t->v0 + best, .label = y >= 0 && y < t->V ? z[y] : 0};
    for (int64_t v = 0; v < t->V; v++) {
        w.sum += exp(z[v] - w.top);
        w.mean += z[v] / (double)head_V(t);
    }
    if (t->join) t->join(t->join_ctx, 1, &w);
    return w;
}

static double row_loss(const tt_head *t, int64_t r, double *z)
{
    logits(t, t->h + r * t->D, z);
    tt_headrow w = look(t, r, z);
    double lse = w.top + log(w.sum), nll = lse - w.label;
    if (t->nll) t->nll[r] = (float)nll;
    if (t->argmax) t->argmax[r] = (int32_t)w.best;
    if (t->dh || t->dW) row_bwd(t, r, z, lse);
    return (1 - (double)t->smooth) * nll + t->smooth * (lse - w.mean) + t->zloss * lse * lse;
}

static double head_f32(const tt_head *t)
{
    double *z = tt_scratch(SCRATCH_HEAD, (size_t)t->V * sizeof *z), loss = 0;
    for (int64_t r = 0; r < t->R; r++) {
        if (t->y[r] < 0) {
            t->token[r] = 0;
            if (t->nll) t->nll[r] = 0;
            if (t->argmax) t->argmax[r] = -1;
            continue;
        }
        assert(t->y[r] < head_V(t));
        double token = row_loss(t, r, z);
        t->token[r] = (float)token;
        loss += t->weight[r] * token;
    }
    return loss;
}

/* Widened; the gradient of the logits is not rounded, as it is in fast. */
static double head_bf16(const tt_head *t)
{
    size_t wide = (size_t)(t->R * t->D), table = (size_t)(t->V * t->D);
    float *h = tt_scratch(SCRATCH_WIDE, (2 * wide + table) * sizeof *h), *dh = h + wide, *W = dh + wide;
    tt_f32_from_bf16(t->R * t->D, t->hh, h);
    tt_f32_from_bf16(t->V * t->D, t->Wh, W);
    tt_head u = *t;
    u.h = h;
    u.W = W;
    if (t->dhh) u.dh = memset(dh, 0, wide * sizeof *dh);
    double loss = head_f32(&u);
    if (t->dhh) tt_bf16_from_f32(t->R * t->D, dh, t->dhh);
    return loss;
}

double tt_ref_head(const tt_head *t) { return t->hh ? head_bf16(t) : head_f32(t); }
