/* Predictions and scores on rank 0. */
#include "harness.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct line { /* an example's object */
    int64_t at;
    const char *text;
    size_t size;
} line;

static int by_place(const void *a, const void *b)
{
    const line *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* The objects of all ranks in the order of the examples; heap. */
static line *order_lines(const char *all, size_t size, int64_t total)
{
    line *l = tt_malloc(sizeof *l * (size_t)(total + 1));
    int64_t n = 0;
    for (size_t i = 0; i < size;) {
        int64_t head[2];
        memcpy(head, all + i, sizeof head);
        assert(n < total);
        l[n++] = (line){head[0], all + i + sizeof head, (size_t)head[1]};
        i += sizeof head + (size_t)head[1];
    }
    assert(n == total); /* every example once */
    qsort(l, (size_t)n, sizeof *l, by_place);
    return l;
}

static tt_err write_lines(const char *path, const line *l, int64_t n)
{
    FILE *f = fopen(path, "w");
    for (int64_t i = 0; f && i < n; i++) {
        fwrite(l[i].text, 1, l[i].size, f);
        fputc('\n', f);
    }
    bool bad = !f || ferror(f);
    if (f && fclose(f) != 0) bad = true;
    if (!bad) return TT_OK;
    return tt_fail(TT_ERUN, "%s: the predictions cannot be written: %s; is the disk full?", path, strerror(errno));
}

/* ---- one data set ---------------------------------------------------------------------------------------------------------*/

typedef struct setscore {
    tt_scoring *s[TT_METRICS_MOST];
} setscore;

static tt_err score_line(const harness *h, const tt_fields *f, int set, const line *l, setscore *x)
{
    const setplan *p = &h->plan[set];
    char where[300];
    tt_case c;
    json_t *o = json_loadb(l->text, l->size, 0, NULL);
    bool answered = l->at - h->first[set] < p->answered;
    tt_err e = TT_OK;
    snprintf(where, sizeof where, "%.200s, line %lld", tt_set_info(h->sets->set[set])->name,
             (long long)json_integer_value(json_object_get(o, "line")));
    tt_arena_reset(h->block);
    e = tt_case_read(f, TT_NEED_ALL, h->block, where, o, &c);
    for (int k = 0; k < p->nspec && e == TT_OK; k++) {
        bool needs = tt_scoring_metric(x->s[k])->needs & TT_NEED_PREDICTION;
        if (!needs || answered) e = tt_scoring_add(x->s[k], &c);
    }
    json_decref(o);
    return e;
}

static json_t *set_json(const harness *h, int set)
{
    const tt_setinfo *i = tt_set_info(h->sets->set[set]);
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:o}", "name", i->name, "category", i->category ? i->category : "",
                     "examples", (json_int_t)h->plan[set].examples, "answers",
                     h->plan[set].rank ? "ranked" : "generated", "scores", json_object(), "errors", json_object(), "n",
                     json_object());
}

/* Scores and errors of one metric under its name as the job has it. */
static tt_err put_scores(const tt_scoring *s, const char *spec, json_t *o)
{
    json_t *score, *error;
    if (tt_scoring_count(s) == 0) return TT_OK; /* eval.generate leaves none, or a set without rows */
    TT_TRY(tt_scoring_object(s, -1, &score));
    json_object_set_new(json_object_get(o, "scores"), spec, score);
    TT_TRY(tt_scoring_errors_object(s, &error));
    json_object_set_new(json_object_get(o, "errors"), spec, error);
    json_object_set_new(json_object_get(o, "n"), spec, json_integer(tt_scoring_count(s)));
    return TT_OK;
}

static tt_err score_set(const harness *h, const tt_fields *f, int set, const line *l, json_t *out)
{
    const setplan *p = &h->plan[set];
    setscore x = {{NULL}};
    tt_err e = TT_OK;
    for (int k = 0; k < p->nspec && e == TT_OK; k++) {
        e = tt_scoring_parse(p->spec[k], &x.s[k]);
        if (e == TT_OK) tt_scoring_resamples(x.s[k], h->job->eval.bootstrap);
    }
    for (int64_t i = 0; i < p->examples && e == TT_OK; i++) e = score_line(h, f, set, &l[h->first[set] + i], &x);
    json_t *o = set_json(h, set);
    for (int k = 0; k < p->nspec && e == TT_OK; k++) e = put_scores(x.s[k], p->spec[k], o);
    for (int k = 0; k < p->nspec; k++) tt_scoring_free(x.s[k]);
    json_array_append_new(out, o);
    tt_watch_kick("scores");
    return e;
}

static tt_err score_all(const harness *h, const line *l, json_t *out)
{
    tt_fields f = {0}; /* keys without a default are not touched */
    TT_TRY(tt_keys_bind(h->a, NULL, tt_field_keys, &f, ""));
    for (int i = 0; i < h->sets->n; i++) TT_TRY(score_set(h, &f, i, l, out));
    return TT_OK;
}

/* ---- groups of data sets ------------------------------------------------------------------------------------------------------*/

/* "rouge1.f1" in {"rouge1": {"f1": ...}}; NaN: it is not there or no number. */
static double number_at(const json_t *o, const char *name)
{
    char key[64];
    const char *dot = strchr(name, '.');
    if (!dot) {
        const json_t *v = json_object_get(o, name);
        return json_is_number(v) ? json_number_value(v) : NAN;
    }
    snprintf(key, sizeof key, "%.*s", (int)(dot - name), name);
    return number_at(json_object_get(o, key), dot + 1);
}

tt_value tt_eval_value(const json_t *set, const char *spec, const char *name)
{
    return (tt_value){number_at(json_object_get(json_object_get(set, "scores"), spec), name),
                      number_at(json_object_get(json_object_get(set, "errors"), spec), name),
                      json_integer_value(json_object_get(json_object_get(set, "n"), spec))};
}

/* Means over the data sets of category (NULL: all) of one value: weighted by examples, with the pooled error; and over data sets alike. */
static json_t *group_value(const json_t *sets, const char *category, const char *spec, const char *name)
{
    size_t i, n = json_array_size(sets);
    double *x = tt_malloc(3 * sizeof *x * (n + 1)), *error = x + n, *size = error + n, total = 0;
    int k = 0, undefined = 0;
    const json_t *set;
    json_array_foreach(sets, i, set)
    {
        const char *own = json_string_value(json_object_get(set, "category"));
        if (category && strcmp(own, category)) continue;
        tt_value v = tt_eval_value(set, spec, name);
        undefined += v.n > 0 && isnan(v.x);
        if (v.n == 0 || isnan(v.x)) continue;
        x[k] = v.x;
        error[k] = v.error;
        size[k] = (double)v.n;
        total += size[k++];
    }
    json_t *o = k || undefined ? json_pack("{s:i, s:I}", "data_sets", k, "n", (json_int_t)total) : NULL;
    if (o) {
        json_object_set_new(o, "mean", tt_json_number(k ? tt_group_mean(k, x, size) : NAN));
        json_object_set_new(o, "error", tt_json_number(k ? tt_pooled_error(k, error, size) : NAN));
        json_object_set_new(o, "mean_of_data_sets", tt_json_number(k ? tt_group_mean(k, x, NULL) : NAN));
        json_object_set_new(o, "undefined", json_integer(undefined));
    }
    free(x);
    return o;
}

static void list_values(json_t *specs, const char *spec)
{
    tt_scoring *s;
    const char *const *name;
    json_t *list = json_array();
    if (!json_object_get(specs, spec) && tt_scoring_parse(spec, &s) == TT_OK) {
        int n = tt_scoring_values(s, &name);
        for (int i = 0; i < n; i++) json_array_append_new(list, json_string(name[i]));
        json_object_set(specs, spec, list);
        tt_scoring_free(s);
    }
    json_decref(list);
}

/* The metrics that occur in any set, in the order of the first, each with the names of its values. */
static json_t *all_specs(const json_t *sets)
{
    json_t *out = json_object(), *set, *v;
    size_t i;
    const char *spec;
    json_array_foreach(sets, i, set)
    {
        json_object_foreach(json_object_get(set, "scores"), spec, v) list_values(out, spec);
    }
    return out;
}

static json_t *group_metric(const json_t *sets, const char *category, const char *spec, const json_t *names)
{
    json_t *o = json_object(), *name;
    size_t i;
    json_array_foreach(names, i, name)
    {
        json_t *g = group_value(sets, category, spec, json_string_value(name));
        if (g) json_object_set_new(o, json_string_value(name), g);
    }
    return o;
}

static json_t *group_json(const json_t *sets, const char *category, json_t *specs)
{
    json_t *o = json_object(), *names;
    const char *spec;
    json_object_foreach(specs, spec, names)
    {
        json_t *g = group_metric(sets, category, spec, names);
        if (json_object_size(g)) json_object_set(o, spec, g);
        json_decref(g);
    }
    return o;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static json_t *categories_json(const harness *h, const json_t *sets, json_t *specs)
{
    json_t *out = json_object();
    const char **name = tt_malloc(sizeof *name * (size_t)(h->sets->n + 1));
    for (int i = 0; i < h->sets->n; i++) {
        const char *c = tt_set_info(h->sets->set[i])->category;
        name[i] = c ? c : "";
    }
    qsort(name, (size_t)h->sets->n, sizeof *name, by_text);
    for (int i = 0; i < h->sets->n; i++)
        if (i == 0 || strcmp(name[i - 1], name[i])) json_object_set_new(out, name[i], group_json(sets, name[i], specs));
    free(name);
    return out;
}

static json_t *groups(const harness *h, json_t *sets)
{
    json_t *specs = all_specs(sets), *o = json_object();
    json_object_set_new(o, "all", group_json(sets, NULL, specs));
    json_object_set_new(o, "categories", categories_json(h, sets, specs));
    json_object_set_new(o, "data_sets", sets);
    json_decref(specs);
    return o;
}

/* ---- together ---------------------------------------------------------------------------------------------------------------------*/

static tt_err on_rank0(harness *h, const char *all, size_t size, const char *predictions, json_t **result)
{
    int64_t n = h->first[h->sets->n];
    line *l = order_lines(all, size, n);
    json_t *sets = json_array();
    tt_err e = predictions ? write_lines(predictions, l, n) : TT_OK;
    if (e == TT_OK) e = score_all(h, l, sets);
    if (e == TT_OK)
        *result = groups(h, sets);
    else
        json_decref(sets);
    free(l);
    return e;
}

tt_err harness_results(harness *h, const char *predictions, json_t **result)
{
    void *all = NULL;
    size_t *off = TT_NEW(h->a, size_t, h->m->size + 1);
    tt_gatherv(h->m, h->out, h->out_n, &all, off, 0);
    tt_err e = h->m->rank == 0 ? on_rank0(h, all, off[h->m->size], predictions, result) : TT_OK;
    free(all);
    return tt_agree(h->m, e);
}
