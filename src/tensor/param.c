/* The parameter table: rows, slabs, blocks, initial values. */
#include "tutti/tensor.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_FLOATS = 16 }; /* 64 bytes: a cache line, an AVX-512 register */

void tt_pars_init(tt_pars *t) { *t = (tt_pars){0}; }

void tt_pars_group(tt_pars *t)
{
    assert(!t->block);
    t->group = tt_realloc(t->group, sizeof *t->group * (size_t)(t->ngroup + 1));
    t->group[t->ngroup++] = (tt_group){.first = t->n, .end = t->n};
}

int tt_pars_add(tt_pars *t, const char *name, int ndim, const int64_t *shape, tt_init init, double std, bool norm)
{
    assert(ndim >= 1 && ndim <= 4 && !t->block);
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->p = tt_realloc(t->p, sizeof *t->p * (size_t)t->cap);
    }
    tt_par *p = &t->p[t->n];
    if (t->ngroup == 0) tt_pars_group(t);
    *p = (tt_par){.name = strdup(name), .ndim = ndim, .n = 1, .init = init, .std = std, .norm = norm, .trained = true};
    p->axis = -1;
    p->group = t->ngroup - 1;
    t->group[p->group].end = t->n + 1;
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

static void lay_groups(tt_pars *t)
{
    for (int i = 0; i < t->ngroup; i++) {
        tt_group *g = &t->group[i];
        int64_t end = g->end < t->n ? t->p[g->end].at : t->size;
        g->at = g->first < t->n ? t->p[g->first].at : t->size;
        g->n = end - g->at;
    }
}

void tt_pars_lay(tt_pars *t)
{
    assert(!t->block);
    t->size = 0;
    for (int i = 0; i < t->n; i++) {
        t->p[i].at = t->size;
        t->size += padded(t->p[i].n);
    }
    lay_groups(t);
    lay_blocks(t);
    t->unset = tt_malloc((size_t)t->n + 1);
    memset(t->unset, 0, (size_t)t->n + 1);
    for (int i = 0; i < t->n; i++) t->p[i].unset = t->unset + i;
}

void tt_pars_alloc(tt_pars *t)
{
    if (t->w) return;
    t->w = slab_new(t->size);
    for (int i = 0; i < t->n; i++) t->p[i].w = t->w + t->p[i].at;
}

void tt_pars_seal(tt_pars *t)
{
    tt_pars_lay(t);
    tt_pars_alloc(t);
}

float *tt_pars_take(tt_pars *t)
{
    float *w = t->w;
    t->w = NULL;
    for (int i = 0; i < t->n; i++) t->p[i].w = NULL;
    return w;
}

void tt_pars_drop(tt_pars *t) { free(tt_pars_take(t)); }

void tt_pars_grads(tt_pars *t)
{
    if (t->g) return;
    t->g = slab_new(t->size);
    for (int i = 0; i < t->n; i++) t->p[i].g = t->g + t->p[i].at;
}

void tt_pars_place(tt_pars *t, int group, float *w, float *g, uint16_t *h)
{
    const tt_group *x = &t->group[group];
    for (int i = x->first; i < x->end; i++) {
        tt_par *p = &t->p[i];
        int64_t at = p->at - x->at;
        p->w = w ? w + at : NULL;
        p->g = g ? g + at : NULL;
        p->h = h ? h + at : NULL;
    }
}

void tt_pars_unset(tt_pars *t, int group, bool unset)
{
    const tt_group *x = &t->group[group];
    for (int i = x->first; i < x->end; i++) {
        const tt_par *p = &t->p[i];
        int64_t clear =
            unset || !t->unset[i] ? p->n : 0; /* the padding always: the memory may have been another group's */
        memset(p->g + clear, 0, sizeof(float) * (size_t)(padded(p->n) - clear));
        t->unset[i] = unset;
    }
}

void tt_pars_halve(tt_pars *t, int group)
{
    const tt_group *x = &t->group[group];
    if (x->first == x->end) return;
    if (!t->p[x->first].h) {
        if (!t->h) t->h = memset(tt_malloc_large(2 * (size_t)t->size), 0, 2 * (size_t)t->size);
        for (int i = 0; i < t->n; i++) t->p[i].h = t->h + t->p[i].at;
    }
    tt_bf16_from_f32(x->n, t->p[x->first].w, t->p[x->first].h);
}

void tt_par_draw(const tt_par *p, uint64_t seed, float *w)
{
    tt_rkey key = tt_key(seed, p->name, 0, 0, 0);
    for (int64_t i = 0; i < p->n; i++)
        w[i] = p->init == TT_INIT_ZERO  ? 0.f
               : p->init == TT_INIT_ONE ? 1.f
                                        : (float)(p->std * tt_rand_normal(key, (uint64_t)i));
}

void tt_pars_draw(tt_pars *t, uint64_t seed)
{
    tt_pars_alloc(t);
    for (int i = 0; i < t->n; i++) tt_par_draw(&t->p[i], seed, t->p[i].w);
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
    free(t->h);
    free(t->unset);
    free(t->group);
    free(t->block_buf);
    *t = (tt_pars){0};
}
