/* Evaluating a model on data sets: the parts in order. */
#include "harness.h"

#include <stdlib.h>

tt_gencfg tt_eval_gencfg(const tt_job *j)
{
    tt_gencfg o = TT_GENCFG_DEFAULT;
    o.max_new = (int)j->eval.max_new_tokens;
    o.min_new = (int)j->eval.min_new_tokens;
    o.beams = (int)j->eval.beams;
    o.length_penalty = j->eval.length_penalty;
    o.early = j->eval.early_stopping;
    o.sample = j->eval.sample;
    o.temperature = j->eval.temperature;
    o.top_p = j->eval.top_p;
    o.top_k = j->eval.top_k;
    o.repetition_penalty = j->eval.repetition_penalty;
    o.no_repeat_ngram = (int)j->eval.no_repeat_ngram;
    o.seed = (uint64_t)j->seed;
    o.rows = (int)j->eval.rows;
    return o;
}

tt_err tt_eval_run(const tt_mesh *m, const tt_job *job, const tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, json_t **result)
{
    harness h = {
        .m = m, .job = job, .model = model, .tok = tok, .sets = sets, .k = tt_kern_get(), .gen = tt_eval_gencfg(job)};
    *result = NULL;
    TT_TRY(tt_agree(m, tt_gencfg_check(&h.gen, model)));
    h.a = tt_arena_new(1 << 16);
    h.block = tt_arena_new(1 << 20);
    tt_maker_init(&h.maker, job, sets, tok);
    tt_err e = harness_plan(&h);
    if (e == TT_OK) e = harness_answer(&h);
    if (e == TT_OK) e = harness_results(&h, predictions, result);
    tt_maker_fini(&h.maker);
    tt_arena_free(h.block);
    tt_arena_free(h.a);
    free(h.out);
    return e;
}
