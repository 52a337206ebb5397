/* Templates: parsing "{column}" texts and filling them. */
#include "template.h"

#include <string.h>

enum { MAX_COLS = 64 };

typedef struct reader {
    tt_arena *a;
    const tt_yaml *at; /* for messages */
    const char *const *known;
    int nknown;
    tt_templates *out;
} reader;

static tt_err unknown(const reader *r, const tt_yaml *y, const char *name)
{
    char list[512] = "";
    for (int i = 0; i < r->nknown; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", r->known[i]);
    }
    return tt_fail(TT_EJOB, "%s:%d: the template uses {%s}; the columns are %s", y->file, y->line, name, list);
}

static bool is_known(const reader *r, const char *name)
{
    if (!r->known) return true;
    for (int i = 0; i < r->nknown; i++)
        if (!strcmp(r->known[i], name)) return true;
    return false;
}

static tt_err column(reader *r, const tt_yaml *y, const char *name, int *col)
{
    tt_templates *t = r->out;
    for (*col = 0; *col < t->ncol; ++*col)
        if (!strcmp(t->col[*col], name)) return TT_OK;
    if (!is_known(r, name)) return unknown(r, y, name);
    if (t->ncol == MAX_COLS)
        return tt_fail(TT_EJOB, "%s:%d: templates use more than %d columns; use fewer", y->file, y->line, MAX_COLS);
    t->col[t->ncol++] = name;
    return TT_OK;
}

static void literal(tt_pattern *p, const char *text, size_t size)
{
    if (size) p->piece[p->n++] = (tt_piece){text, size, -1};
}

/* s stands on "{": the column's name up to "}". */
static tt_err place(reader *r, const tt_yaml *y, tt_pattern *p, const char **s)
{
    const char *end = strpbrk(*s + 1, "{}");
    if (!end || *end != '}' || end == *s + 1)
        return tt_fail(TT_EJOB, "%s:%d: the template has '{' without a {column}; write {{ for a brace", y->file,
                       y->line);
    int col;
    TT_TRY(column(r, y, tt_sprintf(r->a, "%.*s", (int)(end - *s - 1), *s + 1), &col));
    p->piece[p->n++] = (tt_piece){NULL, 0, col};
    *s = end + 1;
    return TT_OK;
}

static tt_err pattern(reader *r, const tt_yaml *y, const char *text, tt_pattern *p)
{
    p->n = 0;
    p->piece = TT_NEW(r->a, tt_piece, 2 * strlen(text) + 1);
    const char *from = text, *s = text;
    while (*s) {
        bool doubled = (s[0] == '{' || s[0] == '}') && s[1] == s[0];
        if (doubled) {
            literal(p, from, (size_t)(s - from) + 1);
            from = s += 2;
        } else if (*s == '{') {
            literal(p, from, (size_t)(s - from));
            TT_TRY(place(r, y, p, &s));
            from = s;
        } else {
            s++;
        }
    }
    literal(p, from, (size_t)(s - from));
    return TT_OK;
}

static tt_err condition(reader *r, const tt_yaml *y, const char *name, int *col)
{
    *col = -1;
    if (!name) return TT_OK;
    TT_TRY(column(r, y, name, col));
    r->out->optional[*col] = true;
    return TT_OK;
}

static bool has_column(const tt_pattern *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col >= 0) return true;
    return false;
}

static tt_err one(reader *r, const tt_yaml *y, const tt_pattern_text *text, tt_template *t)
{
    TT_TRY(pattern(r, y, text->source, &t->source));
    if (!has_column(&t->source))
        return tt_fail(TT_EJOB, "%s:%d: the template's source has no {column}; every row would be the same", y->file,
                       y->line);
    TT_TRY(pattern(r, y, text->target, &t->target));
    TT_TRY(condition(r, y, text->when, &t->when));
    return condition(r, y, text->unless, &t->unless);
}

typedef struct template_text {
    tt_pattern_text text;
    const char *kind;
} template_text;

static const tt_keyrow template_keys[] = {
    {"source", TT_KTEXT, offsetof(tt_pattern_text, source), NULL, NULL, "text with {column} places"},
    {"target", TT_KTEXT, offsetof(tt_pattern_text, target), NULL, NULL, "text with {column} places"},
    {"when", TT_KTEXT, offsetof(tt_pattern_text, when), NULL, NULL, "only rows where this column is not blank"},
    {"kind", TT_KTEXT, offsetof(template_text, kind), NULL, NULL, "direct, cot or inverted"},
    {"unless", TT_KTEXT, offsetof(tt_pattern_text, unless), NULL, NULL, "only rows where this column is blank"},
    {0},
};

static tt_err read_list(reader *r, const tt_yaml *list, const tt_pattern_text *defaults)
{
    if (list->kind != TT_LIST || !list->n)
        return tt_fail(TT_EJOB, "%s:%d: templates must be a list of {source: ..., target: ...}", list->file,
                       list->line);
    r->out->t = TT_NEW(r->a, tt_template, list->n);
    for (int i = 0; i < list->n; i++) {
        const tt_yaml *y = list->child[i];
        template_text own = {0};
        TT_TRY(tt_keys_bind(r->a, y, template_keys, &own, "templates."));
        tt_pattern_text text = own.text;
        if (!text.source) return tt_fail(TT_EJOB, "%s:%d: the template has no source", y->file, y->line);
        if (!text.target) text.target = defaults[0].target;
        TT_TRY(one(r, y, &text, &r->out->t[r->out->n++]));
    }
    return TT_OK;
}

static tt_err read_defaults(reader *r, const tt_pattern_text *defaults)
{
    int n = 0;
    while (defaults[n].source) n++;
    r->out->t = TT_NEW(r->a, tt_template, n);
    for (int i = 0; i < n; i++) TT_TRY(one(r, r->at, &defaults[i], &r->out->t[r->out->n++]));
    return TT_OK;
}

tt_err tt_templates_read(tt_arena *a, const tt_yaml *list, const tt_yaml *at, const tt_pattern_text *defaults,
                         const char *const *known, int nknown, tt_templates *out)
{
    *out = (tt_templates){.col = TT_NEW(a, const char *, MAX_COLS), .optional = TT_ZNEW(a, bool, MAX_COLS)};
    reader r = {a, at, known, nknown, out};
    return list ? read_list(&r, list, defaults) : read_defaults(&r, defaults);
}

/* ---- filling ------------------------------------------------------------------------------------------------------*/

bool tt_blank(const char *s) { return s[strspn(s, " \t\r\n\f\v")] == 0; }

static bool blank_cell(const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    return !cell->n || tt_blank(value(ctx, cell->first));
}

bool tt_template_fits(const tt_template *t, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    if (t->when >= 0 && blank_cell(&cell[t->when], value, ctx)) return false;
    return t->unless < 0 || blank_cell(&cell[t->unless], value, ctx);
}

int tt_pattern_values(const tt_pattern *p, const tt_cell *cell)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col >= 0 && cell[p->piece[i].col].n > 1) return (int)cell[p->piece[i].col].n;
    return 1;
}

/* The piece as text; several: the column whose value is nth. */
static const char *piece_text(const tt_piece *p, const tt_cell *cell, int several, int nth, tt_valuefn *value,
                              const void *ctx, size_t *size)
{
    *size = p->size;
    if (p->col < 0) return p->text;
    const tt_cell *c = &cell[p->col];
    const char *s = c->n ? value(ctx, c->first + (p->col == several ? (uint32_t)nth : 0)) : "";
    *size = strlen(s);
    return s;
}

static int first_several(const tt_pattern *p, const tt_cell *cell)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col >= 0 && cell[p->piece[i].col].n > 1) return p->piece[i].col;
    return -1;
}

char *tt_pattern_fill(tt_arena *a, const tt_pattern *p, const tt_cell *cell, int nth, tt_valuefn *value,
                      const void *ctx)
{
    int several = first_several(p, cell);
    size_t total = 0, n;
    for (int i = 0; i < p->n; i++) {
        piece_text(&p->piece[i], cell, several, nth, value, ctx, &n);
        total += n;
    }
    char *out = tt_alloc(a, total + 1), *w = out;
    for (int i = 0; i < p->n; i++) {
        const char *s = piece_text(&p->piece[i], cell, several, nth, value, ctx, &n);
        memcpy(w, s, n);
        w += n;
    }
    *w = 0;
    return out;
}

bool tt_pattern_blank(const tt_pattern *p, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    bool columns = false, words = false;
    for (int i = 0; i < p->n; i++) {
        const tt_piece *q = &p->piece[i];
        if (q->col >= 0 && !blank_cell(&cell[q->col], value, ctx)) return false;
        columns = columns || q->col >= 0;
        words = words || (q->col < 0 && strspn(q->text, " \t\r\n\f\v") < q->size);
    }
    return columns || !words;
}
