/* Who owns which part of the slab. Local, the same on every rank. */
#include "tutti/optim.h"

#include <stdlib.h>
#include <string.h>

typedef struct range {
    int64_t lo, hi;
} range;

struct tt_own {
    const tt_pars *pars;
    int size;
    range *of;      /* [group][rank] */
    double *load;   /* [rank] trained elements so far */
    int64_t *fence; /* possible cuts of the group at hand */
    double *before; /* trained elements of the group before each */
    int64_t *cut;   /* [size+1] */
    int64_t extra;  /* blocks dealt out beyond an equal share so far */
};

/* The possible cuts of a group: its blocks or its rows, and its end. Returns how many. */
static int64_t fences(tt_own *o, int group, bool whole)
{
    const tt_pars *t = o->pars;
    const tt_group *g = &t->group[group];
    int64_t n = 0;
    double before = 0;
    for (int i = g->first; i < g->end; i++) {
        const tt_par *p = &t->p[i];
        int64_t end = i + 1 < t->n ? t->p[i + 1].at : t->size, step = whole ? end - p->at : TT_BLOCK;
        for (int64_t at = p->at, next; at < end; at = next) {
            next = p->n - (at - p->at) > step ? at + step : end;
            o->fence[n] = at;
            o->before[n++] = before;
            if (p->trained) before += (double)(next - at);
        }
    }
    o->fence[n] = g->at + g->n;
    o->before[n++] = before;
    return n;
}

/* An equal number of blocks each; who gets one more goes round over the groups. Returns the rank of the first cut. */
static int cut_blocks(tt_own *o, int64_t n)
{
    int64_t each = (n - 1) / o->size, more = (n - 1) % o->size, at = 0;
    int first = (int)(o->extra % o->size);
    for (int k = 0; k <= o->size; k++) {
        o->cut[k] = o->fence[at];
        if (k < o->size) at += each + (k < more);
    }
    o->extra += more;
    return first;
}

/* The fences nearest to equal shares. */
static void cut_nearest(tt_own *o, int64_t n)
{
    int64_t j = 0;
    o->cut[0] = o->fence[0];
    for (int k = 1; k < o->size; k++) {
        double want = o->before[n - 1] * k / o->size;
        while (j + 1 < n && o->before[j + 1] <= want) j++;
        bool next = j + 1 < n && o->before[j + 1] - want < want - o->before[j];
        int64_t at = o->fence[next ? j + 1 : j];
        o->cut[k] = at > o->cut[k - 1] ? at : o->cut[k - 1];
    }
    o->cut[o->size] = o->fence[n - 1];
}

static double elements_between(const tt_own *o, int64_t n, int64_t lo, int64_t hi)
{
    double sum = 0;
    for (int64_t j = 0; j + 1 < n; j++)
        if (o->fence[j] >= lo && o->fence[j] < hi) sum += o->before[j + 1] - o->before[j];
    return sum;
}

/* The first rank that makes the heaviest load least. */
static int lightest_turn(const tt_own *o, const double *part)
{
    int best = 0;
    double least = -1;
    for (int first = 0; first < o->size; first++) {
        double top = 0;
        for (int k = 0; k < o->size; k++) {
            double l = o->load[(k + first) % o->size] + part[k];
            if (part[k] > 0 && l > top) top = l;
        }
        if (least >= 0 && top >= least) continue;
        least = top;
        best = first;
    }
    return best;
}

static void deal_group(tt_own *o, int group, bool whole, double *part)
{
    int64_t n = fences(o, group, whole);
    int first = 0;
    if (whole)
        cut_nearest(o, n);
    else
        first = cut_blocks(o, n);
    for (int k = 0; k < o->size; k++) part[k] = whole ? elements_between(o, n, o->cut[k], o->cut[k + 1]) : 0;
    if (whole) first = lightest_turn(o, part);
    for (int k = 0; k < o->size; k++) {
        int r = (k + first) % o->size;
        o->of[group * o->size + r] = (range){o->cut[k], o->cut[k + 1]};
        o->load[r] += part[k];
    }
}

tt_own *tt_own_new(const tt_pars *pars, int size, bool whole)
{
    tt_own *o = tt_malloc(sizeof *o);
    size_t ranks = (size_t)size, fences_most = (size_t)(pars->nblock + pars->n + 1);
    *o = (tt_own){.pars = pars, .size = size};
    o->of = tt_malloc(sizeof *o->of * ranks * (size_t)pars->ngroup);
    o->load = tt_malloc(2 * sizeof *o->load * ranks);
    memset(o->load, 0, sizeof *o->load * ranks);
    o->fence = tt_malloc(sizeof *o->fence * fences_most);
    o->before = tt_malloc(sizeof *o->before * fences_most);
    o->cut = tt_malloc(sizeof *o->cut * (ranks + 1));
    for (int g = 0; g < pars->ngroup; g++) deal_group(o, g, whole, o->load + ranks);
    free(o->fence);
    free(o->before);
    free(o->cut);
    o->fence = o->cut = NULL;
    o->before = NULL;
    return o;
}

void tt_own_free(tt_own *o)
{
    if (!o) return;
    free(o->of);
    free(o->load);
    free(o);
}

void tt_own_range(const tt_own *o, int group, int rank, int64_t *lo, int64_t *hi)
{
    assert(rank >= 0 && rank < o->size && group >= 0 && group < o->pars->ngroup);
    *lo = o->of[group * o->size + rank].lo;
    *hi = o->of[group * o->size + rank].hi;
}

void tt_own_elements(const tt_own *o, int i, int rank, int64_t *lo, int64_t *hi)
{
    const tt_par *p = &o->pars->p[i];
    int64_t from, to;
    tt_own_range(o, p->group, rank, &from, &to);
    from -= p->at;
    to -= p->at;
    *lo = from < 0 ? 0 : from > p->n ? p->n : from;
    *hi = to > p->n ? p->n : to < *lo ? *lo : to;
}

int64_t tt_own_total(const tt_own *o, int rank)
{
    int64_t sum = 0;
    for (int g = 0; g < o->pars->ngroup; g++) sum += o->of[g * o->size + rank].hi - o->of[g * o->size + rank].lo;
    return sum;
}
