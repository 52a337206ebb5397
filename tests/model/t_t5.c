// TEST np=1
/* A small T5 of drawn weights against itself: grains, gradients, dropout, frozen parts, the cache. */
#include "golden.h"

static const char config_text[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 37, \"d_model\": 16, \"d_kv\": 5, \"d_ff\": 24, \"num_layers\": 2, "
    "\"num_decoder_layers\": 3, \"num_heads\": 3, \"feed_forward_proj\": \"%s\", \"tie_word_embeddings\": %s, "
    "\"relative_attention_num_buckets\": 8, \"relative_attention_max_distance\": 12}";

enum { B = 4, MOST = 14 };
static const int S[B] = {14, 1, 6, 9}, T[B] = {3, 8, 1, 5};
static int32_t ids[B][2][MOST];

typedef struct world {
    tt_model *m;
    tt_pars *pars;
    tt_arena *a;
    const tt_kern *k;
} world;

static tt_grain grain(world *w, int from, int n)
{
    tt_ex ex[B];
    for (int b = 0; b < n; b++)
        ex[b] = (tt_ex){.S = S[from + b], .T = T[from + b], .src = ids[from + b][0], .tgt = ids[from + b][1]};
    tt_grain g;
    tt_grain_make(w->a, n, ex, 0, &g);
    return g;
}

/* Loss of examples [from, from+n), label smoothing and z-loss included; gradients are added to the slab if grads. */
static double loss(world *w, int from, int n, bool grads, float drop)
{
    tt_arena_reset(w->a);
    tt_grain g = grain(w, from, n);
    float weight[B * MOST];
    for (int i = 0; i < B * MOST; i++) weight[i] = 0.1f;
    tt_tape t;
    tt_loss l;
    tt_tape_begin(&t, w->a, w->k, grads, drop, 9);
    tt_t5_loss(&t, w->m, &g, weight, 0.1f, 1e-3f, &l);
    return l.loss;
}

static void clear(world *w) { memset(w->pars->g, 0, sizeof(float) * (size_t)w->pars->size); }

static void check_grains(world *w)
{
    clear(w);
    double one = 0, all;
    for (int b = 0; b < B; b++) one += loss(w, b, 1, true, 0);
    float *g = tt_malloc(sizeof(float) * (size_t)w->pars->size);
    memcpy(g, w->pars->g, sizeof(float) * (size_t)w->pars->size);
    clear(w);
    all = loss(w, 0, B, true, 0);
    double size = sqrt(w->k->sumsq(w->pars->size, g));
    ok(fabs(all - one) < 1e-5 * fabs(one), "one grain %.6f, one by one %.6f", all, one);
    near(g, w->pars->g, w->pars->size, 1e-6 * size, "gradients of one grain and one by one");
    free(g);
}

/* The slope of the loss along a random direction of all weights. */
static void check_slope(world *w, float drop)
{
    clear(w);
    loss(w, 0, B, true, drop);
    int64_t n = w->pars->size;
    const float h = 2e-3f;
    float *at = tt_malloc(sizeof(float) * (size_t)n), *d = tt_malloc(sizeof(float) * (size_t)n);
    double want = 0, f[4];
    memcpy(at, w->pars->w, sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        d[i] = (float)tt_rand_normal(tt_key(8, "direction", 0, 0, 0), (uint64_t)i);
        want += (double)d[i] * w->pars->g[i];
    }
    for (int s = 0; s < 4; s++) {
        for (int64_t i = 0; i < n; i++) w->pars->w[i] = at[i] + h * (float)(s < 2 ? s - 2 : s - 1) * d[i];
        f[s] = loss(w, 0, B, false, drop);
    }
    memcpy(w->pars->w, at, sizeof(float) * (size_t)n);
    double got = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * (double)h);
    ok(fabs(got / want - 1) < 5e-3, "dropout %.1f: slope of the loss %.5f, by its gradient %.5f", (double)drop, got,
       want);
    free(at);
    free(d);
}

static void check_dropout(world *w)
{
    double a = loss(w, 0, B, false, 0.3f), b = loss(w, 0, B, false, 0.3f), none = loss(w, 0, B, false, 0);
    ok(a == b && a != none, "dropout: the same loss for the same key, another without");
    tt_arena_reset(w->a);
    tt_grain g = grain(w, 0, B);
    tt_tape t;
    tt_tape_begin(&t, w->a, w->k, false, 0.3f, 9);
    tt_t5_decode(&t, w->m, &g, tt_t5_encode(&t, w->m, &g));
    /* Per stack: embedding, final norm. Per sublayer: its result, and the probabilities or the inside of FF. */
    ok(t.uses == 2 + 2 * 4 + 2 + 3 * 6, "dropout in %d places", (int)t.uses);
}

static void check_frozen(world *w)
{
    clear(w);
    double whole = loss(w, 0, B, true, 0);
    float *g = tt_malloc(sizeof(float) * (size_t)w->pars->size);
    memcpy(g, w->pars->g, sizeof(float) * (size_t)w->pars->size);
    for (int i = 0; i < w->pars->n; i++) w->pars->p[i].trained = i % 3 == 0;
    clear(w);
    double part = loss(w, 0, B, true, 0);
    bool good = part == whole;
    double apart = 0, top = 0; /* one product makes the gradients of q, k and v where all are trained */
    for (int i = 0; i < w->pars->n; i++) {
        const tt_par *p = &w->pars->p[i];
        for (int64_t e = 0; e < p->n; e++) {
            good &= p->trained || p->g[e] == 0;
            apart = fmax(apart, p->trained ? fabs((double)p->g[e] - g[p->at + e]) : 0);
            top = fmax(top, fabs((double)g[p->at + e]));
        }
        w->pars->p[i].trained = true;
    }
    ok(good && apart <= 2e-6 * top, "frozen parameters get no gradient, the others the same as before but for %.1g",
       apart / top);
    free(g);
}

/* The best next token when everything so far is decoded again from the start. */
static int32_t next_token(world *w, const int32_t *src, int n, const tt_ids *so_far)
{
    tt_arena *a = tt_arena_new(1 << 20);
    tt_ids tgt = {0};
    for (int i = 0; i < so_far->n; i++) tt_ids_push(&tgt, so_far->id[i]);
    tt_ids_push(&tgt, 1); /* only shifted targets are seen */
    tt_ex ex = {.S = n, .T = tgt.n, .src = src, .tgt = tgt.id};
    tt_grain g;
    tt_tape t;
    tt_grain_make(a, 1, &ex, 0, &g);
    tt_tape_begin(&t, a, w->k, false, 0, 0);
    const tt_t *z = tt_t5_logits(&t, w->m, tt_t5_decode(&t, w->m, &g, tt_t5_encode(&t, w->m, &g)));
    const float *row = z->x + (z->rows - 1) * z->cols;
    int32_t best = 0;
    for (int32_t v = 1; v < z->cols; v++)
        if (row[v] > row[best]) best = v;
    tt_ids_fini(&tgt);
    tt_arena_free(a);
    return best;
}

static tt_err generate(const world *w, int n, const int32_t *const *src, const int *size, int max_new, tt_ids *out)
{
    tt_gencfg o = TT_GENCFG_DEFAULT;
    o.max_new = max_new;
    o.rows = 3;
    return tt_generate_list(w->m, w->k, &o, n, src, size, out, NULL);
}

static void check_generation(world *w)
{
    enum { NEW = 12 };
    const int32_t *src[B] = {ids[0][0], ids[1][0], ids[2][0], ids[3][0]};
    tt_ids out[B] = {{0}};
    tt_arena_reset(w->a);
    ok(generate(w, B, src, S, NEW, out) == TT_OK, "generation runs %s", tt_fail_text());
    for (int b = 0; b < B; b++) {
        tt_ids want = {0};
        while (want.n < NEW && !(want.n && want.id[want.n - 1] == 1))
            tt_ids_push(&want, next_token(w, src[b], S[b], &want));
        ok(out[b].n == want.n && !memcmp(out[b].id, want.id, sizeof(int32_t) * (size_t)want.n),
           "row %d: %d tokens with the cache are those without", b, out[b].n);
        tt_ids_fini(&want);
    }
    const int32_t bad[] = {3, 37, 1}, *from = bad;
    int n = 3;
    ok(generate(w, 1, &from, &n, NEW, out) == TT_EDATA && strstr(tt_fail_text(), "token 37 at 1"),
       "ids outside the vocabulary: %s", tt_fail_text());
    tt_fail_clear();
    ok(generate(w, 1, src, S, 0, out) == TT_EJOB, "no new tokens are an error: %s", tt_fail_text());
    tt_fail_clear();
    for (int b = 0; b < B; b++) tt_ids_fini(&out[b]);
}

static void check_memory(world *w)
{
    loss(w, 0, B, true, 0.1f);
    size_t peak = tt_arena_peak(w->a);
    for (int i = 0; i < 3; i++) loss(w, 0, B, true, 0.1f);
    ok(tt_arena_peak(w->a) == peak, "a step asks for no memory after the first");
}

static void check(const char *proj, const char *tied, const tt_kern *k)
{
    char json[1024];
    world w = {.a = tt_arena_new(1 << 16), .k = k};
    int n = snprintf(json, sizeof json, config_text, proj, tied);
    printf("# %s, tied %s, %s kernels\n", proj, tied, k->name);
    if (!ok(tt_model_parse(json, (size_t)n, "config", &w.m) == TT_OK, "model %s", tt_fail_text())) return;
    w.pars = tt_model_pars(w.m);
    tt_pars_draw(w.pars, 3);
    for (int i = 0; i < w.pars->n; i++) /* drawn embeddings of T5 are large: keep the softmax out of saturation */
        if (!w.pars->p[i].norm) k->scale(w.pars->p[i].n, 0.5f, w.pars->p[i].w);
    tt_pars_grads(w.pars);
    check_grains(&w);
    check_slope(&w, 0);
    check_slope(&w, 0.1f);
    check_dropout(&w);
    check_frozen(&w);
    check_generation(&w);
    check_memory(&w);
    tt_model_free(w.m);
    tt_arena_free(w.a);
}

int main(void)
{
    for (int b = 0; b < B; b++)
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < MOST; i++)
                ids[b][s][i] =
                    2 + (int32_t)tt_rand_below(tt_key(2, "ids", (uint64_t)b, (uint64_t)s, 0), (uint64_t)i, 35);
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast};
    for (int k = 0; k < 2; k++) {
        check("gelu", "true", kern[k]); /* relu has kinks; its gradients stand in the golden files */
        check("gated-gelu", "false", kern[k]);
        check("gated-silu", "true", kern[k]);
    }
    return tap_done();
}
