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
        int N = wide(x->hi, j / PANEL);
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
} query;

INLINE query query_of(const bwd *b, int i, int r)
{
    const tt_attn *a = b->c->a;
    return (query){.k = keys_of(a, b->s, i),
                   .row = drop_of(a, b->seg, b->h, i),
                   .scale = a->scale * LOG2E,
                   .lse = b->lse[r],
                   .delta = b->delta[r],
                   .up = 1 / (1 - a->drop),
                   .below = drop_below(a->drop)};
}

/* A panel of keys from j on, of one row: in scores and dP, out P (with dropout) and dS. diag: where the sums of its diagonals begin. */
INLINE void row_bwd(const query *y, bool drop, bool sums, int j, const float *z, const float *t, float *diag, lanes *p,
                    lanes *d)
{
    bool edge = j < y->k.from || j + PANEL > y->k.to;
    for (int v = 0; v < WIDE; v++) {
        int at = j + v * LANES;
        lanes s = get(z + v * LANES), g = get(t + v * LANES);
        if (edge) s = outside(s, at, y->k, -INFINITY), g = outside(g, at, y->k, 0);
        p[v] = lanes_exp2(s * y->scale - y->lse);
        if (drop) g = dropped(g, y->row, at, y->below, y->up);
        d[v] = p[v] * (g - y->delta);
        if (drop) p[v] = dropped(p[v], y->row, at, y->below, y->up);
        if (sums) put(diag + v * LANES, get(diag + v * LANES) + d[v]);
    }
}

/* Sums along diagonals go to one of SUMS tables by turns: a row's sums are not loaded again right after they were stored. */
INLINE float *diag_of(const bwd *b, int i, int j)
{
    return b->diag + (i % SUMS) * b->c->row + MARGIN + j - (b->s->p0 + i) - b->c->first;
}

#if HALF
/* Two rows of one panel, which become the halves of the words of a sum over rows. */
INLINE void put_rows(float *pp, float *tp, float *tw, const lanes *p, const lanes *d)
{
    lanes d0 = to_words(d), d1 = to_words(d + WIDE);
    lanes2 pw = interleave(to_words(p), to_words(p + WIDE)), dw = interleave(d0, d1);
    put(tw, d0), put(tw + PANEL, d1);
    put(pp, pw.lo), put(pp + LANES, pw.hi);
    put(tp, dw.lo), put(tp + LANES, dw.hi);
}
#endif

/* Rows r .. r+WORD-1 of the block. */
INLINE void rows_bwd(const bwd *b, const part *x, int i, int r, int j0, bool drop, bool sums)
{
    query y[WORD];
    float *z = b->z + r * PANEL, *t = b->t + r * PANEL, *diag[WORD];
    float *pp = b->pp + r / WORD * PANEL, *tp = b->tp + r / WORD * PANEL, *tw = b->tw + r * PANEL;
    for (int u = 0; u < WORD; u++) {
        y[u] = query_of(b, i + u, r + u);
        diag[u] = sums ? diag_of(b, i + u, j0) : NULL;
    }
    for (int j = x->lo - j0; j < x->hi - j0; j += PANEL) {
        lanes p[WORD * WIDE], d[WORD * WIDE];
        for (int u = 0; u < WORD; u++)
            row_bwd(&y[u], drop, sums, j0 + j, z + j * ROWS + u * PANEL, t + j * ROWS + u * PANEL,
                    sums ? diag[u] + j : NULL, p + u * WIDE, d + u * WIDE);
#if HALF
        put_rows(pp + j * (ROWS / WORD), tp + j * (ROWS / WORD), tw + j / WORD, p, d);
#else
        for (int v = 0; v < WIDE; v++) put(pp + j * ROWS + v * LANES, p[v]), put(tw + j * ROWS + v * LANES, d[v]);
        (void)tp;
#endif
    }
}

INLINE void strip_softmax_bwd(const bwd *b, const part *x, int at, int j0)
{
    bool drop = b->c->a->drop > 0, sums = b->diag != NULL;
    for (int u = 0; u < x->m; u += WORD)
        if (drop)
            rows_bwd(b, x, x->i + u, at + u, j0, true, sums);
        else if (sums)
            rows_bwd(b, x, x->i + u, at + u, j0, false, true);
        else
            rows_bwd(b, x, x->i + u, at + u, j0, false, false);
}

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
        int from = a->causal && j > first ? j - first : 0, to = n;
        if (a->window > 0 && j + m - 1 + a->window - first < to) to = j + m - 1 + a->window - first;
        if (from >= to) continue;
        from = from / WORD * WORD; /* of the same strip as the row that sees key j, so it was computed */
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
    if (b->diag && b->s->qn > 0 && b->s->kn > 0) flush_diagonals(b);
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
