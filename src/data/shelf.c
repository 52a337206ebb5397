/* Opening data sets from a token store: views of mapped parts, after checking that they are what the job means. */
#include "pick.h"
#include "split.h"
#include "store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct piece { /* a segment of some set, and its bad rows */
    int64_t set;
    tt_segment seg;
    tt_badrun bad;
} piece;

struct tt_shelf {
    const char *dir;
    tt_manifest man;
    int ncols;
    tt_cols **cols;
    int npiece, cap;
    piece *piece; /* by set and first row */
    int nset;
    tt_set **set;
    int nheap;
    void **heap; /* row keys that were made anew */
};

/* ---- does the store fit the job? ----------------------------------------------------------------------------------------*/

/* Rank 0 reads, all parse. Collective. */
static tt_err read_manifest(const tt_mesh *m, const tt_job *job, tt_shelf *s)
{
    char *text = NULL;
    TT_TRY(tt_agree(m, m->rank == 0 ? tt_manifest_load(s->dir, &text) : TT_OK));
    uint64_t n = text ? strlen(text) + 1 : 0;
    tt_bcast(m, &n, sizeof n, 0);
    if (!n)
        return tt_fail(TT_EDATA, "%s: data.store %s holds no token store; make it with: tutti prepare %s", job->file,
                       s->dir, job->file);
    if (m->rank) text = tt_malloc(n);
    tt_bcast(m, text, n, 0);
    tt_err e = tt_manifest_parse(s->dir, text, &s->man);
    free(text);
    return tt_agree(m, e);
}

/* A set of the same file that lacks something, to say what. */
static tt_err not_there(const tt_shelf *s, const tt_job *job, const tt_spec *spec, const tt_want *want)
{
    for (int i = 0; i < s->man.n; i++) {
        const tt_want *have = &s->man.set[i].want;
        if (have->tag != want->tag || (*have->cut && strcmp(have->cut, want->cut))) continue;
        for (int c = 0; c < want->ncol; c++) {
            bool found = false;
            for (int k = 0; k < have->ncol; k++)
                found = found || (!strcmp(have->col[k], want->col[c]) && !strcmp(have->key[k], want->key[c]));
            if (!found)
                return tt_fail(TT_EDATA,
                               "%s:%d: the store %s keeps %s without column \"%s\"; run tutti prepare %s again",
                               spec->at->file, spec->at->line, s->dir, spec->path, want->key[c], job->file);
        }
    }
    return tt_fail(TT_EDATA, "%s:%d: %s is not in the store %s (read as %s); run tutti prepare %s again",
                   spec->at->file, spec->at->line, spec->path, s->dir, spec->format->name, job->file);
}

/* kept[i]: the set of spec i. */
static tt_err find_sets(const tt_shelf *s, const tt_job *job, const tt_specs *specs, tt_arena *a, int *kept)
{
    bool empty_fine = job->train.objective == TT_OBJ_SPAN;
    for (int i = 0; i < specs->n; i++) {
        const tt_spec *spec = &specs->spec[i];
        tt_want want = tt_want_of(spec, empty_fine, a);
        kept[i] = tt_manifest_find(&s->man, &want);
        if (kept[i] < 0) return not_there(s, job, spec, &want);
        if (!s->man.set[kept[i]].done)
            return tt_fail(TT_EDATA, "%s:%d: %s is only partly in the store %s; run tutti prepare %s again to go on",
                           spec->at->file, spec->at->line, spec->path, s->dir, job->file);
    }
    return TT_OK;
}

static tt_err changed(const tt_shelf *s, const tt_job *job, const tt_spec *spec)
{
    return tt_fail(TT_EDATA, "%s:%d: %s has changed since it was put into the store %s; run tutti prepare %s again",
                   spec->at->file, spec->at->line, spec->path, s->dir, job->file);
}

/* Collective. Size and time of change as they were, or at least the content. */
static tt_err check_files(const tt_mesh *m, const tt_shelf *s, const tt_job *job, const tt_specs *specs,
                          const int *kept)
{
    int n = 0, *at = tt_malloc(sizeof *at * (size_t)(specs->n + 1));
    tt_fileid *file = tt_malloc(sizeof *file * (size_t)(specs->n + 1));
    char(*hex)[33] = tt_malloc(sizeof *hex * (size_t)(specs->n + 1));
    tt_err e = TT_OK;
    for (int i = 0; i < specs->n; i++) file[i].path = specs->spec[i].path;
    tt_files_stat(m, specs->n, file);
    for (int i = 0; i < specs->n && e == TT_OK; i++) {
        const tt_kept *k = &s->man.set[kept[i]];
        if (file[i].size != k->size) e = changed(s, job, &specs->spec[i]);
        if (file[i].mtime == k->mtime) continue;
        at[n] = i;
        file[n++] = file[i];
    }
    if (e == TT_OK) e = tt_files_hash(m, n, file, hex);
    for (int k = 0; k < n && e == TT_OK; k++)
        if (strcmp(hex[k], s->man.set[kept[at[k]]].hash)) e = changed(s, job, &specs->spec[at[k]]);
    free(hex);
    free(file);
    free(at);
    return e;
}

/* ---- parts --------------------------------------------------------------------------------------------------------------*/

typedef struct arrays { /* of a part */
    const int64_t *line, *bad_line, *bad_row;
    const uint64_t *key, *text_at, *id_at;
    const uint32_t *cell;
    const uint8_t *sure;
    const char *text, *bad_text;
    const int32_t *id;
    int64_t nrow, nvalue, ncell, ntext, nid, nbad, nbad_text;
} arrays;

static tt_err get_arrays(const tt_cols *f, arrays *a)
{
    const void *x[11];
    int64_t same;
    TT_TRY(tt_cols_need(f, "row/line", TT_I64, &x[0], &a->nrow));
    TT_TRY(tt_cols_need(f, "row/key", TT_U64, &x[1], &same));
    if (same < a->nrow) a->nrow = same;
    TT_TRY(tt_cols_need(f, "cell", TT_U32, &x[2], &a->ncell));
    TT_TRY(tt_cols_need(f, "value/text", TT_U64, &x[3], &a->nvalue));
    TT_TRY(tt_cols_need(f, "value/id", TT_U64, &x[4], &same));
    if (same < a->nvalue) a->nvalue = same;
    TT_TRY(tt_cols_need(f, "value/sure", TT_U8, &x[10], &same));
    if (same < a->nvalue) a->nvalue = same;
    TT_TRY(tt_cols_need(f, "text", TT_U8, &x[5], &a->ntext));
    TT_TRY(tt_cols_need(f, "id", TT_I32, &x[6], &a->nid));
    TT_TRY(tt_cols_need(f, "bad/line", TT_I64, &x[7], &a->nbad));
    TT_TRY(tt_cols_need(f, "bad/row", TT_I64, &x[8], &same));
    if (same < a->nbad) a->nbad = same;
    TT_TRY(tt_cols_need(f, "bad/text", TT_U8, &x[9], &a->nbad_text));
    a->line = x[0], a->key = x[1], a->cell = x[2], a->text_at = x[3], a->id_at = x[4];
    a->text = x[5], a->id = x[6], a->bad_line = x[7], a->bad_row = x[8], a->bad_text = x[9], a->sure = x[10];
    return TT_OK;
}

/* *at and *n of the segment lie in an array of size. */
static bool lies(const json_t *o, const char *place, const char *count, int64_t times, int64_t more, int64_t size,
                 int64_t *at, int64_t *n)
{
    *at = json_integer_value(json_object_get(o, place));
    *n = json_integer_value(json_object_get(o, count));
    if (*at < 0 || *n < 0 || *n > size) return false;
    return *n * times + more <= size && *at <= size - (*n * times + more);
}

static bool get_piece(const json_t *o, const arrays *a, piece *p)
{
    int64_t row, nrow, cell, value, nvalue, text, ntext, id, nid, bad, nbad, bad_text, nbad_text;
    int64_t ncol = json_integer_value(json_object_get(o, "columns"));
    if (ncol < 0 || ncol > TT_MAX_COLS) return false;
    if (!lies(o, "row", "rows", 1, 0, a->nrow, &row, &nrow) ||
        !lies(o, "cell", "rows", 2 * ncol, 0, a->ncell, &cell, &nrow) ||
        !lies(o, "value", "values", 1, 1, a->nvalue, &value, &nvalue) ||
        !lies(o, "text", "text_bytes", 1, 0, a->ntext, &text, &ntext) ||
        !lies(o, "id", "ids", 1, 0, a->nid, &id, &nid) || !lies(o, "bad", "bads", 1, 0, a->nbad, &bad, &nbad) ||
        !lies(o, "bad_text", "bad_bytes", 1, 0, a->nbad_text, &bad_text, &nbad_text))
        return false;
    if (a->text_at[value + nvalue] != (uint64_t)ntext || a->id_at[value + nvalue] != (uint64_t)nid) return false;
    *p = (piece){.set = json_integer_value(json_object_get(o, "set")),
                 .seg = {.first = json_integer_value(json_object_get(o, "first")),
                         .nrow = nrow,
                         .ncol = (int)ncol,
                         .cell = (const void *)(a->cell + cell),
                         .line = a->line + row,
                         .key = a->key + row,
                         .text_at = a->text_at + value,
                         .text = a->text + text,
                         .id_at = a->id_at + value,
                         .sure = a->sure + value,
                         .id = a->id + id},
                 .bad = {nbad, a->bad_line + bad, a->bad_row + bad, a->bad_text + bad_text}};
    return true;
}

static void add_piece(tt_shelf *s, const piece *p)
{
    if (s->npiece == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->piece = tt_realloc(s->piece, sizeof *s->piece * (size_t)s->cap);
    }
    s->piece[s->npiece++] = *p;
}

static tt_err read_pieces(tt_shelf *s, const char *path, const tt_cols *f)
{
    const char *text = tt_cols_text(f, "segments");
    arrays a = {0};
    TT_TRY(get_arrays(f, &a));
    json_t *o = json_loads(text ? text : "", 0, NULL), *each;
    size_t i;
    bool good = json_is_array(json_object_get(o, "segments"));
    json_array_foreach(json_object_get(o, "segments"), i, each)
    {
        piece p = {0};
        good = good && get_piece(each, &a, &p);
        if (good) add_piece(s, &p);
    }
    json_decref(o);
    if (good) return TT_OK;
    return tt_fail(TT_EFILE,
                   "%s: its segments do not lie in its arrays; the file is damaged, remove the store and run tutti "
                   "prepare again",
                   path);
}

static int by_place(const void *x, const void *y)
{
    const piece *a = x, *b = y;
    if (a->set != b->set) return a->set < b->set ? -1 : 1;
    if (a->seg.first != b->seg.first) return a->seg.first < b->seg.first ? -1 : 1;
    return a->seg.nrow < b->seg.nrow ? -1 : a->seg.nrow > b->seg.nrow;
}

static int by_number(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

/* Local. Maps the parts that hold any of the sets wanted: sorted ids. */
static tt_err open_parts(tt_shelf *s, int n, const int64_t *wanted)
{
    char path[4096];
    s->cols = tt_malloc(sizeof *s->cols * (size_t)(s->man.npart + 1));
    for (int i = 0; i < s->man.npart; i++) {
        const tt_partinfo *p = &s->man.part[i];
        bool used = false;
        for (int k = 0; k < p->n && !used; k++)
            used = bsearch(&p->set[k], wanted, (size_t)n, sizeof *wanted, by_number) != NULL;
        if (!used) continue;
        tt_part_path(s->dir, p->number, path);
        TT_TRY(tt_cols_open(path, &s->cols[s->ncols]));
        TT_TRY(read_pieces(s, path, s->cols[s->ncols++]));
    }
    qsort(s->piece, (size_t)s->npiece, sizeof *s->piece, by_place);
    return TT_OK;
}

static tt_err open_wanted(tt_shelf *s, int n, const int *kept)
{
    int64_t *wanted = tt_malloc(sizeof *wanted * (size_t)(n + 1));
    for (int i = 0; i < n; i++) wanted[i] = s->man.set[kept[i]].id;
    qsort(wanted, (size_t)n, sizeof *wanted, by_number);
    tt_err e = open_parts(s, n, wanted);
    free(wanted);
    return e;
}

/* ---- sets -----------------------------------------------------------------------------------------------------------------*/

/* The first piece of a set. */
static int find_pieces(const tt_shelf *s, int64_t id)
{
    int lo = 0, hi = s->npiece;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (s->piece[mid].set < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static tt_err use_pieces(const tt_shelf *s, const tt_kept *k, tt_arena *a, tt_set *out)
{
    int from = find_pieces(s, k->id), n = 0;
    int64_t rows = 0, bads = 0;
    tt_segment *seg = TT_NEW(a, tt_segment, k->segments + 1);
    tt_badrun *bad = TT_NEW(a, tt_badrun, k->segments + 1);
    bool whole = true;
    for (int i = from; i < s->npiece && s->piece[i].set == k->id && n < k->segments; i++) {
        whole = whole && s->piece[i].seg.first == rows && s->piece[i].seg.ncol == k->want.ncol;
        rows += s->piece[i].seg.nrow;
        bads += s->piece[i].bad.n;
        bad[n] = s->piece[i].bad;
        seg[n++] = s->piece[i].seg;
    }
    if (!whole || n != k->segments || rows != k->rows || bads != k->bad)
        return tt_fail(TT_EFILE,
                       "%s: rows of %s are missing or lie twice; remove the store and run tutti prepare again", s->dir,
                       k->want.path);
    out->nseg = out->nbad = n;
    out->seg = seg;
    out->bad = bad;
    return TT_OK;
}

static void map_columns(const tt_want *have, const tt_spec *spec, tt_arena *a, tt_set *out)
{
    int ncol = spec->templates->ncol, *col = TT_NEW(a, int, ncol + 1);
    bool same = ncol == have->ncol;
    for (int c = 0; c < ncol; c++) {
        for (int k = 0; k < have->ncol; k++)
            if (!strcmp(have->col[k], spec->templates->col[c]) && !strcmp(have->key[k], spec->key[c])) col[c] = k;
        same = same && col[c] == c;
    }
    out->col = same ? NULL : col;
}

/* ---- which rows --------------------------------------------------------------------------------------------------------*/

typedef struct bads { /* growing */
    tt_buf line, row, text;
    int64_t n;
} bads;

static void add_bad(bads *b, int64_t line, const char *why)
{
    tt_buf_add(&b->line, &line, sizeof line);
    tt_buf_add(&b->text, why, strlen(why) + 1);
    b->n++;
}

/* One run in the arena instead of the set's. */
static void replace_bads(tt_set *s, const bads *b, tt_arena *a)
{
    tt_badrun *run = TT_NEW(a, tt_badrun, 1);
    int64_t *line = TT_NEW(a, int64_t, b->n + 1);
    char *text = TT_NEW(a, char, b->text.n + 1);
    if (b->n) memcpy(line, b->line.p, b->line.n);
    if (b->n) memcpy(text, b->text.p, b->text.n);
    *run = (tt_badrun){b->n, line, NULL, text};
    s->nbad = 1;
    s->bad = run;
}

static void bads_fini(bads *b)
{
    tt_buf_fini(&b->line);
    tt_buf_fini(&b->text);
}

/* The templates are those of the time of preparing: its notes hold. */
static void drop_noted(tt_set *s)
{
    for (int g = 0; g < s->nbad; g++)
        for (int64_t i = 0; i < s->bad[g].n; i++)
            if (s->bad[g].row[i] >= 0 && s->bad[g].row[i] < s->seg[g].nrow)
                tt_set_drop(s, s->seg[g].first + s->bad[g].row[i]);
}

/* A row whether it is taken or not. */
static tt_rowref row_at(const tt_set *s, const tt_segment *seg, int64_t i, tt_cell *cell)
{
    const tt_cell *own = seg->cell + i * seg->ncol;
    for (int c = 0; c < s->spec->templates->ncol; c++) cell[c] = own[s->col ? s->col[c] : c];
    return (tt_rowref){seg, i, cell};
}

/* NULL: the row can be used. */
static const char *fault_of(const tt_spec *spec, bool empty_fine, const tt_rowref *r, char *text, size_t size)
{
    const tt_templates *t = spec->templates;
    for (int c = 0; c < t->ncol; c++)
        if (!r->cell[c].n && !t->optional[c]) {
            snprintf(text, size, "has no \"%s\"; map it with fields.%s", spec->key[c], t->col[c]);
            return text;
        }
    return tt_row_fault(spec, empty_fine, r->cell, tt_segment_value, r->seg);
}

/* Other templates: every row of a segment is judged again; key (NULL: as it was) receives its new content hash. The notes of rows that
 * were no rows at all stay, in order of lines. */
static void judge_segment(tt_set *s, int g, bool empty_fine, uint64_t *key, bads *out)
{
    const tt_segment *seg = &s->seg[g];
    const tt_badrun *old = &s->bad[g];
    const char *why_old = old->text;
    tt_cell cell[TT_MAX_COLS];
    char text[300];
    int64_t k = 0;
    for (int64_t i = 0; i <= seg->nrow; i++) {
        int64_t line = i < seg->nrow ? seg->line[i] : INT64_MAX;
        for (; k < old->n && old->line[k] <= line; why_old += strlen(why_old) + 1, k++)
            if (old->row[k] < 0) add_bad(out, old->line[k], why_old);
        if (i == seg->nrow) break;
        tt_rowref r = row_at(s, seg, i, cell);
        if (key) key[i] = tt_row_key(s->spec->templates, r.cell, tt_segment_value, seg);
        const char *why = fault_of(s->spec, empty_fine, &r, text, sizeof text);
        if (!why) continue;
        add_bad(out, line, why);
        tt_set_drop(s, seg->first + i);
    }
}

static uint64_t *new_keys(tt_shelf *s, int64_t n)
{
    uint64_t *key = tt_malloc(sizeof *key * (size_t)(n + 1));
    s->heap = tt_realloc(s->heap, sizeof *s->heap * (size_t)(s->nheap + 1));
    return s->heap[s->nheap++] = key;
}

static void judge_again(tt_shelf *shelf, tt_set *s, bool empty_fine, bool rekey, tt_arena *a)
{
    bads b = {0};
    uint64_t *key = rekey ? new_keys(shelf, s->info.file_rows) : NULL;
    tt_segment *seg = TT_NEW(a, tt_segment, s->nseg + 1);
    for (int g = 0; g < s->nseg; g++) {
        judge_segment(s, g, empty_fine, key ? key + s->seg[g].first : NULL, &b);
        seg[g] = s->seg[g];
        if (key) seg[g].key = key + seg[g].first;
    }
    s->seg = seg;
    replace_bads(s, &b, a);
    bads_fini(&b);
}

static void drop_other_parts(tt_set *s)
{
    for (int g = 0; g < s->nseg && s->spec->split; g++)
        for (int64_t i = 0; i < s->seg[g].nrow; i++)
            if (!tt_split_takes(s->spec->split, s->seg[g].key[i])) tt_set_drop(s, s->seg[g].first + i);
}

/* Bad rows behind the last one taken were never met when the file was read only so far. */
static void apply_limit(tt_set *s, tt_arena *a)
{
    int64_t limit = s->spec->limit, last;
    bads b = {0};
    tt_set_recount(s);
    if (!limit || s->info.rows < limit) return;
    last = tt_set_line(s, limit - 1);
    for (int64_t i = tt_set_file_row(s, limit - 1) + 1; i < s->info.file_rows; i++) tt_set_drop(s, i);
    for (int g = 0; g < s->nbad; g++) {
        const char *why = s->bad[g].text;
        for (int64_t i = 0; i < s->bad[g].n; i++, why += strlen(why) + 1)
            if (s->bad[g].line[i] < last) add_bad(&b, s->bad[g].line[i], why);
    }
    replace_bads(s, &b, a);
    bads_fini(&b);
    tt_set_recount(s);
}

static void choose_rows(tt_shelf *shelf, const tt_kept *k, tt_set *s, bool empty_fine, tt_arena *a)
{
    char check[33], keys[33];
    tt_templates_hash(s->spec, empty_fine, check, keys);
    if (strcmp(check, k->check))
        judge_again(shelf, s, empty_fine, strcmp(keys, k->keys) != 0, a);
    else
        drop_noted(s);
    drop_other_parts(s);
    apply_limit(s, a);
    s->info.quarantined = 0;
    for (int g = 0; g < s->nbad; g++) s->info.quarantined += s->bad[g].n;
}

static tt_err make_set(tt_shelf *s, const tt_spec *spec, const tt_kept *k, bool empty_fine, tt_arena *a)
{
    tt_set *out = TT_ZNEW(a, tt_set, 1);
    out->spec = spec;
    TT_TRY(use_pieces(s, k, a, out));
    map_columns(&k->want, spec, a, out);
    tt_set_describe(out, spec->category ? spec->category : k->category, k->rows);
    s->set[s->nset++] = out;
    choose_rows(s, k, out, empty_fine, a);
    return TT_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------*/

/* Local. */
static tt_err make_sets(tt_shelf *s, const tt_job *job, const tt_specs *specs, const int *kept, tt_arena *a)
{
    TT_TRY(open_wanted(s, specs->n, kept));
    s->set = TT_NEW(a, tt_set *, specs->n + 1);
    for (int i = 0; i < specs->n; i++) {
        const tt_kept *k = &s->man.set[kept[i]];
        if (!k->left_out) TT_TRY(make_set(s, &specs->spec[i], k, job->train.objective == TT_OBJ_SPAN, a));
        tt_watch_kick("opening data sets");
    }
    return TT_OK;
}

tt_err tt_shelf_open(const tt_mesh *m, const tt_job *job, const tt_specs *specs, const char *what, tt_arena *a,
                     tt_shelf **out)
{
    tt_shelf *s = tt_malloc(sizeof *s);
    *s = (tt_shelf){.dir = tt_strdup(a, job->data.store)};
    int *kept = TT_NEW(a, int, specs->n + 1);
    tt_err e = read_manifest(m, job, s);
    if (e == TT_OK) e = tt_agree(m, find_sets(s, job, specs, a, kept));
    if (e == TT_OK) e = check_files(m, s, job, specs, kept);
    if (e == TT_OK) e = tt_agree(m, make_sets(s, job, specs, kept, a));
    *out = s;
    return e;
}

int tt_shelf_count(const tt_shelf *s) { return s->nset; }
tt_set *tt_shelf_set(const tt_shelf *s, int i) { return s->set[i]; }

const char *tt_shelf_tokenizer(const tt_shelf *s, const char **dir)
{
    *dir = s->dir;
    return s->man.tokenizer;
}

void tt_shelf_close(tt_shelf *s)
{
    if (!s) return;
    for (int i = 0; i < s->ncols; i++) tt_cols_close(s->cols[i]);
    for (int i = 0; i < s->nheap; i++) free(s->heap[i]);
    for (int i = 0; i < s->nset; i++) tt_pick_free(s->set[i]->pick);
    free(s->heap);
    free(s->cols);
    free(s->piece);
    tt_manifest_fini(&s->man);
    free(s);
}

tt_err tt_store_verify(const tt_mesh *m, const char *dir)
{
    char *text = NULL, path[4096];
    tt_manifest man = {0};
    tt_err e = tt_manifest_load(dir, &text);
    if (e == TT_OK && !text) e = tt_fail(TT_EDATA, "%s: holds no token store", dir);
    if (e == TT_OK) e = tt_manifest_parse(dir, text, &man);
    free(text);
    e = tt_agree(m, e);
    int64_t parts[2] = {man.npart, -man.npart}; /* the manifest may have been replaced between two ranks' reading */
    tt_allmax_i64(m, parts, 2);
    if (e == TT_OK && parts[0] != -parts[1])
        e = tt_fail(TT_ERUN, "%s: changes while it is checked; wait for tutti prepare to end", dir);
    for (int i = 0; i < man.npart && e == TT_OK; i++) {
        tt_part_path(dir, man.part[i].number, path);
        e = tt_cols_verify(m, path);
        tt_watch_kick("checking the token store");
    }
    tt_manifest_fini(&man);
    return e;
}
