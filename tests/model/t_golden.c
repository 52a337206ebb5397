// TEST np=1
/* T5 1.0 and 1.1 against Hugging Face: logits, losses, hidden states, every gradient; weights stored in F32 and BF16; greedy ids. */
#include "golden.h"

#include <jansson.h>

typedef struct fixture {
    tt_arena *a;
    tt_stfile *batch, *want, *grads;
    tt_model *m;
    padded p;
} fixture;

static tt_stfile *must_open(const char *dir, const char *name)
{
    char path[PATH_MAX + 64];
    tt_stfile *f = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (tt_st_open(path, &f) != TT_OK) ok(0, "%s", tt_fail_text());
    return f;
}

static padded batch_of(tt_arena *a, const tt_stfile *f)
{
    padded p = {0};
    int32_t *mask = ints(a, f, "attention_mask", &p.B, &p.S);
    p.src = ints(a, f, "input_ids", &p.B, &p.S);
    p.label = ints(a, f, "labels", &p.B, &p.T);
    p.s = TT_ZNEW(a, int, p.B);
    p.t = TT_ZNEW(a, int, p.B);
    for (int b = 0; b < p.B; b++) {
        for (int i = 0; i < p.S; i++) p.s[b] += mask[b * p.S + i];
        p.t[b] = p.T; /* golden logits are valid at padded targets too */
    }
    return p;
}

static float *mean_weights(tt_arena *a, const tt_grain *g, int64_t count)
{
    float *w = TT_NEW(a, float, g->Rt);
    for (int64_t r = 0; r < g->Rt; r++) w[r] = 1.f / (float)count;
    return w;
}

static int64_t loss_tokens(const padded *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->B * p->T; i++) n += p->label[i] >= 0;
    return n;
}

static void check_hidden(const fixture *f, const char *side, int n, tt_t **h, const int32_t *off, int rows)
{
    double bad = 0;
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_hidden_states.%d", side, i);
        const float *x = floats(f->a, f->want, name);
        if (!x && !ok(0, "%s is there", name)) return;
        bad = fmax(bad, worst_rows(h[i]->x, off, x, f->p.B, rows, (int)h[i]->cols));
    }
    ok(bad <= 2e-5, "%s hidden states: worst relative difference %.2g", side, bad);
}

/* prefix "": the F32 weights, "bf16w_": those of bf16/. */
static void check_forward(const fixture *f, const tt_kern *k, const char *prefix)
{
    char name[64];
    tt_mark mark = tt_arena_mark(f->a);
    tt_tape t;
    tt_trace tr = {.enc = TT_NEW(f->a, tt_t *, 64), .dec = TT_NEW(f->a, tt_t *, 64)};
    const tt_t5cfg *c = tt_model_cfg(f->m);
    tt_tape_begin(&t, f->a, k, false, 0, 0);
    tt_grain g = grain_of(f->a, &f->p, 0, f->p.B, c->pad_id);
    tt_t *enc = tt_t5_encode_traced(&t, f->m, &g, &tr);
    tt_t *z = tt_t5_logits(&t, f->m, tt_t5_decode_traced(&t, f->m, &g, enc, &tr));
    snprintf(name, sizeof name, "%slogits", prefix);
    const float *want = floats(f->a, f->want, name);
    double bad = 0;
    for (int64_t i = 0; i < z->rows * z->cols; i++) bad = fmax(bad, fabs((double)z->x[i] - want[i]));
    ok(bad <= 2e-5, "%s, %s kernels: largest difference %.2g", name, k->name, bad);
    if (!*prefix) {
        check_hidden(f, "encoder", (int)c->L + 1, tr.enc, g.s_off, f->p.S);
        check_hidden(f, "decoder", (int)c->Ld + 1, tr.dec, g.t_off, f->p.T);
    }
    tt_loss l;
    tt_t5_loss(&t, f->m, &g, mean_weights(f->a, &g, loss_tokens(&f->p)), 0, 0, &l);
    snprintf(name, sizeof name, "%sloss", prefix);
    double d = fabs(l.loss - (double)floats(f->a, f->want, name)[0]);
    ok(d <= 5e-6, "%s %.7f: difference %.2g", name, l.loss, d);
    /* Twice the rounding of the golden logits (4e-6): sums in double, too, are off by 4.8e-6. */
    if (!*prefix) near(l.token, floats(f->a, f->want, "token_loss"), g.Rt, 8e-6, "token losses");
    tt_arena_rewind(f->a, mark);
}

/* All examples in one grain (parts 1), or one grain each, summed. */
static double gradients(const fixture *f, const tt_kern *k, int parts)
{
    tt_pars *pars = tt_model_pars(f->m);
    tt_pars_grads(pars);
    memset(pars->g, 0, sizeof(float) * (size_t)pars->size);
    double loss = 0;
    for (int i = 0; i < parts; i++) {
        tt_mark mark = tt_arena_mark(f->a);
        int n = f->p.B / parts;
        tt_grain g = grain_of(f->a, &f->p, i * n, n, tt_model_cfg(f->m)->pad_id);
        tt_tape t;
        tt_loss l;
        tt_tape_begin(&t, f->a, k, true, 0, 0);
        tt_t5_loss(&t, f->m, &g, mean_weights(f->a, &g, loss_tokens(&f->p)), 0, 0, &l);
        loss += l.loss;
        tt_arena_rewind(f->a, mark);
    }
    return loss;
}

static double largest(const float *x, int64_t n)
{
    double m = 0;
    for (int64_t i = 0; i < n; i++) m = fmax(m, fabs((double)x[i]));
    return m;
}

static void check_grads(const fixture *f, const tt_kern *k)
{
    const tt_pars *pars = tt_model_pars(f->m);
    gradients(f, k, 1);
    double bad = 0;
    const char *where = "";
    for (int i = 0; i < pars->n; i++) {
        const tt_par *p = &pars->p[i];
        tt_mark mark = tt_arena_mark(f->a);
        const float *want = floats(f->a, f->grads, p->name);
        if (!want && !ok(0, "gradient of %s is there", p->name)) return;
        for (int64_t e = 0; e < p->n; e++) {
            double d = fabs((double)p->g[e] - want[e]) / fmax(1, largest(want, p->n));
            if (!(d <= bad)) bad = d, where = p->name;
        }
        tt_arena_rewind(f->a, mark);
    }
    ok(pars->n == tt_st_count(f->grads) && bad <= 1e-5,
       "all %d gradients, %s kernels: worst difference %.2g in %s (allowed 1e-5)", pars->n, k->name, bad, where);
}

/* A grain of several examples against the examples one by one. */
static void check_grains(const fixture *f, const tt_kern *k)
{
    const tt_pars *pars = tt_model_pars(f->m);
    double one = gradients(f, k, f->p.B);
    float *g = TT_NEW(f->a, float, pars->size);
    memcpy(g, pars->g, sizeof(float) * (size_t)pars->size);
    double all = gradients(f, k, 1);
    ok(fabs(one - all) <= 1e-6, "loss of one grain %.7f, of its examples one by one %.7f", all, one);
    near(g, pars->g, pars->size, 2e-6 * fmax(1, largest(g, pars->size)), "gradients of one grain and one by one");
}

static void check_bf16(fixture *f, const char *dir, const tt_kern *k)
{
    char path[PATH_MAX + 64];
    fixture b = *f;
    snprintf(path, sizeof path, "%s/bf16", dir);
    if (!ok(tt_model_open(path, &b.m) == TT_OK, "%s opens %s", path, tt_fail_text())) return;
    check_forward(&b, k, "bf16w_");
    tt_model_free(b.m);
}

static void check_model(const char *shared, const char *name)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s/golden/hf/%s", shared, name);
    printf("# %s\n", dir);
    fixture f = {.a = tt_arena_new(1 << 22)};
    if (!ok(tt_model_open(dir, &f.m) == TT_OK, "%s opens %s", name, tt_fail_text())) return;
    f.batch = must_open(dir, "batch.safetensors");
    f.want = must_open(dir, "expected.safetensors");
    f.grads = must_open(dir, "grads.safetensors");
    if (!f.batch || !f.want || !f.grads) return;
    f.p = batch_of(f.a, f.batch);
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast};
    for (int k = 0; k < 2; k++) {
        check_forward(&f, kern[k], "");
        check_grads(&f, kern[k]);
        check_grains(&f, kern[k]);
        check_bf16(&f, dir, kern[k]);
    }
    tt_st_close(f.batch);
    tt_st_close(f.want);
    tt_st_close(f.grads);
    tt_model_free(f.m);
    tt_arena_free(f.a);
}

int main(void)
{
    const char *shared = shared_dir();
    if (!shared) {
        skip(1, "golden files: ../shared is not here");
        return tap_done();
    }
    check_model(shared, "t5_v10");
    check_model(shared, "t5_v11");
    return tap_done();
}
