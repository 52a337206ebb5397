/* From items to specs: the keys of a data set, its files, its name. */
#include "entry.h"
#include "find.h"
#include "registry.h"
#include "source.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct entry {
    const char *name, *format, *category, *list, *only, *each, *exemplars, *metrics;
    const char *collection, *dataset, *language, *licence, *mixture;
    const tt_yaml *path, *fields, *templates, *split, *where, *columns, *values, *options, *prompts, *select, *tasks;
    bool held_out;
    int missing; /* -1: data.missing */
    int answer;  /* -1: eval.answer */
    int64_t cap, limit, rows;
    double weight;
} entry;

#define AT(field) offsetof(entry, field)
const tt_keyrow tt_entry_keys[] = {
    {"name", TT_KTEXT, AT(name), NULL, NULL, "default: the file's name without its endings"},
    {"path", TT_KTREE, AT(path), NULL, NULL,
     "under data.root unless absolute; a glob gives one data set per file; of a list the first that is there"},
    {"list", TT_KTEXT, AT(list), NULL, NULL, "a file of entries or a registry that stands here"},
    {"registry", TT_KTEXT, AT(list), NULL, NULL, "the same as list"},
    {"select", TT_KTREE, AT(select), NULL, NULL, "of a list: key or column: a value, a glob or a list of them"},
    {"tasks", TT_KTREE, AT(tasks), NULL, NULL, "list of {name, ...}: one data set each, with the keys of this entry"},
    {"only", TT_KTEXT, AT(only), NULL, NULL,
     "a file whose lines start with the names of the files to take from a glob"},
    {"missing", TT_KENUM, AT(missing), NULL, "fail|skip", "a file that is not there; default: data.missing"},
    {"format", TT_KTEXT, AT(format), NULL, NULL, "default: by the file's ending"},
    {"fields", TT_KTREE, AT(fields), NULL, NULL, "column: its name in the file (a.0.b walks into JSON)"},
    {"each", TT_KTEXT, AT(each), NULL, NULL,
     "format nested: the list whose members are the rows, as in passage.questions"},
    {"columns", TT_KTREE, AT(columns), NULL, NULL, "names of the columns of a TSV or CSV file without header line"},
    {"templates", TT_KTREE, AT(templates), NULL, NULL,
     "list of {source, target, when, unless, kind, weight, head, exemplar, shot}"},
    {"values", TT_KTREE, AT(values), NULL, NULL, "column: {stored text: text to show}; others make a row bad"},
    {"options", TT_KTREE, AT(options), NULL, NULL, "answers to choose from: a list, or {column: NAME}"},
    {"exemplars", TT_KTEXT, AT(exemplars), NULL, NULL, "the set of data.train that gives them, or off"},
    {"prompts", TT_KTREE, AT(prompts), NULL, NULL, "few_shot, shots, options, cot, invert: instead of data.prompts"},
    {"metrics", TT_KTEXT, AT(metrics), NULL, NULL, "of tutti eval, instead of eval.metrics"},
    {"answer", TT_KENUM, AT(answer), NULL, TT_ANSWERS, "how tutti eval takes its answers, instead of eval.answer"},
    {"category", TT_KTEXT, AT(category), NULL, NULL, "for reports; default: what the file says"},
    {"collection", TT_KTEXT, AT(collection), NULL, NULL, "what the data set came with"},
    {"dataset", TT_KTEXT, AT(dataset), NULL, NULL, "the source that it is made from; several may share one"},
    {"language", TT_KTEXT, AT(language), NULL, NULL, "of its texts"},
    {"licence", TT_KTEXT, AT(licence), NULL, NULL, "of its texts"},
    {"mixture", TT_KTEXT, AT(mixture), NULL, NULL, "the part of the mixture that it belongs to"},
    {"held_out", TT_KBOOL, AT(held_out), "false", NULL, "to test with: left out of data.train"},
    {"rows", TT_KINT, AT(rows), "0", "0..", "how many it should have; 0: not said"},
    {"where", TT_KTREE, AT(where), NULL, NULL, "superni: only files, headed: only rows that have these values"},
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

typedef struct named { /* what has a name, there or not */
    const char *name, *path;
    const tt_yaml *at;
    int nth; /* in the order of the list */
} named;

typedef struct reader {
    tt_arena *a;
    const tt_job *job;
    const char *what; /* data.train */
    tt_finder find;
    tt_specs *out;
    int nnamed, capnamed;
    named *named;       /* heap */
    int nlost;          /* data sets without a file that should have one */
    tt_found lost;      /* the first */
    const tt_item *who; /* its item */
} reader;

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

static tt_err check_format_keys(const entry *e, const tt_yaml *y, const tt_format *f)
{
    bool superni = !strcmp(f->name, "superni"), headed = !strcmp(f->name, "headed"),
         nested = !strcmp(f->name, "nested");
    if (e->where && !superni && !headed)
        return tt_fail(TT_EJOB, "%s:%d: where needs files with a header; only format superni has one, and headed",
                       y->file, y->line);
    if (!e->each == nested)
        return tt_fail(TT_EJOB,
                       nested ? "%s:%d: format nested needs each, the path of the list whose members are the rows"
                              : "%s:%d: each belongs to format nested",
                       y->file, y->line);
    return TT_OK;
}

static tt_err read_shared(const reader *r, const entry *e, const tt_yaml *y, const char *path, tt_spec *s)
{
    *s = (tt_spec){.name = e->name,
                   .category = e->category,
                   .collection = e->collection,
                   .dataset = e->dataset,
                   .language = e->language,
                   .licence = e->licence,
                   .mixture = e->mixture,
                   .held_out = e->held_out,
                   .declared = e->rows,
                   .metrics = e->metrics,
                   .answer = e->answer,
                   .at = y,
                   .columns = e->columns,
                   .where = e->where,
                   .each = e->each,
                   .cap = e->cap,
                   .limit = e->limit,
                   .weight = e->weight};
    TT_TRY(check_kind(y, e->fields, TT_MAP, "fields", "a map, column: name in the file"));
    TT_TRY(check_kind(y, e->where, TT_MAP, "where", "a map, key: value of the header"));
    TT_TRY(check_kind(y, e->columns, TT_LIST, "columns", "a list of names"));
    TT_TRY(find_format(e, y, path, &s->format));
    TT_TRY(check_format_keys(e, y, s->format));
    TT_TRY(read_templates(r, e, y, s));
    return read_split(r, e->split, &s->split);
}

/* ---- files -----------------------------------------------------------------------------------------------------------*/

static void note_name(reader *r, const char *name, const char *path, const tt_yaml *at)
{
    if (r->nnamed == r->capnamed)
        r->named = tt_realloc(r->named, sizeof *r->named * (size_t)(r->capnamed = 2 * r->capnamed + 16));
    r->named[r->nnamed] = (named){name, path, at, r->nnamed};
    r->nnamed++;
}

/* bytes < 0: not known yet. */
static tt_err add_file(reader *r, const tt_item *it, const tt_spec *shared, const char *path, int64_t bytes)
{
    struct stat st = {.st_size = bytes};
    if (bytes < 0 && stat(path, &st)) return tt_find_fail(&r->find, it, path);
    tt_specs *o = r->out;
    if (o->n == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 16;
        o->spec = tt_realloc(o->spec, sizeof *o->spec * (size_t)o->cap);
    }
    tt_spec *s = &o->spec[o->n++];
    *s = *shared;
    s->path = path;
    s->bytes = st.st_size;
    if (!s->name) s->name = tt_path_stem(r->a, path);
    note_name(r, s->name, path, it->at);
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

static int by_stem(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

static bool twice(const char *const *sorted, int n, const char *s)
{
    const char *const *hit = bsearch(&s, sorted, (size_t)n, sizeof *sorted, by_stem);
    return (hit > sorted && !strcmp(hit[-1], s)) || (hit + 1 < sorted + n && !strcmp(hit[1], s));
}

static void name_matches(const reader *r, const tt_found *f, const char **name)
{
    const char **sorted = TT_NEW(r->a, const char *, f->n);
    for (int i = 0; i < f->n; i++) sorted[i] = name[i] = tt_path_stem(r->a, f->file[i]);
    qsort(sorted, (size_t)f->n, sizeof *sorted, by_stem);
    for (int i = 0; i < f->n; i++)
        if (twice(sorted, f->n, name[i])) name[i] = longer_name(r, f->file[i], name[i]);
}

static tt_err add_matches(reader *r, const tt_item *it, const entry *e, const tt_found *f, const char *only)
{
    int before = r->out->n;
    tt_spec s;
    TT_TRY(read_shared(r, e, it->at, f->file[0], &s));
    const char **name = TT_NEW(r->a, const char *, f->n);
    name_matches(r, f, name);
    for (int i = 0; i < f->n; i++) {
        if (only && !listed(only, tt_path_stem(r->a, f->file[i]))) continue;
        s.name = name[i];
        TT_TRY(add_file(r, it, &s, f->file[i], -1));
    }
    if (r->out->n > before) return TT_OK;
    return tt_fail(TT_EDATA, "%s:%d: %s: %s names none of the %d files of %s", it->at->file, it->at->line, r->what,
                   e->only, f->n, f->path);
}

/* The names that only lists; *only: heap. */
static tt_err read_only(const reader *r, const tt_item *it, const entry *e, char **only)
{
    size_t size;
    const char *path = tt_path_under(r->a, it->root[0], e->only);
    if (it->root[1] && !tt_exists(path)) path = tt_path_under(r->a, it->root[1], e->only);
    return tt_slurp(path, only, &size);
}

static tt_err add_glob(reader *r, const tt_item *it, const entry *e, const tt_found *f)
{
    char *only = NULL;
    if (e->only) TT_TRY(read_only(r, it, e, &only));
    tt_err err = add_matches(r, it, e, f, only);
    free(only);
    return err;
}

static tt_err add_one(reader *r, const tt_item *it, const entry *e, const tt_found *f)
{
    const tt_yaml *at = it->at;
    if (e->only) return tt_fail(TT_EJOB, "%s:%d: only picks from a glob; path is a single file", at->file, at->line);
    if (f->n > 1)
        return tt_fail(TT_EJOB,
                       "%s:%d: data set %s is one file, but %s matches %d, %s and %s among them; narrow the "
                       "pattern, or leave name out for one data set per file",
                       at->file, at->line, e->name, f->path, f->n, f->file[0], f->file[1]);
    tt_spec s;
    TT_TRY(read_shared(r, e, at, f->file[0], &s));
    return add_file(r, it, &s, f->file[0], f->bytes);
}

/* ---- items ---------------------------------------------------------------------------------------------------------------*/

static tt_err bind(reader *r, const tt_item *it, entry *e)
{
    *e = (entry){.missing = -1, .answer = -1};
    return tt_keys_bind(r->a, tt_item_map(r->a, it), tt_entry_keys, e, "");
}

static void add_absent(reader *r, const tt_item *it, const entry *e, const tt_found *f)
{
    bool skip = (e->missing < 0 ? r->job->data.missing : e->missing) == TT_MISSING_SKIP;
    if (!skip && !r->nlost++) {
        r->lost = *f;
        r->who = it;
    }
    if (!skip) return;
    tt_specs *o = r->out;
    o->absent = tt_realloc(o->absent, sizeof *o->absent * (size_t)(o->nabsent + 1));
    const char *name = e->name ? e->name : tt_path_stem(r->a, f->path);
    o->absent[o->nabsent++] = (tt_absent){name, e->category, e->collection, f->path, e->rows};
    note_name(r, name, f->path, it->at);
}

static tt_err read_item(reader *r, const tt_item *it)
{
    const tt_yaml *at = it->at;
    const tt_item *with;
    entry e;
    tt_found f;
    TT_TRY(bind(r, it, &e));
    if (e.held_out && !strcmp(r->what, "data.train")) return r->out->held_out++, TT_OK;
    if (!e.path) return tt_fail(TT_EJOB, "%s:%d: a data set needs either path or list", at->file, at->line);
    TT_TRY(tt_find(&r->find, it, &f, &with));
    TT_TRY(bind(r, with, &e));
    if (!f.n) return add_absent(r, it, &e, &f), TT_OK;
    return f.glob && !e.name ? add_glob(r, it, &e, &f) : add_one(r, it, &e, &f);
}

static tt_err check_lost(const reader *r)
{
    if (!r->nlost) return TT_OK;
    const tt_yaml *at = r->who->at;
    const char *more = r->nlost > 1 ? tt_sprintf(r->a, " (the first of %d that are not there)", r->nlost) : "";
    return tt_fail(TT_EDATA, "%s:%d: %s: %s%s%s%s; paths start from %s; to go on without, set data.missing: skip",
                   at->file, at->line, r->what, r->lost.glob ? "no file matches " : "", r->lost.path,
                   r->lost.glob ? "" : " cannot be read: No such file or directory", more, tt_find_from(r->a, r->who));
}

/* Nothing to read is a mistake of the job. */
static tt_err check_left(const reader *r, const tt_yaml *list)
{
    const tt_specs *o = r->out;
    if (o->n) return TT_OK;
    if (o->nabsent)
        return tt_fail(TT_EDATA,
                       "%s:%d: %s: no data set is left: none of the %d has its file, the first would be %s; "
                       "see data.root (%s)",
                       list->file, list->line, r->what, o->nabsent, o->absent[0].path,
                       r->job->data.root ? r->job->data.root : ".");
    return tt_fail(TT_EDATA, "%s:%d: %s: no data set is left: %s", list->file, list->line, r->what,
                   o->held_out ? "all are held out; name some to train on"
                               : "the list is empty, or rules skip all of it");
}

/* ---- names -------------------------------------------------------------------------------------------------------------*/

static int by_name(const void *x, const void *y)
{
    const named *a = x, *b = y;
    int c = strcmp(a->name, b->name);
    return c ? c : a->nth - b->nth;
}

/* Names are keys: of reports, and of the mixture's random streams. */
static tt_err check_names(reader *r)
{
    if (r->nnamed) qsort(r->named, (size_t)r->nnamed, sizeof *r->named, by_name);
    for (int i = 1; i < r->nnamed; i++) {
        const named *a = &r->named[i - 1], *b = &r->named[i];
        if (!strcmp(a->name, b->name))
            return tt_fail(TT_EJOB, "%s:%d: two data sets are called %s: %s (%s:%d) and %s; give one another name",
                           b->at->file, b->at->line, b->name, a->path, a->at->file, a->at->line, b->path);
    }
    return TT_OK;
}

static tt_err read_items(reader *r, const tt_yaml *list)
{
    tt_items items;
    TT_TRY(tt_items_read(r->a, r->job, list, r->what, &items));
    for (int i = 0; i < items.n; i++) TT_TRY(read_item(r, items.item[i]));
    TT_TRY(check_lost(r));
    TT_TRY(check_names(r));
    return check_left(r, list);
}

tt_err tt_specs_read(tt_arena *a, const tt_job *job, const tt_yaml *list, const char *what, tt_specs *out)
{
    *out = (tt_specs){0};
    if (!list) return TT_OK;
    reader r = {.a = a, .job = job, .what = what, .find = {a, what, tt_folders_new()}, .out = out};
    tt_err e = read_items(&r, list);
    tt_folders_free(r.find.folders);
    free(r.named);
    return e;
}

void tt_specs_fini(tt_specs *s)
{
    free(s->spec);
    free(s->absent);
    *s = (tt_specs){0};
}
