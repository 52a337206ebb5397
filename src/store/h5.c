/* What reading and writing HDF5 share: access properties, the error stack in one line. */
#include "h5.h"
#include "hash.h"

#include <string.h>

/* Little-endian, whatever the machine. */
hid_t tt_h5_type(tt_dtype d)
{
    switch (d) {
    case TT_U8: return H5T_STD_U8LE;
    case TT_I32: return H5T_STD_I32LE;
    case TT_U32: return H5T_STD_U32LE;
    case TT_I64: return H5T_STD_I64LE;
    case TT_U64: return H5T_STD_U64LE;
    case TT_F32: return H5T_IEEE_F32LE;
    case TT_F64: return H5T_IEEE_F64LE;
    default: return -1;
    }
}

hid_t tt_h5_access(tt_h5kind kind)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);
    /* 1.8 objects carry checksums of their own; nothing newer, so that any h5py and h5dump reads them. */
    H5Pset_libver_bounds(p, H5F_LIBVER_V18, H5F_LIBVER_V110);
    if (kind == TT_H5CKPT)
        H5Pset_alignment(p, 65536, 4096); /* large arrays share no page with metadata or each other */
    else
        H5Pset_alignment(p, 1, 64);            /* all arrays are used where they are mapped */
    H5Pset_fclose_degree(p, H5F_CLOSE_STRONG); /* a failure half-way leaves nothing open */
    H5Pset_file_locking(p, false, true); /* parallel file systems often have no flock; committed files never change */
    return p;
}

static herr_t innermost(unsigned n, const H5E_error2_t *err, void *text)
{
    if (n == 0 && err->desc) snprintf(text, sizeof((tt_h5 *)0)->why, "%s", err->desc);
    return 0;
}

/* Called by HDF5 as its outermost function fails; the next call would clear the stack. */
static herr_t note(hid_t stack, void *data)
{
    tt_h5 *f = data;
    if (!*f->why) H5Ewalk2(stack, H5E_WALK_UPWARD, innermost, f->why);
    return 0;
}

void tt_h5_listen(tt_h5 *f, const char *path, tt_h5kind kind)
{
    *f = (tt_h5){.file = -1, .path = path, .kind = kind};
    H5Eset_auto2(H5E_DEFAULT, note, f);
}

void tt_h5_close(tt_h5 *f)
{
    if (f->file >= 0) H5Fclose(f->file);
    f->file = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

const char *tt_h5_remedy(tt_h5kind kind)
{
    return kind == TT_H5CKPT ? "use another checkpoint" : "remove it and have it made again";
}

tt_err tt_h5_fail(const tt_h5 *f, tt_err code, const char *what)
{
    const char *why = *f->why ? f->why : "not as it should be";
    if (code != TT_EFILE) return tt_fail(code, "%s: %s: %s; check the disk", f->path, what, why);
    return tt_fail(code, "%s: %s: %s; %s or copy it again", f->path, what, why, tt_h5_remedy(f->kind));
}

void tt_attrs_hash(int n, const tt_ckattr *const *attr, char hex[33])
{
    char buf[64 * 320];
    size_t at = 0;
    for (int i = 0; i < n && at + 320 < sizeof buf; i++) {
        uint64_t bits;
        memcpy(&bits, attr[i]->real ? (const void *)&attr[i]->r : (const void *)&attr[i]->i, sizeof bits);
        at += (size_t)snprintf(buf + at, 320, "%.255s=%c%016llx\n", attr[i]->name, attr[i]->real ? 'r' : 'i',
                               (unsigned long long)bits);
    }
    tt_bytes_hash(buf, at, hex);
}

bool tt_h5_read_word(hid_t obj, const char *name, char *word, size_t size)
{
    memset(word, 0, size);
    if (H5Aexists(obj, name) <= 0) return false;
    hid_t a = H5Aopen(obj, name, H5P_DEFAULT), t = a >= 0 ? H5Aget_type(a) : -1, s = a >= 0 ? H5Aget_space(a) : -1;
    bool good = t >= 0 && H5Tget_class(t) == H5T_STRING && H5Tis_variable_str(t) == 0 && H5Tget_size(t) <= size &&
                H5Sget_simple_extent_npoints(s) == 1 && H5Aread(a, t, word) >= 0;
    word[size - 1] = 0;
    if (s >= 0) H5Sclose(s);
    if (t >= 0) H5Tclose(t);
    if (a >= 0) H5Aclose(a);
    return good;
}

bool tt_h5_read_tag(hid_t obj, char hex[33]) { return tt_h5_read_word(obj, "xxh3", hex, TT_HEX); }
