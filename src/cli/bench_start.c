/* tutti bench start: seconds from mpirun to the end of the first step of a small model, and where they go. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *model, *mpirun, *json;
    int64_t ranks, times;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"model", TT_KTEXT, AT(model), "data/models/nano-t5", NULL, "folder of a model with its tokenizer"},
    {"mpirun", TT_KTEXT, AT(mpirun), "mpirun", NULL, "what starts the ranks, as in mpirun=\"srun\"; -n RANKS is added"},
    {"ranks", TT_KINT, AT(ranks), "2", "1..", "ranks"},
    {"times", TT_KINT, AT(times), "5", "1..", "starts, of which the best counts"},
    {"quick", TT_KBOOL, AT(quick), "false", NULL, "one start: does it run?"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

/* Seconds since the launcher was started. */
typedef struct timeline {
    double launcher; /* it alone: starting /bin/true */
    double mpi;      /* ranks that start MPI and end */
    double ready;    /* the first line of the run: model, data and optimizer are there */
    double step;     /* the line of the first step */
    double end;      /* of the program, with evaluation and checkpoint */
} timeline;

typedef struct bench {
    const options *o;
    tt_arena *a;
    char *dir;
} bench;

static tt_err make_job(bench *b)
{
    const char *tmp = getenv("TMPDIR");
    b->dir = tt_sprintf(b->a, "%s/tutti-bench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(b->dir)) return tt_fail(TT_ERUN, "%s: cannot be made; set TMPDIR", b->dir);
    FILE *f = fopen(tt_sprintf(b->a, "%s/job.yaml", b->dir), "w");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be written; set TMPDIR", b->dir);
    fprintf(f,
            "model: {path: '%s'}\n"
            "data: {root: %s/data, train: {list: train.yaml}, max_source: 128, max_target: 32}\n"
            "train: {steps: 1, batch_tokens: 1024, grains: 2}\nlog: {every: 1}\n",
            b->o->model, b->dir);
    fclose(f);
    int pid;
    FILE *out = tt_bench_spawn(
        tt_sprintf(b->a, "'%s' synth out=%s/data datasets=8 categories=4 rows=40 2>/dev/null", tt_bench_self(), b->dir),
        &pid);
    return tt_bench_reap(out, pid) == 0 ? TT_OK : tt_fail(TT_ERUN, "%s: no data could be made", b->dir);
}

static void remove_job(bench *b)
{
    int pid;
    FILE *f = tt_bench_spawn(tt_sprintf(b->a, "rm -rf '%s'", b->dir), &pid);
    tt_bench_reap(f, pid);
}

tt_err tt_bench_init(const tt_mesh *m, const tt_args *args) { return TT_OK; }

static double seconds_of(bench *b, const char *program)
{
    int pid;
    double start = tt_now();
    FILE *f = tt_bench_spawn(
        tt_sprintf(b->a, "%s -n %lld %s >/dev/null 2>&1", b->o->mpirun, (long long)b->o->ranks, program), &pid);
    tt_bench_reap(f, pid);
    return tt_now() - start;
}

/* The line of a step is the first that begins with blanks and a number. */
static bool is_step(const char *line)
{
    size_t blanks = strspn(line, " ");
    return blanks > 0 && line[blanks] >= '0' && line[blanks] <= '9';
}

static tt_err one_start(bench *b, timeline *t)
{
    char *line = NULL;
    size_t cap = 0;
    int pid;
    *t = (timeline){0};
    t->launcher = seconds_of(b, "true");
    t->mpi = seconds_of(b, tt_sprintf(b->a, "'%s' bench init", tt_bench_self()));
    const char *run = tt_sprintf(b->a, "rm -rf %s/run && exec %s -n %lld '%s' train %s/job.yaml run=%s/run 2>&1",
                                 b->dir, b->o->mpirun, (long long)b->o->ranks, tt_bench_self(), b->dir, b->dir);
    double start = tt_now();
    FILE *f = tt_bench_spawn(run, &pid);
    char last[512] = "";
    while (f && getline(&line, &cap, f) > 0) {
        if (t->ready == 0) t->ready = tt_now() - start;
        if (t->step == 0 && is_step(line)) t->step = tt_now() - start;
        snprintf(last, sizeof last, "%s", line);
    }
    free(line);
    int code = tt_bench_reap(f, pid);
    t->end = tt_now() - start;
    last[strcspn(last, "\n")] = 0;
    if (code == 0 && t->step > 0) return TT_OK;
    return tt_fail(TT_ERUN, "bench: '%s' made no step (exit code %d): %s", run, code, last);
}

static tt_err best_start(bench *b, timeline *best, tt_bench_stat *all)
{
    int64_t n = b->o->quick ? 1 : b->o->times;
    double *step = TT_NEW(b->a, double, n);
    for (int64_t i = 0; i < n; i++) {
        timeline t;
        TT_TRY(one_start(b, &t));
        step[i] = t.step;
        if (i == 0 || t.step < best->step) *best = t;
    }
    *all = tt_bench_stat_of((int)n, step);
    return TT_OK;
}

static tt_err show(const bench *b, const timeline *t, const tt_bench_stat *all)
{
    const struct {
        const char *name;
        double from, to;
    } row[] = {{"the launcher alone (true)", 0, t->launcher},
               {"ranks that start MPI and end", t->launcher, t->mpi},
               {"job, tokenizer, model, data, optimizer", t->mpi, t->ready},
               {"the first step", t->ready, t->step},
               {"evaluation, checkpoint, end", t->step, t->end}};
    printf("%lld ranks, %s: seconds\n\n%-40s %8s %8s\n", (long long)b->o->ranks, b->o->model, "", "after", "takes");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        printf("%-40s %8.3f %8.3f\n", row[i].name, row[i].to, row[i].to - row[i].from);
    printf("\nfrom %s to the first step: %.3f s at best of %d, median %.3f, most %.3f\n", b->o->mpirun, all->least,
           all->n, all->median, all->most);
    return tt_bench_print(json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:o}", "part", "start", "ranks", (int)b->o->ranks,
                                    "launcher_s", t->launcher, "mpi_s", t->mpi, "ready_s", t->ready, "step_s", t->step,
                                    "end_s", t->end, "to_step", tt_bench_stat_json(all)),
                          b->o->json);
}

tt_err tt_bench_start(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    timeline best = {0};
    tt_bench_stat all;
    TT_TRY(tt_args_bind(args, keys, &o));
    if (!tt_exists(o.model))
        return tt_fail(TT_EJOB, "model: no folder '%s'; start in tutti's own, or give one with model=", o.model);
    bench b = {.o = &o, .a = tt_arena_new(1 << 16)};
    tt_err e = make_job(&b);
    if (e == TT_OK) e = best_start(&b, &best, &all);
    remove_job(&b);
    if (e == TT_OK) e = show(&b, &best, &all);
    tt_arena_free(b.a);
    return e;
}
