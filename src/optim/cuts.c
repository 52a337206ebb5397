/* Who owns which grains and which part of the slabs. Local, the same on every rank. */
#include "tutti/optim.h"

#include <stdlib.h>

/* Elements before each possible cut: only trained ones count, unless none is trained. */
typedef struct fence {
    int64_t at;    /* slab offset */
    double before; /* elements that cost, before it */
} fence;

static int64_t collect(const tt_pars *pars, bool whole_tensors, bool all, fence *f)
{
    int64_t n = 0, b = 0;
    double before = 0;
    for (int i = 0; i < pars->n; i++) {
        const tt_par *p = &pars->p[i];
        int64_t end = i + 1 < pars->n ? pars->p[i + 1].at : pars->size;
        for (; b < pars->nblock && pars->block[b] < end; b++) {
            if (!whole_tensors || pars->block[b] == p->at) f[n++] = (fence){pars->block[b], before};
            if (p->trained || all) before += (double)(pars->block[b + 1] - pars->block[b]);
        }
    }
    f[n++] = (fence){pars->size, before};
    return n;
}

/* The fence nearest to an equal share, never before the last cut. */
void tt_cuts(const tt_pars *pars, int size, bool whole_tensors, int64_t *cut)
{
    fence *f = tt_malloc(sizeof *f * (size_t)(pars->nblock + 1));
    int64_t n = collect(pars, whole_tensors, tt_pars_count(pars, true) == 0, f), j = 0;
    cut[0] = 0;
    for (int r = 1; r < size; r++) {
        double want = f[n - 1].before * r / size;
        while (j + 1 < n && f[j + 1].before <= want) j++;
        bool next = j + 1 < n && f[j + 1].before - want < want - f[j].before;
        cut[r] = f[next ? j + 1 : j].at;
    }
    cut[size] = pars->size;
    free(f);
}
