/* Exemplars: which set gives them, and which of its rows. */
#include "shots.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

/* ---- pools ----------------------------------------------------------------------------------------------------------*/

static const tt_set *set_named(const tt_sets *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->set[i]->info.name, name)) return s->set[i];
    return NULL;
}

static tt_err no_pool(const tt_set *s, const tt_sets *own, const tt_sets *train)
{
    const tt_yaml *at = s->spec->at;
    const char *name = s->spec->exemplars;
    if (own != train && set_named(own, name))
        return tt_fail(TT_EJOB,
                       "%s:%d: %s: exemplars: %s is a data set to evaluate on, and its rows are never shown; name one "
                       "of data.train",
                       at->file, at->line, s->info.name, name);
    const char **names = tt_malloc(sizeof *names * (size_t)(train->n + 1));
    for (int i = 0; i < train->n; i++) names[i] = train->set[i]->info.name;
    const char *near = tt_nearest(name, names, train->n);
    tt_err e = tt_fail(TT_EJOB, "%s:%d: %s: exemplars: data.train has no data set %s%s%s%s", at->file, at->line,
                       s->info.name, name, near ? "; did you mean " : "; give the name of one of its data sets, or off",
                       near ? near : "", near ? "?" : "");
    free(names);
    return e;
}

/* Where the set's columns are among the pool's. */
static tt_err match_columns(tt_set *s)
{
    const tt_templates *mine = s->spec->templates, *theirs = s->pool->spec->templates;
    for (int c = 0; c < mine->ncol; c++) {
        int at = 0;
        while (at < theirs->ncol && strcmp(mine->col[c], theirs->col[at]) != 0) at++;
        if (at == theirs->ncol)
            return tt_fail(TT_EJOB,
                           "%s:%d: %s takes exemplars from %s, whose templates do not use its column {%s}; give both "
                           "the same columns (fields gives other names)",
                           s->spec->at->file, s->spec->at->line, s->info.name, s->pool->info.name, mine->col[c]);
        s->pool_col[c] = at;
    }
    return TT_OK;
}

static tt_err set_pool(tt_set *s, const tt_sets *own, const tt_sets *train)
{
    const tt_spec *spec = s->spec;
    s->pool = NULL;
    if (spec->zero_shot || (!spec->exemplars && !spec->train)) return TT_OK;
    s->pool = spec->exemplars ? set_named(train, spec->exemplars) : s;
    if (!s->pool) return no_pool(s, own, train);
    return s->pool == s ? TT_OK : match_columns(s);
}

tt_err tt_sets_exemplars(tt_sets *s, const tt_sets *train)
{
    for (int i = 0; i < s->n; i++) TT_TRY(set_pool(s->set[i], s, train));
    return TT_OK;
}

/* ---- rows -----------------------------------------------------------------------------------------------------------*/

static tt_rowref pool_row(const tt_set *s, int64_t file_row, tt_arena *a)
{
    tt_cell theirs[TT_MAX_COLS], *cell = TT_NEW(a, tt_cell, TT_MAX_COLS);
    if (s->pool == s) return tt_set_file_ref(s, file_row, cell);
    tt_rowref r = tt_set_file_ref(s->pool, file_row, theirs);
    for (int c = 0; c < s->spec->templates->ncol; c++) cell[c] = r.cell[s->pool_col[c]];
    return (tt_rowref){r.seg, r.at, cell};
}

/* Another set's stored keys may be of other columns. */
static uint64_t content(const tt_set *s, const tt_rowref *r)
{
    return s->pool == s ? r->seg->key[r->at] : tt_row_key(s->spec->templates, r->cell, tt_segment_value, r->seg);
}

static bool usable(const tt_template *t, const tt_rowref *r)
{
    return tt_template_fits(t, r->cell, tt_segment_value, r->seg) &&
           !tt_pattern_blank(&t->source, r->cell, tt_segment_value, r->seg) &&
           !tt_pattern_blank(&t->target, r->cell, tt_segment_value, r->seg);
}

static bool among(uint64_t x, const uint64_t *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] == x) return true;
    return false;
}

/* The i-th row of a permutation of the pool; -1: it is not taken. Over the rows of the file, so that a row that is dropped changes the
 * prompts that showed it and no other; but over the rows taken where these are few, for the search to stay short. */
static int64_t nth_row(const tt_set *pool, tt_rkey key, int64_t i)
{
    int64_t rows = pool->info.rows, all = pool->info.file_rows;
    if (!pool->pick) return (int64_t)tt_permute(key, (uint64_t)rows, (uint64_t)i);
    if (rows < all / 2) return tt_set_file_row(pool, (int64_t)tt_permute(key, (uint64_t)rows, (uint64_t)i));
    int64_t row = (int64_t)tt_permute(key, (uint64_t)all, (uint64_t)i);
    return tt_pick_has(pool->pick, row) ? row : -1;
}

static int64_t most_tries(const tt_set *pool, int k)
{
    int64_t rows = pool->info.rows, all = pool->info.file_rows, few = 16 * (int64_t)k + 64;
    int64_t there = pool->pick && rows >= all / 2 ? all : rows;
    return few < there ? few : there;
}

int tt_shots_draw(const tt_set *s, const tt_template *t, const tt_rowref *own, tt_rkey key, int k, tt_arena *a,
                  tt_shotrow *out)
{
    uint64_t seen[TT_MAX_SHOTS + 1] = {content(s, own)};
    int n = 0;
    assert(k <= TT_MAX_SHOTS);
    for (int64_t i = 0, tries = most_tries(s->pool, k); i < tries && n < k; i++) {
        int64_t at = nth_row(s->pool, key, i);
        if (at < 0) continue;
        tt_rowref row = pool_row(s, at, a);
        uint64_t key_of_row = content(s, &row);
        if (among(key_of_row, seen, n + 1) || !usable(t, &row)) continue;
        out[n++] = (tt_shotrow){at, row};
        seen[n] = key_of_row;
    }
    return n;
}
