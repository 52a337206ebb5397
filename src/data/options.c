/* Answer options: reading them from an entry, and the styles in which they are shown. */
#include "options.h"

#include <string.h>

/* mark is put before an option; its A, a or 1 counts. The marked styles come first. */
typedef struct look {
    const char *name, *open, *mark, *between, *last, *close; /* last: before the last option; NULL: between */
} look;

static const look styles[] = {
    {"dashes", "OPTIONS:\n", "- ", "\n", NULL, ""},
    {"letters", "Options: ", "(A) ", " ", NULL, ""},
    {"small letters", "", "(a) ", "; ", NULL, ""},
    {"numbers", "Possible answers:\n", "1. ", "\n", NULL, ""},
    {"lettered lines", "Choices:\n", "A) ", "\n", NULL, ""},
    {"commas", "Choose from: ", "", ", ", NULL, "."},
    {"question", "Pick one: ", "", ", ", " or ", "?"},
    {"quotes", "The answer is one of \"", "", "\", \"", "\" and \"", "\"."},
};
enum { NSTYLE = sizeof styles / sizeof *styles, NMARKED = 5 };

const char *tt_prompt_style(int style) { return style < 0 ? "none" : styles[style].name; }
int tt_options_styles(void) { return NSTYLE; }

/* ---- reading --------------------------------------------------------------------------------------------------------*/

static tt_err bad_options(const tt_yaml *y)
{
    return tt_fail(TT_EJOB,
                   "%s:%d: options must be a list of answers, [no, yes], or {column: NAME} of a column with lists",
                   y->file, y->line);
}

static tt_err read_fixed(tt_arena *a, const tt_yaml *y, tt_options *out)
{
    if (y->n < 2) return tt_fail(TT_EJOB, "%s:%d: options needs two answers or more", y->file, y->line);
    out->n = y->n;
    out->fixed = TT_NEW(a, const char *, y->n);
    for (int i = 0; i < y->n; i++) {
        if (y->child[i]->kind != TT_SCALAR) return bad_options(y->child[i]);
        out->fixed[i] = y->child[i]->text;
    }
    return TT_OK;
}

tt_err tt_options_read(tt_arena *a, const tt_yaml *y, tt_options *out, const char **column)
{
    static const tt_keyrow keys[] = {{"column", TT_KTEXT, 0, NULL, NULL, "a column with a list of answers"}, {0}};
    *out = (tt_options){.col = -1};
    *column = NULL;
    if (y->kind == TT_LIST) return read_fixed(a, y, out);
    if (y->kind != TT_MAP) return bad_options(y);
    TT_TRY(tt_keys_bind(a, y, keys, column, "options."));
    return *column ? TT_OK : bad_options(y);
}

/* ---- showing --------------------------------------------------------------------------------------------------------*/

int tt_options_count(const tt_options *o, const tt_rowref *row) { return o->n ? o->n : (int)row->cell[o->col].n; }

const char *tt_options_text(const tt_options *o, const tt_rowref *row, int i)
{
    return o->n ? o->fixed[i] : tt_segment_value(row->seg, row->cell[o->col].first + (uint32_t)i);
}

int tt_options_draw(const tt_options *o, const tt_rowref *row, tt_rkey key, uint64_t counter)
{
    bool simple = true;
    for (int i = 0; i < tt_options_count(o, row); i++)
        simple = simple && !strpbrk(tt_options_text(o, row, i), ",;\"\n");
    return (int)tt_rand_below(key, counter, simple ? NSTYLE : NMARKED);
}

/* Option i's mark with its letter or number; past z there are numbers alone. */
static const char *mark_of(tt_arena *a, const char *mark, int i, int n)
{
    size_t at = strcspn(mark, "Aa1");
    if (!mark[at]) return mark;
    if (mark[at] == '1' || n > 26) return tt_sprintf(a, "%.*s%d%s", (int)at, mark, i + 1, mark + at + 1);
    return tt_sprintf(a, "%.*s%c%s", (int)at, mark, mark[at] + i, mark + at + 1);
}

void tt_options_add(const tt_options *o, const tt_rowref *row, int number, tt_parts *out)
{
    const look *s = &styles[number];
    int n = tt_options_count(o, row);
    for (int i = 0; i < n; i++) {
        const char *before = !i ? s->open : i + 1 == n && s->last ? s->last : s->between;
        tt_parts_add(out, tt_sprintf(out->a, "%s%s", before, mark_of(out->a, s->mark, i, n)));
        if (o->n)
            tt_parts_add(out, o->fixed[i]);
        else
            tt_parts_value(out, row->seg, row->cell[o->col].first + (uint32_t)i);
    }
    tt_parts_add(out, s->close);
}
