// TEST np=1,2,3,4
/* A small T5 on tp ranks, each with its part, against the whole model on each of them. */
#include "tutti/model.h"
#include "../tap.h"

static const char config_text[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 41, \"d_model\": 16, \"d_kv\": 5, \"d_ff\": 22, \"num_layers\": 2, "
    "\"num_decoder_layers\": 3, \"num_heads\": 5, \"feed_forward_proj\": \"%s\", \"tie_word_embeddings\": %s, "
    "\"relative_attention_num_buckets\": 8, \"relative_attention_max_distance\": 12}";

enum { B = 4, MOST = 14 };
static const int S[B] = {14, 1, 6, 9}, T[B] = {3, 8, 1, 5};
static int32_t ids[B][2][MOST];

typedef struct world {
    const tt_mesh *m;
    tt_model *whole, *part;
    tt_arena *a, *ga;
    const tt_kern *k;
} world;

typedef struct pass {
    float drop, smooth, zloss;
    bool recompute, record;
} pass;

typedef struct result {
    double loss;
    float token[B * MOST], nll[B * MOST];
    int32_t argmax[B * MOST];
    int n;
} result;

/* One label is left out, as at padding. */
static tt_grain grain(world *w)
{
    tt_ex ex[B];
    for (int b = 0; b < B; b++) ex[b] = (tt_ex){.S = S[b], .T = T[b], .src = ids[b][0], .tgt = ids[b][1]};
    tt_grain g;
    tt_grain_make(w->a, B, ex, 0, &g);
    ((int32_t *)g.label)[5] = -1;
    return g;
}

static void run(world *w, const tt_model *m, const pass *p, result *out)
{
    tt_arena_reset(w->a);
    tt_arena_reset(w->ga);
    tt_grain g = grain(w);
    float weight[B * MOST];
    for (int i = 0; i < B * MOST; i++) weight[i] = 0.1f + 0.01f * (float)i;
    tt_tape t;
    tt_loss l;
    tt_tape_begin(&t, w->a, w->k, p->record, p->drop, 9);
    t.ga = w->ga;
    t.recompute = p->recompute;
    t.tp = m == w->part ? w->m : NULL;
    tt_t5_loss(&t, m, &g, weight, p->smooth, p->zloss, &l);
    out->loss = l.loss;
    out->n = (int)g.Rt;
    memcpy(out->token, l.token, sizeof(float) * (size_t)g.Rt);
    memcpy(out->nll, l.nll, sizeof(float) * (size_t)g.Rt);
    memcpy(out->argmax, l.argmax, sizeof(int32_t) * (size_t)g.Rt);
}

static void clear(tt_pars *t) { memset(t->g, 0, sizeof(float) * (size_t)t->size); }

static double norm(int64_t n, const float *x)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * x[i];
    return sqrt(s);
}

/* The worst relative difference of a slice, over all parameters; name of the worst. */
static double gradient_error(const world *w, const char **name)
{
    tt_pars *whole = tt_model_pars(w->whole), *part = tt_model_pars(w->part);
    double worst = 0;
    *name = "none";
    for (int i = 0; i < part->n; i++) {
        const tt_par *p = &part->p[i], *of = tt_pars_find(whole, p->name);
        float *want = tt_malloc(sizeof(float) * (size_t)p->n);
        tt_par_slice(p, of->g, want);
        double size = norm(p->n, want), least = norm(of->n, of->g) * 1e-3;
        for (int64_t e = 0; e < p->n; e++) want[e] -= p->g[e];
        double diff = norm(p->n, want), err = diff == 0 ? 0 : diff / (size > least ? size : least);
        if (!(err <= worst)) worst = err, *name = p->name;
        free(want);
    }
    return worst;
}

/* Do all tp ranks have the same bits? */
static bool alike(const tt_mesh *m, const void *x, size_t bytes)
{
    char *all = tt_malloc(bytes * (size_t)m->tp);
    bool same = true;
    tt_tp_gather(m, x, bytes, all);
    for (int r = 0; r < m->tp; r++) same &= !memcmp(all + (size_t)r * bytes, x, bytes);
    free(all);
    return same;
}

static bool norms_alike(const world *w)
{
    const tt_pars *t = tt_model_pars(w->part);
    bool same = true;
    for (int i = 0; i < t->n; i++)
        if (t->p[i].axis < 0) same &= alike(w->m, t->p[i].g, sizeof(float) * (size_t)t->p[i].n);
    return same;
}

static void check_pass(world *w, const pass *p)
{
    char what[100];
    const char *name;
    result whole, part;
    snprintf(what, sizeof what, "dropout %.1f smooth %.1f z %g%s%s", (double)p->drop, (double)p->smooth,
             (double)p->zloss, p->recompute ? " recompute" : "", p->record ? "" : " forward only");
    clear(tt_model_pars(w->whole));
    clear(tt_model_pars(w->part));
    run(w, w->whole, p, &whole);
    run(w, w->part, p, &part);
    double off = fabs(part.loss / whole.loss - 1);
    ok(off < 1e-6, "%s: loss %.8f, whole %.8f (%.1e)", what, part.loss, whole.loss, off);
    near(part.token, whole.token, whole.n, 1e-5, "losses of tokens");
    near(part.nll, whole.nll, whole.n, 1e-5, "log-likelihoods of tokens");
    ok(!memcmp(part.argmax, whole.argmax, sizeof(int32_t) * (size_t)whole.n), "best tokens");
    ok(alike(w->m, &part.loss, sizeof part.loss) && alike(w->m, part.token, sizeof(float) * (size_t)part.n),
       "losses have the same bits on all tp ranks");
    if (!p->record) return;
    double err = gradient_error(w, &name);
    ok(err < 1e-4, "gradients differ by %.1e at most (%s)", err, name);
    ok(norms_alike(w), "gradients of what all ranks have have the same bits");
}

static void check_table(const world *w)
{
    const tt_pars *whole = tt_model_pars(w->whole), *part = tt_model_pars(w->part);
    bool good = whole->n == part->n && whole->ngroup == part->ngroup && !part->w;
    int64_t sum = 0;
    for (int i = 0; i < part->n && good; i++) {
        const tt_par *p = &part->p[i], *q = &whole->p[i];
        good &= !strcmp(p->name, q->name) && p->group == q->group && p->ndim == q->ndim;
        good &= tt_par_whole(p) == q->n && p->norm == q->norm && p->no_decay == q->no_decay;
        if (p->axis >= 0) good &= p->of == q->shape[p->axis] && p->shape[p->axis] == p->hi - p->lo;
        sum += p->axis >= 0 ? p->n : p->n * (w->m->tp_rank == 0);
    }
    double all = (double)sum;
    tt_tp_sum_f64(w->m, &all, 1);
    ok(good, "the part's table has the whole's rows");
    ok(all == (double)tt_pars_count(whole, false), "the parts make up the whole");
}

/* Weights of the whole, cut. */
static void fill(world *w)
{
    tt_pars *whole = tt_model_pars(w->whole), *part = tt_model_pars(w->part);
    tt_pars_draw(whole, 3);
    for (int i = 0; i < whole->n; i++) /* drawn embeddings of T5 are large: keep the softmax out of saturation */
        if (!whole->p[i].norm) w->k->scale(whole->p[i].n, 0.5f, whole->p[i].w);
    tt_pars_alloc(part);
    for (int i = 0; i < part->n; i++) tt_par_slice(&part->p[i], whole->p[i].w, part->p[i].w);
    tt_pars_grads(whole);
    tt_pars_grads(part);
}

static void check_frozen(world *w)
{
    pass p = {.drop = 0.1f, .record = true};
    tt_pars *of[] = {tt_model_pars(w->whole), tt_model_pars(w->part)};
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < of[s]->n; i++) of[s]->p[i].trained = i % 3 == 0;
    check_pass(w, &p);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < of[s]->n; i++) of[s]->p[i].trained = true;
}

static void check(const tt_mesh *m, const char *proj, const char *tied, const tt_kern *k)
{
    char json[1024];
    world w = {.m = m, .a = tt_arena_new(1 << 16), .ga = tt_arena_new(1 << 16), .k = k};
    int n = snprintf(json, sizeof json, config_text, proj, tied);
    if (m->rank == 0) printf("# tp %d, dp %d, %s, tied %s, %s kernels\n", m->tp, m->dp, proj, tied, k->name);
    if (!ok(tt_model_parse(json, (size_t)n, "config", &w.whole) == TT_OK, "model %s", tt_fail_text())) return;
    if (!ok(tt_model_part(w.whole, m->tp_rank, m->tp, &w.part) == TT_OK, "part %s", tt_fail_text())) return;
    check_table(&w);
    fill(&w);
    static const pass passes[] = {
        {.record = true},
        {.record = false},
        {.record = true, .smooth = 0.1f, .zloss = 1e-2f},
        {.record = true, .drop = 0.3f},
        {.record = true, .drop = 0.1f, .smooth = 0.1f, .zloss = 1e-3f, .recompute = true},
    };
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) check_pass(&w, &passes[i]);
    check_frozen(&w);
    tt_model_free(w.part);
    tt_model_free(w.whole);
    tt_arena_free(w.a);
    tt_arena_free(w.ga);
}

static void check_refused(void)
{
    char json[1024];
    tt_model *m, *part;
    int n = snprintf(json, sizeof json, config_text, "relu", "true");
    if (tt_model_shape(json, (size_t)n, "config", &m)) return;
    ok(tt_model_part(m, 0, 6, &part) == TT_EJOB && strstr(tt_fail_text(), "mesh.tp may be 5 at most") && !part,
       "refused: %s", tt_fail_text());
    tt_fail_clear();
    tt_model_free(m);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    for (int b = 0; b < B; b++)
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < MOST; i++)
                ids[b][s][i] =
                    2 + (int32_t)tt_rand_below(tt_key(2, "ids", (uint64_t)b, (uint64_t)s, 0), (uint64_t)i, 39);
    const tt_kern *kern[] = {&tt_kern_ref, &tt_kern_fast, &tt_kern_check};
    for (int tp = 1; tp <= m.size; tp++) {
        if (m.size % tp || tt_mesh_split(&m, tp)) continue;
        for (int k = 0; k < 3; k++) {
            check(&m, "gelu", "true", kern[k]);
            check(&m, "gated-gelu", "false", kern[k]);
        }
        check(&m, "gated-silu", "true", &tt_kern_fast);
        check(&m, "relu", "false", &tt_kern_fast);
    }
    check_refused();
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
