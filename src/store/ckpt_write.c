/* Writing a checkpoint: the file of h5_commit.c, put in its place in a folder that may have an owner. */
#include "ckpt.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct job {
    const char *path;
    const char *dir; /* NULL: a file for itself, with no owner and no pointer */
    char *tmp;
} job;

static tt_err prepare(const job *j)
{
    if (!j->dir) return TT_OK;
    TT_TRY(tt_mkdirs(j->dir));
    return tt_ck_may_commit(j->dir);
}

/* The pointer is written before the rename, so that after the rename nothing needs space. */
static tt_err commit(const job *j)
{
    if (!j->dir) return tt_rename(j->tmp, j->path);
    tt_out pointer = {.fd = -1};
    char *latest = tt_malloc(strlen(j->dir) + 8), name[64];
    strcat(strcpy(latest, j->dir), "/latest");
    snprintf(name, sizeof name, "%s\n", strrchr(j->path, '/') + 1);
    tt_err e = tt_out_begin(&pointer, latest);
    free(latest);
    if (e != TT_OK) return e;
    e = tt_out_write(&pointer, name, strlen(name));
    if (e == TT_OK) e = tt_out_seal(&pointer);
    if (e == TT_OK) e = tt_ck_may_commit(j->dir);
    if (e == TT_OK) e = tt_rename(j->tmp, j->path);
    if (e == TT_OK) e = tt_out_rename(&pointer);
    tt_out_drop(&pointer);
    return e;
}

static void plan_array(const tt_ckarray *a, tt_h5row *row, tt_h5part *part)
{
    memcpy(row->path, a->path, sizeof row->path);
    memcpy(row->shape, a->shape, sizeof row->shape);
    row->type = TT_F32;
    row->ndim = a->ndim;
    row->n = a->n;
    *part = (tt_h5part){a->lo, a->lo < a->hi ? a->hi : a->lo, a->x};
}

/* Collective. */
static tt_err write_file(const tt_mesh *m, const char *tmp, const tt_ckpt *c)
{
    size_t n = (size_t)c->narray + 1;
    tt_h5row *row = tt_malloc(n * sizeof *row);
    tt_h5part *part = tt_malloc(n * sizeof *part);
    memset(row, 0, n * sizeof *row); /* padding too: rows travel as bytes */
    for (int i = 0; i < c->narray; i++) plan_array(&c->array[i], &row[i], &part[i]);
    tt_h5plan plan = {TT_H5CKPT, c->narray, c->nattr, c->ntext, row, part, c->attr, c->text};
    tt_err e = tt_h5_write(m, tmp, &plan);
    free(part);
    free(row);
    return e;
}

/* Collective. */
static tt_err save(const tt_mesh *m, const char *path, const char *dir, const tt_ckpt *c)
{
    bool root = tt_ck_root(m);
    job j = {.path = path, .dir = dir, .tmp = tt_malloc(strlen(path) + 5)};
    strcat(strcpy(j.tmp, path), ".tmp");
    tt_err e = tt_ck_agree(m, root ? prepare(&j) : TT_OK);
    if (e == TT_OK) e = write_file(m, j.tmp, c);
    if (e == TT_OK) e = tt_ck_agree(m, root ? commit(&j) : TT_OK);
    if (e != TT_OK && root) unlink(j.tmp);
    free(j.tmp);
    return e;
}

tt_err tt_ckpt_save(const tt_mesh *m, const char *path, const tt_ckpt *c) { return save(m, path, NULL, c); }

tt_err tt_ckpt_write(const tt_mesh *m, const char *dir, int64_t step, const tt_ckpt *c)
{
    char *path = tt_ck_path(dir, step);
    tt_err e = save(m, path, dir, c);
    free(path);
    return e;
}
