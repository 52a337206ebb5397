/* T5 (Raffel et al. 2020) and T5 1.1 / FLAN-T5 on ragged grains.
 *
 *   encoder   h <- h + Attn(rms h)                      h <- h + FF(rms h)
 *   decoder   h <- h + Attn(rms h, causal)   h <- h + Attn(rms h, enc)   h <- h + FF(rms h)
 *   FF(x) = act(x Wi) Wo, or (act(x Wi_0) * x Wi_1) Wo        logits = rms(h) W^T, times D^-0.5 if W is the embedding
 *
 * Dropout after the embedding, on attention probabilities, inside FF, after every sublayer and after the final norm. */
#include "net.h"

#include <string.h>

/* The result of a block in inference: what the block used is given back, only keep stays. */
static tt_t *settle(tt_tape *t, tt_t *h, tt_t *keep, tt_mark mark)
{
    memcpy(keep->x, h->x, sizeof(float) * (size_t)(h->rows * h->cols));
    tt_arena_rewind(t->a, mark);
    return keep;
}

static void trace(tt_t **to, int i, tt_t *h)
{
    if (to) to[i] = h;
}

/* What the blocks of one pass share. */
typedef struct pass {
    const tt_model *m;
    const block *b;
    const tt_attn *self, *cross;
} pass;

static tt_t *enc_block(tt_tape *t, const void *ctx, tt_t *h, tt_t *none)
{
    const pass *p = ctx;
    tt_stream s = {.h = h};
    s.f = tt_sub_attend(t, &p->m->cfg, &p->b->self, &s, NULL, p->self, p->m->enc.bias);
    s.f = tt_sub_ffn(t, &p->m->cfg, &p->b->ff, &s);
    return tt_stream_sum(t, &s);
}

static tt_t *dec_block(tt_tape *t, const void *ctx, tt_t *h, tt_t *enc)
{
    const pass *p = ctx;
    tt_stream s = {.h = h};
    s.f = tt_sub_attend(t, &p->m->cfg, &p->b->self, &s, NULL, p->self, p->m->dec.bias);
    s.f = tt_sub_attend(t, &p->m->cfg, &p->b->cross, &s, enc, p->cross, NULL);
    s.f = tt_sub_ffn(t, &p->m->cfg, &p->b->ff, &s);
    return tt_stream_sum(t, &s);
}

/* Block i of a stack. What it is given lives as long as the tape, for it may run again. */
static tt_t *run_block(tt_tape *t, const tt_model *m, const stack *s, int i, const tt_attn *self, const tt_attn *cross,
                       tt_t *h, tt_t *enc)
{
    tt_t *out = t->record ? NULL : tt_new(t, h->rows, h->cols, false);
    tt_mark mark = tt_arena_mark(t->a);
    pass *p = TT_NEW(t->a, pass, 1);
    *p = (pass){m, &s->block[i], self, cross};
    h = tt_block(t, s->block[i].group, enc ? dec_block : enc_block, p, h, enc);
    return out ? settle(t, h, out, mark) : h;
}

static tt_t *embed(tt_tape *t, const tt_model *m, const int32_t *ids, int64_t R)
{
    return tt_drop(t, tt_fan_in(t, tt_embed(t, ids, R, m->embed)));
}

static tt_seg *segments(tt_tape *t, int B, const int32_t *q, const int32_t *k)
{
    tt_seg *s = TT_NEW(t->a, tt_seg, B);
    for (int b = 0; b < B; b++) s[b] = (tt_seg){.q0 = q[b], .qn = q[b + 1] - q[b], .k0 = k[b], .kn = k[b + 1] - k[b]};
    return s;
}

/* a, in a part over its own heads. */
static const tt_attn *keep(tt_tape *t, const tt_model *m, tt_attn a)
{
    tt_attn *own = TT_NEW(t->a, tt_attn, 1);
    *own = a;
    own->H = own->Hkv = (int)(m->heads.hi - m->heads.lo);
    own->h0 = (int)m->heads.lo;
    own->Hall = (int)m->cfg.H;
    return own;
}

tt_t *tt_t5_encode_traced(tt_tape *t, const tt_model *m, const tt_grain *g, tt_trace *tr)
{
    const tt_t5cfg *c = &m->cfg;
    tt_t **to = tr ? tr->enc : NULL;
    const tt_attn *self = keep(t, m, tt_attn_enc(c, g->B, segments(t, g->B, g->s_off, g->s_off)));
    tt_t *h = embed(t, m, g->src, g->Rs);
    for (int i = 0; i < m->enc.n; i++) {
        trace(to, i, h);
        h = run_block(t, m, &m->enc, i, self, NULL, h, NULL);
    }
    h = tt_rms(t, h, m->enc.norm, c->eps);
    h->wide = true; /* every layer of the decoder reads it */
    h = tt_drop(t, h);
    trace(to, m->enc.n, h);
    return h;
}

/* Over any segments: several may attend to the same rows of the encoder. */
static tt_t *decode(tt_tape *t, const tt_model *m, int64_t R, const int32_t *ids, const tt_attn *self,
                    const tt_attn *cross, tt_t *enc, tt_t **to)
{
    const tt_t5cfg *c = &m->cfg;
    assert(!c->encoder_only);
    tt_t *h = embed(t, m, ids, R);
    enc = tt_fan_out(t, enc); /* one for the keys and values of all blocks */
    for (int i = 0; i < m->dec.n; i++) {
        trace(to, i, h);
        h = run_block(t, m, &m->dec, i, self, cross, h, enc);
    }
    h = tt_drop(t, tt_rms(t, h, m->dec.norm, c->eps));
    trace(to, m->dec.n, h);
    return h;
}

tt_t *tt_t5_decode_traced(tt_tape *t, const tt_model *m, const tt_grain *g, tt_t *enc, tt_trace *tr)
{
    const tt_attn *self = keep(t, m, tt_attn_dec(&m->cfg, g->B, segments(t, g->B, g->t_off, g->t_off)));
    const tt_attn *cross = keep(t, m, tt_attn_cross(&m->cfg, g->B, segments(t, g->B, g->t_off, g->s_off)));
    return decode(t, m, g->Rt, g->dec_in, self, cross, enc, tr ? tr->dec : NULL);
}

tt_t *tt_t5_encode(tt_tape *t, const tt_model *m, const tt_grain *g) { return tt_t5_encode_traced(t, m, g, NULL); }

tt_t *tt_t5_decode(tt_tape *t, const tt_model *m, const tt_grain *g, tt_t *enc)
{
    return tt_t5_decode_traced(t, m, g, enc, NULL);
}

void tt_t5_loss(tt_tape *t, const tt_model *m, const tt_grain *g, const float *weight, float smooth, float zloss,
                tt_loss *out)
{
    out->token = TT_NEW(t->a, float, g->Rt);
    out->nll = TT_NEW(t->a, float, g->Rt);
    out->argmax = TT_NEW(t->a, int32_t, g->Rt);
    int head = m->head->group;
    tt_group_use(t, 0, false);
    tt_t *h = tt_fan_out(t, tt_t5_decode(t, m, g, tt_t5_encode(t, m, g)));
    tt_group_use(t, 0, true);
    if (head) tt_group_use(t, head, true);
    out->loss =
        tt_head_loss(t, h, m->head, m->head_scale, g->label, weight, smooth, zloss, out->token, out->nll, out->argmax);
    if (head) tt_group_done(t, head, true);
    if (t->record) tt_tape_back(t);
    tt_group_done(t, 0, true);
}

static void walk_stack(const stack *s, const tt_hooks *h, bool back)
{
    for (int i = 0; i < s->n; i++) {
        int group = s->block[back ? s->n - 1 - i : i].group;
        h->use(h->ctx, group, back);
        h->done(h->ctx, group, back);
    }
}

void tt_t5_walk(const void *model, const tt_hooks *h)
{
    const tt_model *m = model;
    h->use(h->ctx, 0, false);
    walk_stack(&m->enc, h, false);
    walk_stack(&m->dec, h, false);
    h->use(h->ctx, 0, true);
    if (m->head->group) {
        h->use(h->ctx, m->head->group, true);
        h->done(h->ctx, m->head->group, true);
    }
    walk_stack(&m->dec, h, true);
    walk_stack(&m->enc, h, true);
    h->done(h->ctx, 0, true);
}

/* ---- log-likelihoods of targets ------------------------------------------------------------------------------------*/

typedef struct targets { /* one after the other, as rows of the decoder */
    int n;
    int64_t R;
    int32_t *in, *label; /* [R] */
    int32_t *off;        /* [n+1] */
    tt_seg *self, *cross;
} targets;

static targets lay_targets(const tt_model *m, tt_arena *a, int n, const int32_t *const *tgt, const int *T,
                           const int *of, const int32_t *s_off)
{
    targets x = {.n = n, .off = TT_NEW(a, int32_t, n + 1), .self = TT_NEW(a, tt_seg, n), .cross = TT_NEW(a, tt_seg, n)};
    x.off[0] = 0;
    for (int j = 0; j < n; j++) x.off[j + 1] = x.off[j] + T[j];
    x.R = x.off[n];
    x.in = TT_NEW(a, int32_t, x.R + 1);
    x.label = TT_NEW(a, int32_t, x.R + 1);
    for (int j = 0; j < n; j++) {
        int q = x.off[j], s = s_off[of[j]];
        for (int i = 0; i < T[j]; i++) {
            x.in[q + i] = i ? tgt[j][i - 1] : m->cfg.start_id;
            x.label[q + i] = tgt[j][i];
        }
        x.self[j] = (tt_seg){.q0 = q, .qn = T[j], .k0 = q, .kn = T[j]};
        x.cross[j] = (tt_seg){.q0 = q, .qn = T[j], .k0 = s, .kn = s_off[of[j] + 1] - s};
    }
    return x;
}

static tt_err check_all(const tt_model *m, const char *what, int n, const int32_t *const *ids, const int *size)
{
    char name[40];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s %d", what, i + 1);
        TT_TRY(tt_model_check_ids(m, ids[i], size[i], name));
    }
    return TT_OK;
}

tt_err tt_t5_loglik(const tt_model *m, const tt_kern *k, tt_arena *a, int nsrc, const int32_t *const *src, const int *S,
                    int ntgt, const int32_t *const *tgt, const int *T, const int *of, double *sum, bool *greedy)
{
    TT_TRY(check_all(m, "source", nsrc, src, S));
    TT_TRY(check_all(m, "target", ntgt, tgt, T));
    tt_mark mark = tt_arena_mark(a);
    tt_tape t;
    tt_tape_begin(&t, a, k, false, 0, 0);
    tt_ex *ex = TT_ZNEW(a, tt_ex, nsrc);
    for (int b = 0; b < nsrc; b++) ex[b] = (tt_ex){.S = S[b], .src = src[b]};
    tt_grain g;
    tt_grain_make(a, nsrc, ex, m->cfg.pad_id, &g);
    targets x = lay_targets(m, a, ntgt, tgt, T, of, g.s_off);
    tt_attn self = tt_attn_dec(&m->cfg, ntgt, x.self), cross = tt_attn_cross(&m->cfg, ntgt, x.cross);
    tt_t *h = decode(&t, m, x.R, x.in, &self, &cross, tt_t5_encode(&t, m, &g), NULL);
    float *nll = TT_NEW(a, float, x.R), *token = TT_NEW(a, float, x.R), *weight = TT_ZNEW(a, float, x.R);
    int32_t *best = TT_NEW(a, int32_t, x.R);
    tt_head_loss(&t, h, m->head, m->head_scale, x.label, weight, 0, 0, token, nll, best);
    for (int j = 0; j < ntgt; j++) {
        sum[j] = 0;
        if (greedy) greedy[j] = true;
        for (int r = x.off[j]; r < x.off[j + 1]; r++) {
            sum[j] -= nll[r];
            if (greedy) greedy[j] = greedy[j] && best[r] == x.label[r];
        }
    }
    tt_arena_rewind(a, mark);
    return TT_OK;
}

tt_t *tt_t5_logits(tt_tape *t, const tt_model *m, tt_t *dec) { return tt_logits(t, dec, m->head, m->head_scale); }

/* Multiplications and additions of the matrix products; norms, softmax and the rest are not counted. The backward costs twice the forward. */
double tt_t5_flops(const tt_t5cfg *c, const tt_grain *g, bool backward)
{
    double D = (double)c->D, HK = (double)(c->H * c->K), Rs = (double)g->Rs, Rt = (double)g->Rt;
    double ff = (c->gated ? 3 : 2) * D * (double)c->F, proj = D * HK;
    double enc = 2 * Rs * (4 * proj + ff), dec = 2 * Rt * (6 * proj + ff) + 2 * Rs * 2 * proj;
    for (int b = 0; b < g->B; b++) {
        double S = g->s_off[b + 1] - g->s_off[b], T = g->t_off[b + 1] - g->t_off[b];
        enc += 4 * S * S * HK;
        dec += 2 * T * (T + 1) * HK + 4 * T * S * HK;
    }
    double all = (double)c->L * enc + (double)c->Ld * dec + 2 * Rt * D * (double)c->V;
    return backward ? 3 * all : all;
}
