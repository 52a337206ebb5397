/* Private to store: what writing and reading checkpoints and column files share. */
#ifndef TUTTI_STORE_CKPT_H
#define TUTTI_STORE_CKPT_H

#include "h5.h"

/* ---- the mesh, or this process alone (m NULL: verbs that start no MPI) ------------------------------------------------*/
bool tt_ck_root(const tt_mesh *m);
int tt_ck_rank(const tt_mesh *m);
int tt_ck_size(const tt_mesh *m);
tt_err tt_ck_agree(const tt_mesh *m, tt_err local);
void tt_ck_bcast(const tt_mesh *m, void *buf, size_t bytes);
char *tt_ck_bcast_text(const tt_mesh *m, tt_arena *a, const char *text); /* NULL stays NULL */

/* ---- blocks -------------------------------------------------------------------------------------------------------
 * Every array is cut into blocks of TT_BLOCK_BYTES (the last one shorter), whatever the mesh. A block has a 64-bit hash; an
 * array's checksum is the 128-bit hash of its block hashes in order, so it does not depend on who wrote which part. */
enum { TT_BLOCK_BYTES = TT_BLOCK * 4 }; /* of fp32, a block of the optimizer */

typedef struct tt_blocks {
    int n; /* arrays */
    const tt_h5row *row;
    int64_t *first; /* [n+1] number of an array's first block */
    uint64_t *hash; /* [first[n]] */
    uint8_t *known; /* 0: the hash is not; 1: to this rank, since the last exchange; 2: to all ranks */
} tt_blocks;

void tt_blocks_init(tt_blocks *b, int n, const tt_h5row *row);
void tt_blocks_fini(tt_blocks *b);
int64_t tt_block_len(const tt_h5row *row); /* elements in a block, but perhaps the last */
/* Hashes the blocks of array i that lie whole in [lo,hi); x: element lo. */
void tt_blocks_add(tt_blocks *b, int i, int64_t lo, int64_t hi, const void *x);
void tt_blocks_sum(const tt_blocks *b, int i, char hex[33]);
/* Collective. Takes the hashes that no rank has added from the file; then all ranks know all. The same error on all ranks. */
tt_err tt_blocks_finish(const tt_mesh *m, int fd, const char *path, tt_blocks *b);
/* Local. Every rank reads a share of all blocks and compares: TT_ERUN. */
tt_err tt_blocks_compare(const tt_mesh *m, int fd, const char *path, const tt_blocks *b);

/* ---- parts shared by reading, searching and inspecting ---------------------------------------------------------------*/
typedef struct tt_ckfile { /* what rank 0 reads and all ranks know */
    const char *path;
    tt_h5kind kind;
    int n;
    tt_h5row *row; /* heap */
} tt_ckfile;
tt_err tt_ck_open_read(const char *path, int *fd); /* TT_EFILE */
/* Collective. Tells all ranks what rank 0 has read. */
void tt_ck_bcast_rows(const tt_mesh *m, tt_ckfile *f);
/* Collective. All numbers of the file against their checksums. */
tt_err tt_ck_verify(const tt_mesh *m, const tt_ckfile *f);
const tt_h5row *tt_ck_find_row(int n, const tt_h5row *row, const char *path);

/* ---- the folder ----------------------------------------------------------------------------------------------------*/
/* Steps of the checkpoints in dir, newest first. Heap; n 0 if there is no such folder. */
int tt_ck_list(const char *dir, int64_t **steps);
char *tt_ck_path(const char *dir, int64_t step); /* heap */
tt_err tt_ck_may_commit(const char *dir);        /* TT_ERUN: another incarnation has claimed the folder */

#endif
