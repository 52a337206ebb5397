/* Loss: mean negative log-likelihood of a target token, in nats; what training minimises. */
#include "metric.h"

#include <math.h>

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    if (isnan(c->loglik) || c->tokens < 1)
        return tt_fail(TT_EDATA, "%s: loss needs the text's log-likelihood, a number, and its tokens",
                       c->where ? c->where : "example");
    stat[0] = -c->loglik;
    stat[1] = (double)c->tokens;
    return TT_OK;
}

static void total(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value)
{
    double nll = 0, tokens = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        nll += w * stat[2 * i];
        tokens += w * stat[2 * i + 1];
    }
    value[0] = nll / tokens;
}

static void more(const tt_scoring *s, int64_t i, json_t *out)
{
    double tokens = 0;
    for (int64_t k = i < 0 ? 0 : i; k < (i < 0 ? s->n : i + 1); k++) tokens += s->stat[2 * k + 1];
    json_object_set_new(out, "tokens", json_integer((json_int_t)tokens));
}

static const char *const values[] = {"loss", NULL};
const tt_metric_def tt_def_loss = {.values = values, .width = 2, .each = each, .total = total, .more = more};
