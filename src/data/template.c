/* Templates: parsing "{column}" texts and filling them. */
#include "template.h"
#include "options.h"
#include "tutti/data.h"

#include <string.h>

enum { MAX_COLS = 64 };
static const char blanks[] = " \t\r\n\f\v";

typedef struct reader {
    tt_arena *a;
    const tt_yaml *at; /* for messages */
    const char *const *known;
    int nknown;
    tt_templates *out;
} reader;

static tt_err unknown(const reader *r, const tt_yaml *y, const char *user, const char *name)
{
    char list[512] = "";
    for (int i = 0; i < r->nknown; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", r->known[i]);
    }
    return tt_fail(TT_EJOB, "%s:%d: %s {%s}; the columns are %s", y->file, y->line, user, name, list);
}

static bool is_known(const reader *r, const char *name)
{
    if (!r->known) return true;
    for (int i = 0; i < r->nknown; i++)
        if (!strcmp(r->known[i], name)) return true;
    return false;
}

/* user: what names it, for the message. */
static tt_err column(reader *r, const tt_yaml *y, const char *user, const char *name, int *col)
{
    tt_templates *t = r->out;
    for (*col = 0; *col < t->ncol; ++*col)
        if (!strcmp(t->col[*col], name)) return TT_OK;
    if (!is_known(r, name)) return unknown(r, y, user, name);
    if (t->ncol == MAX_COLS)
        return tt_fail(TT_EJOB, "%s:%d: templates use more than %d columns; use fewer", y->file, y->line, MAX_COLS);
    t->col[t->ncol++] = name;
    return TT_OK;
}

static void literal(tt_pattern *p, const char *text, size_t size)
{
    if (size) p->piece[p->n++] = (tt_piece){text, size, TT_LITERAL};
}

static tt_err options_place(const reader *r, const tt_yaml *y, tt_pattern *p)
{
    if (!r->out->options)
        return tt_fail(TT_EJOB,
                       "%s:%d: the template has {options}, but the data set has none; give options: [no, yes] or "
                       "options: {column: NAME} (a column of the name options is mapped to another by fields)",
                       y->file, y->line);
    p->piece[p->n++] = (tt_piece){"", 0, TT_PLACE};
    return TT_OK;
}

/* s stands on "{": the column's name up to "}". */
static tt_err place(reader *r, const tt_yaml *y, tt_pattern *p, const char **s)
{
    const char *end = strpbrk(*s + 1, "{}");
    if (!end || *end != '}' || end == *s + 1)
        return tt_fail(TT_EJOB, "%s:%d: the template has '{' without a {column}; write {{ for a brace", y->file,
                       y->line);
    char *name = tt_sprintf(r->a, "%.*s", (int)(end - *s - 1), *s + 1);
    *s = end + 1;
    if (!strcmp(name, "options")) return options_place(r, y, p);
    int col;
    TT_TRY(column(r, y, "the template uses", name, &col));
    p->piece[p->n++] = (tt_piece){"", 0, col};
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
    TT_TRY(column(r, y, "the template uses", name, col));
    r->out->optional[*col] = true;
    return TT_OK;
}

static bool has_column(const tt_pattern *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col >= 0) return true;
    return false;
}

static bool has_place(const tt_pattern *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col == TT_PLACE) return true;
    return false;
}

static bool starts_blank(const tt_piece *p) { return p->col == TT_LITERAL && p->size && strchr(blanks, *p->text); }

static void trim_end(tt_piece *p)
{
    while (p->col == TT_LITERAL && p->size && strchr(blanks, p->text[p->size - 1])) p->size--;
}

static void trim_start(tt_piece *p)
{
    for (; starts_blank(p); p->size--) p->text++;
}

/* The pattern without {options}: of the blanks on its two sides those after it stay, so that "{q}\n{options}\nA:" gives
 * "{q}\nA:"; at the start or the end of the text none stay. */
static tt_pattern without_place(tt_arena *a, const tt_pattern *p)
{
    tt_pattern out = {0, TT_NEW(a, tt_piece, p->n + 1)};
    for (int i = 0; i < p->n; i++) {
        bool last = i + 1 == p->n, after_place = i && p->piece[i - 1].col == TT_PLACE;
        if (p->piece[i].col == TT_PLACE) {
            if (out.n && (last || starts_blank(&p->piece[i + 1]))) trim_end(&out.piece[out.n - 1]);
            continue;
        }
        out.piece[out.n++] = p->piece[i];
        if (after_place && out.n == 1) trim_start(&out.piece[0]);
    }
    return out;
}

static tt_ask ask(tt_arena *a, tt_pattern p) { return (tt_ask){p, without_place(a, &p), has_place(&p)}; }

static tt_pattern joined(tt_arena *a, const tt_pattern *x, const tt_pattern *y)
{
    tt_pattern out = {x->n + y->n, TT_NEW(a, tt_piece, x->n + y->n + 1)};
    memcpy(out.piece, x->piece, sizeof *x->piece * (size_t)x->n);
    memcpy(out.piece + x->n, y->piece, sizeof *y->piece * (size_t)y->n);
    return out;
}

static tt_err no_place(const tt_yaml *y, const tt_pattern *p, const char *key)
{
    if (!has_place(p)) return TT_OK;
    return tt_fail(TT_EJOB, "%s:%d: the template's %s has {options}; they stand in a source or an exemplar", y->file,
                   y->line, key);
}

static tt_err read_source(reader *r, const tt_yaml *y, const tt_pattern_text *text, tt_template *t)
{
    tt_pattern head, own, exemplar;
    TT_TRY(pattern(r, y, text->head ? text->head : "", &head));
    TT_TRY(no_place(y, &head, "head"));
    TT_TRY(pattern(r, y, text->source, &own));
    TT_TRY(pattern(r, y, text->exemplar ? text->exemplar : text->source, &exemplar));
    if (!has_column(&own) || !has_column(&exemplar))
        return tt_fail(TT_EJOB, "%s:%d: the template's %s has no {column}; every row would be the same", y->file,
                       y->line, has_column(&own) ? "exemplar" : "source");
    t->source = joined(r->a, &head, &own);
    t->nhead = head.n;
    t->own = ask(r->a, own);
    t->exemplar = ask(r->a, exemplar);
    return TT_OK;
}

static tt_err one(reader *r, const tt_yaml *y, const tt_pattern_text *text, tt_template *t)
{
    *t = (tt_template){.kind = text->kind, .weight = text->weight > 0 ? text->weight : 1, .shot = text->shot};
    TT_TRY(read_source(r, y, text, t));
    TT_TRY(pattern(r, y, text->target, &t->target));
    TT_TRY(no_place(y, &t->target, "target"));
    TT_TRY(condition(r, y, text->when, &t->when));
    return condition(r, y, text->unless, &t->unless);
}

#define AT(field) offsetof(tt_pattern_text, field)
static const tt_keyrow template_keys[] = {
    {"source", TT_KTEXT, AT(source), NULL, NULL, "text with {column} places"},
    {"target", TT_KTEXT, AT(target), NULL, NULL, "text with {column} places"},
    {"when", TT_KTEXT, AT(when), NULL, NULL, "only rows where this column is not blank"},
    {"unless", TT_KTEXT, AT(unless), NULL, NULL, "only rows where this column is blank"},
    {"kind", TT_KENUM, AT(kind), "direct", "direct|cot|inverted", "asked for the answer, with reasons, the other way"},
    {"weight", TT_KREAL, AT(weight), "1", "(0..1000", "how often it is chosen beside the others"},
    {"head", TT_KTEXT, AT(head), NULL, NULL, "stands before the source, and before the exemplars, once"},
    {"exemplar", TT_KTEXT, AT(exemplar), NULL, NULL, "an exemplar's source; default: source"},
    {"shot", TT_KTEXT, AT(shot), NULL, NULL, "between an exemplar's source and its target; default: drawn"},
    {0},
};
#undef AT

static tt_err target_of(const tt_yaml *y, const tt_pattern_text *defaults, tt_pattern_text *text)
{
    if (text->target) return TT_OK;
    if (text->kind != TT_DIRECT)
        return tt_fail(TT_EJOB, "%s:%d: a template of kind %s needs a target of its own", y->file, y->line,
                       tt_prompt_kind(text->kind));
    text->target = defaults[0].target;
    return TT_OK;
}

static tt_err read_list(reader *r, const tt_yaml *list, const tt_pattern_text *defaults)
{
    if (list->kind != TT_LIST || !list->n)
        return tt_fail(TT_EJOB, "%s:%d: templates must be a list of {source: ..., target: ...}", list->file,
                       list->line);
    r->out->t = TT_NEW(r->a, tt_template, list->n);
    for (int i = 0; i < list->n; i++) {
        const tt_yaml *y = list->child[i];
        tt_pattern_text text = {0};
        TT_TRY(tt_keys_bind(r->a, y, template_keys, &text, "templates."));
        if (!text.source) return tt_fail(TT_EJOB, "%s:%d: the template has no source", y->file, y->line);
        TT_TRY(target_of(y, defaults, &text));
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

static tt_err read_options(reader *r, const tt_yaml *y)
{
    if (!y) return TT_OK;
    const char *name;
    tt_options *o = TT_ZNEW(r->a, tt_options, 1);
    TT_TRY(tt_options_read(r->a, y, o, &name));
    if (name) TT_TRY(column(r, y, "options are in", name, &o->col));
    r->out->options = o;
    return TT_OK;
}

tt_err tt_templates_read(tt_arena *a, const tt_yaml *list, const tt_yaml *options, const tt_yaml *at,
                         const tt_pattern_text *defaults, const char *const *known, int nknown, tt_templates *out)
{
    *out = (tt_templates){.col = TT_NEW(a, const char *, MAX_COLS), .optional = TT_ZNEW(a, bool, MAX_COLS)};
    reader r = {a, at, known, nknown, out};
    TT_TRY(read_options(&r, options));
    return list ? read_list(&r, list, defaults) : read_defaults(&r, defaults);
}

/* ---- filling ------------------------------------------------------------------------------------------------------*/

bool tt_blank(const char *s) { return s[strspn(s, blanks)] == 0; }

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
        words = words || (q->col < 0 && strspn(q->text, blanks) < q->size);
    }
    return columns || !words;
}
