/* A part of the store: the hauls of all ranks as one column file. */
#include "store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Lengths of a chunk in the part's arrays; sums of them are places. */
typedef struct extent {
    int64_t row, cell, value, text, id, bad, bad_text;
} extent;

static bool makes_segment(const tt_load *l) { return l->nrow || l->nbad; }

static void step(extent *at, const tt_load *l)
{
    if (!makes_segment(l)) return;
    at->row += l->nrow;
    at->cell += 2 * l->ncol * l->nrow;
    at->value += l->nvalue + 1;
    at->text += l->text;
    at->id += l->nid;
    at->bad += l->nbad;
    at->bad_text += l->bad_text;
}

/* A chunk counted its lines from its own first one. */
static void number_lines(tt_haul *h, int n, const tt_load *load, const tt_place *place)
{
    int64_t *line = (void *)h->line.p, *bad = (void *)h->bad_line.p;
    for (int i = 0; i < n; i++) {
        for (int64_t k = 0; k < load[i].nrow; k++) *line++ += place[i].line;
        for (int64_t k = 0; k < load[i].nbad; k++) *bad++ += place[i].line;
    }
}

static json_t *segment_json(const tt_load *l, const tt_place *p, const extent *at)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "set",
                     (json_int_t)l->set, "first", (json_int_t)p->first, "columns", (json_int_t)l->ncol, "rows",
                     (json_int_t)l->nrow, "row", (json_int_t)at->row, "cell", (json_int_t)at->cell, "values",
                     (json_int_t)l->nvalue, "value", (json_int_t)at->value, "text_bytes", (json_int_t)l->text, "text",
                     (json_int_t)at->text, "ids", (json_int_t)l->nid, "id", (json_int_t)at->id, "bads",
                     (json_int_t)l->nbad, "bad", (json_int_t)at->bad, "bad_bytes", (json_int_t)l->bad_text, "bad_text",
                     (json_int_t)at->bad_text);
}

/* Heap. */
static char *describe(int n, const tt_load *load, const tt_place *place)
{
    json_t *o = json_pack("{s:[]}", "segments");
    extent at = {0};
    for (int i = 0; i < n; i++) {
        if (makes_segment(&load[i]))
            json_array_append_new(json_object_get(o, "segments"), segment_json(&load[i], &place[i], &at));
        step(&at, &load[i]);
    }
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text) TT_BUG("a part cannot be described");
    return text;
}

tt_err tt_part_write(const tt_mesh *m, const char *path, tt_haul *h, int n, const tt_load *load, const tt_place *place,
                     const int *first)
{
    extent lo = {0}, hi = {0}, all = {0};
    for (int i = 0; i < n; i++) {
        if (i < first[m->rank]) step(&lo, &load[i]);
        if (i < first[m->rank + 1]) step(&hi, &load[i]);
        step(&all, &load[i]);
    }
    number_lines(h, first[m->rank + 1] - first[m->rank], load + first[m->rank], place + first[m->rank]);
    const tt_col col[] = {
        {"row/line", TT_I64, all.row, lo.row, hi.row, h->line.p},
        {"row/key", TT_U64, all.row, lo.row, hi.row, h->key.p},
        {"row/task", TT_I32, all.row, lo.row, hi.row, h->task.p},
        {"cell", TT_U32, all.cell, lo.cell, hi.cell, h->cell.p},
        {"value/text", TT_U64, all.value, lo.value, hi.value, h->text_at.p},
        {"value/id", TT_U64, all.value, lo.value, hi.value, h->id_at.p},
        {"value/sure", TT_U8, all.value, lo.value, hi.value, h->sure.p},
        {"text", TT_U8, all.text, lo.text, hi.text, h->text.p},
        {"id", TT_I32, all.id, lo.id, hi.id, h->id.p},
        {"bad/line", TT_I64, all.bad, lo.bad, hi.bad, h->bad_line.p},
        {"bad/row", TT_I64, all.bad, lo.bad, hi.bad, h->bad_row.p},
        {"bad/text", TT_U8, all.bad_text, lo.bad_text, hi.bad_text, h->bad_text.p},
    };
    char *text = describe(n, load, place);
    tt_err e = tt_cols_write(m, path, sizeof col / sizeof *col, col, 1, &(tt_cktext){"segments", text});
    free(text);
    return e;
}
