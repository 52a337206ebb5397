/* Data sets: each file is parsed by one rank, and all ranks share the packed rows. */
#include "sets.h"
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct whole { /* what tt_sets_free gets back: the sets, and what they stand on */
    tt_sets sets;
    tt_arena *a;
    tt_specs specs;
    void *packs;
    const tt_pack **pack; /* [sets.n] */
} whole;

/* ---- reading -------------------------------------------------------------------------------------------------------*/

/* Ranks that see other files would wait for each other for ever: compare before anything depends on it. Collective. */
static tt_err same_everywhere(const tt_mesh *m, const tt_specs *s, const char *what)
{
    uint64_t mine = (uint64_t)s->n;
    for (int i = 0; i < s->n; i++) {
        mine = XXH3_64bits_withSeed(s->spec[i].path, strlen(s->spec[i].path), mine);
        mine = tt_mix64(mine ^ (uint64_t)s->spec[i].bytes);
    }
    uint64_t first = mine;
    tt_bcast(m, &first, sizeof first, 0);
    tt_err e = mine == first ? TT_OK
                             : tt_fail(TT_EDATA,
                                       "%s: rank %d sees other files, or files of other sizes, than rank 0; "
                                       "put the data on a file system that all nodes share",
                                       what, m->rank);
    return tt_agree(m, e);
}

/* The rank that parses each file: the one with the least to read so far. */
static void choose_owners(const tt_specs *s, int size, int *owner)
{
    int64_t *load = tt_malloc(sizeof *load * (size_t)size);
    memset(load, 0, sizeof *load * (size_t)size);
    for (int i = 0; i < s->n; i++) {
        owner[i] = 0;
        for (int r = 1; r < size; r++)
            if (load[r] < load[owner[i]]) owner[i] = r;
        load[owner[i]] += s->spec[i].bytes + 4096;
    }
    free(load);
}

static tt_err parse_own(const tt_mesh *m, const tt_job *job, const tt_specs *s, const int *owner, tt_buf *out)
{
    tt_err e = TT_OK;
    tt_arena *a = tt_arena_new(1 << 14);
    for (int i = 0; i < s->n && e == TT_OK; i++) {
        if (owner[i] != m->rank) continue;
        tt_reader r;
        tt_arena_reset(a);
        e = tt_source_read(&s->spec[i], job->data.on_bad_row == TT_BAD_FAIL, job->train.objective == TT_OBJ_SPAN, a,
                           &r);
        if (e == TT_OK) tt_rows_pack(&r.rows, out);
        tt_rows_fini(&r.rows);
        tt_watch_kick("reading data sets");
    }
    tt_arena_free(a);
    return e;
}

/* ---- sharing -------------------------------------------------------------------------------------------------------*/

static void describe(const tt_spec *s, const tt_pack *p, tt_setinfo *out)
{
    *out = (tt_setinfo){.name = s->name,
                        .category = p->category,
                        .path = s->path,
                        .format = s->format->name,
                        .collection = s->collection,
                        .dataset = s->dataset,
                        .language = s->language,
                        .licence = s->licence,
                        .mixture = s->mixture,
                        .held_out = s->held_out,
                        .rows = p->nrow,
                        .file_rows = p->nrow,
                        .quarantined = p->nbad,
                        .declared = s->declared,
                        .cap = s->cap,
                        .weight = s->weight,
                        .ntemplate = s->templates->n};
}

static tt_set *set_new(whole *w, const tt_spec *s, const tt_pack *p)
{
    tt_set *set = TT_ZNEW(w->a, tt_set, 1);
    tt_segment *seg = TT_NEW(w->a, tt_segment, 1);
    tt_pack_segment(p, seg);
    describe(s, p, &set->info);
    set->spec = s;
    set->style = s->style;
    set->pool_col = TT_NEW(w->a, int, s->templates->ncol + 1);
    set->nseg = 1;
    set->seg = seg;
    return set;
}

/* A data set without a usable row is a mistake of the job, unless only the cut left it empty. */
static tt_err check_rows(const tt_spec *s, const tt_pack *p)
{
    if (p->nrow) return TT_OK;
    if (s->split && !p->nbad) {
        tt_warn_once(s->path, "%s: the split takes none of its rows; it stays empty", s->name);
        return TT_OK;
    }
    if (p->nbad)
        return tt_fail(TT_EDATA, "%s:%d: %s has no usable row: %lld are bad, the first: %s", s->at->file, s->at->line,
                       s->path, (long long)p->nbad, p->first_bad);
    return tt_fail(TT_EDATA, "%s:%d: %s has no rows; leave it out or mend it", s->at->file, s->at->line, s->path);
}

enum { BAD_SETS_TOLD = 5 }; /* in the log; quarantine.jsonl has them all */

static void report_bad(const whole *w)
{
    const tt_sets *s = &w->sets;
    int told = 0;
    for (int i = 0; i < s->n && told < BAD_SETS_TOLD; i++) {
        const tt_setinfo *info = &s->set[i]->info;
        if (!info->quarantined) continue;
        tt_log("warning: %s: %lld of %lld rows cannot be used; the first: %s", info->name, (long long)info->quarantined,
               (long long)(info->quarantined + info->rows), w->pack[i]->first_bad);
        told++;
    }
}

/* all: the packs of rank 0, rank 1, ..., each rank's in the order of its files. */
static tt_err make_sets(whole *w, const int *owner, const size_t *off, int size)
{
    size_t *at = tt_malloc(sizeof *at * (size_t)size);
    memcpy(at, off, sizeof *at * (size_t)size);
    w->sets.set = TT_NEW(w->a, tt_set *, w->specs.n + 1);
    w->pack = TT_NEW(w->a, const tt_pack *, w->specs.n + 1);
    w->sets.nabsent = w->specs.nabsent;
    w->sets.absent = w->specs.absent;
    w->sets.held_out = w->specs.held_out;
    tt_err e = TT_OK;
    for (int i = 0; i < w->specs.n && e == TT_OK; i++) {
        const tt_spec *s = &w->specs.spec[i];
        const tt_pack *p = (const void *)((char *)w->packs + at[owner[i]]);
        at[owner[i]] += p->bytes;
        if (p->left_out) continue;
        if ((e = check_rows(s, p)) != TT_OK) break;
        w->pack[w->sets.n] = p;
        w->sets.set[w->sets.n++] = set_new(w, s, p);
        w->sets.rows += p->nrow;
        w->sets.quarantined += p->nbad;
    }
    free(at);
    return e;
}

/* Rank 0, in the order of the data sets. */
static tt_err write_quarantine(const whole *w, const char *path)
{
    const tt_sets *s = &w->sets;
    if (!path || !s->quarantined) return TT_OK;
    FILE *f = fopen(path, "a");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be opened for writing: %s", path, strerror(errno));
    for (int i = 0; i < s->n; i++) {
        const tt_pack *p = w->pack[i];
        fwrite((const char *)p + p->bad, 1, p->bad_bytes, f);
    }
    bool bad = ferror(f);
    if (fclose(f) || bad)
        return tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
    return TT_OK;
}

/* Collective. */
static tt_err read_all(const tt_mesh *m, const tt_job *job, const char *what, const char *quarantine, whole *w)
{
    int *owner = TT_NEW(w->a, int, w->specs.n + 1);
    size_t *off = TT_NEW(w->a, size_t, m->size + 1);
    choose_owners(&w->specs, m->size, owner);
    tt_buf mine = {0};
    tt_err e = tt_agree(m, parse_own(m, job, &w->specs, owner, &mine));
    if (e == TT_OK) {
        tt_allgatherv(m, mine.p, mine.n, &w->packs, off);
        tt_buf_fini(&mine);
        e = make_sets(w, owner, off, m->size); /* the same on all ranks */
        if (e == TT_OK && !strcmp(what, "data.train")) e = tt_sets_exemplars(&w->sets, &w->sets);
    }
    tt_buf_fini(&mine);
    if (e != TT_OK) return e;
    report_bad(w);
    return tt_agree(m, m->rank == 0 ? write_quarantine(w, quarantine) : TT_OK);
}

tt_err tt_sets_read(const tt_mesh *m, const tt_job *job, const tt_yaml *list, const char *what, const char *quarantine,
                    tt_sets **out)
{
    whole *w = tt_malloc(sizeof *w);
    *w = (whole){.a = tt_arena_new(1 << 16)};
    tt_err e = tt_agree(m, tt_specs_read(w->a, job, list, what, &w->specs));
    if (e == TT_OK) e = same_everywhere(m, &w->specs, what);
    if (e == TT_OK) e = read_all(m, job, what, quarantine, w);
    if (e == TT_OK && list && !w->sets.n)
        e = tt_fail(TT_EDATA, "%s: no data set is left; where matches none of the %d files", what, w->specs.n);
    if (e != TT_OK)
        tt_sets_free(&w->sets);
    else
        *out = &w->sets;
    return e;
}

void tt_sets_free(tt_sets *s)
{
    if (!s) return;
    whole *w = (whole *)(void *)s; /* sets is its first member */
    for (int i = 0; i < s->n; i++) tt_pick_free(s->set[i]->pick);
    free(w->packs);
    tt_specs_fini(&w->specs);
    tt_arena_free(w->a);
    free(w);
}

/* ---- examples --------------------------------------------------------------------------------------------------------*/

const tt_setinfo *tt_set_info(const tt_set *s) { return &s->info; }

/* The segment that holds a row of the file. */
static const tt_segment *segment_of(const tt_set *s, int64_t file_row)
{
    int lo = 0, hi = s->nseg;
    while (lo + 1 < hi) {
        int mid = (lo + hi) / 2;
        *(s->seg[mid].first <= file_row ? &lo : &hi) = mid;
    }
    return &s->seg[lo];
}

int64_t tt_set_file_row(const tt_set *s, int64_t row)
{
    assert(row >= 0 && row < s->info.rows);
    return s->pick ? tt_pick_at(s->pick, row) : row;
}

tt_rowref tt_set_file_ref(const tt_set *s, int64_t file_row, tt_cell *cell)
{
    const tt_segment *g = segment_of(s, file_row);
    int64_t at = file_row - g->first;
    const tt_cell *own = g->cell + at * g->ncol;
    if (!s->col) return (tt_rowref){g, at, own};
    for (int c = 0; c < s->spec->templates->ncol; c++) cell[c] = own[s->col[c]];
    return (tt_rowref){g, at, cell};
}

tt_rowref tt_set_row(const tt_set *s, int64_t row, tt_cell *cell)
{
    return tt_set_file_ref(s, tt_set_file_row(s, row), cell);
}

int64_t tt_set_line(const tt_set *s, int64_t row)
{
    tt_cell cell[TT_MAX_COLS];
    tt_rowref r = tt_set_row(s, row, cell);
    return r.seg->line[r.at];
}

uint64_t tt_set_key(const tt_set *s, int64_t row)
{
    tt_cell cell[TT_MAX_COLS];
    tt_rowref r = tt_set_row(s, row, cell);
    return r.seg->key[r.at];
}

void tt_set_drop(tt_set *s, int64_t file_row)
{
    if (!s->pick) s->pick = tt_pick_new(s->info.file_rows);
    tt_pick_drop(s->pick, file_row);
}

void tt_set_recount(tt_set *s)
{
    if (!s->pick) return;
    tt_pick_count(s->pick);
    s->info.rows = tt_pick_rows(s->pick);
}
