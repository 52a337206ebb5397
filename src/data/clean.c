/* Duplicates and contamination: the search as a whole, and what becomes of what it finds. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

/* ---- what to look for -------------------------------------------------------------------------------------------------*/

static bool wants_duplicates(const tt_job *job, bool all) { return all || job->data.deduplicate != TT_FOUND_OFF; }
static bool wants_contamination(const tt_job *job, bool all) { return all || job->data.decontaminate != TT_FOUND_OFF; }

static void search(tt_search *s)
{
    if (!s->duplicates && !s->contamination) return;
    tt_find_equal(s);
    if (s->duplicates) tt_find_near(s);
    if (s->contamination) tt_find_contam(s);
    tt_tally_share(s->c->m, &s->tally);
}

static void search_fini(tt_search *s)
{
    tt_keyeds *list[] = {&s->dup, &s->near, &s->exact, &s->dirty, &s->soiled};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) tt_keyeds_fini(list[i]);
    free(s->tally.x);
    free(s->distinct);
}

/* ---- from rows to the report ------------------------------------------------------------------------------------------*/

static int by_number(const void *p, const void *q)
{
    int64_t x = *(const int64_t *)p, y = *(const int64_t *)q;
    return (x > y) - (x < y);
}

/* The lists' rows as ranges of their files. */
static void to_ranges(const tt_corpus *c, const tt_keyeds *x, const tt_keyeds *y, tt_ranges *out)
{
    int64_t n = 0, *row = tt_malloc(sizeof *row * (size_t)(x->n + y->n + 1));
    for (int64_t i = 0; i < x->n; i++) row[n++] = x->x[i].row;
    for (int64_t i = 0; i < y->n; i++) row[n++] = y->x[i].row;
    qsort(row, (size_t)n, sizeof *row, by_number);
    for (int64_t i = 0; i < n; i++) {
        int set = tt_corpus_set(c, row[i]);
        tt_ranges_add(&out[set], tt_set_file_row(c->set[set].set, row[i] - c->set[set].first));
    }
    free(row);
}

static bool counts(const tt_search *s, const tt_tally_row *t)
{
    int64_t a = s->distinct[t->a], b = s->distinct[t->b];
    return t->kind != TT_LISTED_TWICE || 10 * t->count >= 9 * (a < b ? a : b);
}

static void add_finding(tt_report *r, const tt_corpus *c, const tt_tally_row *t)
{
    const tt_member *a = &c->set[t->a], *b = &c->set[t->b];
    r->finding[r->clean.nfinding++] = (tt_finding){.kind = (tt_finding_kind)t->kind,
                                                   .a = t->a,
                                                   .b = t->b,
                                                   .count = t->count,
                                                   .line_a = tt_set_line(a->set, t->arow - a->first),
                                                   .line_b = tt_set_line(b->set, t->brow - b->first)};
    tt_clean_set *of = &r->set[t->b];
    if (t->kind == TT_DUP_EXACT) *(t->a == t->b ? &of->exact_inside : &of->exact_across) += t->count;
    if (t->kind == TT_DUP_NEAR) of->near += t->count;
    if (t->kind == TT_CONFLICT) of->conflicts += t->count;
}

static int by_count(const void *p, const void *q)
{
    const tt_finding *x = p, *y = q;
    int64_t d[] = {y->count - x->count, (int64_t)x->kind - (int64_t)y->kind, x->a - y->a, x->b - y->b};
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        if (d[i]) return d[i] < 0 ? -1 : 1;
    return 0;
}

static void report(const tt_search *s, tt_report *r)
{
    const tt_corpus *c = s->c;
    static const tt_keyeds none;
    r->clean.duplicates = s->duplicates;
    r->clean.contamination = s->contamination;
    r->clean.finding = r->finding = TT_NEW(r->a, tt_finding, s->tally.n + 1);
    for (int64_t i = 0; i < s->tally.n; i++)
        if (counts(s, &s->tally.x[i])) add_finding(r, c, &s->tally.x[i]);
    qsort(r->finding, (size_t)r->clean.nfinding, sizeof *r->finding, by_count);
    for (int64_t i = 0; i < s->dirty.n; i++) r->set[tt_corpus_set(c, s->dirty.x[i].row)].contaminated++;
    for (int64_t i = 0; i < s->soiled.n; i++) r->set[tt_corpus_set(c, (int64_t)s->soiled.x[i].key)].contaminated++;
    to_ranges(c, &s->dup, &s->near, r->dup);
    to_ranges(c, &s->dirty, &none, r->dirty);
}

/* ---- the calls --------------------------------------------------------------------------------------------------------*/

tt_err tt_clean_run(const tt_mesh *m, const tt_job *job, tt_sets *train, tt_sets *validation, tt_sets *test, bool all,
                    tt_clean **out)
{
    tt_corpus c;
    tt_corpus_init(&c, m, train, validation, test);
    tt_search s = {.c = &c, .duplicates = wants_duplicates(job, all), .contamination = wants_contamination(job, all)};
    s.distinct = tt_malloc(sizeof *s.distinct * (size_t)(c.n + 1));
    memset(s.distinct, 0, sizeof *s.distinct * (size_t)(c.n + 1));
    search(&s);
    tt_report *r = tt_report_new(&c, s.duplicates || s.contamination ? tt_corpus_hash(&c) : 0);
    report(&s, r);
    tt_report_apply(r, job, &c, train);
    search_fini(&s);
    tt_corpus_fini(&c);
    *out = &r->clean;
    return TT_OK;
}

/* Collective. *text (heap): the file as rank 0 sees it; NULL if there is none. */
static tt_err read_everywhere(const tt_mesh *m, const char *path, char **text)
{
    uint64_t size = 0;
    size_t n = 0;
    *text = NULL;
    tt_err e = TT_OK;
    if (m->rank == 0 && tt_exists(path)) {
        e = tt_slurp(path, text, &n);
        size = n + 1;
    }
    e = tt_agree(m, e);
    if (e != TT_OK) return e;
    tt_bcast(m, &size, sizeof size, 0);
    if (!size) return TT_OK;
    if (m->rank) *text = tt_malloc(size);
    tt_bcast(m, *text, size, 0);
    return TT_OK;
}

tt_err tt_clean_load(const tt_mesh *m, const char *path, const tt_job *job, tt_sets *train, tt_sets *validation,
                     tt_sets *test, bool all, tt_clean **out)
{
    char *text;
    *out = NULL;
    TT_TRY(read_everywhere(m, path, &text));
    if (!text) return TT_OK;
    tt_corpus c;
    tt_corpus_init(&c, m, train, validation, test);
    tt_report *r = tt_report_new(&c, tt_corpus_hash(&c));
    bool fits;
    tt_err e = tt_report_parse(r, &c, path, text, &fits); /* the same on all ranks */
    free(text);
    fits = fits && r->clean.duplicates >= wants_duplicates(job, all) &&
           r->clean.contamination >= wants_contamination(job, all);
    if (e == TT_OK && fits) {
        tt_report_apply(r, job, &c, train);
        *out = &r->clean;
    } else {
        tt_clean_free(&r->clean);
    }
    tt_corpus_fini(&c);
    return e;
}
