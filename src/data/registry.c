/* Registry files: includes, defaults, a table, rules, data sets; and lists of entries that name them. */
#include "registry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct open_file { /* files that are being read, from the innermost outward */
    dev_t dev;
    ino_t ino;
    const char *path;
    const struct open_file *outer;
} open_file;

typedef struct reader {
    tt_arena *a;
    const tt_job *job;
    const char *what; /* data.train */
    const open_file *open;
} reader;

typedef struct scope { /* what the data sets of one file share */
    const char *root[2];
    const tt_yaml *defaults;
} scope;

typedef struct registry {
    const char *table;
    const tt_yaml *include, *defaults, *columns, *rules, *categories, *collections, *datasets;
    const tt_yaml *data, *train, *validation, *test; /* the other form: a list for each part of the job */
} registry;

#define AT(field) offsetof(registry, field)
static const tt_keyrow registry_keys[] = {
    {"include", TT_KTREE, AT(include), NULL, NULL, "registry files whose data sets come first"},
    {"defaults", TT_KTREE, AT(defaults), NULL, NULL, "keys of the data sets that lack them"},
    {"table", TT_KTEXT, AT(table), NULL, NULL, "a TSV file with a header line, one data set a row"},
    {"columns", TT_KTREE, AT(columns), NULL, NULL, "key of an entry: its column in the table"},
    {"rules", TT_KTREE, AT(rules), NULL, NULL, "list of {when, set} or {when, skip: true}"},
    {"categories", TT_KTREE, AT(categories), NULL, NULL, "the only categories there are"},
    {"collections", TT_KTREE, AT(collections), NULL, NULL, "the only collections there are"},
    {"datasets", TT_KTREE, AT(datasets), NULL, NULL, "list of entries"},
    {"data", TT_KTREE, AT(data), NULL, NULL, "lists of entries, as in a job"},
    {"train", TT_KTREE, AT(train), NULL, NULL, "entries of data.train"},
    {"validation", TT_KTREE, AT(validation), NULL, NULL, "entries of data.validation"},
    {"test", TT_KTREE, AT(test), NULL, NULL, "entries of data.test"},
    {0},
};
#undef AT
enum { OWN_KEYS = 8 }; /* the first ones of registry_keys tell a registry from a job's file */

static tt_err read_entries(reader *r, const tt_yaml *list, const scope *s, tt_items *out);
static tt_err read_file(reader *r, const tt_yaml *at, const char *path, tt_items *out);

/* ---- where files are -----------------------------------------------------------------------------------------------------*/

static const char *data_root(const reader *r) { return r->job->data.root ? r->job->data.root : "."; }

static const char *folder_of(const reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? tt_sprintf(r->a, "%.*s", (int)(slash - path), path) : ".";
}

/* Paths start from the folder, and from data.root for what is not there. */
static scope scope_of(const reader *r, const char *folder)
{
    bool same = !strcmp(folder, data_root(r));
    return (scope){.root = {folder, same ? NULL : data_root(r)}};
}

/* In the scope's folders; with here, in the working folder, too. NULL: nowhere. */
static const char *find_file(const reader *r, const scope *s, const char *path, bool here)
{
    for (int i = 0; i < 2 && s->root[i]; i++) {
        const char *p = tt_path_under(r->a, s->root[i], path);
        if (tt_exists(p)) return p;
    }
    return here && tt_exists(path) ? path : NULL;
}

/* ---- entries -------------------------------------------------------------------------------------------------------------*/

static tt_item *item_new(const reader *r, const tt_yaml *at, const scope *s)
{
    tt_item *it = TT_ZNEW(r->a, tt_item, 1);
    it->at = at;
    it->root[0] = s->root[0];
    it->root[1] = s->root[1];
    tt_item_set_all(r->a, it, s->defaults, TT_BY_DEFAULT, NULL);
    return it;
}

static tt_yaml *scalar(const reader *r, const char *key, const char *text, const char *file, int line)
{
    tt_yaml *y = TT_NEW(r->a, tt_yaml, 1);
    *y = (tt_yaml){.kind = TT_SCALAR, .key = key, .text = text, .file = file, .line = line};
    return y;
}

static const tt_yaml *named(const reader *r, const char *key, const tt_yaml *y)
{
    return scalar(r, key, y->text, y->file, y->line);
}

/* One data set of a task: the entry's keys, those of the task over them. */
static tt_err read_task(reader *r, const tt_yaml *entry, const tt_yaml *task, const scope *s, tt_items *out)
{
    static const char *const not_shared[] = {"tasks", "name", NULL};
    const tt_yaml *name = tt_yaml_get(entry, "name");
    if (task->kind == TT_LIST || (task->kind == TT_MAP && !tt_yaml_get(task, "name")))
        return tt_fail(TT_EJOB, "%s:%d: a task needs a name, as in {name: rte_choose, category: entailment}",
                       task->file, task->line);
    tt_item *it = item_new(r, task, s);
    tt_item_set_all(r->a, it, entry, TT_BY_ENTRY, not_shared);
    if (name && name->kind == TT_SCALAR && !tt_yaml_get(entry, "dataset"))
        tt_item_set(r->a, it, named(r, "dataset", name), TT_BY_ENTRY);
    if (task->kind == TT_SCALAR)
        tt_item_set(r->a, it, named(r, "name", task), TT_BY_ENTRY);
    else
        tt_item_set_all(r->a, it, task, TT_BY_ENTRY, NULL);
    tt_items_add(r->a, out, it);
    return TT_OK;
}

static tt_err read_tasks(reader *r, const tt_yaml *entry, const tt_yaml *tasks, const scope *s, tt_items *out)
{
    if (tasks->kind != TT_LIST)
        return tt_fail(TT_EJOB, "%s:%d: tasks must be a list of names or of {name: ..., category: ...}", tasks->file,
                       tasks->line);
    for (int i = 0; i < tasks->n; i++) TT_TRY(read_task(r, entry, tasks->child[i], s, out));
    return TT_OK;
}

/* The data sets of another file. The keys beside list hold for each of them, whatever that file says. */
static tt_err read_named(reader *r, const tt_yaml *y, const tt_yaml *list, const scope *s, tt_items *out)
{
    static const char *const not_shared[] = {"list", "registry", "select", NULL};
    static const char *const never[] = {"path", "name", "only", "tasks"};
    if (list->kind != TT_SCALAR)
        return tt_fail(TT_EJOB, "%s:%d: %s takes the name of one file", list->file, list->line, list->key);
    for (int i = 0; i < 4; i++)
        if (tt_yaml_get(y, never[i]))
            return tt_fail(TT_EJOB, "%s:%d: a data set needs either path or list; %s does not go with %s", y->file,
                           y->line, never[i], list->key);
    const char *path = find_file(r, s, list->text, true);
    if (!path)
        return tt_fail(TT_EDATA, "%s:%d: %s: no such list %s, neither in %s%s%s nor where tutti is started", y->file,
                       y->line, r->what, list->text, s->root[0], s->root[1] ? " nor in " : "",
                       s->root[1] ? s->root[1] : " (data.root)");
    tt_items own = {0};
    TT_TRY(read_file(r, list, path, &own));
    TT_TRY(tt_items_select(r->a, tt_yaml_get(y, "select"), path, &own));
    for (int i = 0; i < own.n; i++) {
        tt_item_set_all(r->a, own.item[i], y, TT_BY_ENTRY, not_shared);
        tt_items_add(r->a, out, own.item[i]);
    }
    return TT_OK;
}

static tt_err read_entry(reader *r, const tt_yaml *y, const scope *s, tt_items *out)
{
    if (y->kind == TT_LIST)
        return tt_fail(TT_EJOB, "%s:%d: an entry is a path or keys, as in {path: boolq.jsonl}", y->file, y->line);
    const tt_yaml *list = tt_yaml_get(y, "list"), *tasks = tt_yaml_get(y, "tasks");
    if (!list) list = tt_yaml_get(y, "registry");
    if (list) return read_named(r, y, list, s, out);
    if (tt_yaml_get(y, "select"))
        return tt_fail(TT_EJOB, "%s:%d: select picks from a list; name its file with list", y->file, y->line);
    if (tasks) return read_tasks(r, y, tasks, s, out);
    tt_item *it = item_new(r, y, s);
    if (y->kind == TT_SCALAR)
        tt_item_set(r->a, it, named(r, "path", y), TT_BY_ENTRY);
    else
        tt_item_set_all(r->a, it, y, TT_BY_ENTRY, NULL);
    tt_items_add(r->a, out, it);
    return TT_OK;
}

static tt_err read_entries(reader *r, const tt_yaml *list, const scope *s, tt_items *out)
{
    if (list->kind != TT_LIST) return read_entry(r, list, s, out);
    for (int i = 0; i < list->n; i++) TT_TRY(read_entry(r, list->child[i], s, out));
    return TT_OK;
}

/* ---- tables --------------------------------------------------------------------------------------------------------------*/

/* Keys that a cell can hold: those of one short text. */
static const char *const cell_keys[] = {"name",    "path",     "format",  "category", "collection",
                                        "dataset", "language", "licence", "mixture",  "held_out",
                                        "rows",    "cap",      "weight",  "limit",    "missing"};
enum { NCELLKEY = sizeof cell_keys / sizeof *cell_keys };

typedef struct filling { /* cells of a column that become a key of the data sets */
    const char *key;
    int col;
} filling;

static bool cell_key(const char *key)
{
    for (int k = 0; k < NCELLKEY; k++)
        if (!strcmp(cell_keys[k], key)) return true;
    return false;
}

static tt_err read_filling(const tt_yaml *y, const tt_table *t, filling *out)
{
    if (y->kind != TT_SCALAR || !cell_key(y->key))
        return tt_fail(TT_EJOB,
                       "%s:%d: columns: a cell cannot be '%s'; it can be name, path, format, category, "
                       "collection, dataset, language, licence, mixture, held_out, rows, cap, weight, limit, missing",
                       y->file, y->line, y->key);
    *out = (filling){y->key, tt_table_col(t, y->text)};
    if (out->col >= 0) return TT_OK;
    const char *near = tt_nearest(y->text, t->col, t->ncol);
    return tt_fail(TT_EJOB, "%s:%d: %s has no column '%s'%s%s%s", y->file, y->line, t->file, y->text,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Without columns, those fill keys that are called so. */
static tt_err read_fillings(const reader *r, const tt_yaml *columns, const tt_table *t, filling **out, int *n)
{
    int most = columns ? columns->n : NCELLKEY;
    *n = 0;
    *out = TT_NEW(r->a, filling, most);
    if (columns && columns->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: columns is a map, key of an entry: its column in the table", columns->file,
                       columns->line);
    for (int i = 0; i < most; i++) {
        filling f = {0};
        if (columns)
            TT_TRY(read_filling(columns->child[i], t, &f));
        else
            f = (filling){cell_keys[i], tt_table_col(t, cell_keys[i])};
        if (f.col >= 0) (*out)[(*n)++] = f;
    }
    return TT_OK;
}

static tt_err read_table(reader *r, const tt_yaml *columns, const char *path, const tt_yaml *defaults, tt_items *out)
{
    tt_table *t;
    TT_TRY(tt_table_read(r->a, path, &t));
    filling *fill;
    int nfill;
    TT_TRY(read_fillings(r, columns, t, &fill, &nfill));
    scope s = scope_of(r, folder_of(r, path));
    s.defaults = defaults;
    for (int i = 0; i < t->nrow; i++) {
        tt_item *it = item_new(r, scalar(r, NULL, "", t->file, t->line[i]), &s);
        it->table = t;
        it->row = i;
        for (int k = 0; k < nfill; k++) {
            const char *text = t->cell[(size_t)i * (size_t)t->ncol + (size_t)fill[k].col];
            if (*text) tt_item_set(r->a, it, scalar(r, fill[k].key, text, t->file, t->line[i]), TT_BY_TABLE);
        }
        tt_items_add(r->a, out, it);
    }
    return TT_OK;
}

static tt_err find_table(reader *r, const tt_yaml *y, const registry *g, const scope *s, tt_items *out)
{
    if (!g->table) {
        if (g->columns)
            return tt_fail(TT_EJOB, "%s:%d: columns belongs to a table; name its file with table", g->columns->file,
                           g->columns->line);
        return TT_OK;
    }
    const char *path = find_file(r, s, g->table, false);
    if (path) return read_table(r, g->columns, path, s->defaults, out);
    const tt_yaml *at = tt_yaml_get(y, "table");
    return tt_fail(TT_EDATA, "%s:%d: no such table %s, neither in %s nor under data.root (%s)", at->file, at->line,
                   g->table, s->root[0], data_root(r));
}

/* ---- registry files ------------------------------------------------------------------------------------------------------*/

tt_err tt_entry_check(const tt_yaml *keys, const char *what)
{
    static const char *const never[] = {"list", "registry", "select", "tasks"};
    const char *word[64];
    int n = 0;
    for (const tt_keyrow *k = tt_entry_keys; k->name && n < 64; k++) word[n++] = k->name;
    for (int i = 0; keys && i < keys->n; i++) {
        const tt_yaml *y = keys->child[i];
        if (keys->kind != TT_MAP)
            return tt_fail(TT_EJOB, "%s:%d: %s must be a map, key: value", y->file, y->line, what);
        for (int k = 0; k < 4; k++)
            if (!strcmp(y->key, never[k]))
                return tt_fail(TT_EJOB, "%s:%d: %s cannot say %s; an entry under datasets can", y->file, y->line, what,
                               y->key);
        if (tt_entry_has(y->key)) continue;
        const char *near = tt_nearest(y->key, word, n);
        return tt_fail(TT_EJOB, "%s:%d: %s: a data set has no key '%s'%s%s%s", y->file, y->line, what, y->key,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return TT_OK;
}

static tt_err read_include(reader *r, const tt_yaml *y, const scope *s, tt_items *out)
{
    for (int i = 0; i < y->n; i++)
        if (y->kind == TT_LIST) TT_TRY(read_include(r, y->child[i], s, out));
    if (y->kind == TT_LIST) return TT_OK;
    if (y->kind == TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: include takes names of files; an entry with list and select picks from one",
                       y->file, y->line);
    const char *path = find_file(r, s, y->text, false);
    if (path) return read_file(r, y, path, out);
    return tt_fail(TT_EDATA, "%s:%d: no such file %s to include, neither in %s nor under data.root (%s)", y->file,
                   y->line, y->text, s->root[0], data_root(r));
}

/* The list of a file that has one for each part of a job: under data.train or train. */
static const tt_yaml *list_in(const tt_yaml *file, const char *what)
{
    const char *dot = strchr(what, '.'), *last = dot ? dot + 1 : what;
    const tt_yaml *data = tt_yaml_get(file, "data");
    return tt_yaml_get(data ? data : file, last);
}

static bool is_registry(const tt_yaml *file)
{
    for (int i = 0; i < OWN_KEYS; i++)
        if (tt_yaml_get(file, registry_keys[i].name)) return true;
    return false;
}

static tt_err read_registry(reader *r, const tt_yaml *file, scope *s, tt_items *out)
{
    registry g = {0};
    TT_TRY(tt_keys_bind(r->a, file, registry_keys, &g, ""));
    TT_TRY(tt_entry_check(g.defaults, "defaults"));
    if (g.rules && g.rules->kind != TT_LIST)
        return tt_fail(TT_EJOB, "%s:%d: rules is a list of {when: ..., set: ...}", g.rules->file, g.rules->line);
    if (g.include) TT_TRY(read_include(r, g.include, s, out));
    s->defaults = g.defaults;
    TT_TRY(find_table(r, file, &g, s, out));
    const tt_yaml *list = list_in(file, r->what);
    if (list) TT_TRY(read_entries(r, list, s, out));
    if (g.datasets) TT_TRY(read_entries(r, g.datasets, s, out));
    TT_TRY(tt_items_apply(r->a, g.rules, out));
    TT_TRY(tt_items_close(r->a, g.categories, "category", out));
    return tt_items_close(r->a, g.collections, "collection", out);
}

static tt_err read_yaml(reader *r, const char *path, tt_items *out)
{
    scope s = scope_of(r, folder_of(r, path));
    tt_yaml *file;
    TT_TRY(tt_yaml_read(r->a, path, &file));
    if (file->kind == TT_LIST) return read_entries(r, file, &s, out);
    if (is_registry(file)) return read_registry(r, file, &s, out);
    const tt_yaml *list = list_in(file, r->what);
    if (!list) return tt_fail(TT_EJOB, "%s: has neither datasets nor a list for %s", path, r->what);
    return read_entries(r, list, &s, out);
}

static bool is_table(const char *path)
{
    size_t n = strlen(path);
    return (n > 4 && !strcmp(path + n - 4, ".tsv")) || (n > 7 && !strcmp(path + n - 7, ".tsv.gz"));
}

static tt_err check_circle(const reader *r, const tt_yaml *at, const open_file *f)
{
    for (const open_file *o = r->open; o; o = o->outer)
        if (o->dev == f->dev && o->ino == f->ino)
            return tt_fail(TT_EJOB,
                           "%s:%d: %s is being read already: does it name itself, through other lists perhaps?",
                           at->file, at->line, f->path);
    return TT_OK;
}

/* To whoever names the file, all that it says is equal, and weaker than his own rules and entries. */
static void settle(tt_items *l)
{
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < l->item[i]->n; k++)
            if (l->item[i]->key[k].level > TT_BY_TABLE) l->item[i]->key[k].level = TT_BY_TABLE;
}

/* at: what names the file. */
static tt_err read_file(reader *r, const tt_yaml *at, const char *path, tt_items *out)
{
    struct stat st = {0};
    if (stat(path, &st)) return tt_fail(TT_EDATA, "%s:%d: %s cannot be read", at->file, at->line, path);
    open_file f = {st.st_dev, st.st_ino, path, r->open};
    TT_TRY(check_circle(r, at, &f));
    r->open = &f;
    tt_items own = {0};
    tt_err e = is_table(path) ? read_table(r, NULL, path, NULL, &own) : read_yaml(r, path, &own);
    r->open = f.outer;
    if (e != TT_OK) return e;
    settle(&own);
    for (int i = 0; i < own.n; i++) tt_items_add(r->a, out, own.item[i]);
    return TT_OK;
}

tt_err tt_items_read(tt_arena *a, const tt_job *job, const tt_yaml *list, const char *what, tt_items *out)
{
    *out = (tt_items){0};
    reader r = {a, job, what, NULL};
    scope s = {.root = {data_root(&r)}};
    return read_entries(&r, list, &s, out);
}
