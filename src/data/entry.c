/* Entries of a list of data sets: keys, globs, lists in files, names. */
#include "entry.h"
#include "registry.h"
#include "select.h"
#include "source.h"
#include "values.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct entry {
    const char *name, *format, *category, *list, *registry, *only, *exemplars;
    const char *collection, *dataset, *language, *licence, *mixture;
    const tt_yaml *fields, *templates, *split, *where, *columns, *values, *options, *prompts, *path, *select;
    int64_t cap, limit, rows;
    double weight;
    bool held_out;
    int missing;
} entry;

enum { MISSING_JOB, MISSING_FAIL, MISSING_SKIP }; /* entry.missing */

#define AT(field) offsetof(entry, field)
static const tt_keyrow entry_keys[] = {
    {"name", TT_KTEXT, AT(name), NULL, NULL, "default: the file's name without its endings"},
    {"path", TT_KTREE, AT(path), NULL, NULL,
     "under data.root unless absolute; a glob gives one data set per file; a list: the first that is there"},
    {"list", TT_KTEXT, AT(list), NULL, NULL,
     "a registry whose data sets stand here; their paths start from its folder"},
    {"registry", TT_KTEXT, AT(registry), NULL, NULL, "the same as list"},
    {"select", TT_KTREE, AT(select), NULL, NULL, "of a registry: key: value, glob or list of them"},
    {"missing", TT_KENUM, AT(missing), "job", "job|fail|skip", "where there is no such file; job: data.missing"},
    {"only", TT_KTEXT, AT(only), NULL, NULL,
     "a file whose lines start with the names of the files to take from a glob"},
    {"format", TT_KTEXT, AT(format), NULL, NULL, "default: by the file's ending"},
    {"fields", TT_KTREE, AT(fields), NULL, NULL, "column: its name in the file (a.0.b walks into JSON)"},
    {"columns", TT_KTREE, AT(columns), NULL, NULL, "names of the columns of a TSV or CSV file without header line"},
    {"templates", TT_KTREE, AT(templates), NULL, NULL,
     "list of {source, target, when, unless, kind, weight, head, exemplar, shot}"},
    {"values", TT_KTREE, AT(values), NULL, NULL, "column: {stored text: text to show}; others make a row bad"},
    {"options", TT_KTREE, AT(options), NULL, NULL, "answers to choose from: a list, or {column: NAME}"},
    {"exemplars", TT_KTEXT, AT(exemplars), NULL, NULL, "the set of data.train that gives them, or off"},
    {"prompts", TT_KTREE, AT(prompts), NULL, NULL, "few_shot, shots, options, cot, invert: instead of data.prompts"},
    {"category", TT_KTEXT, AT(category), NULL, NULL, "for reports; default: what the file says"},
    {"collection", TT_KTEXT, AT(collection), NULL, NULL, "for reports, select and the mixture's parts"},
    {"dataset", TT_KTEXT, AT(dataset), NULL, NULL, "the source that the task is made of"},
    {"language", TT_KTEXT, AT(language), NULL, NULL, "for reports and select"},
    {"licence", TT_KTEXT, AT(licence), NULL, NULL, "for reports and select"},
    {"mixture", TT_KTEXT, AT(mixture), NULL, NULL, "the part of data.mixture that it belongs to"},
    {"held_out", TT_KBOOL, AT(held_out), "false", NULL, "never trained on: left out of data.train"},
    {"rows", TT_KINT, AT(rows), "0", "0..", "how many there should be; the audit compares"},
    {"where", TT_KTREE, AT(where), NULL, NULL, "superni: take only files whose header has these values"},
    {"cap", TT_KINT, AT(cap), "0", "0..", "examples that count in the mixture; 0: data.cap"},
    {"weight", TT_KREAL, AT(weight), "1", "0..", "multiplies the share in the mixture"},
    {"split", TT_KTREE, AT(split), NULL, NULL, "cut by content: {take, validation, test, seed}"},
    {"limit", TT_KINT, AT(limit), "0", "0..", "use only the first so many rows; 0: all"},
    {0},
};
#undef AT

static const tt_keyrow split_keys[] = {
    {"take", TT_KENUM, offsetof(tt_split, take), "train", "train|validation|test", "the part that this entry is"},
    {"validation", TT_KREAL, offsetof(tt_split, validation), "0", "0..1", "fraction"},
    {"test", TT_KREAL, offsetof(tt_split, test), "0", "0..1", "fraction"},
    {"seed", TT_KINT, offsetof(tt_split, seed), "1", NULL, "another seed, another cut"},
    {0},
};

typedef struct reader {
    tt_arena *a;
    const tt_job *job;
    const char *what; /* data.train */
    tt_specs *out;
    int depth; /* lists within lists */
} reader;

enum { MAX_DEPTH = 8 };

static tt_err read_list(reader *r, const tt_yaml *list, const char *root);

static const char *resolve(const reader *r, const char *root, const char *path)
{
    return *path == '/' || !root || !*root || !strcmp(root, ".") ? path : tt_sprintf(r->a, "%s/%s", root, path);
}

/* "dir/dialogsum.train.jsonl.gz" -> "dialogsum.train" */
static const char *stem(const reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *s = tt_strdup(r->a, slash ? slash + 1 : path), *dot;
    size_t n = strlen(s);
    if (n > 3 && !strcmp(s + n - 3, ".gz")) s[n - 3] = 0;
    if ((dot = strrchr(s, '.')) && dot > s) *dot = 0;
    return s;
}

/* ---- what the files of an entry share ---------------------------------------------------------------------------------*/

static tt_err find_format(const entry *e, const tt_yaml *y, const char *path, const tt_format **out)
{
    *out = e->format ? tt_format_named(e->format) : tt_format_of(path);
    if (*out) return TT_OK;
    if (e->format)
        return tt_fail(TT_EJOB, "%s:%d: no such format '%s'; there are %s", y->file, y->line, e->format,
                       tt_format_names());
    return tt_fail(TT_EJOB, "%s:%d: the format of %s cannot be told from its name; set format to one of %s", y->file,
                   y->line, path, tt_format_names());
}

/* The columns of a fixed format and what fields adds. */
static int known_columns(const reader *r, const entry *e, const tt_format *f, const char ***out)
{
    int n = 0, extra = e->fields ? e->fields->n : 0;
    while (f->columns[n]) n++;
    *out = TT_NEW(r->a, const char *, n + extra);
    for (int i = 0; i < n; i++) (*out)[i] = f->columns[i];
    for (int i = 0; i < extra; i++) (*out)[n + i] = e->fields->child[i]->key;
    return n + extra;
}

static tt_err check_kind(const tt_yaml *y, const tt_yaml *tree, tt_kind kind, const char *key, const char *form)
{
    if (!tree || tree->kind == kind) return TT_OK;
    return tt_fail(TT_EJOB, "%s:%d: %s must be %s", tree->file, tree->line, key, form);
}

static tt_err check_fields(const tt_yaml *fields, const tt_templates *t)
{
    for (int i = 0; fields && i < fields->n; i++) {
        const tt_yaml *f = fields->child[i];
        if (f->kind != TT_SCALAR)
            return tt_fail(TT_EJOB, "%s:%d: fields.%s must be the name of a column of the file", f->file, f->line,
                           f->key);
        bool used = false;
        for (int c = 0; c < t->ncol; c++) used = used || !strcmp(t->col[c], f->key);
        const char *near = used ? NULL : tt_nearest(f->key, t->col, t->ncol);
        if (!used)
            return tt_fail(TT_EJOB,
                           "%s:%d: no template uses {%s}%s%s%s; the left side of fields is the name in the "
                           "templates, the right side the name in the file",
                           f->file, f->line, f->key, near ? ", did you mean {" : "", near ? near : "", near ? "}" : "");
    }
    return TT_OK;
}

/* Columns of a file's header are no row's: nothing would map them. */
static tt_err check_values(const tt_spec *s)
{
    static const char *const header[] = {"definition", "examples"};
    for (int c = 0; s->values && !strcmp(s->format->name, "superni") && c < s->templates->ncol; c++)
        for (int i = 0; i < 2; i++)
            if (s->values[c] && !strcmp(s->templates->col[c], header[i]))
                return tt_fail(TT_EJOB, "%s:%d: values.%s: it stands in the file's header, for all rows; leave it out",
                               s->values[c]->file, s->values[c]->line, header[i]);
    return TT_OK;
}

static tt_err read_prompts(const reader *r, const entry *e, tt_spec *s)
{
    s->train = !strcmp(r->what, "data.train");
    s->prompts = e->prompts;
    s->zero_shot = e->exemplars && !strcmp(e->exemplars, "off");
    s->exemplars = s->zero_shot ? NULL : e->exemplars;
    TT_TRY(tt_style_of_job(r->job, &s->style));
    TT_TRY(tt_style_override(r->a, s->prompts, &s->style));
    s->values_at = e->values;
    TT_TRY(tt_values_read(r->a, e->values, s->templates, &s->values));
    return check_values(s);
}

static tt_err read_templates(const reader *r, const entry *e, const tt_yaml *y, tt_spec *s)
{
    tt_templates *t = TT_ZNEW(r->a, tt_templates, 1);
    const char **known = NULL;
    int nknown = s->format->columns ? known_columns(r, e, s->format, &known) : 0;
    TT_TRY(tt_templates_read(r->a, e->templates, e->options, y, s->format->templates, known, nknown, t));
    TT_TRY(check_fields(e->fields, t));
    s->templates = t;
    s->key = TT_NEW(r->a, const char *, t->ncol + 1);
    for (int c = 0; c < t->ncol; c++) {
        const tt_yaml *f = tt_yaml_get(e->fields, t->col[c]);
        s->key[c] = f ? f->text : t->col[c];
    }
    for (int i = 0; i < t->n && r->job->train.objective == TT_OBJ_SEQ2SEQ; i++)
        if (t->t[i].target.n == 0)
            return tt_fail(TT_EJOB, "%s:%d: the template's target is empty; only train.objective: span makes its own",
                           y->file, y->line);
    return read_prompts(r, e, s);
}

static tt_err read_split(const reader *r, const tt_yaml *y, const tt_split **out)
{
    *out = NULL;
    if (!y) return TT_OK;
    tt_split *s = TT_ZNEW(r->a, tt_split, 1);
    TT_TRY(tt_keys_bind(r->a, y, split_keys, s, "split."));
    if (s->validation + s->test > 1)
        return tt_fail(TT_EJOB, "%s:%d: split: validation %g and test %g are more than the whole", y->file, y->line,
                       s->validation, s->test);
    *out = s;
    return TT_OK;
}

static tt_err read_shared(const reader *r, const entry *e, const tt_yaml *y, const char *path, tt_spec *s)
{
    *s = (tt_spec){.name = e->name,
                   .category = e->category,
                   .at = y,
                   .columns = e->columns,
                   .where = e->where,
                   .cap = e->cap,
                   .limit = e->limit,
                   .weight = e->weight,
                   .collection = e->collection,
                   .dataset = e->dataset,
                   .language = e->language,
                   .licence = e->licence,
                   .mixture = e->mixture,
                   .held_out = e->held_out,
                   .declared = e->rows};
    TT_TRY(check_kind(y, e->fields, TT_MAP, "fields", "a map, column: name in the file"));
    TT_TRY(check_kind(y, e->where, TT_MAP, "where", "a map, key: value of the header"));
    TT_TRY(check_kind(y, e->columns, TT_LIST, "columns", "a list of names"));
    TT_TRY(find_format(e, y, path, &s->format));
    if (e->where && strcmp(s->format->name, "superni"))
        return tt_fail(TT_EJOB, "%s:%d: where needs files with a header; only format superni has one", y->file,
                       y->line);
    TT_TRY(read_templates(r, e, y, s));
    return read_split(r, e->split, &s->split);
}

/* ---- files -----------------------------------------------------------------------------------------------------------*/

static const char *root_of(const reader *r)
{
    return r->job->data.root && *r->job->data.root ? r->job->data.root : ".";
}

static const char *first_path(const entry *e)
{
    return e->path->kind == TT_LIST ? e->path->child[0]->text : e->path->text;
}

static tt_err no_file(reader *r, const entry *e, const tt_yaml *y, const char *path, const char *why)
{
    bool skip = e->missing == MISSING_JOB ? r->job->data.missing == TT_MISSING_SKIP : e->missing == MISSING_SKIP;
    if (!skip)
        return tt_fail(TT_EDATA,
                       "%s:%d: %s: %s; paths start from data.root (%s), and data.missing: skip goes on without what is "
                       "absent",
                       y->file, y->line, r->what, why, root_of(r));
    tt_specs *o = r->out;
    o->absent = tt_realloc(o->absent, sizeof *o->absent * (size_t)(o->nabsent + 1));
    o->absent[o->nabsent++] = (tt_absent){.name = e->name ? e->name : stem(r, path),
                                          .category = e->category,
                                          .collection = e->collection,
                                          .path = path,
                                          .declared = e->rows};
    return TT_OK;
}

static tt_err add_file(reader *r, const tt_spec *shared, const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return tt_fail(TT_EDATA, "%s:%d: %s: %s cannot be read: %s", shared->at->file, shared->at->line, r->what, path,
                       strerror(errno));
    tt_specs *o = r->out;
    if (o->n == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 16;
        o->spec = tt_realloc(o->spec, sizeof *o->spec * (size_t)o->cap);
    }
    tt_spec *s = &o->spec[o->n++];
    *s = *shared;
    s->path = path;
    s->bytes = st.st_size;
    if (!s->name) s->name = stem(r, path);
    return TT_OK;
}

/* Is name the first word of a line of text? */
static bool listed(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text; *p; p = strchrnul(p, '\n'), p += *p != 0)
        if (!strncmp(p, name, n) && strchr("\t\r\n ,", p[n])) return true;
    return false;
}

/* "glue/rte/train.jsonl" -> "rte.train": for files of a glob whose stems alone are not different. */
static const char *longer_name(const reader *r, const char *path, const char *own)
{
    const char *slash = strrchr(path, '/'), *from = slash;
    while (from && from > path && from[-1] != '/') from--;
    return slash && slash > from ? tt_sprintf(r->a, "%.*s.%s", (int)(slash - from), from, own) : own;
}

static void name_matches(const reader *r, const glob_t *g, const char **name)
{
    const char **own = TT_NEW(r->a, const char *, g->gl_pathc);
    for (size_t i = 0; i < g->gl_pathc; i++) own[i] = stem(r, g->gl_pathv[i]);
    for (size_t i = 0; i < g->gl_pathc; i++) {
        bool twice = false;
        for (size_t k = 0; k < g->gl_pathc && !twice; k++) twice = k != i && !strcmp(own[i], own[k]);
        name[i] = twice ? longer_name(r, g->gl_pathv[i], own[i]) : own[i];
    }
}

static tt_err add_matches(reader *r, const entry *e, const tt_spec *shared, const glob_t *g, const char *only)
{
    int before = r->out->n;
    const char **name = TT_NEW(r->a, const char *, g->gl_pathc);
    name_matches(r, g, name);
    for (size_t i = 0; i < g->gl_pathc; i++) {
        if (only && !listed(only, stem(r, g->gl_pathv[i]))) continue;
        tt_spec s = *shared;
        s.name = name[i];
        TT_TRY(add_file(r, &s, tt_strdup(r->a, g->gl_pathv[i])));
    }
    if (r->out->n > before) return TT_OK;
    return tt_fail(TT_EDATA, "%s:%d: %s: %s names none of the %zu files of %s", shared->at->file, shared->at->line,
                   r->what, e->only, g->gl_pathc, first_path(e));
}

/* An entry with a name is one data set. */
static tt_err only_one(const entry *e, const tt_yaml *y, const glob_t *g)
{
    if (!e->name || g->gl_pathc == 1) return TT_OK;
    return tt_fail(
        TT_EJOB,
        "%s:%d: a glob gives several data sets (%s, %s ...); leave name out, so that each takes its file's, or "
        "name one file",
        y->file, y->line, g->gl_pathv[0], g->gl_pathv[1]);
}

static tt_err add_glob(reader *r, const entry *e, const tt_yaml *y, const glob_t *g, const char *root)
{
    char *only = NULL;
    size_t size;
    tt_spec shared;
    TT_TRY(only_one(e, y, g));
    TT_TRY(read_shared(r, e, y, g->gl_pathv[0], &shared));
    if (e->name) return add_file(r, &shared, tt_strdup(r->a, g->gl_pathv[0]));
    if (e->only) TT_TRY(tt_slurp(resolve(r, root, e->only), &only, &size));
    tt_err err = add_matches(r, e, &shared, g, only);
    free(only);
    return err;
}

static tt_err add_one(reader *r, const entry *e, const tt_yaml *y, const char *path)
{
    if (e->only) return tt_fail(TT_EJOB, "%s:%d: only picks from a glob; path is a single file", y->file, y->line);
    tt_spec shared;
    TT_TRY(read_shared(r, e, y, path, &shared));
    return add_file(r, &shared, path);
}

/* *found: there is such a file, or a glob has a match. */
static tt_err try_path(reader *r, const entry *e, const tt_yaml *y, const char *text, const char *root, bool *found)
{
    const char *path = resolve(r, root, text);
    if ((*found = tt_exists(path))) return add_one(r, e, y, path);
    if (!strpbrk(text, "*?[")) return TT_OK;
    glob_t g = {0};
    tt_err err = TT_OK;
    *found = glob(path, 0, NULL, &g) == 0 && g.gl_pathc > 0;
    if (*found) err = add_glob(r, e, y, &g, root);
    globfree(&g);
    return err;
}

/* The first path that is there. */
static tt_err add_paths(reader *r, const entry *e, const tt_yaml *y, const char *root)
{
    const tt_yaml *p = e->path;
    int n = p->kind == TT_LIST ? p->n : 1;
    bool found = false;
    for (int i = 0; i < n && !found; i++) {
        const tt_yaml *one = p->kind == TT_LIST ? p->child[i] : p;
        if (one->kind != TT_SCALAR)
            return tt_fail(TT_EJOB, "%s:%d: path is a file, a glob, or a list of them", one->file, one->line);
        TT_TRY(try_path(r, e, y, one->text, root, &found));
    }
    if (found) return TT_OK;
    const char *path = resolve(r, root, first_path(e));
    bool globbed = strpbrk(first_path(e), "*?[") != NULL;
    return no_file(r, e, y, path,
                   tt_sprintf(r->a, globbed ? "no file matches %s%s" : "%s%s cannot be read: no such file", path,
                              n > 1 ? " (nor the other paths)" : ""));
}

/* ---- registries --------------------------------------------------------------------------------------------------------*/

static bool is_entry_key(const char *name)
{
    for (const tt_keyrow *k = entry_keys; k->name; k++)
        if (!strcmp(k->name, name)) return true;
    return false;
}

static tt_err add_selected(reader *r, const entry *e, const tt_items *items)
{
    const void **all = tt_malloc(sizeof *all * (size_t)(items->n + 1));
    for (int i = 0; i < items->n; i++) all[i] = &items->item[i];
    tt_err err = TT_OK;
    if (e->select)
        err = tt_select_check(e->select, "select", NULL, tt_item_field, all, items->n, "data set of the registry");
    for (int i = 0; i < items->n && err == TT_OK; i++)
        if (!e->select || tt_select_match(e->select, tt_item_field, all[i]))
            err = read_list(r, items->item[i].keys, items->item[i].root);
    free(all);
    return err;
}

static tt_err add_registry(reader *r, const entry *e, const tt_yaml *y, const char *root)
{
    const char *name = e->list ? e->list : e->registry, *path = resolve(r, root, name);
    if (!tt_exists(path) && tt_exists(name)) path = name; /* one that comes with tutti or the job, not with the data */
    if (!tt_exists(path))
        return tt_fail(TT_EDATA, "%s:%d: %s: no such list %s, neither in data.root (%s) nor here", y->file, y->line,
                       r->what, name, root_of(r));
    if (++r->depth > MAX_DEPTH)
        return tt_fail(TT_EJOB, "%s:%d: lists within lists, %d deep; does %s name itself?", y->file, y->line, MAX_DEPTH,
                       path);
    tt_items items;
    tt_err err = tt_registry_read(r->a, r->job, path, r->what, is_entry_key, &items);
    if (err == TT_OK) err = add_selected(r, e, &items);
    tt_items_fini(&items);
    r->depth--;
    return err;
}

static tt_err read_entry(reader *r, const tt_yaml *y, const char *root)
{
    entry e = {0};
    tt_yaml alone = {.kind = TT_MAP, .file = y->file, .line = y->line};
    bool path_alone = y->kind == TT_SCALAR;
    TT_TRY(tt_keys_bind(r->a, path_alone ? &alone : y, entry_keys, &e, ""));
    if (path_alone) e.path = y;
    bool list = e.list || e.registry;
    if (list && !e.path) return add_registry(r, &e, y, root);
    if (list || !e.path) return tt_fail(TT_EJOB, "%s:%d: a data set needs either path or list", y->file, y->line);
    if (e.select)
        return tt_fail(TT_EJOB, "%s:%d: select picks from a registry; this entry is a file", y->file, y->line);
    if (e.held_out && !strcmp(r->what, "data.train")) {
        r->out->held_out++;
        return TT_OK;
    }
    return add_paths(r, &e, y, root);
}

static tt_err read_list(reader *r, const tt_yaml *list, const char *root)
{
    if (list->kind == TT_MAP) return read_entry(r, list, root);
    if (list->kind == TT_SCALAR) return read_entry(r, list, root);
    for (int i = 0; i < list->n; i++) TT_TRY(read_entry(r, list->child[i], root));
    return TT_OK;
}

/* ---- names -------------------------------------------------------------------------------------------------------------*/

static int by_name(const void *x, const void *y)
{
    const tt_spec *a = *(tt_spec *const *)x, *b = *(tt_spec *const *)y;
    return strcmp(a->name, b->name);
}

/* Names are keys: of reports, and of the mixture's random streams. */
static tt_err check_names(const tt_specs *s)
{
    const tt_spec **order = tt_malloc(sizeof *order * (size_t)(s->n + 1));
    for (int i = 0; i < s->n; i++) order[i] = &s->spec[i];
    qsort(order, (size_t)s->n, sizeof *order, by_name);
    tt_err e = TT_OK;
    for (int i = 1; i < s->n && e == TT_OK; i++)
        if (!strcmp(order[i - 1]->name, order[i]->name))
            e = tt_fail(TT_EJOB, "%s:%d: two data sets are called %s (%s, %s); give one another name",
                        order[i]->at->file, order[i]->at->line, order[i]->name, order[i - 1]->path, order[i]->path);
    free(order);
    return e;
}

tt_err tt_specs_read(tt_arena *a, const tt_job *job, const tt_yaml *list, const char *what, tt_specs *out)
{
    *out = (tt_specs){0};
    if (!list) return TT_OK;
    reader r = {a, job, what, out, 0};
    TT_TRY(read_list(&r, list, job->data.root));
    return check_names(out);
}

void tt_specs_fini(tt_specs *s)
{
    free(s->spec);
    free(s->absent);
    *s = (tt_specs){0};
}
