/* Multiple choice by log-likelihoods, as lm-evaluation-harness has it. */
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is asked of the options ------------------------------------------------------------------------------------*/

static tt_err bad_number(const tt_case *c, const char *what, int i, double x)
{
    return tt_fail(TT_EDATA, "%s: %s of option %d is %g; give natural logarithms, at most 0", tt_case_at(c), what, i,
                   x);
}

/* -inf is a likelihood of 0. */
static tt_err check_likelihoods(const tt_case *c)
{
    for (int i = 0; i < c->nopt; i++) {
        if (!(c->ll[i] < INFINITY)) return bad_number(c, "the log-likelihood", i, c->ll[i]);
        if (c->ll_alone && !(c->ll_alone[i] < INFINITY))
            return bad_number(c, "the log-likelihood without the prompt", i, c->ll_alone[i]);
    }
    return TT_OK;
}

static tt_err check_gold(const tt_case *c)
{
    if (c->ngold < 1) return tt_fail(TT_EDATA, "%s: no right option is given", tt_case_at(c));
    for (int i = 0; i < c->ngold; i++)
        if (c->gold[i] < 0 || c->gold[i] >= c->nopt)
            return tt_fail(TT_EDATA, "%s: the right option is %d, but there are %d; options count from 0",
                           tt_case_at(c), c->gold[i], c->nopt);
    return TT_OK;
}

static tt_err check_options(const tt_case *c)
{
    TT_TRY(check_likelihoods(c));
    return check_gold(c);
}

/* ---- choosing --------------------------------------------------------------------------------------------------------*/

static double bytes_of(const char *s) { return (double)strlen(s); }

static double characters_of(const char *s)
{
    int64_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return (double)n;
}

static bool is_gold(const tt_case *c, int option)
{
    for (int i = 0; i < c->ngold; i++)
        if (c->gold[i] == option) return true;
    return false;
}

static double as_it_is(const tt_case *c, int i) { return c->ll[i]; }
static double per_character(const tt_case *c, int i) { return c->ll[i] / characters_of(c->option[i]); }
static double per_byte(const tt_case *c, int i) { return c->ll[i] / bytes_of(c->option[i]); }
static double per_token(const tt_case *c, int i) { return c->ll[i] / (double)c->ntoken[i]; }
static double beyond_alone(const tt_case *c, int i) { return c->ll[i] - c->ll_alone[i]; }

/* Is the option with the highest score right? The first of equals; as numpy's argmax, an undefined score (0/0, inf - inf) is the
 * highest of all. */
static double chooses_right(const tt_case *c, double score(const tt_case *, int))
{
    int best = 0;
    double most = score(c, 0);
    for (int i = 1; i < c->nopt && !isnan(most); i++) {
        double x = score(c, i);
        if (x > most || isnan(x)) most = x, best = i;
    }
    return is_gold(c, best);
}

static bool all_have_tokens(const tt_case *c)
{
    for (int i = 0; c->ntoken && i < c->nopt; i++)
        if (c->ntoken[i] < 1) return false;
    return c->ntoken != NULL;
}

static double greedy_is_right(const tt_case *c)
{
    for (int i = 0; i < c->ngold; i++)
        if (c->is_greedy[c->gold[i]]) return 1;
    return 0;
}

/* ---- probabilities ---------------------------------------------------------------------------------------------------*/

void tt_prob_norm(int n, const double *ll, double *p)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) most = ll[i] > most ? ll[i] : most;
    for (int i = 0; i < n; i++) sum += p[i] = exp(ll[i] - most);
    for (int i = 0; i < n; i++) p[i] /= sum;
}

double tt_brier(int n, const double *p, int gold)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (p[i] - (i == gold)) * (p[i] - (i == gold));
    return sum;
}

/* The probability of the right options together, and the Brier score, which is of one right option. */
static void probabilities(const tt_case *c, double *right, double *brier)
{
    double *p = tt_malloc((size_t)c->nopt * sizeof *p), sum = 0;
    tt_prob_norm(c->nopt, c->ll, p);
    for (int i = 0; i < c->nopt; i++)
        if (is_gold(c, i)) sum += p[i];
    *right = sum;
    *brier = c->ngold == 1 ? tt_brier(c->nopt, p, c->gold[0]) : NAN;
    free(p);
}

/* ---- metrics ---------------------------------------------------------------------------------------------------------*/

static const char *const values[] = {"acc",         "acc_norm",  "acc_bytes", "acc_token", "acc_mutual_info",
                                     "exact_match", "prob_norm", "brier",     NULL};
enum { ACC, ACC_NORM, ACC_BYTES, ACC_TOKEN, ACC_MUTUAL_INFO, EXACT_MATCH, PROB_NORM, BRIER, WIDTH };

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    TT_TRY(check_options(c));
    stat[ACC] = chooses_right(c, as_it_is);
    stat[ACC_NORM] = c->option ? chooses_right(c, per_character) : NAN;
    stat[ACC_BYTES] = c->option ? chooses_right(c, per_byte) : NAN;
    stat[ACC_TOKEN] = all_have_tokens(c) ? chooses_right(c, per_token) : NAN;
    stat[ACC_MUTUAL_INFO] = c->ll_alone ? chooses_right(c, beyond_alone) : NAN;
    stat[EXACT_MATCH] = c->is_greedy ? greedy_is_right(c) : NAN;
    probabilities(c, &stat[PROB_NORM], &stat[BRIER]);
    return TT_OK;
}

static tt_err each_brier(tt_scoring *s, const tt_case *c, double *stat)
{
    double right;
    TT_TRY(check_options(c));
    if (c->ngold > 1)
        return tt_fail(TT_EDATA, "%s: %d right options; the Brier score is of one: name one, or use choice",
                       tt_case_at(c), c->ngold);
    probabilities(c, &right, stat);
    return TT_OK;
}

const tt_metric_def tt_def_choice = {.values = values, .width = WIDTH, .each = each, .sparse = true};
const tt_metric_def tt_def_brier = {.values = (const char *const[]){"brier", NULL}, .width = 1, .each = each_brier};
