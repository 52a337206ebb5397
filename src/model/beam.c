/* Beam search: which hypotheses are kept, and the best continuations of a row. */
#include "beam.h"

#include "tutti/data.h" /* TT_EARLY_NO */

#include <math.h>
#include <string.h>

void tt_beams_init(tt_beams *b, tt_arena *a, int width, int max, double penalty, int early)
{
    *b = (tt_beams){.width = width, .max = max, .penalty = penalty, .early = early};
    b->hyp = TT_NEW(a, tt_hyp, width + 1);
    for (int i = 0; i <= width; i++) b->hyp[i].ids = TT_NEW(a, int32_t, max);
    tt_beams_clear(b);
}

void tt_beams_clear(tt_beams *b)
{
    b->n = 0;
    b->worst = INFINITY;
}

static double per_length(const tt_beams *b, double sum, int n) { return sum / pow(n, b->penalty); }

/* Drops the worst (of equals the first that came); worst is then the next one. */
static void drop_worst(tt_beams *b)
{
    int out = 0;
    for (int i = 1; i < b->n; i++)
        if (b->hyp[i].score < b->hyp[out].score) out = i;
    tt_hyp gone = b->hyp[out];
    memmove(b->hyp + out, b->hyp + out + 1, sizeof gone * (size_t)(b->n - out - 1));
    b->hyp[--b->n] = gone; /* its memory is used again */
    b->worst = INFINITY;
    for (int i = 0; i < b->n; i++) b->worst = fmin(b->worst, b->hyp[i].score);
}

void tt_beams_add(tt_beams *b, const int32_t *ids, int n, double sum)
{
    double score = per_length(b, sum, n);
    if (b->n >= b->width && score <= b->worst) return;
    tt_hyp *h = &b->hyp[b->n++];
    h->score = score;
    h->n = n;
    memcpy(h->ids, ids, sizeof *ids * (size_t)n);
    if (b->n > b->width)
        drop_worst(b);
    else
        b->worst = fmin(b->worst, score);
}

bool tt_beams_done(const tt_beams *b, double best, int n)
{
    if (b->n < b->width) return false;
    if (b->early == TT_EARLY_YES) return true;
    bool longest = b->early == TT_EARLY_NEVER && b->penalty > 0;
    return b->worst >= per_length(b, best, longest ? b->max : n);
}

int tt_beams_best(const tt_beams *b, const bool *taken)
{
    int best = -1;
    for (int i = 0; i < b->n; i++)
        if (!taken[i] && (best < 0 || b->hyp[i].score >= b->hyp[best].score)) best = i;
    return best;
}

/* ---- candidates ----------------------------------------------------------------------------------------------------------*/

enum { SPAN = 256 };

static float span_top(const float *z, int64_t n)
{
    float top = -INFINITY;
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < n; i++) top = z[i] > top ? z[i] : top;
    return top;
}

static int insert(tt_cand *best, int n, int most, tt_cand c)
{
    int at = n;
    while (at > 0 && best[at - 1].score < c.score) at--;
    if (at == most) return n;
    int end = n < most ? n : most - 1;
    memmove(best + at + 1, best + at, sizeof c * (size_t)(end - at));
    best[at] = c;
    return end + 1;
}

int tt_cands_merge(tt_cand *best, int n, int most, int row, double sum, double minus, const float *z, int64_t V)
{
    for (int64_t from = 0; from < V; from += SPAN) {
        int64_t to = from + SPAN < V ? from + SPAN : V;
        if (n == most && sum + (span_top(z + from, to - from) - minus) <= best[n - 1].score) continue;
        for (int64_t v = from; v < to; v++) {
            double score = sum + (z[v] - minus);
            if (z[v] == -INFINITY || (n == most && score <= best[n - 1].score)) continue;
            n = insert(best, n, most, (tt_cand){score, row, (int32_t)v});
        }
    }
    return n;
}
