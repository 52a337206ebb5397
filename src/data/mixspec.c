/* Reading data.mixture: the tree of parts, a preset's and the job's merged by name. */
#include "mixspec.h"
#include "select.h"

#include <stdlib.h>
#include <string.h>

typedef struct part { /* one map of the YAML */
    const char *name, *preset;
    double share, temperature;
    int rate, draw;
    int64_t cap;
    const tt_yaml *from, *parts, *prompts;
} part;

enum { NO_RATE = 4 }; /* the parent's */

#define AT(field) offsetof(part, field)
#define RATE "proportional|temperature|equal|weights"
/* The root takes these and those of a part but name, share and from. */
static const tt_keyrow root_keys[] = {
    {"preset", TT_KTEXT, AT(preset), NULL, NULL, "named parts with shares and caps"},
    {"draw", TT_KENUM, AT(draw), "stratified", "stratified|random", "the order of the draws"},
    {"rate", TT_KENUM, AT(rate), "proportional", RATE, "what a data set counts inside its part"},
    {"temperature", TT_KREAL, AT(temperature), "1", "(0..", "of rate temperature"},
    {"cap", TT_KINT, AT(cap), "0", "0..", "examples per data set that count; 0: data.cap"},
    {"parts", TT_KTREE, AT(parts), NULL, NULL, "sub-mixtures with fixed shares"},
    {0},
};
static const tt_keyrow part_keys[] = {
    {"name", TT_KTEXT, AT(name), NULL, NULL, "of the part"},
    {"share", TT_KREAL, AT(share), NULL, "0..", "among its siblings; they need not add up to 1"},
    {"rate", TT_KENUM, AT(rate), "inherit", RATE "|inherit", "what a data set counts inside the part"},
    {"temperature", TT_KREAL, AT(temperature), "0", "0..", "of rate temperature; 0: the parent's"},
    {"cap", TT_KINT, AT(cap), "0", "0..", "examples per data set that count; 0: the parent's"},
    {"from", TT_KTREE, AT(from), NULL, NULL, "collection, category, dataset, language, name: values or globs"},
    {"prompts", TT_KTREE, AT(prompts), NULL, NULL, "as data.prompts, for the data sets of this part"},
    {"parts", TT_KTREE, AT(parts), NULL, NULL, "parts of the part"},
    {0},
};
#undef AT

enum { MAX_PARTS = 1000 };

typedef struct reader {
    tt_arena *a;
    tt_mixspec *out;
    bool preset; /* what is read now is the preset's */
} reader;

static const char *file_of(const tt_yaml *y) { return y && y->file ? y->file : "preset"; }
static int line_of(const tt_yaml *y) { return y ? y->line : 0; }

static int find_part(const tt_mixspec *x, int parent, const char *name)
{
    for (int i = 1; i < x->n; i++)
        if (x->node[i].parent == parent && !strcmp(x->node[i].name, name)) return i;
    return -1;
}

static tt_err add_part(reader *r, int parent, const tt_yaml *y, const part *p, int *at)
{
    tt_mixspec *x = r->out;
    if (x->n == MAX_PARTS) return tt_fail(TT_EJOB, "%s:%d: more than %d parts", file_of(y), line_of(y), MAX_PARTS);
    const tt_mixnode *up = &x->node[parent];
    *at = x->n++;
    x->node[*at] = (tt_mixnode){.name = p->name, .parent = parent, .given = -1, .rate = NO_RATE, .leaf = true};
    x->node[*at].pub.depth = parent ? up->pub.depth + 1 : 0;
    x->node[*at].pub.path = parent ? tt_sprintf(r->a, "%s.%s", up->pub.path, p->name) : p->name;
    x->node[parent].leaf = false;
    return TT_OK;
}

/* What the map says replaces what the part had. */
static void set_part(tt_mixnode *n, const tt_yaml *y, const part *p)
{
    if (p->share >= 0) n->given = p->share;
    if (p->rate != NO_RATE) n->rate = p->rate;
    if (p->temperature > 0) n->temperature = p->temperature;
    if (p->cap > 0) n->cap = p->cap;
    if (p->from) n->from = p->from;
    if (p->prompts) n->prompts = p->prompts;
    n->at = y;
}

static tt_err read_parts(reader *r, int parent, const tt_yaml *list);

static tt_err read_part(reader *r, int parent, const tt_yaml *y)
{
    part p = {.share = -1};
    TT_TRY(tt_keys_bind(r->a, y, part_keys, &p, "mixture.parts."));
    if (!p.name || !*p.name) return tt_fail(TT_EJOB, "%s:%d: a part of the mixture needs a name", y->file, y->line);
    if (strchr(p.name, '.'))
        return tt_fail(TT_EJOB, "%s:%d: '%s': the name of a part has no dot; dots join parts to paths", y->file,
                       y->line, p.name);
    int at = find_part(r->out, parent, p.name);
    if (at >= 0 && r->out->node[at].at)
        return tt_fail(TT_EJOB, "%s:%d: two parts are called %s (the other is at line %d); give one another name",
                       y->file, y->line, p.name, line_of(r->out->node[at].at));
    if (at < 0) TT_TRY(add_part(r, parent, y, &p, &at));
    set_part(&r->out->node[at], r->preset ? NULL : y, &p);
    TT_TRY(read_parts(r, at, p.parts));
    if (!r->out->node[at].leaf && r->out->node[at].from)
        return tt_fail(TT_EJOB, "%s:%d: part %s has parts of its own, so it takes no data sets; move its from to them",
                       y->file, y->line, p.name);
    return TT_OK;
}

static tt_err read_parts(reader *r, int parent, const tt_yaml *list)
{
    if (!list) return TT_OK;
    if (list->kind != TT_LIST)
        return tt_fail(TT_EJOB, "%s:%d: parts must be a list of {name, share, from, ...}", list->file, list->line);
    for (int i = 0; i < list->n; i++) TT_TRY(read_part(r, parent, list->child[i]));
    return TT_OK;
}

static tt_err read_preset(reader *r, const tt_yaml *y, const char *name)
{
    const char *text = tt_mix_preset(name);
    if (!text) {
        static const char *const all[] = {"flan-t5-paper-a", "flan-t5-paper-b", "flan2022-release"};
        const char *near = tt_nearest(name, all, 3);
        return tt_fail(TT_EJOB, "%s:%d: no such preset '%s'%s%s%s; there are %s", y->file, y->line, name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", tt_mix_presets());
    }
    tt_yaml *root;
    TT_TRY(tt_yaml_parse(r->a, name, text, strlen(text), &root));
    r->preset = true;
    tt_err e = read_parts(r, 0, tt_yaml_get(root, "parts"));
    r->preset = false;
    return e;
}

/* Parts take from their parents what they do not say themselves. Parents come first. */
static void inherit(tt_mixspec *x)
{
    for (int i = 1; i < x->n; i++) {
        tt_mixnode *n = &x->node[i];
        const tt_mixnode *up = &x->node[n->parent];
        if (n->rate == NO_RATE) n->rate = up->rate;
        if (n->temperature <= 0) n->temperature = up->temperature;
        if (!n->cap) n->cap = up->cap;
        if (!n->prompts) n->prompts = up->prompts;
    }
}

/* Among siblings all or none have shares. */
static tt_err check_shares(const tt_mixspec *x)
{
    for (int i = 1; i < x->n; i++)
        for (int k = 1; k < i; k++)
            if (x->node[k].parent == x->node[i].parent && (x->node[k].given < 0) != (x->node[i].given < 0)) {
                const tt_mixnode *lack = &x->node[x->node[i].given < 0 ? i : k],
                                 *has = &x->node[lack == &x->node[i] ? k : i];
                return tt_fail(TT_EJOB,
                               "%s:%d: part %s has no share but %s has one; give both or neither (then they "
                               "share by their sizes)",
                               file_of(lack->at ? lack->at : x->at), line_of(lack->at ? lack->at : x->at),
                               lack->pub.path, has->pub.path);
            }
    return TT_OK;
}

tt_err tt_mixspec_read(tt_arena *a, const tt_job *job, tt_mixspec *out)
{
    part p = {0};
    *out = (tt_mixspec){.n = 1, .node = TT_ZNEW(a, tt_mixnode, MAX_PARTS), .at = job->data.mixture};
    TT_TRY(tt_keys_bind(a, job->data.mixture, root_keys, &p, "data.mixture."));
    out->draw = p.draw;
    out->node[0] = (tt_mixnode){.name = "",
                                .pub.path = "",
                                .parent = -1,
                                .leaf = true,
                                .rate = p.rate,
                                .temperature = p.temperature,
                                .cap = p.cap ? p.cap : job->data.cap};
    reader r = {a, out, false};
    if (p.preset) TT_TRY(read_preset(&r, tt_yaml_get(job->data.mixture, "preset"), p.preset));
    TT_TRY(read_parts(&r, 0, p.parts));
    TT_TRY(check_shares(out));
    inherit(out);
    return TT_OK;
}

/* ---- which part a data set belongs to -----------------------------------------------------------------------------------*/

static const char *field_of(const void *item, const char *key)
{
    const tt_setinfo *s = item;
    if (!strcmp(key, "collection")) return s->collection;
    if (!strcmp(key, "category")) return s->category;
    if (!strcmp(key, "dataset")) return s->dataset;
    if (!strcmp(key, "language")) return s->language;
    if (!strcmp(key, "licence")) return s->licence;
    return !strcmp(key, "name") ? s->name : NULL;
}

static const char *const selectable[] = {"collection", "category", "dataset", "language", "licence", "name", NULL};

static int part_of(const tt_mixspec *x, const tt_setinfo *s)
{
    for (int i = 1; i < x->n && s->mixture; i++)
        if (x->node[i].leaf && (!strcmp(x->node[i].pub.path, s->mixture) || !strcmp(x->node[i].name, s->mixture)))
            return i;
    for (int i = 1; i < x->n; i++)
        if (x->node[i].leaf && x->node[i].from && tt_select_match(x->node[i].from, field_of, s)) return i;
    return -1;
}

/* Everything that could be meant, also what is absent: a part whose files are missing is no typing error. */
static tt_err check_from(const tt_mixspec *x, const tt_sets *s)
{
    int n = s->n + s->nabsent;
    tt_setinfo *info = tt_malloc(sizeof *info * (size_t)(n + 1));
    const void **item = tt_malloc(sizeof *item * (size_t)(n + 1));
    for (int i = 0; i < n; i++) {
        const tt_absent *b = i < s->n ? NULL : &s->absent[i - s->n];
        info[i] = b ? (tt_setinfo){.name = b->name, .category = b->category, .collection = b->collection}
                    : *tt_set_info(s->set[i]);
        item[i] = &info[i];
    }
    tt_err e = TT_OK;
    for (int i = 1; i < x->n && e == TT_OK; i++)
        if (x->node[i].from)
            e = tt_select_check(x->node[i].from, "from", selectable, field_of, item, n, "data set of data.train");
    free(info);
    free(item);
    return e;
}

/* ", mixture nvi2: did you mean 'niv2'?" of a set whose key mixture names no part; "" if it has none. */
static const char *wrong_key(const tt_mixspec *x, const char *key, char *buf, size_t size)
{
    const char *path[MAX_PARTS];
    int n = 0;
    for (int i = 1; i < x->n; i++)
        if (x->node[i].leaf) path[n++] = x->node[i].pub.path;
    const char *near = key ? tt_nearest(key, path, n) : NULL;
    snprintf(buf, size, "%s%s%s%s%s", key ? ", mixture " : "", key ? key : "", near ? ": did you mean '" : "",
             near ? near : "", near ? "'?" : "");
    return buf;
}

static tt_err no_part(const tt_mixspec *x, const tt_setinfo *s, int lost)
{
    char more[64] = "", key[512];
    if (lost > 1) snprintf(more, sizeof more, " and %d more", lost - 1);
    const char *group = s->collection ? s->collection : s->category;
    return tt_fail(TT_EJOB,
                   "%s:%d: data.mixture: %s%s (%s%s%s) belong%s to no part; give it a key mixture, or a part a from "
                   "that takes it",
                   file_of(x->at), line_of(x->at), s->name, more, s->collection ? "collection " : "category ",
                   group ? group : "unknown", wrong_key(x, s->mixture, key, sizeof key), lost > 1 ? "" : "s");
}

tt_err tt_mixspec_assign(const tt_mixspec *x, const tt_sets *s, int *leaf)
{
    TT_TRY(check_from(x, s));
    int lost = 0;
    const tt_setinfo *first = NULL;
    for (int i = 0; i < s->n; i++) {
        const tt_setinfo *info = tt_set_info(s->set[i]);
        leaf[i] = x->n == 1 ? 0 : part_of(x, info);
        if (leaf[i] >= 0) continue;
        if (!lost++) first = info;
    }
    return lost ? no_part(x, first, lost) : TT_OK;
}
