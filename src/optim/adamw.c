/* AdamW (Loshchilov & Hutter 2019), as torch. */
#include "rule.h"

static int shape(const tt_job *job, const tt_par *p, int moment, int64_t out[4]) { return shape_of_par(p, out); }

static void update(const tt_job *job, const tt_kern *k, const rate *r, const target *t)
{
    tt_adam o = {.lr = (float)r->lr,
                 .beta1 = (float)job->optim.beta1,
                 .beta2 = (float)job->optim.beta2,
                 .eps = (float)job->optim.eps,
                 .wd = (float)r->decay,
                 .gscale = (float)r->clip,
                 .t = r->t,
                 .l2 = job->optim.l2};
    k->adam(&o, t->n, t->w, t->g, t->moment[0], t->moment[1]);
}

const rule rule_adamw = {.moment = {"m", "v"}, .shape = shape, .update = update};
