/* Learning-rate schedules: transformers' optimization.py (commit 17489028), hf-semantics §7. Local. */
#include "tutti/optim.h"

#include <math.h>

static double linear(int64_t i, int64_t w, int64_t T) { return fmax(0, (double)(T - i) / fmax(1, (double)(T - w))); }

static double cosine(int64_t i, int64_t w, int64_t T)
{
    return 0.5 * (1 + cos(acos(-1) * (double)(i - w) / fmax(1, (double)(T - w))));
}

/* The timescale is the warm-up, so that the curve begins at 1; without warm-up 10,000 updates, as T5 was trained. */
static double inverse_sqrt(int64_t i, int64_t w)
{
    double ts = w > 0 ? (double)w : 10000;
    return 1 / sqrt(((double)(i - w) + ts) / ts);
}

double tt_schedule(int kind, int64_t done, int64_t warmup, int64_t total, double min_ratio)
{
    if (done < warmup) return (double)done / (double)warmup;
    switch (kind) {
    case TT_SCHED_LINEAR: return linear(done, warmup, total) * (1 - min_ratio) + min_ratio;
    case TT_SCHED_COSINE: return cosine(done, warmup, total) * (1 - min_ratio) + min_ratio;
    case TT_SCHED_RSQRT: return inverse_sqrt(done, warmup);
    default: return 1;
    }
}
