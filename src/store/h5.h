/* Private to store: the HDF5 side of checkpoints and column files. The library makes and reads the structure (groups, data sets,
 * attributes, texts) through its serial driver; the numbers themselves are moved by pread and pwrite at the places that H5Dget_offset
 * tells, or mapped there.
 *
 * Why not collective H5Dwrite: Open MPI 4.1 reports success for collective writes to a full disk while data are gone, or hangs.
 * Contiguous data sets without filters have one place in the file, known when they are made (early allocation), so every rank can
 * write its part with the system call that independent MPI-IO would make, and gets its errno. */
#ifndef TUTTI_STORE_H5_H
#define TUTTI_STORE_H5_H

#include "tutti/store.h"
#include <hdf5.h>

typedef struct tt_h5row { /* one array as it lies in the file; plain bytes, sent between ranks */
    char path[256];
    tt_dtype type;
    int ndim;
    int64_t shape[4];
    int64_t n;
    int64_t at; /* byte offset of element 0 */
    char hash[33];
} tt_h5row;

typedef enum tt_h5kind { TT_H5CKPT, TT_H5COLS } tt_h5kind; /* a checkpoint, a column file */

typedef struct tt_h5part { /* the elements of an array that this rank holds */
    int64_t lo, hi;
    const void *x; /* element lo */
} tt_h5part;

typedef struct tt_h5plan { /* a file to be written; of attr and text only rank 0's count */
    tt_h5kind kind;
    int narray, nattr, ntext;
    tt_h5row *row;         /* [narray] whole arrays, the same on all ranks; at and hash are found while writing */
    const tt_h5part *part; /* [narray] over all ranks they cover each array exactly once, cut anywhere */
    const tt_ckattr *attr;
    const tt_cktext *text;
} tt_h5plan;

typedef struct tt_h5 { /* does not move between open and close */
    hid_t file;
    tt_h5kind kind;
    const char *path;
    int64_t bytes; /* of the file */
    char why[512]; /* the innermost line of HDF5's first error since the file was opened */
} tt_h5;

/* Rank 0 / local. Makes path with everything but the numbers of the arrays; row[i].at receives their places. */
tt_err tt_h5_create(const char *path, const tt_h5plan *p);
/* Fills in the checksums of the arrays. */
tt_err tt_h5_seal(const char *path, const tt_h5plan *p);
/* Collective. Makes tmp a whole file of the plan, durable, read back and compared; renaming it is left to the caller, as is
 * removing it after a failure. TT_ERUN (full disk ...), the same on all ranks. */
tt_err tt_h5_write(const tt_mesh *m, const char *tmp, tt_h5plan *p);

/* TT_EFILE: not HDF5, truncated, damaged, of a newer format, of the other kind. */
tt_err tt_h5_open(tt_h5 *f, const char *path, tt_h5kind kind);
void tt_h5_close(tt_h5 *f);
int tt_h5_fd(const tt_h5 *f);                    /* HDF5's own, open as long as f */
bool tt_h5_is(const char *path, tt_h5kind kind); /* tells the kinds apart; never fails */
/* All arrays in path order (heap, the caller frees): what lies below /weights and /optim of a checkpoint, everything but texts of a
 * column file. Links are not followed. Every type, place and size has been checked against the file; no two arrays overlap. */
tt_err tt_h5_rows(tt_h5 *f, int *n, tt_h5row **row);
/* The scalars of /state in name order, checked against their checksum; names in a. */
tt_err tt_h5_attrs(tt_h5 *f, tt_arena *a, int *n, tt_ckattr **attr);
/* The names of the texts at the root, and one text (NULL if absent; checked against its checksum). In a. */
tt_err tt_h5_texts(tt_h5 *f, tt_arena *a, int *n, char ***name);
tt_err tt_h5_text(tt_h5 *f, const char *name, tt_arena *a, char **text);

const char *tt_h5_remedy(tt_h5kind kind); /* for a file that is damaged */
/* Instead of printing its error stack, HDF5 tells f->why. */
void tt_h5_listen(tt_h5 *f, const char *path, tt_h5kind kind);
/* TT_EFILE or TT_ERUN: path: what: why. */
tt_err tt_h5_fail(const tt_h5 *f, tt_err code, const char *what);
hid_t tt_h5_access(tt_h5kind kind);                                         /* the file access properties */
hid_t tt_h5_type(tt_dtype d);                                               /* as it is stored; -1: not in our files */
void tt_attrs_hash(int n, const tt_ckattr *const *attr, char hex[33]);      /* attrs in name order */
bool tt_h5_read_word(hid_t obj, const char *name, char *word, size_t size); /* an attribute; false: none, or longer */
bool tt_h5_read_tag(hid_t obj, char hex[33]);                               /* attribute xxh3 */

enum { TT_CKFORMAT = 1, TT_HEX = 33 };
#define TT_H5COLUMNS "columns" /* attribute kind of the root */

#endif
