/* A parameter table of our own: several blocks, odd sizes, padding, a frozen row, names of both decay groups. */
#ifndef TUTTI_TESTS_SAMPLE_H
#define TUTTI_TESTS_SAMPLE_H

#include "tutti/tensor.h"

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
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        tt_pars_add(t, row[i].name, row[i].ndim, row[i].shape, TT_INIT_NORMAL, 0.5, row[i].norm);
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

#endif
