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
        along(x->m, wide(x->hi, j / PANEL), &t);
    }
}

/* Columns of the strip's panels, and the scores of row r: panels are TALL * PANEL apart. */
INLINE i64 columns(const part *x) { return panels(x->hi - x->lo) * PANEL; }

/* -inf for what row r does not see: columns before and after those that it sees. */
INLINE void mask_row(const part *x, span k, float *z)
{
    int end = x->lo + (int)columns(x), past = (int)most(k.to / LANES * LANES, x->lo);
    for (int j = x->lo; j < k.from; j += LANES) mask_at(z, j - x->lo, TALL, j, k);
    for (int j = past; j < end; j += LANES) mask_at(z, j - x->lo, TALL, j, k);
}

INLINE float top_of(i64 n, const float *z)
{
    lanes top[WIDE];
    for (int v = 0; v < WIDE; v++) top[v] = (lanes){0} - INFINITY;
    for (i64 j = 0; j < n; j += PANEL, z += TALL * PANEL)
        for (int v = 0; v < WIDE; v++) top[v] = lanes_max(get(z + v * LANES), top[v]);
    for (int v = 1; v < WIDE; v++) top[0] = lanes_max(top[v], top[0]);
    return lanes_top(top[0]);
}

typedef struct thin { /* dropout of a row */
    drop_row row;
    uint32_t below;
    float up;
} thin;

/* Probabilities times their sum, which is returned. z and p: the row's first vectors; j: its first key. */
INLINE float exp_row(i64 n, const float *z, float *p, float scale, float minus, bool drop, thin d, int j)
{
    lanes sum[WIDE] = {0}, e[WIDE];
    for (i64 at = 0; at < n; at += PANEL, z += TALL * PANEL) {
        for (int v = 0; v < WIDE; v++) {
            e[v] = lanes_exp2(get(z + v * LANES) * scale - minus);
            sum[v] += e[v];
            if (drop) e[v] = dropped(e[v], d.row, j + (int)at + v * LANES, d.below, d.up);
        }
        float *to = p + at / KEYS * TALL * PANEL + at % KEYS / WORD;
        for (int v = 0; v < WIDE; v += WORD) put(to + v * LANES / WORD, to_words(e + v));
    }
    for (int v = 1; v < WIDE; v++) sum[0] += sum[v];
    return lanes_sum(sum[0]);
}

INLINE float softmax_row(const fwd *f, const part *x, int r, span k, float *lse)
{
    const tt_attn *a = f->c->a;
    float *z = f->z + r * PANEL, *p = f->p + r * PANEL, scale = a->scale * LOG2E;
    i64 n = columns(x);
    mask_row(x, k, z);
    float top = top_of(n, z), sum;
    if (a->drop > 0) {
        thin d = {drop_of(a, f->seg, f->h, x->i + r), drop_below(a->drop), 1 / (1 - a->drop)};
        sum = exp_row(n, z, p, scale, scale * top, true, d, x->lo);
    } else
        sum = exp_row(n, z, p, scale, scale * top, false, (thin){0}, 0);
    *lse = a->scale * top + logf(sum);
    return sum;
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
        if (k.from < k.to)
            up[r] = 1 / softmax_row(f, x, r, k, &lse);
        else
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
