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

static uint64_t cell_hash(const char *name, const tt_cell *cell, uint64_t seed, tt_valuefn *value, const void *ctx)
{
    uint64_t h = XXH3_64bits_withSeed(name, strlen(name), seed);
    for (uint32_t i = 0; i < cell->n; i++) {
        const char *s = value(ctx, cell->first + i);
        h = XXH3_64bits_withSeed(s, strlen(s), h);
    }
    return h;
}

/* In [0, 1). A sum over the columns, so that their order in the templates does not count. */
static double place(const tt_spec *spec, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    const tt_templates *t = spec->templates;
    uint64_t sum = 0;
    for (int c = 0; c < t->ncol; c++)
        if (in_a_source(t, c)) sum += cell_hash(t->col[c], &cell[c], (uint64_t)spec->split->seed, value, ctx);
    return (double)(tt_mix64(sum) >> 11) * 0x1p-53;
}

/* Test takes the low end and validation the high end, so that changing one fraction leaves the other part alone. */
bool tt_split_takes(const tt_spec *spec, const tt_cell *cell, tt_valuefn *value, const void *ctx)
{
    const tt_split *s = spec->split;
    if (!s) return true;
    double u = place(spec, cell, value, ctx);
    int side = u < s->test ? TT_TAKE_TEST : u >= 1 - s->validation ? TT_TAKE_VALIDATION : TT_TAKE_TRAIN;
    return side == s->take;
}
