/* One run of a file's lines: read, checked, tokenized. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

void tt_haul_fini(tt_haul *h)
{
    tt_buf *all[] = {&h->line,  &h->key, &h->task, &h->cell,     &h->text_at, &h->text,
                     &h->id_at, &h->id,  &h->sure, &h->bad_line, &h->bad_row, &h->bad_text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tt_buf_fini(all[i]);
}

/* Gets r ready for rows; *first: where they begin. */
static tt_err read_head(tt_reader *r, tt_stream *s, tt_filehead *head, int64_t *first)
{
    const char *text;
    size_t size;
    TT_TRY(tt_stream_head(s, &text, &size));
    size_t bom = tt_bom(text, size);
    tt_err e = r->spec->format->head(r, text + bom, size - bom, head);
    *first = (int64_t)(bom + head->bytes);
    return e;
}

tt_err tt_chunk_kind(const tt_spec *spec, bool empty_fine, tt_stream *s, bool *lines_alone)
{
    tt_arena *a = tt_arena_new(1 << 12);
    tt_reader r;
    tt_filehead head = {0};
    int64_t first;
    tt_reader_init(&r, spec, empty_fine, a);
    tt_err e = read_head(&r, s, &head, &first);
    *lines_alone = head.lines_alone;
    tt_rows_fini(&r.rows);
    tt_arena_free(a);
    return e;
}

static int64_t count_lines(const char *text, size_t size)
{
    int64_t n = 0;
    for (size_t i = 0; i < size; i++) n += text[i] == '\n';
    return n;
}

/* ---- reading --------------------------------------------------------------------------------------------------------*/

/* Lines that start in [lo, hi). Their numbers count from the chunk's first line. */
static tt_err read_lines(tt_reader *r, tt_stream *s, const tt_filehead *head, int64_t first, int64_t lo, int64_t hi,
                         tt_load *out)
{
    char *text;
    size_t size;
    bool last;
    TT_TRY(tt_stream_lines(s, first, lo, hi, &text, &size, &last));
    int64_t lines = count_lines(text, size); /* before the parser changes the text */
    r->at = lo;
    TT_TRY(head->rows(r, text, size, 1 + out->lines));
    out->lines += lines;
    out->bytes += (int64_t)size;
    out->last = last;
    return TT_OK;
}

/* To the limit, a window after the other. */
static tt_err read_until_done(tt_reader *r, tt_stream *s, const tt_filehead *head, int64_t first, int64_t step,
                              tt_load *out)
{
    for (int64_t lo = 0; !r->done && !out->last; lo += step) TT_TRY(read_lines(r, s, head, first, lo, lo + step, out));
    out->last = true;
    return TT_OK;
}

static tt_err read_whole(tt_reader *r, const tt_filehead *head, int64_t first, tt_load *out)
{
    char *text;
    size_t size;
    TT_TRY(tt_slurp(r->spec->path, &text, &size));
    size_t from = (size_t)first < size ? (size_t)first : size;
    r->at = (int64_t)from;
    tt_err e = head->rows(r, text + from, size - from, 1 + head->lines);
    free(text);
    out->bytes = (int64_t)size;
    out->last = true;
    return e;
}

static tt_err read_rows(const tt_chunk *c, tt_stream *s, tt_reader *r, tt_load *out)
{
    tt_filehead head = {0};
    int64_t first;
    TT_TRY(read_head(r, s, &head, &first));
    out->lines = c->lo == 0 ? head.lines : 0;
    if (r->done) /* where */
        out->last = true;
    else if (!head.lines_alone)
        TT_TRY(read_whole(r, &head, first, out));
    else if (c->hi == INT64_MAX)
        TT_TRY(read_until_done(r, s, &head, first, c->step, out));
    else
        TT_TRY(read_lines(r, s, &head, first, c->lo, c->hi, out));
    out->left_out = r->rows.left_out;
    return TT_OK;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------------*/

/* Every value's ids, where they begin, and whether a prompt may take them as they are; behind them where the last end. */
static tt_err tokenize(const tt_rows *r, const tt_tok *tok, tt_haul *h, int64_t *nid)
{
    const uint64_t *at = (const void *)r->value.p;
    tt_ids ids = {0};
    tt_err e = TT_OK;
    for (int64_t v = 0; v < r->nvalue && e == TT_OK; v++) {
        uint64_t begin = (uint64_t)ids.n, stop = v + 1 < r->nvalue ? at[v + 1] : r->text.n;
        tt_buf_add(&h->id_at, &begin, sizeof begin);
        bool sure;
        e = tt_tok_body_sure(tok, r->text.p + at[v], (size_t)(stop - at[v]) - 1, &ids, &sure);
        tt_buf_add(&h->sure, &(uint8_t){sure}, 1);
    }
    uint64_t end = (uint64_t)ids.n;
    tt_buf_add(&h->id_at, &end, sizeof end);
    tt_buf_add(&h->sure, &(uint8_t){0}, 1);
    if (ids.n) tt_buf_add(&h->id, ids.id, sizeof *ids.id * (size_t)ids.n);
    *nid = ids.n;
    tt_ids_fini(&ids);
    return e;
}

static void add(tt_buf *to, const tt_buf *from) { tt_buf_add(to, from->p, from->n); }

static void stow(const tt_rows *r, int64_t set, tt_haul *h)
{
    uint64_t end = r->text.n;
    int32_t task = (int32_t)set;
    add(&h->line, &r->line);
    add(&h->key, &r->key);
    for (int64_t i = 0; i < r->nrow; i++) tt_buf_add(&h->task, &task, sizeof task);
    add(&h->cell, &r->cell);
    add(&h->text_at, &r->value);
    tt_buf_add(&h->text_at, &end, sizeof end);
    add(&h->text, &r->text);
    add(&h->bad_line, &r->bad_line);
    add(&h->bad_row, &r->bad_row);
    add(&h->bad_text, &r->bad_text);
}

static void describe(const tt_rows *r, tt_load *out)
{
    out->ncol = r->ncol;
    out->nrow = r->nrow;
    out->nvalue = r->nvalue;
    out->text = (int64_t)r->text.n;
    out->nbad = r->nbad;
    out->bad_text = (int64_t)r->bad_text.n;
    memcpy(out->category, r->category, sizeof out->category);
    if (!r->nbad) return;
    memcpy(&out->bad_at, r->bad_line.p, sizeof out->bad_at);
    snprintf(out->first_bad, sizeof out->first_bad, "%s", r->bad_text.p);
}

/* A chunk without rows and bad rows makes no segment. */
static tt_err keep(const tt_chunk *c, const tt_rows *r, const tt_tok *tok, tt_haul *h, tt_load *out)
{
    describe(r, out);
    if (!r->nrow && !r->nbad) return TT_OK;
    stow(r, c->set, h);
    return tokenize(r, tok, h, &out->nid);
}

tt_err tt_chunk_read(const tt_chunk *c, tt_stream *s, const tt_tok *tok, tt_haul *h, tt_load *out)
{
    tt_arena *a = tt_arena_new(1 << 12);
    tt_reader r;
    tt_reader_init(&r, c->spec, c->empty_fine, a);
    r.whole = r.unfit = true;
    *out = (tt_load){.set = c->set};
    tt_err e = read_rows(c, s, &r, out);
    if (e == TT_OK) e = keep(c, &r.rows, tok, h, out);
    tt_rows_fini(&r.rows);
    tt_arena_free(a);
    return e;
}
