/* The metrics of answers: exact match, SQuAD 1.1 and 2.0, TriviaQA, ReCoRD. */
#include "metric.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- exact match -------------------------------------------------------------------------------------------------------
 * With an option set, as lm-evaluation-harness's exact_match: no blanks are trimmed. */

static char *plain(const tt_mopts *o, const char *text)
{
    char *s = o->ignore_case ? tt_uc_lower(text) : strcpy(tt_malloc(strlen(text) + 1), text), *to = s;
    for (const char *p = s; *p; p++) {
        bool digit = *p >= '0' && *p <= '9';
        if ((o->ignore_numbers && digit) || (o->ignore_punctuation && tt_ascii_punctuation((unsigned char)*p)))
            continue;
        *to++ = *p;
    }
    *to = 0;
    return s;
}

static bool equal_plain(const tt_mopts *o, const tt_case *c)
{
    bool same = false;
    char *p = plain(o, c->prediction);
    for (int i = 0; i < c->nref && !same; i++) {
        char *r = plain(o, c->ref[i]);
        same = !strcmp(p, r);
        free(r);
    }
    free(p);
    return same;
}

static tt_err each_exact(tt_scoring *s, const tt_case *c, double *stat)
{
    const tt_mopts *o = &s->o;
    bool plainly = o->ignore_case || o->ignore_punctuation || o->ignore_numbers;
    stat[0] = plainly ? equal_plain(o, c) : tt_exact_match(c->nref, c->ref, c->prediction);
    return TT_OK;
}

/* ---- SQuAD and its kin ---------------------------------------------------------------------------------------------------*/

static tt_err each_squad(tt_scoring *s, const tt_case *c, double *stat)
{
    tt_answer x = tt_answer_best(c->nref, c->ref, c->prediction, false, 0);
    stat[0] = 100 * x.exact;
    stat[1] = 100 * x.f1;
    return TT_OK;
}

static tt_err each_trivia(tt_scoring *s, const tt_case *c, double *stat)
{
    tt_answer x = tt_answer_best(c->nref, c->ref, c->prediction, true, 0);
    stat[0] = 100 * x.exact;
    stat[1] = 100 * x.f1;
    return TT_OK;
}

static tt_err each_record(tt_scoring *s, const tt_case *c, double *stat)
{
    tt_answer x = tt_answer_best(c->nref, c->ref, c->prediction, false, 0);
    stat[0] = x.exact;
    stat[1] = x.f1;
    return TT_OK;
}

/* ---- SQuAD 2.0 -------------------------------------------------------------------------------------------------------------
 * A question without references, or with empty ones only, has no answer. Above the threshold the prediction counts as "no answer". */

/* As evaluate-v2.0.py: references of which normalisation leaves nothing are dropped, and if none is left one empty reference stands
 * for them. An empty reference beside others stays: it says that no answer is right too. */
static tt_answer best_v2(const tt_case *c)
{
    const char **kept = tt_malloc(sizeof *kept * ((size_t)c->nref + 1));
    int n = 0;
    for (int i = 0; i < c->nref; i++) {
        char *r = tt_answer_normalize(c->ref[i], false);
        if (*r || !*c->ref[i]) kept[n++] = c->ref[i];
        free(r);
    }
    if (n == 0) kept[n++] = "";
    tt_answer x = tt_answer_best(n, kept, c->prediction, false, 1);
    free(kept);
    return x;
}

static tt_err each_squad_v2(tt_scoring *s, const tt_case *c, double *stat)
{
    bool answerable = false;
    for (int i = 0; i < c->nref; i++) answerable |= *c->ref[i] != 0;
    tt_answer x = best_v2(c);
    if (c->no_answer > s->o.threshold) x.exact = x.f1 = !answerable; /* false for NaN */
    stat[0] = 100 * x.exact;
    stat[1] = 100 * x.f1;
    return TT_OK;
}

static const char *const exact_values[] = {"exact_match", NULL};
static const char *const squad_values[] = {"exact_match", "f1", NULL};
static const char *const squad_v2_values[] = {"exact", "f1", NULL};
static const char *const trivia_values[] = {"em", "f1", NULL};

const tt_metric_def tt_def_exact_match = {.values = exact_values, .width = 1, .each = each_exact};
const tt_metric_def tt_def_squad = {.values = squad_values, .main = 1, .width = 2, .each = each_squad};
const tt_metric_def tt_def_squad_v2 = {.values = squad_v2_values, .main = 1, .width = 2, .each = each_squad_v2};
const tt_metric_def tt_def_trivia_qa = {.values = trivia_values, .main = 1, .width = 2, .each = each_trivia};
const tt_metric_def tt_def_record = {.values = squad_values, .main = 1, .width = 2, .each = each_record};
