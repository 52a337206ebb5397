/* The rows of all data sets in one order, and the words that are a row's own. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- columns ----------------------------------------------------------------------------------------------------------*/

static bool uses(const tt_pattern *p, int col)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col == col) return true;
    return false;
}

/* What is the question and what the answer, direct templates tell; where there are none, all do. */
static bool tells(const tt_templates *t, int i)
{
    if (t->t[i].kind == TT_DIRECT) return true;
    for (int k = 0; k < t->n; k++)
        if (t->t[k].kind == TT_DIRECT) return false;
    return true;
}

static bool in_source(const tt_templates *t, int col)
{
    for (int i = 0; i < t->n; i++)
        if (tells(t, i) && uses(&t->t[i].source, col)) return true;
    return false;
}

static bool in_target(const tt_templates *t, int col)
{
    for (int i = 0; i < t->n; i++)
        if (tells(t, i) && uses(&t->t[i].target, col)) return true;
    return false;
}

/* True if all rows hold the very same value, as those of a superni file do its definition. A segment of one row cannot tell. */
static bool is_shared(const tt_set *s, int col)
{
    bool told = false;
    int at = s->col ? s->col[col] : col;
    for (int g = 0; g < s->nseg; g++) {
        const tt_segment *seg = &s->seg[g];
        for (int64_t i = 1; i < seg->nrow; i++) {
            const tt_cell *c = &seg->cell[i * seg->ncol + at];
            if (c->first != seg->cell[at].first || c->n != seg->cell[at].n) return false;
        }
        told |= seg->nrow > 1;
    }
    return told;
}

static void add_cell(tt_rowwords *w, const tt_rowref *r, int col)
{
    for (uint32_t i = 0; i < r->cell[col].n; i++) tt_rowwords_add(w, tt_segment_value(r->seg, r->cell[col].first + i));
}

static void choose_columns(tt_member *m)
{
    const tt_templates *t = m->set->spec->templates;
    tt_cell cell[TT_MAX_COLS];
    tt_rowwords w = {0};
    for (int c = 0; c < t->ncol && m->set->info.rows; c++) {
        bool src = in_source(t, c), tgt = in_target(t, c);
        if (is_shared(m->set, c)) {
            tt_rowref r = tt_set_row(m->set, 0, cell);
            if (src || tgt) add_cell(&w, &r, c);
            continue;
        }
        if (src) m->src[m->nsrc++] = c;
        if (tgt) m->tgt[m->ntgt++] = c;
    }
    m->shared = w.all;
    tt_rowwords_fini(&w);
}

/* ---- prompts ----------------------------------------------------------------------------------------------------------*/

static uint64_t literals(const tt_pattern *p, tt_rowwords *w)
{
    tt_rowwords_start(w);
    for (int i = 0; i < p->n; i++) {
        if (p->piece[i].col >= 0) continue;
        char *text = strndup(p->piece[i].text, p->piece[i].size);
        if (!text) TT_BUG("out of memory");
        tt_rowwords_add(w, text);
        free(text);
    }
    return w->all;
}

static void hash_prompts(tt_member *m)
{
    const tt_templates *t = m->set->spec->templates;
    tt_rowwords w = {0};
    for (int i = 0; i < t->n; i++) {
        uint64_t h = literals(&t->t[i].source, &w);
        tt_hashes_add(&m->prompt, tt_mix64(h) ^ literals(&t->t[i].target, &w));
    }
    tt_rowwords_fini(&w);
    tt_hashes_sort(&m->prompt);
    m->frame = XXH3_64bits_withSeed(m->prompt.x, sizeof *m->prompt.x * (size_t)m->prompt.n, m->shared);
}

bool tt_same_prompt(const tt_member *a, const tt_member *b)
{
    if (a->shared != b->shared) return false;
    for (int64_t i = 0; i < a->prompt.n; i++)
        if (tt_hashes_has(&b->prompt, a->prompt.x[i])) return true;
    return false;
}

/* ---- rows -------------------------------------------------------------------------------------------------------------*/

static void append(tt_corpus *c, const tt_sets *s, const char *list)
{
    for (int i = 0; s && i < s->n; i++) {
        tt_member *m = &c->set[c->n++];
        *m = (tt_member){.set = s->set[i], .list = list, .first = c->rows};
        choose_columns(m);
        hash_prompts(m);
        c->rows += m->set->info.rows;
    }
}

void tt_corpus_init(tt_corpus *c, const tt_mesh *m, const tt_sets *train, const tt_sets *validation,
                    const tt_sets *test)
{
    int n = (train ? train->n : 0) + (validation ? validation->n : 0) + (test ? test->n : 0);
    *c = (tt_corpus){.m = m, .set = tt_malloc(sizeof *c->set * (size_t)(n + 1))};
    append(c, train, "train");
    c->ntrain = c->n;
    c->train = c->rows;
    append(c, validation, "validation");
    append(c, test, "test");
    tt_share(c->train, m->rank, m->size, &c->lo, &c->hi);
    tt_share(c->rows - c->train, m->rank, m->size, &c->eval_lo, &c->eval_hi);
    c->eval_lo += c->train;
    c->eval_hi += c->train;
}

void tt_corpus_fini(tt_corpus *c)
{
    for (int i = 0; i < c->n; i++) tt_hashes_fini(&c->set[i].prompt);
    free(c->set);
    *c = (tt_corpus){0};
}

int tt_corpus_set(const tt_corpus *c, int64_t row)
{
    assert(row >= 0 && row < c->rows);
    int lo = 0, hi = c->n;
    while (lo + 1 < hi) {
        int mid = (lo + hi) / 2;
        *(c->set[mid].first <= row ? &lo : &hi) = mid; /* the last that begins there: empty ones come before it */
    }
    return lo;
}

static tt_rowref row_at(const tt_member *m, int64_t row, tt_cell *cell)
{
    return tt_set_row(m->set, row - m->first, cell);
}

void tt_corpus_read(const tt_corpus *c, int64_t row, tt_rowwords *src, tt_rowwords *tgt)
{
    tt_cell cell[TT_MAX_COLS];
    const tt_member *m = &c->set[tt_corpus_set(c, row)];
    tt_rowref r = row_at(m, row, cell);
    if (src) {
        tt_rowwords_start(src); /* a source takes the first value of a column, a target any */
        for (int i = 0; i < m->nsrc; i++)
            tt_rowwords_add(src, r.cell[m->src[i]].n ? tt_segment_value(r.seg, r.cell[m->src[i]].first) : "");
    }
    if (!tgt) return;
    tt_rowwords_start(tgt);
    for (int i = 0; i < m->ntgt; i++) add_cell(tgt, &r, m->tgt[i]);
}

/* ---- what a search depends on -----------------------------------------------------------------------------------------*/

static uint64_t row_hash(const tt_member *m, int64_t row)
{
    tt_cell cell[TT_MAX_COLS];
    tt_rowref r = row_at(m, row, cell);
    uint64_t h = tt_mix64((uint64_t)tt_set_file_row(m->set, row - m->first));
    for (int c = 0; c < m->set->spec->templates->ncol; c++)
        for (uint32_t i = 0; i < r.cell[c].n; i++) {
            const char *text = tt_segment_value(r.seg, r.cell[c].first + i);
            h = XXH3_64bits_withSeed(text, strlen(text), h + (uint64_t)c);
        }
    return h;
}

static uint64_t member_hash(const tt_member *m, uint64_t h)
{
    const char *text[] = {m->list, m->set->info.name, m->set->info.path};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) h = XXH3_64bits_withSeed(text[i], strlen(text[i]) + 1, h);
    uint64_t number[] = {(uint64_t)m->set->info.rows, m->frame, (uint64_t)m->nsrc, (uint64_t)m->ntgt};
    return XXH3_64bits_withSeed(number, sizeof number, h);
}

uint64_t tt_corpus_hash(const tt_corpus *c)
{
    int64_t lo, hi;
    uint64_t sum = 0; /* of places and contents: the same however the rows are shared out */
    tt_share(c->rows, c->m->rank, c->m->size, &lo, &hi);
    for (int64_t row = lo; row < hi; row++) {
        if ((row & 0xffff) == 0) tt_watch_kick("hashing the rows of data sets");
        sum += tt_mix64(row_hash(&c->set[tt_corpus_set(c, row)], row) ^ tt_mix64((uint64_t)row));
    }
    int64_t total = (int64_t)sum;
    tt_allsum_i64(c->m, &total, 1);
    uint64_t h = (uint64_t)total;
    for (int i = 0; i < c->n; i++) h = member_hash(&c->set[i], h);
    return h;
}
