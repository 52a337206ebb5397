/* Private to store: the HDF5 side of a checkpoint. The library makes and reads the structure (groups, data sets, attributes, texts)
 * through its serial driver; the numbers themselves are moved by pread and pwrite at the places that H5Dget_offset tells.
 *
 * Why not collective H5Dwrite: Open MPI 4.1 reports success for collective writes to a full disk while data are gone, or hangs.
 * Contiguous data sets without filters have one place in the file, known when they are made (early allocation), so every rank can
 * write its part with the system call that independent MPI-IO would make, and gets its errno. */
#ifndef TUTTI_STORE_H5_H
#define TUTTI_STORE_H5_H

#include "tutti/store.h"
#include <hdf5.h>

typedef struct tt_ckrow { /* one array as it lies in the file; plain bytes, sent between ranks */
    char path[256];
    int ndim;
    int64_t shape[4];
    int64_t n;
    int64_t at; /* byte offset of element 0 */
    char hash[33];
} tt_ckrow;

typedef struct tt_h5 { /* does not move between open and close */
    hid_t file;
    const char *path;
    int64_t bytes; /* of the file */
    char why[512]; /* the innermost line of HDF5's first error since the file was opened */
} tt_h5;

/* Rank 0 / local. Makes path with everything but the numbers of c's arrays; row[i].at receives their places. */
tt_err tt_h5_create(const char *path, const tt_ckpt *c, tt_ckrow *row);
/* Fills in the checksums of the arrays. */
tt_err tt_h5_seal(const char *path, int n, const tt_ckrow *row);

/* TT_EFILE: not HDF5, truncated, damaged, of a newer format. */
tt_err tt_h5_open(tt_h5 *f, const char *path);
void tt_h5_close(tt_h5 *f);
/* All arrays in path order (heap, the caller frees). Every place and size has been checked against the file. */
tt_err tt_h5_rows(tt_h5 *f, int *n, tt_ckrow **row);
/* The scalars of /state in name order, checked against their checksum; names in a. */
tt_err tt_h5_attrs(tt_h5 *f, tt_arena *a, int *n, tt_ckattr **attr);
/* The names of the texts at the root, and one text (NULL if absent; checked against its checksum). In a. */
tt_err tt_h5_texts(tt_h5 *f, tt_arena *a, int *n, char ***name);
tt_err tt_h5_text(tt_h5 *f, const char *name, tt_arena *a, char **text);

void tt_h5_listen(tt_h5 *f, const char *path); /* instead of printing its error stack, HDF5 tells f->why */
/* TT_EFILE or TT_ERUN: path: what: why. */
tt_err tt_h5_fail(const tt_h5 *f, tt_err code, const char *what);
hid_t tt_h5_access(void);                                              /* the file access properties of all our files */
void tt_attrs_hash(int n, const tt_ckattr *const *attr, char hex[33]); /* attrs in name order */
bool tt_h5_read_tag(hid_t obj, char hex[33]);                          /* attribute xxh3; false if it is not there */

enum { TT_CKFORMAT = 1, TT_HEX = 33 };

#endif
