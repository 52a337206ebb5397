/* tutti audit: what a job's data come to, before a run; what a run drew, after it. */
#include "audit.h"
#include "tutti/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    int64_t show, from, rows;
    const char *out;
    bool examples, strict;
} options;

static const tt_keyrow keys[] = {
    {"show", TT_KINT, offsetof(options, show), "0", "0..", "print so many examples as the model sees them"},
    {"from", TT_KINT, offsetof(options, from), "0", "0..", "the first draw that show prints"},
    {"rows", TT_KINT, offsetof(options, rows), "2000", "0..",
     "rows of a data set that are tokenized to know its lengths, a seeded sample; 0: all"},
    {"out", TT_KTEXT, offsetof(options, out), NULL, NULL,
     "folder of audit.json and audit.html; default: the run folder"},
    {"examples", TT_KBOOL, offsetof(options, examples), "false", NULL,
     "after a run: a line for every example, how often it was drawn or why never"},
    {"strict", TT_KBOOL, offsetof(options, strict), "false", NULL, "exit code 3 if anything was found"},
    {0}};

static bool is_own(const char *setting)
{
    size_t n = strcspn(setting, "=");
    for (const tt_keyrow *k = keys; k->name; k++)
        if (strlen(k->name) == n && !strncmp(k->name, setting, n)) return true;
    return false;
}

/* The verb's own options, and the rest for the job. */
static void sort_settings(const tt_args *args, tt_args *own, tt_args *job)
{
    own->set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1));
    job->set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1));
    for (int i = 0; i < args->nset; i++) {
        tt_args *to = is_own(args->set[i]) ? own : job;
        to->set[to->nset++] = args->set[i];
    }
}

/* ---- the job ---------------------------------------------------------------------------------------------------------*/

/* Without a job file run=DIR names a run: its own job, with what else stands on the command line. */
static tt_err read_job(tt_arena *a, const tt_args *args, const tt_args *rest, const char **run, tt_job **job)
{
    if (args->n > 1) return tt_fail(TT_EJOB, "audit takes one job file, %d were given", args->n);
    if (args->n == 1) return tt_job_read(a, args->pos[0], rest->nset, rest->set, job);
    for (int i = 0; i < rest->nset; i++)
        if (!strncmp(rest->set[i], "run=", 4)) *run = rest->set[i] + 4;
    if (!*run)
        return tt_fail(TT_EJOB, "audit: say which job (tutti audit job.yaml) or which run (tutti audit run=DIR)");
    const char *path = tt_sprintf(a, "%s/job.resolved.yaml", *run);
    if (!tt_exists(path)) return tt_fail(TT_EJOB, "%s: no such file; is %s the folder of a run?", path, *run);
    return tt_job_read(a, path, rest->nset, rest->set, job);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------*/

static tt_err open_tokenizer(audit *u)
{
    const tt_job *j = u->job;
    const char *dir = j->tokenizer.path ? j->tokenizer.path : j->model.path;
    if (!dir)
        return tt_fail(TT_EJOB, "%s: no tokenizer; set tokenizer.path to the folder that holds spiece.model", j->file);
    return tt_tok_open(dir, &u->tok);
}

/* One more row of this set that was quarantined for this reason. The first line stays. */
static void count_reason(json_t *reasons, const char *set, const char *why, json_int_t line)
{
    json_t *own = json_object_get(reasons, set);
    if (!own) json_object_set_new(reasons, set, own = json_object());
    json_t *one = json_object_get(own, why);
    if (!one) json_object_set_new(own, why, one = json_pack("{s:i, s:I}", "rows", 0, "line", line));
    json_object_set_new(one, "rows", json_integer(json_integer_value(json_object_get(one, "rows")) + 1));
}

/* Of the file that the reading just wrote. */
static void count_reasons(audit *u, const char *path)
{
    u->reasons = json_object();
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    while (f && getline(&line, &cap, f) > 0) {
        json_t *o = json_loads(line, 0, NULL);
        const char *set = json_string_value(json_object_get(o, "dataset"));
        const char *why = json_string_value(json_object_get(o, "reason"));
        if (set && why) count_reason(u->reasons, set, why, json_integer_value(json_object_get(o, "line")));
        json_decref(o);
    }
    free(line);
    if (f) fclose(f);
}

/* Collective. */
static tt_err read_sets(audit *u, const char *quarantine)
{
    const tt_job *j = u->job;
    if (u->m->rank == 0) remove(quarantine);
    TT_TRY(tt_sets_read(u->m, j, j->data.train, "data.train", quarantine, &u->train));
    TT_TRY(tt_sets_read(u->m, j, j->data.validation, "data.validation", quarantine, &u->validation));
    TT_TRY(tt_sets_read(u->m, j, j->data.test, "data.test", quarantine, &u->test));
    if (u->m->rank == 0) count_reasons(u, quarantine);
    const tt_sets *all[] = {u->train, u->validation, u->test};
    for (int i = 0; i < 3; i++) TT_TRY(tt_agree(u->m, tt_sets_check(all[i], u->tok)));
    TT_TRY(tt_agree(u->m, tt_sets_exemplars(u->validation, u->train)));
    TT_TRY(tt_agree(u->m, tt_sets_exemplars(u->test, u->train)));
    TT_TRY(tt_clean_open(u->m, j, u->train, u->validation, u->test, true, &u->clean));
    return tt_agree(u->m, tt_mix_new(j, u->train, &u->mix));
}

/* Collective. */
static tt_err measure(audit *u, int64_t rows)
{
    tt_sets *sets[] = {u->train, u->validation, u->test};
    tt_lengths **out[] = {&u->train_len, &u->validation_len, &u->test_len};
    for (int i = 0; i < 3; i++) {
        *out[i] = TT_ZNEW(u->a, tt_lengths, sets[i]->n + 1);
        TT_TRY(tt_lengths_measure(u->m, u->job, sets[i], u->tok, rows, *out[i]));
    }
    return TT_OK;
}

/* ---- saying ---------------------------------------------------------------------------------------------------------------*/

/* Rank 0. */
static tt_err say(const audit *u, const options *o, const char *dir, size_t *found)
{
    json_t *doc = audit_model(u);
    *found = json_array_size(json_object_get(doc, "found"));
    const char *json = tt_sprintf(u->a, "%s/audit.json", dir), *page = tt_sprintf(u->a, "%s/audit.html", dir);
    audit_print(doc);
    tt_err e = audit_write_json(doc, json);
    if (e == TT_OK) e = audit_write_page(doc, page);
    json_decref(doc);
    if (e == TT_OK && u->run && o->examples) {
        const char *path = tt_sprintf(u->a, "%s/examples.tsv.gz", dir);
        e = audit_run_examples(u, u->run, path);
        if (e == TT_OK) printf("every example  %s\n", path);
    }
    if (e == TT_OK) printf("all of it      %s, as a page: %s\n", json, page);
    if (e == TT_OK && o->show) e = audit_show(u, o->from, o->show);
    return e;
}

/* Collective. */
static tt_err work(audit *u, const options *o, const char *run)
{
    audit_run r = {.dir = run};
    const char *dir = o->out ? o->out : u->job->run;
    TT_TRY(tt_agree(u->m, u->m->rank == 0 ? tt_mkdirs(dir) : TT_OK));
    TT_TRY(tt_agree(u->m, open_tokenizer(u)));
    TT_TRY(read_sets(u, tt_sprintf(u->a, "%s/audit-quarantine.jsonl", dir)));
    TT_TRY(measure(u, o->rows));
    tt_err e = run ? audit_run_read(u, &r) : TT_OK;
    size_t found = 0;
    if (e == TT_OK) e = tt_agree(u->m, u->m->rank == 0 ? say(u, o, dir, &found) : TT_OK);
    audit_run_fini(u, &r);
    if (e != TT_OK || !o->strict) return e;
    tt_bcast(u->m, &found, sizeof found, 0);
    return found ? tt_fail(TT_EDATA, "the audit found %zu things, listed above (strict=1)", found) : TT_OK;
}

static void audit_fini(audit *u)
{
    if (u->mix) tt_mix_free(u->mix);
    if (u->clean) tt_clean_free(u->clean);
    tt_sets_free(u->train);
    tt_sets_free(u->validation);
    tt_sets_free(u->test);
    if (u->tok) tt_tok_close(u->tok);
    json_decref(u->reasons);
}

tt_err tt_verb_audit(const tt_mesh *m, const tt_args *args)
{
    tt_args own = {0}, rest = {0};
    options o = {0};
    tt_job *job = NULL;
    const char *run = NULL;
    audit u = {.m = m, .a = tt_arena_new(1 << 16)};
    sort_settings(args, &own, &rest);
    tt_err e = tt_args_bind(&own, keys, &o);
    if (e == TT_OK) e = read_job(u.a, args, &rest, &run, &job);
    e = tt_agree(m, e);
    if (e == TT_OK) {
        u.job = job;
        e = work(&u, &o, run);
    }
    audit_fini(&u);
    tt_arena_free(u.a);
    free(own.set);
    free(rest.set);
    return e;
}
