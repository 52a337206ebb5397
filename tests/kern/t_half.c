// TEST np=1
/* bf16 kernels: fast against ref over random ragged shapes by the check table, which ends the process at a difference; ref and
 * the products against sums in double; the same bits wherever the arrays lie; and all of it again without bf16 instructions. */
#include "rand.h"
#include "../tap.h"

static const tt_kern *K = &tt_kern_check;

static float wide(tt_bf16 h)
{
    float x;
    tt_f32_from_bf16(1, &h, &x);
    return x;
}

static tt_bf16 *halves(rnd *r, int64_t n, double std) /* free() it */
{
    float *x = normals(r, n, std);
    tt_bf16 *h = tt_malloc((size_t)(n + 1) * sizeof *h);
    tt_bf16_from_f32(n, x, h);
    free(x);
    return h;
}

/* ---- conversions ---------------------------------------------------------------------------------------------------*/

static void conversions(void)
{
    enum { N = 1 << 16 };
    float *x = tt_malloc(N * sizeof *x);
    tt_bf16 *a = tt_malloc(N * sizeof *a), *b = tt_malloc(N * sizeof *b);
    for (uint32_t low = 0; low < 4; low++) { /* every upper half, with lower halves below, at and above the middle */
        static const uint32_t lows[] = {0, 0x7fff, 0x8000, 0x8001};
        for (uint32_t i = 0; i < N; i++) {
            uint32_t u = i << 16 | lows[low];
            memcpy(&x[i], &u, sizeof u);
        }
        tt_kern_ref.to_half(N, x, a);
        tt_bf16_from_f32(N, x, b);
        ok(!memcmp(a, b, N * sizeof *a), "every upper half with %#x below it is rounded as by the plain loop",
           lows[low]);
    }
    float back[3], odd[3] = {1.00390625f /* 1 + 2^-8: to even */, 1.01171875f, NAN};
    tt_kern_fast.to_half(3, odd, b);
    tt_f32_from_bf16(3, b, back);
    ok(back[0] == 1 && back[1] == 1.015625f && isnan(back[2]), "ties go to even, NaN stays NaN");
    free(x), free(a), free(b);
}

/* ---- products -----------------------------------------------------------------------------------------------------*/

typedef struct product {
    bool ta, tb;
    int m, n, k, lda, ldb, ldc;
    tt_prec type;
    float alpha, beta;
} product;

static product some_product(rnd *r, int t)
{
    int top = t % 10 ? 40 : 200;
    product p = {.ta = pick(r, 0, 1), .tb = pick(r, 0, 1), .m = pick(r, 1, top), .n = pick(r, 1, top)};
    p.k = pick(r, t % 7 ? 1 : 0, top);
    p.lda = (p.ta ? p.m : p.k) + pick(r, 0, 5) + (p.k == 0);
    p.ldb = (p.tb ? p.k : p.n) + pick(r, 0, 5) + (p.k == 0);
    p.ldc = p.n + pick(r, 0, 5);
    p.type = pick(r, 0, 1) ? TT_HALF : TT_SINGLE;
    p.alpha = pick(r, 0, 2) ? 1 : 0.125f;
    p.beta = (float)pick(r, 0, 1);
    return p;
}

static void run(const tt_kern *k, const product *p, const tt_bf16 *A, const tt_bf16 *B, void *C)
{
    k->gemm_half(p->ta, p->tb, p->m, p->n, p->k, p->alpha, A, p->lda, B, p->ldb, p->beta, p->type, C, p->ldc);
}

/* Worst error in units of what rounding explains: half a step of bf16, if C is that, and the sum's in fp32. */
static double error_of(const product *p, const tt_bf16 *A, const tt_bf16 *B, const void *C, const float *was)
{
    double worst = 0;
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            for (int l = 0; l < p->k; l++) {
                double x = (double)wide(A[p->ta ? l * p->lda + i : i * p->lda + l]) *
                           wide(B[p->tb ? j * p->ldb + l : l * p->ldb + j]);
                sum += x;
                size += fabs(x);
            }
            int at = i * p->ldc + j;
            double want = p->alpha * sum + (p->beta != 0 ? (double)p->beta * was[at] : 0);
            double got = p->type == TT_HALF ? wide(((const tt_bf16 *)C)[at]) : ((const float *)C)[at];
            double allowed = (p->type == TT_HALF ? 0x1p-8 * fabs(want) : 0) + 1e-6 * (size + fabs(want)) + 1e-37;
            double e = fabs(got - want) / allowed;
            if (!(e <= worst)) worst = e;
        }
    return worst;
}

static void products(void)
{
    rnd r = {tt_key(1, "gemm half", 0, 0, 0), 0};
    double worst = 0;
    bool kept = true;
    for (int t = 0; t < 300; t++) {
        product p = some_product(&r, t);
        int64_t n = (int64_t)p.m * p.ldc;
        tt_bf16 *A = halves(&r, (int64_t)(p.ta ? p.k : p.m) * p.lda, 1);
        tt_bf16 *B = halves(&r, (int64_t)(p.tb ? p.n : p.k) * p.ldb, 1), *Ch = halves(&r, n, 1);
        float *C = normals(&r, n, 1), *was = tt_malloc((size_t)n * sizeof *was);
        void *out = p.type == TT_HALF ? (void *)Ch : (void *)C;
        for (int i = 0; i < p.m && p.beta == 0; i++)
            for (int j = 0; j < p.n; j++) Ch[i * p.ldc + j] = 0x7fc0, C[i * p.ldc + j] = NAN; /* must not be read */
        if (p.type == TT_HALF)
            tt_f32_from_bf16(n, Ch, was);
        else
            memcpy(was, C, (size_t)n * sizeof *C);
        run(K, &p, A, B, out);
        worst = fmax(worst, error_of(&p, A, B, out, was));
        for (int i = 0; i < p.m; i++)
            for (int j = p.n; j < p.ldc; j++) {
                int at = i * p.ldc + j;
                kept = kept && (p.type == TT_HALF ? wide(Ch[at]) : C[at]) == was[at];
            }
        free(A), free(B), free(Ch), free(C), free(was);
    }
    ok(worst <= 1, "300 products: worst error %.2g of what rounding explains", worst);
    ok(kept, "the gaps between rows stay as they were");
}

/* The largest shapes that T5-small has, thinned out: sums over many blocks of the library. */
static void long_sums(void)
{
    static const product all[] = {
        {false, true, 5, 70, 2048, 2048, 2048, 70, TT_HALF, 1, 0},
        {false, false, 5, 64, 32128, 32128, 64, 64, TT_SINGLE, 1, 0},
        {true, false, 70, 33, 2560, 70, 33, 33, TT_SINGLE, 1, 1},
    };
    rnd r = {tt_key(1, "long", 0, 0, 0), 0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const product *p = &all[i];
        tt_bf16 *A = halves(&r, (int64_t)p->m * p->k, 1), *B = halves(&r, (int64_t)p->n * p->k, 1);
        float *C = normals(&r, (int64_t)p->m * p->ldc, 1), *was = tt_malloc((size_t)(p->m * p->ldc) * sizeof *was);
        memcpy(was, C, (size_t)(p->m * p->ldc) * sizeof *C);
        run(&tt_kern_fast, p, A, B, C);
        double e = error_of(p, A, B, C, was);
        ok(e <= 1, "a sum of %d terms: worst error %.2g of what rounding explains", p->k, e);
        free(A), free(B), free(C), free(was);
    }
}

static void same_bits(void)
{
    enum { M = 75, N = 53, D = 171, ROOM = 2 * M * D };
    static _Alignas(64) tt_bf16 a[ROOM + 64], b[ROOM + 64];
    static _Alignas(64) float c[2][ROOM + 64];
    rnd r = {tt_key(1, "bits", 0, 0, 0), 0};
    tt_bf16 *A = halves(&r, M * D, 1), *B = halves(&r, N * D, 1);
    bool same = true;
    for (int s = 0; s < 33; s++) {
        memcpy(a + s, A, M * D * sizeof *a);
        memcpy(b + 3 * s % 32, B, N * D * sizeof *b);
        float *to = c[s > 0] + s;
        product p = {false, true, M, N, D, D, D, N, TT_SINGLE, 1, 0};
        run(&tt_kern_fast, &p, a + s, b + 3 * s % 32, to);
        same = same && !memcmp(to, c[0], M * N * sizeof *to);
    }
    ok(same, "a product has the same bits wherever its arrays lie");
    free(A), free(B);
}

/* ---- rows --------------------------------------------------------------------------------------------------------*/

static void norms(void)
{
    rnd r = {tt_key(1, "norm half", 0, 0, 0), 0};
    for (int t = 0; t < 60; t++) {
        int R = pick(&r, 0, 20), D = pick(&r, 1, t % 5 ? 70 : 800), n = R * D;
        tt_prec type = t % 2 ? TT_HALF : TT_SINGLE;
        float *h = normals(&r, n, t % 3 ? 1 : 100), *w = normals(&r, D, 1), *f = normals(&r, n, 1),
              *y = normals(&r, n, 1);
        float *sum = normals(&r, n, 1), *rstd = normals(&r, R, 1), *dx = normals(&r, n, 1), *dw = normals(&r, D, 1);
        tt_bf16 *fh = halves(&r, n, 1), *dxh = halves(&r, n, 1);
        const void *add = pick(&r, 0, 2) ? (type == TT_HALF ? (void *)fh : (void *)f) : NULL;
        K->add_rms_fwd(type, R, D, h, add, w, 1e-6f, pick(&r, 0, 1) ? sum : h, y, rstd);
        K->add_rms_bwd(type, R, D, h, w, rstd, type == TT_HALF ? (void *)fh : (void *)f, dx, pick(&r, 0, 3) ? dw : NULL,
                       pick(&r, 0, 1) ? dxh : NULL);
        free(h), free(w), free(f), free(y), free(sum), free(rstd), free(dx), free(dw), free(fh), free(dxh);
    }
    ok(1, "sums and norms agree");
}

static void activations(void)
{
    rnd r = {tt_key(1, "act half", 0, 0, 0), 0};
    for (int t = 0; t < 70; t++) {
        int n = pick(&r, 0, 3000), F = pick(&r, 1, 100), ld = pick(&r, 2 * F, 2 * F + 9), R = n / ld;
        tt_act act = (tt_act)(t % 7);
        tt_bf16 *g = halves(&r, n, t % 3 ? 2 : 30), *dy = halves(&r, n, 1), *y = halves(&r, n, 1),
                *d = halves(&r, n, 1);
        K->act_fwd_half(act, n, g, y);
        K->act_bwd_half(act, n, g, dy, y);
        K->glu_fwd_half(act, R, F, g, ld, g + F, ld, y);
        K->glu_bwd_half(act, R, F, g, ld, g + F, ld, dy, pick(&r, 0, 3) ? d : NULL, pick(&r, 0, 3) ? d + F : NULL);
        K->dropout_half(n, 0.1f * (float)(t % 3), tt_key(1, "drop", (uint64_t)t, 0, 0), g, t % 2 ? y : g);
        free(g), free(dy), free(y), free(d);
    }
    float *x = normals(&r, 1000, 1);
    tt_bf16 *h = halves(&r, 1000, 1);
    K->add_half(1000, h, x);
    K->to_half(1000, x, h);
    free(x), free(h);
    ok(1, "activations, gates, dropout and sums agree");
}

/* ---- head --------------------------------------------------------------------------------------------------------*/

static void heads(void)
{
    rnd r = {tt_key(1, "head half", 0, 0, 0), 0};
    for (int t = 0; t < 60; t++) {
        tt_head h = {.R = pick(&r, 0, 25), .D = pick(&r, 1, 40), .V = pick(&r, 1, t % 5 ? 90 : 1300)};
        h.chunk = pick(&r, 1, 30);
        h.scale = t % 2 ? 1 : 0.4f;
        tt_bf16 *x = halves(&r, h.R * h.D, 1), *W = halves(&r, h.V * h.D, 1), *dhh = halves(&r, h.R * h.D, 1);
        float *weight = normals(&r, h.R, 1), *dh = normals(&r, h.R * h.D, 1), *dW = normals(&r, h.V * h.D, 1);
        float *token = normals(&r, 2 * h.R, 1), *work = normals(&r, (int64_t)tt_head_work(h.chunk, h.V, h.D), 1);
        int32_t y[32], best[32];
        for (int i = 0; i < h.R; i++) y[i] = pick(&r, 0, 3) || t % 3 == 0 ? pick(&r, 0, (int)h.V - 1) : -100;
        h.hh = x, h.Wh = W, h.y = y, h.weight = weight, h.work = work, h.token = token;
        h.nll = pick(&r, 0, 2) ? token + h.R : NULL;
        h.argmax = pick(&r, 0, 2) ? best : NULL;
        h.dhh = pick(&r, 0, 1) ? dhh : NULL;
        h.dh = !h.dhh && pick(&r, 0, 1) ? dh : NULL;
        h.dW = pick(&r, 0, 2) ? dW : NULL;
        h.smooth = pick(&r, 0, 1) ? 0.1f : 0;
        h.zloss = pick(&r, 0, 1) ? 1e-2f : 0;
        K->head(&h);
        free(x), free(W), free(dhh), free(weight), free(dh), free(dW), free(token), free(work);
    }
    ok(1, "head agrees");
}

static void all(void)
{
    products();
    long_sums();
    same_bits();
    norms();
    activations();
    heads();
}

int main(void)
{
    const char *why;
    conversions();
    if (!tt_half_supported(&why)) printf("# %s\n", why);
    all();
    setenv("TUTTI_HALF", "fp32", 1);
    ok(!tt_half_supported(&why) && strstr(why, "TUTTI_HALF"), "bf16 instructions can be refused");
    all();
    return tap_done();
}
