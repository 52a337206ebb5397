/* Output head and cross-entropy: logits of a chunk of rows by one product, one pass to probabilities in place, two products back. */
#include "impl.h"
#include "vmath.h"

enum { SPAN = 512 }; /* columns summed in float before they are added in double; also the grain of the argmax */

INLINE float max_of(const float *z, int64_t n)
{
    float top = -INFINITY;
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < n; i++) top = z[i] > top ? z[i] : top;
    return top;
}

/* Index of the first largest element. */
CLONES static int64_t best_of(const float *z, int64_t V)
{
    float top = -INFINITY;
    int64_t at = 0;
    for (int64_t v = 0; v < V; v += SPAN) {
        float m = max_of(z + v, V - v < SPAN ? V - v : SPAN);
        if (m > top) {
            top = m;
            at = v;
        }
    }
    for (int64_t v = at; v < V && v < at + SPAN; v++)
        if (z[v] == top) return v;
    return 0;
}

CLONES static double sum_of(const float *z, int64_t V)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < V; v++) sum += z[v];
    return sum;
}

/* z = exp(z - top); returns the sum. */
CLONES static double exp_sum(float *z, int64_t V, float top)
{
    double sum = 0;
    for (int64_t v = 0; v < V; v += SPAN) {
        int64_t n = V - v < SPAN ? V - v : SPAN;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = 0; i < n; i++) part += z[v + i] = vexp(z[v + i] - top);
        sum += part;
    }
    return sum;
}

/* As exp_sum, but z stays. */
CLONES static double exp_sum_of(const float *z, int64_t V, float top)
{
    double sum = 0;
    for (int64_t v = 0; v < V; v += SPAN) {
        int64_t n = V - v < SPAN ? V - v : SPAN;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = 0; i < n; i++) part += vexp(z[v + i] - top);
        sum += part;
    }
    return sum;
}

double tt_fast_logsumexp(int64_t n, const float *z, int64_t *best)
{
    int64_t at = best_of(z, n);
    if (best) *best = at;
    return isinf(z[at]) ? z[at] : z[at] + log(exp_sum_of(z, n, z[at]));
}

CLONES static void affine(float *z, int64_t V, float mul, float minus)
{
#pragma omp simd
    for (int64_t v = 0; v < V; v++) z[v] = z[v] * mul - minus;
}

/* z becomes exp(z - top). */
static tt_headrow look(const tt_head *t, int64_t r, float *z)
{
    int64_t V = t->V, best = best_of(z, V), y = t->y[r] - t->v0;
    float top = z[best];
    tt_headrow w = {.top = top, .best = t->v0 + best, .label = y >= 0 && y < V ? z[y] : 0};
    if (t->smooth > 0) w.mean = sum_of(z, V) / (double)head_V(t);
    w.sum = exp_sum(z, V, top);
    return w;
}

/* Losses out; z = exp(z - top) becomes weight * d token / dz if wanted. Returns the token's loss. w is what all parts see. */
static double row_loss(const tt_head *t, int64_t r, const tt_headrow *w, double top, float *z)
{
    int64_t y = t->y[r] - t->v0;
    double lse = w->top + log(w->sum), nll = lse - w->label, smooth = t->smooth;
    if (t->nll) t->nll[r] = (float)nll;
    if (t->argmax) t->argmax[r] = (int32_t)w->best;
    if (t->dh || t->dW) {
        affine(z, t->V, (float)(t->weight[r] * (1 + 2 * t->zloss * lse) / w->sum * exp(top - w->top)),
               (float)(t->weight[r] * smooth / (double)head_V(t)));
        if (y >= 0 && y < t->V) z[y] -= (float)(t->weight[r] * (1 - smooth));
    }
    double token = (1 - smooth) * nll + smooth * (lse - w->mean) + t->zloss * lse * lse;
    t->token[r] = (float)token;
    return t->weight[r] * token;
}

/* Rows that count of one chunk, as [n, D]: h itself where they lie together, else a copy. */
typedef struct rows {
    int64_t n, first; /* first row; meaningful when together */
    bool together;
    int64_t *at;     /* [n] row numbers */
    tt_headrow *row; /* [n] */
    double *top;     /* [n] the largest logits of this part */
    const float *h;
    float *dh;
} rows;

static void scatter_add(const rows *c, int64_t D, float *dh)
{
    for (int64_t i = 0; i < c->n; i++) tt_fast_add(D, c->dh + i * D, dh + c->at[i] * D);
}

/* Without parts a row is done with while it is in the cache. */
static double rows_loss(const tt_head *t, const rows *c, float *z)
{
    double loss = 0;
    for (int64_t i = 0; i < c->n; i++) {
        c->row[i] = look(t, c->at[i], z + i * t->V);
        c->top[i] = c->row[i].top;
        if (!t->join) loss += row_loss(t, c->at[i], &c->row[i], c->top[i], z + i * t->V);
    }
    if (!t->join) return loss;
    t->join(t->join_ctx, c->n, c->row);
    for (int64_t i = 0; i < c->n; i++) loss += row_loss(t, c->at[i], &c->row[i], c->top[i], z + i * t->V);
    return loss;
}

static double chunk_loss(const tt_head *t, const rows *c, float *z)
{
    int64_t V = t->V, D = t->D;
    if (t->dh || t->dW)
        tt_fast_gemm(false, true, c->n, V, D, t->scale, c->h, D, t->W, D, 0, z, V);
    else
        tt_fast_linear(c->n, V, D, t->scale, c->h, t->W, z);
    double loss = rows_loss(t, c, z);
    if (t->dh) tt_fast_gemm(false, false, c->n, D, V, t->scale, z, V, t->W, D, c->together ? 1 : 0, c->dh, D);
    if (t->dh && !c->together) scatter_add(c, D, t->dh);
    if (t->dW) tt_fast_gemm(true, false, V, D, c->n, t->scale, z, V, c->h, D, 1, t->dW, D);
    return loss;
}

/* The next chunk of rows that count, from row r on; returns the row after it. work: 2 * chunk * D floats. */
static int64_t next_chunk(const tt_head *t, int64_t r, float *work, rows *c)
{
    c->n = 0;
    for (; r < t->R && c->n < t->chunk; r++) {
        if (t->y[r] >= 0) {
            assert(t->y[r] < head_V(t));
            c->at[c->n++] = r;
            continue;
        }
        t->token[r] = 0;
        if (t->nll) t->nll[r] = 0;
        if (t->argmax) t->argmax[r] = -1;
    }
    if (c->n == 0) return r;
    int64_t D = t->D;
    c->together = c->at[c->n - 1] - c->at[0] == c->n - 1;
    c->h = c->together ? t->h + c->at[0] * D : work;
    c->dh = !t->dh ? NULL : c->together ? t->dh + c->at[0] * D : work + t->chunk * D;
    for (int64_t i = 0; i < c->n && !c->together; i++)
        memcpy(work + i * D, t->h + c->at[i] * D, (size_t)D * sizeof *work);
    return r;
}

double tt_fast_head(const tt_head *t)
{
    size_t n = (size_t)t->chunk;
    rows c = {.row = tt_scratch(SCRATCH_HEAD, n * (sizeof *c.row + sizeof *c.at + sizeof *c.top))};
    c.at = (int64_t *)(c.row + n);
    c.top = (double *)(c.at + n);
    float *z = t->work, *copies = t->work + t->chunk * t->V;
    double loss = 0;
    for (int64_t r = 0; r < t->R;) {
        r = next_chunk(t, r, copies, &c);
        if (c.n > 0) loss += chunk_loss(t, &c, z);
    }
    return loss;
}
