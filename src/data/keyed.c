/* Rows by key, on one rank and among all; counts by key; findings summed up. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

void tt_keyeds_add(tt_keyeds *v, uint64_t key, int64_t row)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 64;
        v->x = tt_realloc(v->x, sizeof *v->x * (size_t)v->cap);
    }
    v->x[v->n++] = (tt_keyed){key, row};
}

void tt_keyeds_reserve(tt_keyeds *v, int64_t n)
{
    if (n <= v->cap) return;
    v->cap = n;
    v->x = tt_realloc(v->x, sizeof *v->x * (size_t)n);
}

void tt_keyeds_fini(tt_keyeds *v)
{
    free(v->x);
    *v = (tt_keyeds){0};
}

/* ---- sorting ----------------------------------------------------------------------------------------------------------*/

enum { DIGIT = 11, DIGITS = (64 + DIGIT - 1) / DIGIT, BINS = 1 << DIGIT, FEW = 512 };

static int by_key_row(const void *a, const void *b)
{
    const tt_keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* One pass of a radix sort; false if the digit is the same in all. */
static bool pass(const tt_keyed *x, tt_keyed *y, int64_t n, int shift)
{
    int64_t at[BINS] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++) at[x[i].key >> shift & (BINS - 1)]++;
    if (at[x[0].key >> shift & (BINS - 1)] == n) return false;
    for (int b = 0; b < BINS; b++) {
        int64_t here = at[b];
        at[b] = sum;
        sum += here;
    }
    for (int64_t i = 0; i < n; i++) y[at[x[i].key >> shift & (BINS - 1)]++] = x[i];
    return true;
}

static void insertion(tt_keyed *x, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        tt_keyed v = x[i];
        int64_t j = i;
        for (; j > 0 && x[j - 1].key > v.key; j--) x[j] = x[j - 1];
        x[j] = v;
    }
}

void tt_keyeds_sort(tt_keyeds *v)
{
    if (v->n < FEW) {
        insertion(v->x, v->n);
        return;
    }
    tt_keyed *y = tt_malloc(sizeof *y * (size_t)v->n);
    for (int d = 0; d < DIGITS; d++)
        if (pass(v->x, y, v->n, d * DIGIT)) {
            tt_keyed *swap = v->x;
            v->x = y;
            y = swap;
        }
    v->cap = v->n;
    free(y);
}

void tt_keyeds_unique(tt_keyeds *v)
{
    if (v->n > 1) qsort(v->x, (size_t)v->n, sizeof *v->x, by_key_row);
    int64_t n = 0;
    for (int64_t i = 0; i < v->n; i++)
        if (!n || by_key_row(&v->x[n - 1], &v->x[i])) v->x[n++] = v->x[i];
    v->n = n;
}

int64_t tt_keyeds_run(const tt_keyeds *sorted, int64_t at)
{
    int64_t end = at + 1;
    while (end < sorted->n && sorted->x[end].key == sorted->x[at].key) end++;
    return end;
}

/* ---- among ranks ------------------------------------------------------------------------------------------------------*/

/* Rank size * key / 2^64: keys are hashes, so each gets its part. */
static int owner(uint64_t key, int size) { return (int)((key >> 32) * (uint64_t)size >> 32); }

static void adopt(tt_keyeds *v, void *all, size_t bytes)
{
    free(v->x);
    v->x = all;
    v->n = v->cap = (int64_t)(bytes / sizeof *v->x);
}

/* In the order of owners; to: where each begins, in bytes. Stable. */
static tt_keyed *by_owner(const tt_keyeds *v, int size, size_t *to)
{
    tt_keyed *x = tt_malloc(sizeof *x * (size_t)v->n);
    size_t *at = tt_malloc(sizeof *at * (size_t)(size + 1));
    memset(to, 0, sizeof *to * (size_t)(size + 1));
    for (int64_t i = 0; i < v->n; i++) to[owner(v->x[i].key, size) + 1]++;
    for (int r = 0; r < size; r++) to[r + 1] += to[r];
    memcpy(at, to, sizeof *at * (size_t)(size + 1));
    for (int64_t i = 0; i < v->n; i++) x[at[owner(v->x[i].key, size)]++] = v->x[i];
    for (int r = 0; r <= size; r++) to[r] *= sizeof *x;
    free(at);
    return x;
}

void tt_keyeds_exchange(const tt_mesh *m, tt_keyeds *v)
{
    size_t *to = tt_malloc(2 * sizeof *to * (size_t)(m->size + 1)), *off = to + m->size + 1;
    void *all;
    if (m->size > 1) {
        tt_keyed *x = by_owner(v, m->size, to);
        tt_keyeds_fini(v);
        tt_alltoallv(m, x, to, &all, off);
        free(x);
        adopt(v, all, off[m->size]);
    }
    tt_keyeds_sort(v);
    free(to);
}

void tt_keyeds_share(const tt_mesh *m, tt_keyeds *v)
{
    size_t *off = tt_malloc(sizeof *off * (size_t)(m->size + 1));
    void *all;
    tt_allgatherv(m, v->x, sizeof *v->x * (size_t)v->n, &all, off);
    adopt(v, all, off[m->size]);
    free(off);
}

/* ---- counts -----------------------------------------------------------------------------------------------------------*/

#define FREE UINT64_MAX

static tt_keyed *slot(tt_keyed *x, int64_t cap, uint64_t key)
{
    uint64_t i = tt_mix64(key) & (uint64_t)(cap - 1);
    while (x[i].key != key && x[i].key != FREE) i = (i + 1) & (uint64_t)(cap - 1);
    return &x[i];
}

static void grow(tt_counts *t)
{
    int64_t cap = t->cap ? 2 * t->cap : 1024;
    tt_keyed *x = tt_malloc(sizeof *x * (size_t)cap);
    for (int64_t i = 0; i < cap; i++) x[i] = (tt_keyed){FREE, 0};
    for (int64_t i = 0; i < t->cap; i++)
        if (t->x[i].key != FREE) *slot(x, cap, t->x[i].key) = t->x[i];
    free(t->x);
    t->x = x;
    t->cap = cap;
}

int64_t *tt_counts_at(tt_counts *t, uint64_t key)
{
    assert(key != FREE);
    if (4 * (t->n + 1) > 3 * t->cap) grow(t);
    tt_keyed *s = slot(t->x, t->cap, key);
    if (s->key == FREE) {
        *s = (tt_keyed){key, 0};
        t->n++;
    }
    return &s->row;
}

void tt_counts_list(const tt_counts *t, tt_keyeds *out)
{
    for (int64_t i = 0; i < t->cap; i++)
        if (t->x[i].key != FREE) tt_keyeds_add(out, t->x[i].key, t->x[i].row);
}

void tt_counts_fini(tt_counts *t)
{
    free(t->x);
    *t = (tt_counts){0};
}

/* ---- findings ---------------------------------------------------------------------------------------------------------*/

static int by_finding(const void *p, const void *q)
{
    const tt_tally_row *x = p, *y = q;
    int64_t d[] = {x->kind - y->kind, x->a - y->a, x->b - y->b, x->brow - y->brow, x->arow - y->arow};
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        if (d[i]) return d[i] < 0 ? -1 : 1;
    return 0;
}

/* Rows of one kind and pair become one, with the example that comes first. */
static void sum_up(tt_tally *t)
{
    if (t->n > 1) qsort(t->x, (size_t)t->n, sizeof *t->x, by_finding);
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++) {
        tt_tally_row *last = n ? &t->x[n - 1] : NULL;
        if (last && last->kind == t->x[i].kind && last->a == t->x[i].a && last->b == t->x[i].b)
            last->count += t->x[i].count;
        else
            t->x[n++] = t->x[i];
    }
    t->n = n;
}

void tt_tally_add(tt_tally *t, const tt_corpus *c, int kind, int64_t count, int64_t arow, int64_t brow)
{
    if (t->n == t->cap) {
        sum_up(t);
        if (2 * t->n >= t->cap) {
            t->cap = t->cap ? 2 * t->cap : 256;
            t->x = tt_realloc(t->x, sizeof *t->x * (size_t)t->cap);
        }
    }
    t->x[t->n++] = (tt_tally_row){kind, tt_corpus_set(c, arow), tt_corpus_set(c, brow), 0, count, arow, brow};
}

void tt_tally_share(const tt_mesh *m, tt_tally *t)
{
    size_t *off = tt_malloc(sizeof *off * (size_t)(m->size + 1));
    void *all;
    sum_up(t);
    tt_allgatherv(m, t->x, sizeof *t->x * (size_t)t->n, &all, off);
    free(t->x);
    *t = (tt_tally){all, (int64_t)(off[m->size] / sizeof *t->x), (int64_t)(off[m->size] / sizeof *t->x)};
    free(off);
    sum_up(t);
}
