/* Reads the structure of a checkpoint or a column file, believing nothing in it. */
#include "h5.h"
#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static tt_err check_format(tt_h5 *f)
{
    int64_t format = 0;
    hid_t a = H5Aexists(f->file, "format") > 0 ? H5Aopen(f->file, "format", H5P_DEFAULT) : -1;
    bool good = a >= 0 && H5Aread(a, H5T_NATIVE_INT64, &format) >= 0;
    if (a >= 0) H5Aclose(a);
    if (!good)
        return tt_fail(TT_EFILE, "%s: is an HDF5 file, but not a %s of tutti; name another file", f->path,
                       f->kind == TT_H5CKPT ? "checkpoint" : "column file");
    if (format > TT_CKFORMAT)
        return tt_fail(TT_EFILE, "%s: has format %lld, this program reads up to %d; use a newer tutti", f->path,
                       (long long)format, TT_CKFORMAT);
    return TT_OK;
}

static bool has_columns(hid_t file)
{
    char kind[16];
    return tt_h5_read_word(file, "kind", kind, sizeof kind) && !strcmp(kind, TT_H5COLUMNS);
}

static tt_err check_kind(tt_h5 *f)
{
    if (has_columns(f->file) == (f->kind == TT_H5COLS)) return TT_OK;
    return tt_fail(TT_EFILE, "%s: is a %s; name another file", f->path,
                   f->kind == TT_H5COLS ? "checkpoint, not a column file" : "column file, not a checkpoint");
}

int tt_h5_fd(const tt_h5 *f)
{
    void *fd;
    return H5Fget_vfd_handle(f->file, H5P_DEFAULT, &fd) >= 0 ? *(int *)fd : -1;
}

static tt_err open_file(tt_h5 *f)
{
    struct stat st;
    const char *noun = f->kind == TT_H5CKPT ? "checkpoint" : "column file";
    if (stat(f->path, &st) != 0) return tt_fail(TT_EFILE, "%s: cannot be opened: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return tt_fail(TT_EFILE, "%s: is not a file; a %s (.h5) is needed", f->path, noun);
    hid_t access = tt_h5_access(f->kind);
    f->file = H5Fopen(f->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    /* The size of what is open: another file may have been renamed to this path since. */
    if (f->file < 0 || fstat(tt_h5_fd(f), &st) != 0) return tt_h5_fail(f, TT_EFILE, "is not a whole HDF5 file");
    f->bytes = st.st_size;
    return TT_OK;
}

tt_err tt_h5_open(tt_h5 *f, const char *path, tt_h5kind kind)
{
    tt_h5_listen(f, path, kind);
    tt_err e = open_file(f);
    if (e == TT_OK) e = check_format(f);
    if (e == TT_OK) e = check_kind(f);
    if (e != TT_OK) tt_h5_close(f);
    return e;
}

bool tt_h5_is(const char *path, tt_h5kind kind)
{
    tt_h5 f;
    tt_h5_listen(&f, path, kind);
    hid_t access = tt_h5_access(kind);
    f.file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    bool is = f.file >= 0 && has_columns(f.file) == (kind == TT_H5COLS);
    tt_h5_close(&f);
    return is;
}

/* ---- arrays -------------------------------------------------------------------------------------------------------*/
typedef struct walk {
    tt_h5 *f;
    int n, cap;
    tt_h5row *row;
    tt_err e;
} walk;

static tt_err row_shape(tt_h5 *f, hid_t d, tt_h5row *row)
{
    hid_t s = H5Dget_space(d);
    hsize_t dims[4] = {0};
    row->ndim = s >= 0 ? H5Sget_simple_extent_ndims(s) : -1;
    bool good = row->ndim >= 0 && row->ndim <= 4 && H5Sget_simple_extent_dims(s, dims, NULL) >= 0;
    if (s >= 0) H5Sclose(s);
    row->n = 1;
    for (int i = 0; i < row->ndim && good; i++) {
        row->shape[i] = (int64_t)dims[i];
        good = dims[i] <= INT64_MAX / 8 && !__builtin_mul_overflow(row->n, row->shape[i], &row->n);
    }
    return good && row->n <= INT64_MAX / 8 ? TT_OK
                                           : tt_fail(TT_EFILE, "%s: %s: its shape makes no sense", f->path, row->path);
}

/* In this file and in one piece: nothing leads into another file, nothing has to be unpacked. */
static bool is_plain(hid_t d)
{
    hid_t p = H5Dget_create_plist(d);
    bool good = p >= 0 && H5Pget_layout(p) == H5D_CONTIGUOUS && H5Pget_external_count(p) == 0;
    if (p >= 0) H5Pclose(p);
    return good;
}

static tt_err row_type(tt_h5 *f, hid_t t, tt_h5row *row)
{
    tt_dtype d = TT_F32;
    while (d <= TT_U64 && (tt_h5_type(d) < 0 || H5Tequal(t, tt_h5_type(d)) <= 0)) d++;
    if (f->kind == TT_H5CKPT && d != TT_F32)
        return tt_fail(TT_EFILE, "%s: %s does not hold 32-bit floats", f->path, row->path);
    if (d > TT_U64)
        return tt_fail(TT_EFILE, "%s: %s is of a type that columns do not have; was it written by tutti?", f->path,
                       row->path);
    row->type = d;
    return TT_OK;
}

static tt_err row_place(tt_h5 *f, hid_t d, tt_h5row *row)
{
    if (row->n == 0) return TT_OK;
    int64_t size = (int64_t)tt_dtype_size(row->type);
    haddr_t at = H5Dget_offset(d);
    if (at == HADDR_UNDEF || at > (haddr_t)f->bytes || row->n > (f->bytes - (int64_t)at) / size)
        return tt_fail(TT_EFILE, "%s: truncated: has %lld bytes, %s reaches beyond; copy it again", f->path,
                       (long long)f->bytes, row->path);
    if (f->kind == TT_H5COLS && at % (haddr_t)size)
        return tt_fail(TT_EFILE, "%s: %s begins at byte %lld, no multiple of its %lld-byte elements; %s", f->path,
                       row->path, (long long)at, (long long)size, tt_h5_remedy(f->kind));
    row->at = (int64_t)at;
    return TT_OK;
}

static tt_err read_row(tt_h5 *f, hid_t d, hid_t t, tt_h5row *row)
{
    if (!is_plain(d))
        return tt_fail(TT_EFILE, "%s: %s is not stored in one piece; rewrite it with h5repack -l CONTI -f NONE",
                       f->path, row->path);
    TT_TRY(row_type(f, t, row));
    TT_TRY(row_shape(f, d, row));
    if (f->kind == TT_H5COLS && row->ndim != 1)
        return tt_fail(TT_EFILE, "%s: %s has %d dimensions, a column has one; was it written by tutti?", f->path,
                       row->path, row->ndim);
    TT_TRY(row_place(f, d, row));
    if (!tt_h5_read_tag(d, row->hash))
        return tt_fail(TT_EFILE, "%s: %s has no checksum; was it written by tutti?", f->path, row->path);
    return TT_OK;
}

static bool is_text(hid_t t) { return H5Tget_class(t) == H5T_STRING; }

static tt_err visit_set(walk *w, hid_t d, const char *name)
{
    if (w->n == w->cap) w->row = tt_realloc(w->row, sizeof *w->row * (size_t)(w->cap = w->cap ? 2 * w->cap : 16));
    tt_h5row *row = &w->row[w->n];
    memset(row, 0, sizeof *row); /* padding too: rows travel as bytes */
    snprintf(row->path, sizeof row->path, "/%s", name);
    hid_t t = d >= 0 ? H5Dget_type(d) : -1;
    if (t < 0) return tt_h5_fail(w->f, TT_EFILE, row->path);
    bool text = w->f->kind == TT_H5COLS && is_text(t) && !strchr(name, '/');
    tt_err e = text ? TT_OK : read_row(w->f, d, t, row);
    H5Tclose(t);
    w->n += !text;
    return e;
}

static herr_t visit(hid_t root, const char *name, const H5O_info_t *info, void *data)
{
    walk *w = data;
    /* Of groups too: HDF5 goes down into them by recursion. */
    if (strlen(name) + 2 > sizeof w->row->path)
        w->e = tt_fail(TT_EFILE, "%s: the name /%.60s... is too long", w->f->path, name);
    bool wanted = w->f->kind == TT_H5COLS || !strncmp(name, "weights/", 8) || !strncmp(name, "optim/", 6);
    if (w->e == TT_OK && wanted && info->type == H5O_TYPE_DATASET) {
        hid_t d = H5Dopen2(root, name, H5P_DEFAULT);
        w->e = visit_set(w, d, name);
        if (d >= 0) H5Dclose(d);
    }
    return w->e == TT_OK ? 0 : -1;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const tt_h5row *)a)->path, ((const tt_h5row *)b)->path);
}

static int by_place(const void *a, const void *b)
{
    const tt_h5row *x = *(const tt_h5row *const *)a, *y = *(const tt_h5row *const *)b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static tt_err check_apart(const tt_h5 *f, int n, const tt_h5row *row)
{
    const tt_h5row **order = tt_malloc(sizeof *order * ((size_t)n + 1));
    int k = 0;
    for (int i = 0; i < n; i++)
        if (row[i].n > 0) order[k++] = &row[i];
    if (k > 0) qsort(order, (size_t)k, sizeof *order, by_place);
    tt_err e = TT_OK;
    for (int i = 1; i < k && e == TT_OK; i++)
        if (order[i]->at < order[i - 1]->at + order[i - 1]->n * (int64_t)tt_dtype_size(order[i - 1]->type))
            e = tt_fail(TT_EFILE, "%s: %s and %s overlap, the file is damaged; %s", f->path, order[i - 1]->path,
                        order[i]->path, tt_h5_remedy(f->kind));
    free(order);
    return e;
}

tt_err tt_h5_rows(tt_h5 *f, int *n, tt_h5row **row)
{
    walk w = {.f = f};
    if (H5Ovisit2(f->file, H5_INDEX_NAME, H5_ITER_INC, visit, &w, H5O_INFO_BASIC) < 0 && w.e == TT_OK)
        w.e = tt_h5_fail(f, TT_EFILE, "its table of contents cannot be read");
    if (w.e == TT_OK) w.e = check_apart(f, w.n, w.row);
    if (w.e == TT_OK && w.n == 0 && f->kind == TT_H5CKPT) w.e = tt_fail(TT_EFILE, "%s: holds no weights", f->path);
    if (w.e != TT_OK) {
        free(w.row);
        return w.e;
    }
    if (w.n > 0) qsort(w.row, (size_t)w.n, sizeof *w.row, by_path);
    *n = w.n;
    *row = w.row;
    return TT_OK;
}

/* ---- state --------------------------------------------------------------------------------------------------------*/
typedef struct attrs {
    tt_arena *a;
    int n;
    tt_ckattr *attr; /* [64] */
} attrs;

static herr_t visit_attr(hid_t g, const char *name, const H5A_info_t *info, void *data)
{
    attrs *w = data;
    if (!strcmp(name, "xxh3")) return 0;
    if (w->n == 64) return -1;
    hid_t a = H5Aopen(g, name, H5P_DEFAULT), t = a >= 0 ? H5Aget_type(a) : -1, s = a >= 0 ? H5Aget_space(a) : -1;
    tt_ckattr v = {.name = tt_strdup(w->a, name), .real = t >= 0 && H5Tget_class(t) == H5T_FLOAT};
    bool good = s >= 0 && H5Sget_simple_extent_npoints(s) == 1 && t >= 0 &&
                (v.real || H5Tget_class(t) == H5T_INTEGER) &&
                (v.real ? H5Aread(a, H5T_NATIVE_DOUBLE, &v.r) : H5Aread(a, H5T_NATIVE_INT64, &v.i)) >= 0;
    if (good) w->attr[w->n++] = v;
    if (s >= 0) H5Sclose(s);
    if (t >= 0) H5Tclose(t);
    if (a >= 0) H5Aclose(a);
    return good ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tt_ckattr *)a)->name, ((const tt_ckattr *)b)->name);
}

tt_err tt_h5_attrs(tt_h5 *f, tt_arena *a, int *n, tt_ckattr **attr)
{
    attrs w = {.a = a, .attr = TT_NEW(a, tt_ckattr, 64)};
    char stored[33] = "", now[33];
    hid_t g = H5Gopen2(f->file, "/state", H5P_DEFAULT);
    bool good =
        g >= 0 && H5Aiterate2(g, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attr, &w) >= 0 && tt_h5_read_tag(g, stored);
    if (g >= 0) H5Gclose(g);
    if (!good) return tt_h5_fail(f, TT_EFILE, "/state cannot be read");
    const tt_ckattr *order[64];
    if (w.n > 0) qsort(w.attr, (size_t)w.n, sizeof *w.attr, by_name);
    for (int i = 0; i < w.n; i++) order[i] = &w.attr[i];
    tt_attrs_hash(w.n, order, now);
    if (strcmp(stored, now))
        return tt_fail(TT_EFILE, "%s: /state: checksum mismatch, the file is damaged; use another checkpoint", f->path);
    *n = w.n;
    *attr = w.attr;
    return TT_OK;
}

/* ---- texts --------------------------------------------------------------------------------------------------------*/
static bool read_text(tt_h5 *f, hid_t d, tt_arena *a, char **text)
{
    hid_t t = H5Dget_type(d), s = H5Dget_space(d);
    size_t size = t >= 0 && is_text(t) && is_plain(d) && H5Tis_variable_str(t) == 0 ? H5Tget_size(t) : 0;
    bool good = size > 0 && size <= (size_t)f->bytes && H5Sget_simple_extent_npoints(s) == 1;
    if (good) {
        *text = TT_ZNEW(a, char, size + 1);
        good = H5Dread(d, t, H5S_ALL, H5S_ALL, H5P_DEFAULT, *text) >= 0;
    }
    if (s >= 0) H5Sclose(s);
    if (t >= 0) H5Tclose(t);
    return good;
}

tt_err tt_h5_text(tt_h5 *f, const char *name, tt_arena *a, char **text)
{
    *text = NULL;
    char path[256];
    snprintf(path, sizeof path, "/%s", name);
    htri_t there = H5Lexists(f->file, name, H5P_DEFAULT);
    if (there == 0) return TT_OK;
    char stored[33] = "", now[33] = "";
    H5L_info_t link; /* a link of another kind may lead into another file */
    bool ours = there > 0 && H5Lget_info(f->file, name, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD;
    hid_t d = ours ? H5Dopen2(f->file, name, H5P_DEFAULT) : -1;
    bool good = d >= 0 && read_text(f, d, a, text) && tt_h5_read_tag(d, stored);
    if (d >= 0) H5Dclose(d);
    if (!good) return tt_h5_fail(f, TT_EFILE, path);
    tt_bytes_hash(*text, strlen(*text), now);
    if (strcmp(stored, now))
        return tt_fail(TT_EFILE, "%s: %s: checksum mismatch, the file is damaged; %s", f->path, path,
                       tt_h5_remedy(f->kind));
    return TT_OK;
}

typedef struct texts {
    const tt_h5 *f;
    tt_arena *a;
    int n;
    char **name; /* [64] */
} texts;

/* In a column file the numbers may lie at the root too. */
static bool holds_text(const tt_h5 *f, hid_t d)
{
    if (f->kind == TT_H5CKPT) return true;
    hid_t t = H5Dget_type(d);
    bool text = t >= 0 && is_text(t);
    if (t >= 0) H5Tclose(t);
    return text;
}

static herr_t visit_root(hid_t root, const char *name, const H5L_info_t *info, void *data)
{
    texts *w = data;
    if (info->type != H5L_TYPE_HARD) return 0;
    hid_t o = H5Oopen(root, name, H5P_DEFAULT);
    if (o < 0) return -1;
    if (H5Iget_type(o) == H5I_DATASET && w->n < 64 && holds_text(w->f, o)) w->name[w->n++] = tt_strdup(w->a, name);
    return H5Oclose(o);
}

tt_err tt_h5_texts(tt_h5 *f, tt_arena *a, int *n, char ***name)
{
    texts w = {.f = f, .a = a, .name = TT_NEW(a, char *, 64)};
    if (H5Literate(f->file, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_root, &w) < 0)
        return tt_h5_fail(f, TT_EFILE, "its table of contents cannot be read");
    *n = w.n;
    *name = w.name;
    return TT_OK;
}
