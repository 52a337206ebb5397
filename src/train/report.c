/* What a person sees: the line per step, the progress bar, metrics.jsonl. Rank 0 speaks; the sums behind it are Collective. */
#include "run.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- metrics.jsonl ------------------------------------------------------------------------------------------------ */

static void put_json(run *r, json_t *o)
{
    if (r->metrics && o) {
        json_dumpf(o, r->metrics, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', r->metrics);
        fflush(r->metrics);
    }
    json_decref(o);
}

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

/* After a crash the steps behind the last checkpoint are done again: their old lines go, so that every step is there once. */
static tt_err trim(const char *path, int64_t step)
{
    char *text, *tmp = NULL;
    size_t size;
    if (!tt_exists(path)) return TT_OK;
    TT_TRY(tt_slurp(path, &text, &size));
    if (asprintf(&tmp, "%s.tmp", path) < 0) TT_BUG("out of memory");
    FILE *f = fopen(tmp, "w");
    for (char *p = text, *end; f && *p; p = end) {
        end = strchr(p, '\n');
        end = end ? end + 1 : p + strlen(p);
        json_t *o = json_loadb(p, (size_t)(end - p), 0, NULL);
        if (o && json_integer_value(json_object_get(o, "step")) <= step) fwrite(p, 1, (size_t)(end - p), f);
        json_decref(o);
    }
    bool good = f && fclose(f) == 0 && rename(tmp, path) == 0;
    free(text);
    free(tmp);
    return good ? TT_OK : tt_fail(TT_ERUN, "%s: cannot be rewritten: %s", path, strerror(errno));
}

tt_err report_open(run *r, bool resumed)
{
    if (r->m->rank != 0) return TT_OK;
    const char *path = tt_sprintf(r->job_arena, "%s/metrics.jsonl", r->job->run);
    if (resumed) TT_TRY(trim(path, r->step));
    r->metrics = fopen(path, resumed ? "a" : "w");
    if (!r->metrics) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    return TT_OK;
}

void report_event(run *r, const char *event, const char *detail)
{
    put_json(r, json_pack("{s:s, s:I, s:s}", "event", event, "step", (json_int_t)r->step, "detail", detail));
}

/* ---- the start ---------------------------------------------------------------------------------------------------- */

static void say_data(const run *r, const char *what, const tt_sets *s)
{
    if (!s || s->n == 0) return;
    tt_log("%-11s %lld rows in %d data sets%s", what, (long long)s->rows, s->n, s->quarantined ? "" : ", all usable");
    if (s->quarantined)
        tt_log("            %lld rows cannot be used; %s/quarantine.jsonl lists file, line and reason",
               (long long)s->quarantined, r->job->run);
}

static void say_clean(const run *r)
{
    if (!r->clean) return;
    const tt_clean_set *t = &r->clean->train, *e = &r->clean->evaluation;
    if (r->clean->duplicates)
        tt_log("            %lld rows repeat another one, %lld nearly", (long long)(t->exact_inside + t->exact_across),
               (long long)t->near);
    if (r->clean->contamination)
        tt_log("            %lld rows share text with %lld rows of the evaluation", (long long)t->contaminated,
               (long long)e->contaminated);
    if (t->dropped) tt_log("            %lld rows are left out for that", (long long)t->dropped);
}

static void say_mesh(const run *r)
{
    const tt_job *j = r->job;
    tt_log("tutti       %d rank%s, %lld grains a step; %s%s", r->m->size, r->m->size == 1 ? "" : "s",
           (long long)j->train.grains, j->precision == TT_PREC_BF16 ? "bf16" : "fp32",
           j->train.recompute == TT_RECOMPUTE_BLOCK ? ", blocks recomputed" : "");
    if (r->m->tp > 1) tt_log("            %d copies of the model, %d ranks each", r->m->dp, r->m->tp);
    if (r->m->size > 1 || j->optim.update == TT_UPDATE_BLOCK)
        tt_log("            ZeRO stage %lld%s", (long long)j->mesh.zero,
               j->optim.update == TT_UPDATE_BLOCK ? ", updated block by block" : "");
}

void report_start(run *r)
{
    const tt_t5cfg *c = tt_model_cfg(r->model);
    say_mesh(r);
    tt_log("blas        %s", tt_blas_describe());
    tt_log("model       %s: %.1f M parameters, width %lld, %lld + %lld layers, vocabulary %lld",
           r->job->model.path ? r->job->model.path : r->job->model.config, (double)tt_pars_count(r->pars, false) * 1e-6,
           (long long)c->D, (long long)c->L, (long long)c->Ld, (long long)c->V);
    say_data(r, "train", r->train);
    say_clean(r);
    say_data(r, "validation", r->validation);
    say_data(r, "test", r->test);
    tt_log("mixture     %lld examples an epoch after caps; run folder %s", (long long)tt_mix_epoch(r->mix),
           r->job->run);
    put_json(r, json_pack("{s:s, s:I, s:i, s:i, s:I, s:s, s:I, s:s}", "event", "start", "step", (json_int_t)r->step,
                          "ranks", r->m->size, "tp", r->m->tp, "zero", (json_int_t)r->job->mesh.zero, "precision",
                          r->job->precision == TT_PREC_BF16 ? "bf16" : "fp32", "parameters",
                          (json_int_t)tt_pars_count(r->pars, false), "blas", tt_blas_describe()));
}

/* ---- one step ------------------------------------------------------------------------------------------------------- */

static json_t *tally_json(const run *r, const tally *t)
{
    json_t *tasks = json_object();
    for (int i = 0; i < r->train->n; i++)
        if (t[i].examples)
            json_object_set_new(tasks, tt_set_info(r->train->set[i])->name,
                                json_pack("{s:I, s:I, s:o}", "examples", (json_int_t)t[i].examples, "tokens",
                                          (json_int_t)t[i].tokens, "nll", real((double)t[i].nll / FIX_UNIT)));
    return tasks;
}

static void log_json(run *r, const stepinfo *s, const tally *t, double nll, double seconds, double comm, double gib)
{
    json_t *o = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:b}", "event", "step", "step", (json_int_t)r->step, "loss",
                          real(s->loss), "nll", real(nll), "lr", real(s->lr), "grad_norm", real(s->norm), "skipped",
                          s->skipped);
    json_object_set_new(o, "seconds", real(seconds));
    json_object_set_new(o, "comm_share", real(comm));
    json_object_set_new(o, "tokens", json_integer(r->log_tokens));
    json_object_set_new(o, "tokens_per_second", real((double)r->log_tokens / seconds));
    json_object_set_new(o, "rss_gib", real(gib));
    json_object_set_new(o, "epoch", real((double)r->draw / (double)tt_mix_epoch(r->mix)));
    json_object_set_new(o, "draws", json_integer(r->draw));
    json_object_set_new(o, "examples", json_integer(r->examples));
    json_object_set_new(o, "source_tokens", json_integer(r->src_tokens));
    json_object_set_new(o, "target_tokens", json_integer(r->tgt_tokens));
    json_object_set_new(o, "truncated", json_integer(r->truncated));
    json_object_set_new(o, "skipped_steps", json_integer(r->skipped));
    json_object_set_new(o, "tasks", tally_json(r, t));
    put_json(r, o);
}

static void bar(const run *r)
{
    static const char full[] = "##############################", none[] = "..............................";
    int64_t total = run_total_steps(r), done = r->step;
    double per = (tt_now() - r->t_log) / (double)(r->step > r->log_step ? r->step - r->log_step : 1);
    int n = total > 0 ? (int)(30 * done / total) : 0;
    int64_t left = (int64_t)(per * (double)(total - done));
    if (n > 30) n = 30;
    tt_log_status("[%.*s%.*s] %lld/%lld  %lld:%02lld:%02lld left", n, full, 30 - n, none, (long long)done,
                  (long long)total, (long long)(left / 3600), (long long)(left / 60 % 60), (long long)(left % 60));
}

static void header(void)
{
    tt_log("%9s %10s %10s %10s %10s %9s %7s %7s", "step", "loss", "lr", "grad norm", "tokens/s", "ms/step", "comm %",
           "GiB");
}

/* The first step takes memory from the system and tells nothing. */
static void time_steps(run *r, double seconds, int64_t steps)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    double cpu = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    if (r->cpu_log > 0) {
        r->took += seconds;
        r->cpu += cpu - r->cpu_log;
        r->timed += steps;
    }
    r->cpu_log = cpu;
}

/* Collective: sums the tallies of all ranks. */
static double total_tally(run *r, tally *t, int64_t *tokens)
{
    memcpy(t, r->tally, sizeof *t * (size_t)r->train->n);
    tt_allsum_i64(r->m, (int64_t *)t, (int64_t)(sizeof *t / sizeof(int64_t)) * r->train->n);
    int64_t nll = 0;
    *tokens = 0;
    for (int i = 0; i < r->train->n; i++) nll += t[i].nll, *tokens += t[i].tokens;
    return (double)nll / FIX_UNIT / (double)(*tokens ? *tokens : 1);
}

void report_step(run *r, const stepinfo *s)
{
    bar(r);
    int64_t every = r->job->log.every > 0 ? r->job->log.every : 1;
    if (r->step % every != 0 && !run_done(r) && r->step != 1) return;
    tt_mark mark = tt_arena_mark(r->job_arena);
    tally *t = TT_NEW(r->job_arena, tally, r->train->n);
    int64_t tokens, rss = tt_rss_peak_bytes();
    double nll = total_tally(r, t, &tokens);
    tt_allmax_i64(r->m, &rss, 1);
    double seconds = tt_now() - r->t_log, comm = r->comm / seconds, gib = (double)rss / 1073741824.0;
    int64_t steps = r->step - r->log_step;
    time_steps(r, seconds, steps);
    if (r->lines++ % 20 == 0) header();
    tt_log("%9lld %10.4f %10.3g %10.3g %10.0f %9.0f %7.1f %7.2f%s", (long long)r->step, s->loss, s->lr, s->norm,
           (double)r->log_tokens / seconds, 1e3 * seconds / (double)(steps ? steps : 1), 100 * comm, gib,
           s->skipped ? "  not finite: skipped" : "");
    log_json(r, s, t, nll, seconds, comm, gib);
    memset(r->tally, 0, sizeof *r->tally * (size_t)r->train->n);
    r->t_log = tt_now();
    r->comm = 0;
    r->log_tokens = 0;
    r->log_step = r->step;
    tt_arena_rewind(r->job_arena, mark);
}
