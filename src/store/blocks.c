/* Blocks of checkpoint arrays: hashing, exchanging hashes, reading back by shares. */
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

void tt_blocks_init(tt_blocks *b, int n, const tt_ckrow *row)
{
    *b = (tt_blocks){.n = n, .row = row, .first = tt_malloc(sizeof *b->first * ((size_t)n + 1))};
    b->first[0] = 0;
    for (int i = 0; i < n; i++) b->first[i + 1] = b->first[i] + (row[i].n + TT_BLOCK - 1) / TT_BLOCK;
    size_t blocks = (size_t)b->first[n];
    b->hash = tt_malloc(sizeof *b->hash * (blocks + 1));
    b->times = tt_malloc(blocks + 1);
    memset(b->times, 0, blocks + 1);
}

void tt_blocks_fini(tt_blocks *b)
{
    free(b->first);
    free(b->hash);
    free(b->times);
}

static int64_t block_end(const tt_blocks *b, int i, int64_t lo)
{
    return b->row[i].n - lo < TT_BLOCK ? b->row[i].n : lo + TT_BLOCK;
}

void tt_blocks_add(tt_blocks *b, int i, int64_t lo, int64_t hi, const float *x)
{
    for (int64_t at = (lo + TT_BLOCK - 1) / TT_BLOCK * TT_BLOCK; at < hi; at += TT_BLOCK) {
        int64_t end = block_end(b, i, at), k = b->first[i] + at / TT_BLOCK;
        if (end > hi) break;
        b->hash[k] = tt_block_hash(x + (at - lo), end - at);
        b->times[k] = 1;
    }
}

typedef struct pair {
    int64_t k;
    uint64_t hash;
} pair;

void tt_blocks_exchange(const tt_mesh *m, tt_blocks *b)
{
    if (tt_ck_size(m) == 1) return;
    int64_t n = 0, total = b->first[b->n];
    pair *mine = tt_malloc(sizeof *mine * ((size_t)total + 1)), *all;
    for (int64_t k = 0; k < total; k++)
        if (b->times[k]) mine[n++] = (pair){k, b->hash[k]};
    size_t *off = tt_malloc(sizeof *off * ((size_t)m->size + 1));
    void *got;
    tt_allgatherv(m, mine, sizeof *mine * (size_t)n, &got, off);
    all = got;
    memset(b->times, 0, (size_t)total);
    for (size_t j = 0; j < off[m->size] / sizeof *all; j++) {
        b->hash[all[j].k] = all[j].hash;
        b->times[all[j].k] += b->times[all[j].k] < 2;
    }
    free(got);
    free(off);
    free(mine);
}

void tt_blocks_sum(const tt_blocks *b, int i, char hex[33])
{
    tt_bytes_hash(b->hash + b->first[i], sizeof *b->hash * (size_t)(b->first[i + 1] - b->first[i]), hex);
}

tt_err tt_blocks_each(const tt_mesh *m, int fd, const char *path, tt_blocks *b, bool missing, tt_block_use *use)
{
    int64_t total = b->first[b->n], rank = tt_ck_rank(m), size = tt_ck_size(m);
    int64_t k0 = total * rank / size, k1 = total * (rank + 1) / size;
    float *x = tt_malloc(TT_BLOCK * sizeof *x);
    tt_err e = TT_OK;
    for (int i = 0; i < b->n && e == TT_OK; i++) {
        int64_t from = b->first[i] > k0 ? b->first[i] : k0, to = b->first[i + 1] < k1 ? b->first[i + 1] : k1;
        for (int64_t k = from; k < to && e == TT_OK; k++) {
            if (missing && b->times[k]) continue;
            int64_t lo = (k - b->first[i]) * TT_BLOCK, hi = block_end(b, i, lo);
            e = tt_read_at(fd, path, x, sizeof *x * (size_t)(hi - lo), b->row[i].at + lo * 4);
            if (e == TT_OK) e = use(b, k, i, lo, hi, x);
        }
    }
    free(x);
    return e;
}

tt_err tt_block_take(tt_blocks *b, int64_t k, int i, int64_t lo, int64_t hi, const float *x)
{
    b->hash[k] = tt_block_hash(x, hi - lo);
    b->times[k] = 1;
    return TT_OK;
}

tt_err tt_block_compare(tt_blocks *b, int64_t k, int i, int64_t lo, int64_t hi, const float *x)
{
    if (b->hash[k] == tt_block_hash(x, hi - lo)) return TT_OK;
    return tt_fail(TT_ERUN, "%s: elements %lld..%lld came back from the disk changed; check the file system",
                   b->row[i].path, (long long)lo, (long long)hi);
}
