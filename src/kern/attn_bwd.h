/* Backward of attention, for one instruction set; included after attn_pack.h.
 *
 * Blocks of ROWS queries against blocks of BLOCK keys: their probabilities P and the gradients dS of their scores stay in the
 * first-level cache between the five products. P comes from lse. dS = P (dP - <dout, o>). */
enum { ROWS = 64, BLOCK = 64, SUMS = 4 };

typedef struct bwd {
    const attn_call *c;
    const tt_seg *s;
    int seg, h, K, room; /* room: rows of the block, a whole number of words */
    float *kt, *vt, *k;  /* packed as cols, cols, sums */
    float *dk, *dv;      /* sums [panel][kn][PANEL] */
    float *q, *g;        /* queries and output gradients of the block, as rows */
    float *qs, *gs;      /* as sums. fp32: the same */
    float *z, *t;        /* scores; dP, [panel][ROWS][PANEL]. fp32: then P, dS */
    float *pp, *tp, *tw; /* bf16: P and dS as pairs, dS as rows. fp32: z, t, t */
    float *dq;           /* sums [panel][ROWS][PANEL] */
    float *delta, *lse;  /* [ROWS] */
    float *diag;         /* [SUMS][row] sums of dS over distances; NULL: not wanted */
    const float *zero;
} bwd;

/* ---- a block's rows ----------------------------------------------------------------------------------------------*/

static float dot_rows(i64 K, const char *x, const char *y)
{
    lanes sum = {0};
    for (i64 e = 0; e < K; e += LANES) sum += get_elements(x + e * ELEM, K - e) * get_elements(y + e * ELEM, K - e);
    return lanes_sum(sum);
}

static void open_block(bwd *b, int i0, int n)
{
    const attn_call *c = b->c;
    i64 row = b->s->q0 + i0;
    rows q = rows_of(c->q, row, c->ldq, b->h, n, b->K), g = rows_of(c->dout, row, c->ldo, b->h, n, b->K);
    rows o = rows_of(c->o, row, c->ldo, b->h, n, b->K);
    b->room = (n + WORD - 1) / WORD * WORD;
    pack_rows(&q, b->room, b->q);
    pack_rows(&g, b->room, b->g);
    if (HALF) pack_sums(&q, b->room, b->qs), pack_sums(&g, b->room, b->gs);
    for (int r = 0; r < b->room; r++) {
        float lse = r < n ? c->lse[(row + r) * c->a->H + b->h] : 0;
        b->lse[r] = isinf(lse) && lse < 0 ? 0 : lse * LOG2E;
        b->delta[r] = r < n ? dot_rows(b->K, g.x + r * g.ld, o.x + r * o.ld) : 0;
    }
    memset(b->dq, 0, (size_t)(panels(b->K) * ROWS * PANEL) * sizeof *b->dq);
}

static void close_block(bwd *b, int i0, int n)
{
    const attn_call *c = b->c;
    if (!c->dq) return;
    for (int r = 0; r < n; r++)
        for (i64 p = 0; p < panels(b->K); p++) {
            i64 at = (b->s->q0 + i0 + r) * c->ldq + (i64)b->h * b->K + p * PANEL;
            store_row((char *)c->dq + at * ELEM, b->dq + (p * ROWS + r) * PANEL, c->a->scale,
                      least(PANEL, b->K - p * PANEL), !HALF, b->K);
        }
}

/* ---- a strip of a block against a block of keys ------------------------------------------------------------------*/

/* Keys x->lo .. x->hi-1, of the block of keys from j0 on. at: the strip's place in the block of queries. */
INLINE void strip_products(const bwd *b, const part *x, int at, int j0)
{
    i64 depth = words(b->K);
    for (i64 j = x->lo; j < x->hi; j += PANEL) {
        int N = wide(b->s->kn, j / PANEL);
        i64 to = (j - j0) * ROWS + at * PANEL;
        tile_args s = {depth, b->q + at * PANEL, b->room * PANEL, b->kt + j * depth, b->zero, 0, b->z + to};
        if (b->c->bias) s.init = bias_at(b->c, b->s, b->h, x->i, (int)j), s.stride = -1;
        along(x->m, N, &s);
        tile_args t = {depth, b->g + at * PANEL, b->room * PANEL, b->vt + j * depth, b->zero, 0, b->t + to};
        along(x->m, N, &t);
    }
}

typedef struct query { /* what a row of the softmax's backward needs */
    span k;
    drop_row row;
    float scale, lse, delta, up;
    uint32_t below;
    bool drop;
} query;

INLINE query query_of(const bwd *b, int i, int r)
{
    const tt_attn *a = b->c->a;
    return (query){keys_of(a, b->s, i), drop_of(a, b->seg, b->h, i), a->scale * LOG2E,    b->lse[r],
                   b->delta[r],         1 / (1 - a->drop),           drop_below(a->drop), a->drop > 0};
}

/* 16 keys from j on: in scores and dP, out P (with dropout) and dS. */
INLINE void row_bwd(const query *y, int j, lanes *z, lanes *t)
{
    lanes s = *z, d = *t;
    if (j < y->k.from || j + LANES > y->k.to) s = outside(s, j, y->k, -INFINITY), d = outside(d, j, y->k, 0);
    lanes p = lanes_exp2(s * y->scale - y->lse);
    if (y->drop) d = dropped(d, y->row, j, y->below, y->up);
    *t = p * (d - y->delta);
    *z = y->drop ? dropped(p, y->row, j, y->below, y->up) : p;
}

/* Sums along diagonals go to one of SUMS tables by turns: a row's sums are not loaded again right after they were stored. */
INLINE void add_diagonal(const bwd *b, int i, int j, lanes d)
{
    if (!b->diag) return;
    float *x = b->diag + (i % SUMS) * b->c->row + MARGIN + j - (b->s->p0 + i) - b->c->first;
    put(x, get(x) + d);
}

#if HALF
/* Two rows at a time, which become the halves of the words of a sum over rows. */
INLINE void strip_softmax_bwd(const bwd *b, const part *x, int at, int j0)
{
    for (int r = at; r < at + x->m; r += 2) {
        query y[2] = {query_of(b, x->i + r - at, r), query_of(b, x->i + r - at + 1, r + 1)};
        for (int j = x->lo; j < x->hi; j += PANEL) {
            float *z = b->z + (i64)(j - j0) * ROWS + r * PANEL, *t = b->t + (z - b->z);
            lanes p[2][2], d[2][2], pw[2], dw[2];
            for (int u = 0; u < 2; u++) {
                for (int v = 0; v < WIDE; v++) {
                    p[u][v] = get(z + u * PANEL + v * LANES);
                    d[u][v] = get(t + u * PANEL + v * LANES);
                    row_bwd(&y[u], j + v * LANES, &p[u][v], &d[u][v]);
                    add_diagonal(b, x->i + r - at + u, j + v * LANES, d[u][v]);
                }
                pw[u] = to_words(p[u]);
                dw[u] = to_words(d[u]);
                put(b->tw + (r + u) * PANEL + (j - j0) / 2, dw[u]);
            }
            i64 to = (i64)(j - j0) * (ROWS / 2) + r / 2 * PANEL;
            lanes2 pp = interleave(pw[0], pw[1]), dp = interleave(dw[0], dw[1]);
            put(b->pp + to, pp.lo), put(b->pp + to + LANES, pp.hi);
            put(b->tp + to, dp.lo), put(b->tp + to + LANES, dp.hi);
        }
    }
}
#else
INLINE void strip_softmax_bwd(const bwd *b, const part *x, int at, int j0)
{
    for (int r = at; r < at + x->m; r++) {
        query y = query_of(b, x->i + r - at, r);
        for (int j = x->lo; j < x->lo + panels(x->hi - x->lo) * PANEL; j += LANES) {
            i64 to = (i64)((j - j0) / PANEL * ROWS + r) * PANEL + (j - j0) % PANEL;
            lanes p = get(b->z + to), d = get(b->t + to);
            row_bwd(&y, j, &p, &d);
            add_diagonal(b, x->i + r - at, j, d);
            put(b->z + to, p), put(b->t + to, d);
        }
    }
}
#endif

/* dq += dS k */
INLINE void strip_dq(const bwd *b, const part *x, int at, int j0)
{
    if (!b->c->dq) return;
    int from = (x->lo - j0) / WORD, to = (x->hi - j0 + WORD - 1) / WORD;
    for (i64 p = 0; p < panels(b->K); p++) {
        float *dq = b->dq + (p * ROWS + at) * PANEL;
        const float *left = b->tw + (i64)from * (HALF ? 1 : ROWS) + at * PANEL;
        const float *right = b->k + p * sums_room(b->s->kn) + x->lo / WORD * PANEL;
        tile_args t = {to - from, left, ROWS * PANEL, right, dq, PANEL, dq};
        along(x->m, wide(b->K, p), &t);
    }
}

/* The keys of one of the fewest strips that n keys divide into, as even as can be: from the at-th on. */
INLINE int key_strip(int n, int at)
{
    int left = n - at, strips = (left + TALL - 1) / TALL;
    return (left + strips - 1) / strips;
}

/* ---- sums over the block's queries -------------------------------------------------------------------------------*/

/* d += left^T right for the keys j .. j+m-1 of one panel; rows from .. to-1 of the block see some of them. */
INLINE void keys_sum(const bwd *b, int j, int j0, int m, int from, int to, const float *left, const float *right,
                     float *d)
{
    i64 depth = (to - from + WORD - 1) / WORD, first = from / WORD;
    left += (i64)((j - j0) / PANEL * (ROWS / WORD) + first) * PANEL + j % PANEL;
    for (i64 p = 0; p < panels(b->K); p++) {
        float *x = d + (p * b->s->kn + j) * PANEL;
        tile_args t = {depth, left, 0, right + (p * (b->room / WORD) + first) * PANEL, x, PANEL, x};
        across(m, wide(b->K, p), &t);
    }
}

/* dv += P^T dout, dk += dS^T q */
static void keys_bwd(const bwd *b, int i0, int n, int j0)
{
    const tt_attn *a = b->c->a;
    int end = j0 + BLOCK < b->s->kn ? j0 + BLOCK : b->s->kn, first = b->s->p0 + i0;
    for (int j = j0, m; j < end; j += m) {
        int all = j / PANEL * PANEL + PANEL < end ? PANEL : end - j / PANEL * PANEL;
        m = key_strip(all, j % PANEL);
        int from = a->causal && j > first ? (j - first) / WORD * WORD : 0, to = n;
        if (a->window > 0 && j + m - 1 + a->window - first < to) to = j + m - 1 + a->window - first;
        if (from >= to) continue;
        if (b->dv) keys_sum(b, j, j0, m, from, to, b->pp, b->gs, b->dv);
        if (b->dk) keys_sum(b, j, j0, m, from, to, b->tp, b->qs, b->dk);
    }
}

/* ---- blocks, heads, calls ----------------------------------------------------------------------------------------*/

static void block_bwd(bwd *b, int i0, int n)
{
    const tt_attn *a = b->c->a;
    part all = part_of(a, b->s, i0, n, 0, b->s->kn);
    open_block(b, i0, n);
    for (int j0 = all.lo / BLOCK * BLOCK; j0 < all.hi; j0 += BLOCK) {
        for (int at = 0, m; at < n; at += m) {
            m = strip(n, at);
            part x = part_of(a, b->s, i0 + at, m, j0, j0 + BLOCK < b->s->kn ? j0 + BLOCK : b->s->kn);
            strip_products(b, &x, at, j0);
            strip_softmax_bwd(b, &x, at, j0);
            strip_dq(b, &x, at, j0);
        }
        keys_bwd(b, i0, n, j0);
    }
    close_block(b, i0, n);
}

static void flush_diagonals(const bwd *b)
{
    const attn_call *c = b->c;
    double *sum = c->dbias + ((i64)b->seg * c->a->H + b->h) * c->a->nbucket;
    int lo = -(b->s->p0 + b->s->qn - 1) - c->first, hi = b->s->kn - b->s->p0 - c->first;
    for (int d = lo; d < hi; d++)
        for (int u = 0; u < SUMS; u++) {
            float *x = b->diag + u * c->row + MARGIN + d;
            sum[c->bucket[d]] += *x;
        }
}

static void head_bwd(bwd *b)
{
    if (b->diag) memset(b->diag, 0, (size_t)(SUMS * b->c->row) * sizeof *b->diag);
    for (int i = 0; i < b->s->qn; i += ROWS) block_bwd(b, i, (int)least(ROWS, b->s->qn - i));
    if (b->diag) flush_diagonals(b);
}

static void store_keys(const bwd *b, int g, float scale, const float *d, void *out, i64 ld)
{
    for (i64 j = 0; j < b->s->kn && out; j++)
        for (i64 p = 0; p < panels(b->K); p++) {
            i64 at = (b->s->k0 + j) * ld + (i64)g * b->K + p * PANEL;
            store_row((char *)out + at * ELEM, d + (p * b->s->kn + j) * PANEL, scale, least(PANEL, b->K - p * PANEL),
                      !HALF, b->K);
        }
}

static void bwd_room(bwd *b, room *m)
{
    i64 keys = (b->s->kn + KEYS - 1) / KEYS * KEYS, depth = words(b->K), cols = panels(b->K);
    i64 block = panels(depth) * ROWS * PANEL, sums = cols * ROWS / WORD * PANEL, scores = ROWS * BLOCK;
    b->kt = cut(m, keys * depth);
    b->vt = cut(m, keys * depth);
    b->k = cut(m, cols * sums_room(b->s->kn));
    b->dk = b->c->dk ? cut_zeros(m, cols * b->s->kn * PANEL) : NULL;
    b->dv = b->c->dv ? cut_zeros(m, cols * b->s->kn * PANEL) : NULL;
    b->q = cut(m, block);
    b->g = cut(m, block);
    b->qs = HALF ? cut(m, sums) : b->q;
    b->gs = HALF ? cut(m, sums) : b->g;
    b->z = cut(m, scores);
    b->t = cut(m, scores);
    b->pp = HALF ? cut(m, scores / 2) : b->z;
    b->tp = HALF ? cut(m, scores / 2) : b->t;
    b->tw = HALF ? cut(m, scores / 2) : b->t;
    b->dq = cut(m, cols * ROWS * PANEL);
    b->delta = cut(m, ROWS);
    b->lse = cut(m, ROWS);
    b->diag = b->c->dbias ? cut(m, SUMS * b->c->row) : NULL;
    b->zero = cut_zeros(m, PANEL);
}

static void group_bwd(const attn_call *c, int seg, int g)
{
    const tt_attn *a = c->a;
    bwd b = {.c = c, .s = &a->seg[seg], .seg = seg, .K = a->K};
    room m = {0};
    bwd_room(&b, &m);
    m = (room){.mem = tt_scratch(SCRATCH_ATTN, (size_t)m.used * sizeof(float))};
    bwd_room(&b, &m);
    rows k = rows_of(c->k, b.s->k0, c->ldk, g, b.s->kn, a->K), v = rows_of(c->v, b.s->k0, c->ldv, g, b.s->kn, a->K);
    pack_cols(&k, b.kt);
    pack_cols(&v, b.vt);
    pack_sums(&k, (b.s->kn + WORD - 1) / WORD * WORD, b.k);
    int group = a->H / a->Hkv;
    for (b.h = g * group; b.h < (g + 1) * group; b.h++) head_bwd(&b);
    store_keys(&b, g, a->scale, b.dk, c->dk, c->ldk);
    store_keys(&b, g, 1, b.dv, c->dv, c->ldv);
}
