// TEST np=1
/* Ops and small networks in bf16 against themselves in fp32: values, gradients of inputs and parameters. What both give differs by the
 * rounding of bf16, so the angle between gradients and their lengths are what is compared. */
#include "tutti/tensor.h"
#include "../tap.h"

enum { R = 24, D = 48, F = 80, V = 61, H = 3, K = 16, B = 2 };
static tt_seg self_seg[] = {{0, 10, 0, 10, 0}, {10, 14, 10, 14, 0}};
static tt_seg gap_seg[] = {{0, 10, 2, 9, 0}, {10, 14, 11, 12, 0}}; /* keys that no segment covers */
static int32_t labels[R];
static float weights[R], x0[2][R * D], coef[R * D];

typedef struct world {
    tt_tape t;
    tt_arena *a, *ga;
    const tt_kern *k;
    tt_pars pars;
    tt_t *in[2];
    bool recompute;
    double loss;
} world;

static const tt_par *par(const world *w, const char *name) { return tt_pars_find(&w->pars, name); }

static tt_attn attention(const tt_seg *seg)
{
    return (tt_attn){.nseg = B,
                     .seg = seg,
                     .H = H,
                     .Hkv = H,
                     .K = K,
                     .scale = 0.25f,
                     .nbucket = 8,
                     .max_distance = 6,
                     .bidirectional = true};
}

static tt_t *sub_attend(world *w, tt_t *n, tt_t *kv, const tt_seg *seg)
{
    tt_t *x[3];
    tt_attn a = attention(seg);
    const tt_par *const p[] = {par(w, "q"), par(w, "k"), par(w, "v")};
    tt_linears(&w->t, n, 1, p, x);
    tt_linears(&w->t, kv, 2, p + 1, x + 1);
    return tt_linear(&w->t, tt_attend(&w->t, x[0], x[1], x[2], &a, par(w, "bias")), par(w, "o"));
}

static tt_t *sub_ffn(world *w, tt_t *n)
{
    tt_t *x[2];
    const tt_par *const p[] = {par(w, "wi"), par(w, "wu")};
    tt_linears(&w->t, n, 2, p, x);
    return tt_linear(&w->t, tt_drop(&w->t, tt_gate(&w->t, x[0], x[1], TT_GELU_NEW)), par(w, "wo"));
}

static tt_t *do_linear(world *w) { return tt_linear(&w->t, w->in[0], par(w, "q")); }
static tt_t *do_rms(world *w) { return tt_rms(&w->t, w->in[0], par(w, "scale"), 1e-6f); }

static tt_t *do_activate(world *w)
{
    tt_t *h = tt_activate(&w->t, tt_linear(&w->t, w->in[0], par(w, "wi")), TT_SILU);
    return tt_linear(&w->t, h, par(w, "wo"));
}

/* One bf16 tensor that three ops read: its gradient is a sum of bf16 parts, or, wide, of fp32 parts. */
static tt_t *readers(world *w, bool wide)
{
    tt_t *n = tt_rms(&w->t, w->in[0], par(w, "scale"), 1e-6f);
    n->wide = wide;
    n = tt_drop(&w->t, n);
    tt_t *h = tt_add(&w->t, w->in[1], tt_linear(&w->t, n, par(w, "q")));
    h = tt_add(&w->t, h, tt_activate(&w->t, n, TT_TANH));
    return tt_add(&w->t, h, tt_linear(&w->t, n, par(w, "k")));
}

static tt_t *do_readers(world *w) { return readers(w, false); }
static tt_t *do_wide(world *w) { return readers(w, true); }

/* Parameters that do not lie one after the other, and a view that nobody uses. */
static tt_t *do_apart(world *w)
{
    tt_t *n = tt_rms(&w->t, w->in[0], par(w, "scale"), 1e-6f), *x[4];
    const tt_par *const p[] = {par(w, "v"), par(w, "o"), par(w, "q"), par(w, "k")};
    tt_linears(&w->t, n, 4, p, x);
    tt_attn a = attention(self_seg);
    return tt_add(&w->t, w->in[1], tt_attend(&w->t, x[0], x[2], x[3], &a, NULL));
}

static tt_t *block(world *w, tt_t *h, tt_t *enc)
{
    tt_t *f = NULL, *n = tt_add_rms(&w->t, &h, f, par(w, "scale"), 1e-6f);
    f = tt_drop(&w->t, sub_attend(w, n, enc ? enc : n, enc ? gap_seg : self_seg));
    n = tt_add_rms(&w->t, &h, f, par(w, "scale"), 1e-6f);
    return tt_add(&w->t, h, tt_drop(&w->t, sub_ffn(w, n)));
}

static tt_t *block_again(tt_tape *t, const void *ctx, tt_t *h, tt_t *enc)
{
    return block((world *)(uintptr_t)ctx, h, enc);
}

static tt_t *do_blocks(world *w)
{
    tt_t *h = w->in[0], *enc = tt_rms(&w->t, w->in[1], par(w, "scale"), 1e-6f);
    enc->wide = true;
    enc = tt_drop(&w->t, enc);
    for (int i = 0; i < 3; i++) h = tt_block(&w->t, 0, block_again, w, h, i ? enc : NULL);
    return h;
}

static tt_t *do_model(world *w)
{
    tt_t *h = tt_drop(&w->t, tt_rms(&w->t, do_blocks(w), par(w, "scale"), 1e-6f));
    w->loss = tt_head_loss(&w->t, h, par(w, "table"), .4f, labels, weights, .1f, 1e-3f, NULL, NULL, NULL);
    return NULL;
}

typedef struct op {
    const char *name;
    tt_t *(*build)(world *w);
    float drop;
} op;

static const op ops[] = {
    {"linear", do_linear, 0},
    {"rms", do_rms, 0},
    {"activation", do_activate, 0},
    {"three readers", do_readers, 0},
    {"three readers with dropout", do_readers, .2f},
    {"three readers of a wide tensor", do_wide, 0},
    {"three readers of a wide tensor with dropout", do_wide, .2f},
    {"products of parameters apart", do_apart, 0},
    {"three blocks", do_blocks, 0},
    {"three blocks with dropout", do_blocks, .2f},
    {"a model and its loss", do_model, 0},
    {"a model and its loss with dropout", do_model, .1f},
};

/* ---- one pass ----------------------------------------------------------------------------------------------------*/

typedef struct pass {
    double loss;
    float y[R * D], dx[2][R * D];
    float *g; /* [pars.size] */
} pass;

static void value_of(const tt_t *y, float *out)
{
    if (y->h)
        tt_f32_from_bf16(y->rows * y->cols, y->h, out);
    else
        memcpy(out, y->x, sizeof *out * (size_t)(y->rows * y->cols));
}

static void run(world *w, const op *o, bool half, pass *p)
{
    tt_arena_reset(w->a);
    tt_arena_reset(w->ga);
    memset(w->pars.g, 0, sizeof(float) * (size_t)w->pars.size);
    tt_tape_begin(&w->t, w->a, w->k, true, o->drop, 77);
    w->t.ga = w->ga;
    w->t.half = half;
    w->t.recompute = w->recompute;
    w->loss = 0;
    for (int i = 0; i < 2; i++) {
        w->in[i] = tt_new(&w->t, R, D, true);
        memcpy(w->in[i]->x, x0[i], sizeof x0[i]);
    }
    tt_t *y = o->build(w);
    memset(p, 0, offsetof(pass, g));
    p->loss = w->loss;
    if (y) value_of(y, p->y);
    if (y) tt_seed(&w->t, y, coef);
    tt_tape_back(&w->t);
    for (int i = 0; i < 2; i++)
        if (w->in[i]->g) memcpy(p->dx[i], w->in[i]->g, sizeof p->dx[i]);
    memcpy(p->g, w->pars.g, sizeof(float) * (size_t)w->pars.size);
}

/* 1 - cosine, and the difference of lengths, the larger; 0 where both are 0. */
static double apart(int64_t n, const float *x, const float *y)
{
    double xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < n; i++) {
        xy += (double)x[i] * y[i];
        xx += (double)x[i] * x[i];
        yy += (double)y[i] * y[i];
    }
    if (xx == 0 && yy == 0) return 0;
    return fmax(1 - xy / sqrt(xx * yy), fabs(sqrt(xx / yy) - 1));
}

static void check(world *w, const op *o)
{
    size_t bytes = sizeof(float) * (size_t)w->pars.size;
    pass a = {.g = tt_malloc(bytes)}, b = {.g = tt_malloc(bytes)};
    run(w, o, false, &a);
    run(w, o, true, &b);
    double bad = apart(R * D, a.y, b.y), size = 0;
    for (int i = 0; i < 2; i++) bad = fmax(bad, apart(R * D, a.dx[i], b.dx[i]));
    for (int i = 0; i < w->pars.n; i++) {
        const tt_par *p = &w->pars.p[i];
        double d = apart(p->n, a.g + p->at, b.g + p->at);
        if (!(d <= bad)) bad = d;
        size = fmax(size, w->k->sumsq(p->n, b.g + p->at));
    }
    bool some = size > 0 && memcmp(a.g, b.g, bytes) != 0; /* it was computed otherwise */
    ok(bad < 1e-2 && some && fabs(a.loss - b.loss) <= 1e-2 * fabs(a.loss),
       "%s, %s kernels: bf16 is off by %.1g; losses %.5f, %.5f", o->name, w->k->name, bad, a.loss, b.loss);
    free(a.g), free(b.g);
}

static void check_again(world *w, const op *o)
{
    size_t bytes = sizeof(float) * (size_t)w->pars.size;
    pass a = {.g = tt_malloc(bytes)}, b = {.g = tt_malloc(bytes)};
    run(w, o, true, &a);
    w->recompute = true;
    run(w, o, true, &b);
    w->recompute = false;
    ok(a.loss == b.loss && !memcmp(a.dx, b.dx, sizeof a.dx) && !memcmp(a.g, b.g, bytes),
       "%s, %s kernels: the same bits when blocks are computed again", o->name, w->k->name);
    free(a.g), free(b.g);
}

/* ---- */

static void add_pars(tt_pars *t)
{
    static const struct {
        const char *name;
        int64_t rows, cols;
        double std;
    } all[] = {
        {"q", H * K, D, .15}, {"k", H * K, D, .15}, {"v", H * K, D, .15}, {"o", D, H * K, .15}, {"wi", F, D, .15},
        {"wu", F, D, .15},    {"wo", D, F, .1},     {"table", V, D, .5},  {"bias", 8, H, .5},
    };
    tt_pars_init(t);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const int64_t shape[] = {all[i].rows, all[i].cols};
        tt_pars_add(t, all[i].name, 2, shape, TT_INIT_NORMAL, all[i].std, false);
    }
    const int64_t row[] = {D};
    tt_pars_add(t, "scale", 1, row, TT_INIT_NORMAL, 1, true);
    tt_pars_seal(t);
    tt_pars_grads(t);
    tt_pars_draw(t, 5);
    tt_pars_halve(t, 0);
}

/* A gradient with nothing in it yet is overwritten, in joined products, too. */
static void check_unset(world *w)
{
    size_t bytes = sizeof(float) * (size_t)w->pars.size;
    pass a = {.g = tt_malloc(bytes)}, b = {.g = tt_malloc(bytes)};
    const op o = {"", do_blocks, 0};
    run(w, &o, true, &a);
    float *slab = w->pars.g;
    for (int64_t i = 0; i < w->pars.size; i++) slab[i] = NAN;
    tt_pars_unset(&w->pars, 0, true);
    tt_arena_reset(w->a);
    tt_arena_reset(w->ga);
    tt_tape_begin(&w->t, w->a, w->k, true, 0, 77);
    w->t.ga = w->ga;
    w->t.half = true;
    for (int i = 0; i < 2; i++) {
        w->in[i] = tt_new(&w->t, R, D, true);
        memcpy(w->in[i]->x, x0[i], sizeof x0[i]);
    }
    tt_seed(&w->t, do_blocks(w), coef);
    tt_tape_back(&w->t);
    tt_pars_unset(&w->pars, 0, false);
    double bad = 0;
    for (int i = 0; i < w->pars.n; i++) {
        const tt_par *p = &w->pars.p[i];
        double d = apart(p->n, a.g + p->at, p->g);
        if (!(d <= bad)) bad = d;
    }
    ok(bad < 1e-6, "%s kernels: gradients that hold nothing are begun, off by %.1g", w->k->name, bad);
    memset(slab, 0, bytes);
    free(a.g), free(b.g);
}

int main(void)
{
    static world w;
    w.a = tt_arena_new(1 << 20);
    w.ga = tt_arena_new(1 << 20);
    add_pars(&w.pars);
    for (int i = 0; i < R * D; i++) {
        for (int j = 0; j < 2; j++) x0[j][i] = (float)tt_rand_normal(tt_key(1, "x", (uint64_t)j, 0, 0), (uint64_t)i);
        coef[i] = (float)tt_rand_normal(tt_key(1, "coef", 0, 0, 0), (uint64_t)i);
    }
    for (int i = 0; i < R; i++) {
        labels[i] = i % 5 ? (i * 7) % V : -1;
        weights[i] = 1.f / R;
    }
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast, &tt_kern_check};
    for (int k = 0; k < 3; k++) {
        w.k = kern[k];
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) check(&w, &ops[i]);
        check_again(&w, &ops[9]);
        check_again(&w, &ops[11]);
        check_unset(&w);
    }
    tt_pars_fini(&w.pars);
    tt_arena_free(w.a);
    tt_arena_free(w.ga);
    return tap_done();
}
