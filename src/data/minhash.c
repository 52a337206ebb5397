/* Nearly equal training rows: one-permutation MinHash, banded, and every candidate compared word by word.
 *
 * Two rows are nearly equal if they ask alike (tt_member.frame) and column by column, source and target, their texts are equal or, from
 * 5 words on, their sets of 5-grams (Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better") have a Jaccard
 * similarity of at least 0.8: in a text of 100 words about two words in different places may differ. Column by column, because a question
 * is a small part of the passage that it asks about, and what is asked must not drown in it. For the same reason no more than 6 words in
 * a row may differ (two changes close to each other make 6 at most), which matters in long texts alone. Across sets a text must also
 * begin and end with the same two words, and wording counts: where prompts are part of the text, as in P3, a passage under the prompt of
 * another set is another question. Symbols count as words: "3 + 4" is not "3 - 4". Within a set 5-grams that are its wording
 * (tt_is_wording, in a sample of its rows) are left out, so that a prompt makes no two rows alike.
 *
 * Candidates agree in one of 16 bands of 4 of 64 minima over the source's 5-grams. The texts are at hand on every rank, so candidates
 * are compared exactly: none is taken by chance. A pair of similarity J becomes a candidate with probability 1 - (1 - J^4)^16: 0.9998 at
 * 0.8, more above. (Few 5-grams leave bins of one permutation empty; these borrow from others, after Shrivastava 2017, and the estimate holds
 * on average.) In a bucket rows are compared with at most 8 that are unlike each other, so that a crowd costs no square. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

enum { GRAM = 5, BINS = 64, BANDS = 16, ROWS = BINS / BANDS, LEADERS = 8, SAMPLE = 1000, MOST_APART = 6, ENDS = 2 };

/* ---- wording ----------------------------------------------------------------------------------------------------------*/

static void text_grams(const tt_rowwords *w, int text, tt_hashes *out)
{
    int64_t from = text ? w->end[text - 1] : 0;
    tt_grams(w->word.x + from, w->end[text] - from, GRAM, out);
}

/* The 5-grams of a sample of the set's rows, each once a row. */
static int64_t sample(const tt_corpus *c, int set, tt_hashes *out)
{
    const tt_member *m = &c->set[set];
    int64_t rows = m->set->info.rows, n = rows < SAMPLE ? rows : SAMPLE;
    tt_rowwords w[2] = {{.symbols = true}, {.symbols = true}};
    tt_hashes one = {0};
    for (int64_t k = 0; k < n; k++) {
        one.n = 0;
        tt_corpus_read(c, m->first + k * rows / n, &w[0], &w[1]);
        for (int side = 0; side < 2; side++)
            for (int i = 0; i < w[side].ntext; i++) text_grams(&w[side], i, &one);
        tt_hashes_sort(&one);
        for (int64_t i = 0; i < one.n; i++) tt_hashes_add(out, one.x[i]);
    }
    tt_hashes_fini(&one);
    tt_rowwords_fini(&w[0]);
    tt_rowwords_fini(&w[1]);
    return n;
}

static void own_wording(const tt_corpus *c, tt_keyeds *out)
{
    for (int set = c->m->rank; set < c->ntrain; set += c->m->size) {
        tt_hashes all = {0};
        tt_keyeds v = {0};
        int64_t n = sample(c, set, &all);
        for (int64_t i = 0; i < all.n; i++) tt_keyeds_add(&v, all.x[i], set);
        tt_hashes_fini(&all);
        tt_keyeds_sort(&v);
        for (int64_t i = 0, j; i < v.n; i = j) {
            j = tt_keyeds_run(&v, i);
            if (tt_is_wording(j - i, n)) tt_keyeds_add(out, v.x[i].key, set);
        }
        tt_keyeds_fini(&v);
        tt_watch_kick("looking for the wording of data sets");
    }
}

/* Collective. wording[ntrain], sorted. */
static tt_hashes *find_wording(const tt_corpus *c)
{
    tt_hashes *wording = tt_malloc(sizeof *wording * (size_t)(c->ntrain + 1));
    memset(wording, 0, sizeof *wording * (size_t)(c->ntrain + 1));
    tt_keyeds v = {0};
    own_wording(c, &v);
    tt_keyeds_share(c->m, &v);
    for (int64_t i = 0; i < v.n; i++) tt_hashes_add(&wording[v.x[i].row], v.x[i].key);
    for (int i = 0; i < c->ntrain; i++) tt_hashes_sort(&wording[i]);
    tt_keyeds_fini(&v);
    return wording;
}

/* ---- a row as sets of 5-grams -----------------------------------------------------------------------------------------*/

typedef struct gist {
    int64_t row;
    int set;
    tt_rowwords src, tgt;
    tt_hashes gram;               /* of the texts one after the other, each sorted */
    int64_t end[2 * TT_MAX_COLS]; /* where each text's end */
} gist;

static int64_t text_words(const tt_rowwords *w, int i) { return w->end[i] - (i ? w->end[i - 1] : 0); }

static void add_grams(gist *g, const tt_rowwords *w, const tt_hashes *wording, tt_hashes *one)
{
    for (int i = 0; i < w->ntext; i++) {
        one->n = 0;
        text_grams(w, i, one);
        tt_hashes_sort(one);
        for (int64_t k = 0; k < one->n; k++)
            if (!tt_hashes_has(wording, one->x[k])) tt_hashes_add(&g->gram, one->x[k]);
        g->end[(w == &g->tgt ? g->src.ntext : 0) + i] = g->gram.n;
    }
}

typedef struct near {
    tt_search *s;
    const tt_hashes *wording; /* [ntrain] */
    tt_hashes one, two;
    gist slot[LEADERS + 1];
    uint64_t *seen; /* pairs that were compared, lowest bit: alike. A cache: what it forgets is compared again */
    tt_keyeds pair;
} near;

static void gist_load(near *k, gist *g, int64_t row)
{
    g->row = row;
    g->set = tt_corpus_set(k->s->c, row);
    g->src.symbols = g->tgt.symbols = true;
    g->gram.n = 0;
    tt_corpus_read(k->s->c, row, &g->src, &g->tgt);
    add_grams(g, &g->src, &k->wording[g->set], &k->one);
    add_grams(g, &g->tgt, &k->wording[g->set], &k->one);
}

static void gist_fini(gist *g)
{
    tt_rowwords_fini(&g->src);
    tt_rowwords_fini(&g->tgt);
    tt_hashes_fini(&g->gram);
}

/* |x n y| >= 0.8 |x u y|, both sorted. */
static bool overlap(const uint64_t *x, int64_t nx, const uint64_t *y, int64_t ny)
{
    int64_t both = 0;
    for (int64_t i = 0, j = 0; i < nx && j < ny;) {
        both += x[i] == y[j];
        bool left = x[i] <= y[j], right = y[j] <= x[i];
        i += left;
        j += right;
    }
    return 10 * both >= 8 * (nx + ny - both);
}

/* The most words in a row of text i of w that are in no 5-gram of y[n], nor in wording. */
static int64_t longest_gap(const tt_rowwords *w, int i, const tt_hashes *wording, uint64_t *y, int64_t n,
                           tt_hashes *one)
{
    tt_hashes other = {y, n, n};
    int64_t most = 0, known = 0; /* words before known are done with */
    one->n = 0;
    text_grams(w, i, one);
    for (int64_t k = 0; k < one->n; k++) {
        if (!tt_hashes_has(&other, one->x[k]) && !tt_hashes_has(wording, one->x[k])) continue;
        if (k - known > most) most = k - known;
        known = k + GRAM;
    }
    int64_t rest = text_words(w, i) - known;
    return rest > most ? rest : most;
}

/* Text i begins and ends with the same words in both, which have some 5-grams in it. */
static bool same_ends(const tt_rowwords *x, const tt_rowwords *y, int i)
{
    const uint64_t *bx = x->word.x + (i ? x->end[i - 1] : 0), *by = y->word.x + (i ? y->end[i - 1] : 0);
    const uint64_t *ex = x->word.x + x->end[i], *ey = y->word.x + y->end[i];
    return !memcmp(bx, by, sizeof *bx * ENDS) && !memcmp(ex - ENDS, ey - ENDS, sizeof *ex * ENDS);
}

/* The similarity with all 5-grams, those that are wording too. */
static bool overlap_whole(near *k, const tt_rowwords *x, const tt_rowwords *y, int i)
{
    k->one.n = k->two.n = 0;
    text_grams(x, i, &k->one);
    text_grams(y, i, &k->two);
    tt_hashes_sort(&k->one);
    tt_hashes_sort(&k->two);
    return overlap(k->one.x, k->one.n, k->two.x, k->two.n);
}

static bool texts_alike(near *k, const gist *x, const gist *y, const tt_rowwords *wx, const tt_rowwords *wy, int i)
{
    if (wx->text[i] == wy->text[i]) return true;
    if (text_words(wx, i) < GRAM || text_words(wy, i) < GRAM) return false;
    if (x->set != y->set && !(same_ends(wx, wy, i) && overlap_whole(k, wx, wy, i))) return false;
    int t = i + (wx == &x->tgt ? x->src.ntext : 0); /* as many in y */
    int64_t fx = t ? x->end[t - 1] : 0, fy = t ? y->end[t - 1] : 0;
    uint64_t *gx = x->gram.x + fx, *gy = y->gram.x + fy;
    int64_t nx = x->end[t] - fx, ny = y->end[t] - fy;
    return overlap(gx, nx, gy, ny) && longest_gap(wx, i, &k->wording[x->set], gy, ny, &k->one) <= MOST_APART &&
           longest_gap(wy, i, &k->wording[y->set], gx, nx, &k->one) <= MOST_APART;
}

static bool gists_alike(near *k, const gist *x, const gist *y)
{
    const tt_corpus *c = k->s->c;
    if (c->set[x->set].frame != c->set[y->set].frame) return false;
    if (x->src.ntext != y->src.ntext || x->tgt.ntext != y->tgt.ntext) return false;
    for (int i = 0; i < x->src.ntext; i++)
        if (!texts_alike(k, x, y, &x->src, &y->src, i)) return false;
    for (int i = 0; i < x->tgt.ntext; i++)
        if (!texts_alike(k, x, y, &x->tgt, &y->tgt, i)) return false;
    return true;
}

/* ---- minima -----------------------------------------------------------------------------------------------------------*/

/* What must be equal in any case: short texts and the way of asking. Mixed into the minima, it keeps others out of the buckets. */
static uint64_t must_be(const tt_corpus *c, const gist *g)
{
    uint64_t h = c->set[g->set].frame + (uint64_t)(g->src.ntext * TT_MAX_COLS + g->tgt.ntext);
    const tt_rowwords *side[] = {&g->src, &g->tgt};
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < side[s]->ntext; i++)
            if (text_words(side[s], i) < GRAM) h = tt_mix64(h ^ side[s]->text[i] ^ (uint64_t)(2 * i + s) << 56);
    return tt_mix64(h);
}

/* false: no 5-gram to compare. */
static bool minima(const tt_corpus *c, const gist *g, uint64_t min[BINS])
{
    int64_t n = g->src.ntext ? g->end[g->src.ntext - 1] : 0;
    uint64_t salt = must_be(c, g);
    memset(min, 0xff, sizeof *min * BINS);
    for (int64_t i = 0; i < n; i++) {
        uint64_t h = tt_mix64(g->gram.x[i] ^ salt);
        int bin = (int)(h >> 58);
        if (h < min[bin]) min[bin] = h;
    }
    bool full[BINS];
    for (int b = 0; b < BINS; b++) full[b] = min[b] != UINT64_MAX;
    for (int b = 0; b < BINS && n; b++)
        for (uint64_t t = 0; !full[b]; t++) {
            int from = (int)(tt_mix64((uint64_t)b << 32 | t) % BINS);
            if (!full[from]) continue;
            min[b] = min[from];
            break;
        }
    return n > 0;
}

static uint32_t band_key(const uint64_t *min)
{
    uint64_t h = 0;
    for (int r = 0; r < ROWS; r++) h = tt_mix64(h ^ min[r]);
    return (uint32_t)(h >> 32);
}

typedef struct bands { /* of this rank's rows that have 5-grams: 72 bytes each */
    int64_t n, *row;
    uint32_t (*key)[BANDS];
} bands;

/* Room for all rows; memory is taken when it is written to. */
static bands bands_new(int64_t rows)
{
    size_t n = (size_t)rows + 1;
    return (bands){0, tt_malloc(sizeof(int64_t) * n), tt_malloc(sizeof(uint32_t[BANDS]) * n)};
}

static void bands_add(bands *v, int64_t row, const uint64_t *min)
{
    for (int b = 0; b < BANDS; b++) v->key[v->n][b] = band_key(min + ROWS * b);
    v->row[v->n++] = row;
}

/* One bit for each of this rank's rows that equals an earlier one. */
static bool *own_duplicates(const tt_search *s)
{
    const tt_corpus *c = s->c;
    bool *dup = tt_malloc((size_t)(c->hi - c->lo + 1));
    memset(dup, 0, (size_t)(c->hi - c->lo + 1));
    for (int64_t i = 0; i < s->dup.n; i++)
        if (s->dup.x[i].row >= c->lo && s->dup.x[i].row < c->hi) dup[s->dup.x[i].row - c->lo] = true;
    return dup;
}

static void sign(near *k, bands *out)
{
    const tt_corpus *c = k->s->c;
    bool *dup = own_duplicates(k->s);
    uint64_t min[BINS];
    for (int64_t row = c->lo; row < c->hi; row++) {
        if ((row & 0xffff) == 0) tt_watch_kick("hashing rows for near duplicates");
        if (dup[row - c->lo]) continue;
        gist_load(k, &k->slot[0], row);
        if (minima(c, &k->slot[0], min)) bands_add(out, row, min);
    }
    free(dup);
}

/* ---- candidates -------------------------------------------------------------------------------------------------------*/

enum { SEEN = 1 << 20 };

static bool compare(near *k, const gist *x, gist *y, int64_t row)
{
    uint64_t h = tt_mix64(tt_mix64((uint64_t)x->row) ^ (uint64_t)row) & ~(uint64_t)1, *seen = &k->seen[h >> 44];
    if ((*seen & ~(uint64_t)1) == h) return *seen & 1;
    if (y->row != row) gist_load(k, y, row);
    bool alike = gists_alike(k, x, y);
    *seen = h | alike;
    if (alike) tt_keyeds_add(&k->pair, (uint64_t)x->row, row);
    return alike;
}

/* The rows of a bucket, in order. */
static void bucket(near *k, const tt_keyed *v, int64_t n)
{
    int lead = 0;
    for (int64_t i = 0; i < n; i++) {
        gist *y = &k->slot[lead];
        y->row = -1;
        int l = 0;
        while (l < lead && !compare(k, &k->slot[l], y, v[i].row)) l++;
        if (l < lead || lead == LEADERS) continue;
        if (y->row != v[i].row) gist_load(k, y, v[i].row);
        lead++;
    }
}

static void one_band(near *k, const bands *own, int band)
{
    tt_keyeds v = {0};
    tt_keyeds_reserve(&v, own->n);
    for (int64_t i = 0; i < own->n; i++) tt_keyeds_add(&v, (uint64_t)own->key[i][band] << 32, own->row[i]);
    tt_keyeds_exchange(k->s->c->m, &v);
    for (int64_t i = 0, j; i < v.n; i = j) {
        j = tt_keyeds_run(&v, i);
        if (j - i > 1) bucket(k, v.x + i, j - i);
    }
    tt_keyeds_fini(&v);
    tt_watch_kick("looking for near duplicates");
}

/* ---- families ---------------------------------------------------------------------------------------------------------*/

static int64_t root(int64_t *up, int64_t i)
{
    while (up[i] != i) i = up[i] = up[up[i]];
    return i;
}

static int64_t place(const tt_hashes *rows, uint64_t row)
{
    int64_t lo = 0, hi = rows->n;
    while (lo + 1 < hi) {
        int64_t mid = (lo + hi) / 2;
        *(rows->x[mid] <= row ? &lo : &hi) = mid;
    }
    return lo;
}

/* Pairs to families: {first row of the family, other row}, the same on every rank. */
static void families(const tt_keyeds *pair, tt_keyeds *out)
{
    tt_hashes rows = {0};
    for (int64_t i = 0; i < pair->n; i++) {
        tt_hashes_add(&rows, pair->x[i].key);
        tt_hashes_add(&rows, (uint64_t)pair->x[i].row);
    }
    tt_hashes_sort(&rows);
    int64_t *up = tt_malloc(sizeof *up * (size_t)(rows.n + 1));
    for (int64_t i = 0; i < rows.n; i++) up[i] = i;
    for (int64_t i = 0; i < pair->n; i++) {
        int64_t a = root(up, place(&rows, pair->x[i].key)), b = root(up, place(&rows, (uint64_t)pair->x[i].row));
        up[a > b ? a : b] = a > b ? b : a;
    }
    for (int64_t i = 0; i < rows.n; i++)
        if (root(up, i) != i) tt_keyeds_add(out, rows.x[root(up, i)], (int64_t)rows.x[i]);
    free(up);
    tt_hashes_fini(&rows);
}

void tt_find_near(tt_search *s)
{
    tt_hashes *wording = find_wording(s->c);
    near *k = tt_malloc(sizeof *k);
    *k = (near){.s = s, .wording = wording, .seen = tt_malloc(sizeof *k->seen * SEEN)};
    memset(k->seen, 0, sizeof *k->seen * SEEN);
    bands own = bands_new(s->c->hi - s->c->lo);
    sign(k, &own);
    for (int b = 0; b < BANDS; b++) one_band(k, &own, b);
    free(own.row);
    free(own.key);
    tt_keyeds_unique(&k->pair);
    tt_keyeds_share(s->c->m, &k->pair);
    families(&k->pair, &s->near);
    for (int64_t i = 0; i < s->near.n && s->c->m->rank == 0; i++)
        tt_tally_add(&s->tally, s->c, TT_DUP_NEAR, 1, (int64_t)s->near.x[i].key, s->near.x[i].row);
    for (int i = 0; i <= LEADERS; i++) gist_fini(&k->slot[i]);
    for (int i = 0; i < s->c->ntrain; i++) tt_hashes_fini(&wording[i]);
    tt_hashes_fini(&k->one);
    tt_hashes_fini(&k->two);
    tt_keyeds_fini(&k->pair);
    free(wording);
    free(k->seen);
    free(k);
}
