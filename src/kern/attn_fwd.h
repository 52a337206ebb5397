/* Forward of attention, for one instruction set; included after attn_pack.h.
 *
 * A strip of a few queries at a time: its scores against all the keys that it sees lie in the first-level cache from the first
 * product over the softmax to the second product. Keys and values are packed once for all queries and heads that share them. */

typedef struct fwd {
    const attn_call *c;
    const tt_seg *s;
    int seg, h, K;
    float *kt, *v; /* packed as cols, sums */
    float *q;      /* a strip, packed */
    float *z;      /* its scores, as rows: [panel][TALL][PANEL] */
    float *p;      /* its probabilities, words as rows. fp32: z */
    float *o;      /* its output, a panel: [TALL][PANEL] */
    const float *zero;
} fwd;

INLINE void strip_scores(const fwd *f, const part *x)
{
    i64 depth = words(f->K);
    tile_args t = {.depth = depth, .left = f->q, .step = TALL * PANEL, .init = f->zero};
    for (i64 j = x->lo; j < x->hi; j += PANEL) {
        t.right = f->kt + j * depth;
        if (f->c->bias) t.init = bias_at(f->c, f->s, f->h, x->i, (int)j), t.stride = -1;
        t.out = f->z + (j - x->lo) * TALL;
        along(x->m, wide(f->s->kn, j / PANEL), &t);
    }
}

/* Vector at column j (from the strip's first key) of row r. */
INLINE float *score_at(const fwd *f, int r, i64 j) { return f->z + j / PANEL * TALL * PANEL + r * PANEL + j % PANEL; }

INLINE void mask_row(const fwd *f, const part *x, int r, span k)
{
    for (i64 j = x->lo; j < x->hi; j += LANES) {
        if (j >= k.from && j + LANES <= k.to) continue;
        float *z = score_at(f, r, j - x->lo);
        put(z, outside(get(z), (int)j, k, -INFINITY));
    }
}

INLINE float top_of(const fwd *f, const part *x, int r)
{
    lanes top = (lanes){0} - INFINITY;
    for (i64 j = 0; j < x->hi - x->lo; j += LANES) top = lanes_max(get(score_at(f, r, j)), top);
    return lanes_top(top);
}

/* Probabilities times their sum, which is returned. */
INLINE float exp_row(const fwd *f, const part *x, int r, float scale, float top)
{
    const tt_attn *a = f->c->a;
    bool drop = a->drop > 0;
    drop_row row = drop_of(a, f->seg, f->h, x->i + r);
    uint32_t below = drop_below(a->drop);
    lanes sum = {0};
    float up = 1 / (1 - a->drop);
    for (i64 j = 0; j < x->hi - x->lo; j += LANES * WORD) {
        lanes e[WORD];
        for (int u = 0; u < WORD; u++) {
            i64 at = j + u * LANES;
            e[u] = at < x->hi - x->lo ? lanes_exp2(get(score_at(f, r, at)) * scale - scale * top) : (lanes){0};
            sum += e[u];
            if (drop) e[u] = dropped(e[u], row, (int)(x->lo + at), below, up);
        }
        i64 w = j / WORD;
        put(f->p + w / PANEL * TALL * PANEL + r * PANEL + w % PANEL, to_words(e));
    }
    return lanes_sum(sum);
}

INLINE void clear_probs(const fwd *f, const part *x, int r)
{
    for (i64 w = 0; w < (x->hi - x->lo + WORD - 1) / WORD; w += LANES)
        put(f->p + w / PANEL * TALL * PANEL + r * PANEL + w % PANEL, (lanes){0});
}

/* up[r]: what row r of the output is to be multiplied by. */
INLINE void strip_softmax(const fwd *f, const part *x, float *up)
{
    const tt_attn *a = f->c->a;
    for (int r = 0; r < x->m; r++) {
        span k = keys_of(a, f->s, x->i + r);
        float lse = -INFINITY;
        up[r] = 0;
        if (k.from < k.to) {
            mask_row(f, x, r, k);
            float top = top_of(f, x, r), sum = exp_row(f, x, r, a->scale * LOG2E, top);
            up[r] = 1 / sum;
            lse = a->scale * top + logf(sum);
        } else
            clear_probs(f, x, r);
        if (x->i + r < f->s->qn) f->c->lse_out[(f->s->q0 + x->i + r) * a->H + f->h] = lse;
    }
}

INLINE void strip_output(const fwd *f, const part *x, const float *up)
{
    tile_args t = {
        .depth = (x->hi - x->lo + WORD - 1) / WORD, .left = f->p, .step = TALL * PANEL, .init = f->zero, .out = f->o};
    for (i64 p = 0; p < panels(f->K); p++) {
        t.right = f->v + p * sums_room(f->s->kn) + x->lo / WORD * PANEL;
        along(x->m, wide(f->K, p), &t);
        for (int r = 0; r < x->m && x->i + r < f->s->qn; r++) {
            i64 at = (f->s->q0 + x->i + r) * f->c->ldo + f->h * f->K + p * PANEL;
            store_row((char *)f->c->out + at * ELEM, f->o + r * PANEL, up[r], least(PANEL, f->K - p * PANEL), false,
                      f->K);
        }
    }
}

static void head_fwd(const fwd *f)
{
    const attn_call *c = f->c;
    float up[TALL];
    for (int i = 0; i < f->s->qn;) {
        part x = part_of(c->a, f->s, i, strip(f->s->qn, i), 0, f->s->kn);
        rows q = rows_of(c->q, f->s->q0 + i, c->ldq, f->h, (int)least(x.m, f->s->qn - i), f->K);
        pack_rows(&q, TALL, f->q);
        strip_scores(f, &x);
        strip_softmax(f, &x, up);
        strip_output(f, &x, up);
        i += x.m;
    }
}

/* Where packed operands and sums of one segment lie: kv heads, keys in whole steps. */
static void fwd_room(fwd *f, room *m)
{
    i64 keys = (f->s->kn + KEYS - 1) / KEYS * KEYS, depth = words(f->K);
    f->kt = cut(m, keys * depth);
    f->v = cut(m, panels(f->K) * sums_room(f->s->kn));
    f->q = cut(m, panels(depth) * TALL * PANEL);
    f->z = cut(m, keys * TALL);
    f->p = HALF ? cut(m, keys / WORD * TALL) : f->z;
    f->o = cut(m, TALL * PANEL);
    f->zero = cut_zeros(m, PANEL);
}

static void group_fwd(const attn_call *c, int seg, int g)
{
    const tt_attn *a = c->a;
    fwd f = {.c = c, .s = &a->seg[seg], .seg = seg, .K = a->K};
    room m = {0};
    fwd_room(&f, &m);
    m = (room){.mem = tt_scratch(SCRATCH_ATTN, (size_t)m.used * sizeof(float))};
    fwd_room(&f, &m);
    rows k = rows_of(c->k, f.s->k0, c->ldk, g, f.s->kn, a->K), v = rows_of(c->v, f.s->k0, c->ldv, g, f.s->kn, a->K);
    pack_cols(&k, f.kt);
    pack_sums(&v, (f.s->kn + WORD - 1) / WORD * WORD, f.v);
    int group = a->H / a->Hkv;
    for (f.h = g * group; f.h < (g + 1) * group; f.h++) head_fwd(&f);
}
