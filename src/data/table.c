/* TSV tables. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

static int count(const char *s, char c)
{
    int n = 0;
    for (; (s = strchr(s, c)); s++) n++;
    return n;
}

/* Cuts a line at its tabs, in place: cell[ncol]; returns how many fields there are. */
static int cut(char *line, const char **cell, int ncol)
{
    int n = 0;
    for (char *tab = line; tab; line = tab + 1) {
        if ((tab = strchr(line, '\t'))) *tab = 0;
        if (n < ncol) cell[n] = line;
        n++;
    }
    return n;
}

/* The next line, without its end; NULL after the last. */
static char *take_line(char **rest)
{
    char *s = *rest, *end = strchrnul(s, '\n');
    if (!*s) return NULL;
    *rest = end + (*end != 0);
    *end = 0;
    if (end > s && end[-1] == '\r') end[-1] = 0;
    return s;
}

static tt_err read_names(tt_arena *a, char *line, tt_table *t)
{
    t->ncol = count(line, '\t') + 1;
    t->col = TT_NEW(a, const char *, t->ncol);
    cut(line, t->col, t->ncol);
    for (int c = 1; c < t->ncol; c++)
        if (tt_table_col(t, t->col[c]) < c)
            return tt_fail(TT_EDATA, "%s:1: two columns are called %s; give one another name", t->file, t->col[c]);
    return TT_OK;
}

static tt_err read_rows(char *rest, int line, tt_table *t)
{
    for (char *s; (s = take_line(&rest)); line++) {
        if (!*s) continue;
        int n = cut(s, t->cell + (size_t)t->nrow * (size_t)t->ncol, t->ncol);
        if (n != t->ncol)
            return tt_fail(TT_EDATA, "%s:%d: has %d fields, the header line has %d; one tab stands between two fields",
                           t->file, line, n, t->ncol);
        t->line[t->nrow++] = line;
    }
    return TT_OK;
}

tt_err tt_table_read(tt_arena *a, const char *path, tt_table **out)
{
    char *heap;
    size_t size, bom;
    TT_TRY(tt_slurp(path, &heap, &size));
    bom = strncmp(heap, "\xef\xbb\xbf", 3) ? 0 : 3;
    char *text = tt_strdup(a, heap + bom);
    free(heap);
    tt_table *t = *out = TT_ZNEW(a, tt_table, 1);
    t->file = path;
    char *rest = text, *names = take_line(&rest);
    if (!names || !*names) return tt_fail(TT_EDATA, "%s:1: a table starts with a line of column names", path);
    TT_TRY(read_names(a, names, t));
    int lines = count(rest, '\n') + 1;
    t->cell = TT_NEW(a, const char *, (size_t)lines *(size_t)t->ncol);
    t->line = TT_NEW(a, int, lines);
    return read_rows(rest, 2, t);
}

int tt_table_col(const tt_table *t, const char *name)
{
    for (int c = 0; c < t->ncol; c++)
        if (!strcmp(t->col[c], name)) return c;
    return -1;
}
