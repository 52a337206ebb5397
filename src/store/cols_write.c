/* Writing a column file: the file of h5_commit.c, renamed to its place. */
#include "ckpt.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void plan_col(const tt_col *c, tt_h5row *row, tt_h5part *part)
{
    size_t len = strlen(c->name);
    if (len == 0 || len + 2 > sizeof row->path || *c->name == '/') TT_BUG("'%s' cannot be a column's name", c->name);
    if (tt_h5_type(c->type) < 0) TT_BUG("column %s: columns of %s cannot be stored", c->name, tt_dtype_name(c->type));
    snprintf(row->path, sizeof row->path, "/%s", c->name);
    row->type = c->type;
    row->ndim = 1;
    row->n = row->shape[0] = c->n;
    *part = (tt_h5part){c->lo, c->hi, c->x};
}

/* Collective. A name of this run's own: two runs that make the same file at once do not write into each other's. */
static char *temporary(const tt_mesh *m, const char *path)
{
    char who[64] = "", host[33] = "";
    gethostname(host, sizeof host - 1);
    snprintf(who, sizeof who, "%s-%ld", host, (long)getpid());
    tt_ck_bcast(m, who, sizeof who);
    size_t size = strlen(path) + sizeof who + 8;
    char *tmp = tt_malloc(size);
    snprintf(tmp, size, "%s.%s.tmp", path, who);
    return tmp;
}

/* Collective. */
static tt_err commit(const tt_mesh *m, const char *path, tt_h5plan *plan)
{
    char *tmp = temporary(m, path);
    tt_err e = tt_h5_write(m, tmp, plan);
    if (e == TT_OK) e = tt_ck_agree(m, tt_ck_root(m) ? tt_rename(tmp, path) : TT_OK);
    if (e != TT_OK && tt_ck_root(m)) unlink(tmp);
    free(tmp);
    return e;
}

tt_err tt_cols_write(const tt_mesh *m, const char *path, int ncol, const tt_col *col, int ntext, const tt_cktext *text)
{
    size_t n = (size_t)ncol + 1;
    tt_h5row *row = tt_malloc(n * sizeof *row);
    tt_h5part *part = tt_malloc(n * sizeof *part);
    memset(row, 0, n * sizeof *row); /* padding too: rows travel as bytes */
    for (int i = 0; i < ncol; i++) plan_col(&col[i], &row[i], &part[i]);
    tt_h5plan plan = {.kind = TT_H5COLS, .narray = ncol, .ntext = ntext, .row = row, .part = part, .text = text};
    tt_err e = commit(m, path, &plan);
    free(part);
    free(row);
    return e;
}
