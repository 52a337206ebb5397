/* Prompts: from a row and a draw to the parts of a source and a target. */
#include "options.h"
#include "shots.h"

#include <math.h>
#include <string.h>

/* What a draw's key is asked for. The counters stay what they are: another number, another prompt. */
enum { AT_TEMPLATE, AT_OPTIONS, AT_STYLE, AT_FEW_SHOT, AT_SHOTS, AT_LEAD, AT_BREAK };

typedef struct draw { /* one prompt in the making */
    const tt_set *s;
    tt_rowref own;
    tt_rkey key;
    const tt_template *t;
    tt_parts source;
    tt_prompt *out;
} draw;

static const char *const kinds[] = {"direct", "cot", "inverted"};
const char *tt_prompt_kind(int kind) { return kinds[kind]; }

/* ---- choices ----------------------------------------------------------------------------------------------------------*/

/* In 2^-20ths, so that all machines add alike. Kinds do not count when no template that they leave fits the row. */
static uint64_t weight_of(const tt_set *s, const tt_template *t, bool by_kind)
{
    const tt_style *st = &s->spec->style;
    double train[] = {1, st->cot, st->invert}, w = t->weight;
    if (by_kind) w *= s->spec->train ? train[t->kind] : t->kind == TT_DIRECT;
    return (uint64_t)llround(ldexp(fmin(w, 1e9), 20)) + (by_kind ? 0 : 1);
}

static bool fits(const draw *d, const tt_template *t)
{
    return tt_template_fits(t, d->own.cell, tt_segment_value, d->own.seg);
}

static const tt_template *choose(const draw *d)
{
    const tt_templates *all = d->s->spec->templates;
    uint64_t total = 0;
    bool by_kind = true;
    for (int pass = 0; pass < 2 && !total; pass++) {
        by_kind = pass == 0;
        for (int i = 0; i < all->n; i++) total += fits(d, &all->t[i]) ? weight_of(d->s, &all->t[i], by_kind) : 0;
    }
    assert(total); /* rows that fit no template were quarantined */
    uint64_t at = tt_rand_below(d->key, AT_TEMPLATE, total);
    for (const tt_template *t = all->t;; t++) {
        uint64_t w = fits(d, t) ? weight_of(d->s, t, by_kind) : 0;
        if (at < w) return t;
        at -= w;
    }
}

static bool has_options(const draw *d, const tt_rowref *row)
{
    const tt_options *o = d->s->spec->templates->options;
    return o && tt_options_count(o, row) > 1;
}

/* Number of the style in which the draw shows the row's options; -1: it does not. */
static int choose_style(const draw *d)
{
    if (!has_options(d, &d->own)) return -1;
    if (!d->t->own.place && d->t->kind == TT_INVERTED) return -1;
    if (tt_rand01(d->key, AT_OPTIONS) >= d->s->style.options) return -1;
    return tt_options_draw(d->s->spec->templates->options, &d->own, d->key, AT_STYLE);
}

static int choose_shots(const draw *d)
{
    const tt_style *st = &d->s->style;
    if (!d->s->pool || tt_rand01(d->key, AT_FEW_SHOT) >= st->few_shot) return 0;
    return st->shots_lo + (int)tt_rand_below(d->key, AT_SHOTS, (uint64_t)(st->shots_hi - st->shots_lo + 1));
}

static const char *pick_text(const draw *d, uint64_t counter, const char *const *from, int n)
{
    return from[tt_rand_below(d->key, counter, (uint64_t)n)];
}

/* The last character of what asks, where the template fixes it; 0: a column or options end it. */
static char last_char(const draw *d)
{
    const tt_ask *q = &d->t->exemplar;
    const tt_pattern *p = d->out->style < 0 ? &q->hidden : &q->shown;
    if (!p->n || (d->out->style >= 0 && !q->place)) return 0;
    const tt_piece *last = &p->piece[p->n - 1];
    return last->size ? last->text[last->size - 1] : 0;
}

/* What stands between an exemplar's question and its answer. */
static const char *choose_lead(const draw *d)
{
    static const char *const leads[] = {"\n", "\nAnswer: ", "\nA: "};
    char last = last_char(d);
    if (d->t->shot) return d->t->shot;
    if (last == ' ' || last == '\n') return "";
    if (last == ':') return " ";
    return pick_text(d, AT_LEAD, leads, d->t->kind == TT_INVERTED ? 1 : 3);
}

static const char *choose_break(const draw *d)
{
    static const char *const breaks[] = {"\n\n", "\n\n\n", "\n---\n", "\n###\n"};
    return pick_text(d, AT_BREAK, breaks, 4);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------*/

static void add_options(const draw *d, const tt_rowref *row, tt_parts *out)
{
    tt_options_add(d->s->spec->templates->options, row, d->out->style, out);
}

/* First values of the columns. */
static void add_pieces(const draw *d, const tt_piece *p, int n, const tt_rowref *row, tt_parts *out)
{
    for (int i = 0; i < n; i++) {
        if (p[i].col == TT_LITERAL)
            tt_parts_put(out, (tt_part){.text = p[i].text, .size = p[i].size});
        else if (p[i].col == TT_PLACE)
            add_options(d, row, out);
        else if (row->cell[p[i].col].n)
            tt_parts_value(out, row->seg, row->cell[p[i].col].first);
    }
}

static bool ends_line(const tt_parts *p)
{
    const tt_part *last = p->n ? &p->part[p->n - 1] : NULL;
    return !last || last->text[last->size - 1] == '\n';
}

static void add_question(draw *d, const tt_ask *q, const tt_rowref *row)
{
    bool show = d->out->style >= 0 && has_options(d, row);
    const tt_pattern *p = show ? &q->shown : &q->hidden;
    add_pieces(d, p->piece, p->n, row, &d->source);
    if (!show || q->place) return;
    if (!ends_line(&d->source)) tt_parts_add(&d->source, "\n");
    add_options(d, row, &d->source);
}

/* The question ends as those of the exemplars do, up to where its answer would stand. */
static void add_lead(draw *d, const char *lead)
{
    size_t n = strlen(lead);
    while (n && strchr(" \t\r\n", lead[n - 1])) n--;
    int before = d->source.n;
    tt_parts_put(&d->source, (tt_part){.text = lead, .size = n});
    d->out->nlead = d->source.n - before;
}

static void add_shots(draw *d, int k, const char *lead)
{
    tt_prompt *o = d->out;
    tt_arena *a = d->source.a;
    tt_shotrow *rows = TT_NEW(a, tt_shotrow, k);
    const char *line_break = choose_break(d);
    tt_rkey key = tt_key(d->key, "exemplars", 0, 0, 0);
    o->nshot = tt_shots_draw(d->s, d->t, &d->own, key, k, a, rows);
    for (int i = 0; i < o->nshot; i++) {
        const tt_rowref *r = &rows[i].row;
        add_question(d, &d->t->exemplar, r);
        tt_parts_add(&d->source, lead);
        add_pieces(d, d->t->target.piece, d->t->target.n, r, &d->source);
        tt_parts_add(&d->source, line_break);
        o->shot[i] = (tt_shot){rows[i].file_row, r->seg->line[r->at]};
        o->shot_end[i + 1] = d->source.n;
    }
}

static void add_source(draw *d)
{
    tt_prompt *o = d->out;
    int k = choose_shots(d);
    const char *lead = k ? choose_lead(d) : "";
    o->shot = TT_NEW(d->source.a, tt_shot, k + 1);
    o->shot_end = TT_NEW(d->source.a, int, k + 1);
    add_pieces(d, d->t->source.piece, d->t->nhead, &d->own, &d->source);
    o->shot_end[0] = d->source.n;
    if (k) add_shots(d, k, lead);
    add_question(d, &d->t->own, &d->own);
    if (o->nshot) add_lead(d, lead);
    o->nsource = d->source.n;
    o->source = d->source.part;
}

static void add_target(draw *d)
{
    tt_prompt *o = d->out;
    const tt_pattern *p = &d->t->target;
    tt_parts target = {.a = d->source.a};
    add_pieces(d, p->piece, p->n, &d->own, &target);
    o->ntarget = target.n;
    o->target = target.part;
    o->nref = tt_pattern_values(p, d->own.cell);
    o->ref = TT_NEW(target.a, char *, o->nref);
    for (int i = 0; i < o->nref; i++)
        o->ref[i] = tt_pattern_fill(target.a, p, d->own.cell, i, tt_segment_value, d->own.seg);
}

void tt_prompt_make(const tt_set *s, int64_t row, uint64_t seed, int64_t epoch, tt_arena *a, tt_prompt *out)
{
    tt_cell cell[TT_MAX_COLS];
    if (s->spec->exemplars && !s->pool) TT_BUG("%s: tt_sets_exemplars was not called", s->info.name);
    draw d = {.s = s, .own = tt_set_row(s, row, cell), .source = {.a = a}, .out = out};
    d.key = tt_key(seed, s->info.name, (uint64_t)tt_set_file_row(s, row), (uint64_t)epoch, 0);
    d.t = choose(&d);
    *out = (tt_prompt){.template = (int)(d.t - s->spec->templates->t), .kind = d.t->kind, .pool = s->pool};
    out->style = choose_style(&d);
    add_source(&d);
    add_target(&d);
}

/* The column of the target whose value is an option; -1: none is. *gold: which option. */
static int answer_column(const draw *d, const tt_options *o, int *gold)
{
    const tt_pattern *p = &d->t->target;
    int n = tt_options_count(o, &d->own);
    for (int i = 0; i < p->n; i++) {
        const tt_cell *c = p->piece[i].col >= 0 ? &d->own.cell[p->piece[i].col] : NULL;
        if (!c || c->n == 0) continue;
        for (*gold = 0; *gold < n; ++*gold)
            if (!strcmp(tt_options_text(o, &d->own, *gold), tt_segment_value(d->own.seg, c->first)))
                return p->piece[i].col;
    }
    return -1;
}

static char *target_with(const draw *d, int col, const char *answer)
{
    const tt_pattern *p = &d->t->target;
    tt_parts target = {.a = d->source.a};
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col == col)
            tt_parts_add(&target, answer);
        else
            add_pieces(d, &p->piece[i], 1, &d->own, &target);
    return tt_parts_text(target.a, target.n, target.part);
}

void tt_prompt_options(const tt_set *s, int64_t row, const tt_prompt *p, tt_arena *a, int *n, char ***option, int *gold)
{
    tt_cell cell[TT_MAX_COLS];
    draw d = {.s = s, .own = tt_set_row(s, row, cell), .source = {.a = a}};
    d.t = &s->spec->templates->t[p->template];
    *n = 0;
    if (!has_options(&d, &d.own)) return;
    const tt_options *o = s->spec->templates->options;
    int col = answer_column(&d, o, gold);
    if (col < 0) return;
    *n = tt_options_count(o, &d.own);
    *option = TT_NEW(a, char *, *n);
    for (int i = 0; i < *n; i++) (*option)[i] = target_with(&d, col, tt_options_text(o, &d.own, i));
}

int tt_prompt_source(const tt_prompt *p, int drop, tt_part *out)
{
    int head = p->shot_end[0], from = p->shot_end[drop], to = p->nsource - (drop == p->nshot ? p->nlead : 0);
    for (int i = 0; i < head; i++) out[i] = p->source[i];
    for (int i = from; i < to; i++) out[head + i - from] = p->source[i];
    return head + to - from;
}

void tt_set_text(const tt_set *s, int64_t row, uint64_t seed, int64_t epoch, tt_arena *a, tt_text *out)
{
    tt_prompt p;
    tt_prompt_make(s, row, seed, epoch, a, &p);
    *out = (tt_text){.source = tt_parts_text(a, p.nsource, p.source), .nref = p.nref, .ref = p.ref, .target = p.ref[0]};
}
