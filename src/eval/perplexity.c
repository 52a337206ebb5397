/* Perplexities as lm-evaluation-harness has them, and one per token. */
#include "numbers.h"

#include <math.h>

enum { LOGLIK, TOKENS, WORDS, BYTES, WIDTH };

/* 0 says that the count is not known: then so are the values that divide by it. */
static double count(int64_t n) { return n > 0 ? (double)n : NAN; }

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    if (!(c->loglik < INFINITY))
        return tt_fail(TT_EDATA, "%s: the log-likelihood is %g; give the sum over the text's tokens, at most 0",
                       tt_case_at(c), c->loglik);
    stat[LOGLIK] = c->loglik;
    stat[TOKENS] = count(c->tokens);
    stat[WORDS] = count(c->words);
    stat[BYTES] = count(c->bytes);
    return TT_OK;
}

static void total(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value)
{
    double sum[WIDTH] = {0}, mass = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        if (w == 0) continue;
        mass += w;
        for (int k = 0; k < WIDTH; k++) sum[k] += w * stat[WIDTH * i + k];
    }
    value[0] = exp(-(sum[LOGLIK] / mass));
    value[1] = exp(-(sum[LOGLIK] / sum[WORDS]));
    value[2] = exp(-(sum[LOGLIK] / sum[BYTES]));
    value[3] = -(sum[LOGLIK] / sum[BYTES]) / log(2);
    value[4] = exp(-(sum[LOGLIK] / sum[TOKENS]));
}

static const char *const values[] = {"perplexity",    "word_perplexity",  "byte_perplexity",
                                     "bits_per_byte", "token_perplexity", NULL};
const tt_metric_def tt_def_perplexity = {
    .values = values, .width = WIDTH, .each = each, .total = total, .sparse = true};
