/* Packing the operands of attention (see attn_tile.h), and one row's softmax; included after attn_tile.h. */

/* n rows of K elements, ld elements apart. */
typedef struct rows {
    const char *x;
    i64 ld, n, K;
} rows;

INLINE rows rows_of(const void *x, i64 row, i64 ld, int h, int n, int K)
{
    return (rows){(const char *)x + (row * ld + (i64)h * K) * ELEM, ld * ELEM, n, K};
}

/* Words of a row of K elements. */
INLINE i64 words(i64 K) { return (K + WORD - 1) / WORD; }

/* Words at .. of row r; zero beyond the row and beyond the last row. The same words of the next head are asked for meanwhile. */
INLINE lanes get_words(const rows *s, i64 r, i64 at)
{
    lanes w = {0};
    i64 n = words(s->K) - at;
    if (r >= s->n || n <= 0) return w;
    const char *x = s->x + r * s->ld + at * 4;
    __builtin_prefetch(x + s->K * ELEM);
    if (n >= LANES) return get((const float *)x);
    memcpy(&w, x, (size_t)n * 4);
    return w;
}

/* out[p][r][PANEL], r < room; rows beyond s->n are zero. */
static void pack_rows(const rows *s, i64 room, float *out)
{
    for (i64 p = 0; p < panels(words(s->K)); p++)
        for (i64 r = 0; r < room; r++, out += PANEL)
            for (int v = 0; v < WIDE; v++) put(out + v * LANES, get_words(s, r, p * PANEL + v * LANES));
}

/* out[p][d][PANEL]; rows beyond s->n are zero. */
static void pack_cols(const rows *s, float *out)
{
    i64 depth = words(s->K);
    for (i64 p = 0; p < panels(s->n); p++, out += depth * PANEL)
        for (int v = 0; v < WIDE; v++)
            for (i64 d = 0; d < depth; d += LANES) {
                lanes m[LANES];
                for (int r = 0; r < LANES; r++) m[r] = get_words(s, p * PANEL + v * LANES + r, d);
                turn(m);
                for (int i = 0; i < LANES && d + i < depth; i++) put(out + (d + i) * PANEL + v * LANES, m[i]);
            }
}

/* The right operand of sums over rows; rows beyond s->n are zero. */
static void pack_sums(const rows *s, i64 room, float *out)
{
#if HALF
    for (i64 p = 0; p < panels(s->K); p++)
        for (i64 r = 0; r < room; r += 2, out += PANEL)
            for (int v = 0; v < WIDE; v += 2) {
                i64 at = (p * PANEL + v * LANES) / 2;
                lanes2 w = interleave(get_words(s, r, at), get_words(s, r + 1, at));
                put(out + v * LANES, w.lo);
                put(out + (v + 1) * LANES, w.hi);
            }
#else
    pack_rows(s, room, out);
#endif
}

/* Floats (words) that one panel of pack_sums takes. */
INLINE i64 sums_room(i64 n) { return (n + WORD - 1) / WORD * PANEL; }

/* ---- elements ----------------------------------------------------------------------------------------------------*/

/* Up to 16 elements as floats; zero beyond n. */
INLINE lanes get_elements(const char *x, i64 n)
{
    float y[LANES] = {0};
    if (n >= LANES && !HALF) return get((const float *)x);
    uint32_t u[LANES] = {0};
    uint16_t h[LANES] = {0};
    memcpy(HALF ? (void *)h : (void *)y, x, (size_t)(least(n, LANES) * ELEM));
    if (!HALF) return get(y);
    for (int i = 0; i < LANES; i++) u[i] = (uint32_t)h[i] << 16;
    return get((float *)u);
}

/* A vector of fp32 values, or two, as words. */
INLINE lanes to_words(const lanes *x)
{
#if HALF
    return pair_words(x[0], x[1]);
#else
    return x[0];
#endif
}

/* Up to a word's elements of 16 lanes: y, rounded to what elements are. */
INLINE void put_elements(char *out, const lanes *y, i64 n)
{
    lanes w = to_words(y);
    if (n >= LANES * WORD)
        put((float *)out, w);
    else
        memcpy(out, &w, (size_t)(n * ELEM));
}

/* n elements = scale * x; added to what is there if acc (fp32 only). What is ahead elements further is asked for. */
INLINE void store_row(char *out, const float *x, float scale, i64 n, bool acc, i64 ahead)
{
    for (i64 e = 0; e < n; e += LANES * WORD) {
        __builtin_prefetch(out + (e + ahead) * ELEM, 1);
        lanes y[2] = {get(x + e) * scale, HALF ? get(x + e + LANES) * scale : (lanes){0}};
        if (acc) y[0] += get_elements(out + e * ELEM, n - e);
        put_elements(out + e * ELEM, y, n - e);
    }
}

/* ---- scratch ------------------------------------------------------------------------------------------------------*/

/* Pieces of scratch memory one after the other; without memory their size alone. */
typedef struct room {
    float *mem;
    i64 used;
} room;

INLINE float *cut(room *m, i64 n)
{
    float *x = m->mem ? m->mem + m->used : NULL;
    m->used += (n + LANES - 1) / LANES * LANES;
    return x;
}

INLINE float *cut_zeros(room *m, i64 n)
{
    float *x = cut(m, n);
    if (x) memset(x, 0, (size_t)n * sizeof *x);
    return x;
}

/* ---- one row ----------------------------------------------------------------------------------------------------*/

typedef struct span {
    int from, to;
} span;

/* Keys that query i sees; none if i is not a query. */
INLINE span keys_of(const tt_attn *a, const tt_seg *s, int i)
{
    int lo = attn_lo(a, s, i), hi = i < s->qn ? attn_hi(a, s, i) : 0;
    hi = hi > 0 ? hi : 0;
    return (span){lo < hi ? lo : hi, hi};
}

/* A step of keys fills one panel of words: strips begin their keys at a multiple of it. */
enum { KEYS = PANEL * WORD };

/* Queries i .. i+m-1, keys lo .. hi-1 between them all; lo is a multiple of KEYS. */
typedef struct part {
    int i, m, lo, hi;
} part;

/* Of the keys from .. to-1; from is a multiple of KEYS. */
INLINE part part_of(const tt_attn *a, const tt_seg *s, int i, int m, int from, int to)
{
    part x = {.i = i, .m = m, .lo = to, .hi = from};
    for (int r = 0; r < m; r++) {
        span k = keys_of(a, s, i + r);
        if (k.from == k.to) continue;
        x.lo = k.from < x.lo ? k.from : x.lo;
        x.hi = k.to > x.hi ? k.to : x.hi;
    }
    x.lo = x.lo > from ? x.lo / KEYS * KEYS : from;
    x.hi = x.hi < to ? x.hi : to;
    if (x.lo > x.hi) x.lo = x.hi = from;
    return x;
}

/* x with what lies outside of columns from .. to replaced; the first lane is column j. */
INLINE lanes outside(lanes x, int j, span s, float by)
{
    const picks iota = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    picks at = iota + j;
    return lanes_with(x, (lanes){0} + by, (at < s.from) | (at >= s.to));
}

/* -inf for what lies outside of k in the vector of key j, at column at; panels have tall rows. */
INLINE void mask_at(float *z, int at, int tall, int j, span k)
{
    float *x = z + at / PANEL * tall * PANEL + at % PANEL;
    put(x, outside(get(x), j, k, -INFINITY));
}

typedef uint32_t counts __attribute__((vector_size(LANES * sizeof(uint32_t))));

INLINE counts hash_lanes(counts x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

INLINE drop_row drop_of(const tt_attn *a, int seg, int h, int i)
{
    return a->drop > 0 ? drop_row_of(a->drop_key, drop_attn_row(a, seg, h, i)) : (drop_row){0, 0};
}

/* What dropout leaves of x, whose first lane is key j. */
INLINE lanes dropped(lanes x, drop_row row, int j, uint32_t below, float up)
{
    const counts iota = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    counts h = hash_lanes(hash_lanes(iota + ((uint32_t)j + row.a)) ^ row.b);
    return (lanes)((picks)(x * up) & (picks)(h >= below));
}
