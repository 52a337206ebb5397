/* Adafactor (Shazeer & Stern 2018) by the rules of T5X and of transformers; hf-semantics §7. */
#include "rule.h"

#include <math.h>

enum { ROW, COL, FULL, MOM };

/* T5X leaves small matrices whole; transformers factors every matrix. */
static bool factored(const tt_job *job, const tt_par *p)
{
    if (p->ndim < 2) return false;
    int64_t rows = p->shape[p->ndim - 2], cols = p->shape[p->ndim - 1], least = job->optim.adafactor.min_dim;
    return job->optim.adafactor.rule == TT_RULE_HF || (rows >= least && cols >= least);
}

static int shape(const tt_job *job, const tt_par *p, int moment, int64_t out[4])
{
    bool f = factored(job, p);
    int n = shape_of_par(p, out);
    switch (moment) {
    case ROW: return f ? n - 1 : 0;
    case COL:
        if (f) out[n - 2] = out[n - 1];
        return f ? n - 1 : 0;
    case FULL: return f ? 0 : n;
    default: return job->optim.adafactor.beta1 > 0 ? n : 0;
    }
}

static double step_size(const tt_job *job, const rate *r)
{
    if (!job->optim.adafactor.relative_step) return r->lr;
    double t = (double)r->t, most = job->optim.adafactor.warmup_init ? 1e-6 * t : 1e-2;
    return fmin(most, 1 / sqrt(t));
}

static void update(const tt_job *job, const tt_kern *k, const rate *r, const target *t)
{
    bool hf = job->optim.adafactor.rule == TT_RULE_HF;
    double steps = (double)(r->t - (hf ? 0 : job->optim.adafactor.step_offset));
    tt_adafactor o = {.lr = (float)step_size(job, r),
                      .beta2t = 1 - pow(steps, -job->optim.adafactor.decay_rate),
                      .eps1 = (float)job->optim.adafactor.eps1,
                      .eps2 = (float)job->optim.adafactor.eps2,
                      .clip = (float)job->optim.adafactor.clip,
                      .beta1 = (float)job->optim.adafactor.beta1,
                      .wd = (float)r->decay,
                      .param_scale = job->optim.adafactor.scale_parameter,
                      .wd_by_lr = hf,
                      .factored = factored(job, t->par),
                      .gscale = (float)r->clip};
    const tt_par *p = t->par;
    int64_t cols = p->shape[p->ndim - 1], rows = p->ndim > 1 ? p->shape[p->ndim - 2] : 1;
    k->adafactor(&o, p->n / (rows * cols), rows, cols, t->w, t->g, t->moment[ROW], t->moment[COL], t->moment[FULL],
                 t->moment[MOM], t->work);
}

const rule rule_adafactor = {.whole = true, .moment = {"row", "col", "full", "mom"}, .shape = shape, .update = update};
