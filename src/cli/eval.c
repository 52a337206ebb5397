/* tutti eval: a model on data sets. */
#include "tutti/cli.h"
#include "tutti/eval.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct session {
    const tt_mesh *m;
    const tt_job *job;
    tt_arena *a;
    const char *out; /* folder */
    tt_model *model;
    tt_tok *tok;
    tt_sets *train, *sets;
} session;

/* ---- opening ---------------------------------------------------------------------------------------------------------------*/

/* The tokenizer of the job, of the model's folder, or the one that the checkpoint was trained with. */
static const char *tokenizer_folder(const session *s)
{
    const tt_job *j = s->job;
    char *path = NULL;
    if (j->tokenizer.path) return j->tokenizer.path;
    if (tt_exists(tt_sprintf(s->a, "%s/config.json", j->model.path))) return j->model.path;
    const char *checkpoint = tt_ckpt_find(j->model.path, s->a);
    if (!checkpoint || tt_ckpt_text(checkpoint, "tokenizer_path", s->a, &path) != TT_OK) tt_fail_clear();
    return path && *path ? path : NULL;
}

static tt_err open_tokenizer(session *s)
{
    const char *dir = tokenizer_folder(s);
    if (!dir)
        return tt_fail(TT_EJOB, "%s: no tokenizer; set tokenizer.path to the folder that holds spiece.model",
                       s->job->file);
    TT_TRY(tt_tok_open(dir, &s->tok));
    int64_t V = tt_model_cfg(s->model)->V;
    if (tt_tok_size(s->tok) <= V) return TT_OK;
    return tt_fail(TT_EDATA,
                   "%s: the tokenizer has %d ids but the model's vocabulary only %lld; give the tokenizer that belongs "
                   "to the model",
                   dir, tt_tok_size(s->tok), (long long)V);
}

/* Collective. The list to score; data.train too where its rows are exemplars. */
static tt_err open_data(session *s)
{
    static const char *const what[] = {"data.test", "data.validation", "data.train"};
    const tt_job *j = s->job;
    const tt_yaml *lists[] = {j->data.test, j->data.validation, j->data.train};
    const char *quarantine = tt_sprintf(s->a, "%s/quarantine.jsonl", s->out);
    int split = j->eval.split;
    if (!lists[split])
        return tt_fail(TT_EJOB, "%s: %s is empty; list the data sets to score, or choose another list by eval.split",
                       j->file, what[split]);
    if (s->m->rank == 0) remove(quarantine);
    TT_TRY(tt_sets_read(s->m, j, lists[split], what[split], quarantine, &s->sets));
    TT_TRY(tt_agree(s->m, tt_sets_check(s->sets, s->tok)));
    if (split == TT_SPLIT_TRAIN) return TT_OK;
    TT_TRY(tt_sets_read(s->m, j, j->data.train, "data.train", NULL, &s->train));
    return tt_agree(s->m, tt_sets_exemplars(s->sets, s->train));
}

/* Collective. */
static tt_err open_all(session *s)
{
    const tt_job *j = s->job;
    s->out = j->eval.out ? j->eval.out : tt_sprintf(s->a, "%s/eval", j->run);
    tt_err e = TT_OK;
    if (!j->model.path)
        e = tt_fail(TT_EJOB, "%s: no model; set model.path to a Hugging Face folder, a checkpoint or a run's folder",
                    j->file);
    if (e == TT_OK) e = tt_kern_get() ? tt_blas_verify() : TT_EJOB;
    if (e == TT_OK && s->m->rank == 0) e = tt_mkdirs(s->out);
    TT_TRY(tt_agree(s->m, e));
    TT_TRY(tt_model_open_all(s->m, j->model.path, &s->model));
    TT_TRY(tt_agree(s->m, open_tokenizer(s)));
    return open_data(s);
}

static void say_start(const session *s)
{
    const tt_job *j = s->job;
    tt_log("tutti       %d rank%s; %s", s->m->size, s->m->size == 1 ? "" : "s", tt_blas_describe());
    tt_log("model       %s: %.1f M parameters", j->model.path,
           (double)tt_pars_count(tt_model_pars(s->model), false) * 1e-6);
    tt_log("data        %lld rows in %d data sets", (long long)s->sets->rows, s->sets->n);
    if (s->sets->quarantined)
        tt_log("            %lld rows cannot be used; %s/quarantine.jsonl lists file, line and reason",
               (long long)s->sets->quarantined, s->out);
}

/* ---- tables ----------------------------------------------------------------------------------------------------------------*/

static double number(const json_t *v) { return json_is_number(v) ? json_number_value(v) : NAN; }

static void print_value(const char *lead, const char *name, int64_t sets, int64_t n, double x, double error,
                        double by_sets)
{
    char e[32] = "", b[32] = "", k[32] = "";
    if (!isnan(error)) snprintf(e, sizeof e, "+- %.4f", error);
    if (!isnan(by_sets)) snprintf(b, sizeof b, "%.4f", by_sets);
    if (sets > 1) snprintf(k, sizeof k, "%lld", (long long)sets);
    tt_log("  %-34.34s %-28.28s %5s %8lld %10.4f %-11s %9s", lead, name, k, (long long)n, x, e, b);
}

/* What a table shows of the values of spec: f for each, with the name to print. */
typedef void each_shown(void *ctx, const char *spec, const char *value, const char *name);
static void shown_values(const char *spec, each_shown *f, void *ctx)
{
    tt_scoring *s;
    const char *const *value;
    char name[200];
    if (tt_scoring_parse(spec, &s) != TT_OK) return;
    int n = tt_scoring_values(s, &value);
    size_t only = strcspn(spec, ":");
    for (int v = 0; v < n; v++) {
        if (!tt_scoring_shown(s, v)) continue;
        bool telling = strchr(value[v], '.') || (strlen(value[v]) == only && !strncmp(value[v], spec, only));
        snprintf(name, sizeof name, "%.*s%s%s", telling ? 0 : (int)only, spec, telling ? "" : " ", value[v]);
        f(ctx, spec, value[v], name);
    }
    tt_scoring_free(s);
}

typedef struct printing {
    const char *lead;
    const json_t *o; /* a data set, or a group */
} printing;

static void print_of_group(void *ctx, const char *spec, const char *value, const char *name)
{
    printing *p = ctx;
    const json_t *g = json_object_get(json_object_get(p->o, spec), value);
    int64_t sets = json_integer_value(json_object_get(g, "data_sets"));
    if (!g) return;
    print_value(p->lead, name, sets, json_integer_value(json_object_get(g, "n")), number(json_object_get(g, "mean")),
                number(json_object_get(g, "error")), sets > 1 ? number(json_object_get(g, "mean_of_data_sets")) : NAN);
    p->lead = "";
}

static void print_group(const char *lead, const json_t *group)
{
    const char *spec;
    json_t *g;
    printing p = {lead, group};
    json_object_foreach((json_t *)group, spec, g) shown_values(spec, print_of_group, &p);
}

static void print_of_set(void *ctx, const char *spec, const char *value, const char *name)
{
    printing *p = ctx;
    tt_value v = tt_eval_value(p->o, spec, value);
    if (isnan(v.x)) return;
    print_value(p->lead, name, 1, v.n, v.x, v.error, NAN);
    p->lead = "";
}

/* Every number of a metric's object. */
typedef void each_value(void *ctx, const char *name, double x, double error);
static void walk(const char *prefix, const json_t *score, const json_t *error, each_value *f, void *ctx)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)score, key, v)
    {
        char name[128];
        const json_t *e = json_object_get(error, key);
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(v) && json_is_object(e)) walk(name, v, e, f, ctx);
        if (json_is_number(v) && e) f(ctx, name, json_number_value(v), number(e));
    }
}

typedef struct tsv {
    FILE *f;
    const char *name, *category, *spec;
    long long n;
} tsv;

static void put_value(void *ctx, const char *name, double x, double error)
{
    const tsv *t = ctx;
    fprintf(t->f, "%s\t%s\t%lld\t%s\t%s\t%.17g\t%.17g\n", t->name, t->category, t->n, t->spec, name, x, error);
}

static void write_set(FILE *f, const json_t *set)
{
    const char *spec;
    json_t *score;
    tsv t = {f, json_string_value(json_object_get(set, "name")), json_string_value(json_object_get(set, "category")),
             NULL, 0};
    json_object_foreach(json_object_get(set, "scores"), spec, score)
    {
        t.spec = spec;
        t.n = json_integer_value(json_object_get(json_object_get(set, "n"), spec));
        walk("", score, json_object_get(json_object_get(set, "errors"), spec), put_value, &t);
    }
}

static tt_err cannot_write(const char *path)
{
    return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
}

static tt_err write_tsv(const session *s, const json_t *sets)
{
    const char *path = tt_sprintf(s->a, "%s/scores.tsv", s->out);
    FILE *f = fopen(path, "w");
    if (!f) return cannot_write(path);
    fprintf(f, "data set\tcategory\texamples\tmetric\tvalue\tscore\tstandard error\n");
    size_t i;
    const json_t *set;
    json_array_foreach(sets, i, set) write_set(f, set);
    return fclose(f) == 0 ? TT_OK : cannot_write(path);
}

static tt_err write_json(const session *s, json_t *result)
{
    const char *path = tt_sprintf(s->a, "%s/scores.json", s->out);
    json_object_set_new(result, "model", json_string(s->job->model.path));
    json_object_set_new(result, "ranks", json_integer(s->m->size));
    json_object_set_new(result, "seed", json_integer(s->job->seed));
    return json_dump_file(result, path, JSON_INDENT(1)) == 0 ? TT_OK : cannot_write(path);
}

enum { SCREEN = 60 }; /* more lines than this are for the files alone */

static void print_sets(const json_t *sets)
{
    size_t i;
    const json_t *set;
    json_array_foreach(sets, i, set)
    {
        printing p = {json_string_value(json_object_get(set, "name")), set};
        const char *spec;
        json_t *score;
        json_object_foreach(json_object_get(set, "scores"), spec, score) shown_values(spec, print_of_set, &p);
    }
}

static void print_categories(json_t *categories)
{
    const char *name;
    json_t *g;
    tt_log("by category");
    json_object_foreach(categories, name, g) print_group(*name ? name : "(no category)", g);
}

static void print_tables(const json_t *result)
{
    const json_t *sets = json_object_get(result, "data_sets");
    json_t *categories = json_object_get(result, "categories");
    size_t n = json_array_size(sets), k = json_object_size(categories);
    tt_log("  %-34s %-28s %5s %8s %10s %-11s %9s", "data set", "metric", "sets", "examples", "score", "error",
           "by sets");
    if (n <= SCREEN) print_sets(sets);
    if (k > 1 && k < n && k <= SCREEN) print_categories(categories);
    if (n > 1) print_group("all", json_object_get(result, "all"));
}

static tt_err report(const session *s, json_t *result)
{
    TT_TRY(write_json(s, result));
    TT_TRY(write_tsv(s, json_object_get(result, "data_sets")));
    print_tables(result);
    tt_log("every value: %s/scores.tsv and scores.json; answers: %s/predictions.jsonl", s->out, s->out);
    return TT_OK;
}

/* ---- the verb ----------------------------------------------------------------------------------------------------------------*/

static tt_err evaluate(session *s)
{
    json_t *result = NULL;
    double t0 = tt_now();
    TT_TRY(open_all(s));
    say_start(s);
    TT_TRY(tt_agree(s->m,
                    s->m->rank == 0 ? tt_job_write(s->job, tt_sprintf(s->a, "%s/job.resolved.yaml", s->out)) : TT_OK));
    TT_TRY(tt_eval_run(s->m, s->job, s->model, s->tok, s->sets, tt_sprintf(s->a, "%s/predictions.jsonl", s->out),
                       &result));
    tt_err e = s->m->rank == 0 ? report(s, result) : TT_OK;
    json_decref(result);
    TT_TRY(tt_agree(s->m, e));
    tt_log("done in %.1f s", tt_now() - t0);
    return TT_OK;
}

tt_err tt_verb_eval(const tt_mesh *m, const tt_args *args)
{
    if (args->n > 1)
        return tt_fail(TT_EJOB, "eval takes one job file, %d were given; settings are written key=value", args->n);
    session s = {.m = m, .a = tt_arena_new(1 << 16)};
    tt_job *job = NULL;
    tt_err e = tt_agree(m, tt_job_read(s.a, args->n ? args->pos[0] : NULL, args->nset, args->set, &job));
    s.job = job;
    if (e == TT_OK) tt_watch_start(m, (int)job->mesh.watchdog);
    if (e == TT_OK) e = evaluate(&s);
    tt_watch_stop();
    if (s.sets) tt_sets_free(s.sets);
    if (s.train) tt_sets_free(s.train);
    tt_model_free(s.model);
    tt_tok_close(s.tok);
    tt_arena_free(s.a);
    return e;
}
