// TEST np=1
/* Backward kernels of both tables against central differences of the reference forward, whose sums are in double; and the
 * bits of the fast kernels, which must not depend on where the arrays lie. */
#include "rand.h"
#include "../tap.h"

/* One scalar function of some arrays: f = sum_i c_i y_i(arrays). */
typedef struct problem {
    int narg;
    float *arg[4];
    int64_t n[4];
    const float *c; /* weights of the outputs */
    double (*value)(const struct problem *p);
    const void *more;
    int R, D;
} problem;

static double dot(int64_t n, const float *x, const float *y)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * y[i];
    return s;
}

/* Largest difference between grad and central differences over up to 60 elements of argument a, relative to the largest gradient. */
static double difference(problem *p, int a, const float *grad)
{
    double worst = 0, top = 1e-3;
    for (int64_t i = 0; i < p->n[a]; i++) top = fmax(top, fabs((double)grad[i]));
    int64_t step = p->n[a] / 60 + 1;
    for (int64_t i = 0; i < p->n[a]; i += step) {
        float was = p->arg[a][i], h = 1.0f / 256;
        p->arg[a][i] = was + h;
        double up = p->value(p), x1 = p->arg[a][i];
        p->arg[a][i] = was - h;
        double down = p->value(p), x0 = p->arg[a][i];
        p->arg[a][i] = was;
        double d = fabs((up - down) / (x1 - x0) - grad[i]) / top;
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

static void agree(problem *p, int a, const float *grad, const tt_kern *k, const char *what)
{
    double d = difference(p, a, grad);
    ok(d <= 3e-4, "%s: %s: off by %.2g of the largest", k->name, what, d);
}

/* ---- norms ------------------------------------------------------------------------------------------------------*/

static double rms_value(const problem *p)
{
    float *y = tt_malloc(sizeof *y * (size_t)(p->R * p->D)), rstd[64];
    tt_kern_ref.rms_fwd(p->R, p->D, p->arg[0], p->arg[1], 1, 1e-6f, y, rstd);
    double s = dot(p->R * p->D, p->c, y);
    free(y);
    return s;
}

static double ln_value(const problem *p)
{
    float *y = tt_malloc(sizeof *y * (size_t)(p->R * p->D)), mean[64], rstd[64];
    tt_kern_ref.ln_fwd(p->R, p->D, p->arg[0], p->arg[1], p->arg[2], 1e-5f, y, mean, rstd);
    double s = dot(p->R * p->D, p->c, y);
    free(y);
    return s;
}

static void norms(const tt_kern *k)
{
    enum { R = 5, D = 19 };
    rnd r = {tt_key(2, "norm", 0, 0, 0), 0};
    float *x = normals(&r, R * D, 1), *w = normals(&r, D, 1), *b = normals(&r, D, 1), *c = normals(&r, R * D, 1);
    float y[R * D], mean[R], rstd[R], dx[R * D] = {0}, dw[D] = {0}, db[D] = {0};
    problem p = {.narg = 3, .arg = {x, w, b}, .n = {R * D, D, D}, .c = c, .value = rms_value, .R = R, .D = D};
    k->rms_fwd(R, D, x, w, 1, 1e-6f, y, rstd);
    k->rms_bwd(R, D, x, w, 1, rstd, c, dx, dw);
    agree(&p, 0, dx, k, "rms: x");
    agree(&p, 1, dw, k, "rms: w");
    memset(dx, 0, sizeof dx);
    memset(dw, 0, sizeof dw);
    p.value = ln_value;
    k->ln_fwd(R, D, x, w, b, 1e-5f, y, mean, rstd);
    k->ln_bwd(R, D, x, w, mean, rstd, c, dx, dw, db);
    agree(&p, 0, dx, k, "layer norm: x");
    agree(&p, 1, dw, k, "layer norm: w");
    agree(&p, 2, db, k, "layer norm: b");
    free(x), free(w), free(b), free(c);
}

/* ---- activations --------------------------------------------------------------------------------------------------*/

static double glu_value(const problem *p)
{
    float y[200];
    tt_kern_ref.glu_fwd(*(const tt_act *)p->more, 1, p->n[0], p->arg[0], p->n[0], p->arg[1], p->n[0], y);
    return dot(p->n[0], p->c, y);
}

static void gates(const tt_kern *k)
{
    enum { N = 101 };
    rnd r = {tt_key(2, "glu", 0, 0, 0), 0};
    float *g = normals(&r, N, 1.5), *u = normals(&r, N, 1), *c = normals(&r, N, 1);
    for (int i = 0; i < N; i++)
        if (fabsf(g[i]) < 0.01f) g[i] = 0.1f; /* keep off the corner of relu */
    for (tt_act act = TT_RELU; act <= TT_IDENTITY; act++) {
        float dg[N] = {0}, du[N] = {0};
        problem p = {.arg = {g, u}, .n = {N, N}, .c = c, .value = glu_value, .more = &act};
        k->glu_bwd(act, 1, N, g, N, u, N, c, dg, du, act % 2);
        double a = difference(&p, 0, dg), b = difference(&p, 1, du);
        ok(a <= 3e-4 && b <= 3e-4, "%s: gate of activation %d: off by %.2g, %.2g", k->name, act, a, b);
    }
    free(g), free(u), free(c);
}

/* ---- attention ------------------------------------------------------------------------------------------------------*/

static double attn_value(const problem *p)
{
    tt_attn a = *(const tt_attn *)p->more;
    a.bias = a.bias ? p->arg[3] : NULL;
    int wq = a.H * a.K, wk = a.Hkv * a.K;
    float *o = tt_malloc(sizeof *o * (size_t)(p->R * wq + 1)), *lse = tt_malloc(sizeof *lse * (size_t)(p->R * a.H + 1));
    tt_kern_ref.attn_fwd(&a, p->arg[0], wq, p->arg[1], wk, p->arg[2], wk, o, wq, lse);
    double s = dot((int64_t)p->R * wq, p->c, o);
    free(o), free(lse);
    return s;
}

static double attention_problem(const tt_kern *k, rnd *r)
{
    tt_seg seg[8];
    int Rq, Rk;
    tt_attn a = some_attn(r, seg, &Rq, &Rk);
    int wq = a.H * a.K, wk = a.Hkv * a.K, nb = a.nbucket * a.H;
    float *q = normals(r, Rq * wq, 1), *kk = normals(r, Rk * wk, 1), *v = normals(r, Rk * wk, 1),
          *b = normals(r, nb, 1);
    float *c = normals(r, Rq * wq, 1), *o = normals(r, Rq * wq, 0), *lse = normals(r, Rq * a.H, 0);
    float *dq = normals(r, Rq * wq, 0), *dk = normals(r, Rk * wk, 0), *dv = normals(r, Rk * wk, 0),
          *db = normals(r, nb, 0);
    a.bias = pick(r, 0, 3) ? b : NULL;
    k->attn_fwd(&a, q, wq, kk, wk, v, wk, o, wq, lse);
    k->attn_bwd(&a, q, wq, kk, wk, v, wk, o, c, wq, lse, dq, dk, dv, db);
    problem p = {.arg = {q, kk, v, b}, .n = {Rq * wq, Rk * wk, Rk * wk, a.bias ? nb : 0}, .c = c, .R = Rq};
    p.value = attn_value;
    p.more = &a;
    double worst = fmax(difference(&p, 0, dq), difference(&p, 1, dk));
    worst = fmax(worst, fmax(difference(&p, 2, dv), difference(&p, 3, db)));
    free(q), free(kk), free(v), free(b), free(c), free(o), free(lse), free(dq), free(dk), free(dv), free(db);
    return worst;
}

static void attention(const tt_kern *k)
{
    rnd r = {tt_key(2, "attn", 0, 0, 0), 0};
    double worst = 0;
    for (int t = 0; t < 12; t++) worst = fmax(worst, attention_problem(k, &r));
    ok(worst <= 1e-3, "%s: attention: off by %.2g of the largest", k->name, worst);
}

/* ---- head ---------------------------------------------------------------------------------------------------------*/

static double head_value(const problem *p)
{
    tt_head t = *(const tt_head *)p->more;
    t.dh = t.dW = NULL;
    return tt_kern_ref.head(&t);
}

static void head(const tt_kern *k)
{
    enum { R = 7, D = 9, V = 31 };
    rnd r = {tt_key(2, "head", 0, 0, 0), 0};
    float *h = normals(&r, R * D, 1), *W = normals(&r, V * D, 1), dh[R * D] = {0}, dW[V * D] = {0}, token[R], weight[R];
    float *work = tt_malloc(sizeof *work * tt_head_work(3, V, D));
    int32_t y[R];
    for (int i = 0; i < R; i++) {
        y[i] = i == 2 ? -1 : pick(&r, 0, V - 1);
        weight[i] = 0.2f + 0.1f * (float)i;
    }
    tt_head t = {.R = R,
                 .D = D,
                 .V = V,
                 .h = h,
                 .W = W,
                 .scale = 0.7f,
                 .y = y,
                 .weight = weight,
                 .smooth = 0.1f,
                 .zloss = 0.01f,
                 .chunk = 3,
                 .work = work,
                 .token = token,
                 .dh = dh,
                 .dW = dW};
    problem p = {.arg = {h, W}, .n = {R * D, V * D}, .value = head_value, .more = &t};
    k->head(&t);
    agree(&p, 0, dh, k, "head: h");
    agree(&p, 1, dW, k, "head: W");
    free(h), free(W), free(work);
}

/* ---- the same bits wherever the arrays lie ------------------------------------------------------------------------*/

enum { SHIFTS = 17, ROOM = 1 << 16 };

/* The result of one fast kernel on arrays that begin shift floats after a 64-byte border. */
typedef void run_at(int shift, float *out, int64_t *n);

static float *lay(float *room, int shift, const float *x, int64_t n)
{
    return memcpy(room + shift, x, (size_t)n * sizeof *x);
}

static _Alignas(64) float rooms[8][ROOM + 64];

static void gemm_at(int s, float *out, int64_t *n)
{
    enum { M = 37, N = 53, K = 71 };
    rnd r = {3, 0};
    float *A = normals(&r, M * K, 1), *B = normals(&r, N * K, 1);
    tt_kern_fast.gemm(false, true, M, N, K, 1, lay(rooms[0], s, A, M * K), K, lay(rooms[1], 2 * s, B, N * K), K, 0,
                      rooms[2] + s, N);
    memcpy(out, rooms[2] + s, sizeof *out * M * N);
    tt_kern_fast.gemm(false, false, 1, N, K, 1, rooms[0] + s, K, rooms[1] + 2 * s, N, 0, rooms[2] + s, N);
    memcpy(out + M * N, rooms[2] + s, sizeof *out * N);
    *n = M * N + N;
    free(A), free(B);
}

static void rows_at(int s, float *out, int64_t *n)
{
    enum { R = 3, D = 301 };
    rnd r = {4, 0};
    float *x = normals(&r, R * D, 1), *w = normals(&r, D, 1), *g = normals(&r, R * D, 1);
    float *X = lay(rooms[0], s, x, R * D), *W = lay(rooms[1], 3 * s, w, D), *G = lay(rooms[2], s, g, R * D);
    float *Y = rooms[3] + s, *dx = memset(rooms[4] + s, 0, sizeof *dx * R * D),
          *dw = memset(rooms[5] + s, 0, sizeof *dw * D);
    float mean[R], rstd[R];
    tt_kern_fast.rms_fwd(R, D, X, W, 0, 1e-6f, Y, rstd);
    tt_kern_fast.rms_bwd(R, D, X, W, 0, rstd, G, dx, dw);
    tt_kern_fast.ln_fwd(R, D, X, W, NULL, 1e-5f, Y, mean, rstd);
    tt_kern_fast.ln_bwd(R, D, X, W, mean, rstd, Y, dx, dw, NULL);
    tt_kern_fast.glu_bwd(TT_GELU_NEW, R, D, X, D, G, D, Y, dx, NULL, true);
    memcpy(out, Y, sizeof *out * R * D);
    memcpy(out + R * D, dx, sizeof *out * R * D);
    memcpy(out + 2 * R * D, dw, sizeof *out * D);
    out[2 * R * D + D] = (float)tt_kern_fast.sumsq(R * D, X);
    *n = 2 * R * D + D + 1;
    free(x), free(w), free(g);
}

static void attn_at(int s, float *out, int64_t *n)
{
    enum { S = 45, H = 2, K = 17, W = H * K, N = S * W };
    rnd r = {5, 0};
    float *x = normals(&r, 4 * N, 1), bias[32 * H], db[32 * H] = {0}, lse[S * H];
    for (int i = 0; i < 32 * H; i++) bias[i] = 0.01f * (float)i;
    tt_seg seg = {0, S, 0, S, 0};
    tt_attn a = {.nseg = 1,
                 .seg = &seg,
                 .H = H,
                 .Hkv = H,
                 .K = K,
                 .scale = 1,
                 .causal = true,
                 .bias = bias,
                 .nbucket = 32,
                 .max_distance = 128,
                 .drop = 0.2f,
                 .drop_key = 9};
    float *p[4], *g[4];
    for (int i = 0; i < 4; i++) {
        p[i] = lay(rooms[i], s, x + i * N, N);
        g[i] = memset(rooms[4 + i] + s, 0, sizeof *x * N);
    }
    tt_kern_fast.attn_fwd(&a, p[0], W, p[1], W, p[2], W, g[3], W, lse);
    tt_kern_fast.attn_bwd(&a, p[0], W, p[1], W, p[2], W, g[3], p[3], W, lse, g[0], g[1], g[2], db);
    for (int i = 0; i < 4; i++) memcpy(out + i * N, g[i], sizeof *out * N);
    memcpy(out + 4 * N, db, sizeof db);
    *n = 4 * N + 32 * H;
    free(x);
}

static void head_at(int s, float *out, int64_t *n)
{
    enum { R = 6, D = 23, V = 701 };
    rnd r = {6, 0};
    float *h = normals(&r, R * D, 1), *W = normals(&r, V * D, 1), weight[R] = {1, 1, 1, 1, 1, 1}, token[R];
    int32_t y[R] = {0, 5, -1, 700, 3, 9};
    float *dh = memset(rooms[0] + s, 0, sizeof *dh * R * D), *dW = memset(rooms[1] + s, 0, sizeof *dW * V * D);
    tt_head t = {.R = R,
                 .D = D,
                 .V = V,
                 .h = lay(rooms[2], s, h, R * D),
                 .W = lay(rooms[3], s, W, V * D),
                 .scale = 1,
                 .y = y,
                 .weight = weight,
                 .smooth = 0.1f,
                 .chunk = 4,
                 .work = rooms[4] + s,
                 .token = token,
                 .dh = dh,
                 .dW = dW};
    out[0] = (float)tt_kern_fast.head(&t);
    memcpy(out + 1, token, sizeof token);
    memcpy(out + 1 + R, dh, sizeof *out * R * D);
    memcpy(out + 1 + R + R * D, dW, sizeof *out * V * D);
    *n = 1 + R + R * D + V * D;
    free(h), free(W);
}

static void same_bits(run_at *run, const char *what)
{
    float *first = calloc(ROOM, sizeof *first), *other = calloc(ROOM, sizeof *other);
    int64_t n = 0;
    int differing = 0;
    run(0, first, &n);
    for (int s = 1; s < SHIFTS; s++) {
        run(s, other, &n);
        differing += memcmp(first, other, sizeof *first * (size_t)n) != 0;
    }
    ok(n > 0 && differing == 0, "%s: %d of %d places of the arrays give other bits", what, differing, SHIFTS - 1);
    free(first), free(other);
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    const tt_kern *tables[] = {&tt_kern_ref, &tt_kern_fast};
    for (int t = 0; t < 2; t++) {
        norms(tables[t]);
        gates(tables[t]);
        attention(tables[t]);
        head(tables[t]);
    }
    same_bits(gemm_at, "products");
    same_bits(rows_at, "norms, gates, sums");
    same_bits(attn_at, "attention");
    same_bits(head_at, "head");
    return tap_done();
}
