/* Reads the structure of a checkpoint file, believing nothing in it. */
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
    if (!good) return tt_fail(TT_EFILE, "%s: is an HDF5 file, but not a checkpoint of tutti", f->path);
    if (format > TT_CKFORMAT)
        return tt_fail(TT_EFILE, "%s: has format %lld, this program reads up to %d; use a newer tutti", f->path,
                       (long long)format, TT_CKFORMAT);
    return TT_OK;
}

static tt_err open_file(tt_h5 *f)
{
    struct stat st;
    if (stat(f->path, &st) != 0) return tt_fail(TT_EFILE, "%s: cannot be opened: %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return tt_fail(TT_EFILE, "%s: is not a file; a checkpoint (.h5) is needed", f->path);
    f->bytes = st.st_size;
    hid_t access = tt_h5_access();
    f->file = H5Fopen(f->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return f->file >= 0 ? TT_OK : tt_h5_fail(f, TT_EFILE, "is not a whole HDF5 file");
}

tt_err tt_h5_open(tt_h5 *f, const char *path)
{
    tt_h5_listen(f, path);
    tt_err e = open_file(f);
    if (e == TT_OK) e = check_format(f);
    if (e != TT_OK) tt_h5_close(f);
    return e;
}

/* ---- arrays -------------------------------------------------------------------------------------------------------*/
typedef struct walk {
    tt_h5 *f;
    int n, cap;
    tt_ckrow *row;
    tt_err e;
} walk;

static tt_err row_shape(tt_h5 *f, hid_t d, tt_ckrow *row)
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

static bool is_plain(hid_t d)
{
    hid_t p = H5Dget_create_plist(d);
    bool good = p >= 0 && H5Pget_layout(p) == H5D_CONTIGUOUS && H5Pget_external_count(p) == 0;
    if (p >= 0) H5Pclose(p);
    return good;
}

static tt_err row_place(tt_h5 *f, hid_t d, tt_ckrow *row)
{
    if (!is_plain(d))
        return tt_fail(TT_EFILE, "%s: %s is not stored in one piece; rewrite it with h5repack -l CONTI -f NONE",
                       f->path, row->path);
    if (row->n == 0) return TT_OK;
    haddr_t at = H5Dget_offset(d);
    if (at == HADDR_UNDEF || at > (haddr_t)f->bytes || row->n > (f->bytes - (int64_t)at) / 4)
        return tt_fail(TT_EFILE, "%s: truncated: has %lld bytes, %s reaches beyond; copy it again", f->path,
                       (long long)f->bytes, row->path);
    row->at = (int64_t)at;
    return TT_OK;
}

static tt_err read_row(tt_h5 *f, hid_t d, tt_ckrow *row)
{
    hid_t t = H5Dget_type(d);
    bool f32 = t >= 0 && H5Tequal(t, H5T_IEEE_F32LE) > 0;
    if (t >= 0) H5Tclose(t);
    if (!f32) return tt_fail(TT_EFILE, "%s: %s does not hold 32-bit floats", f->path, row->path);
    TT_TRY(row_shape(f, d, row));
    TT_TRY(row_place(f, d, row));
    if (!tt_h5_read_tag(d, row->hash))
        return tt_fail(TT_EFILE, "%s: %s has no checksum; was it written by tutti?", f->path, row->path);
    return TT_OK;
}

static herr_t visit(hid_t root, const char *name, const H5O_info_t *info, void *data)
{
    walk *w = data;
    bool below = !strncmp(name, "weights/", 8) || !strncmp(name, "optim/", 6);
    if (!below || info->type != H5O_TYPE_DATASET) return 0;
    if (w->n == w->cap) w->row = tt_realloc(w->row, sizeof *w->row * (size_t)(w->cap = w->cap ? 2 * w->cap : 64));
    tt_ckrow *row = &w->row[w->n++];
    memset(row, 0, sizeof *row); /* padding too: rows travel as bytes */
    if (strlen(name) + 2 > sizeof row->path) {
        w->e = tt_fail(TT_EFILE, "%s: the name /%.60s... is too long", w->f->path, name);
        return -1;
    }
    snprintf(row->path, sizeof row->path, "/%s", name);
    hid_t d = H5Dopen2(root, name, H5P_DEFAULT);
    w->e = d >= 0 ? read_row(w->f, d, row) : tt_h5_fail(w->f, TT_EFILE, row->path);
    if (d >= 0) H5Dclose(d);
    return w->e == TT_OK ? 0 : -1;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const tt_ckrow *)a)->path, ((const tt_ckrow *)b)->path);
}

tt_err tt_h5_rows(tt_h5 *f, int *n, tt_ckrow **row)
{
    walk w = {.f = f};
    if (H5Ovisit2(f->file, H5_INDEX_NAME, H5_ITER_INC, visit, &w, H5O_INFO_BASIC) < 0 && w.e == TT_OK)
        w.e = tt_h5_fail(f, TT_EFILE, "its table of contents cannot be read");
    if (w.e == TT_OK && w.n == 0) w.e = tt_fail(TT_EFILE, "%s: holds no weights", f->path);
    if (w.e != TT_OK) {
        free(w.row);
        return w.e;
    }
    qsort(w.row, (size_t)w.n, sizeof *w.row, by_path);
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
    size_t size = t >= 0 && H5Tget_class(t) == H5T_STRING && H5Tis_variable_str(t) == 0 ? H5Tget_size(t) : 0;
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
    htri_t there = H5Lexists(f->file, name, H5P_DEFAULT);
    if (there == 0) return TT_OK;
    char stored[33] = "", now[33] = "";
    hid_t d = there > 0 ? H5Dopen2(f->file, name, H5P_DEFAULT) : -1;
    bool good = d >= 0 && read_text(f, d, a, text) && tt_h5_read_tag(d, stored);
    if (d >= 0) H5Dclose(d);
    if (!good) return tt_h5_fail(f, TT_EFILE, name);
    tt_bytes_hash(*text, strlen(*text), now);
    if (strcmp(stored, now))
        return tt_fail(TT_EFILE, "%s: /%s: checksum mismatch, the file is damaged; use another checkpoint", f->path,
                       name);
    return TT_OK;
}

typedef struct texts {
    tt_arena *a;
    int n;
    char **name; /* [64] */
} texts;

static herr_t visit_root(hid_t root, const char *name, const H5L_info_t *info, void *data)
{
    texts *w = data;
    H5O_info_t o;
    if (H5Oget_info_by_name2(root, name, &o, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return -1;
    if (o.type == H5O_TYPE_DATASET && w->n < 64) w->name[w->n++] = tt_strdup(w->a, name);
    return 0;
}

tt_err tt_h5_texts(tt_h5 *f, tt_arena *a, int *n, char ***name)
{
    texts w = {.a = a, .name = TT_NEW(a, char *, 64)};
    if (H5Literate(f->file, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_root, &w) < 0)
        return tt_h5_fail(f, TT_EFILE, "its table of contents cannot be read");
    *n = w.n;
    *name = w.name;
    return TT_OK;
}
