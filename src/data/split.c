#include "split.h"

#include <string.h>
#include <xxhash.h>

static bool used(const tt_pattern *p, int col)
{
    for (int i = 0; i < p->n; i++)
        if (p->piece[i].col == col) return true;
    return false;
}

static bool in_a_source(const tt_templates *t, int col)
{
    for (int i = 0; i < t->n; i++)
        if (used(&t->t[i].source, col)) return true;
    return false;
}

static uint64_t cell_hash(const char *name, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    uint64_t h = XXH3_64bits(name, strlen(name));
    for (uint32_t i = 0; i < cell->n; i++) {
        const char *s = value(ctx, cell->first + i);
        h = XXH3_64bits_withSeed(s, strlen(s), h);
    }
    return h;
}

uint64_t tt_row_key(const tt_templates *t, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    uint64_t sum = 0;
    for (int c = 0; c < t->ncol; c++)
        if (in_a_source(t, c)) sum += cell_hash(t->col[c], &cell[c], value, ctx);
    return tt_mix64(sum);
}

/* Test takes the low end and validation the high end, so that changing one fraction leaves the other part alone. */
bool tt_split_takes(const tt_split *s, uint64_t key)
{
    if (!s) return true;
    double u = (double)(tt_mix64(key ^ tt_mix64((uint64_t)s->seed)) >> 11) * 0x1p-53; /* in [0, 1) */
    int side = u < s->test ? TT_TAKE_TEST : u >= 1 - s->validation ? TT_TAKE_VALIDATION : TT_TAKE_TRAIN;
    return side == s->take;
}
