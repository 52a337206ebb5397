/* Reading a column file: HDF5 says where the arrays lie, then they are used where they are mapped. */
#include "ckpt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct tt_cols {
    tt_arena *a; /* of path and texts */
    const char *path;
    void *map;
    size_t bytes;
    int n, ntext;
    tt_h5row *row; /* in path order */
    tt_cktext *text;
};

static tt_err read_texts(tt_h5 *h, tt_arena *a, int *n, tt_cktext **text)
{
    char **name;
    TT_TRY(tt_h5_texts(h, a, n, &name));
    *text = TT_ZNEW(a, tt_cktext, *n + 1);
    for (int i = 0; i < *n; i++) {
        (*text)[i].name = name[i];
        TT_TRY(tt_h5_text(h, name[i], a, &(*text)[i].text));
    }
    return TT_OK;
}

/* The file that HDF5 has open, not the path: another one may have been renamed to it since. */
static tt_err map_file(tt_cols *f, const tt_h5 *h)
{
    void *map = mmap(NULL, (size_t)h->bytes, PROT_READ, MAP_SHARED, tt_h5_fd(h), 0);
    if (map == MAP_FAILED)
        return tt_fail(TT_EFILE, "%s: cannot be mapped: %s; raise the limits on maps (vm.max_map_count, ulimit -v)",
                       f->path, strerror(errno));
    f->map = map;
    f->bytes = (size_t)h->bytes;
    return TT_OK;
}

static tt_err read_all(tt_cols *f, tt_h5 *h)
{
    TT_TRY(tt_h5_rows(h, &f->n, &f->row));
    TT_TRY(read_texts(h, f->a, &f->ntext, &f->text));
    return map_file(f, h);
}

tt_err tt_cols_open(const char *path, tt_cols **out)
{
    *out = NULL;
    tt_h5 h;
    TT_TRY(tt_h5_open(&h, path, TT_H5COLS));
    tt_cols *f = tt_malloc(sizeof *f);
    *f = (tt_cols){.a = tt_arena_new(4096)};
    f->path = tt_strdup(f->a, path);
    tt_err e = read_all(f, &h);
    tt_h5_close(&h);
    if (e == TT_OK)
        *out = f;
    else
        tt_cols_close(f);
    return e;
}

void tt_cols_close(tt_cols *f)
{
    if (!f) return;
    if (f->map) munmap(f->map, f->bytes);
    free(f->row);
    tt_arena_free(f->a);
    free(f);
}

static const tt_h5row *find(const tt_cols *f, const char *name)
{
    char path[sizeof f->row->path];
    snprintf(path, sizeof path, "/%s", name);
    return tt_ck_find_row(f->n, f->row, path);
}

const void *tt_cols_get(const tt_cols *f, const char *name, tt_dtype type, int64_t *n)
{
    const tt_h5row *r = find(f, name);
    if (!r || r->type != type) return NULL;
    *n = r->n;
    return (const char *)f->map + r->at; /* at is 0 for an empty one, which has no place */
}

tt_err tt_cols_need(const tt_cols *f, const char *name, tt_dtype type, const void **x, int64_t *n)
{
    *x = tt_cols_get(f, name, type, n);
    if (*x) return TT_OK;
    const tt_h5row *r = find(f, name);
    return tt_fail(TT_EFILE, "%s: has no column %s of %s%s%s; it was made by another version, %s", f->path, name,
                   tt_dtype_name(type), r ? ", there it is " : "", r ? tt_dtype_name(r->type) : "",
                   tt_h5_remedy(TT_H5COLS));
}

const char *tt_cols_text(const tt_cols *f, const char *name)
{
    for (int i = 0; i < f->ntext; i++)
        if (!strcmp(f->text[i].name, name)) return f->text[i].text;
    return NULL;
}

/* ---- checksums ------------------------------------------------------------------------------------------------------*/
/* Rank 0: the structure, and the texts against their checksums. */
static tt_err read_head(tt_ckfile *f)
{
    tt_h5 h;
    TT_TRY(tt_h5_open(&h, f->path, f->kind));
    tt_arena *a = tt_arena_new(4096);
    int ntext;
    tt_cktext *text;
    tt_err e = tt_h5_rows(&h, &f->n, &f->row);
    if (e == TT_OK) e = read_texts(&h, a, &ntext, &text);
    tt_h5_close(&h);
    tt_arena_free(a);
    return e;
}

tt_err tt_cols_verify(const tt_mesh *m, const char *path)
{
    tt_ckfile f = {.path = path, .kind = TT_H5COLS};
    tt_err e = tt_ck_agree(m, tt_ck_root(m) ? read_head(&f) : TT_OK);
    if (e == TT_OK) {
        tt_ck_bcast_rows(m, &f);
        e = tt_ck_verify(m, &f);
    }
    free(f.row);
    return e;
}

bool tt_cols_is(const char *path) { return tt_h5_is(path, TT_H5COLS); }
