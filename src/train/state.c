/* What a checkpoint holds, and how a run comes back from one. */
#include "run.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t optimizer_hash(const run *r)
{
    return (int64_t)(tt_key((uint64_t)r->job->optim.name, "optimizer", (uint64_t)r->job->optim.adafactor.rule, 0, 0) >>
                     1);
}

/* One row per scalar of /state: everything that a resumed run needs besides the arrays. */
static int state_attrs(const run *r, tt_ckattr *a)
{
    const tt_ckattr rows[] = {
        {"step", false, r->step, 0},
        {"draw", false, r->draw, 0},
        {"updates", false, tt_optim_t(r->opt), 0},
        {"examples", false, r->examples, 0},
        {"source_tokens", false, r->src_tokens, 0},
        {"target_tokens", false, r->tgt_tokens, 0},
        {"truncated", false, r->truncated, 0},
        {"skipped_steps", false, r->skipped, 0},
        {"best_step", false, r->best_step, 0},
        {"best_loss", true, 0, r->best_loss},
        {"seed", false, r->job->seed, 0},
        {"grains", false, r->job->train.grains, 0},
        {"batch_tokens", false, r->job->train.batch_tokens, 0},
        {"mixture", false, tt_mix_hash(r->mix), 0},
        {"optimizer", false, optimizer_hash(r), 0},
    };
    int n = (int)(sizeof rows / sizeof *rows);
    memcpy(a, rows, sizeof rows);
    return n;
}

enum { MAX_ATTRS = 32 };

static const tt_ckattr *attr(const tt_ckpt *c, const char *name)
{
    for (int i = 0; i < c->nattr; i++)
        if (!strcmp(c->attr[i].name, name)) return &c->attr[i];
    TT_BUG("no state attribute %s", name);
}

static char *file_text(const char *path)
{
    char *text = NULL;
    size_t size;
    if (tt_slurp(path, &text, &size) != TT_OK) tt_fail_clear();
    return text;
}

/* [name, examples drawn] per data set in the order of the list; the names are checked by the mixture's hash. */
static char *usage_text(const run *r)
{
    json_t *o = json_array();
    for (int i = 0; i < r->train->n; i++)
        json_array_append_new(o, json_pack("[s, I]", tt_set_info(r->train->set[i])->name, (json_int_t)r->used[i]));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static void usage_restore(run *r, const char *text)
{
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    for (int i = 0; i < r->train->n; i++)
        r->used[i] = json_integer_value(json_array_get(json_array_get(o, (size_t)i), 1));
    json_decref(o);
}

tt_err state_save(run *r)
{
    tt_mark mark = tt_arena_mark(r->job_arena);
    tt_watch_kick("writing a checkpoint");
    tt_ckattr attrs[MAX_ATTRS];
    tt_ckpt c = {.attr = attrs, .nattr = state_attrs(r, attrs)};
    tt_optim_arrays(r->opt, r->job_arena, false, &c.narray, &c.array);
    const char *tok = r->job->tokenizer.path ? r->job->tokenizer.path : r->job->model.path;
    char hash[33] = "", *usage = usage_text(r);
    char *job = file_text(tt_sprintf(r->job_arena, "%s/job.resolved.yaml", r->job->run));
    tt_tok_hash(r->tok, hash);
    tt_cktext text[] = {
        {"job", job ? job : ""},
        {"model_config", (char *)tt_model_json(r->model)},
        {"tokenizer_path", (char *)tok},
        {"tokenizer_hash", hash},
        {"usage", usage},
    };
    c.text = text;
    c.ntext = (int)(sizeof text / sizeof *text);
    tt_err e = tt_ckpt_write(r->m, r->ckpt_dir, r->step, &c);
    if (e == TT_OK)
        e = tt_ckpt_prune(r->m, r->ckpt_dir, r->job->checkpoint.keep, r->job->checkpoint.best ? r->best_step : -1);
    free(job);
    free(usage);
    tt_arena_rewind(r->job_arena, mark);
    tt_watch_kick("checkpoint written");
    return e;
}

static tt_err check_same_run(const run *r, const tt_ckpt *c, const char *path)
{
    if (attr(c, "mixture")->i != tt_mix_hash(r->mix))
        return tt_fail(TT_EFILE,
                       "%s: it was written with other data sets, rows, caps or shares, so its place in the mixture "
                       "means nothing here; "
                       "start another run with run=DIR model.path=%s",
                       path, path);
    const char *same[] = {"seed", "grains", "batch_tokens"};
    int64_t now[] = {r->job->seed, r->job->train.grains, r->job->train.batch_tokens};
    for (int i = 0; i < 3; i++)
        if (attr(c, same[i])->i != now[i])
            tt_warn_once(
                same[i],
                "%s was %lld when this run began and is %lld now: its end will not have the bits of an unbroken run",
                same[i], (long long)attr(c, same[i])->i, (long long)now[i]);
    return TT_OK;
}

/* Collective. */
static tt_err load(run *r, const char *path)
{
    tt_ckattr attrs[MAX_ATTRS];
    tt_ckpt c = {.attr = attrs, .nattr = state_attrs(r, attrs)};
    tt_optim_arrays(r->opt, r->job_arena, true, &c.narray, &c.array);
    tt_cktext text[] = {{"usage", NULL}};
    c.text = text;
    c.ntext = 1;
    TT_TRY(tt_ckpt_read(r->m, path, r->job_arena, &c));
    TT_TRY(tt_agree(r->m, check_same_run(r, &c, path)));
    tt_zero_spread(r->zero);
    r->step = attr(&c, "step")->i;
    r->draw = attr(&c, "draw")->i;
    r->examples = attr(&c, "examples")->i;
    r->src_tokens = attr(&c, "source_tokens")->i;
    r->tgt_tokens = attr(&c, "target_tokens")->i;
    r->truncated = attr(&c, "truncated")->i;
    r->skipped = attr(&c, "skipped_steps")->i;
    r->best_step = attr(&c, "best_step")->i;
    r->best_loss = attr(&c, "best_loss")->r;
    tt_optim_set_t(r->opt, attr(&c, "updates")->i);
    usage_restore(r, text[0].text);
    return TT_OK;
}

tt_err state_resume(run *r)
{
    const char *path = NULL;
    TT_TRY(tt_ckpt_claim(r->m, r->ckpt_dir)); /* from here on an earlier incarnation of this job can commit nothing */
    TT_TRY(tt_ckpt_latest(r->m, r->ckpt_dir, r->job_arena, &path));
    int how = r->job->train.resume;
    if (path && how == TT_RESUME_NEVER)
        return tt_fail(TT_EJOB,
                       "%s: holds the checkpoints of an earlier run; choose another folder with run=DIR, or "
                       "train.resume=auto to go on",
                       r->ckpt_dir);
    if (!path && how == TT_RESUME_MUST)
        return tt_fail(TT_EFILE, "%s: no checkpoint to resume from; train.resume=auto starts from the beginning",
                       r->ckpt_dir);
    if (!path) return TT_OK;
    tt_mark mark = tt_arena_mark(r->job_arena);
    tt_err e = load(r, path);
    tt_arena_rewind(r->job_arena, mark);
    if (e == TT_OK) tt_log("resumed at step %lld from %s", (long long)r->step, path);
    return e;
}
