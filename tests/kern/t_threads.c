// TEST np=1
/* Kernels of our own give the same bits on any number of threads, and the same as whole kernels beside them. */
#include "rand.h"
#include "../tap.h"

#include <omp.h>
#include <string.h>

static const tt_kern *K = &tt_kern_fast;
enum { R = 1100, D = 96, ROOM = R * D, ARRAYS = 6 };

static float *in[ARRAYS], *out[ARRAYS];
static tt_bf16 *halves[ARRAYS]; /* in, rounded */
static int32_t ids[R];
static tt_seg seg[40];
static tt_attn attn = {
    .seg = seg, .H = 4, .Hkv = 2, .K = 16, .scale = 0.3f, .nbucket = 32, .max_distance = 60, .drop = 0.1f};

static tt_bf16 *half(float *x) { return (tt_bf16 *)x; }

static void rms(void)
{
    K->rms_fwd(R, D, in[0], in[1], 0, 1e-6f, out[0], out[1]);
    K->rms_bwd(R, D, in[0], in[1], 0, out[1], in[2], out[2], out[3]);
}
static void add_rms(void)
{
    K->add_rms_fwd(TT_SINGLE, R, D, in[0], in[1], in[2], 1e-6f, out[0], out[1], out[2]);
    K->add_rms_bwd(TT_SINGLE, R, D, out[0], in[2], out[2], in[3], out[3], out[4], half(out[5]));
}
static void ln(void)
{
    K->ln_fwd(R, D, in[0], in[1], in[2], 1e-5f, out[0], out[1], out[2]);
    K->ln_bwd(R, D, in[0], in[1], out[1], out[2], in[3], out[3], out[4], out[5]);
}
static void acts(void)
{
    K->act_fwd(TT_GELU_NEW, ROOM, in[0], out[0]);
    K->act_bwd(TT_GELU_NEW, ROOM, in[0], in[1], out[1]);
    K->glu_fwd(TT_SILU, R, D / 2, in[0], D, in[0] + D / 2, D, out[2]);
    K->glu_bwd(TT_SILU, R, D / 2, in[0], D, in[0] + D / 2, D, in[1], out[3], out[3] + D / 2, true);
}
static void elements(void)
{
    K->add(ROOM, in[0], out[0]);
    K->scale(ROOM, 0.7f, out[1]);
    K->to_half(ROOM, in[0], half(out[2]));
    K->adam(&(tt_adam){.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .gscale = 1, .t = 1}, ROOM, out[3], in[1],
            out[4], memset(out[5], 0, ROOM * sizeof(float)));
}
static void embed(void)
{
    K->embed_fwd(R, D, ids, in[0], out[0]);
    K->embed_bwd(R, D, ids, in[1], out[1]);
}
static void linear(void) { K->linear(R, 48, D, 0.5f, in[0], in[1], out[0]); }
static void attention(void)
{
    K->attn_fwd(&attn, in[0], 64, in[1], 32, in[2], 32, out[0], 64, out[1]);
    K->attn_bwd(&attn, in[0], 64, in[1], 32, in[2], 32, out[0], in[3], 64, out[1], out[2], out[3], out[4], out[5]);
}
static void attention_half(void)
{
    tt_bf16 **h = halves;
    K->attn_fwd_half(&attn, h[0], 64, h[1], 32, h[2], 32, half(out[0]), 64, out[1]);
    K->attn_bwd_half(&attn, h[0], 64, h[1], 32, h[2], 32, half(out[0]), h[3], 64, out[1], half(out[2]), half(out[3]),
                     half(out[4]), out[5]);
}

/* All results of f on so many threads, as bytes. */
static void results(void (*f)(void), int threads, const float *start, float *all)
{
    for (int i = 0; i < ARRAYS; i++) memcpy(out[i], start + i * ROOM, ROOM * sizeof(float));
    tt_blas_threads(threads);
    f();
    tt_blas_threads(1);
    for (int i = 0; i < ARRAYS; i++) memcpy(all + i * ROOM, out[i], ROOM * sizeof(float));
}

static void same_bits(const char *what, void (*f)(void), const float *start)
{
    size_t size = ARRAYS * ROOM * sizeof(float);
    float *one = tt_malloc(size), *more = tt_malloc(size);
    results(f, 1, start, one);
    ok(memcmp(one, start, size) != 0, "%s: something was computed", what);
    for (int threads = 2; threads <= 5; threads += 3) {
        results(f, threads, start, more);
        ok(!memcmp(one, more, size), "%s: the same bits on %d threads", what, threads);
    }
    free(one), free(more);
}

static float *make_inputs(rnd *r)
{
    for (int i = 0; i < ARRAYS; i++) {
        in[i] = normals(r, ROOM, 0.5);
        out[i] = tt_malloc(ROOM * sizeof(float));
        halves[i] = tt_malloc(ROOM * sizeof *halves[i]);
        tt_bf16_from_f32(ROOM, in[i], halves[i]);
    }
    for (int i = 0; i < R; i++) ids[i] = pick(r, 0, 40);
    for (int at = 0; attn.nseg < 40 && at < R;) {
        int n = pick(r, 1, at + 50 < R ? 50 : R - at);
        seg[attn.nseg++] = (tt_seg){at, n, at, n, 0};
        at += n;
    }
    attn.bias = normals(r, attn.nbucket * attn.H, 1);
    return normals(r, ARRAYS * ROOM, 1);
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    rnd r = {tt_key(1, "threads", 0, 0, 0), 0};
    float *start = make_inputs(&r);
    tt_blas_threads(3);
    ok(omp_get_max_threads() == 3, "threads are set in one place");
    same_bits("rms", rms, start);
    same_bits("add and rms", add_rms, start);
    same_bits("layer norm", ln, start);
    same_bits("activations", acts, start);
    same_bits("elements", elements, start);
    same_bits("embedding", embed, start);
    same_bits("linear", linear, start);
    same_bits("attention", attention, start);
    same_bits("attention in bf16", attention_half, start);
    return tap_done();
}
