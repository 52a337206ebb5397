/* From a job to a run: tokenizer, model, data sets, mixture, optimizer. */
#include "run.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_err open_tokenizer(run *r)
{
    const tt_job *j = r->job;
    const char *dir = j->tokenizer.path ? j->tokenizer.path : j->model.path;
    if (!dir)
        return tt_fail(TT_EJOB, "%s: no tokenizer; set tokenizer.path to the folder that holds spiece.model", j->file);
    return tt_tok_open(dir, &r->tok);
}

/* Collective. Weights of a folder or checkpoint, or drawn from the seed for a bare config. */
static tt_err open_model(run *r)
{
    const tt_job *j = r->job;
    if (j->model.path) return tt_model_open_all(r->m, j->model.path, &r->model);
    if (!j->model.config)
        return tt_fail(TT_EJOB,
                       "%s: no model; set model.path (a Hugging Face folder) or model.config (a config.json to start "
                       "from scratch)",
                       j->file);
    TT_TRY(tt_agree(r->m, tt_model_new(j->model.config, &r->model)));
    tt_pars *pars = tt_model_pars(r->model);
    tt_pars_draw(pars, (uint64_t)j->seed);
    tt_bcast(r->m, pars->w, sizeof(float) * (size_t)pars->size, 0); /* another libm may round log and cos otherwise */
    return TT_OK;
}

static tt_err check_vocabulary(const run *r)
{
    int have = tt_tok_size(r->tok);
    int64_t V = tt_model_cfg(r->model)->V;
    if (have <= V) return TT_OK;
    return tt_fail(
        TT_EDATA,
        "tokenizer: it has %d ids but the model's vocabulary only %lld; give the tokenizer that belongs to the model",
        have, (long long)V);
}

/* Collective. */
static tt_err open_data(run *r)
{
    const tt_job *j = r->job;
    const char *quarantine = tt_sprintf(r->job_arena, "%s/quarantine.jsonl", j->run);
    if (r->m->rank == 0) remove(quarantine);
    TT_TRY(tt_sets_read(r->m, j, j->data.train, "data.train", quarantine, &r->train));
    TT_TRY(tt_sets_read(r->m, j, j->data.validation, "data.validation", quarantine, &r->validation));
    TT_TRY(tt_sets_read(r->m, j, j->data.test, "data.test", quarantine, &r->test));
    const tt_sets *all[] = {r->train, r->validation, r->test};
    figures f;
    for (int i = 0; i < 3; i++) TT_TRY(tt_agree(r->m, tt_sets_check(all[i], r->tok)));
    for (int i = 0; i < 3; i++) TT_TRY(tt_agree(r->m, figures_of(j, all[i], &f))); /* now, not after the first steps */
    TT_TRY(tt_clean_open(r->m, j, r->train, r->validation, r->test, false, &r->clean));
    TT_TRY(tt_agree(r->m, tt_sets_exemplars(r->validation, r->train)));
    TT_TRY(tt_agree(r->m, tt_sets_exemplars(r->test, r->train)));
    TT_TRY(tt_agree(r->m, tt_mix_new(j, r->train, &r->mix)));
    r->used = TT_ZNEW(r->job_arena, int64_t, r->train->n + 1);
    r->tally = TT_ZNEW(r->job_arena, tally, r->train->n + 1);
    return tt_batcher_new(r->m, j, r->train, r->mix, r->tok, tt_model_cfg(r->model)->pad_id, &r->batcher);
}

static void open_optimizer(run *r)
{
    r->base = (double)tt_rss_bytes() - (r->pars->w ? sizeof(float) * (double)r->pars->size : 0);
    r->part = r->model;
    r->zero =
        tt_zero_new(r->m, r->job, r->pars, tt_model_pars(r->part), r->job->train.grains, tt_t5_walk, r->model, r->k);
    r->opt = tt_optim_new(r->m, r->job, r->pars, r->zero, r->k);
    tt_batcher_deal(r->batcher, *tt_zero_deal(r->zero));
}

static tt_err check_job(const tt_mesh *m, const tt_job *j)
{
    if (!j->data.train) return tt_fail(TT_EJOB, "%s: data.train is empty; list the data sets to train on", j->file);
    if (j->train.steps <= 0 && j->train.epochs <= 0)
        return tt_fail(TT_EJOB, "%s: the length of the run is not given; set train.steps or train.epochs", j->file);
    TT_TRY(tt_zero_check(m, j));
    return tt_optim_check(j);
}

tt_err run_open(run *r, const tt_mesh *m, const tt_job *job)
{
    memset(r, 0, sizeof *r);
    r->m = m;
    r->job = job;
    r->best_step = -1;
    r->best_loss = INFINITY;
    r->job_arena = tt_arena_new(1 << 16);
    r->step_arena = tt_arena_new(1 << 22);
    r->grad_arena = tt_arena_new(1 << 22);
    r->ckpt_dir = tt_sprintf(r->job_arena, "%s/checkpoints", job->run);
    TT_TRY(tt_agree(m, check_job(m, job)));
    tt_blas_threads((int)job->mesh.threads);
    r->k = tt_kern_get();
    TT_TRY(tt_agree(m, r->k ? TT_OK : tt_fail_code()));
    TT_TRY(tt_agree(m, tt_blas_verify()));
    TT_TRY(tt_agree(m, m->rank == 0 ? tt_mkdirs(r->ckpt_dir) : TT_OK));
    TT_TRY(tt_agree(m, open_tokenizer(r)));
    TT_TRY(open_model(r));
    TT_TRY(tt_agree(m, check_vocabulary(r)));
    r->pars = tt_model_pars(r->model);
    r->dropout = (float)(job->train.dropout < 0 ? tt_model_cfg(r->model)->dropout : job->train.dropout);
    TT_TRY(open_data(r));
    open_optimizer(r);
    return TT_OK;
}

void run_close(run *r)
{
    if (r->opt) tt_optim_free(r->opt);
    if (r->zero) tt_zero_free(r->zero);
    if (r->batcher) tt_batcher_free(r->batcher);
    if (r->clean) tt_clean_free(r->clean);
    if (r->mix) tt_mix_free(r->mix);
    if (r->train) tt_sets_free(r->train);
    if (r->validation) tt_sets_free(r->validation);
    if (r->test) tt_sets_free(r->test);
    if (r->model) tt_model_free(r->model);
    if (r->tok) tt_tok_close(r->tok);
    if (r->metrics) fclose(r->metrics);
    tt_arena_free(r->step_arena);
    tt_arena_free(r->grad_arena);
    tt_arena_free(r->job_arena);
}

int64_t run_total_draws(const run *r)
{
    if (r->job->train.steps > 0) return 0;
    return (int64_t)llround(r->job->train.epochs * (double)tt_mix_epoch(r->mix));
}

int64_t run_total_steps(const run *r)
{
    if (r->job->train.steps > 0) return r->job->train.steps;
    if (r->step == 0 || r->draw == 0) return 1;
    int64_t left = run_total_draws(r) - r->draw;
    return r->step + (int64_t)ceil((double)left * (double)r->step / (double)r->draw);
}

bool run_done(const run *r)
{
    return r->job->train.steps > 0 ? r->step >= r->job->train.steps : r->draw >= run_total_draws(r);
}
