/* store: safetensors in and out, HDF5 checkpoints and column files, hashes of weights. */
#ifndef TUTTI_STORE_H
#define TUTTI_STORE_H

#include "tutti/comm.h"
#include "tutti/tensor.h"

/* ---- safetensors ---------------------------------------------------------------------------------------------
 * 8-byte little-endian header length, JSON header, row-major data (github.com/huggingface/safetensors). Every offset, size and
 * shape in the header is checked against the file before a byte of data is touched. */
typedef enum tt_dtype {
    TT_F32,
    TT_F16,
    TT_BF16,
    TT_I64,
    TT_I32,
    TT_U8,
    TT_BOOL,
    TT_F64,
    TT_I8,
    TT_I16,
    TT_U16,
    TT_U32,
    TT_U64,
    TT_F8_E5M2,
    TT_F8_E4M3, /* named and sized, converted to nothing but integers */
} tt_dtype;
size_t tt_dtype_size(tt_dtype d);
const char *tt_dtype_name(tt_dtype d); /* "F32" ... */
bool tt_dtype_parse(const char *name, tt_dtype *out);

typedef struct tt_sten {
    const char *name;
    tt_dtype dtype;
    int ndim;
    int64_t shape[8];
    int64_t n;
    const void *data; /* mapped file */
} tt_sten;

typedef struct tt_stfile tt_stfile;
/* Local. TT_EFILE with path and what is wrong (truncated: has .. of .. bytes; header says ..). Maps the file. */
tt_err tt_st_open(const char *path, tt_stfile **out);
void tt_st_close(tt_stfile *f);
int tt_st_count(const tt_stfile *f);
const tt_sten *tt_st_at(const tt_stfile *f, int i); /* in name order */
const tt_sten *tt_st_find(const tt_stfile *f, const char *name);
const char *tt_st_meta(const tt_stfile *f, const char *key); /* NULL */
tt_err tt_st_to_f32(const tt_sten *t, float *out);           /* F32 F16 BF16 F64; TT_EFILE otherwise */
tt_err tt_st_to_i64(const tt_sten *t, int64_t *out);         /* signed and unsigned up to 63 bits, BOOL */
/* Local. Writes as HF's writer does: larger element size first, then name; header padded with blanks to 8; metadata
 * {"format":"pt"} if pt. F32/F16/BF16 tensors are given as float and rounded (nearest even); the others in their own type.
 * To path.tmp, fsync, rename. TT_ERUN on a full disk: the old file stays. */
typedef struct tt_stout {
    const char *name;
    tt_dtype dtype;
    int ndim;
    int64_t shape[8];
    const void *data;
} tt_stout;
tt_err tt_st_write(const char *path, int n, const tt_stout *t, bool pt);

/* ---- Hugging Face weight folders -------------------------------------------------------------------------------
 * model.safetensors, or shards by model.safetensors.index.json. alias(name) maps a stored name to the table's name (or NULL:
 * ignore). Local: fills pars->w. TT_EFILE: missing tensors, shapes that differ, names nobody knows (all listed, first 5). */
tt_err tt_hf_load(const char *dir, tt_pars *pars, const char *(*alias)(const char *stored, const tt_pars *pars));
/* Writes the weights as transformers' save_pretrained does: one file up to shard_bytes (5 GB by default: 0), else shards + index. */
tt_err tt_hf_save(const char *dir, const tt_pars *pars, tt_dtype dtype, int64_t shard_bytes);

/* ---- small files ------------------------------------------------------------------------------------------------
 * Local. path becomes text, durably and whole: a reader finds the old file or the new one. TT_ERUN: the old one stays. */
tt_err tt_file_put(const char *path, const char *text);

/* ---- hashes -----------------------------------------------------------------------------------------------------
 * Over the logical fp32 tensors in name order: name, shape, bytes (XXH3, 128 bits, 32 hex digits). The same for a checkpoint, a
 * Hugging Face folder and the memory of a run. */
void tt_weights_hash(const tt_pars *pars, char hex[33]);

/* ---- checkpoints (HDF5) ------------------------------------------------------------------------------------------
 * One file per step: RUN/checkpoints/step-00000050.h5
 *   /weights/<name>          f32, logical shape        attribute xxh3, as on every data set (arrays: of the hashes of their
 *   /optim/<moment>/<name>   f32                       blocks of TT_BLOCK elements in order; texts: of their bytes)
 *   /state  attributes: step, tokens, draws, seed, best_loss ...; every integer and real of tt_ckattr, and their xxh3
 *   /job    the resolved job (string), /model_config (string), /tokenizer_hash
 *   format  attribute of the root: 1
 * beside latest (the newest one's name) and owner (who may commit).
 * Commit: reserve space, write to .tmp, fsync, read back and compare checksums, agree, check the owner, rename, fsync the folder,
 * move `latest`. A torn or corrupt file is skipped with a message and the one before it is used.
 * In all functions here m may be NULL: this process alone, no MPI. The bytes written do not depend on the number of ranks. */
typedef struct tt_ckarray { /* one logical array of the checkpoint, whole shape known on all ranks */
    char path[256];         /* "/weights/shared.weight" */
    int ndim;
    int64_t shape[4];
    int64_t n;
    /* The elements this rank holds (lo == hi: none). Writing: over all ranks they cover 0..n exactly once; a cut at a multiple of
     * TT_BLOCK saves reading that block once more. Reading: anything. */
    int64_t lo, hi;
    float *x; /* element lo */
} tt_ckarray;

typedef struct tt_ckattr { /* one scalar of /state */
    const char *name;
    bool real;
    int64_t i;
    double r;
} tt_ckattr;

typedef struct tt_cktext {
    const char *name; /* data set name at the root: "job", "model_config" */
    char *text;       /* on read: in the arena passed */
} tt_cktext;

typedef struct tt_ckpt {
    int narray, nattr, ntext;
    tt_ckarray *array;
    tt_ckattr *attr;
    tt_cktext *text;
} tt_ckpt;

/* Collective. Makes this run the owner of dir (made if need be); an earlier owner that still lives can commit no more. Call it before
 * looking for a checkpoint to resume from. TT_ERUN: a later incarnation of the same Slurm job was here already. */
tt_err tt_ckpt_claim(const tt_mesh *m, const char *dir);
/* Collective. Writes and commits dir/step-%08lld.h5; on any failure (full disk ...) the temporary is removed, nothing that was
 * committed is touched, all ranks get the same error. TT_ERUN also if dir has an owner and it is not this run. Texts that are NULL are
 * left out. */
tt_err tt_ckpt_write(const tt_mesh *m, const char *dir, int64_t step, const tt_ckpt *c);
/* Collective. The same to a path of its own, without owner and pointer. */
tt_err tt_ckpt_save(const tt_mesh *m, const char *path, const tt_ckpt *c);
/* Collective. Keeps the newest keep checkpoints (0: all) and the one at step best (-1: none); removes the others and stale .tmp files. */
tt_err tt_ckpt_prune(const tt_mesh *m, const char *dir, int64_t keep, int64_t best);
/* Collective. Finds the newest checkpoint in dir that verifies; *path in a, or NULL if there is none. Bad ones are named in a warning. */
tt_err tt_ckpt_latest(const tt_mesh *m, const char *dir, tt_arena *a, const char **path);
/* Collective. Fills every array's [lo,hi) (any cut), attrs and texts by name. TT_EFILE: missing array, other shape ("from another model"),
 * checksum mismatch. An attr that is absent in the file is an error; texts absent give NULL. */
tt_err tt_ckpt_read(const tt_mesh *m, const char *path, tt_arena *a, tt_ckpt *c);
/* Local. The checkpoint meant by path: a checkpoint file itself, or the newest of a run folder or folder of checkpoints. NULL: none. In a. */
const char *tt_ckpt_find(const char *path, tt_arena *a);
/* Local (serial HDF5). Table of contents on out, then "weights <hash>" as the last line. Checks all checksums. */
tt_err tt_ckpt_inspect(const char *path, FILE *out);
/* Local. The same for a Hugging Face folder. The hash is that of pars, which the caller has loaded from it; pars NULL (a model that is
 * not built in): of the tensors as they are stored, as fp32. */
tt_err tt_hf_inspect(const char *dir, const tt_pars *pars, FILE *out);
/* Local. Loads only /weights/... into pars (eval, export, generate); TT_EFILE as tt_ckpt_read. */
tt_err tt_ckpt_weights(const char *path, tt_pars *pars);
/* Local. The weights of pars as whole arrays "/weights/<name>"[pars->n], in a. */
tt_ckarray *tt_ckpt_arrays(const tt_pars *pars, tt_arena *a);
/* Local. One text by name, in a; NULL if the file has none of that name. */
tt_err tt_ckpt_text(const char *path, const char *name, tt_arena *a, char **text);

/* ---- column files (HDF5) ------------------------------------------------------------------------------------------
 * Named one-dimensional arrays, written once by all ranks and then only read, mapped: the ranks of a node share one copy in memory.
 *   /<name>          U8 I32 U32 I64 U64 F32 F64, little-endian; a name with slashes lies in groups: "row/line"
 *   /<text>          a small UTF-8 string at the root, such as a description in JSON
 *   format, kind     attributes of the root: 1, "columns" (a checkpoint has no kind)
 * Arrays and texts have the attribute xxh3 as in a checkpoint, arrays over blocks of 256 KiB. Every array lies in one piece and begins
 * at a multiple of 64 bytes. The bytes of a file do not depend on the number of ranks or on who held what; h5dump and h5py read it. */
typedef struct tt_col {
    const char *name;
    tt_dtype type;
    int64_t n; /* of the whole array, the same on all ranks */
    /* This rank's elements (lo == hi: none). Over all ranks they cover 0..n exactly once, cut anywhere. */
    int64_t lo, hi;
    const void *x; /* element lo */
} tt_col;

/* Collective (m NULL: this process alone); names, types and n are the same on all ranks, texts count on rank 0, NULL ones are left out
 * (at most 64). Written beside path under a name of its own (path.<host>-<pid>.tmp), made durable, read back and compared, then renamed:
 * a reader finds the old file or the new one, whole; who has the old one mapped keeps it. Runs that make the same file at once do not
 * disturb each other, the last one's stays. TT_ERUN (full disk, no such folder ...), the same on all ranks: the temporary is removed and
 * an older file of that name stays. A run that is killed leaves its temporary. Parts that do not cover are a bug of the caller's. */
tt_err tt_cols_write(const tt_mesh *m, const char *path, int ncol, const tt_col *col, int ntext, const tt_cktext *text);

/* Local. Maps path. Types, shapes, places and the texts' checksums are checked, the arrays' are not (tt_cols_verify). TT_EFILE: no such
 * file, not a column file, truncated, damaged, or with arrays that cannot be mapped from this very file (compressed, chunked, external,
 * virtual, at odd places). Links in it are not followed. The file must not be cut short while it is open: touching what is gone is
 * a bus error, as with every mapped file; tt_cols_write never does that. */
typedef struct tt_cols tt_cols;
tt_err tt_cols_open(const char *path, tt_cols **out);
void tt_cols_close(tt_cols *f); /* NULL: nothing. What get, need and text returned is gone */
/* x[n] in the map, aligned to 64 bytes if tutti wrote it, to its element in any case; NULL if there is none of that name and type. An
 * empty one is not NULL. */
const void *tt_cols_get(const tt_cols *f, const char *name, tt_dtype type, int64_t *n);
/* The same, but TT_EFILE with the file, the name and what is there instead. */
tt_err tt_cols_need(const tt_cols *f, const char *name, tt_dtype type, const void **x, int64_t *n);
const char *tt_cols_text(const tt_cols *f, const char *name); /* lives as long as f; NULL: none */
/* Collective (m NULL: this process alone). All arrays and texts against their checksums, the blocks shared out over the ranks. TT_EFILE
 * names the first array that differs. */
tt_err tt_cols_verify(const tt_mesh *m, const char *path);
/* Local. Is path a column file, as far as its head says? Never fails. */
bool tt_cols_is(const char *path);
/* Local. Table of contents on out; checks all checksums. */
tt_err tt_cols_inspect(const char *path, FILE *out);

#endif
