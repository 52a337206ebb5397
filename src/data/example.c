/* From a draw to token ids: the template's text, or a corrupted window of it. */
#include "tutti/data.h"
#include "span.h"

#include <stdlib.h>
#include <string.h>

void tt_maker_init(tt_maker *k, const tt_job *job, const tt_sets *sets, const tt_tok *tok)
{
    *k = (tt_maker){.job = job, .sets = sets, .tok = tok, .a = tt_arena_new(1 << 16)};
    while (k->max_spans < 100 && tt_tok_sentinel(tok, k->max_spans) >= 0) k->max_spans++;
}

void tt_maker_fini(tt_maker *k)
{
    tt_ids_fini(&k->src);
    tt_ids_fini(&k->tgt);
    tt_arena_free(k->a);
}

/* To max tokens; an end token stays the last. True if something was cut. */
static bool truncate_ids(tt_ids *v, int64_t max, int eos)
{
    if (max <= 0 || v->n <= max) return false;
    if (v->id[v->n - 1] == eos) v->id[max - 1] = eos;
    v->n = (int)max;
    return true;
}

static tt_err seq2seq(tt_maker *k, const tt_text *t, tt_sizes *size)
{
    TT_TRY(tt_tok_encode(k->tok, t->source, strlen(t->source), true, &k->src));
    TT_TRY(tt_tok_encode(k->tok, t->target, strlen(t->target), true, &k->tgt));
    bool s = truncate_ids(&k->src, k->job->data.max_source, tt_tok_eos(k->tok));
    bool t2 = truncate_ids(&k->tgt, k->job->data.max_target, tt_tok_eos(k->tok));
    size->cut = s || t2;
    return TT_OK;
}

/* A window of the text (source and target, if it has one) that fits after corruption, anywhere in it. */
static tt_err span(tt_maker *k, const tt_text *t, int64_t n, tt_sizes *size)
{
    const tt_job *j = k->job;
    const char *text = *t->target ? tt_sprintf(k->a, "%s\n%s", t->source, t->target) : t->source;
    tt_ids all = {0};
    TT_TRY(tt_tok_encode(k->tok, text, strlen(text), false, &all));
    tt_rkey key = tt_key((uint64_t)j->seed, "span", (uint64_t)n, 0, 0);
    int len = tt_span_fit(all.n, j->train.span_rate, j->train.span_mean, k->max_spans, (int)j->data.max_source,
                          (int)j->data.max_target);
    size->cut = len < all.n;
    if (len > all.n) len = all.n; /* a text without a token */
    int from = (int)tt_rand_below(key, 0, (uint64_t)(all.n - len) + 1);
    tt_ids_push(&all, 0); /* so that there is an array even then */
    tt_span_corrupt(k->tok, all.id + from, len, j->train.span_rate, j->train.span_mean, key, &k->src, &k->tgt);
    tt_ids_fini(&all);
    return TT_OK;
}

tt_err tt_maker_ids(tt_maker *k, int64_t n, tt_draw draw, int32_t **ids, tt_sizes *size)
{
    tt_arena_reset(k->a);
    k->src.n = k->tgt.n = 0;
    tt_text t;
    tt_set_text(k->sets->set[draw.set], draw.row, (uint64_t)k->job->seed, draw.epoch, k->a, &t);
    if (k->job->train.objective == TT_OBJ_SPAN)
        TT_TRY(span(k, &t, n, size));
    else
        TT_TRY(seq2seq(k, &t, size));
    size->S = k->src.n;
    size->T = k->tgt.n;
    *ids = tt_malloc(sizeof **ids * (size_t)(size->S + size->T));
    if (size->S) memcpy(*ids, k->src.id, sizeof **ids * (size_t)size->S);
    if (size->T) memcpy(*ids + size->S, k->tgt.id, sizeof **ids * (size_t)size->T);
    return TT_OK;
}
