/* Results by task category: what a mean over all examples hides. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct group {
    const char *category;
    int nset;
    tt_score before, after;
} group;

static int by_category(const void *a, const void *b)
{
    const tt_setinfo *x = *(const tt_setinfo *const *)a, *y = *(const tt_setinfo *const *)b;
    int order = strcmp(x->category, y->category);
    return order ? order : strcmp(x->name, y->name);
}

typedef struct member {
    const tt_setinfo *info; /* first: what by_category looks at */
    int set;
} member;

static int by_info(const void *a, const void *b)
{
    return by_category(&((const member *)a)->info, &((const member *)b)->info);
}

/* The categories in alphabetical order; heap. */
static group *make_groups(const figures *f, const tt_sets *sets, const tt_score *before, const tt_score *after, int *n)
{
    member *m = tt_malloc(sizeof *m * (size_t)(sets->n + 1));
    group *g = tt_malloc(sizeof *g * (size_t)(sets->n + 1));
    for (int i = 0; i < sets->n; i++) m[i] = (member){tt_set_info(sets->set[i]), i};
    qsort(m, (size_t)sets->n, sizeof *m, by_info);
    *n = 0;
    for (int i = 0; i < sets->n; i++) {
        if (!*n || strcmp(g[*n - 1].category, m[i].info->category))
            g[(*n)++] = (group){.category = m[i].info->category};
        group *own = &g[*n - 1];
        own->nset++;
        if (before) table_add(f, &own->before, &before[m[i].set]);
        table_add(f, &own->after, &after[m[i].set]);
    }
    free(m);
    return g;
}

/* A line of the screen has room for so many figures; the file has all. */
enum { FIGURES = 3 };

static void print_group(const figures *f, const group *g, bool before)
{
    char text[256] = "";
    size_t n = 0;
    for (int k = 0; k < f->n && k < FIGURES; k++) {
        if (before) n += (size_t)snprintf(text + n, sizeof text - n, " %8.4f", g->before.x[k]);
        n += (size_t)snprintf(text + n, sizeof text - n, " %8.4f", g->after.x[k]);
    }
    tt_log("  %-36.36s %5d %8lld %s", g->category, g->nset, (long long)g->after.examples, text);
}

static void print_header(const figures *f, bool before)
{
    char top[256] = "", low[256] = "";
    size_t t = 0, l = 0;
    for (int k = 0; k < f->n && k < FIGURES; k++) {
        t += (size_t)snprintf(top + t, sizeof top - t, before ? " %17s" : " %8s", f->f[k].name);
        l += (size_t)snprintf(low + l, sizeof low - l, before ? " %8s %8s" : " %8s", before ? "before" : "after",
                              "after");
    }
    tt_log("  %-36s %5s %8s %s", "by category", "", "", top);
    tt_log("  %-36s %5s %8s %s", "", "sets", "examples", low);
}

static tt_err write_groups(const figures *f, const char *path, int n, const group *g, bool before)
{
    FILE *out = fopen(path, "w");
    if (!out) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    table_tsv_header(out, f, "category\tdata sets", before);
    for (int i = 0; i < n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s\t%d", g[i].category, g[i].nset);
        table_tsv_row(out, f, name, before ? &g[i].before : NULL, &g[i].after);
    }
    return fclose(out) == 0 ? TT_OK : tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
}

enum { SCREEN = 60 }; /* more categories than this are for the file alone */

tt_err table_categories(const figures *f, const char *path, const tt_sets *sets, const tt_score *before,
                        const tt_score *after)
{
    int n;
    group *g = make_groups(f, sets, before, after, &n);
    if (n > 1 && n <= SCREEN) {
        print_header(f, before != NULL);
        for (int i = 0; i < n; i++) print_group(f, &g[i], before != NULL);
    }
    tt_err e = write_groups(f, path, n, g, before != NULL);
    if (e == TT_OK) tt_log("every category: %s", path);
    free(g);
    return e;
}
