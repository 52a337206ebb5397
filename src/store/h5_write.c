/* Makes the structure of a checkpoint or a column file. Every step looks at the flag of the one before. */
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

static bool put_state(hid_t file, const tt_h5plan *p)
{
    const tt_ckattr *order[64];
    assert(p->nattr <= 64);
    hid_t g = make_group(file, "/state");
    bool good = g >= 0;
    for (int i = 0; i < p->nattr && good; i++) {
        const tt_ckattr *v = order[i] = &p->attr[i];
        good = v->real ? put_attr(g, v->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &v->r)
                       : put_attr(g, v->name, H5T_STD_I64LE, H5T_NATIVE_INT64, &v->i);
    }
    if (good) {
        char hex[33];
        if (p->nattr > 0) qsort(order, (size_t)p->nattr, sizeof *order, by_name);
        tt_attrs_hash(p->nattr, order, hex);
        good = put_tag(g, hex);
    }
    if (g >= 0) good &= H5Gclose(g) >= 0;
    return good;
}

/* Contiguous, placed at once, never filled: its bytes are written by the ranks. */
static bool put_array(hid_t file, hid_t make, tt_h5row *row)
{
    static const char zero[TT_HEX] = "00000000000000000000000000000000";
    hsize_t dims[4];
    for (int i = 0; i < row->ndim; i++) dims[i] = (hsize_t)row->shape[i];
    hid_t s = row->ndim > 0 ? H5Screate_simple(row->ndim, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t d = H5Dcreate2(file, row->path, tt_h5_type(row->type), s, H5P_DEFAULT, make, H5P_DEFAULT);
    bool good = d >= 0 && put_tag(d, zero);
    if (good && row->n > 0) {
        haddr_t at = H5Dget_offset(d);
        good = at != HADDR_UNDEF;
        row->at = (int64_t)at;
    }
    if (d >= 0) good &= H5Dclose(d) >= 0;
    H5Sclose(s);
    return good;
}

/* What tells a reader the kind of file: checkpoints have no "kind", they were there first. */
static bool put_head(hid_t file, const tt_h5plan *p)
{
    int64_t format = TT_CKFORMAT;
    if (!put_attr(file, "format", H5T_STD_I64LE, H5T_NATIVE_INT64, &format)) return false;
    if (p->kind == TT_H5CKPT) return put_state(file, p);
    hid_t t = string_type(sizeof TT_H5COLUMNS);
    bool good = put_attr(file, "kind", t, t, TT_H5COLUMNS);
    H5Tclose(t);
    return good;
}

static bool put_all(hid_t file, const tt_h5plan *p)
{
    assert(p->ntext <= 64); /* as many are read */
    hid_t make = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(make, false);
    H5Pset_layout(make, H5D_CONTIGUOUS);
    H5Pset_alloc_time(make, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(make, H5D_FILL_TIME_NEVER);
    bool good = put_head(file, p);
    for (int i = 0; i < p->ntext && good; i++)
        if (p->text[i].text) good = put_text(file, make, p->text[i].name, p->text[i].text);
    for (int i = 0; i < p->narray && good; i++)
        good = make_parents(file, p->row[i].path) && put_array(file, make, &p->row[i]);
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

tt_err tt_h5_create(const char *path, const tt_h5plan *p)
{
    tt_h5 f;
    tt_h5_listen(&f, path, p->kind);
    hid_t access = tt_h5_access(p->kind), make = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(make, false);
    f.file = H5Fcreate(path, H5F_ACC_TRUNC, make, access);
    H5Pclose(make);
    H5Pclose(access);
    return finish(&f, f.file >= 0 && put_all(f.file, p));
}

static bool set_tag(hid_t file, const tt_h5row *row)
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

tt_err tt_h5_seal(const char *path, const tt_h5plan *p)
{
    tt_h5 f;
    tt_h5_listen(&f, path, p->kind);
    hid_t access = tt_h5_access(p->kind);
    f.file = H5Fopen(path, H5F_ACC_RDWR, access);
    H5Pclose(access);
    bool good = f.file >= 0;
    for (int i = 0; i < p->narray && good; i++) good = set_tag(f.file, &p->row[i]);
    return finish(&f, good);
}
