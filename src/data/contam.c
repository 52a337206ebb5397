/* Contamination: evaluation rows that share 13 words in a row with a training row, after Brown et al. 2020 ("Language Models are Few-Shot
 * Learners"), appendix C. Runs of words that are wording, of the evaluation set or of the training set, are no evidence (tt_is_wording).
 *
 * The 13-grams of all evaluation rows lie on every rank: 20 bytes each, 52 while they are collected. Training rows are read where they
 * are shared out, and those that touch one of these 13-grams a second time, once it is known which are wording. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

enum { GRAM = 13 };

typedef struct table {
    tt_keyeds at;    /* {13-gram, evaluation row}, sorted */
    int shift;       /* 64 - bits of a bucket's number */
    uint32_t *start; /* [buckets+1]: places in at */
} table;

static void row_grams(const tt_corpus *c, int64_t row, tt_rowwords *w, tt_hashes *out)
{
    out->n = 0;
    tt_corpus_read(c, row, w, NULL);
    tt_grams(w->word.x, w->word.n, GRAM, out);
}

/* ---- the evaluation rows' 13-grams ------------------------------------------------------------------------------------*/

/* Keeps of x[from..to), one 13-gram's rows, those whose set does not use it as wording. */
static int64_t keep_evidence(const tt_corpus *c, tt_keyed *x, int64_t from, int64_t to, int64_t n)
{
    for (int64_t i = from, j; i < to; i = j) {
        const tt_member *m = &c->set[tt_corpus_set(c, x[i].row)];
        int64_t end = m->first + m->set->info.rows;
        for (j = i; j < to && x[j].row < end;) j++;
        if (tt_is_wording(j - i, m->set->info.rows)) continue;
        for (int64_t k = i; k < j; k++) x[n++] = x[k];
    }
    return n;
}

static void drop_repeats(tt_keyeds *v)
{
    int64_t n = 0;
    for (int64_t i = 0; i < v->n; i++)
        if (!n || v->x[n - 1].key != v->x[i].key || v->x[n - 1].row != v->x[i].row) v->x[n++] = v->x[i];
    v->n = n;
}

static void drop_wording(const tt_corpus *c, tt_keyeds *v)
{
    int64_t n = 0;
    for (int64_t i = 0, j; i < v->n; i = j) {
        j = tt_keyeds_run(v, i);
        n = keep_evidence(c, v->x, i, j, n);
    }
    v->n = n;
}

static void index_table(table *t)
{
    int bits = 4;
    if (t->at.n >= UINT32_MAX) TT_BUG("more than %u 13-grams in the evaluation sets", UINT32_MAX);
    while ((int64_t)1 << bits < t->at.n) bits++;
    t->shift = 64 - bits;
    t->start = tt_malloc(sizeof *t->start * (((size_t)1 << bits) + 1));
    int64_t i = 0;
    for (uint64_t b = 0; b <= (uint64_t)1 << bits; b++) {
        while (i < t->at.n && t->at.x[i].key >> t->shift < b) i++;
        t->start[b] = (uint32_t)i;
    }
}

/* Collective. */
static void table_init(table *t, const tt_corpus *c)
{
    *t = (table){0};
    tt_rowwords w = {0};
    tt_hashes g = {0};
    for (int64_t row = c->eval_lo; row < c->eval_hi; row++) {
        row_grams(c, row, &w, &g);
        for (int64_t i = 0; i < g.n; i++) tt_keyeds_add(&t->at, g.x[i], row);
    }
    tt_rowwords_fini(&w);
    tt_hashes_fini(&g);
    tt_keyeds_share(c->m, &t->at);
    tt_keyeds_sort(&t->at); /* stable: rows rise within a 13-gram */
    drop_repeats(&t->at);
    drop_wording(c, &t->at);
    index_table(t);
}

static void table_fini(table *t)
{
    tt_keyeds_fini(&t->at);
    free(t->start);
}

/* The first place of the 13-gram; -1: no evaluation row has it. */
static int64_t table_find(const table *t, uint64_t gram)
{
    uint64_t b = gram >> t->shift;
    for (int64_t i = t->start[b]; i < t->start[b + 1]; i++)
        if (t->at.x[i].key == gram) return i;
    return -1;
}

/* ---- training rows ----------------------------------------------------------------------------------------------------*/

/* A 13-gram in a training set. */
static uint64_t pair_key(const table *t, int set, int64_t at)
{
    return (uint64_t)set * (uint64_t)t->at.n + (uint64_t)at;
}

/* Places of the row's 13-grams that evaluation rows have, each once. */
static void matches(const tt_corpus *c, const table *t, int64_t row, tt_rowwords *w, tt_hashes *g, tt_hashes *out)
{
    out->n = 0;
    row_grams(c, row, w, g);
    for (int64_t i = 0; i < g->n; i++) {
        int64_t at = table_find(t, g->x[i]);
        if (at >= 0) tt_hashes_add(out, (uint64_t)at);
    }
    if (out->n) tt_hashes_sort(out);
}

/* touched: rows with a match; rows: of every pair of 13-gram and training set, how many. */
static void count_matches(const tt_corpus *c, const table *t, tt_hashes *touched, tt_counts *rows)
{
    tt_rowwords w = {0};
    tt_hashes g = {0}, found = {0};
    for (int64_t row = c->lo; row < c->hi && t->at.n; row++) {
        if ((row & 0xffff) == 0) tt_watch_kick("looking for evaluation rows in training sets");
        matches(c, t, row, &w, &g, &found);
        if (!found.n) continue;
        tt_hashes_add(touched, (uint64_t)row);
        int set = tt_corpus_set(c, row);
        for (int64_t i = 0; i < found.n; i++) ++*tt_counts_at(rows, pair_key(t, set, (int64_t)found.x[i]));
    }
    tt_rowwords_fini(&w);
    tt_hashes_fini(&g);
    tt_hashes_fini(&found);
}

/* Collective. Pairs of which the 13-gram is the training set's wording, sorted. */
static void find_wording(const tt_corpus *c, const table *t, tt_counts *rows, tt_hashes *out)
{
    tt_keyeds v = {0};
    tt_counts_list(rows, &v);
    tt_counts_fini(rows);
    tt_keyeds_share(c->m, &v);
    tt_keyeds_sort(&v);
    for (int64_t i = 0, j; i < v.n; i = j) {
        int64_t sum = 0;
        j = tt_keyeds_run(&v, i);
        for (int64_t k = i; k < j; k++) sum += v.x[k].row;
        if (tt_is_wording(sum, c->set[v.x[i].key / (uint64_t)t->at.n].set->info.rows)) tt_hashes_add(out, v.x[i].key);
    }
    tt_keyeds_fini(&v);
}

/* Evaluation rows of this match, for the training row: the first of its set, on this rank, is kept. */
static void note(const tt_corpus *c, const table *t, int64_t at, int set, int64_t row, tt_counts *first)
{
    for (int64_t i = at; i < t->at.n && t->at.x[i].key == t->at.x[at].key; i++) {
        int64_t *known = tt_counts_at(first, (uint64_t)t->at.x[i].row * (uint64_t)c->ntrain + (uint64_t)set);
        if (!*known) *known = row + 1;
    }
}

/* gram: {evaluation row, first training row}, for each training set. */
static void find_matches(tt_search *s, const table *t, const tt_hashes *touched, const tt_hashes *wording,
                         tt_keyeds *gram)
{
    tt_rowwords w = {0};
    tt_hashes g = {0}, found = {0};
    tt_counts first = {0};
    for (int64_t k = 0; k < touched->n; k++) {
        int64_t row = (int64_t)touched->x[k];
        int set = tt_corpus_set(s->c, row);
        bool dirty = false;
        matches(s->c, t, row, &w, &g, &found);
        for (int64_t i = 0; i < found.n; i++) {
            if (tt_hashes_has(wording, pair_key(t, set, (int64_t)found.x[i]))) continue;
            note(s->c, t, (int64_t)found.x[i], set, row, &first);
            dirty = true;
        }
        if (dirty) tt_keyeds_add(&s->dirty, 0, row);
    }
    tt_counts_list(&first, gram);
    for (int64_t i = 0; i < gram->n; i++) {
        gram->x[i].key /= (uint64_t)s->c->ntrain;
        gram->x[i].row--;
    }
    tt_counts_fini(&first);
    tt_rowwords_fini(&w);
    tt_hashes_fini(&g);
    tt_hashes_fini(&found);
}

/* ---- the report -------------------------------------------------------------------------------------------------------*/

/* True if prompts of an evaluation set may show rows of this training set as exemplars. */
static bool is_pool(const tt_corpus *c, int set)
{
    for (int i = c->ntrain; i < c->n; i++)
        if (c->set[i].set->pool == c->set[set].set) return true;
    return false;
}

/* One evaluation row and all training rows known for it: exact ones before others, each training set once. */
static void tally(tt_search *s, const tt_keyed *exact, int64_t ne, const tt_keyed *gram, int64_t ng)
{
    const tt_corpus *c = s->c;
    for (int64_t i = 0; i < ne; i++) {
        tt_tally_add(&s->tally, c, TT_CONTAM_EXACT, 1, (int64_t)exact[i].key, exact[i].row);
        if (is_pool(c, tt_corpus_set(c, exact[i].row)))
            tt_tally_add(&s->tally, c, TT_LEAK, 1, (int64_t)exact[i].key, exact[i].row);
    }
    for (int64_t i = 0; i < ng; i++) {
        int set = tt_corpus_set(c, gram[i].row);
        bool known = i && tt_corpus_set(c, gram[i - 1].row) == set;
        for (int64_t k = 0; k < ne && !known; k++) known = tt_corpus_set(c, exact[k].row) == set;
        if (!known) tt_tally_add(&s->tally, c, TT_CONTAM_NGRAM, 1, (int64_t)gram[i].key, gram[i].row);
    }
}

/* Both lists by key, then row. soiled: their keys. */
static void merge(tt_search *s, const tt_keyeds *gram)
{
    int64_t i = 0, j = 0;
    while (i < s->exact.n || j < gram->n) {
        uint64_t key = i < s->exact.n ? s->exact.x[i].key : UINT64_MAX;
        if (j < gram->n && gram->x[j].key < key) key = gram->x[j].key;
        int64_t ie = i, je = j;
        while (ie < s->exact.n && s->exact.x[ie].key == key) ie++;
        while (je < gram->n && gram->x[je].key == key) je++;
        tt_keyeds_add(&s->soiled, key, 0);
        if (s->c->m->rank == 0) tally(s, s->exact.x + i, ie - i, gram->x + j, je - j);
        i = ie;
        j = je;
    }
}

void tt_find_contam(tt_search *s)
{
    table t;
    tt_hashes touched = {0}, wording = {0};
    tt_counts rows = {0};
    tt_keyeds gram = {0};
    table_init(&t, s->c);
    count_matches(s->c, &t, &touched, &rows);
    find_wording(s->c, &t, &rows, &wording);
    find_matches(s, &t, &touched, &wording, &gram);
    table_fini(&t);
    tt_keyeds_share(s->c->m, &gram);
    tt_keyeds_unique(&gram);
    tt_keyeds_unique(&s->exact);
    merge(s, &gram);
    tt_keyeds_unique(&s->dirty);
    tt_keyeds_share(s->c->m, &s->dirty);
    tt_keyeds_unique(&s->dirty);
    tt_hashes_fini(&touched);
    tt_hashes_fini(&wording);
    tt_keyeds_fini(&gram);
}
