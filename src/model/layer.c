/* The sublayers of a T5 block, pre-norm, without biases. */
#include "net.h"

/* No 1/sqrt(K) on the scores: T5 folds it into q's initial variance. */
static tt_attn problem(const tt_t5cfg *c, int nseg, const tt_seg *seg)
{
    return (tt_attn){.nseg = nseg,
                     .seg = seg,
                     .H = (int)c->H,
                     .Hkv = (int)c->H,
                     .K = (int)c->K,
                     .scale = 1.f,
                     .nbucket = c->nbucket,
                     .max_distance = c->max_distance};
}

tt_attn tt_attn_enc(const tt_t5cfg *c, int nseg, const tt_seg *seg)
{
    tt_attn a = problem(c, nseg, seg);
    a.bidirectional = true;
    return a;
}

tt_attn tt_attn_dec(const tt_t5cfg *c, int nseg, const tt_seg *seg)
{
    tt_attn a = problem(c, nseg, seg);
    a.causal = true;
    return a;
}

tt_attn tt_attn_cross(const tt_t5cfg *c, int nseg, const tt_seg *seg) { return problem(c, nseg, seg); }

tt_t *tt_stream_rms(tt_tape *t, tt_stream *s, const tt_par *w, float eps)
{
    tt_t *f = s->f ? tt_drop(t, s->f) : NULL;
    s->f = NULL;
    return tt_add_rms(t, &s->h, f, w, eps);
}

tt_t *tt_stream_sum(tt_tape *t, tt_stream *s) { return s->f ? tt_add(t, s->h, tt_drop(t, s->f)) : s->h; }

tt_t *tt_sub_attend(tt_tape *t, const tt_t5cfg *c, const attn *w, tt_stream *s, tt_t *kv, const tt_attn *a,
                    const tt_par *bias)
{
    tt_t *n = tt_fan_out(t, tt_stream_rms(t, s, w->norm, c->eps)), *x[3];
    const tt_par *const p[] = {w->q, w->k, w->v};
    if (kv) {
        x[0] = tt_linear(t, n, w->q);
        tt_linears(t, kv, 2, p + 1, x + 1);
    } else {
        tt_linears(t, n, 3, p, x);
    }
    return tt_fan_in(t, tt_linear(t, tt_attend(t, x[0], x[1], x[2], a, bias), w->o));
}

tt_t *tt_sub_ffn(tt_tape *t, const tt_t5cfg *c, const ffn *w, tt_stream *s)
{
    tt_t *n = tt_fan_out(t, tt_stream_rms(t, s, w->norm, c->eps)), *x[2], *y;
    const tt_par *const p[] = {w->wi, w->wu};
    if (w->wu) {
        tt_linears(t, n, 2, p, x);
        y = tt_gate(t, x[0], x[1], c->act);
    } else {
        y = tt_activate(t, tt_linear(t, n, w->wi), c->act);
    }
    return tt_fan_in(t, tt_linear(t, tt_drop_part(t, y, w->wi->lo, c->F), w->wo));
}
