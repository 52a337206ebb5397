/* Tables of evaluation results: one line per evaluation, and before against after at the end of a run. */
#include "table.h"
#include "run.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int figures_find(const figures *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->f[i].name, name)) return i;
    return -1;
}

void table_add(const figures *f, tt_score *a, const tt_score *b)
{
    a->examples += b->examples;
    for (int i = 0; i < f->n; i++) {
        double w = a->weight[i] + b->weight[i];
        if (b->weight[i] > 0)
            a->x[i] = ((a->weight[i] > 0 ? a->weight[i] * a->x[i] : 0) + b->weight[i] * b->x[i]) / w;
        else if (a->weight[i] <= 0)
            a->x[i] = NAN;
        a->weight[i] = w;
    }
}

tt_score table_total(const figures *f, const tt_sets *sets, const tt_score *score)
{
    tt_score all = {0};
    for (int i = 0; i < sets->n; i++) table_add(f, &all, &score[i]);
    return all;
}

void table_line(const figures *f, const char *split, int64_t step, const tt_sets *sets, const tt_score *score,
                double seconds)
{
    tt_score all = table_total(f, sets, score);
    char text[1024];
    size_t n = 0;
    for (int i = 0; i < f->n && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  %s %.4f", f->f[i].name, all.x[i]);
    tt_log("%9lld %s:%.*s  (%lld examples of %d data sets, %.1f s)", (long long)step, split, (int)n, text,
           (long long)all.examples, sets->n, seconds);
}

/* ---- metrics.jsonl: written here, read back at the end for the figures before the first step ---------------------------- */

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *score_json(const figures *f, const tt_score *s)
{
    json_t *o = json_pack("{s:I}", "examples", (json_int_t)s->examples), *scores = json_object();
    for (int i = 0; i < f->n; i++) {
        char key[140];
        snprintf(key, sizeof key, "%s %s", f->f[i].spec, f->f[i].value);
        json_object_set_new(scores, key, json_pack("{s:o, s:f}", "x", real(s->x[i]), "weight", s->weight[i]));
    }
    json_object_set_new(o, "scores", scores);
    return o;
}

static tt_score json_score(const figures *f, const json_t *o)
{
    tt_score s = {.examples = json_integer_value(json_object_get(o, "examples"))};
    for (int i = 0; i < f->n; i++) {
        char key[140];
        snprintf(key, sizeof key, "%s %s", f->f[i].spec, f->f[i].value);
        const json_t *v = json_object_get(json_object_get(o, "scores"), key), *x = json_object_get(v, "x");
        s.x[i] = json_is_number(x) ? json_number_value(x) : NAN;
        s.weight[i] = json_is_number(x) ? json_number_value(json_object_get(v, "weight")) : 0;
    }
    return s;
}

void report_eval(run *r, const figures *f, const char *split, const tt_sets *sets, const tt_score *score)
{
    if (!r->metrics) return;
    tt_score all = table_total(f, sets, score);
    json_t *tasks = json_array(); /* by position: two data sets may carry one name */
    for (int i = 0; i < sets->n; i++) {
        json_t *o = score_json(f, &score[i]);
        json_object_set_new(o, "task", json_string(tt_set_info(sets->set[i])->name));
        json_array_append_new(tasks, o);
    }
    json_t *o = json_pack("{s:s, s:I, s:s, s:o, s:o}", "event", "eval", "step", (json_int_t)r->step, "split", split,
                          "all", score_json(f, &all), "tasks", tasks);
    json_dumpf(o, r->metrics, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', r->metrics);
    fflush(r->metrics);
    json_decref(o);
}

/* The evaluation of split at step 0 in metrics.jsonl, or NULL. Caller frees. */
static tt_score *read_before(const figures *f, const char *path, const char *split, int n)
{
    FILE *in = fopen(path, "r");
    char *lineptr = NULL;
    size_t cap = 0;
    tt_score *out = NULL;
    while (in && getline(&lineptr, &cap, in) > 0) {
        json_t *o = strstr(lineptr, "\"eval\"") ? json_loads(lineptr, 0, NULL) : NULL;
        const char *s = json_string_value(json_object_get(o, "split"));
        const json_t *tasks = json_object_get(o, "tasks");
        if (s && !strcmp(s, split) && json_integer_value(json_object_get(o, "step")) == 0 &&
            (int)json_array_size(tasks) == n) {
            free(out);
            out = tt_malloc(sizeof *out * (size_t)(n + 1));
            for (int i = 0; i < n; i++) out[i] = json_score(f, json_array_get(tasks, (size_t)i));
        }
        json_decref(o);
    }
    free(lineptr);
    if (in) fclose(in);
    return out;
}

/* ---- before and after -------------------------------------------------------------------------------------------------- */

void table_tsv_header(FILE *out, const figures *f, const char *lead, bool before)
{
    fprintf(out, "%s\texamples", lead);
    for (int i = 0; i < f->n; i++) fprintf(out, before ? "\t%s before\t%s after" : "\t%s", f->f[i].name, f->f[i].name);
    fputc('\n', out);
}

void table_tsv_row(FILE *out, const figures *f, const char *lead, const tt_score *before, const tt_score *after)
{
    fprintf(out, "%s\t%lld", lead, (long long)after->examples);
    for (int i = 0; i < f->n; i++) {
        if (before) fprintf(out, "\t%.6g", before->x[i]);
        fprintf(out, "\t%.6g", after->x[i]);
    }
    fputc('\n', out);
}

static tt_err write_tsv(const figures *f, const char *path, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    FILE *out = fopen(path, "w");
    if (!out) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    table_tsv_header(out, f, "task\tcategory", b != NULL);
    for (int i = 0; i < sets->n; i++) {
        const tt_setinfo *s = tt_set_info(sets->set[i]);
        char lead[512];
        snprintf(lead, sizeof lead, "%s\t%s", s->name, s->category);
        table_tsv_row(out, f, lead, b ? &b[i] : NULL, &a[i]);
    }
    tt_score tb = b ? table_total(f, sets, b) : (tt_score){0}, ta = table_total(f, sets, a);
    table_tsv_row(out, f, "all\t", b ? &tb : NULL, &ta);
    if (fclose(out) != 0) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    return TT_OK;
}

/* Mean over data sets, each counting once: shows what a mean over examples hides. */
static double macro(const tt_sets *sets, const tt_score *s, int k)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < sets->n; i++)
        if (!isnan(s[i].x[k])) sum += s[i].x[k], n++;
    return n ? sum / n : NAN;
}

static void print_summary(const figures *f, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    tt_score tb = b ? table_total(f, sets, b) : (tt_score){0}, ta = table_total(f, sets, a);
    tt_log("%-16s %28s %28s", "", "mean over examples", sets->n > 1 ? "mean over data sets" : "");
    tt_log("%-16s %14s %13s %14s %13s", "", b ? "before" : "", "after", b && sets->n > 1 ? "before" : "",
           sets->n > 1 ? "after" : "");
    for (int k = 0; k < f->n; k++) {
        char c[4][32] = {"", "", "", ""};
        if (b) snprintf(c[0], sizeof c[0], "%.4f", tb.x[k]);
        snprintf(c[1], sizeof c[1], "%.4f", ta.x[k]);
        if (b && sets->n > 1) snprintf(c[2], sizeof c[2], "%.4f", macro(sets, b, k));
        if (sets->n > 1) snprintf(c[3], sizeof c[3], "%.4f", macro(sets, a, k));
        tt_log("%-16s %14s %13s %14s %13s", f->f[k].name, c[0], c[1], c[2], c[3]);
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
    tt_log("  %-44.44s %-28.28s %8.4f %8.4f", s->name, s->category ? s->category : "", c->before, c->after);
}

enum { SHOWN = 8 };

/* The data sets that moved most, both ways, by the first figure that is no loss. */
static void print_movers(const figures *f, const tt_sets *sets, const tt_score *b, const tt_score *a)
{
    int k = 0, m = 0;
    while (k + 1 < f->n && f->f[k].lower) k++;
    change *c = tt_malloc(sizeof *c * (size_t)(sets->n + 1));
    double sign = f->f[k].lower ? -1 : 1;
    for (int i = 0; i < sets->n; i++)
        if (!isnan(a[i].x[k]) && !isnan(b[i].x[k])) c[m++] = (change){i, sign * b[i].x[k], sign * a[i].x[k]};
    qsort(c, (size_t)m, sizeof *c, by_gain);
    for (int i = 0; i < m; i++) c[i].before *= sign, c[i].after *= sign;
    int n = m < SHOWN ? m : SHOWN;
    tt_log("%s, most gained:%*s before    after", f->f[k].name, 62 - (int)strlen(f->f[k].name), "");
    for (int i = 0; i < n; i++) print_change(sets, &c[i]);
    if (m > 2 * SHOWN) {
        tt_log("%s, least gained or lost:", f->f[k].name);
        for (int i = m - SHOWN; i < m; i++) print_change(sets, &c[i]);
    }
    free(c);
}

tt_err table_compare(const tt_job *job, const figures *f, const char *split, const tt_sets *sets, const tt_score *after)
{
    char *path = NULL, *groups = NULL, *metrics = NULL;
    if (asprintf(&path, "%s/eval-%s.tsv", job->run, split) < 0 ||
        asprintf(&groups, "%s/eval-%s-categories.tsv", job->run, split) < 0 ||
        asprintf(&metrics, "%s/metrics.jsonl", job->run) < 0)
        TT_BUG("out of memory");
    tt_score *b = read_before(f, metrics, split, sets->n);
    tt_err e = write_tsv(f, path, sets, b, after);
    if (e == TT_OK) {
        print_summary(f, sets, b, after);
        e = table_categories(f, groups, sets, b, after);
    }
    if (e == TT_OK) {
        if (b && sets->n > 1) print_movers(f, sets, b, after);
        tt_log("every data set: %s", path);
    }
    free(b);
    free(path);
    free(groups);
    free(metrics);
    return e;
}
