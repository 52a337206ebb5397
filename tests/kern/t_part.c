// TEST np=1
/* Kernels on some of the columns: the masks are those of all columns. */
#include "rand.h"
#include "../tap.h"

/* Element by element from the stream of dropout, far beyond 2^32 elements. */
static void check_dropout(const tt_kern *k, int64_t Rn, int64_t n, int64_t of, int64_t lo)
{
    float *x = tt_malloc(sizeof *x * (size_t)(Rn * n)), *y = tt_malloc(sizeof *x * (size_t)(Rn * n));
    for (int64_t i = 0; i < Rn * n; i++) x[i] = 1;
    int64_t kept = 0, bad = 0;
    k->dropout_part(Rn, n, of, lo, 0.25f, 77, x, y, false);
    for (int64_t r = 0; r < Rn; r++)
        for (int64_t c = 0; c < n; c++) {
            float one = 1, z; /* a row of one column begins wherever wanted */
            tt_kern_ref.dropout_part(1, 1, 1, r * of + lo + c, 0.25f, 77, &one, &z, false);
            bad += y[r * n + c] != z;
            kept += z != 0;
        }
    k->dropout_part(Rn, n, of, lo, 0.25f, 77, x, y, true);
    for (int64_t i = 0; i < Rn * n; i++) bad += y[i] != 0 && y[i] != 2 / 0.75f;
    double share = (double)kept / (double)(Rn * n);
    ok(!bad && fabs(share - 0.75) < 0.1, "%s: %dx%d of rows of %lld, %.2f kept", k->name, (int)Rn, (int)n,
       (long long)of, share);
    free(x);
    free(y);
}

/* The stream of dropout_part is that of dropout. */
static void check_same(const tt_kern *k)
{
    enum { ROWS = 9, ALL = 53, LO = 20, N = 17 };
    float x[ROWS * ALL], y[ROWS * ALL], z[ROWS * N], p[ROWS * N];
    for (int i = 0; i < ROWS * ALL; i++) x[i] = (float)(i + 1);
    for (int r = 0; r < ROWS; r++) memcpy(p + r * N, x + r * ALL + LO, sizeof(float) * N);
    k->dropout(ROWS * ALL, 0.5f, 5, x, y, false);
    k->dropout_part(ROWS, N, ALL, LO, 0.5f, 5, p, z, false);
    int bad = 0;
    for (int r = 0; r < ROWS; r++) bad += memcmp(z + r * N, y + r * ALL + LO, sizeof(float) * N) != 0;
    ok(!bad, "%s: columns %d to %d of %d as dropout masks them", k->name, LO, LO + N, ALL);
}

enum { H = 5, K = 16, RQ = 60, RK = 70, NB = 8, H0 = 2, HL = 2, LD = H * K };

typedef struct result {
    float o[RQ * LD], lse[RQ * H], dq[RQ * LD], dk[RK * LD], dv[RK * LD], dbias[NB * H];
} result;

/* Over heads h0 .. h0+n-1 of q, k, v; results lie where those of all heads would, but for lse and dbias. */
static void attend(const tt_kern *k, int h0, int n, float drop, result *x)
{
    static const tt_seg seg[] = {{.q0 = 0, .qn = 40, .k0 = 0, .kn = 50}, {.q0 = 40, .qn = 20, .k0 = 50, .kn = 20}};
    rnd r = {.key = 6};
    float *q = normals(&r, RQ * LD, 1), *kk = normals(&r, RK * LD, 1), *v = normals(&r, RK * LD, 1);
    float *dout = normals(&r, RQ * LD, 1), *all = normals(&r, NB * H, 1), bias[NB * H];
    for (int b = 0; b < NB; b++)
        for (int h = 0; h < n; h++) bias[b * n + h] = all[b * H + h0 + h];
    tt_attn a = {.nseg = 2, .seg = seg, .H = n, .Hkv = n, .K = K, .h0 = h0, .Hall = H, .scale = 0.3f, .bias = bias};
    a.nbucket = NB;
    a.max_distance = 20;
    a.drop = drop;
    a.drop_key = 99;
    memset(x, 0, sizeof *x);
    int at = h0 * K;
    k->attn_fwd(&a, q + at, LD, kk + at, LD, v + at, LD, x->o + at, LD, x->lse);
    k->attn_bwd(&a, q + at, LD, kk + at, LD, v + at, LD, x->o + at, dout + at, LD, x->lse, x->dq + at, x->dk + at,
                x->dv + at, x->dbias);
    float *used[] = {q, kk, v, dout, all};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) free(used[i]);
}

static double worst(int rows, int width, const float *part, int ldp, const float *whole, int ld)
{
    double most = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < width; c++) most = fmax(most, fabs((double)part[r * ldp + c] - whole[r * ld + c]));
    return most;
}

static void check_heads(const tt_kern *k, float drop)
{
    static result all, some;
    attend(k, 0, H, drop, &all);
    attend(k, H0, HL, drop, &some);
    int at = H0 * K, w = HL * K;
    double fwd = fmax(worst(RQ, w, some.o + at, LD, all.o + at, LD), worst(RQ, HL, some.lse, HL, all.lse + H0, H));
    double bwd = fmax(worst(RQ, w, some.dq + at, LD, all.dq + at, LD), worst(RK, w, some.dk + at, LD, all.dk + at, LD));
    bwd = fmax(bwd, worst(RK, w, some.dv + at, LD, all.dv + at, LD));
    bwd = fmax(bwd, worst(NB, HL, some.dbias, HL, all.dbias + H0, H));
    ok(fwd < 1e-5 && bwd < 1e-5, "%s, dropout %.1f: two of five heads, off by %.1e and backward %.1e", k->name,
       (double)drop, fwd, bwd);
}

int main(void)
{
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast, &tt_kern_check};
    const int64_t turn = (int64_t)1 << 32;
    for (int k = 0; k < 3; k++) {
        check_same(kern[k]);
        check_dropout(kern[k], 1, 1000, 1000, 0);
        check_dropout(kern[k], 50, 37, 100, 63);
        check_dropout(kern[k], 3, 200, turn - 100, 0); /* row 1 crosses the end of a row of the stream */
        check_dropout(kern[k], 3, 200, turn, turn - 200);
        check_heads(kern[k], 0);
        check_heads(kern[k], 0.3f);
    }
    return tap_done();
}
