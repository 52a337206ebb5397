/* TSV (no quotes: every tab ends a field) and CSV (RFC 4180: quotes, doubled quotes, line ends inside quotes). */
#include "source.h"

#include <stdlib.h>
#include <string.h>

typedef struct field {
    const char *text;
    size_t size;
} field;

typedef struct record {
    int n, cap;
    field *field;
    const char *fault; /* why it is no record; NULL: none */
    int64_t line;      /* where it starts */
} record;

typedef struct cursor {
    char *p, *end;
    int64_t line; /* of p */
} cursor;

typedef void next_fn(cursor *c, record *out); /* c->p < c->end */

static void push(record *out, const char *text, size_t size)
{
    if (out->n == out->cap) {
        out->cap = out->cap ? 2 * out->cap : 16;
        out->field = tt_realloc(out->field, sizeof *out->field * (size_t)out->cap);
    }
    out->field[out->n++] = (field){text, size};
}

static char *line_end(const cursor *c)
{
    char *nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
    return nl ? nl : c->end;
}

static void next_line(cursor *c, char *end)
{
    c->p = end < c->end ? end + 1 : end;
    c->line++;
}

/* Fields of [from, to) between separators; a carriage return at the end belongs to the line end. */
static void next_tsv(cursor *c, record *out)
{
    char *end = line_end(c), *stop = end > c->p && end[-1] == '\r' ? end - 1 : end;
    for (char *from = c->p;;) {
        char *tab = memchr(from, '\t', (size_t)(stop - from));
        push(out, from, (size_t)((tab ? tab : stop) - from));
        if (!tab) break;
        from = tab + 1;
    }
    next_line(c, end);
}

/* The closing quote of the field whose first byte behind the quote is p; NULL: there is none. */
static char *closing_quote(char *p, const char *end)
{
    for (; (p = memchr(p, '"', (size_t)(end - p))); p += 2)
        if (p + 1 == end || p[1] != '"') return p;
    return NULL;
}

/* Doubled quotes become one, in place. Counts the lines inside. */
static size_t unquote(char *from, const char *to, int64_t *lines)
{
    char *w = from;
    for (const char *s = from; s < to; s++) {
        *lines += *s == '\n';
        *w++ = *s;
        if (*s == '"') s++;
    }
    return (size_t)(w - from);
}

/* Drops the physical line at which the record starts and goes on behind it. */
static void give_up(cursor *c, record *out, char *start, const char *why)
{
    out->fault = why;
    c->p = start;
    c->line = out->line;
    next_line(c, line_end(c));
}

static bool at_line_end(const cursor *c, const char *p) { return p == c->end || *p == '\n'; }

/* One field at c->p; afterwards c->p stands on the comma or the line end. False: the record is at fault. */
static bool csv_field(cursor *c, record *out, char *start)
{
    if (c->p == c->end || *c->p != '"') {
        char *to = c->p;
        while (!at_line_end(c, to) && *to != ',') to++;
        bool cr = at_line_end(c, to) && to > c->p && to[-1] == '\r';
        push(out, c->p, (size_t)(to - c->p) - cr);
        c->p = to;
        return true;
    }
    char *from = c->p + 1, *close = closing_quote(from, c->end);
    if (!close) return give_up(c, out, start, "opens a quote that is never closed"), false;
    char *after = close + 1;
    if (after < c->end && *after == '\r' && at_line_end(c, after + 1)) after++;
    if (!at_line_end(c, after) && *after != ',')
        return give_up(c, out, start, "has text behind a closing quote"), false;
    push(out, from, unquote(from, close, &c->line));
    c->p = after;
    return true;
}

static void next_csv(cursor *c, record *out)
{
    char *start = c->p;
    for (;;) {
        if (!csv_field(c, out, start)) return;
        if (at_line_end(c, c->p)) break;
        c->p++;
    }
    next_line(c, c->p);
}

static void next_record(cursor *c, next_fn *next, record *out)
{
    out->n = 0;
    out->fault = NULL;
    out->line = c->line;
    next(c, out);
}

/* ---- columns ---------------------------------------------------------------------------------------------------------*/

static void names_of_list(const tt_yaml *list, record *out)
{
    for (int i = 0; i < list->n; i++)
        if (list->child[i]->kind == TT_SCALAR) push(out, list->child[i]->text, strlen(list->child[i]->text));
}

static int find(const record *names, const char *key)
{
    for (int i = 0; i < names->n; i++)
        if (strlen(key) == names->field[i].size && !memcmp(key, names->field[i].text, names->field[i].size)) return i;
    return -1;
}

static tt_err no_column(const tt_reader *r, const record *names, int c)
{
    char list[512] = "";
    for (int i = 0; i < names->n && strlen(list) < 400; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%.*s", i ? ", " : "", (int)(names->field[i].size % 64),
                 names->field[i].text);
    }
    const tt_yaml *at = r->spec->at;
    return tt_fail(TT_EJOB, "%s:%d: %s has no column \"%s\" (it has %s); map it with fields.%s", at->file, at->line,
                   r->spec->path, r->spec->key[c], list, r->spec->templates->col[c]);
}

/* r->field[c]: the field that holds column c, -1 if an optional one is absent. */
static tt_err place_columns(tt_reader *r, const record *names)
{
    r->width = names->n;
    for (int c = 0; c < r->rows.ncol; c++) {
        r->field[c] = find(names, r->spec->key[c]);
        if (r->field[c] < 0 && !r->spec->templates->optional[c]) return no_column(r, names, c);
    }
    return TT_OK;
}

static tt_err put_record(tt_reader *r, const record *rec)
{
    tt_row_begin(r, rec->line);
    if (rec->fault) return tt_row_bad(r, rec->line, "%s", rec->fault);
    if (rec->n == 1 && rec->field[0].size == 0) return TT_OK; /* an empty line */
    if (rec->n != r->width) return tt_row_bad(r, rec->line, "has %d fields where %d are needed", rec->n, r->width);
    for (int c = 0; c < r->rows.ncol; c++)
        if (r->field[c] >= 0) tt_row_value(r, c, rec->field[r->field[c]].text, rec->field[r->field[c]].size);
    return tt_row_end(r);
}

static tt_err read_rows(tt_reader *r, cursor *c, next_fn *next, record *rec)
{
    while (c->p < c->end && !r->done) {
        next_record(c, next, rec);
        TT_TRY(put_record(r, rec));
    }
    return TT_OK;
}

/* The names of the job's columns, or those of the first record, which is then the head. */
static tt_err read_names(tt_reader *r, cursor *c, next_fn *next, record *names)
{
    if (r->spec->columns)
        names_of_list(r->spec->columns, names);
    else if (c->p < c->end)
        next_record(c, next, names);
    if (names->fault) return tt_fail(TT_EDATA, "%s: line 1 %s; it must name the columns", r->spec->path, names->fault);
    return place_columns(r, names);
}

static tt_err parse_tsv(tt_reader *r, char *text, size_t size, int64_t line)
{
    cursor c = {text, text + size, line};
    record rec = {0};
    tt_err e = read_rows(r, &c, next_tsv, &rec);
    free(rec.field);
    return e;
}

tt_err tt_head_tsv(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    cursor c = {(char *)text, (char *)text + size, 1}; /* next_tsv changes nothing */
    record names = {0};
    tt_err e = read_names(r, &c, next_tsv, &names);
    *out = (tt_filehead){(size_t)(c.p - text), c.line - 1, parse_tsv, true};
    free(names.field);
    return e;
}

/* Line ends stand inside quotes, too: where a row starts is known only from the start of the file. */
static tt_err parse_csv(tt_reader *r, char *text, size_t size, int64_t line)
{
    cursor c = {text, text + size, line};
    record rec = {0};
    tt_err e = read_names(r, &c, next_csv, &rec);
    if (e == TT_OK) e = read_rows(r, &c, next_csv, &rec);
    free(rec.field);
    return e;
}

tt_err tt_head_csv(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    *out = (tt_filehead){.rows = parse_csv};
    return TT_OK;
}
