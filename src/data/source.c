/* The table of formats, and the checks that every row passes. */
#include "source.h"
#include "split.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const superni_columns[] = {"definition", "examples", "input", "output", NULL};
static const char *const dialogsum_columns[] = {"dialogue", "summary", "topic", NULL};
static const char *const samsum_columns[] = {"dialogue", "summary", NULL};
static const char *const alpaca_columns[] = {"instruction", "input", "output", NULL};
static const char *const flan_columns[] = {"inputs", "targets", NULL};
static const char *const prompt_columns[] = {"prompt", "completion", NULL};
static const char *const text_columns[] = {"text", NULL};

#define SOURCE_TARGET                          \
    {                                          \
        {                                      \
            "{source}", "{target}", NULL, NULL \
        }                                      \
    }
#define DIALOGUE                                                                \
    {                                                                           \
        {"Summarize the following dialogue.\n\n{dialogue}", "{summary}", 0, 0}, \
            {"{dialogue}\n\nWhat was this dialogue about?", "{summary}", 0, 0}, \
        {                                                                       \
            "{dialogue}\n\nBriefly summarize that dialogue.", "{summary}", 0, 0 \
        }                                                                       \
    }

/* superni's default is the zero-shot prompt of Tk-Instruct (Wang et al. 2022). */
static const tt_format formats[] = {
    {"jsonl", {".jsonl", ".ndjson"}, NULL, false, tt_parse_jsonl, SOURCE_TARGET},
    {"json", {".json"}, NULL, false, tt_parse_json, SOURCE_TARGET},
    {"tsv", {".tsv"}, NULL, false, tt_parse_tsv, SOURCE_TARGET},
    {"csv", {".csv"}, NULL, false, tt_parse_csv, SOURCE_TARGET},
    {"superni",
     {0},
     superni_columns,
     false,
     tt_parse_superni,
     {{"Definition: {definition}\n\nNow complete the following example -\nInput: {input}\nOutput: ", "{output}", 0,
       0}}},
    {"dialogsum", {0}, dialogsum_columns, true, tt_parse_json, DIALOGUE},
    {"samsum", {0}, samsum_columns, false, tt_parse_json, DIALOGUE},
    {"alpaca",
     {0},
     alpaca_columns,
     false,
     tt_parse_json,
     {{"{instruction}\n\n{input}", "{output}", "input", NULL}, {"{instruction}", "{output}", NULL, "input"}}},
    {"flan", {0}, flan_columns, false, tt_parse_json, {{"{inputs}", "{targets}", 0, 0}}},
    {"prompt_completion", {0}, prompt_columns, false, tt_parse_json, {{"{prompt}", "{completion}", 0, 0}}},
    {"headed", {0}, NULL, false, tt_parse_headed, SOURCE_TARGET},
    {"nested", {0}, NULL, false, tt_parse_nested, SOURCE_TARGET},
    {"text", {".txt", ".text"}, text_columns, false, tt_parse_text, {{"{text}", "", 0, 0}}},
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
    keep_row(r);
    for (int c = 0; c < r->rows.ncol; c++) r->cell[c] = r->fixed ? r->fixed[c] : (tt_cell){0};
}

void tt_row_trouble(tt_reader *r, const char *fmt, ...)
{
    if (r->trouble[0]) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->trouble, sizeof r->trouble, fmt, ap);
    va_end(ap);
}

void tt_row_value(tt_reader *r, int col, const char *text, size_t size)
{
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

/* Why no example can be made of the row; NULL if one can. */
static const char *row_fault(const tt_reader *r)
{
    int fits = 0;
    for (int i = 0; i < r->spec->templates->n; i++) {
        const tt_template *t = &r->spec->templates->t[i];
        if (!tt_template_fits(t, r->cell, row_value, &r->rows)) continue;
        fits++;
        if (tt_pattern_blank(&t->source, r->cell, row_value, &r->rows)) return "has an empty source";
        bool none = t->target.n == 0 && r->empty_fine;
        if (!none && tt_pattern_blank(&t->target, r->cell, row_value, &r->rows)) return "has an empty target";
    }
    return fits ? NULL : "fits no template (when, unless)";
}

tt_err tt_row_end(tt_reader *r)
{
    int missing = tt_row_missing(r);
    if (missing >= 0)
        tt_row_trouble(r, "has no \"%s\"; map it with fields.%s", r->spec->key[missing],
                       r->spec->templates->col[missing]);
    const char *why = r->trouble[0] ? r->trouble : row_fault(r);
    if (why) return tt_row_bad(r, r->line, "%s", why);
    uint64_t key = tt_row_key(r->spec->templates, r->cell, row_value, &r->rows);
    if (!r->whole && !tt_split_takes(r->spec->split, key)) {
        forget_row(r);
        return TT_OK;
    }
    tt_buf_add(&r->rows.line, &r->line, sizeof r->line);
    tt_buf_add(&r->rows.key, &key, sizeof key);
    tt_buf_add(&r->rows.cell, r->cell, sizeof *r->cell * (size_t)r->rows.ncol);
    r->rows.nrow++;
    keep_row(r);
    r->done = r->spec->limit > 0 && r->rows.nrow >= r->spec->limit;
    return TT_OK;
}

static void quarantine(tt_reader *r, int64_t line, const char *why)
{
    json_t *o = json_pack("{s:s, s:s, s:I, s:s}", "dataset", r->spec->name, "file", r->spec->path, "line",
                          (json_int_t)line, "reason", why);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text) {
        tt_buf_add(&r->rows.bad, text, strlen(text));
        tt_buf_add(&r->rows.bad, "\n", 1);
    }
    free(text);
    json_decref(o);
    if (!r->rows.nbad++) snprintf(r->rows.first_bad, sizeof r->rows.first_bad, "line %lld %s", (long long)line, why);
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
    quarantine(r, line, why);
    return TT_OK;
}

tt_err tt_source_read(const tt_spec *spec, bool fail, bool empty_fine, tt_arena *a, tt_reader *r)
{
    int ncol = spec->templates->ncol;
    *r = (tt_reader){.spec = spec, .fail = fail, .empty_fine = empty_fine, .cell = TT_ZNEW(a, tt_cell, ncol + 1)};
    r->rows.ncol = ncol;
    snprintf(r->rows.category, sizeof r->rows.category, "%s", spec->category ? spec->category : "none");
    char *text;
    size_t size, bom;
    TT_TRY(tt_slurp(spec->path, &text, &size));
    bom = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    tt_row_begin(r, 1);
    tt_err e = spec->format->parse(r, text + bom, size - bom);
    free(text);
    return e;
}
