/* The table of formats, and the checks that every row passes. */
#include "source.h"
#include "split.h"
#include "utf8.h"
#include "values.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

size_t tt_bom(const char *text, size_t size) { return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; }

static const char *const superni_columns[] = {"definition", "examples", "input", "output", NULL};
static const char *const dialogsum_columns[] = {"dialogue", "summary", "topic", NULL};
static const char *const samsum_columns[] = {"dialogue", "summary", NULL};
static const char *const alpaca_columns[] = {"instruction", "input", "output", NULL};
static const char *const flan_columns[] = {"inputs", "targets", NULL};
static const char *const prompt_columns[] = {"prompt", "completion", NULL};
static const char *const text_columns[] = {"text", NULL};

#define SOURCE_TARGET                                  \
    {                                                  \
        {                                              \
            .source = "{source}", .target = "{target}" \
        }                                              \
    }
#define DIALOGUE                                                                              \
    {                                                                                         \
        {.source = "Summarize the following dialogue.\n\n{dialogue}", .target = "{summary}"}, \
            {.source = "{dialogue}\n\nWhat was this dialogue about?", .target = "{summary}"}, \
        {                                                                                     \
            .source = "{dialogue}\n\nBriefly summarize that dialogue.", .target = "{summary}" \
        }                                                                                     \
    }

/* superni's default is the prompt of Tk-Instruct (Wang et al. 2022); its exemplars are other instances. */
static const tt_format formats[] = {
    {"jsonl", {".jsonl", ".ndjson"}, NULL, false, tt_head_jsonl, SOURCE_TARGET},
    {"json", {".json"}, NULL, false, tt_head_json, SOURCE_TARGET},
    {"tsv", {".tsv"}, NULL, false, tt_head_tsv, SOURCE_TARGET},
    {"csv", {".csv"}, NULL, false, tt_head_csv, SOURCE_TARGET},
    {"superni",
     {0},
     superni_columns,
     false,
     tt_head_superni,
     {{.head = "Definition: {definition}\n\n",
       .exemplar = "Positive Example -\nInput: {input}\nOutput: ",
       .source = "Now complete the following example -\nInput: {input}\nOutput: ",
       .target = "{output}"}}},
    {"dialogsum", {0}, dialogsum_columns, true, tt_head_json, DIALOGUE},
    {"samsum", {0}, samsum_columns, false, tt_head_json, DIALOGUE},
    {"alpaca",
     {0},
     alpaca_columns,
     false,
     tt_head_json,
     {{.source = "{instruction}\n\n{input}", .target = "{output}", .when = "input"},
      {.source = "{instruction}", .target = "{output}", .unless = "input"}}},
    {"flan", {0}, flan_columns, false, tt_head_json, {{.source = "{inputs}", .target = "{targets}"}}},
    {"prompt_completion", {0}, prompt_columns, false, tt_head_json, {{.source = "{prompt}", .target = "{completion}"}}},
    {"headed", {0}, NULL, false, tt_head_headed, SOURCE_TARGET},
    {"nested", {0}, NULL, false, tt_head_nested, SOURCE_TARGET},
    {"text", {".txt", ".text"}, text_columns, false, tt_head_text, {{.source = "{text}", .target = ""}}},
};
enum { NFORMAT = sizeof formats / sizeof *formats };

const tt_format *tt_format_named(const char *name)
{
    for (int i = 0; i < NFORMAT; i++)
        if (!strcmp(formats[i].name, name)) return &formats[i];
    return NULL;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && !memcmp(s + n - k, end, k);
}

const tt_format *tt_format_of(const char *path)
{
    size_t n = strlen(path);
    if (ends_with(path, n, ".gz")) n -= 3;
    for (int i = 0; i < NFORMAT; i++)
        for (int j = 0; j < 4 && formats[i].ends[j]; j++)
            if (ends_with(path, n, formats[i].ends[j])) return &formats[i];
    return NULL;
}

const char *tt_format_names(void)
{
    return "jsonl, json, tsv, csv, superni, dialogsum, samsum, alpaca, flan, prompt_completion, "
           "headed, nested, text";
}

/* ---- rows -----------------------------------------------------------------------------------------------------------*/

static const char *row_value(const void *ctx, uint32_t i)
{
    const tt_rows *r = ctx;
    return r->text.p + ((const uint64_t *)(const void *)r->value.p)[i];
}

static void keep_row(tt_reader *r)
{
    r->mark[0] = (int64_t)r->rows.value.n;
    r->mark[1] = (int64_t)r->rows.text.n;
    r->mark[2] = r->rows.nvalue;
}

static void forget_row(tt_reader *r)
{
    r->rows.value.n = (size_t)r->mark[0];
    r->rows.text.n = (size_t)r->mark[1];
    r->rows.nvalue = r->mark[2];
}

void tt_row_begin(tt_reader *r, int64_t line)
{
    r->line = line;
    r->trouble[0] = 0;
    r->hard = false;
    keep_row(r);
    for (int c = 0; c < r->rows.ncol; c++) r->cell[c] = r->fixed[c];
}

static void note(tt_reader *r, const char *fmt, va_list ap)
{
    if (!r->trouble[0]) vsnprintf(r->trouble, sizeof r->trouble, fmt, ap);
}

void tt_row_trouble(tt_reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(r, fmt, ap);
    va_end(ap);
    r->hard = true;
}

void tt_row_lacking(tt_reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(r, fmt, ap);
    va_end(ap);
}

/* The text to show for a stored one; what values does not list makes the row bad. */
static void shown_value(tt_reader *r, int col, const char **text, size_t *size)
{
    const tt_yaml *map = r->spec->values ? r->spec->values[col] : NULL;
    const char *shown = map ? tt_values_find(map, *text, *size) : NULL;
    if (map && !shown)
        tt_row_trouble(r, "has '%.*s' in \"%s\", which values.%s does not list", (int)(*size < 40 ? *size : 40), *text,
                       r->spec->key[col], map->key);
    if (!shown) return;
    *text = shown;
    *size = strlen(shown);
}

void tt_row_value(tt_reader *r, int col, const char *text, size_t size)
{
    shown_value(r, col, &text, &size);
    const char *name = r->spec->templates->col[col];
    if (memchr(text, 0, size)) tt_row_trouble(r, "has a zero byte in \"%s\"", name);
    if (!tt_utf8_valid(text, size)) tt_row_trouble(r, "has bytes in \"%s\" that are not UTF-8", name);
    tt_cell v = tt_rows_value(&r->rows, text, size);
    if (!r->cell[col].n)
        r->cell[col] = v;
    else
        r->cell[col].n++;
    assert(r->cell[col].first + r->cell[col].n == v.first + 1);
}

int tt_row_missing(const tt_reader *r)
{
    for (int c = 0; c < r->rows.ncol; c++)
        if (!r->cell[c].n && !r->spec->templates->optional[c]) return c;
    return -1;
}

const char *tt_row_fault(const tt_spec *spec, bool empty_fine, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    int fits = 0;
    for (int i = 0; i < spec->templates->n; i++) {
        const tt_template *t = &spec->templates->t[i];
        if (!tt_template_fits(t, cell, value, ctx)) continue;
        fits++;
        if (tt_pattern_blank(&t->source, cell, value, ctx)) return "has an empty source";
        bool none = t->target.n == 0 && empty_fine;
        if (!none && tt_pattern_blank(&t->target, cell, value, ctx)) return "has an empty target";
    }
    return fits ? NULL : "fits no template (when, unless)";
}

static void quarantine(tt_reader *r, int64_t line, int64_t row, const char *why)
{
    tt_buf_add(&r->rows.bad_line, &line, sizeof line);
    tt_buf_add(&r->rows.bad_row, &row, sizeof row);
    tt_buf_add(&r->rows.bad_text, why, strlen(why) + 1);
    r->rows.nbad++;
}

static void add_row(tt_reader *r, uint64_t key)
{
    tt_buf_add(&r->rows.line, &r->line, sizeof r->line);
    tt_buf_add(&r->rows.key, &key, sizeof key);
    tt_buf_add(&r->rows.cell, r->cell, sizeof *r->cell * (size_t)r->rows.ncol);
    r->rows.nrow++;
    keep_row(r);
}

tt_err tt_row_end(tt_reader *r)
{
    const tt_spec *s = r->spec;
    int missing = tt_row_missing(r);
    if (missing >= 0)
        tt_row_lacking(r, "has no \"%s\"; map it with fields.%s", s->key[missing], s->templates->col[missing]);
    const char *why = r->trouble[0] ? r->trouble : tt_row_fault(s, r->empty_fine, r->cell, row_value, &r->rows);
    if (why && (r->hard || !r->unfit)) return tt_row_bad(r, r->line, "%s", why);
    if (why) quarantine(r, r->line, r->rows.nrow, why);
    uint64_t key = tt_row_key(s->templates, r->cell, row_value, &r->rows);
    bool takes = !why && tt_split_takes(s->split, key);
    if (takes || r->whole)
        add_row(r, key);
    else
        forget_row(r);
    r->taken += takes;
    r->done = s->limit > 0 && r->taken >= s->limit;
    return TT_OK;
}

/* Cuts at the last whole character. */
static void whole_chars(char *s)
{
    size_t at = 0, size = strlen(s);
    for (size_t n; (n = tt_utf8_char(s + at, size - at)); at += n) {
    }
    s[at] = 0;
}

tt_err tt_row_bad(tt_reader *r, int64_t line, const char *fmt, ...)
{
    char why[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    whole_chars(why);
    forget_row(r);
    if (r->fail)
        return tt_fail(TT_EDATA, "%s: line %lld %s%s or set data.on_bad_row: skip", r->spec->path, (long long)line, why,
                       strchr(why, ';') ? "" : "; mend it");
    quarantine(r, line, -1, why);
    return TT_OK;
}

void tt_reader_init(tt_reader *r, const tt_spec *spec, bool empty_fine, tt_arena *a)
{
    int ncol = spec->templates->ncol;
    *r = (tt_reader){.spec = spec,
                     .empty_fine = empty_fine,
                     .cell = TT_ZNEW(a, tt_cell, ncol + 1),
                     .fixed = TT_ZNEW(a, tt_cell, ncol + 1),
                     .field = TT_ZNEW(a, int, ncol + 1)};
    r->rows.ncol = ncol;
    snprintf(r->rows.category, sizeof r->rows.category, "%s", spec->category ? spec->category : "none");
    tt_row_begin(r, 1);
}

tt_err tt_source_read(const tt_spec *spec, bool fail, bool empty_fine, tt_arena *a, tt_reader *r)
{
    char *text;
    size_t size, bom;
    tt_filehead head = {0};
    tt_reader_init(r, spec, empty_fine, a);
    r->fail = fail;
    TT_TRY(tt_slurp(spec->path, &text, &size));
    bom = tt_bom(text, size);
    tt_err e = spec->format->head(r, text + bom, size - bom, &head);
    head.bytes += bom;
    r->at = (int64_t)head.bytes;
    if (e == TT_OK && !r->done) e = head.rows(r, text + head.bytes, size - head.bytes, head.lines + 1);
    free(text);
    return e;
}
