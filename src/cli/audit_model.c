/* The audit as one JSON document. */
#include "audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const char *s) { return s && *s ? json_string(s) : json_null(); }
static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

/* Tokens that a draw brings on average, each data set with its share. */
static double mean_tokens(const audit *u)
{
    double sum = 0;
    for (int i = 0; i < u->train->n; i++)
        sum += tt_mix_share(u->mix, i) * (u->train_len[i].source.mean + u->train_len[i].target.mean);
    return sum;
}

double audit_planned_draws(const audit *u)
{
    if (u->run) return (double)u->run->draw;
    if (u->job->train.steps <= 0) return u->job->train.epochs * (double)tt_mix_epoch(u->mix);
    double each = mean_tokens(u);
    return each > 0 ? (double)u->job->train.steps * (double)u->job->train.batch_tokens / each : 0;
}

static json_t *spread_json(const tt_spread *s)
{
    json_t *bins = json_array();
    int last = TT_LENGTH_BINS - 1;
    while (last > 0 && !s->bin[last]) last--;
    for (int b = 0; b <= last; b++) json_array_append_new(bins, json_integer(s->bin[b]));
    return json_pack("{s:f, s:i, s:i, s:i, s:o}", "mean", s->mean, "p50", s->p50, "p95", s->p95, "max", s->max, "bins",
                     bins);
}

static json_t *lengths_json(const tt_lengths *l)
{
    return json_pack("{s:I, s:I, s:o, s:o}", "measured", (json_int_t)l->rows, "cut", (json_int_t)l->cut, "source",
                     spread_json(&l->source), "target", spread_json(&l->target));
}

static json_t *info_json(const audit *u, const tt_setinfo *s, const tt_lengths *l)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", s->name, "category", s->category, "path", s->path,
                          "format", s->format, "held_out", s->held_out);
    json_object_set_new(o, "collection", text_or_null(s->collection));
    json_object_set_new(o, "dataset", text_or_null(s->dataset));
    json_object_set_new(o, "language", text_or_null(s->language));
    json_object_set_new(o, "licence", text_or_null(s->licence));
    json_object_set_new(o, "rows", json_integer(s->file_rows + s->quarantined));
    json_object_set_new(o, "usable", json_integer(s->file_rows));
    json_object_set_new(o, "taken", json_integer(s->rows));
    json_object_set_new(o, "quarantined", json_integer(s->quarantined));
    json_object_set_new(o, "declared", json_integer(s->declared));
    json_t *why = json_object_get(u->reasons, s->name);
    json_object_set(o, "reasons", why ? why : json_null());
    json_object_set_new(o, "templates", json_integer(s->ntemplate));
    json_object_set_new(o, "tokens", lengths_json(l));
    return o;
}

/* What the mixture makes of a training set. */
static void put_plan(const audit *u, json_t *o, int i, double draws)
{
    const tt_setinfo *s = tt_set_info(u->train->set[i]);
    int64_t cap = tt_mix_cap(u->mix, i);
    double share = tt_mix_share(u->mix, i), planned = share * draws;
    int part = tt_mix_part_of(u->mix, i);
    json_object_set_new(o, "part", part >= 0 ? json_string(tt_mix_part(u->mix, part)->path) : json_null());
    json_object_set_new(o, "cap", json_integer(cap));
    json_object_set_new(o, "cap_acts", json_boolean(cap > 0 && cap < s->rows));
    json_object_set_new(o, "share", json_real(share));
    json_object_set_new(o, "planned", json_real(planned));
    json_object_set_new(o, "epochs", number(planned / (double)s->rows));
}

static json_t *sets_json(const audit *u, const tt_sets *sets, const tt_lengths *len, double draws)
{
    json_t *list = json_array();
    for (int i = 0; sets && i < sets->n; i++) {
        json_t *o = info_json(u, tt_set_info(sets->set[i]), &len[i]);
        if (sets == u->train) put_plan(u, o, i, draws);
        json_array_append_new(list, o);
    }
    return list;
}

/* ---- groups of training sets: categories, collections -------------------------------------------------------------------*/

static void grow(json_t *group, const char *key, double x)
{
    json_object_set_new(group, key, json_real(json_number_value(json_object_get(group, key)) + x));
}

static double number_of(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static void add_to_group(json_t *group, const json_t *set)
{
    const json_t *tokens = json_object_get(set, "tokens");
    static const char *const sums[] = {"rows", "usable", "taken", "quarantined", "share", "planned"};
    grow(group, "sets", 1);
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) grow(group, sums[k], number_of(set, sums[k]));
    double taken = number_of(set, "taken");
    grow(group, "source_tokens", taken * number_of(json_object_get(tokens, "source"), "mean"));
    grow(group, "target_tokens", taken * number_of(json_object_get(tokens, "target"), "mean"));
    double measured = number_of(tokens, "measured");
    if (measured > 0) grow(group, "cut", taken * number_of(tokens, "cut") / measured);
    if (json_is_true(json_object_get(set, "cap_acts"))) grow(group, "capped_sets", 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
                  json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

/* One object for each value of key among the sets, in alphabetical order. */
static json_t *groups_json(const json_t *sets, const char *key)
{
    json_t *by = json_object(), *list = json_array(), *each;
    size_t i;
    json_array_foreach(sets, i, each)
    {
        const char *name = json_string_value(json_object_get(each, key));
        if (!name) name = "none";
        json_t *group = json_object_get(by, name);
        if (!group) {
            group = json_pack("{s:s}", "name", name);
            json_object_set_new(by, name, group);
        }
        add_to_group(group, each);
    }
    size_t n = json_object_size(by), k = 0;
    json_t **order = tt_malloc(sizeof *order * (n + 1));
    const char *name;
    json_object_foreach(by, name, each) order[k++] = each;
    if (n) qsort(order, n, sizeof *order, by_name);
    for (k = 0; k < n; k++) json_array_append(list, order[k]);
    free(order);
    json_decref(by);
    return list;
}

static json_t *total_json(const json_t *sets)
{
    json_t *all = json_object(), *each;
    size_t i;
    json_array_foreach(sets, i, each) add_to_group(all, each);
    return all;
}

static json_t *parts_json(const audit *u)
{
    json_t *list = json_array();
    for (int i = 0; i < tt_mix_parts(u->mix); i++) {
        const tt_mixpart *p = tt_mix_part(u->mix, i);
        json_array_append_new(list, json_pack("{s:s, s:i, s:f, s:i}", "path", p->path, "depth", p->depth, "share",
                                              p->share, "sets", p->nset));
    }
    return list;
}

static json_t *absent_json(const audit *u)
{
    const tt_sets *lists[] = {u->train, u->validation, u->test};
    static const char *const name[] = {"train", "validation", "test"};
    json_t *out = json_array();
    for (int k = 0; k < 3; k++)
        for (int i = 0; lists[k] && i < lists[k]->nabsent; i++) {
            const tt_absent *x = &lists[k]->absent[i];
            json_t *o = json_pack("{s:s, s:s, s:s, s:I}", "list", name[k], "name", x->name, "path", x->path, "declared",
                                  (json_int_t)x->declared);
            json_object_set_new(o, "category", text_or_null(x->category));
            json_object_set_new(o, "collection", text_or_null(x->collection));
            json_array_append_new(out, o);
        }
    return out;
}

/* Joins what the run tells of every set into the sets of the document. */
static void put_run(const audit *u, json_t *doc, json_t *sets)
{
    json_t *run = audit_run_json(u, u->run), *own = json_object_get(run, "sets"), *each;
    size_t i;
    json_array_foreach(own, i, each)
    {
        json_t *o = json_array_get(sets, i);
        json_object_set(o, "used", json_object_get(each, "used"));
        json_object_set(o, "times", json_object_get(each, "times"));
        json_object_set(o, "never", json_object_get(each, "never"));
    }
    json_object_del(run, "sets");
    json_object_set_new(doc, "run", run);
}

/* What the search says of every training set, the first ones of its list. */
static void put_repeats(const audit *u, json_t *sets)
{
    for (int i = 0; u->clean && i < u->train->n && i < u->clean->nset; i++) {
        const tt_clean_set *c = &u->clean->set[i];
        json_object_set_new(json_array_get(sets, (size_t)i), "repeats",
                            json_pack("{s:I, s:I, s:I, s:I, s:I}", "exact",
                                      (json_int_t)(c->exact_inside + c->exact_across), "near", (json_int_t)c->near,
                                      "conflicts", (json_int_t)c->conflicts, "contaminated",
                                      (json_int_t)c->contaminated, "dropped", (json_int_t)c->dropped));
    }
}

json_t *audit_model(const audit *u)
{
    double draws = audit_planned_draws(u);
    json_t *sets = sets_json(u, u->train, u->train_len, draws);
    json_t *doc = json_pack("{s:s, s:s, s:i}", "job", u->job->file, "tutti", TT_VERSION, "version", 1);
    if (u->run) put_run(u, doc, sets);
    put_repeats(u, sets);
    json_object_set_new(doc, "seed", json_integer(u->job->seed));
    json_object_set_new(doc, "draws", json_real(draws));
    json_object_set_new(doc, "draws_estimated", json_boolean(!u->run && u->job->train.steps > 0));
    json_object_set_new(doc, "epoch", json_integer(tt_mix_epoch(u->mix)));
    json_object_set_new(doc, "max_source", json_integer(u->job->data.max_source));
    json_object_set_new(doc, "max_target", json_integer(u->job->data.max_target));
    json_object_set_new(doc, "held_out", json_integer(u->train->held_out));
    json_object_set_new(doc, "total", total_json(sets));
    json_object_set_new(doc, "parts", parts_json(u));
    json_object_set_new(doc, "categories", groups_json(sets, "category"));
    json_object_set_new(doc, "collections", groups_json(sets, "collection"));
    json_object_set_new(doc, "train", sets);
    json_object_set_new(doc, "validation", sets_json(u, u->validation, u->validation_len, draws));
    json_object_set_new(doc, "test", sets_json(u, u->test, u->test_len, draws));
    json_object_set_new(doc, "absent", absent_json(u));
    json_object_set_new(doc, "found", audit_found(u));
    return doc;
}
