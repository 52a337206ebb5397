/* SGD with momentum, as torch. */
#include "rule.h"

static int shape(const tt_job *job, const tt_par *p, int moment, int64_t out[4])
{
    return job->optim.momentum > 0 ? shape_of_par(p, out) : 0;
}

/* g = clip g + wd w;  b = mu b + (1-damp) g (the first time b = g);  w -= lr (nesterov ? g + mu b : b) */
static void update(const tt_job *job, const tt_kern *k, const rate *r, const target *t)
{
    double mu = job->optim.momentum, fresh = r->t == 1 ? 1 : 1 - job->optim.dampening;
    float *b = t->moment[0];
    for (int64_t i = 0; i < t->n; i++) {
        double g = r->clip * t->g[i] + r->decay * t->w[i], step = g;
        if (b) {
            b[i] = (float)(mu * b[i] + fresh * g);
            step = job->optim.nesterov ? g + mu * b[i] : b[i];
        }
        t->w[i] = (float)(t->w[i] - r->lr * step);
    }
}

const rule rule_sgd = {.moment = {"momentum"}, .shape = shape, .update = update};
