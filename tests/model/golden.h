/* Golden files as padded rows, and the same as a grain. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "tutti/model.h"
#include "../tap.h"
#include <limits.h>

typedef struct padded {
    int B, S, T;
    int32_t *src, *label, *dec_in; /* [B,S], [B,T]; dec_in NULL: labels shifted */
    int *s, *t;                    /* [B] true lengths */
} padded;

__attribute__((unused)) static int32_t *ints(tt_arena *a, const tt_stfile *f, const char *name, int *rows, int *cols)
{
    const tt_sten *t = tt_st_find(f, name);
    if (!t) return NULL;
    int64_t *wide = TT_NEW(a, int64_t, t->n);
    if (tt_st_to_i64(t, wide) != TT_OK) return NULL;
    int32_t *x = TT_NEW(a, int32_t, t->n);
    for (int64_t i = 0; i < t->n; i++) x[i] = (int32_t)wide[i];
    *rows = (int)t->shape[0];
    *cols = (int)t->shape[1];
    return x;
}

__attribute__((unused)) static float *floats(tt_arena *a, const tt_stfile *f, const char *name)
{
    const tt_sten *t = tt_st_find(f, name);
    if (!t) return NULL;
    float *x = TT_NEW(a, float, t->n);
    return tt_st_to_f32(t, x) == TT_OK ? x : NULL;
}

/* Length of a row without its tail of pads. */
__attribute__((unused)) static int filled(const int32_t *x, int n, int32_t pad)
{
    while (n > 0 && x[n - 1] == pad) n--;
    return n;
}

/* Rows [from, from+n) of a batch as a grain. Targets keep their padded length: logits are compared there too. */
__attribute__((unused)) static tt_grain grain_of(tt_arena *a, const padded *p, int from, int n, int pad)
{
    tt_ex *ex = TT_ZNEW(a, tt_ex, n);
    for (int b = 0; b < n; b++)
        ex[b] = (tt_ex){.S = p->s[from + b],
                        .T = p->t[from + b],
                        .src = p->src + (from + b) * p->S,
                        .tgt = p->label + (from + b) * p->T};
    tt_grain g;
    tt_grain_make(a, n, ex, pad, &g);
    for (int b = 0; p->dec_in && b < n; b++)
        memcpy((int32_t *)g.dec_in + g.t_off[b], p->dec_in + (from + b) * p->T,
               sizeof(int32_t) * (size_t)p->t[from + b]);
    return g;
}

/* Largest difference between ragged rows and the padded rows they belong to. */
__attribute__((unused)) static double worst_rows(const float *ragged, const int32_t *off, const float *pad, int B,
                                                 int rows, int cols)
{
    double worst = 0;
    for (int b = 0; b < B; b++)
        for (int r = 0; r < off[b + 1] - off[b]; r++)
            for (int d = 0; d < cols; d++) {
                float want = pad[((int64_t)b * rows + r) * cols + d], got = ragged[(int64_t)(off[b] + r) * cols + d];
                double diff = fabs((double)want - got) / fmax(1, fabs((double)want));
                if (!(diff <= worst)) worst = diff;
            }
    return worst;
}

#endif
