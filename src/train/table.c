/* Tables of evaluation results: one line per evaluation, and before against after at the end of a run. */
#include "table.h"
#include "run.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double per(double sum, int64_t n, double unit) { return n > 0 ? unit * sum / (double)n : NAN; }
static double get_loss(const tt_score *s) { return per(s->nll, s->tokens, 1); }
static double get_exact(const tt_score *s) { return per((double)s->exact, s->generated, 100); }
static double get_rouge1(const tt_score *s) { return per(s->rouge1, s->generated, 100); }
static double get_rouge2(const tt_score *s) { return per(s->rouge2, s->generated, 100); }
static double get_rougeL(const tt_score *s) { return per(s->rougeL, s->generated, 100); }

const figure table_figures[] = {
    {"loss", get_loss},     {"exact", get_exact},   {"rouge1", get_rouge1},
    {"rouge2", get_rouge2}, {"rougeL", get_rougeL}, {0},
};

bool table_wanted(const char *metrics, const figure *f)
{
    const char *m = metrics ? metrics : "loss";
    if (!strcmp(f->name, "loss")) return strstr(m, "loss");
    return strstr(m, f->name[0] == 'e' ? "exact_match" : "rouge");
}

void table_add(tt_score *a, const tt_score *b)
{
    a->examples += b->examples;
    a->tokens += b->tokens;
    a->nll += b->nll;
    a->generated += b->generated;
    a->exact += b->exact;
    a->rouge1 += b->rouge1;
    a->rouge2 += b->rouge2;
    a->rougeL += b->rougeL;
}

tt_score table_total(const tt_sets *sets, const tt_score *score)
{
    tt_score all = {0};
    for (int i = 0; i < sets->n; i++) table_add(&all, &score[i]);
    return all;
}

void table_line(const tt_job *job, const char *split, int64_t step, const tt_sets *sets, const tt_score *score,
                double seconds)
{
    tt_score all = table_total(sets, score);
    char text[512];
    size_t n = 0;
    for (const figure *f = table_figures; f->name; f++)
        if (table_wanted(job->eval.metrics, f) && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, f == table_figures ? "  %s %.4f" : "  %s %.1f", f->name,
                                  f->get(&all));
    tt_log("%9lld %s:%.*s  (%lld examples of %d data sets, %.1f s)", (long long)step, split, (int)n, text,
           (long long)all.examples, sets->n, seconds);
}

/* ---- metrics.jsonl: written here, read back at the end for the table_figures before the first step ---------------------------- */

static json_t *score_json(const tt_score *s)
{
    return json_pack("{s:I, s:I, s:f, s:I, s:I, s:f, s:f, s:f}", "examples", (json_int_t)s->examples, "tokens",
                     (json_int_t)s->tokens, "nll", s->nll, "generated", (json_int_t)s->generated, "exact",
                     (json_int_t)s->exact, "rouge1", s->rouge1, "rouge2", s->rouge2, "rougeL", s->rougeL);
}

static tt_score json_score(const json_t *o)
{
    return (tt_score){
        json_integer_value(json_object_get(o, "examples")), json_integer_value(json_object_get(o, "tokens")),
        json_number_value(json_object_get(o, "nll")),       json_integer_value(json_object_get(o, "generated")),
        json_integer_value(json_object_get(o, "exact")),    json_number_value(json_object_get(o, "rouge1")),
        json_number_value(json_object_get(o, "rouge2")),    json_number_value(json_object_get(o, "rougeL"))};
}

void report_eval(run *r, const char *split, const tt_sets *sets, const tt_score *score)
{
    if (!r->metrics) return;
    tt_score all = table_total(sets, score);
    json_t *tasks = json_array(); /* by position: two data sets may carry one name */
    for (int i = 0; i < sets->n; i++) {
        json_t *o = score_json(&score[i]);
        json_object_set_new(o, "task", json_string(tt_set_info(sets->set[i])->name));
        json_array_append_new(tasks, o);
    }
    json_t *o = json_pack("{s:s, s:I, s:s, s:o, s:o}", "event", "eval", "step", (json_int_t)r->step, "split", split,
                          "all", score_json(&all), "tasks", tasks);
    json_dumpf(o, r->metrics, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', r->metrics);
    fflush(r->metrics);
    json_decref(o);
}

/* The evaluation of split at step 0 in metrics.jsonl, or NULL. Caller frees. */
static tt_score *read_before(const char *path, const char *split, int n)
{
    FILE *f = fopen(path, "r");
    char *lineptr = NULL;
    size_t cap = 0;
    tt_score *out = NULL;
    while (f && getline(&lineptr, &cap, f) > 0) {
        json_t *o = strstr(lineptr, "\"eval\"") ? json_loads(lineptr, 0, NULL) : NULL;
        const char *s = json_string_value(json_object_get(o, "split"));
        const json_t *tasks = json_object_get(o, "tasks");
        if (s && !strcmp(s, split) && json_integer_value(json_object_get(o, "step")) == 0 &&
            (int)json_array_size(tasks) == n) {
            free(out);
            out = tt_malloc(sizeof *out * (size_t)(n + 1));
            for (int i = 0; i < n; i++) out[i] = json_score(json_array_get(tasks, (size_t)i));
        }
        json_decref(o);
    }
    free(lineptr);
    if (f) fclose(f);
    return out;
}

/* ---- before and after -------------------------------------------------------------------------------------------------- */

void table_tsv_header(FILE *f, const tt_job *job, const char *lead, bool before)
{
    fprintf(f, "%s\texamples", lead);
    for (const figure *g = table_figures; g->name; g++)
        if (table_wanted(job->eval.metrics, g)) fprintf(f, before ? "\t%s before\t%s after" : "\t%s", g->name, g->name);
    fputc('\n', f);
}

void table_tsv_row(FILE *f, const tt_job *job, const char *lead, const tt_score *before, const tt_score *after)
{
    fprintf(f, "%s\t%lld", lead, (long long)after->examples);
    for (const figure *g = table_figures; g->name; g++) {
        if (!table_wanted(job->eval.metrics, g)) continue;
        if (before) fprintf(f, "\t%.6g", g->get(before));
        fprintf(f, "\t%.6g", g->get(after));
    }
    fputc('\n', f);
}

static tt_err write_tsv(const tt_job *job, const char *path, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    FILE *f = fopen(path, "w");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    table_tsv_header(f, job, "task\tcategory", b != NULL);
    for (int i = 0; i < sets->n; i++) {
        const tt_setinfo *s = tt_set_info(sets->set[i]);
        char lead[512];
        snprintf(lead, sizeof lead, "%s\t%s", s->name, s->category);
        table_tsv_row(f, job, lead, b ? &b[i] : NULL, &a[i]);
    }
    tt_score tb = b ? table_total(sets, b) : (tt_score){0}, ta = table_total(sets, a);
    table_tsv_row(f, job, "all\t", b ? &tb : NULL, &ta);
    if (fclose(f) != 0) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    return TT_OK;
}

/* Mean over data sets, each counting once: shows what a mean over examples hides. */
static double macro(const tt_sets *sets, const tt_score *s, const figure *f)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < sets->n; i++) {
        double x = f->get(&s[i]);
        if (!isnan(x)) sum += x, n++;
    }
    return n ? sum / n : NAN;
}

static void print_summary(const tt_job *job, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    tt_score tb = b ? table_total(sets, b) : (tt_score){0}, ta = table_total(sets, a);
    tt_log("%-12s %28s %28s", "", "mean over examples", sets->n > 1 ? "mean over data sets" : "");
    tt_log("%-12s %14s %13s %14s %13s", "", b ? "before" : "", "after", b && sets->n > 1 ? "before" : "",
           sets->n > 1 ? "after" : "");
    for (const figure *f = table_figures; f->name; f++) {
        if (!table_wanted(job->eval.metrics, f)) continue;
        char c[4][32] = {"", "", "", ""};
        if (b) snprintf(c[0], sizeof c[0], "%.3f", f->get(&tb));
        snprintf(c[1], sizeof c[1], "%.3f", f->get(&ta));
        if (b && sets->n > 1) snprintf(c[2], sizeof c[2], "%.3f", macro(sets, b, f));
        if (sets->n > 1) snprintf(c[3], sizeof c[3], "%.3f", macro(sets, a, f));
        tt_log("%-12s %14s %13s %14s %13s", f->name, c[0], c[1], c[2], c[3]);
    }
}

typedef struct change {
    int set;
    double before, after;
} change;

static int by_gain(const void *a, const void *b)
{
    const change *x = a, *y = b;
    double dx = x->after - x->before, dy = y->after - y->before;
    return (dx < dy) - (dx > dy);
}

static void print_change(const tt_sets *sets, const change *c)
{
    const tt_setinfo *s = tt_set_info(sets->set[c->set]);
    tt_log("  %-44.44s %-28.28s %8.3f %8.3f", s->name, s->category ? s->category : "", c->before, c->after);
}

enum { SHOWN = 8 };

/* The data sets that moved most, both ways, by the first figure that is generated, else by loss. */
static void print_movers(const tt_job *job, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    const figure *f = &table_figures[0];
    for (const figure *g = table_figures; g->name; g++)
        if (table_wanted(job->eval.metrics, g) && g > f && f == &table_figures[0]) f = g;
    change *c = tt_malloc(sizeof *c * (size_t)(sets->n + 1));
    double sign = f == &table_figures[0] ? -1 : 1;
    for (int i = 0; i < sets->n; i++) c[i] = (change){i, sign * f->get(&b[i]), sign * f->get(&a[i])};
    qsort(c, (size_t)sets->n, sizeof *c, by_gain);
    for (int i = 0; i < sets->n; i++) c[i].before *= sign, c[i].after *= sign;
    int n = sets->n < SHOWN ? sets->n : SHOWN;
    tt_log("%s, most gained:%*s before    after", f->name, 62 - (int)strlen(f->name), "");
    for (int i = 0; i < n; i++) print_change(sets, &c[i]);
    if (sets->n > 2 * SHOWN) {
        tt_log("%s, least gained or lost:", f->name);
        for (int i = sets->n - SHOWN; i < sets->n; i++) print_change(sets, &c[i]);
    }
    free(c);
}

tt_err table_compare(const tt_job *job, const char *split, const tt_sets *sets, const tt_score *after)
{
    char *path = NULL, *groups = NULL, *metrics = NULL;
    if (asprintf(&path, "%s/eval-%s.tsv", job->run, split) < 0 ||
        asprintf(&groups, "%s/eval-%s-categories.tsv", job->run, split) < 0 ||
        asprintf(&metrics, "%s/metrics.jsonl", job->run) < 0)
        TT_BUG("out of memory");
    tt_score *b = read_before(metrics, split, sets->n);
    tt_err e = write_tsv(job, path, sets, b, after);
    if (e == TT_OK) {
        print_summary(job, sets, b, after);
        e = table_categories(job, groups, sets, b, after);
    }
    if (e == TT_OK) {
        if (b && sets->n > 1) print_movers(job, sets, b, after);
        tt_log("every data set: %s", path);
    }
    free(b);
    free(path);
    free(groups);
    free(metrics);
    return e;
}
