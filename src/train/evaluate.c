/* Evaluation in the loop: the figures of a table from what tt_eval_run finds. */
#include "table.h"

#include "tutti/eval.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Is a figure of spec and value there already? */
static bool has_figure(const figures *f, const char *spec, const char *value)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->f[i].spec, spec) && !strcmp(f->f[i].value, value)) return true;
    return false;
}

static tt_err add_spec(figures *f, const char *spec)
{
    tt_scoring *s;
    const char *const *value;
    TT_TRY(tt_scoring_parse(spec, &s));
    int n = tt_scoring_values(s, &value);
    for (int v = 0; v < n && f->n < TT_FIGURES_MOST; v++) {
        if (!tt_scoring_shown(s, v) || has_figure(f, spec, value[v])) continue;
        figure *g = &f->f[f->n++];
        *g = (figure){.lower = tt_scoring_metric(s)->better < 0};
        snprintf(g->spec, sizeof g->spec, "%s", spec);
        snprintf(g->value, sizeof g->value, "%s", value[v]);
        size_t end = strcspn(value[v], "."); /* "rouge1.f1" is shown as rouge1 */
        snprintf(g->name, sizeof g->name, "%.*s", (int)end, value[v]);
    }
    tt_scoring_free(s);
    return TT_OK;
}

static tt_err add_specs(figures *f, const char *text)
{
    char *copy = strdup(text ? text : "loss"), *rest = copy;
    tt_err e = TT_OK;
    for (char *w; e == TT_OK && (w = tt_spec_next(&rest));) e = add_spec(f, w);
    free(copy);
    return e;
}

tt_err figures_of(const tt_job *job, const tt_sets *sets, figures *out)
{
    out->n = 0;
    TT_TRY(add_specs(out, job->eval.metrics));
    for (int i = 0; sets && i < sets->n; i++) {
        const char *own = tt_set_info(sets->set[i])->metrics;
        if (own) TT_TRY(add_specs(out, own));
    }
    return TT_OK;
}

/* Loss is a mean over tokens, everything else over examples. */
static double weight_of(const json_t *set, const figure *f, int64_t n)
{
    const json_t *tokens = json_object_get(json_object_get(json_object_get(set, "scores"), f->spec), "tokens");
    return json_is_integer(tokens) ? (double)json_integer_value(tokens) : (double)n;
}

static void take_set(const json_t *set, const figures *f, tt_score *out)
{
    out->examples = json_integer_value(json_object_get(set, "examples"));
    for (int i = 0; i < f->n; i++) {
        tt_value v = tt_eval_value(set, f->f[i].spec, f->f[i].value);
        out->x[i] = v.n ? v.x : NAN;
        out->weight[i] = isnan(out->x[i]) ? 0 : weight_of(set, &f->f[i], v.n);
    }
}

tt_err tt_evaluate(const tt_mesh *m, const tt_job *job, const tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, tt_score *score)
{
    json_t *result;
    figures f;
    TT_TRY(tt_agree(m, figures_of(job, sets, &f)));
    TT_TRY(tt_eval_run(m, job, model, tok, sets, predictions, &result));
    const json_t *list = json_object_get(result, "data_sets");
    for (int i = 0; m->rank == 0 && i < sets->n; i++) take_set(json_array_get(list, (size_t)i), &f, &score[i]);
    json_decref(result);
    tt_bcast(m, score, sizeof *score * (size_t)sets->n, 0);
    return TT_OK;
}
