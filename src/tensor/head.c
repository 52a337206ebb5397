/* The loss at the head: the root of the tape. */
#include "head_part.h"

/* Rows of logits held at once. Few rows mean that dW is read and written often, many rows much memory: 64 MiB of logits, at most 1024
 * rows, evenly cut. */
static int64_t chunk_rows(int64_t R, int64_t V)
{
    int64_t most = ((int64_t)1 << 24) / V;
    if (most > 1024) most = 1024;
    if (most < 16) most = 16;
    int64_t chunks = (R + most - 1) / most;
    return chunks ? (R + chunks - 1) / chunks : 1;
}

double tt_head_loss(tt_tape *t, tt_t *h, const tt_par *W, float scale, const int32_t *y, const float *weight,
                    float smooth, float zloss, float *token, float *nll, int32_t *argmax)
{
    assert(W->ndim == 2 && W->shape[1] == h->cols && (!sliced(W) || tt_parted(t)));
    bool half = h->h != NULL;
    tt_head p = {.R = h->rows, .D = h->cols, .V = W->shape[0], .h = h->x, .hh = h->h, .scale = scale};
    half_grad dhh = {0};
    p.W = half ? NULL : W->w;
    p.Wh = half ? W->h : NULL;
    assert(p.W || p.Wh);
    p.y = y;
    p.weight = weight;
    p.smooth = smooth;
    p.zloss = zloss;
    p.chunk = chunk_rows(p.R, sliced(W) ? tt_head_widest(t, W) : p.V);
    p.token = token ? token : TT_NEW(t->a, float, p.R);
    p.nll = nll;
    p.argmax = argmax;
    if (t->record) {
        if (grad_half(h))
            p.dhh = (dhh = tt_half_begin(t, h)).to;
        else
            p.dh = tt_grad_add(t, h);
        p.dW = tt_par_grad(W);
    }
    tt_mark mark = tt_arena_mark(t->a);
    p.work = TT_NEW(t->a, float, tt_head_work(p.chunk, p.V, p.D));
    if (sliced(W)) tt_head_part(t, W, &p);
    double loss = t->k->head(&p);
    tt_arena_rewind(t->a, mark);
    tt_half_end(t, dhh);
    return loss;
}
