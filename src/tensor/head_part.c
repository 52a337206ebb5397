/* Softmax over a vocabulary that lies on several ranks: once a chunk they tell each other of every row the largest logit, the sum of
 * exponentials, the label's logit and the mean, and all combine them in the order of ranks, so that all have the same bits. */
#include "head_part.h"

#include "tutti/comm.h"

#include <math.h>

typedef struct meeting {
    const tt_mesh *m;
    tt_headrow *all; /* [tp, chunk] */
} meeting;

/* Ids rise with the rank: of equals the first is the lowest. Sums that are NaN stay so. */
static void combine(tt_headrow *w, const tt_headrow *x)
{
    double top = x->top > w->top ? x->top : w->top;
    w->sum = w->sum * exp(w->top - top) + x->sum * exp(x->top - top);
    if (x->top > w->top) w->best = x->best;
    w->top = top;
    w->label += x->label;
    w->mean += x->mean;
}

static void meet(void *ctx, int64_t n, tt_headrow *row)
{
    const meeting *x = ctx;
    tt_tp_gather(x->m, row, sizeof *row * (size_t)n, x->all);
    for (int64_t i = 0; i < n; i++) {
        row[i] = x->all[i];
        for (int r = 1; r < x->m->tp; r++) combine(&row[i], &x->all[r * n + i]);
    }
}

int64_t tt_head_widest(const tt_tape *t, const tt_par *W) { return (W->of + t->tp->tp - 1) / t->tp->tp; }

void tt_head_part(tt_tape *t, const tt_par *W, tt_head *p)
{
    meeting *x = TT_NEW(t->a, meeting, 1);
    *x = (meeting){.m = t->tp, .all = TT_NEW(t->a, tt_headrow, t->tp->tp * p->chunk)};
    p->v0 = W->lo;
    p->Vall = W->of;
    p->join = meet;
    p->join_ctx = x;
}
