/* Blocks of arrays in HDF5 files: hashing, exchanging hashes, reading back by shares. */
#include "ckpt.h"
#include "file.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

bool tt_ck_root(const tt_mesh *m) { return !m || m->rank == 0; }
int tt_ck_rank(const tt_mesh *m) { return m ? m->rank : 0; }
int tt_ck_size(const tt_mesh *m) { return m ? m->size : 1; }
tt_err tt_ck_agree(const tt_mesh *m, tt_err local) { return m ? tt_agree(m, local) : local; }

void tt_ck_bcast(const tt_mesh *m, void *buf, size_t bytes)
{
    if (tt_ck_size(m) > 1) tt_bcast(m, buf, bytes, 0);
}

char *tt_ck_bcast_text(const tt_mesh *m, tt_arena *a, const char *text)
{
    int64_t size = text ? (int64_t)strlen(text) + 1 : 0;
    tt_ck_bcast(m, &size, sizeof size);
    if (size == 0) return NULL;
    char *copy = TT_NEW(a, char, size);
    if (tt_ck_root(m)) memcpy(copy, text, (size_t)size);
    tt_ck_bcast(m, copy, (size_t)size);
    return copy;
}

int64_t tt_block_len(const tt_h5row *row) { return TT_BLOCK_BYTES / (int64_t)tt_dtype_size(row->type); }

static int64_t count_of(const tt_h5row *row) { return (row->n + tt_block_len(row) - 1) / tt_block_len(row); }

void tt_blocks_init(tt_blocks *b, int n, const tt_h5row *row)
{
    *b = (tt_blocks){.n = n, .row = row, .first = tt_malloc(sizeof *b->first * ((size_t)n + 1))};
    b->first[0] = 0;
    for (int i = 0; i < n; i++) b->first[i + 1] = b->first[i] + count_of(&row[i]);
    size_t blocks = (size_t)b->first[n];
    b->hash = tt_malloc(sizeof *b->hash * (blocks + 1));
    b->known = tt_malloc(blocks + 1);
    memset(b->known, 0, blocks + 1);
}

void tt_blocks_fini(tt_blocks *b)
{
    free(b->first);
    free(b->hash);
    free(b->known);
}

void tt_blocks_add(tt_blocks *b, int i, int64_t lo, int64_t hi, const void *x)
{
    const tt_h5row *r = &b->row[i];
    int64_t len = tt_block_len(r), size = (int64_t)tt_dtype_size(r->type);
    for (int64_t at = (lo + len - 1) / len * len; at < hi; at += len) {
        int64_t end = r->n - at < len ? r->n : at + len, k = b->first[i] + at / len;
        if (end > hi) break;
        b->hash[k] = tt_block_hash((const char *)x + (at - lo) * size, (size_t)((end - at) * size));
        b->known[k] = 1;
    }
}

typedef struct pair {
    int64_t k;
    uint64_t hash;
} pair;

/* Collective. */
static void exchange(const tt_mesh *m, tt_blocks *b)
{
    if (tt_ck_size(m) == 1) return;
    int64_t n = 0, total = b->first[b->n];
    pair *mine = tt_malloc(sizeof *mine * ((size_t)total + 1)), *all;
    for (int64_t k = 0; k < total; k++)
        if (b->known[k] == 1) mine[n++] = (pair){k, b->hash[k]};
    size_t *off = tt_malloc(sizeof *off * ((size_t)m->size + 1));
    void *got;
    tt_allgatherv(m, mine, sizeof *mine * (size_t)n, &got, off);
    all = got;
    for (size_t j = 0; j < off[m->size] / sizeof *all; j++) {
        b->hash[all[j].k] = all[j].hash;
        b->known[all[j].k] = 2;
    }
    free(got);
    free(off);
    free(mine);
}

void tt_blocks_sum(const tt_blocks *b, int i, char hex[33])
{
    tt_bytes_hash(b->hash + b->first[i], sizeof *b->hash * (size_t)(b->first[i + 1] - b->first[i]), hex);
}

/* Reads block k, which belongs to array i, and hashes it. buf: [TT_BLOCK_BYTES] */
static tt_err hash_stored(const tt_blocks *b, int fd, const char *path, int i, int64_t k, void *buf, uint64_t *hash)
{
    const tt_h5row *r = &b->row[i];
    int64_t lo = (k - b->first[i]) * TT_BLOCK_BYTES, bytes = r->n * (int64_t)tt_dtype_size(r->type) - lo;
    if (bytes > TT_BLOCK_BYTES) bytes = TT_BLOCK_BYTES;
    TT_TRY(tt_read_at(fd, path, buf, (size_t)bytes, r->at + lo));
    *hash = tt_block_hash(buf, (size_t)bytes);
    return TT_OK;
}

/* This rank's share of the blocks that nobody has hashed. */
static tt_err take_missing(const tt_mesh *m, int fd, const char *path, tt_blocks *b)
{
    int64_t missing = 0, j = 0, lo, hi;
    for (int64_t k = 0; k < b->first[b->n]; k++) missing += !b->known[k];
    tt_share(missing, tt_ck_rank(m), tt_ck_size(m), &lo, &hi);
    void *buf = tt_malloc(TT_BLOCK_BYTES);
    tt_err e = TT_OK;
    for (int i = 0; i < b->n && e == TT_OK; i++)
        for (int64_t k = b->first[i]; k < b->first[i + 1] && e == TT_OK; k++) {
            if (b->known[k]) continue;
            bool mine = lo <= j && j < hi;
            j++;
            if (mine) e = hash_stored(b, fd, path, i, k, buf, &b->hash[k]);
            if (mine) b->known[k] = e == TT_OK;
        }
    free(buf);
    return e;
}

tt_err tt_blocks_finish(const tt_mesh *m, int fd, const char *path, tt_blocks *b)
{
    exchange(m, b);
    TT_TRY(tt_ck_agree(m, take_missing(m, fd, path, b)));
    exchange(m, b);
    return TT_OK;
}

tt_err tt_blocks_compare(const tt_mesh *m, int fd, const char *path, const tt_blocks *b)
{
    int64_t k0, k1;
    tt_share(b->first[b->n], tt_ck_rank(m), tt_ck_size(m), &k0, &k1);
    void *buf = tt_malloc(TT_BLOCK_BYTES);
    tt_err e = TT_OK;
    for (int i = 0; i < b->n && e == TT_OK; i++)
        for (int64_t k = b->first[i] > k0 ? b->first[i] : k0; k < b->first[i + 1] && k < k1 && e == TT_OK; k++) {
            uint64_t now = 0;
            e = hash_stored(b, fd, path, i, k, buf, &now);
            if (e == TT_OK && now != b->hash[k])
                e = tt_fail(TT_ERUN, "%s: %s came back from the disk changed (block %lld); check the file system", path,
                            b->row[i].path, (long long)(k - b->first[i]));
        }
    free(buf);
    return e;
}
