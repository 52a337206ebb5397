/* From a draw to token ids: the prompt, or a corrupted window of its text. */
#include "parts.h"
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
    tt_ids_fini(&k->longer);
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

static tt_err encode_parts(const tt_maker *k, int n, const tt_part *part, tt_ids *out)
{
    out->n = 0;
    tt_tok_begin(k->tok, out);
    TT_TRY(tt_tok_join(k->tok, n, part, out));
    tt_tok_end(k->tok, out);
    return TT_OK;
}

static void swap_ids(tt_ids *x, tt_ids *y)
{
    tt_ids t = *x;
    *x = *y;
    *y = t;
}

/* Tokens that a source with exemplars may have; 0: any number. */
static int64_t prompt_limit(const tt_job *j)
{
    int64_t source = j->data.max_source, own = j->data.prompts.max_tokens;
    return own > 0 && (source <= 0 || own < source) ? own : source;
}

enum { BYTES_A_TOKEN = 4 }; /* about, in English: where the search begins, not where it ends */

/* How many of the first exemplars must go for the others to have about limit tokens. */
static int guess_drop(const tt_prompt *p, int64_t limit)
{
    size_t bytes = 0;
    for (int i = 0; i < p->nsource; i++) bytes += p->source[i].size;
    int drop = 0;
    for (; limit > 0 && drop < p->nshot && bytes > (size_t)limit * BYTES_A_TOKEN; drop++)
        for (int i = p->shot_end[drop]; i < p->shot_end[drop + 1]; i++) bytes -= p->source[i].size;
    return drop;
}

/* To k->src the source with as many of the last exemplars as fit; *drop: how many of the first do not. Long prompts are tokenized two or
 * three times, about at the length that stays, rather than once an exemplar from the full length down. */
static tt_err encode_source(tt_maker *k, const tt_prompt *p, int *drop)
{
    int64_t limit = prompt_limit(k->job);
    tt_part *part = TT_NEW(k->a, tt_part, p->nsource + 1);
    int d = guess_drop(p, limit);
    TT_TRY(encode_parts(k, tt_prompt_source(p, d, part), part, &k->src));
    bool fits = limit <= 0 || k->src.n <= limit;
    for (bool more = fits; more && d > 0; d -= more) {
        TT_TRY(encode_parts(k, tt_prompt_source(p, d - 1, part), part, &k->longer));
        more = limit <= 0 || k->longer.n <= limit;
        if (more) swap_ids(&k->src, &k->longer);
    }
    for (; !fits && d < p->nshot; fits = k->src.n <= limit)
        TT_TRY(encode_parts(k, tt_prompt_source(p, ++d, part), part, &k->src));
    *drop = d;
    return TT_OK;
}

static tt_err seq2seq(tt_maker *k, const tt_prompt *p, int *drop, tt_sizes *size)
{
    TT_TRY(encode_source(k, p, drop));
    TT_TRY(encode_parts(k, p->ntarget, p->target, &k->tgt));
    bool s = truncate_ids(&k->src, k->job->data.max_source, tt_tok_eos(k->tok));
    bool t = truncate_ids(&k->tgt, k->job->data.max_target, tt_tok_eos(k->tok));
    size->cut = s || t;
    return TT_OK;
}

static char *source_text(tt_maker *k, const tt_prompt *p, int drop)
{
    tt_part *part = TT_NEW(k->a, tt_part, p->nsource + 1);
    return tt_parts_text(k->a, tt_prompt_source(p, drop, part), part);
}

/* A window of the text (source and target, if it has one) that fits after corruption, anywhere in it. Exemplars would be the text of
 * other rows: they are left out. */
static tt_err span(tt_maker *k, const tt_prompt *p, int64_t n, int *drop, tt_sizes *size)
{
    const tt_job *j = k->job;
    const char *source = source_text(k, p, *drop = p->nshot), *target = p->ref[0];
    const char *text = *target ? tt_sprintf(k->a, "%s\n%s", source, target) : source;
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

/* The ids in src and tgt. */
static tt_err make(tt_maker *k, int64_t n, tt_draw draw, tt_prompt *p, int *drop, tt_sizes *size)
{
    tt_arena_reset(k->a);
    k->src.n = k->tgt.n = 0;
    tt_prompt_make(k->sets->set[draw.set], draw.row, (uint64_t)k->job->seed, draw.epoch, k->a, p);
    if (k->job->train.objective == TT_OBJ_SPAN)
        TT_TRY(span(k, p, n, drop, size));
    else
        TT_TRY(seq2seq(k, p, drop, size));
    size->S = k->src.n;
    size->T = k->tgt.n;
    return TT_OK;
}

tt_err tt_maker_ids(tt_maker *k, int64_t n, tt_draw draw, int32_t **ids, tt_sizes *size)
{
    tt_prompt p;
    int drop;
    TT_TRY(make(k, n, draw, &p, &drop, size));
    *ids = tt_malloc(sizeof **ids * (size_t)(size->S + size->T));
    if (size->S) memcpy(*ids, k->src.id, sizeof **ids * (size_t)size->S);
    if (size->T) memcpy(*ids + size->S, k->tgt.id, sizeof **ids * (size_t)size->T);
    return TT_OK;
}

static char *decoded(tt_maker *k, const tt_ids *ids)
{
    char *heap = tt_tok_decode(k->tok, ids->id, ids->n, false), *text = tt_strdup(k->a, heap);
    free(heap);
    return text;
}

tt_err tt_maker_show(tt_maker *k, int64_t n, tt_draw draw, tt_shown *out)
{
    int drop;
    TT_TRY(make(k, n, draw, &out->prompt, &drop, &out->size));
    const tt_prompt *p = &out->prompt;
    out->kept = p->nshot - drop;
    out->text = (tt_text){source_text(k, p, drop), p->ref[0], p->nref, p->ref};
    out->source = decoded(k, &k->src);
    out->target = decoded(k, &k->tgt);
    out->src = k->src.id;
    out->tgt = k->tgt.id;
    return TT_OK;
}
