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

/* Collective. The model of a folder or checkpoint, whose weights rank 0 has, or of a bare config, whose weights nobody has yet. */
static tt_err open_model(run *r)
{
    const tt_job *j = r->job;
    if (j->model.path) return tt_model_open_first(r->m, j->model.path, &r->model);
    if (!j->model.config)
        return tt_fail(TT_EJOB,
                       "%s: no model; set model.path (a Hugging Face folder) or model.config (a config.json to start "
                       "from scratch)",
                       j->file);
    return tt_agree(r->m, tt_model_new_bare(j->model.config, &r->model));
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

/* Collective. Row by row from rank 0, who has them in have or draws them (another libm may round log and cos otherwise): no rank
 * holds more than it keeps and one row. */
static void share_weights(run *r, const float *have)
{
    int64_t most = 0;
    for (int i = 0; i < r->pars->n; i++)
        if (r->pars->p[i].n > most) most = r->pars->p[i].n;
    float *row = tt_malloc_large(sizeof *row * (size_t)(most + 1));
    for (int i = 0; i < r->pars->n; i++) {
        const tt_par *p = &r->pars->p[i];
        if (have)
            memcpy(row, have + p->at, sizeof *row * (size_t)p->n);
        else if (!r->job->model.path && r->m->rank == 0)
            tt_par_draw(p, (uint64_t)r->job->seed, row);
        tt_bcast(r->m, row, sizeof *row * (size_t)p->n, 0);
        tt_zero_put(r->zero, i, row);
        tt_watch_kick("sharing the weights");
    }
    free(row);
}

/* Collective. */
static tt_err open_part(run *r)
{
    int tp = (int)r->job->mesh.tp;
    r->part = r->model;
    if (tp == 1) return TT_OK;
    return tt_agree(r->m, tt_model_part(r->model, r->m->tp_rank, tp, &r->part));
}

static tt_err open_optimizer(run *r)
{
    r->base = (double)tt_rss_bytes() - (r->pars->w ? sizeof(float) * (double)r->pars->size : 0);
    TT_TRY(open_part(r));
    r->base = (double)tt_rss_bytes() - (r->pars->w ? sizeof(float) * (double)r->pars->size : 0);
    bool stays = r->part == r->model && (r->job->mesh.zero < 3 || r->m->size == 1);
    float *have = stays ? r->pars->w : tt_pars_take(r->pars);
    r->zero =
        tt_zero_new(r->m, r->job, r->pars, tt_model_pars(r->part), r->job->train.grains, tt_t5_walk, r->part, r->k);
    share_weights(r, have);
    if (!stays) free(have);
    r->opt = tt_optim_new(r->m, r->job, r->pars, r->zero, r->k);
    tt_batcher_deal(r->batcher, *tt_zero_deal(r->zero));
    return TT_OK;
}

/* Collective. Every rank must be able to do what the job asks for, or none does it. */
static void settle_precision(run *r)
{
    const char *why = NULL;
    if (r->job->precision == TT_PREC_FP32) return;
    int64_t slow = !tt_half_supported(&why);
    tt_allmax_i64(r->m, &slow, 1);
    if (!slow) return;
    r->settled.precision = TT_PREC_FP32;
    tt_log("precision: bf16 was asked for, but %s; training in fp32",
           why ? why : "not every rank's CPU has instructions for it");
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
    r->mesh = *m;
    r->m = &r->mesh;
    r->settled = *job;
    r->job = &r->settled;
    r->best_step = -1;
    r->best_loss = INFINITY;
    r->job_arena = tt_arena_new(1 << 16);
    r->step_arena = tt_arena_new(1 << 22);
    r->grad_arena = tt_arena_new(1 << 22);
    r->ckpt_dir = tt_sprintf(r->job_arena, "%s/checkpoints", job->run);
    TT_TRY(tt_agree(m, check_job(m, job)));
    TT_TRY(tt_mesh_split(&r->mesh, (int)job->mesh.tp));
    settle_precision(r);
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
    return open_optimizer(r);
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
    if (r->part && r->part != r->model) tt_model_free(r->part);
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
