#include "rows.h"

#include <stdlib.h>
#include <string.h>

void tt_buf_add(tt_buf *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n);
        b->p = tt_realloc(b->p, b->cap);
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

void tt_buf_fini(tt_buf *b)
{
    free(b->p);
    *b = (tt_buf){0};
}

void tt_rows_fini(tt_rows *r)
{
    tt_buf_fini(&r->cell);
    tt_buf_fini(&r->value);
    tt_buf_fini(&r->text);
    tt_buf_fini(&r->line);
    tt_buf_fini(&r->key);
    tt_buf_fini(&r->bad_line);
    tt_buf_fini(&r->bad_row);
    tt_buf_fini(&r->bad_text);
}

tt_cell tt_rows_value(tt_rows *r, const char *text, size_t size)
{
    uint64_t at = r->text.n;
    if (r->nvalue == UINT32_MAX) TT_BUG("a data set of more than %u values", UINT32_MAX);
    tt_buf_add(&r->value, &at, sizeof at);
    tt_buf_add(&r->text, text, size);
    tt_buf_add(&r->text, "", 1);
    return (tt_cell){(uint32_t)r->nvalue++, 1};
}

/* Appends b padded to 8 bytes; returns its place in the pack that starts at from. */
static uint64_t append(tt_buf *out, size_t from, const tt_buf *b)
{
    static const char zero[8];
    uint64_t at = out->n - from;
    tt_buf_add(out, b->p, b->n);
    tt_buf_add(out, zero, (8 - b->n % 8) % 8);
    return at;
}

/* The values' places and, behind them, the end of the last. */
static uint64_t append_ends(tt_buf *out, size_t from, const tt_rows *r)
{
    uint64_t at = out->n - from, end = r->text.n;
    tt_buf_add(out, r->value.p, r->value.n);
    tt_buf_add(out, &end, sizeof end);
    return at;
}

void tt_rows_pack(const tt_rows *r, tt_buf *out)
{
    size_t from = out->n;
    assert(from % 8 == 0 && sizeof(tt_pack) % 8 == 0);
    tt_pack h = {.ncol = r->ncol, .nrow = r->nrow, .nvalue = r->nvalue, .nbad = r->nbad, .left_out = r->left_out};
    memcpy(h.category, r->category, sizeof h.category);
    tt_buf_add(out, &h, sizeof h);
    h.cell = append(out, from, &r->cell);
    h.value = append_ends(out, from, r);
    h.text = append(out, from, &r->text);
    h.line = append(out, from, &r->line);
    h.key = append(out, from, &r->key);
    h.bad_line = append(out, from, &r->bad_line);
    h.bad_text = append(out, from, &r->bad_text);
    h.bytes = out->n - from;
    memcpy(out->p + from, &h, sizeof h);
}

void tt_pack_segment(const tt_pack *p, tt_segment *out)
{
    const char *base = (const char *)p;
    *out = (tt_segment){.nrow = p->nrow,
                        .ncol = (int)p->ncol,
                        .cell = (const void *)(base + p->cell),
                        .line = (const void *)(base + p->line),
                        .key = (const void *)(base + p->key),
                        .text_at = (const void *)(base + p->value),
                        .text = base + p->text};
}

void tt_pack_bad(const tt_pack *p, tt_badrun *out)
{
    const char *base = (const char *)p;
    *out = (tt_badrun){.n = p->nbad, .line = (const void *)(base + p->bad_line), .text = base + p->bad_text};
}

const char *tt_segment_value(const void *segment, uint32_t value)
{
    const tt_segment *s = segment;
    return s->text + s->text_at[value];
}
