/* Makes the structure of a checkpoint file. Every step looks at the flag of the one before. */
#include "h5.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

static hid_t string_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    H5Tset_strpad(t, H5T_STR_NULLTERM);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static bool put_attr(hid_t obj, const char *name, hid_t file_type, hid_t mem_type, const void *v)
{
    hid_t s = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(obj, name, file_type, s, H5P_DEFAULT, H5P_DEFAULT);
    bool good = a >= 0 && H5Awrite(a, mem_type, v) >= 0;
    if (a >= 0) good &= H5Aclose(a) >= 0;
    H5Sclose(s);
    return good;
}

static bool put_tag(hid_t obj, const char hex[33])
{
    hid_t t = string_type(TT_HEX);
    bool good = put_attr(obj, "xxh3", t, t, hex);
    H5Tclose(t);
    return good;
}

static bool put_text(hid_t file, hid_t make, const char *name, const char *text)
{
    char hex[33];
    tt_bytes_hash(text, strlen(text), hex);
    hid_t t = string_type(strlen(text) + 1), s = H5Screate(H5S_SCALAR);
    hid_t d = H5Dcreate2(file, name, t, s, H5P_DEFAULT, make, H5P_DEFAULT);
    bool good = d >= 0 && H5Dwrite(d, t, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0 && put_tag(d, hex);
    if (d >= 0) good &= H5Dclose(d) >= 0;
    H5Sclose(s);
    H5Tclose(t);
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tt_ckattr *const *)a)->name, (*(const tt_ckattr *const *)b)->name);
}

/* Without times, here as on all objects: the same state gives the same bytes. */
static hid_t make_group(hid_t file, const char *path)
{
    hid_t p = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(p, false);
    hid_t g = H5Gcreate2(file, path, H5P_DEFAULT, p, H5P_DEFAULT);
    H5Pclose(p);
    return g;
}

/* The groups on the way to path, as far as they are not there. */
static bool make_parents(hid_t file, const char *path)
{
    char part[256];
    bool good = true;
    for (const char *s = strchr(path + 1, '/'); s && good; s = strchr(s + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(s - path), path);
        if (H5Lexists(file, part, H5P_DEFAULT) > 0) continue;
        hid_t g = make_group(file, part);
        good = g >= 0 && H5Gclose(g) >= 0;
    }
    return good;
}

static bool put_state(hid_t file, const tt_ckpt *c)
{
    const tt_ckattr *order[64];
    assert(c->nattr <= 64);
    hid_t g = make_group(file, "/state");
    bool good = g >= 0;
    for (int i = 0; i < c->nattr && good; i++) {
        const tt_ckattr *v = order[i] = &c->attr[i];
        good = v->real ? put_attr(g, v->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &v->r)
                       : put_attr(g, v->name, H5T_STD_I64LE, H5T_NATIVE_INT64, &v->i);
    }
    if (good) {
        char hex[33];
        if (c->nattr > 0) qsort(order, (size_t)c->nattr, sizeof *order, by_name);
        tt_attrs_hash(c->nattr, order, hex);
        good = put_tag(g, hex);
    }
    if (g >= 0) good &= H5Gclose(g) >= 0;
    return good;
}

/* Contiguous, placed at once, never filled: its bytes are written by the ranks. */
static bool put_array(hid_t file, hid_t make, const tt_ckarray *a, tt_ckrow *row)
{
    static const char zero[TT_HEX] = "00000000000000000000000000000000";
    hsize_t dims[4];
    for (int i = 0; i < a->ndim; i++) dims[i] = (hsize_t)a->shape[i];
    hid_t s = a->ndim > 0 ? H5Screate_simple(a->ndim, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t d = H5Dcreate2(file, a->path, H5T_IEEE_F32LE, s, H5P_DEFAULT, make, H5P_DEFAULT);
    bool good = d >= 0 && put_tag(d, zero);
    if (good && a->n > 0) {
        haddr_t at = H5Dget_offset(d);
        good = at != HADDR_UNDEF;
        row->at = (int64_t)at;
    }
    if (d >= 0) good &= H5Dclose(d) >= 0;
    H5Sclose(s);
    return good;
}

static bool put_all(hid_t file, const tt_ckpt *c, tt_ckrow *row)
{
    hid_t make = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(make, false);
    H5Pset_layout(make, H5D_CONTIGUOUS);
    H5Pset_alloc_time(make, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(make, H5D_FILL_TIME_NEVER);
    int64_t format = TT_CKFORMAT;
    bool good = put_attr(file, "format", H5T_STD_I64LE, H5T_NATIVE_INT64, &format) && put_state(file, c);
    for (int i = 0; i < c->ntext && good; i++)
        if (c->text[i].text) good = put_text(file, make, c->text[i].name, c->text[i].text);
    for (int i = 0; i < c->narray && good; i++)
        good = make_parents(file, c->array[i].path) && put_array(file, make, &c->array[i], &row[i]);
    H5Pclose(make);
    return good;
}

/* Closing flushes, so it may fail too. */
static tt_err finish(tt_h5 *f, bool good)
{
    if (f->file >= 0) good &= H5Fclose(f->file) >= 0;
    f->file = -1;
    tt_err e = good ? TT_OK : tt_h5_fail(f, TT_ERUN, "cannot be written");
    tt_h5_close(f);
    return e;
}

tt_err tt_h5_create(const char *path, const tt_ckpt *c, tt_ckrow *row)
{
    tt_h5 f;
    tt_h5_listen(&f, path);
    hid_t access = tt_h5_access(), make = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(make, false);
    f.file = H5Fcreate(path, H5F_ACC_TRUNC, make, access);
    H5Pclose(make);
    H5Pclose(access);
    return finish(&f, f.file >= 0 && put_all(f.file, c, row));
}

static bool set_tag(hid_t file, const tt_ckrow *row)
{
    hid_t t = string_type(TT_HEX);
    hid_t d = H5Dopen2(file, row->path, H5P_DEFAULT);
    hid_t a = d >= 0 ? H5Aopen(d, "xxh3", H5P_DEFAULT) : -1;
    bool good = a >= 0 && H5Awrite(a, t, row->hash) >= 0;
    if (a >= 0) good &= H5Aclose(a) >= 0;
    if (d >= 0) good &= H5Dclose(d) >= 0;
    H5Tclose(t);
    return good;
}

tt_err tt_h5_seal(const char *path, int n, const tt_ckrow *row)
{
    tt_h5 f;
    tt_h5_listen(&f, path);
    hid_t access = tt_h5_access();
    f.file = H5Fopen(path, H5F_ACC_RDWR, access);
    H5Pclose(access);
    bool good = f.file >= 0;
    for (int i = 0; i < n && good; i++) good = set_tag(f.file, &row[i]);
    return finish(&f, good);
}
