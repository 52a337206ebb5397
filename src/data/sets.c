/* Data sets: each file is parsed by one rank, and all ranks share the packed rows. */
#include "sets.h"
#include "source.h"
#include "store.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct whole { /* what tt_sets_free gets back: the sets, and what they stand on */
    tt_sets sets;
    tt_arena *a;
    tt_specs specs;
    void *packs;     /* of files that were parsed */
    tt_shelf *shelf; /* or the store that they were opened from */
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

void tt_set_describe(tt_set *out, const char *category, int64_t rows)
{
    const tt_spec *s = out->spec;
    out->info = (tt_setinfo){.name = s->name,
                             .category = category,
                             .path = s->path,
                             .format = s->format->name,
                             .collection = s->collection,
                             .dataset = s->dataset,
                             .language = s->language,
                             .licence = s->licence,
                             .mixture = s->mixture,
                             .held_out = s->held_out,
                             .rows = rows,
                             .file_rows = rows,
                             .declared = s->declared,
                             .metrics = s->metrics,
                             .answer = s->answer,
                             .cap = s->cap,
                             .weight = s->weight,
                             .ntemplate = s->templates->n,
                             .options = s->templates->options != NULL};
}

static tt_set *set_new(whole *w, const tt_spec *s, const tt_pack *p)
{
    tt_set *set = TT_ZNEW(w->a, tt_set, 1);
    tt_segment *seg = TT_NEW(w->a, tt_segment, 1);
    tt_pack_segment(p, seg);
    set->spec = s;
    tt_set_describe(set, p->category, p->nrow);
    set->info.quarantined = p->nbad;
    set->nseg = 1;
    set->seg = seg;
    set->nbad = 1;
    tt_badrun *bad = TT_NEW(w->a, tt_badrun, 1);
    tt_pack_bad(p, bad);
    set->bad = bad;
    return set;
}

/* "line 40 has no ..." */
static const char *first_bad(const tt_set *s, char *text, size_t size)
{
    for (int i = 0; i < s->nbad; i++)
        if (s->bad[i].n) {
            snprintf(text, size, "line %lld %s", (long long)s->bad[i].line[0], s->bad[i].text);
            break;
        }
    return text;
}

/* A data set without a usable row is a mistake of the job, unless only the cut left it empty. */
static tt_err check_rows(const tt_set *set)
{
    const tt_spec *s = set->spec;
    char first[400];
    if (set->info.rows) return TT_OK;
    if (s->split && !set->info.quarantined) {
        tt_warn_once(s->path, "%s: the split takes none of its rows; it stays empty", s->name);
        return TT_OK;
    }
    if (set->info.quarantined)
        return tt_fail(TT_EDATA, "%s:%d: %s has no usable row: %lld are bad, the first: %s", s->at->file, s->at->line,
                       s->path, (long long)set->info.quarantined, first_bad(set, first, sizeof first));
    return tt_fail(TT_EDATA, "%s:%d: %s has no rows; leave it out or mend it", s->at->file, s->at->line, s->path);
}

enum { BAD_SETS_TOLD = 5 }; /* in the log; quarantine.jsonl has them all */

static void report_bad(const whole *w)
{
    const tt_sets *s = &w->sets;
    int told = 0;
    char first[400];
    for (int i = 0; i < s->n && told < BAD_SETS_TOLD; i++) {
        const tt_setinfo *info = &s->set[i]->info;
        if (!info->quarantined) continue;
        tt_log("warning: %s: %lld of %lld rows cannot be used; the first: %s", info->name, (long long)info->quarantined,
               (long long)(info->quarantined + info->rows), first_bad(s->set[i], first, sizeof first));
        told++;
    }
}

static tt_err add_set(whole *w, tt_set *set)
{
    TT_TRY(check_rows(set));
    set->style = set->spec->style;
    set->pool_col = TT_NEW(w->a, int, set->spec->templates->ncol + 1);
    w->sets.set[w->sets.n++] = set;
    w->sets.rows += set->info.rows;
    w->sets.quarantined += set->info.quarantined;
    return TT_OK;
}

/* all: the packs of rank 0, rank 1, ..., each rank's in the order of its files. */
static tt_err make_sets(whole *w, const int *owner, const size_t *off, int size)
{
    size_t *at = tt_malloc(sizeof *at * (size_t)size);
    memcpy(at, off, sizeof *at * (size_t)size);
    tt_err e = TT_OK;
    for (int i = 0; i < w->specs.n && e == TT_OK; i++) {
        const tt_spec *s = &w->specs.spec[i];
        const tt_pack *p = (const void *)((char *)w->packs + at[owner[i]]);
        at[owner[i]] += p->bytes;
        if (p->left_out) continue;
        e = add_set(w, set_new(w, s, p));
    }
    free(at);
    return e;
}

static void write_bad(FILE *f, const tt_set *s, int64_t line, const char *why)
{
    json_t *o = json_pack("{s:s, s:s, s:I, s:s}", "dataset", s->info.name, "file", s->info.path, "line",
                          (json_int_t)line, "reason", why);
    if (o && !json_dumpf(o, f, JSON_COMPACT)) fputc('\n', f);
    json_decref(o);
}

static void write_bad_rows(FILE *f, const tt_set *s)
{
    for (int i = 0; i < s->nbad; i++) {
        const char *why = s->bad[i].text;
        for (int64_t k = 0; k < s->bad[i].n; k++, why += strlen(why) + 1) write_bad(f, s, s->bad[i].line[k], why);
    }
}

/* Rank 0, in the order of the data sets. */
static tt_err write_quarantine(const whole *w, const char *path)
{
    const tt_sets *s = &w->sets;
    if (!path || !s->quarantined) return TT_OK;
    FILE *f = fopen(path, "a");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be opened for writing: %s", path, strerror(errno));
    for (int i = 0; i < s->n; i++) write_bad_rows(f, s->set[i]);
    bool bad = ferror(f);
    if (fclose(f) || bad)
        return tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
    return TT_OK;
}

/* Collective. */
static tt_err parse_all(const tt_mesh *m, const tt_job *job, whole *w)
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
    }
    tt_buf_fini(&mine);
    return e;
}

/* What parsing would have ended at. */
static tt_err refuse_bad(const tt_job *job, const tt_set *s)
{
    char first[400] = "";
    if (job->data.on_bad_row != TT_BAD_FAIL || !s->info.quarantined) return TT_OK;
    return tt_fail(TT_EDATA, "%s: %s; mend it or set data.on_bad_row: skip", s->info.path,
                   first_bad(s, first, sizeof first));
}

/* Collective. */
static tt_err open_all(const tt_mesh *m, const tt_job *job, const char *what, whole *w)
{
    TT_TRY(tt_shelf_open(m, job, &w->specs, what, w->a, &w->shelf));
    for (int i = 0; i < tt_shelf_count(w->shelf); i++) {
        TT_TRY(refuse_bad(job, tt_shelf_set(w->shelf, i)));
        TT_TRY(add_set(w, tt_shelf_set(w->shelf, i)));
    }
    return TT_OK;
}

/* Collective. */
static tt_err read_all(const tt_mesh *m, const tt_job *job, const char *what, const char *quarantine, whole *w)
{
    w->sets.set = TT_NEW(w->a, tt_set *, w->specs.n + 1);
    w->sets.nabsent = w->specs.nabsent;
    w->sets.absent = w->specs.absent;
    w->sets.held_out = w->specs.held_out;
    TT_TRY(job->data.store && w->specs.n ? open_all(m, job, what, w) : parse_all(m, job, w));
    if (!strcmp(what, "data.train")) TT_TRY(tt_sets_exemplars(&w->sets, &w->sets)); /* the same on all ranks */
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
    for (int i = 0; i < s->n && !w->shelf; i++) tt_pick_free(s->set[i]->pick);
    tt_shelf_close(w->shelf);
    free(w->packs);
    tt_specs_fini(&w->specs);
    tt_arena_free(w->a);
    free(w);
}

tt_err tt_sets_check(const tt_sets *s, const tt_tok *t)
{
    const whole *w = (const whole *)(const void *)s;
    const char *dir, *made;
    char hash[33];
    if (!w->shelf) return TT_OK;
    made = tt_shelf_tokenizer(w->shelf, &dir);
    tt_tok_hash(t, hash);
    if (!strcmp(made, hash)) return TT_OK;
    return tt_fail(
        TT_EDATA,
        "%s: the store was made with another tokenizer (%s, the job's is %s); run tutti prepare with this job, or "
        "give it a store of its own",
        dir, made, hash);
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

bool tt_set_takes(const tt_set *s, int64_t file_row) { return !s->pick || tt_pick_has(s->pick, file_row); }

int64_t tt_set_file_line(const tt_set *s, int64_t file_row)
{
    const tt_segment *g = segment_of(s, file_row);
    return g->line[file_row - g->first];
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
