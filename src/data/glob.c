/* Patterns of files. */
#include "glob.h"

#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

typedef struct folder {
    char *path;
    int n, cap;
    char **name; /* sorted */
} folder;

struct tt_folders {
    void *tree; /* tsearch: folders by path */
};

static int by_path(const void *x, const void *y)
{
    return strcmp(((const folder *)x)->path, ((const folder *)y)->path);
}

static int by_text(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

static char *heap_copy(const char *s, size_t n)
{
    char *c = tt_malloc(n + 1);
    memcpy(c, s, n);
    c[n] = 0;
    return c;
}

static void list_names(folder *f)
{
    DIR *d = opendir(*f->path ? f->path : ".");
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (f->n == f->cap) f->name = tt_realloc(f->name, sizeof *f->name * (size_t)(f->cap = 2 * f->cap + 16));
        f->name[f->n++] = heap_copy(e->d_name, strlen(e->d_name));
    }
    if (d) closedir(d);
    if (f->n) qsort(f->name, (size_t)f->n, sizeof *f->name, by_text);
}

static void folder_free(void *p)
{
    folder *f = p;
    for (int i = 0; i < f->n; i++) free(f->name[i]);
    free(f->name);
    free(f->path);
    free(f);
}

tt_folders *tt_folders_new(void)
{
    tt_folders *f = tt_malloc(sizeof *f);
    f->tree = NULL;
    return f;
}

void tt_folders_free(tt_folders *f)
{
    if (f) tdestroy(f->tree, folder_free);
    free(f);
}

static const folder *look_up(tt_folders *all, const char *path, size_t size)
{
    folder *f = tt_malloc(sizeof *f);
    *f = (folder){.path = heap_copy(path, size)};
    folder **at = tsearch(f, &all->tree, by_path);
    if (!at) TT_BUG("out of memory for the list of folder %s", f->path);
    if (*at == f)
        list_names(f);
    else
        folder_free(f);
    return *at;
}

/* The first name that does not come before the size bytes of start. */
static int lower_bound(const folder *f, const char *start, size_t size)
{
    int lo = 0, hi = f->n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (strncmp(f->name[mid], start, size) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int match_names(const folder *f, tt_arena *a, const char *pattern, size_t head, const char ***path)
{
    const char *last = pattern + head;
    size_t fixed = strcspn(last, "*?[\\");
    int lo = lower_bound(f, last, fixed), hi = lo, n = 0;
    while (hi < f->n && !strncmp(f->name[hi], last, fixed)) hi++;
    *path = TT_NEW(a, const char *, hi - lo + 1);
    for (int i = lo; i < hi; i++)
        if (!fnmatch(last, f->name[i], FNM_PERIOD))
            (*path)[n++] = tt_sprintf(a, "%.*s%s", (int)head, pattern, f->name[i]);
    return n;
}

/* A pattern in the folders' names, too. */
static int match_folders(tt_arena *a, const char *pattern, const char ***path)
{
    glob_t g = {0};
    int n = glob(pattern, 0, NULL, &g) ? 0 : (int)g.gl_pathc;
    *path = TT_NEW(a, const char *, n + 1);
    for (int i = 0; i < n; i++) (*path)[i] = tt_strdup(a, g.gl_pathv[i]);
    globfree(&g);
    return n;
}

int tt_glob(tt_folders *f, tt_arena *a, const char *pattern, const char ***path)
{
    const char *slash = strrchr(pattern, '/');
    size_t head = slash ? (size_t)(slash - pattern) + 1 : 0;
    if (strcspn(pattern, "*?[\\") < head) return match_folders(a, pattern, path);
    return match_names(look_up(f, pattern, head), a, pattern, head, path);
}
