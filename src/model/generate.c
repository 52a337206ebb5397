/* Greedy decoding with a key/value cache. A source keeps its slot of the caches to the end; the rows of a step are the slots that are
 * not finished. */
#include "net.h"

#include <math.h>
#include <string.h>

/* Of one decoder layer: own keys and values [B*max, HK], those of the source [Rs, HK]. */
typedef struct cache {
    float *k, *v;
    const float *ck, *cv;
} cache;

typedef struct decoding {
    const tt_model *m;
    tt_tape tape;
    tt_grain g;
    int max; /* new tokens */
    cache *layer;
    int n;                /* active rows */
    int32_t *slot, *last; /* [B]: of the active rows: their slot, their newest token */
    tt_seg *self, *cross; /* [B] */
    tt_ids *out;
    float *const *logp;
} decoding;

static float *project(decoding *d, tt_t *x, const tt_par *w) { return tt_linear(&d->tape, x, w)->x; }

static void fill_caches(decoding *d)
{
    const tt_t5cfg *c = &d->m->cfg;
    tt_arena *a = d->tape.a;
    tt_t *enc = tt_t5_encode(&d->tape, d->m, &d->g);
    d->layer = TT_NEW(a, cache, c->Ld);
    for (int i = 0; i < d->m->dec.n; i++) {
        const attn *w = &d->m->dec.block[i].cross;
        int64_t own = (int64_t)d->g.B * d->max * c->H * c->K;
        d->layer[i] = (cache){.k = TT_NEW(a, float, own),
                              .v = TT_NEW(a, float, own),
                              .ck = project(d, enc, w->k),
                              .cv = project(d, enc, w->v)};
    }
}

static void begin(decoding *d)
{
    int B = d->g.B;
    tt_arena *a = d->tape.a;
    fill_caches(d);
    d->slot = TT_NEW(a, int32_t, B);
    d->last = TT_NEW(a, int32_t, B);
    d->self = TT_NEW(a, tt_seg, B);
    d->cross = TT_NEW(a, tt_seg, B);
    d->n = B;
    for (int b = 0; b < B; b++) {
        d->slot[b] = b;
        d->last[b] = d->m->cfg.start_id;
    }
}

/* Row i of step t: one query at position t on the slot's t+1 keys, and on all of its source's. */
static void lay_segments(decoding *d, int t)
{
    for (int i = 0; i < d->n; i++) {
        int s = d->slot[i], from = d->g.s_off[s];
        d->self[i] = (tt_seg){.q0 = i, .qn = 1, .k0 = s * d->max, .kn = t + 1, .p0 = t};
        d->cross[i] = (tt_seg){.q0 = i, .qn = 1, .k0 = from, .kn = d->g.s_off[s + 1] - from, .p0 = 0};
    }
}

/* Keys or values of this step into the cache. */
static void put(const decoding *d, int t, float *to, const float *x)
{
    size_t HK = (size_t)(d->m->cfg.H * d->m->cfg.K);
    for (int i = 0; i < d->n; i++)
        memcpy(to + ((size_t)d->slot[i] * (size_t)d->max + (size_t)t) * HK, x + (size_t)i * HK, HK * sizeof *x);
}

static tt_t *attend(decoding *d, const tt_attn *a, const float *q, const float *k, const float *v, const attn *w)
{
    int64_t HK = d->m->cfg.H * d->m->cfg.K;
    tt_t *o = tt_new(&d->tape, d->n, HK, false);
    float *lse = TT_NEW(d->tape.a, float, d->n * d->m->cfg.H);
    d->tape.k->attn_fwd(a, q, HK, k, HK, v, HK, o->x, HK, lse);
    return tt_linear(&d->tape, o, w->o);
}

static tt_t *self_attend(decoding *d, int t, const attn *w, const cache *c, tt_t *h)
{
    tt_attn a = tt_attn_dec(&d->m->cfg, d->n, d->self);
    a.bias = d->m->dec.bias->w;
    tt_t *x = tt_rms(&d->tape, h, w->norm, d->m->cfg.eps);
    put(d, t, c->k, project(d, x, w->k));
    put(d, t, c->v, project(d, x, w->v));
    return attend(d, &a, project(d, x, w->q), c->k, c->v, w);
}

static tt_t *cross_attend(decoding *d, const attn *w, const cache *c, tt_t *h)
{
    tt_attn a = tt_attn_cross(&d->m->cfg, d->n, d->cross);
    tt_t *x = tt_rms(&d->tape, h, w->norm, d->m->cfg.eps);
    return attend(d, &a, project(d, x, w->q), c->ck, c->cv, w);
}

static const float *step_logits(decoding *d, int t)
{
    const tt_model *m = d->m;
    tt_tape *tape = &d->tape;
    lay_segments(d, t);
    tt_t *h = tt_embed(tape, d->last, d->n, m->embed);
    for (int i = 0; i < m->dec.n; i++) {
        const block *b = &m->dec.block[i];
        h = tt_add(tape, h, self_attend(d, t, &b->self, &d->layer[i], h));
        h = tt_add(tape, h, cross_attend(d, &b->cross, &d->layer[i], h));
        h = tt_add(tape, h, tt_sub_ffn(tape, &m->cfg, &b->ff, h));
    }
    return tt_t5_logits(tape, m, tt_rms(tape, h, m->dec.norm, m->cfg.eps))->x;
}

static int32_t best_of(const float *z, int64_t V)
{
    int64_t best = 0;
    for (int64_t v = 1; v < V; v++)
        if (z[v] > z[best]) best = v;
    return (int32_t)best;
}

static float log_prob(const float *z, int64_t V, int32_t at)
{
    double sum = 1; /* at itself */
    for (int64_t v = 0; v < V; v++)
        if (v != at) sum += exp((double)z[v] - z[at]);
    return (float)-log(sum);
}

/* Takes each row's best token; rows that reached the end leave, the others close up in order. */
static void choose(decoding *d, const float *z)
{
    int64_t V = d->m->cfg.V;
    int kept = 0;
    for (int i = 0; i < d->n; i++, z += V) {
        int s = d->slot[i];
        int32_t id = best_of(z, V);
        if (d->logp) d->logp[s][d->out[s].n] = log_prob(z, V, id);
        tt_ids_push(&d->out[s], id);
        if (id == d->m->cfg.eos_id) continue;
        d->slot[kept] = s;
        d->last[kept++] = id;
    }
    d->n = kept;
}

static tt_err check_sources(const tt_model *m, int B, const int32_t *const *src, const int *S)
{
    char what[32];
    for (int b = 0; b < B; b++) {
        snprintf(what, sizeof what, "source %d", b + 1);
        TT_TRY(tt_model_check_ids(m, src[b], S[b], what));
    }
    return TT_OK;
}

tt_err tt_t5_generate_scored(const tt_model *m, const tt_kern *k, tt_arena *a, int B, const int32_t *const *src,
                             const int *S, int max_new, tt_ids *out, float *const *logp)
{
    assert(!m->cfg.encoder_only);
    TT_TRY(check_sources(m, B, src, S));
    for (int b = 0; b < B; b++) out[b].n = 0;
    tt_mark all = tt_arena_mark(a);
    tt_ex *ex = TT_ZNEW(a, tt_ex, B);
    for (int b = 0; b < B; b++) ex[b] = (tt_ex){.S = S[b], .src = src[b]};
    decoding d = {.m = m, .max = max_new, .out = out, .logp = logp};
    tt_tape_begin(&d.tape, a, k, false, 0, 0);
    tt_grain_make(a, B, ex, m->cfg.pad_id, &d.g);
    if (max_new > 0) begin(&d);
    for (int t = 0; t < max_new && d.n > 0; t++) {
        tt_mark step = tt_arena_mark(a);
        choose(&d, step_logits(&d, t));
        tt_arena_rewind(a, step);
    }
    tt_arena_rewind(a, all);
    return TT_OK;
}

tt_err tt_t5_generate(const tt_model *m, const tt_kern *k, tt_arena *a, int B, const int32_t *const *src, const int *S,
                      int max_new, tt_ids *out)
{
    return tt_t5_generate_scored(m, k, a, B, src, S, max_new, out, NULL);
}
