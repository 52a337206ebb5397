/* The parameter table: rows, slabs, blocks, initial values. */
#include "tutti/tensor.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_FLOATS = 16 }; /* 64 bytes: a cache line, an AVX-512 register */

void tt_pars_init(tt_pars *t) { *t = (tt_pars){0}; }

int tt_pars_add(tt_pars *t, const char *name, int ndim, const int64_t *shape, tt_init init, double std, bool norm)
{
    assert(ndim >= 1 && ndim <= 4 && !t->w);
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->p = tt_realloc(t->p, sizeof *t->p * (size_t)t->cap);
    }
    tt_par *p = &t->p[t->n];
    *p = (tt_par){.name = strdup(name), .ndim = ndim, .n = 1, .init = init, .std = std, .norm = norm, .trained = true};
    for (int i = 0; i < ndim; i++) {
        p->shape[i] = shape[i];
        p->n *= shape[i];
    }
    p->no_decay = norm || strstr(name, "bias");
    return t->n++;
}

static int64_t padded(int64_t n) { return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS; }

static float *slab_new(int64_t n) /* zeroed */
{
    size_t bytes = sizeof(float) * (size_t)n;
    return memset(tt_malloc_large(bytes), 0, bytes);
}

static int64_t block_count(const tt_pars *t)
{
    int64_t n = 0;
    for (int i = 0; i < t->n; i++) n += (t->p[i].n + TT_BLOCK - 1) / TT_BLOCK;
    return n;
}

/* The last block of a parameter covers its padding, so that blocks tile the slab. */
static void lay_blocks(tt_pars *t)
{
    t->nblock = block_count(t);
    t->block_buf = tt_malloc(sizeof *t->block_buf * (size_t)(t->nblock + 1));
    int64_t b = 0;
    for (int i = 0; i < t->n; i++)
        for (int64_t at = 0; at < t->p[i].n; at += TT_BLOCK) t->block_buf[b++] = t->p[i].at + at;
    t->block_buf[b] = t->size;
    t->block = t->block_buf;
}

void tt_pars_seal(tt_pars *t)
{
    assert(!t->w);
    t->size = 0;
    for (int i = 0; i < t->n; i++) {
        t->p[i].at = t->size;
        t->size += padded(t->p[i].n);
    }
    t->w = slab_new(t->size);
    for (int i = 0; i < t->n; i++) t->p[i].w = t->w + t->p[i].at;
    lay_blocks(t);
}

void tt_pars_grads(tt_pars *t)
{
    if (t->g) return;
    t->g = slab_new(t->size);
    for (int i = 0; i < t->n; i++) t->p[i].g = t->g + t->p[i].at;
}

static void draw(tt_par *p, uint64_t seed)
{
    tt_rkey key = tt_key(seed, p->name, 0, 0, 0);
    for (int64_t i = 0; i < p->n; i++)
        p->w[i] = p->init == TT_INIT_ZERO  ? 0.f
                  : p->init == TT_INIT_ONE ? 1.f
                                           : (float)(p->std * tt_rand_normal(key, (uint64_t)i));
}

void tt_pars_draw(tt_pars *t, uint64_t seed)
{
    for (int i = 0; i < t->n; i++) draw(&t->p[i], seed);
}

tt_par *tt_pars_find(const tt_pars *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->p[i].name, name)) return &t->p[i];
    return NULL;
}

int64_t tt_pars_count(const tt_pars *t, bool trained_only)
{
    int64_t n = 0;
    for (int i = 0; i < t->n; i++)
        if (t->p[i].trained || !trained_only) n += t->p[i].n;
    return n;
}

void tt_pars_fini(tt_pars *t)
{
    for (int i = 0; i < t->n; i++) free((char *)t->p[i].name);
    free(t->p);
    free(t->w);
    free(t->g);
    free(t->block_buf);
    *t = (tt_pars){0};
}
