/* A parameter table of our own: several blocks, odd sizes, padding, a frozen row, names of both decay groups. */
#ifndef TUTTI_TESTS_SAMPLE_H
#define TUTTI_TESTS_SAMPLE_H

#include "tutti/optim.h"

#include <stdlib.h>
#include <string.h>

static inline void sample_pars(tt_pars *t)
{
    static const struct {
        const char *name;
        int ndim;
        int64_t shape[4];
        bool norm;
    } row[] = {
        {"shared.weight", 2, {701, 200}, false}, {"b0.layer_norm.weight", 1, {33}, true},
        {"b0.wi.weight", 2, {130, 131}, false},  {"b0.frozen.weight", 2, {40, 41}, false},
        {"b1.cube", 3, {3, 4, 5}, false},        {"b1.one", 1, {1}, false},
        {"b1.wo.weight", 2, {257, 256}, false},  {"b1.bias", 1, {129}, false},
    };
    tt_pars_init(t);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (i == 1 || i == 4) tt_pars_group(t);
        tt_pars_add(t, row[i].name, row[i].ndim, row[i].shape, TT_INIT_NORMAL, 0.5, row[i].norm);
    }
    tt_pars_seal(t);
    tt_pars_grads(t);
    tt_pars_find(t, "b0.frozen.weight")->trained = false;
    tt_pars_draw(t, 7);
}

/* A gradient whose magnitudes differ widely, so that any other order of summation shows. Padding stays zero. */
static inline void sample_gradient(const tt_pars *t, uint64_t grain, float *g)
{
    for (int i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->p[i].n; j++) {
            uint64_t r = tt_mix64(tt_mix64(grain * 977 + (uint64_t)i) + (uint64_t)j);
            float unit = (float)(r >> 40) / 8388608.f - 1; /* [-1, 1) */
            g[t->p[i].at + j] = unit * (float)(1 << (r & 15)) * 1e-3f;
        }
}

/* The fields of a job that a test of sums needs. */
static inline tt_job sample_job(int zero)
{
    tt_job j = {0};
    j.mesh.zero = zero;
    j.mesh.tp = 1;
    j.mesh.bucket = 1;
    return j;
}

/* Gradients of this rank's grains through the hooks, as a trainer makes them. */
static inline void sample_step(tt_zero *z, tt_pars *t, uint64_t seed)
{
    const tt_hooks *h = tt_zero_hooks(z);
    float *g = calloc((size_t)t->size, sizeof *g);
    tt_zero_begin(z);
    for (int64_t k = 0; k < tt_zero_rounds(z); k++) {
        int64_t grain = tt_zero_grain(z, k);
        tt_zero_round(z, k);
        if (grain < 0) tt_zero_idle(z);
        if (grain < 0) continue;
        sample_gradient(t, (uint64_t)grain + seed, g);
        for (int x = 0; x < t->ngroup; x++) {
            h->use(h->ctx, x, true);
            for (int i = t->group[x].first; i < t->group[x].end; i++) {
                if (!t->p[i].trained) continue;
                *t->p[i].unset = 0;
                memcpy(t->p[i].g, g + t->p[i].at, sizeof *g * (size_t)t->p[i].n);
            }
            h->done(h->ctx, x, true);
            h->poll(h->ctx);
        }
    }
    tt_zero_finish(z);
    free(g);
}

#endif
