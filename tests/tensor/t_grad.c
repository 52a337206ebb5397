// TEST np=1
/* Every op against finite differences, with both kernel tables: loss = sum_i c_i y_i with random c. */
#include "tutti/tensor.h"
#include "../tap.h"

enum { R = 7, D = 12, V = 11, H = 3, K = 4, KEYS = 9 };
static int32_t ids[R] = {3, 0, 10, 3, 7, 3, 1};
static int32_t labels[R] = {2, -1, 10, 0, 5, -1, 2};
static float weights[R] = {.3f, 1, .5f, .25f, .1f, 1, .7f};
static tt_seg self_seg[] = {{0, 3, 0, 3, 0}, {3, 4, 3, 4, 0}};
static tt_seg cross_seg[] = {{0, 3, 0, 5, 0}, {3, 4, 5, 4, 0}};

/* One case: inputs in[3] (leaves) and parameters; build returns the output, or NULL for a loss of its own in *loss. */
typedef struct trial {
    tt_tape tape;
    tt_arena *arena;
    const tt_kern *kern;
    tt_pars pars;
    tt_t *in[3];
    float drop;
    double loss;
} trial;
typedef struct op {
    const char *name;
    tt_t *(*build)(trial *c);
    int64_t rows[3], cols[3]; /* of the inputs; 0: none */
    float drop;
} op;

static const tt_par *par(trial *c, const char *name) { return tt_pars_find(&c->pars, name); }

static tt_t *do_linear(trial *c) { return tt_linear(&c->tape, c->in[0], par(c, "w")); }
static tt_t *do_rms(trial *c) { return tt_rms(&c->tape, c->in[0], par(c, "scale"), 1e-6f); }
static tt_t *do_ln(trial *c) { return tt_layernorm(&c->tape, c->in[0], par(c, "scale"), par(c, "shift"), 1e-5f); }
static tt_t *do_relu(trial *c) { return tt_activate(&c->tape, c->in[0], TT_RELU); }
static tt_t *do_gelu(trial *c) { return tt_activate(&c->tape, c->in[0], TT_GELU); }
static tt_t *do_gelu_new(trial *c) { return tt_activate(&c->tape, c->in[0], TT_GELU_NEW); }
static tt_t *do_silu(trial *c) { return tt_activate(&c->tape, c->in[0], TT_SILU); }
static tt_t *do_gate(trial *c) { return tt_gate(&c->tape, c->in[0], c->in[1], TT_GELU_NEW); }
static tt_t *do_add(trial *c) { return tt_add(&c->tape, c->in[0], c->in[1]); }
static tt_t *do_drop(trial *c) { return tt_drop(&c->tape, c->in[0]); }
static tt_t *do_embed(trial *c) { return tt_embed(&c->tape, ids, R, par(c, "table")); }
static tt_t *do_logits(trial *c) { return tt_logits(&c->tape, c->in[0], par(c, "table"), .3f); }

static tt_t *do_self(trial *c)
{
    tt_attn a = {.nseg = 2, .seg = self_seg, .H = H, .Hkv = H, .K = K, .scale = 1, .nbucket = 8, .max_distance = 6};
    a.bidirectional = true;
    return tt_attend(&c->tape, c->in[0], c->in[1], c->in[2], &a, par(c, "bias"));
}

static tt_t *do_causal(trial *c)
{
    tt_attn a = {.nseg = 2, .seg = self_seg, .H = H, .Hkv = H, .K = K, .scale = .5f, .nbucket = 8, .max_distance = 6};
    a.causal = true;
    return tt_attend(&c->tape, c->in[0], c->in[1], c->in[2], &a, par(c, "bias"));
}

static tt_t *do_cross(trial *c)
{
    tt_attn a = {.nseg = 2, .seg = cross_seg, .H = H, .Hkv = H, .K = K, .scale = 1};
    return tt_attend(&c->tape, c->in[0], c->in[1], c->in[2], &a, NULL);
}

static tt_t *do_head(trial *c)
{
    c->loss = tt_head_loss(&c->tape, c->in[0], par(c, "table"), .4f, labels, weights, .1f, 1e-2f, NULL, NULL, NULL);
    return NULL;
}

/* A block as a model has it: shared inputs, residual sums, dropout, a gradient buffer passed on. */
static tt_t *do_block(trial *c)
{
    tt_tape *t = &c->tape;
    tt_attn a = {.nseg = 2, .seg = self_seg, .H = H, .Hkv = H, .K = K, .scale = 1, .nbucket = 8, .max_distance = 6};
    tt_t *h = c->in[0];
    for (int layer = 0; layer < 2; layer++) {
        tt_t *n = tt_rms(t, h, par(c, "scale"), 1e-6f);
        tt_t *q = tt_linear(t, n, par(c, "w")), *k = tt_linear(t, n, par(c, "u")), *v = tt_linear(t, n, par(c, "w"));
        h = tt_add(t, h, tt_drop(t, tt_linear(t, tt_attend(t, q, k, v, &a, par(c, "bias")), par(c, "u"))));
        n = tt_rms(t, h, par(c, "scale"), 1e-6f);
        tt_t *f = tt_gate(t, tt_linear(t, n, par(c, "w")), tt_linear(t, n, par(c, "u")), TT_GELU_NEW);
        h = tt_add(t, h, tt_drop(t, tt_linear(t, tt_drop(t, f), par(c, "w"))));
    }
    return tt_add(t, h, tt_linear(t, h, par(c, "u")));
}

/* The two sides of a sum share its gradient; more is added to one of them before the other is used. */
static tt_t *do_shared(trial *c)
{
    tt_tape *t = &c->tape;
    tt_t *b = tt_linear(t, c->in[1], par(c, "w")), *n = tt_rms(t, c->in[0], par(c, "scale"), 1e-6f);
    return tt_add(t, tt_add(t, c->in[0], b), tt_linear(t, n, par(c, "u")));
}

static const op ops[] = {
    {"linear", do_linear, {R}, {D}, 0},
    {"rms", do_rms, {R}, {D}, 0},
    {"layernorm", do_ln, {R}, {D}, 0},
    {"relu", do_relu, {R}, {D}, 0},
    {"gelu", do_gelu, {R}, {D}, 0},
    {"gelu_new", do_gelu_new, {R}, {D}, 0},
    {"silu", do_silu, {R}, {D}, 0},
    {"gate", do_gate, {R, R}, {D, D}, 0},
    {"add", do_add, {R, R}, {D, D}, 0},
    {"drop", do_drop, {R}, {D}, .25f},
    {"embed", do_embed, {0}, {0}, 0},
    {"logits", do_logits, {R}, {D}, 0},
    {"self-attention with bias", do_self, {R, R, R}, {D, D, D}, 0},
    {"self-attention with dropout", do_self, {R, R, R}, {D, D, D}, .25f},
    {"causal attention", do_causal, {R, R, R}, {D, D, D}, 0},
    {"cross-attention", do_cross, {R, KEYS, KEYS}, {D, D, D}, 0},
    {"head and loss", do_head, {R}, {D}, 0},
    {"a shared gradient", do_shared, {R, R}, {D, D}, 0},
    {"two blocks", do_block, {R}, {D}, 0},
    {"two blocks with dropout", do_block, {R}, {D}, .2f},
};

static float x0[3][KEYS * D], coef[KEYS * D];

static tt_t *forward(trial *c, const op *o, bool record)
{
    tt_arena_reset(c->arena);
    tt_tape_begin(&c->tape, c->arena, c->kern, record, o->drop, 77);
    for (int i = 0; i < 3; i++) {
        if (!o->rows[i]) continue;
        c->in[i] = tt_new(&c->tape, o->rows[i], o->cols[i], true);
        memcpy(c->in[i]->x, x0[i], sizeof(float) * (size_t)(o->rows[i] * o->cols[i]));
    }
    return o->build(c);
}

static double value(trial *c, const op *o)
{
    tt_t *y = forward(c, o, false);
    if (!y) return c->loss;
    double sum = 0;
    for (int64_t i = 0; i < y->rows * y->cols; i++) sum += (double)coef[i] * y->x[i];
    return sum;
}

/* Fourth-order difference quotient with respect to *x. */
static double slope(trial *c, const op *o, float *x)
{
    const float at = *x, h = 0.01f;
    double f[4];
    const float step[4] = {-2 * h, -h, h, 2 * h};
    for (int i = 0; i < 4; i++) {
        *x = at + step[i];
        f[i] = value(c, o);
    }
    *x = at;
    return (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * (double)h);
}

static double worst(trial *c, const op *o, float *x, const float *g, int64_t n)
{
    double bad = 0;
    for (int64_t i = 0; i < n; i++) {
        double s = slope(c, o, &x[i]), d = fabs(s - (double)g[i]) / fmax(1, fabs(s));
        if (!(d <= bad)) bad = d;
    }
    return bad;
}

static void check(trial *c, const op *o)
{
    memset(c->pars.g, 0, sizeof(float) * (size_t)c->pars.size);
    tt_t *y = forward(c, o, true);
    if (y) tt_seed(&c->tape, y, coef);
    tt_tape_back(&c->tape);
    float dx[3][KEYS * D] = {0};
    double bad = 0, size = 0;
    for (int i = 0; i < 3; i++)
        if (o->rows[i]) memcpy(dx[i], c->in[i]->g, sizeof(float) * (size_t)(o->rows[i] * o->cols[i]));
    for (int i = 0; i < 3; i++) bad = fmax(bad, worst(c, o, x0[i], dx[i], o->rows[i] * o->cols[i]));
    for (int i = 0; i < c->pars.n; i++) {
        const tt_par *p = &c->pars.p[i];
        bad = fmax(bad, worst(c, o, p->w, p->g, p->n));
        for (int64_t e = 0; e < p->n; e++) size = fmax(size, fabs((double)p->g[e]));
    }
    for (int e = 0; e < R * D; e++) size = fmax(size, fabs((double)dx[0][e]));
    ok(bad < (o->build == do_block ? 2e-3 : 2e-4) && size > 0.05,
       "%s, %s kernels: worst relative difference %.2g, largest gradient %.2g", o->name, c->kern->name, bad, size);
}

static void add_pars(tt_pars *t)
{
    const int64_t square[] = {D, D}, table[] = {V, D}, bias[] = {8, H}, row[] = {D};
    tt_pars_init(t);
    tt_pars_add(t, "w", 2, square, TT_INIT_NORMAL, 0.3, false);
    tt_pars_add(t, "u", 2, square, TT_INIT_NORMAL, 0.3, false);
    tt_pars_add(t, "table", 2, table, TT_INIT_NORMAL, 0.5, false);
    tt_pars_add(t, "bias", 2, bias, TT_INIT_NORMAL, 0.5, false);
    tt_pars_add(t, "scale", 1, row, TT_INIT_NORMAL, 1, true);
    tt_pars_add(t, "shift", 1, row, TT_INIT_NORMAL, 1, true);
    tt_pars_seal(t);
    tt_pars_grads(t);
    tt_pars_draw(t, 5);
}

/* Without trained parameters and inputs nothing is recorded; a frozen parameter gets no gradient, its input does. */
static void check_frozen(trial *c)
{
    tt_par *w = tt_pars_find(&c->pars, "w");
    memset(c->pars.g, 0, sizeof(float) * (size_t)c->pars.size);
    w->trained = false;
    tt_arena_reset(c->arena);
    tt_tape_begin(&c->tape, c->arena, c->kern, true, 0, 0);
    tt_t *x = tt_new(&c->tape, R, D, false), *z = tt_new(&c->tape, R, D, true);
    memcpy(x->x, x0[0], sizeof(float) * R * D);
    memcpy(z->x, x0[1], sizeof(float) * R * D);
    ok(!tt_linear(&c->tape, x, w)->need && !c->tape.last, "a frozen chain without need records nothing");
    tt_t *y = tt_linear(&c->tape, z, w);
    tt_seed(&c->tape, y, coef);
    tt_tape_back(&c->tape);
    ok(c->kern->sumsq(c->pars.size, c->pars.g) == 0 && c->kern->sumsq(R * D, z->g) > 0,
       "a frozen weight gets no gradient, its input does");
    w->trained = true;
}

int main(void)
{
    trial c = {.arena = tt_arena_new(1 << 20)};
    add_pars(&c.pars);
    for (int i = 0; i < KEYS * D; i++) {
        for (int j = 0; j < 3; j++) x0[j][i] = (float)tt_rand_normal(tt_key(1, "x", (uint64_t)j, 0, 0), (uint64_t)i);
        if (fabsf(x0[0][i]) < 0.05f) x0[0][i] += 0.1f; /* relu has no slope at 0 */
        coef[i] = (float)tt_rand_normal(tt_key(1, "coef", 0, 0, 0), (uint64_t)i);
    }
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast};
    for (int k = 0; k < 2; k++) {
        c.kern = kern[k];
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) check(&c, &ops[i]);
        check_frozen(&c);
    }
    tt_pars_fini(&c.pars);
    tt_arena_free(c.arena);
    return tap_done();
}
