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

tt_t *tt_sub_attend(tt_tape *t, const tt_t5cfg *c, const attn *w, tt_t *x, tt_t *kv, const tt_attn *a,
                    const tt_par *bias)
{
    tt_t *n = tt_fan_out(t, tt_rms(t, x, w->norm, c->eps));
    if (!kv) kv = n;
    tt_t *q = tt_linear(t, n, w->q), *k = tt_linear(t, kv, w->k), *v = tt_linear(t, kv, w->v);
    return tt_fan_in(t, tt_linear(t, tt_attend(t, q, k, v, a, bias), w->o));
}

tt_t *tt_sub_ffn(tt_tape *t, const tt_t5cfg *c, const ffn *w, tt_t *x)
{
    tt_t *n = tt_fan_out(t, tt_rms(t, x, w->norm, c->eps)), *g = tt_linear(t, n, w->wi);
    tt_t *y = w->wu ? tt_gate(t, g, tt_linear(t, n, w->wu), c->act) : tt_activate(t, g, c->act);
    return tt_fan_in(t, tt_linear(t, tt_drop_part(t, y, w->wi->lo, c->F), w->wo));
}
