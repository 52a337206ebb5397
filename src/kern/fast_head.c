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

/* As affine, the result rounded and written over z from its front: element v lies behind what is still to be read. */
typedef tt_bf16 __attribute__((may_alias)) half_over;
CLONES static void affine_half(float *z, int64_t V, float mul, float minus)
{
    half_over *to = (half_over *)z;
#pragma omp simd
    for (int64_t v = 0; v < V; v++) to[v] = vhalf(z[v] * mul - minus);
}

static bool wants_gradient(const tt_head *t) { return t->dh || t->dhh || t->dW; }

static void row_gradient(const tt_head *t, int64_t y, float *z, float mul, float minus, float hit)
{
    bool here = y >= 0 && y < t->V; /* else another part has the label */
    float zy = here ? z[y] * mul - minus - hit : 0;
    if (t->hh)
        affine_half(z, t->V, mul, minus);
    else
        affine(z, t->V, mul, minus);
    if (here && t->hh) ((half_over *)z)[y] = vhalf(zy);
    if (here && !t->hh) z[y] = zy;
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
    if (wants_gradient(t))
        row_gradient(t, y, z, (float)(t->weight[r] * (1 + 2 * t->zloss * lse) / w->sum * exp(top - w->top)),
                     (float)(t->weight[r] * smooth / (double)head_V(t)), (float)(t->weight[r] * (1 - smooth)));
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
    const tt_bf16 *hh;
    tt_bf16 *dhh;
} rows;

static void scatter(const tt_head *t, const rows *c)
{
    int64_t D = t->D;
    for (int64_t i = 0; i < c->n && t->dh; i++) tt_fast_add(D, c->dh + i * D, t->dh + c->at[i] * D);
    for (int64_t i = 0; i < c->n && t->dhh; i++)
        memcpy(t->dhh + c->at[i] * D, c->dhh + i * D, (size_t)D * sizeof *c->dhh);
}

static void gradients(const tt_head *t, const rows *c, const float *z)
{
    int64_t V = t->V, D = t->D;
    if (t->dh) tt_fast_gemm(false, false, c->n, D, V, t->scale, z, V, t->W, D, c->together ? 1 : 0, c->dh, D);
    if (t->dW) tt_fast_gemm(true, false, V, D, c->n, t->scale, z, V, c->h, D, 1, t->dW, D);
}

static void gradients_half(const tt_head *t, const rows *c, const float *z)
{
    int64_t V = t->V, D = t->D, ld = 2 * V;
    const tt_bf16 *g = (const tt_bf16 *)z;
    if (t->dhh) tt_fast_gemm_half(false, false, c->n, D, V, t->scale, g, ld, t->Wh, D, 0, TT_HALF, c->dhh, D);
    if (t->dh)
        tt_fast_gemm_half(false, false, c->n, D, V, t->scale, g, ld, t->Wh, D, c->together ? 1 : 0, TT_SINGLE, c->dh,
                          D);
    if (t->dW) tt_fast_gemm_half(true, false, V, D, c->n, t->scale, g, ld, c->hh, D, 1, TT_SINGLE, t->dW, D);
}

/* Row i of the chunk, seen or finished. Without parts a row is done with while it is in the cache. */
static double row_pass(const tt_head *t, const rows *c, int64_t i, bool joined, float *z)
{
    if (!joined) c->row[i] = look(t, c->at[i], z + i * t->V);
    if (!joined) c->top[i] = c->row[i].top;
    return !joined && t->join ? 0 : row_loss(t, c->at[i], &c->row[i], c->top[i], z + i * t->V);
}

static void rows_pass(const tt_head *t, const rows *c, bool joined, float *z, double *loss)
{
    if (tt_threads() == 1) {
        for (int64_t i = 0; i < c->n; i++) loss[i] = row_pass(t, c, i, joined, z);
    } else {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < c->n; i++) loss[i] = row_pass(t, c, i, joined, z);
    }
}

/* Added in the order of the rows, whoever computed them. */
static double rows_loss(const tt_head *t, const rows *c, float *z)
{
    double *loss = tt_scratch(SCRATCH_SPLIT, (size_t)c->n * sizeof *loss), sum = 0;
    rows_pass(t, c, false, z, loss);
    if (t->join) {
        t->join(t->join_ctx, c->n, c->row);
        rows_pass(t, c, true, z, loss);
    }
    for (int64_t i = 0; i < c->n; i++) sum += loss[i];
    return sum;
}

static double chunk_loss(const tt_head *t, const rows *c, float *z)
{
    int64_t V = t->V, D = t->D;
    double loss;
    if (t->hh)
        tt_fast_gemm_half(false, true, c->n, V, D, t->scale, c->hh, D, t->Wh, D, 0, TT_SINGLE, z, V);
    else if (wants_gradient(t))
        tt_fast_gemm(false, true, c->n, V, D, t->scale, c->h, D, t->W, D, 0, z, V);
    else
        tt_fast_linear(c->n, V, D, t->scale, c->h, t->W, z);
    loss = rows_loss(t, c, z);
    if (t->hh)
        gradients_half(t, c, z);
    else
        gradients(t, c, z);
    if (!c->together) scatter(t, c);
    return loss;
}

static void leave_out(const tt_head *t, int64_t r)
{
    t->token[r] = 0;
    if (t->nll) t->nll[r] = 0;
    if (t->argmax) t->argmax[r] = -1;
    if (t->dhh) memset(t->dhh + r * t->D, 0, (size_t)t->D * sizeof *t->dhh);
}

/* Rows of size bytes each, gathered into work. */
static void gather(const rows *c, const void *h, size_t size, void *work)
{
    for (int64_t i = 0; i < c->n; i++)
        memcpy((char *)work + (size_t)i * size, (const char *)h + (size_t)c->at[i] * size, size);
}

/* The next chunk of rows that count, from row r on; returns the row after it. work: 2 * chunk * D floats. */
static int64_t next_chunk(const tt_head *t, int64_t r, float *work, rows *c)
{
    c->n = 0;
    for (; r < t->R && c->n < t->chunk; r++) {
        assert(t->y[r] < head_V(t));
        if (t->y[r] >= 0)
            c->at[c->n++] = r;
        else
            leave_out(t, r);
    }
    if (c->n == 0) return r;
    int64_t D = t->D, first = c->at[0];
    float *work2 = work + t->chunk * D;
    c->together = c->at[c->n - 1] - first == c->n - 1;
    c->h = c->together && t->h ? t->h + first * D : work;
    c->hh = c->together && t->hh ? t->hh + first * D : (const tt_bf16 *)work;
    c->dh = c->together && t->dh ? t->dh + first * D : work2;
    c->dhh = c->together && t->dhh ? t->dhh + first * D : (tt_bf16 *)work2;
    if (!c->together && t->hh) gather(c, t->hh, (size_t)D * sizeof *t->hh, work);
    if (!c->together && !t->hh) gather(c, t->h, (size_t)D * sizeof *t->h, work);
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
