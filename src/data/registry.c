#include "registry.h"
#include "select.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8 };

typedef struct reader {
    tt_arena *a;
    const tt_job *job;
    const char *what;
    bool (*is_key)(const char *name);
    int depth;
    tt_items *out;
} reader;

/* One file. */
typedef struct registry {
    const char *path, *folder, *table, *base;
    const tt_yaml *include, *defaults, *columns, *rules, *categories, *collections, *datasets, *train, *validation,
        *test, *data;
} registry;

#define AT(field) offsetof(registry, field)
static const tt_keyrow registry_keys[] = {
    {"include", TT_KTREE, AT(include), NULL, NULL, "registries whose data sets come first"},
    {"base", TT_KTEXT, AT(base), "folder", NULL, "where paths start: folder (of this file) or root (data.root)"},
    {"defaults", TT_KTREE, AT(defaults), NULL, NULL, "keys of every data set that lacks them"},
    {"table", TT_KTEXT, AT(table), NULL, NULL, "a TSV with a header line, a data set a line"},
    {"columns", TT_KTREE, AT(columns), NULL, NULL, "key: its column of the table"},
    {"rules", TT_KTREE, AT(rules), NULL, NULL, "list of {when: {key: value}, set: {key: value}, skip: true}"},
    {"categories", TT_KTREE, AT(categories), NULL, NULL, "all that there are: others are errors"},
    {"collections", TT_KTREE, AT(collections), NULL, NULL, "all that there are: others are errors"},
    {"datasets", TT_KTREE, AT(datasets), NULL, NULL, "entries"},
    {"train", TT_KTREE, AT(train), NULL, NULL, "entries of data.train alone"},
    {"validation", TT_KTREE, AT(validation), NULL, NULL, "entries of data.validation alone"},
    {"test", TT_KTREE, AT(test), NULL, NULL, "entries of data.test alone"},
    {"data", TT_KTREE, AT(data), NULL, NULL, "a job: its list is taken"},
    {0},
};
#undef AT

void tt_items_fini(tt_items *s)
{
    free(s->item);
    *s = (tt_items){0};
}

static void push(tt_items *s, tt_item x)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->item = tt_realloc(s->item, sizeof *s->item * (size_t)s->cap);
    }
    s->item[s->n++] = x;
}

const char *tt_item_field(const void *item, const char *key)
{
    const tt_item *x = item;
    const tt_yaml *y = tt_yaml_get(x->keys, key);
    if (!y && x->extra) y = tt_yaml_get(x->extra, key);
    return y && y->kind == TT_SCALAR ? y->text : NULL;
}

/* ---- maps ------------------------------------------------------------------------------------------------------------*/

static tt_yaml *map_new(tt_arena *a, const char *file, int line, int room)
{
    tt_yaml *m = TT_ZNEW(a, tt_yaml, 1);
    *m = (tt_yaml){.kind = TT_MAP, .file = file, .line = line};
    m->child = TT_NEW(a, tt_yaml *, room + 1);
    return m;
}

static int count(const tt_yaml *m) { return m ? m->n : 0; }

/* The keys of m that out lacks. */
static void fill(tt_yaml *out, const tt_yaml *m)
{
    for (int i = 0; i < count(m); i++)
        if (!tt_yaml_get(out, m->child[i]->key)) out->child[out->n++] = m->child[i];
}

static tt_yaml *scalar(tt_arena *a, const char *key, const char *text, const char *file, int line)
{
    tt_yaml *y = TT_ZNEW(a, tt_yaml, 1);
    *y = (tt_yaml){.kind = TT_SCALAR, .key = key, .text = text, .quoted = true, .file = file, .line = line};
    return y;
}

/* ---- tables ----------------------------------------------------------------------------------------------------------*/

typedef struct table {
    const char *path;
    int ncol;
    const char **key; /* [ncol] under which a column goes */
} table;

static int split_tabs(char *line, char **field, int most)
{
    int n = 0;
    for (char *p = line, *end; n < most; p = end + 1) {
        end = strchrnul(p, '\t');
        bool last = !*end;
        *end = 0;
        field[n++] = p;
        if (last) break;
    }
    return n;
}

enum { MAX_COLUMNS = 200 };

/* columns: {key: column}; a column that it does not name goes under its own name. */
static tt_err read_header(reader *r, const registry *g, char *line, table *t)
{
    char *field[MAX_COLUMNS];
    t->ncol = split_tabs(line, field, MAX_COLUMNS);
    t->key = TT_NEW(r->a, const char *, t->ncol + 1);
    for (int c = 0; c < t->ncol; c++) t->key[c] = field[c];
    for (int i = 0; i < count(g->columns); i++) {
        const tt_yaml *y = g->columns->child[i];
        int c = 0;
        while (c < t->ncol && (y->kind != TT_SCALAR || strcmp(field[c], y->text))) c++;
        if (c == t->ncol) {
            const char *near = y->kind == TT_SCALAR ? tt_nearest(y->text, (const char *const *)field, t->ncol) : NULL;
            return tt_fail(TT_EJOB, "%s:%d: %s has no column '%s'%s%s%s", y->file, y->line, t->path,
                           y->kind == TT_SCALAR ? y->text : "(a list)", near ? "; did you mean '" : "",
                           near ? near : "", near ? "'?" : "");
        }
        t->key[c] = y->key;
    }
    return TT_OK;
}

static tt_err read_line(reader *r, const table *t, char *line, int number, const char *root, tt_items *out)
{
    char *field[MAX_COLUMNS];
    int n = split_tabs(line, field, MAX_COLUMNS);
    if (n != t->ncol)
        return tt_fail(TT_EDATA, "%s:%d: the line has %d columns, the header %d", t->path, number, n, t->ncol);
    tt_yaml *keys = map_new(r->a, t->path, number, n), *extra = map_new(r->a, t->path, number, n);
    for (int c = 0; c < n; c++) {
        if (!*field[c]) continue;
        tt_yaml *to = r->is_key(t->key[c]) ? keys : extra;
        if (!tt_yaml_get(to, t->key[c])) to->child[to->n++] = scalar(r->a, t->key[c], field[c], t->path, number);
    }
    push(out, (tt_item){keys, extra, root});
    return TT_OK;
}

static tt_err read_table(reader *r, const registry *g, const char *path, const char *root, tt_items *out)
{
    char *heap, *text;
    size_t size;
    table t = {.path = path};
    TT_TRY(tt_slurp(path, &heap, &size));
    text = tt_strdup(r->a, heap);
    free(heap);
    int number = 1;
    for (char *p = text, *end; *p; p = end, number++) {
        end = strchrnul(p, '\n');
        if (*end) *end++ = 0;
        size_t n = strlen(p);
        if (n && p[n - 1] == '\r') p[n - 1] = 0;
        if (!*p) continue;
        TT_TRY(t.key ? read_line(r, &t, p, number, root, out) : read_header(r, g, p, &t));
    }
    return out->n ? TT_OK : tt_fail(TT_EDATA, "%s: the table has no line below its header", path);
}

/* Beside the registry, else under data.root. */
static tt_err find_table(const reader *r, const registry *g, const char **out)
{
    const char *beside = tt_sprintf(r->a, "%s/%s", g->folder, g->table);
    const char *root = r->job->data.root && *r->job->data.root ? r->job->data.root : ".";
    *out = *g->table == '/' ? g->table : tt_exists(beside) ? beside : tt_sprintf(r->a, "%s/%s", root, g->table);
    if (tt_exists(*out)) return TT_OK;
    return tt_fail(TT_EDATA, "%s: its table %s is neither in %s nor in data.root (%s)", g->path, g->table, g->folder,
                   root);
}

/* ---- entries with tasks -------------------------------------------------------------------------------------------------*/

static tt_err push_tasks(reader *r, const tt_yaml *entry, const tt_yaml *tasks, const char *root, tt_items *out)
{
    if (tasks->kind != TT_LIST || !tasks->n)
        return tt_fail(TT_EJOB, "%s:%d: tasks must be a list of {name: ..., category: ...}", tasks->file, tasks->line);
    for (int i = 0; i < tasks->n; i++) {
        const tt_yaml *task = tasks->child[i];
        if (task->kind != TT_MAP || !tt_yaml_get(task, "name"))
            return tt_fail(TT_EJOB, "%s:%d: a task needs a name", task->file, task->line);
        tt_yaml *m = map_new(r->a, task->file, task->line, task->n + entry->n + 1);
        fill(m, task);
        const tt_yaml *name = tt_yaml_get(entry, "name");
        if (name && !tt_yaml_get(m, "dataset") && !tt_yaml_get(entry, "dataset"))
            m->child[m->n++] = scalar(r->a, "dataset", name->text, name->file, name->line);
        for (int k = 0; k < entry->n; k++)
            if (strcmp(entry->child[k]->key, "tasks") && !tt_yaml_get(m, entry->child[k]->key))
                m->child[m->n++] = entry->child[k];
        push(out, (tt_item){m, NULL, root});
    }
    return TT_OK;
}

static tt_err push_entry(reader *r, const tt_yaml *y, const char *root, tt_items *out)
{
    const tt_yaml *tasks = tt_yaml_get(y, "tasks");
    if (tasks) return push_tasks(r, y, tasks, root, out);
    if (y->kind == TT_SCALAR) { /* a path alone */
        tt_yaml *m = map_new(r->a, y->file, y->line, 1);
        m->child[m->n++] = scalar(r->a, "path", y->text, y->file, y->line);
        y = m;
    }
    if (y->kind != TT_MAP) return tt_fail(TT_EJOB, "%s:%d: an entry is a map of keys or a path", y->file, y->line);
    push(out, (tt_item){y, NULL, root});
    return TT_OK;
}

static tt_err push_list(reader *r, const tt_yaml *list, const char *root, tt_items *out)
{
    if (!list) return TT_OK;
    if (list->kind != TT_LIST) return push_entry(r, list, root, out);
    for (int i = 0; i < list->n; i++) TT_TRY(push_entry(r, list->child[i], root, out));
    return TT_OK;
}

/* ---- rules and defaults -----------------------------------------------------------------------------------------------------*/

static tt_err check_rule(const tt_yaml *rule)
{
    static const char *const known[] = {"when", "set", "skip"};
    for (int i = 0; i < rule->n; i++) {
        const tt_yaml *y = rule->child[i];
        if (strcmp(y->key, "when") && strcmp(y->key, "set") && strcmp(y->key, "skip")) {
            const char *near = tt_nearest(y->key, known, 3);
            return tt_fail(TT_EJOB, "%s:%d: a rule has no key '%s'; it has when, set and skip%s%s%s", y->file, y->line,
                           y->key, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (strcmp(y->key, "skip") && y->kind != TT_MAP)
            return tt_fail(TT_EJOB, "%s:%d: %s of a rule is a map", y->file, y->line, y->key);
    }
    return rule->kind == TT_MAP ? TT_OK
                                : tt_fail(TT_EJOB, "%s:%d: a rule is a map of when, set, skip", rule->file, rule->line);
}

static bool says_yes(const tt_yaml *y) { return y && y->kind == TT_SCALAR && !strcmp(y->text, "true"); }

/* The item with what rules and defaults add. What an entry says itself stays; rules replace what a table says; defaults come last. */
static bool complete(reader *r, const registry *g, tt_item *x, bool from_table)
{
    int room = x->keys->n + count(g->defaults);
    for (int i = 0; i < count(g->rules); i++) room += count(tt_yaml_get(g->rules->child[i], "set"));
    tt_yaml *m = map_new(r->a, x->keys->file, x->keys->line, room);
    tt_item all = {map_new(r->a, "", 0, x->keys->n + count(g->defaults)), x->extra, NULL}; /* what rules look at */
    fill((tt_yaml *)all.keys, x->keys);
    fill((tt_yaml *)all.keys, g->defaults);
    if (!from_table) fill(m, x->keys);
    for (int i = count(g->rules) - 1; i >= 0; i--) { /* later rules win */
        const tt_yaml *rule = g->rules->child[i], *when = tt_yaml_get(rule, "when");
        if (when && !tt_select_match(when, tt_item_field, &all)) continue;
        if (says_yes(tt_yaml_get(rule, "skip"))) return false;
        fill(m, tt_yaml_get(rule, "set"));
    }
    fill(m, x->keys);
    fill(m, g->defaults);
    x->keys = m;
    return true;
}

/* {name}, {collection} ... in a pattern. */
static tt_err fill_in(reader *r, const tt_item *x, const tt_yaml *y, const char **out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    tt_err e = TT_OK;
    for (const char *p = y->text; *p && e == TT_OK;) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            fputc(*p++, f);
            continue;
        }
        const char *key = tt_sprintf(r->a, "%.*s", (int)(end - p - 1), p + 1), *v = tt_item_field(x, key);
        if (v)
            fputs(v, f);
        else
            e = tt_fail(TT_EJOB, "%s:%d: the path %s needs {%s}, which the data set at %s:%d does not have", y->file,
                        y->line, y->text, key, x->keys->file, x->keys->line);
        p = end + 1;
    }
    fclose(f);
    *out = tt_strdup(r->a, text);
    free(text);
    return e;
}

/* Paths with places become plain ones. */
static tt_err fill_paths(reader *r, tt_item *x)
{
    for (int i = 0; i < x->keys->n; i++) {
        const tt_yaml *y = x->keys->child[i];
        if (strcmp(y->key, "path")) continue;
        tt_yaml *p = TT_NEW(r->a, tt_yaml, 1);
        *p = *y;
        x->keys->child[i] = p;
        if (y->kind == TT_SCALAR) return strchr(y->text, '{') ? fill_in(r, x, y, &p->text) : TT_OK;
        p->child = TT_NEW(r->a, tt_yaml *, y->n + 1);
        for (int k = 0; k < y->n; k++) {
            p->child[k] = TT_NEW(r->a, tt_yaml, 1);
            *p->child[k] = *y->child[k];
            if (y->child[k]->kind == TT_SCALAR) TT_TRY(fill_in(r, x, y->child[k], &p->child[k]->text));
        }
    }
    return TT_OK;
}

/* Is the value of key on the closed list? */
static tt_err check_closed(const tt_item *x, const char *key, const tt_yaml *list)
{
    const char *v = tt_item_field(x, key);
    if (!list || !v) return TT_OK;
    const char **names = tt_malloc(sizeof *names * (size_t)(list->n + 1));
    int n = 0;
    bool found = false;
    for (int i = 0; i < list->n; i++)
        if (list->child[i]->kind == TT_SCALAR) {
            names[n++] = list->child[i]->text;
            found = found || !strcmp(list->child[i]->text, v);
        }
    const char *near = found ? NULL : tt_nearest(v, names, n);
    free(names);
    if (found) return TT_OK;
    return tt_fail(TT_EJOB, "%s:%d: no such %s '%s'%s%s%s; the registry lists all that there are", x->keys->file,
                   x->keys->line, key, v, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static tt_err finish(reader *r, const registry *g, tt_items *own, int ntable)
{
    for (int i = 0; i < count(g->rules); i++) TT_TRY(check_rule(g->rules->child[i]));
    for (int i = 0; i < own->n; i++) {
        tt_item x = own->item[i];
        if (!complete(r, g, &x, i < ntable)) continue;
        TT_TRY(check_closed(&x, "category", g->categories));
        TT_TRY(check_closed(&x, "collection", g->collections));
        TT_TRY(fill_paths(r, &x));
        push(r->out, x);
    }
    return TT_OK;
}

/* ---- files -------------------------------------------------------------------------------------------------------------------*/

static tt_err read_file(reader *r, const char *path);

static tt_err read_includes(reader *r, const registry *g)
{
    const tt_yaml *list = g->include;
    int n = !list ? 0 : list->kind == TT_LIST ? list->n : 1;
    for (int i = 0; i < n; i++) {
        const tt_yaml *y = list->kind == TT_LIST ? list->child[i] : list;
        if (y->kind != TT_SCALAR)
            return tt_fail(TT_EJOB, "%s:%d: include is a file or a list of files", y->file, y->line);
        const char *path = *y->text == '/' ? y->text : tt_sprintf(r->a, "%s/%s", g->folder, y->text);
        if (!tt_exists(path)) return tt_fail(TT_EDATA, "%s:%d: no such registry %s", y->file, y->line, path);
        TT_TRY(read_file(r, path));
    }
    return TT_OK;
}

static const char *folder_of(tt_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? tt_sprintf(a, "%.*s", (int)(slash - path), path) : ".";
}

/* datasets:, and the list of the job's key. */
static tt_err push_lists(reader *r, const registry *g, const char *root, tt_items *own)
{
    const char *dot = strchr(r->what, '.'), *last = dot ? dot + 1 : r->what;
    const tt_yaml *job = tt_yaml_get(g->data, last);
    const tt_yaml *named = !strcmp(last, "train") ? g->train : !strcmp(last, "validation") ? g->validation : g->test;
    bool any = g->datasets || g->table || g->include || g->train || g->validation || g->test || g->data;
    if (!any || (!g->datasets && !g->table && !g->include && !named && !job))
        return tt_fail(TT_EJOB, "%s: has no list for %s", g->path, r->what);
    TT_TRY(push_list(r, g->datasets, root, own));
    TT_TRY(push_list(r, named, root, own));
    return push_list(r, job, root, own);
}

static tt_err read_map(reader *r, const tt_yaml *y, const char *path, tt_items *own)
{
    registry g = {0};
    /* A job may be named too: of it only the lists count. */
    if (!tt_yaml_get(y, "data")) TT_TRY(tt_keys_bind(r->a, y, registry_keys, &g, ""));
    g.data = tt_yaml_get(y, "data");
    g.path = path;
    g.folder = folder_of(r->a, path);
    bool at_root = g.base && !strcmp(g.base, "root");
    if (g.base && !at_root && strcmp(g.base, "folder"))
        return tt_fail(TT_EJOB, "%s: base is '%s'; it takes folder or root", path, g.base);
    const char *root = at_root ? r->job->data.root : g.folder, *tsv;
    TT_TRY(read_includes(r, &g));
    if (g.table) {
        TT_TRY(find_table(r, &g, &tsv));
        TT_TRY(read_table(r, &g, tsv, root, own));
    }
    int ntable = own->n;
    TT_TRY(push_lists(r, &g, root, own));
    return finish(r, &g, own, ntable);
}

static bool is_table(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".tsv");
}

static tt_err read_own(reader *r, const char *path, tt_items *own)
{
    registry plain = {.path = path};
    const char *folder = folder_of(r->a, path);
    if (is_table(path)) {
        TT_TRY(read_table(r, &plain, path, folder, own));
        return finish(r, &plain, own, own->n);
    }
    tt_yaml *y;
    TT_TRY(tt_yaml_read(r->a, path, &y));
    if (y->kind == TT_MAP) return read_map(r, y, path, own);
    TT_TRY(push_list(r, y, folder, own));
    return finish(r, &plain, own, 0);
}

static tt_err read_file(reader *r, const char *path)
{
    if (++r->depth > MAX_DEPTH)
        return tt_fail(TT_EJOB, "%s: lists within lists, %d deep; does it name itself?", path, MAX_DEPTH);
    tt_items own = {0};
    tt_err e = read_own(r, path, &own);
    tt_items_fini(&own);
    r->depth--;
    return e;
}

tt_err tt_registry_read(tt_arena *a, const tt_job *job, const char *path, const char *what,
                        bool (*is_key)(const char *name), tt_items *out)
{
    *out = (tt_items){0};
    reader r = {a, job, what, is_key, 0, out};
    return read_file(&r, path);
}
