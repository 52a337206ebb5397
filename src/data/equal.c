/* Rows of equal words. Each hash of a source has an owner rank, which sees all rows that have it. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

enum { LONG_WORDS = 13, MOST_SETS = 64 };

typedef struct twin { /* one of the rows with equal sources */
    uint64_t ask;     /* what their prompts have in common, by which twins are compared */
    uint64_t target;
    int64_t row;
    int set;
} twin;

/* The lowest bit says whether the source is long enough to be known by itself. Equal texts are equally long. */
static uint64_t source_key(const tt_rowwords *src) { return src->all << 1 | (src->word.n >= LONG_WORDS); }

static void hash_sources(const tt_corpus *c, int64_t lo, int64_t hi, tt_keyeds *out)
{
    tt_rowwords src = {0};
    for (int64_t row = lo; row < hi; row++) {
        if ((row & 0xffff) == 0) tt_watch_kick("looking for equal rows");
        tt_corpus_read(c, row, &src, NULL);
        tt_keyeds_add(out, source_key(&src), row);
    }
    tt_rowwords_fini(&src);
}

static int by_row(const void *p, const void *q)
{
    const twin *x = p, *y = q;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_ask(const void *p, const void *q)
{
    const twin *x = p, *y = q;
    if (x->ask != y->ask) return x->ask < y->ask ? -1 : 1;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    return by_row(p, q);
}

/* ---- duplicates -------------------------------------------------------------------------------------------------------*/

/* x[n]: training rows of one frame and source, by target. The first row of all is in the right: later ones with its target repeat it,
 * those with others contradict it. */
static void judge(tt_search *s, const twin *x, int64_t n)
{
    const twin *first = &x[0];
    for (int64_t i = 1; i < n; i++)
        if (x[i].row < first->row) first = &x[i];
    for (int64_t i = 0, lead = 0; i < n; i++) {
        if (x[i].target != x[lead].target) lead = i;
        if (i > lead) {
            tt_keyeds_add(&s->dup, (uint64_t)x[lead].row, x[i].row);
            tt_tally_add(&s->tally, s->c, TT_DUP_EXACT, 1, x[lead].row, x[i].row);
        } else if (x[i].target != first->target) {
            tt_tally_add(&s->tally, s->c, TT_CONFLICT, 1, first->row, x[i].row);
        }
    }
}

static void find_duplicates(tt_search *s, twin *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i].ask = s->c->set[x[i].set].frame;
    qsort(x, (size_t)n, sizeof *x, by_ask);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && x[j].ask == x[i].ask;) j++;
        if (j - i > 1) judge(s, x + i, j - i);
    }
}

/* x[n]: rows that are one and the same but for templates, by row. Each set counts once. */
static void pair_sets(tt_search *s, const twin *x, int64_t n)
{
    const twin *one[MOST_SETS];
    int k = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i && x[i].set == x[i - 1].set) continue;
        s->distinct[x[i].set]++;
        if (k < MOST_SETS) one[k++] = &x[i]; /* what stands in more sets than that tells nothing about two of them */
    }
    for (int a = 0; a < k; a++)
        for (int b = a + 1; b < k; b++) tt_tally_add(&s->tally, s->c, TT_LISTED_TWICE, 1, one[a]->row, one[b]->row);
}

static void find_listed(tt_search *s, twin *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i].ask = s->c->set[x[i].set].shared;
    qsort(x, (size_t)n, sizeof *x, by_ask);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && x[j].ask == x[i].ask && x[j].target == x[i].target;) j++;
        pair_sets(s, x + i, j - i);
    }
}

/* ---- evaluation rows --------------------------------------------------------------------------------------------------*/

/* t[nt]: training rows of one set, e[ne]: evaluation rows of one set, all with one source. */
static void same_questions(tt_search *s, const twin *t, int64_t nt, const twin *e, int64_t ne)
{
    for (int64_t k = 0; k < ne; k++) tt_keyeds_add(&s->exact, (uint64_t)e[k].row, t[0].row);
    for (int64_t i = 0; i < nt; i++) tt_keyeds_add(&s->dirty, 0, t[i].row);
}

/* As above, but only those with the same answer. */
static void same_answers(tt_search *s, const twin *t, int64_t nt, const twin *e, int64_t ne)
{
    tt_counts first = {0}, asked = {0}; /* by target: the first training row + 1; 1 if an evaluation row has it */
    for (int64_t i = nt; i-- > 0;) *tt_counts_at(&first, t[i].target >> 1) = t[i].row + 1;
    for (int64_t k = 0; k < ne; k++) {
        int64_t row = *tt_counts_at(&first, e[k].target >> 1);
        if (row) tt_keyeds_add(&s->exact, (uint64_t)e[k].row, row - 1);
        *tt_counts_at(&asked, e[k].target >> 1) = 1;
    }
    for (int64_t i = 0; i < nt; i++)
        if (*tt_counts_at(&asked, t[i].target >> 1)) tt_keyeds_add(&s->dirty, 0, t[i].row);
    tt_counts_fini(&first);
    tt_counts_fini(&asked);
}

static int64_t set_run(const twin *x, int64_t n, int64_t at)
{
    int64_t end = at + 1;
    while (end < n && x[end].set == x[at].set) end++;
    return end;
}

/* x[n] by row: nt training rows, then evaluation rows. Equal questions are contamination if they are long or asked in the same words;
 * otherwise if they have the same answer: "Paris" alone is the input of many tasks. */
static void find_known(tt_search *s, bool is_long, const twin *x, int64_t nt, int64_t n)
{
    for (int64_t i = 0, j; i < nt; i = j) {
        j = set_run(x, nt, i);
        for (int64_t k = nt, l; k < n; k = l) {
            l = set_run(x, n, k);
            bool alike = is_long || tt_same_prompt(&s->c->set[x[i].set], &s->c->set[x[k].set]);
            (alike ? same_questions : same_answers)(s, x + i, j - i, x + k, l - k);
        }
    }
}

/* ---- groups -----------------------------------------------------------------------------------------------------------*/

static void group(tt_search *s, const tt_keyed *v, int64_t n, twin *x, tt_rowwords *w)
{
    int64_t nt = 0;
    for (int64_t i = 0; i < n; i++) {
        tt_corpus_read(s->c, v[i].row, NULL, w);
        x[i] = (twin){0, w->all, v[i].row, tt_corpus_set(s->c, v[i].row)};
        nt += v[i].row < s->c->train;
    }
    qsort(x, (size_t)n, sizeof *x, by_row);
    if (s->contamination) find_known(s, v->key & 1, x, nt, n);
    if (!s->duplicates) return;
    find_listed(s, x, n);
    qsort(x, (size_t)n, sizeof *x, by_row);
    find_duplicates(s, x, nt);
}

static int64_t longest_run(const tt_keyeds *v)
{
    int64_t most = 1;
    for (int64_t i = 0, j; i < v->n; i = j) {
        j = tt_keyeds_run(v, i);
        if (j - i > most) most = j - i;
    }
    return most;
}

void tt_find_equal(tt_search *s)
{
    const tt_corpus *c = s->c;
    tt_keyeds v = {0};
    tt_keyeds_reserve(&v, c->hi - c->lo + c->eval_hi - c->eval_lo);
    hash_sources(c, c->lo, c->hi, &v);
    hash_sources(c, c->eval_lo, c->eval_hi, &v);
    tt_keyeds_exchange(c->m, &v);
    twin *x = tt_malloc(sizeof *x * (size_t)longest_run(&v));
    tt_rowwords w = {0};
    for (int64_t i = 0, j; i < v.n; i = j) {
        j = tt_keyeds_run(&v, i);
        if (j - i > 1)
            group(s, v.x + i, j - i, x, &w);
        else
            s->distinct[tt_corpus_set(c, v.x[i].row)]++;
    }
    tt_rowwords_fini(&w);
    free(x);
    tt_keyeds_fini(&v);
    tt_allsum_i64(c->m, s->distinct, c->n);
    tt_keyeds_share(c->m, &s->dup);
    tt_keyeds_share(c->m, &s->exact);
}
