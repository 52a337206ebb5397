// TEST np=1
/* Attention in bf16 against the plain loops over random ragged shapes: the check table compares and ends the process at a difference. */
#include "rand.h"
#include "../tap.h"
#include "../../src/kern/impl.h"

#include <math.h>
#include <string.h>

static tt_bf16 *halves(rnd *r, int64_t n) /* free() it */
{
    float *x = normals(r, n, 1);
    tt_bf16 *y = tt_malloc((size_t)(n > 0 ? n : 1) * sizeof *y);
    tt_bf16_from_f32(n, x, y);
    free(x);
    return y;
}

/* q, k, v as columns of one array of rows where queries and keys are the same rows. */
typedef struct arrays {
    tt_attn a;
    tt_seg seg[8];
    int Rq, Rk;
    bool together;
    int64_t ldq, ldk, ldo;
    tt_bf16 *mem, *q, *k, *v, *o, *g;
    tt_bf16 *dmem, *dq, *dk, *dv;
    float *lse, *bias, *dbias;
} arrays;

static void place(const arrays *x, tt_bf16 *mem, tt_bf16 **q, tt_bf16 **k, tt_bf16 **v)
{
    int64_t wq = x->a.H * x->a.K, wk = x->a.Hkv * x->a.K;
    *q = mem;
    *k = mem + (x->together ? wq : x->Rq * x->ldq);
    *v = *k + (x->together ? wk : x->Rk * x->ldk);
}

static void make(rnd *r, bool tiles, arrays *x)
{
    *x = (arrays){0};
    x->a = some_attn(r, x->seg, &x->Rq, &x->Rk);
    if (tiles) x->a.K = 16 * pick(r, 1, 6);
    int64_t wq = x->a.H * x->a.K, wk = x->a.Hkv * x->a.K;
    x->together = true;
    for (int n = 0; n < x->a.nseg; n++) x->together &= x->seg[n].q0 == x->seg[n].k0 && x->seg[n].qn == x->seg[n].kn;
    x->ldq = x->together ? wq + 2 * wk : wq + pick(r, 0, 5);
    x->ldk = x->together ? x->ldq : wk + pick(r, 0, 5);
    x->ldo = wq + pick(r, 0, 5);
    int64_t n = (x->Rq + 1) * x->ldq + 2 * (x->Rk + 1) * x->ldk;
    x->mem = halves(r, n);
    x->dmem = halves(r, n);
    place(x, x->mem, &x->q, &x->k, &x->v);
    place(x, x->dmem, &x->dq, &x->dk, &x->dv);
    x->o = halves(r, (x->Rq + 1) * x->ldo);
    x->g = halves(r, (x->Rq + 1) * x->ldo);
    x->lse = normals(r, x->Rq * x->a.H, 1);
    x->bias = normals(r, x->a.nbucket * x->a.H, 1);
    x->dbias = normals(r, x->a.nbucket * x->a.H, 1);
    x->a.bias = pick(r, 0, 2) ? x->bias : NULL;
}

static void discard(arrays *x)
{
    free(x->mem), free(x->dmem), free(x->o), free(x->g), free(x->lse), free(x->bias), free(x->dbias);
}

static void forward(const tt_kern *k, arrays *x, const tt_attn *a)
{
    k->attn_fwd_half(a, x->q, x->ldq, x->k, x->ldk, x->v, x->ldk, x->o, x->ldo, x->lse);
}

static void backward(const tt_kern *k, rnd *r, arrays *x, const tt_attn *a)
{
    k->attn_bwd_half(a, x->q, x->ldq, x->k, x->ldk, x->v, x->ldk, x->o, x->g, x->ldo, x->lse,
                     pick(r, 0, 5) ? x->dq : NULL, pick(r, 0, 5) ? x->dk : NULL, pick(r, 0, 5) ? x->dv : NULL,
                     pick(r, 0, 5) ? x->dbias : NULL);
}

/* What was not computed must not be read. */
static void spoil(void)
{
    enum { MANY = 1 << 20 };
    float *x = tt_scratch(SCRATCH_ATTN, MANY * sizeof *x);
    for (int i = 0; i < MANY; i++) x[i] = NAN;
}

static void against_ref(void)
{
    rnd r = {tt_key(1, "half", 0, 0, 0), 0};
    for (int t = 0; t < 250; t++) {
        arrays x;
        make(&r, t % 5, &x);
        spoil();
        forward(&tt_kern_check, &x, &x.a);
        spoil();
        backward(&tt_kern_check, &r, &x, &x.a);
        discard(&x);
    }
    ok(1, "bf16 attention agrees with the plain loops");
}

/* Each segment as if it were alone, forward and backward; and what no segment covers stays. */
static void segments_alone(void)
{
    rnd r = {tt_key(1, "half alone", 0, 0, 0), 0};
    int differing = 0;
    for (int t = 0; t < 60; t++) {
        arrays x;
        make(&r, true, &x);
        x.a.drop = 0;
        int64_t no = (x.Rq + 1) * x.ldo, nd = (x.Rq + 1) * x.ldq + 2 * (x.Rk + 1) * x.ldk;
        forward(&tt_kern_fast, &x, &x.a);
        tt_kern_fast.attn_bwd_half(&x.a, x.q, x.ldq, x.k, x.ldk, x.v, x.ldk, x.o, x.g, x.ldo, x.lse, x.dq, x.dk, x.dv,
                                   NULL);
        tt_bf16 *o = memcpy(tt_malloc((size_t)no * sizeof *o), x.o, (size_t)no * sizeof *o);
        tt_bf16 *d = memcpy(tt_malloc((size_t)nd * sizeof *d), x.dmem, (size_t)nd * sizeof *d);
        for (int n = 0; n < x.a.nseg; n++) {
            tt_attn b = x.a;
            b.nseg = 1;
            b.seg = x.seg + n;
            forward(&tt_kern_fast, &x, &b);
            tt_kern_fast.attn_bwd_half(&b, x.q, x.ldq, x.k, x.ldk, x.v, x.ldk, x.o, x.g, x.ldo, x.lse, x.dq, x.dk, x.dv,
                                       NULL);
        }
        differing += memcmp(o, x.o, (size_t)no * sizeof *o) || memcmp(d, x.dmem, (size_t)nd * sizeof *d);
        free(o), free(d);
        discard(&x);
    }
    ok(differing == 0, "%d of 60 batches have other bits than their segments alone", differing);
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    against_ref();
    segments_alone();
    return tap_done();
}
