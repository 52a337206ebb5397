// TEST np=1
/* Attention of every instruction set that this processor has, against the plain loops. Scratch memory is full of NaN beforehand: what
 * was not computed must not be read. */
#include "rand.h"
#include "../tap.h"
#include "../../src/kern/attn.h"

typedef struct arrays {
    tt_attn a;
    tt_seg seg[8];
    int Rq, Rk;
    int64_t nq, nk, nb, wq, wk;
    float *q, *k, *v, *g;                  /* inputs */
    float *o, *lse, *dq, *dk, *dv, *dbias; /* results */
} arrays;

static void make(rnd *r, arrays *x)
{
    *x = (arrays){0};
    x->a = some_attn(r, x->seg, &x->Rq, &x->Rk);
    x->wq = x->a.H * x->a.K, x->wk = x->a.Hkv * x->a.K;
    x->nq = x->Rq * x->wq, x->nk = x->Rk * x->wk, x->nb = x->a.nbucket * x->a.H;
    x->a.bias = pick(r, 0, 2) ? normals(r, x->nb, 1) : NULL;
    x->q = normals(r, x->nq, 1), x->g = normals(r, x->nq, 1), x->k = normals(r, x->nk, 1), x->v = normals(r, x->nk, 1);
    x->o = normals(r, x->nq, 0), x->lse = normals(r, x->Rq * x->a.H, 0), x->dq = normals(r, x->nq, 0);
    x->dk = normals(r, x->nk, 0), x->dv = normals(r, x->nk, 0), x->dbias = normals(r, x->nb, 0);
}

static void discard(arrays *x)
{
    free((void *)x->a.bias), free(x->q), free(x->k), free(x->v), free(x->g);
    free(x->o), free(x->lse), free(x->dq), free(x->dk), free(x->dv), free(x->dbias);
}

static void run(const attn_set *set, arrays *x)
{
    attn_call f = {.a = &x->a, .q = x->q, .k = x->k, .v = x->v, .out = x->o, .lse_out = x->lse};
    f.ldq = f.ldo = x->wq;
    f.ldk = f.ldv = x->wk;
    attn_call b = f;
    b.o = x->o, b.dout = x->g, b.lse = x->lse, b.dq = x->dq, b.dk = x->dk, b.dv = x->dv;
    tt_attn_call_fwd(&f, set);
    tt_attn_call_bwd(&b, set, x->a.bias ? x->dbias : NULL);
}

static void spoil(void)
{
    enum { MANY = 1 << 20 };
    float *x = tt_scratch(SCRATCH_ATTN, MANY * sizeof *x);
    for (int i = 0; i < MANY; i++) x[i] = NAN;
}

/* A NaN is the worst of all. */
static double worse(double x, double y) { return isnan(y) ? INFINITY : y > x ? y : x; }

static double apart(int64_t n, const float *x, const float *y)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = x[i] == y[i] ? 0 : fabs((double)x[i] - y[i]); /* -inf of a query without keys */
        worst = worse(worst, d);
    }
    return worst;
}

/* The largest difference of any result from ref's. */
static double compare(arrays *x, const arrays *own)
{
    const tt_kern *R = &tt_kern_ref;
    int64_t wq = x->wq, wk = x->wk;
    R->attn_fwd(&x->a, x->q, wq, x->k, wk, x->v, wk, x->o, wq, x->lse);
    R->attn_bwd(&x->a, x->q, wq, x->k, wk, x->v, wk, x->o, x->g, wq, x->lse, x->dq, x->dk, x->dv, x->dbias);
    double d[] = {apart(x->nq, x->o, own->o),   apart(x->Rq * x->a.H, x->lse, own->lse),
                  apart(x->nq, x->dq, own->dq), apart(x->nk, x->dk, own->dk),
                  apart(x->nk, x->dv, own->dv), apart(x->nb, x->dbias, own->dbias)};
    double worst = 0;
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) worst = worse(worst, d[i]);
    return worst;
}

static void against_ref(const char *name, const attn_set *set)
{
    rnd r = {tt_key(1, "sets", 0, 0, 0), 0};
    double worst = 0;
    for (int t = 0; t < 150; t++) {
        arrays x, y;
        rnd again = r;
        make(&r, &x);
        make(&again, &y);
        spoil();
        run(set, &x);
        double d = compare(&y, &x);
        worst = worse(worst, d);
        discard(&x), discard(&y);
    }
    ok(worst < 2e-3, "%s: results are within %.2g of the plain loops", name, worst);
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    against_ref("any processor", &tt_attn_any);
#if ATTN_X86
    if (__builtin_cpu_supports("x86-64-v3")) against_ref("AVX2", &tt_attn_v3);
    if (__builtin_cpu_supports("x86-64-v4")) against_ref("AVX-512", &tt_attn_v4);
#endif
    return tap_done();
}
