/* Reading a checkpoint on any mesh. Rank 0 reads the table of contents and tells the others; every rank reads its parts. */
#include "ckpt.h"
#include "file.h"
#include "hf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tt_err tt_ck_open_read(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? TT_OK : tt_fail(TT_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
}

const tt_h5row *tt_ck_find_row(int n, const tt_h5row *row, const char *path)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = (lo + hi) / 2, c = strcmp(row[mid].path, path);
        if (c == 0) return &row[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- checksums ----------------------------------------------------------------------------------------------------------*/
static tt_err compare_sums(const tt_blocks *b, const tt_ckfile *f)
{
    for (int i = 0; i < b->n; i++) {
        char hex[33];
        tt_blocks_sum(b, i, hex);
        if (strcmp(hex, b->row[i].hash))
            return tt_fail(TT_EFILE, "%s: %s: checksum mismatch, the file is damaged; %s", f->path, b->row[i].path,
                           tt_h5_remedy(f->kind));
    }
    return TT_OK;
}

/* Collective. Hashes the blocks that no rank has hashed yet, from the file, and compares all arrays. */
static tt_err finish_sums(const tt_mesh *m, int fd, const tt_ckfile *f, tt_blocks *b)
{
    TT_TRY(tt_blocks_finish(m, fd, f->path, b));
    return tt_ck_agree(m, compare_sums(b, f));
}

void tt_ck_bcast_rows(const tt_mesh *m, tt_ckfile *f)
{
    tt_ck_bcast(m, &f->n, sizeof f->n);
    if (!tt_ck_root(m)) f->row = tt_malloc(sizeof *f->row * ((size_t)f->n + 1));
    tt_ck_bcast(m, f->row, sizeof *f->row * (size_t)f->n);
}

tt_err tt_ck_verify(const tt_mesh *m, const tt_ckfile *f)
{
    int fd;
    tt_err e = tt_ck_open_read(f->path, &fd);
    if ((e = tt_ck_agree(m, e)) == TT_OK) {
        tt_blocks b;
        tt_blocks_init(&b, f->n, f->row);
        e = finish_sums(m, fd, f, &b);
        tt_blocks_fini(&b);
    }
    if (fd >= 0) close(fd);
    return e;
}

/* ---- what rank 0 reads -----------------------------------------------------------------------------------------------------*/
static tt_err fill_attrs(tt_h5 *h, tt_arena *a, tt_ckpt *c)
{
    int n;
    tt_ckattr *attr;
    TT_TRY(tt_h5_attrs(h, a, &n, &attr));
    for (int i = 0; i < c->nattr; i++) {
        int k = 0;
        while (k < n && (strcmp(attr[k].name, c->attr[i].name) || attr[k].real != c->attr[i].real)) k++;
        if (k == n)
            return tt_fail(TT_EFILE, "%s: /state has no %s '%s'; it was written by another program or version", h->path,
                           c->attr[i].real ? "real" : "integer", c->attr[i].name);
        c->attr[i].i = attr[k].i;
        c->attr[i].r = attr[k].r;
    }
    return TT_OK;
}

static tt_err read_head(tt_ckfile *f, tt_arena *a, tt_ckpt *c)
{
    tt_h5 h;
    TT_TRY(tt_h5_open(&h, f->path, TT_H5CKPT));
    tt_err e = tt_h5_rows(&h, &f->n, &f->row);
    if (e == TT_OK && c->nattr > 0) e = fill_attrs(&h, a, c);
    for (int i = 0; i < c->ntext && e == TT_OK; i++) e = tt_h5_text(&h, c->text[i].name, a, &c->text[i].text);
    tt_h5_close(&h);
    return e;
}

/* Collective. */
static void share_head(const tt_mesh *m, tt_ckfile *f, tt_arena *a, tt_ckpt *c)
{
    tt_ck_bcast_rows(m, f);
    for (int i = 0; i < c->nattr; i++) {
        tt_ck_bcast(m, &c->attr[i].i, sizeof c->attr[i].i);
        tt_ck_bcast(m, &c->attr[i].r, sizeof c->attr[i].r);
    }
    if (tt_ck_size(m) == 1) return;
    for (int i = 0; i < c->ntext; i++) c->text[i].text = tt_ck_bcast_text(m, a, c->text[i].text);
}

/* ---- matching ---------------------------------------------------------------------------------------------------------------*/
static tt_err match_one(const tt_ckfile *f, const tt_ckarray *a, tt_h5row *row)
{
    char have[96], want[96];
    const tt_h5row *r = tt_ck_find_row(f->n, f->row, a->path);
    if (!r)
        return tt_fail(TT_EFILE, "%s: is from another model: it has no %s %s; choose its own config or another folder",
                       f->path, a->path, tt_shape_text(a->ndim, a->shape, want));
    if (r->ndim != a->ndim || memcmp(r->shape, a->shape, (size_t)a->ndim * sizeof *a->shape))
        return tt_fail(
            TT_EFILE, "%s: is from another model: %s is %s there and %s here; choose its own config or another folder",
            f->path, a->path, tt_shape_text(r->ndim, r->shape, have), tt_shape_text(a->ndim, a->shape, want));
    *row = *r;
    return TT_OK;
}

static bool is_weight(const char *path) { return !strncmp(path, "/weights/", 9); }

/* A weight of the file that nobody asks for, while others are asked for: the model here is a smaller one. */
static tt_err check_all_used(const tt_ckfile *f, const tt_ckpt *c)
{
    int asked = 0, there = 0;
    for (int i = 0; i < c->narray; i++) asked += is_weight(c->array[i].path);
    for (int i = 0; i < f->n; i++) there += is_weight(f->row[i].path);
    if (asked == 0 || asked == there) return TT_OK;
    return tt_fail(
        TT_EFILE,
        "%s: is from another model: it has %d weights, this model has %d; choose its own config or another folder",
        f->path, there, asked);
}

static tt_err match(const tt_ckfile *f, const tt_ckpt *c, tt_h5row *row)
{
    for (int i = 0; i < c->narray; i++) TT_TRY(match_one(f, &c->array[i], &row[i]));
    return check_all_used(f, c);
}

/* ---- the numbers --------------------------------------------------------------------------------------------------------------*/
static tt_err read_part(int fd, const char *path, tt_blocks *b, int i, int64_t lo, int64_t hi, float *x)
{
    if (lo >= hi) return TT_OK;
    TT_TRY(tt_read_at(fd, path, x, (size_t)(hi - lo) * 4, b->row[i].at + lo * 4));
    tt_blocks_add(b, i, lo, hi, x);
    return TT_OK;
}

/* whole[i]: every rank wants all of array i. */
static void find_whole(const tt_mesh *m, const tt_ckpt *c, int64_t *whole)
{
    for (int i = 0; i < c->narray; i++) whole[i] = c->array[i].lo == 0 && c->array[i].hi == c->array[i].n;
    if (tt_ck_size(m) > 1) tt_allsum_i64(m, whole, c->narray);
    for (int i = 0; i < c->narray; i++) whole[i] = tt_ck_size(m) > 1 && whole[i] == m->size;
}

/* Collective. Every rank reads a share of the blocks (of a small array, one rank reads all) and gathers the rest. */
static tt_err read_whole(const tt_mesh *m, int fd, const char *path, tt_blocks *b, int i, float *x)
{
    int64_t blocks = b->first[i + 1] - b->first[i], n = b->row[i].n;
    int64_t *cut = tt_malloc(sizeof *cut * ((size_t)m->size + 1));
    for (int r = 0; r <= m->size; r++) {
        int64_t at = blocks * r / m->size * TT_BLOCK;
        cut[r] = r == m->size || at > n ? n : at;
    }
    int64_t lo = cut[m->rank], hi = cut[m->rank + 1];
    tt_err e = read_part(fd, path, b, i, lo, hi, x + lo);
    tt_allgather_cuts(m, x, cut);
    free(cut);
    return e;
}

/* Collective, and it goes on after an error, because others wait in the gathers. */
static tt_err read_arrays(const tt_mesh *m, int fd, const char *path, const tt_ckpt *c, tt_blocks *b)
{
    int64_t *whole = tt_malloc(sizeof *whole * ((size_t)c->narray + 1));
    find_whole(m, c, whole);
    tt_err e = TT_OK;
    for (int i = 0; i < c->narray; i++) {
        const tt_ckarray *a = &c->array[i];
        tt_err now = whole[i] ? read_whole(m, fd, path, b, i, a->x) : read_part(fd, path, b, i, a->lo, a->hi, a->x);
        if (e == TT_OK) e = now;
    }
    free(whole);
    return tt_ck_agree(m, e);
}

static tt_err read_numbers(const tt_mesh *m, const tt_ckfile *f, const tt_ckpt *c, const tt_h5row *row)
{
    int fd;
    tt_err e = tt_ck_agree(m, tt_ck_open_read(f->path, &fd));
    if (e == TT_OK) {
        tt_blocks b;
        tt_blocks_init(&b, c->narray, row);
        e = read_arrays(m, fd, f->path, c, &b);
        if (e == TT_OK) e = finish_sums(m, fd, f, &b);
        tt_blocks_fini(&b);
    }
    if (fd >= 0) close(fd);
    return e;
}

tt_err tt_ckpt_read(const tt_mesh *m, const char *path, tt_arena *a, tt_ckpt *c)
{
    tt_ckfile f = {.path = path};
    tt_err e = tt_ck_agree(m, tt_ck_root(m) ? read_head(&f, a, c) : TT_OK);
    if (e == TT_OK) {
        share_head(m, &f, a, c);
        tt_h5row *row = tt_malloc(sizeof *row * ((size_t)c->narray + 1));
        e = tt_ck_agree(m, match(&f, c, row));
        if (e == TT_OK) e = read_numbers(m, &f, c, row);
        free(row);
    }
    free(f.row);
    return e;
}

/* ---- local readers -----------------------------------------------------------------------------------------------------------*/
tt_ckarray *tt_ckpt_arrays(const tt_pars *pars, tt_arena *a)
{
    tt_ckarray *array = TT_ZNEW(a, tt_ckarray, pars->n + 1);
    for (int i = 0; i < pars->n; i++) {
        const tt_par *p = &pars->p[i];
        array[i] = (tt_ckarray){.ndim = p->ndim, .n = p->n, .hi = p->n, .x = p->w};
        snprintf(array[i].path, sizeof array[i].path, "/weights/%s", p->name);
        memcpy(array[i].shape, p->shape, sizeof array[i].shape);
    }
    return array;
}

tt_err tt_ckpt_weights(const char *path, tt_pars *pars)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_ckpt c = {.narray = pars->n, .array = tt_ckpt_arrays(pars, a)};
    tt_err e = tt_ckpt_read(NULL, path, a, &c);
    tt_arena_free(a);
    return e;
}

tt_err tt_ckpt_text(const char *path, const char *name, tt_arena *a, char **text)
{
    tt_h5 h;
    *text = NULL;
    TT_TRY(tt_h5_open(&h, path, TT_H5CKPT));
    tt_err e = tt_h5_text(&h, name, a, text);
    tt_h5_close(&h);
    return e;
}
