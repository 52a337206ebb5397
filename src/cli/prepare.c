/* tutti prepare job.yaml: the job's data sets into its token store. */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/data.h"

#include <string.h>

typedef struct options {
    bool verify;
    tt_prepare_opts o;
} options;

static const tt_keyrow keys[] = {
    {"verify", TT_KBOOL, offsetof(options, verify), "false", NULL,
     "only check the store: every byte against its checksum"},
    {"rehash", TT_KBOOL, offsetof(options, o.rehash), "false", NULL,
     "compare contents of files that look unchanged, too"},
    {"prune", TT_KBOOL, offsetof(options, o.prune), "false", NULL, "remove data sets that the job does not name"},
    {"chunk", TT_KINT, offsetof(options, o.chunk), "1048576", "1..", "bytes of a file that are read at once"},
    {"round", TT_KINT, offsetof(options, o.round), "33554432", "1..",
     "bytes that a rank reads before a part is written"},
    {0}};

static bool is_option(const char *set)
{
    for (const tt_keyrow *k = keys; k->name; k++) {
        size_t n = strlen(k->name);
        if (!strncmp(set, k->name, n) && set[n] == '=') return true;
    }
    return false;
}

/* Options of the verb and settings of the job stand side by side on the command line. In a. */
static void part(const tt_args *args, tt_arena *a, bool options_only, tt_args *out)
{
    *out = (tt_args){.set = TT_NEW(a, char *, args->nset + 1)};
    for (int i = 0; i < args->nset; i++)
        if (is_option(args->set[i]) == options_only) out->set[out->nset++] = args->set[i];
}

/* Local. */
static tt_err read_args(const tt_args *args, tt_arena *a, options *o, tt_job **job)
{
    tt_args own, rest;
    part(args, a, true, &own);
    part(args, a, false, &rest);
    if (args->n != 1) return tt_fail(TT_EJOB, "prepare takes one job file; settings are written key=value");
    TT_TRY(tt_args_bind(&own, keys, o));
    TT_TRY(tt_job_read(a, args->pos[0], rest.nset, rest.set, job));
    if (!(*job)->data.store)
        return tt_fail(TT_EJOB, "%s: data.store is not set; say in which folder the tokens are to be kept",
                       (*job)->file);
    return TT_OK;
}

static tt_err open_tokenizer(const tt_job *job, tt_tok **out)
{
    const char *dir = job->tokenizer.path ? job->tokenizer.path : job->model.path;
    if (!dir)
        return tt_fail(TT_EJOB, "%s: no tokenizer; set tokenizer.path to the folder that holds spiece.model",
                       job->file);
    return tt_tok_open(dir, out);
}

static void report(const char *dir, const tt_prepared *p, double seconds, int64_t memory)
{
    tt_log("data sets    %lld: %lld done (%lld of changed files), %lld unchanged; %lld removed", (long long)p->sets,
           (long long)(p->sets - p->unchanged), (long long)p->redone, (long long)p->unchanged, (long long)p->dropped);
    tt_log("rows         %lld, %lld bad; %lld tokens", (long long)p->rows, (long long)p->bad, (long long)p->tokens);
    tt_log("this run     %.1f MB, %lld rows in %.1f s: %.1f MB/s, %.0f rows/s", (double)p->read / 1e6,
           (long long)p->new_rows, seconds, (double)p->read / 1e6 / seconds, (double)p->new_rows / seconds);
    tt_log("store        %s: %.1f MB in %lld parts", dir, (double)p->bytes / 1e6, (long long)p->parts);
    tt_log("memory       %.0f MB on the rank that needed most", (double)memory / 1e6);
}

/* Collective. What the job wants to know of duplicates and contamination is found here, not at every start of a run. */
static tt_err search(const tt_mesh *m, const tt_job *job)
{
    if (job->data.deduplicate == TT_FOUND_OFF && job->data.decontaminate == TT_FOUND_OFF) return TT_OK;
    const tt_yaml *list[] = {job->data.train, job->data.validation, job->data.test};
    static const char *const what[] = {"data.train", "data.validation", "data.test"};
    tt_sets *sets[3] = {NULL};
    tt_clean *found = NULL;
    tt_err e = TT_OK;
    for (int i = 0; i < 3 && e == TT_OK; i++) e = tt_sets_read(m, job, list[i], what[i], NULL, &sets[i]);
    if (e == TT_OK) e = tt_clean_open(m, job, sets[0], sets[1], sets[2], false, &found);
    if (found)
        tt_log("search       %lld rows repeat another one, %lld nearly; %lld share text with the evaluation",
               (long long)(found->train.exact_inside + found->train.exact_across), (long long)found->train.near,
               (long long)found->train.contaminated);
    if (found) tt_clean_free(found);
    for (int i = 0; i < 3; i++)
        if (sets[i]) tt_sets_free(sets[i]);
    return e;
}

/* Collective. */
static tt_err run(const tt_mesh *m, const tt_job *job, const options *o)
{
    tt_prepared done;
    tt_tok *tok = NULL;
    double start = tt_now();
    if (o->verify) {
        TT_TRY(tt_store_verify(m, job->data.store));
        tt_log("%s: every checksum is right", job->data.store);
        return TT_OK;
    }
    TT_TRY(tt_agree(m, open_tokenizer(job, &tok)));
    tt_err e = tt_prepare(m, job, tok, &o->o, &done);
    if (e == TT_OK && done.finished) e = search(m, job);
    int64_t memory = tt_rss_peak_bytes();
    tt_allmax_i64(m, &memory, 1);
    if (e == TT_OK) report(job->data.store, &done, tt_now() - start, memory);
    tt_tok_close(tok);
    return e;
}

tt_err tt_verb_prepare(const tt_mesh *m, const tt_args *args)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_job *job = NULL;
    options o = {0};
    tt_err e = tt_agree(m, read_args(args, a, &o, &job));
    if (e == TT_OK) {
        tt_watch_start(m, (int)job->mesh.watchdog);
        e = run(m, job, &o);
        tt_watch_stop();
    }
    tt_arena_free(a);
    return e;
}
