#include "pick.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 8, BLOCK = 64 * WORDS }; /* rows under one count */

struct tt_pick {
    int64_t n, nblock;
    uint64_t *bit;
    int64_t *before; /* [nblock+1]: rows taken in the blocks before */
};

tt_pick *tt_pick_new(int64_t rows)
{
    tt_pick *p = tt_malloc(sizeof *p);
    *p = (tt_pick){.n = rows, .nblock = (rows + BLOCK - 1) / BLOCK};
    size_t bytes = sizeof *p->bit * WORDS * (size_t)(p->nblock + 1);
    p->bit = tt_malloc(bytes);
    memset(p->bit, 0, bytes);
    p->before = tt_malloc(sizeof *p->before * (size_t)(p->nblock + 1));
    for (int64_t i = 0; i < rows / 64; i++) p->bit[i] = UINT64_MAX;
    if (rows % 64) p->bit[rows / 64] = ((uint64_t)1 << rows % 64) - 1;
    tt_pick_count(p);
    return p;
}

void tt_pick_free(tt_pick *p)
{
    if (!p) return;
    free(p->bit);
    free(p->before);
    free(p);
}

void tt_pick_drop(tt_pick *p, int64_t row) { p->bit[row / 64] &= ~((uint64_t)1 << row % 64); }

bool tt_pick_has(const tt_pick *p, int64_t row) { return p->bit[row / 64] >> row % 64 & 1; }

void tt_pick_count(tt_pick *p)
{
    int64_t sum = 0;
    for (int64_t b = 0; b < p->nblock; b++) {
        p->before[b] = sum;
        for (int w = 0; w < WORDS; w++) sum += __builtin_popcountll(p->bit[b * WORDS + w]);
    }
    p->before[p->nblock] = sum;
}

int64_t tt_pick_rows(const tt_pick *p) { return p->before[p->nblock]; }

/* The place of the k-th set bit of w. */
static int nth_bit(uint64_t w, int64_t k)
{
    for (; k > 0; k--) w &= w - 1;
    return __builtin_ctzll(w);
}

int64_t tt_pick_at(const tt_pick *p, int64_t k)
{
    assert(k >= 0 && k < tt_pick_rows(p));
    int64_t lo = 0, hi = p->nblock;
    while (lo + 1 < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        *(p->before[mid] <= k ? &lo : &hi) = mid;
    }
    k -= p->before[lo];
    for (int64_t w = lo * WORDS;; w++) {
        int here = __builtin_popcountll(p->bit[w]);
        if (k < here) return w * 64 + nth_bit(p->bit[w], k);
        k -= here;
    }
}
