// TEST np=1
/* fast against ref over random ragged shapes. The check table compares and ends the process at a difference, so each family
 * that comes to its end has agreed; that the check can fail is tested first. */
#include "rand.h"
#include "../tap.h"
#include "../../src/kern/check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const tt_kern *K = &tt_kern_check;

static bool dies(void (*f)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        fclose(stderr);
        f();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static float one[3] = {1, 2, 3}, other[3];

static void compare_other(void)
{
    WHERE(w, "test", "3");
    tt_check_compare(&w, "x", 3, other, one, 1e-6);
}

static void check_can_fail(void)
{
    memcpy(other, one, sizeof one);
    ok(!dies(compare_other), "the check lets equal arrays pass");
    other[1] = 2.00001f;
    ok(dies(compare_other), "the check ends the run at a difference");
    other[1] = NAN;
    ok(dies(compare_other), "the check ends the run at a NaN of fast alone");
}

static void gemms(void)
{
    rnd r = {tt_key(1, "gemm", 0, 0, 0), 0};
    for (int t = 0; t < 300; t++) {
        int top = t % 10 ? 40 : 200, m = pick(&r, 1, top), n = pick(&r, 1, top), k = pick(&r, t % 7 ? 1 : 0, top);
        bool ta = pick(&r, 0, 1), tb = pick(&r, 0, 1);
        if (t % 5 == 0) m = 1;
        int lda = (ta ? m : k) + pick(&r, 0, 5), ldb = (tb ? k : n) + pick(&r, 0, 5), ldc = n + pick(&r, 0, 5);
        lda = lda ? lda : 1;
        ldb = ldb ? ldb : 1;
        float *A = normals(&r, (int64_t)(ta ? k : m) * lda, 1), *B = normals(&r, (int64_t)(tb ? n : k) * ldb, 1);
        float *C = normals(&r, (int64_t)m * ldc, 1), beta = (float)pick(&r, 0, 2) * 0.5f;
        if (beta == 0)
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++) C[i * ldc + j] = NAN; /* must not be read */
        K->gemm(ta, tb, m, n, k, pick(&r, 0, 1) ? 1 : -0.7f, A, lda, B, ldb, beta, C, ldc);
        free(A), free(B), free(C);
    }
    ok(1, "gemm agrees");
}

/* Each segment of a batch as if it were alone. */
static void segments_alone(void)
{
    rnd r = {tt_key(1, "alone", 0, 0, 0), 0};
    int differing = 0, segments = 0;
    for (int t = 0; t < 150; t++) {
        tt_seg seg[8];
        int Rq, Rk;
        tt_attn a = some_attn(&r, seg, &Rq, &Rk);
        a.drop = 0;
        int ldq = a.H * a.K, ldk = a.Hkv * a.K;
        float *q = normals(&r, (int64_t)Rq * ldq, 1), *k = normals(&r, (int64_t)Rk * ldk, 1);
        float *v = normals(&r, (int64_t)Rk * ldk, 1), *bias = normals(&r, a.nbucket * a.H, 1);
        float *o = normals(&r, (int64_t)Rq * ldq, 1), *lse = normals(&r, Rq * a.H, 1);
        float *alone = normals(&r, (int64_t)Rq * ldq, 1);
        a.bias = pick(&r, 0, 1) ? bias : NULL;
        tt_kern_fast.attn_fwd(&a, q, ldq, k, ldk, v, ldk, o, ldq, lse);
        for (int n = 0; n < a.nseg; n++) {
            tt_attn b = a;
            b.nseg = 1;
            b.seg = seg + n;
            tt_kern_fast.attn_fwd(&b, q, ldq, k, ldk, v, ldk, alone, ldq, lse);
            size_t from = (size_t)seg[n].q0 * (size_t)ldq, size = (size_t)seg[n].qn * (size_t)ldq;
            differing += memcmp(alone + from, o + from, size * sizeof *o) != 0;
            segments++;
        }
        free(q), free(k), free(v), free(bias), free(o), free(lse), free(alone);
    }
    ok(differing == 0, "attention: %d of %d segments have other bits than alone", differing, segments);
}

/* The fast product for inference: against ref, and each row as if it were alone. */
static void linears(void)
{
    rnd r = {tt_key(1, "linear", 0, 0, 0), 0};
    int differing = 0;
    for (int t = 0; t < 260; t++) {
        int R = pick(&r, 0, t % 10 ? 20 : 150), out = pick(&r, 1, 40), in = pick(&r, t % 9 ? 1 : 0, t % 4 ? 70 : 300);
        if (t >= 200) R = pick(&r, 16, 150), in = 16 * pick(&r, 1, t % 4 ? 20 : 140); /* whole vectors of both */
        float *x = normals(&r, (int64_t)R * in, 1), *w = normals(&r, (int64_t)out * in, 1);
        float *y = normals(&r, (int64_t)R * out, 1), *alone = normals(&r, out, 1);
        K->linear(R, out, in, 0.7f, x, w, y);
        for (int i = 0; i < R; i++) {
            tt_kern_fast.linear(1, out, in, 0.7f, x + i * in, w, alone);
            differing += memcmp(alone, y + i * out, sizeof *y * (size_t)out) != 0;
        }
        free(x), free(w), free(y), free(alone);
    }
    ok(differing == 0, "linear agrees, and %d rows have other bits than alone", differing);
}

static void norms(void)
{
    rnd r = {tt_key(1, "norms", 0, 0, 0), 0};
    for (int t = 0; t < 60; t++) {
        int R = pick(&r, 0, 20), D = pick(&r, 1, t % 4 ? 70 : 600), n = R * D;
        float *x = normals(&r, n, 2), *w = normals(&r, D, 1), *b = normals(&r, D, 1), *dy = normals(&r, n, 1);
        float *y = normals(&r, n, 1), *dx = normals(&r, n, 1), *dw = normals(&r, D, 1), *db = normals(&r, D, 1);
        float *mean = normals(&r, R, 1), *rstd = normals(&r, R, 1), wplus = (float)pick(&r, 0, 1);
        K->rms_fwd(R, D, x, w, wplus, 1e-6f, y, rstd);
        K->rms_bwd(R, D, x, w, wplus, rstd, dy, pick(&r, 0, 3) ? dx : NULL, pick(&r, 0, 3) ? dw : NULL);
        K->ln_fwd(R, D, x, w, pick(&r, 0, 1) ? b : NULL, 1e-5f, y, mean, rstd);
        K->ln_bwd(R, D, x, w, mean, rstd, dy, pick(&r, 0, 3) ? dx : NULL, pick(&r, 0, 3) ? dw : NULL,
                  pick(&r, 0, 3) ? db : NULL);
        free(x), free(w), free(b), free(dy), free(y), free(dx), free(dw), free(db), free(mean), free(rstd);
    }
    ok(1, "norms agree");
}

static void activations(void)
{
    rnd r = {tt_key(1, "act", 0, 0, 0), 0};
    for (int t = 0; t < 70; t++) {
        int n = pick(&r, 0, 3000);
        tt_act act = (tt_act)(t % 7);
        float *g = normals(&r, n, t % 3 ? 2 : 30), *u = normals(&r, n, 1), *dy = normals(&r, n, 1);
        float *y = normals(&r, n, 1), *dg = normals(&r, n, 1), *du = normals(&r, n, 1);
        if (n > 3) g[0] = 0, g[1] = -1e4f, g[2] = 1e4f;
        K->act_fwd(act, n, g, y);
        K->act_bwd(act, n, g, dy, dg);
        /* Rows of F with gaps, g and u side by side as one product makes them. */
        int64_t F = pick(&r, 1, 100), ld = pick(&r, 2 * (int)F, 2 * (int)F + 9), R = n / ld;
        K->glu_fwd(act, R, F, g, ld, g + F, ld, y);
        K->glu_bwd(act, R, F, g, ld, u, F, dy, pick(&r, 0, 3) ? dg : NULL, pick(&r, 0, 3) ? du : NULL, pick(&r, 0, 1));
        free(g), free(u), free(dy), free(y), free(dg), free(du);
    }
    ok(1, "activations agree");
    float x[4] = {NAN, INFINITY, -INFINITY, 0}, y[4];
    for (tt_act act = TT_RELU; act <= TT_IDENTITY; act++) {
        tt_kern_fast.act_fwd(act, 4, x, y);
        if (!isnan(y[0])) ok(0, "activation %d hides a NaN", act);
    }
}

static void attention(void)
{
    rnd r = {tt_key(1, "attn", 0, 0, 0), 0};
    for (int t = 0; t < 250; t++) {
        tt_seg seg[8];
        int Rq, Rk;
        tt_attn a = some_attn(&r, seg, &Rq, &Rk);
        int wq = a.H * a.K, wk = a.Hkv * a.K, ldq = wq + pick(&r, 0, 3), ldk = wk + pick(&r, 0, 3);
        float *q = normals(&r, Rq * ldq, 1), *k = normals(&r, Rk * ldk, 1), *v = normals(&r, Rk * ldk, 1);
        float *o = normals(&r, Rq * ldq, 1), *go = normals(&r, Rq * ldq, 1), *lse = normals(&r, Rq * a.H, 1);
        float *dq = normals(&r, Rq * ldq, 1), *dk = normals(&r, Rk * ldk, 1), *dv = normals(&r, Rk * ldk, 1);
        float *bias = normals(&r, a.nbucket * a.H, 1), *db = normals(&r, a.nbucket * a.H, 1);
        a.bias = pick(&r, 0, 1) ? bias : NULL;
        K->attn_fwd(&a, q, ldq, k, ldk, v, ldk, o, ldq, lse);
        K->attn_bwd(&a, q, ldq, k, ldk, v, ldk, o, go, ldq, lse, pick(&r, 0, 5) ? dq : NULL, pick(&r, 0, 5) ? dk : NULL,
                    pick(&r, 0, 5) ? dv : NULL, pick(&r, 0, 5) ? db : NULL);
        free(q), free(k), free(v), free(o), free(go), free(lse), free(dq), free(dk), free(dv), free(bias), free(db);
    }
    ok(1, "attention agrees");
}

static void heads(void)
{
    rnd r = {tt_key(1, "head", 0, 0, 0), 0};
    for (int t = 0; t < 60; t++) {
        tt_head h = {.R = pick(&r, 0, 25), .D = pick(&r, 1, 40), .V = pick(&r, 1, t % 5 ? 90 : 1300), .scale = 0.4f};
        h.chunk = pick(&r, 1, 30);
        float *x = normals(&r, h.R * h.D, 1), *W = normals(&r, h.V * h.D, 1), *weight = normals(&r, h.R, 1);
        float *dh = normals(&r, h.R * h.D, 1), *dW = normals(&r, h.V * h.D, 1), *token = normals(&r, h.R, 1);
        float *nll = normals(&r, h.R, 1), *work = normals(&r, (int64_t)tt_head_work(h.chunk, h.V, h.D), 1);
        int32_t y[32], best[32];
        for (int i = 0; i < h.R; i++) y[i] = pick(&r, 0, 3) || t % 3 == 0 ? pick(&r, 0, (int)h.V - 1) : -100;
        h.h = x, h.W = W, h.y = y, h.weight = weight, h.work = work, h.token = token;
        h.nll = pick(&r, 0, 2) ? nll : NULL;
        h.argmax = pick(&r, 0, 2) ? best : NULL;
        h.dh = pick(&r, 0, 2) ? dh : NULL;
        h.dW = pick(&r, 0, 2) ? dW : NULL;
        h.smooth = pick(&r, 0, 1) ? 0.1f : 0;
        h.zloss = pick(&r, 0, 1) ? 1e-2f : 0;
        K->head(&h);
        free(x), free(W), free(weight), free(dh), free(dW), free(token), free(nll), free(work);
    }
    ok(1, "head agrees");
    float W[600] = {0}, x[1] = {1}, weight[1] = {1}, token[1],
          *work = tt_malloc(sizeof(float) * tt_head_work(1, 600, 1));
    int32_t y[1] = {0}, best[1];
    W[70] = W[513] = W[599] = 3;
    tt_head h = {.R = 1,
                 .D = 1,
                 .V = 600,
                 .h = x,
                 .W = W,
                 .scale = 1,
                 .y = y,
                 .weight = weight,
                 .chunk = 1,
                 .work = work,
                 .token = token,
                 .argmax = best};
    tt_kern_fast.head(&h);
    ok(best[0] == 70, "the lowest id among ties is the argmax");
    free(work);
}

static void small_ones(void)
{
    rnd r = {tt_key(1, "small", 0, 0, 0), 0};
    for (int t = 0; t < 40; t++) {
        int R = pick(&r, 0, 30), D = pick(&r, 1, 40), V = pick(&r, 1, 20), n = pick(&r, 0, 5000);
        float *E = normals(&r, V * D, 1), *y = normals(&r, R * D, 1), *x = normals(&r, n, 1), *z = normals(&r, n, 1);
        int32_t ids[32];
        for (int i = 0; i < R; i++) ids[i] = pick(&r, 0, V - 1);
        K->embed_fwd(R, D, ids, E, y);
        K->embed_bwd(R, D, ids, y, E);
        K->dropout(n, 0.1f, r.key, x, z, pick(&r, 0, 1));
        K->dropout(n, 0.5f, r.key, x, x, false);
        K->add(n, x, z);
        K->scale(n, 0.3f, z);
        K->sumsq(n, z);
        free(E), free(y), free(x), free(z);
    }
    ok(1, "embedding, dropout, vector sums agree");
    float bad[37] = {0};
    bad[36] = NAN;
    ok(isnan(tt_kern_fast.sumsq(37, bad)), "sumsq lets a NaN through");
    bad[36] = INFINITY;
    ok(isinf(tt_kern_fast.sumsq(37, bad)), "sumsq lets an infinity through");
}

static void updates(void)
{
    rnd r = {tt_key(1, "update", 0, 0, 0), 0};
    for (int t = 0; t < 60; t++) {
        int batch = pick(&r, 1, 3), rows = pick(&r, 1, 40), cols = pick(&r, 1, 40), n = batch * rows * cols;
        float *w = normals(&r, n, 1), *m = normals(&r, n, 0), *v = normals(&r, n, 0), *work = normals(&r, n, 0);
        float *row = normals(&r, batch * rows, 0), *col = normals(&r, batch * cols, 0), *mom = normals(&r, n, 0);
        for (int step = 1; step <= 4; step++) {
            float *g = normals(&r, n, 0.1);
            K->adam(&(tt_adam){.lr = 1e-3,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .eps = 1e-8,
                               .wd = 0.1,
                               .gscale = 0.7,
                               .t = step,
                               .l2 = t % 2},
                    n, w, g, m, v);
            K->adafactor(&(tt_adafactor){.lr = 1e-2,
                                         .beta2t = 1 - pow(step, -0.8),
                                         .eps1 = 1e-30,
                                         .eps2 = 1e-3,
                                         .clip = 1,
                                         .beta1 = t % 3 ? 0 : 0.9,
                                         .wd = 0.01,
                                         .param_scale = t % 4,
                                         .wd_by_lr = t % 2,
                                         .factored = t % 5,
                                         .gscale = 0.5},
                         batch, rows, cols, w, g, row, col, t % 5 ? NULL : v, mom, work);
            free(g);
        }
        free(w), free(m), free(v), free(work), free(row), free(col), free(mom);
    }
    ok(1, "updates agree");
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    check_can_fail();
    gemms();
    linears();
    segments_alone();
    norms();
    activations();
    attention();
    heads();
    small_ones();
    updates();
    return tap_done();
}
