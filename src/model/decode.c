/* The T5 decoder step by step. */
#include "decode.h"

#include <stdlib.h>
#include <string.h>

typedef struct cache { /* of one decoder layer */
    float *k, *v;      /* [slots*max, HK] */
    float *ck, *cv;    /* [pool, HK] */
} cache;

typedef struct held { /* a source: rows [from, from+S) of the pool */
    int from, S;      /* S 0: the place is free */
} held;

struct tt_decoder {
    const tt_model *m;
    tt_tape tape;
    tt_arena *a;
    int nsource, slots, max;
    int pool; /* rows */
    cache *layer;
    held *source;         /* [nsource] */
    tt_seg *self, *cross; /* [slots] */
    int32_t *token;       /* [slots] */
};

enum { POOL_ROWS = 256 }; /* per source, to begin with; a longer one that is alone makes the pool grow */

static int64_t width(const tt_decoder *d) { return d->m->cfg.H * d->m->cfg.K; }

/* Memory that the system gives when it is touched. */
static float *room(const tt_decoder *d, int64_t rows)
{
    return tt_malloc_large(sizeof(float) * (size_t)(rows * width(d)));
}

static void make_pool(tt_decoder *d, int rows)
{
    d->pool = rows;
    for (int i = 0; i < d->m->dec.n; i++) {
        free(d->layer[i].ck);
        free(d->layer[i].cv);
        d->layer[i].ck = room(d, rows);
        d->layer[i].cv = room(d, rows);
    }
}

tt_decoder *tt_decoder_new(const tt_model *m, const tt_kern *k, int sources, int slots, int max)
{
    tt_decoder *d = tt_malloc(sizeof *d);
    tt_arena *a = tt_arena_new(1 << 20);
    *d = (tt_decoder){.m = m, .a = a, .nsource = sources, .slots = slots, .max = max};
    tt_tape_begin(&d->tape, a, k, false, 0, 0);
    d->layer = TT_ZNEW(a, cache, m->dec.n);
    d->source = TT_ZNEW(a, held, sources);
    d->self = TT_NEW(a, tt_seg, slots);
    d->cross = TT_NEW(a, tt_seg, slots);
    d->token = TT_NEW(a, int32_t, slots);
    for (int i = 0; i < m->dec.n; i++) {
        d->layer[i].k = room(d, (int64_t)slots * max);
        d->layer[i].v = room(d, (int64_t)slots * max);
    }
    make_pool(d, sources * POOL_ROWS);
    return d;
}

void tt_decoder_free(tt_decoder *d)
{
    for (int i = 0; i < d->m->dec.n; i++) {
        free(d->layer[i].k);
        free(d->layer[i].v);
        free(d->layer[i].ck);
        free(d->layer[i].cv);
    }
    tt_arena_free(d->a);
    free(d);
}

/* ---- the pool ---------------------------------------------------------------------------------------------------------*/

/* Does another source lie in [from, from+S)? Then where it ends, else 0. */
static int blocked(const tt_decoder *d, int from, int S)
{
    for (int i = 0; i < d->nsource; i++) {
        const held *h = &d->source[i];
        if (h->S && h->from < from + S && from < h->from + h->S) return h->from + h->S;
    }
    return 0;
}

/* The first gap of S rows; -1: none. Gaps begin where the pool or a source begins or ends. */
static int find_gap(const tt_decoder *d, int S)
{
    int from = 0;
    for (int past; (past = blocked(d, from, S)) > 0;) from = past;
    return from + S <= d->pool ? from : -1;
}

static int count_held(const tt_decoder *d)
{
    int n = 0;
    for (int i = 0; i < d->nsource; i++) n += d->source[i].S > 0;
    return n;
}

bool tt_decoder_fits(const tt_decoder *d, int S)
{
    int n = count_held(d);
    return n == 0 || (n < d->nsource && find_gap(d, S) >= 0);
}

static int take_place(tt_decoder *d, int S)
{
    int place = 0, from = find_gap(d, S);
    if (from < 0) {
        assert(count_held(d) == 0);
        make_pool(d, S);
        from = 0;
    }
    while (d->source[place].S) place++;
    assert(place < d->nsource);
    d->source[place] = (held){from, S};
    return place;
}

void tt_decoder_leave(tt_decoder *d, int source) { d->source[source].S = 0; }

static void put_source(tt_decoder *d, float *pool, const float *x, const tt_grain *g, const int *source)
{
    size_t HK = (size_t)width(d);
    for (int b = 0; b < g->B; b++)
        memcpy(pool + (size_t)d->source[source[b]].from * HK, x + (size_t)g->s_off[b] * HK,
               sizeof(float) * HK * (size_t)(g->s_off[b + 1] - g->s_off[b]));
}

void tt_decoder_enter(tt_decoder *d, int n, const int32_t *const *ids, const int *S, int *source)
{
    tt_mark mark = tt_arena_mark(d->a);
    tt_ex *ex = TT_ZNEW(d->a, tt_ex, n);
    for (int b = 0; b < n; b++) {
        ex[b] = (tt_ex){.S = S[b], .src = ids[b]};
        source[b] = take_place(d, S[b]);
    }
    tt_grain g;
    tt_grain_make(d->a, n, ex, d->m->cfg.pad_id, &g);
    tt_t *enc = tt_t5_encode(&d->tape, d->m, &g);
    for (int i = 0; i < d->m->dec.n; i++) {
        tt_mark layer = tt_arena_mark(d->a);
        const attn *w = &d->m->dec.block[i].cross;
        put_source(d, d->layer[i].ck, tt_linear(&d->tape, enc, w->k)->x, &g, source);
        put_source(d, d->layer[i].cv, tt_linear(&d->tape, enc, w->v)->x, &g, source);
        tt_arena_rewind(d->a, layer);
    }
    tt_arena_rewind(d->a, mark);
}

/* ---- one step -----------------------------------------------------------------------------------------------------------*/

/* Row i: one query at position t on the slot's t+1 keys, and on all of its source's. */
static void lay_segments(tt_decoder *d, int n, const tt_decrow *row)
{
    for (int i = 0; i < n; i++) {
        const tt_decrow *r = &row[i];
        const held *s = &d->source[r->source];
        assert(r->slot < d->slots && r->t < d->max && s->S > 0);
        d->token[i] = r->token;
        d->self[i] = (tt_seg){.q0 = i, .qn = 1, .k0 = r->slot * d->max, .kn = r->t + 1, .p0 = r->t};
        d->cross[i] = (tt_seg){.q0 = i, .qn = 1, .k0 = s->from, .kn = s->S, .p0 = 0};
    }
}

/* Keys or values of this step into the slots. */
static void put(const tt_decoder *d, int n, const tt_decrow *row, float *to, const float *x)
{
    size_t HK = (size_t)width(d);
    for (int i = 0; i < n; i++)
        memcpy(to + ((size_t)row[i].slot * (size_t)d->max + (size_t)row[i].t) * HK, x + (size_t)i * HK, HK * sizeof *x);
}

static tt_t *attend(tt_decoder *d, const tt_attn *a, tt_t *q, const float *k, const float *v, const attn *w)
{
    int64_t HK = width(d);
    tt_t *o = tt_new(&d->tape, q->rows, HK, false);
    float *lse = TT_NEW(d->a, float, q->rows * d->m->cfg.H);
    d->tape.k->attn_fwd(a, q->x, HK, k, HK, v, HK, o->x, HK, lse);
    return tt_linear(&d->tape, o, w->o);
}

static tt_t *self_attend(tt_decoder *d, int n, const tt_decrow *row, const attn *w, const cache *c, tt_t *h)
{
    tt_attn a = tt_attn_dec(&d->m->cfg, n, d->self);
    a.bias = d->m->dec.bias->w;
    tt_t *x = tt_rms(&d->tape, h, w->norm, d->m->cfg.eps);
    put(d, n, row, c->k, tt_linear(&d->tape, x, w->k)->x);
    put(d, n, row, c->v, tt_linear(&d->tape, x, w->v)->x);
    return attend(d, &a, tt_linear(&d->tape, x, w->q), c->k, c->v, w);
}

static tt_t *cross_attend(tt_decoder *d, int n, const attn *w, const cache *c, tt_t *h)
{
    tt_attn a = tt_attn_cross(&d->m->cfg, n, d->cross);
    tt_t *x = tt_rms(&d->tape, h, w->norm, d->m->cfg.eps);
    return attend(d, &a, tt_linear(&d->tape, x, w->q), c->ck, c->cv, w);
}

float *tt_decoder_step(tt_decoder *d, int n, const tt_decrow *row)
{
    const tt_model *m = d->m;
    tt_tape *tape = &d->tape;
    tt_mark mark = tt_arena_mark(d->a);
    lay_segments(d, n, row);
    tt_t *h = tt_embed(tape, d->token, n, m->embed);
    for (int i = 0; i < m->dec.n; i++) {
        const block *b = &m->dec.block[i];
        h = tt_add(tape, h, self_attend(d, n, row, &b->self, &d->layer[i], h));
        h = tt_add(tape, h, cross_attend(d, n, &b->cross, &d->layer[i], h));
        tt_stream s = {.h = h};
        h = tt_add(tape, h, tt_sub_ffn(tape, &m->cfg, &b->ff, &s));
    }
    float *z = tt_t5_logits(tape, m, tt_rms(tape, h, m->dec.norm, m->cfg.eps))->x;
    tt_arena_rewind(d->a, mark); /* nothing is allocated before the caller has read them */
    return z;
}

void tt_decoder_copy(tt_decoder *d, int from, int to, int t)
{
    size_t HK = (size_t)width(d), slot = (size_t)d->max * HK, size = sizeof(float) * (size_t)t * HK;
    for (int i = 0; i < d->m->dec.n; i++) {
        memcpy(d->layer[i].k + (size_t)to * slot, d->layer[i].k + (size_t)from * slot, size);
        memcpy(d->layer[i].v + (size_t)to * slot, d->layer[i].v + (size_t)from * slot, size);
    }
}
