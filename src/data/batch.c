/* Global batches: lengths by all ranks in shares, the same packing everywhere, ids where they are needed. */
#include "tutti/data.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_GUESS = 128 }; /* tokens of an example before any is known */

typedef struct item { /* a draw whose lengths are known */
    tt_draw draw;
    tt_sizes size;
    int32_t *ids; /* source then target, heap; NULL where another rank made them */
} item;

struct tt_batcher {
    const tt_mesh *m;
    const tt_job *job;
    const tt_mix *mix;
    tt_maker maker;
    int pad_id;
    tt_deal deal; /* of grains */
    int64_t base; /* draw of item[0] */
    int n, cap;
    item *item;
    int64_t seen_tokens, seen_draws; /* for the size of the next window; the same on all ranks */
    tt_arena *a;                     /* the batch */
    tt_batch batch;
};

tt_err tt_batcher_new(const tt_mesh *m, const tt_job *job, const tt_sets *sets, const tt_mix *mix, const tt_tok *tok,
                      int pad_id, tt_batcher **out)
{
    if (job->train.objective == TT_OBJ_SPAN && tt_tok_sentinel(tok, 0) < 0)
        return tt_fail(TT_EJOB, "train.objective: span needs a tokenizer with <extra_id_0> ...; this one has none");
    tt_batcher *b = tt_malloc(sizeof *b);
    *b = (tt_batcher){.m = m, .job = job, .mix = mix, .pad_id = pad_id, .a = tt_arena_new(1 << 20)};
    b->deal = (tt_deal){.rank = m->rank, .size = m->size};
    tt_maker_init(&b->maker, job, sets, tok);
    *out = b;
    return TT_OK;
}

/* Forgets the first k items. */
static void drop(tt_batcher *b, int k)
{
    for (int i = 0; i < k; i++) free(b->item[i].ids);
    if (k) memmove(b->item, b->item + k, sizeof *b->item * (size_t)(b->n - k));
    b->n -= k;
    b->base += k;
}

void tt_batcher_deal(tt_batcher *b, tt_deal deal) { b->deal = deal; }

void tt_batcher_free(tt_batcher *b)
{
    if (!b) return;
    drop(b, b->n);
    free(b->item);
    tt_maker_fini(&b->maker);
    tt_arena_free(b->a);
    free(b);
}

/* ---- the window of known lengths ---------------------------------------------------------------------------------------*/

/* Draws enough for tokens more, by the mean so far. */
static int window(const tt_batcher *b, int64_t tokens, int64_t most)
{
    int64_t mean = b->seen_draws ? b->seen_tokens / b->seen_draws : FIRST_GUESS;
    int64_t w = tokens / (mean > 0 ? mean : 1) * 9 / 8 + 8;
    return (int)(w < most ? w : most);
}

static tt_err make_own(tt_batcher *b, int from, int w, tt_sizes *mine)
{
    int64_t lo, hi;
    tt_share(w, b->m->rank, b->m->size, &lo, &hi);
    for (int64_t i = lo; i < hi; i++) {
        item *it = &b->item[from + i];
        TT_TRY(tt_maker_ids(&b->maker, b->base + from + i, it->draw, &it->ids, &it->size));
        mine[i - lo] = it->size;
    }
    return TT_OK;
}

/* Collective. Lengths of w more draws. */
static tt_err extend(tt_batcher *b, int w)
{
    int from = b->n;
    if (from + w > b->cap) {
        b->cap = 2 * (from + w);
        b->item = tt_realloc(b->item, sizeof *b->item * (size_t)b->cap);
    }
    for (int i = from; i < from + w; i++) b->item[i] = (item){.draw = tt_mix_draw(b->mix, b->base + i)};
    b->n += w;
    tt_sizes *mine = tt_malloc(sizeof *mine * (size_t)w), *all;
    size_t *off = tt_malloc(sizeof *off * (size_t)(b->m->size + 1));
    tt_err e = tt_agree(b->m, make_own(b, from, w, mine));
    if (e == TT_OK) {
        int64_t lo, hi;
        tt_share(w, b->m->rank, b->m->size, &lo, &hi);
        tt_allgatherv(b->m, mine, sizeof *mine * (size_t)(hi - lo), (void **)&all, off);
        for (int i = 0; i < w; i++) {
            b->item[from + i].size = all[i];
            b->seen_tokens += all[i].S + all[i].T;
        }
        b->seen_draws += w;
        free(all);
    }
    free(mine);
    free(off);
    return e;
}

/* Collective. *n items from the first are the batch: what fits the budget, at least one, at most limit. */
static tt_err gather_batch(tt_batcher *b, int64_t limit, int *n)
{
    int64_t tokens = 0, budget = b->job->train.batch_tokens;
    for (*n = 0; *n < limit; ++*n) {
        if (*n == b->n) TT_TRY(extend(b, window(b, budget - tokens, limit - *n)));
        tokens += b->item[*n].size.S + b->item[*n].size.T;
        if (tokens > budget && *n > 0) return TT_OK;
    }
    return TT_OK;
}

/* ---- cutting into grains ------------------------------------------------------------------------------------------------*/

typedef struct bin {
    int64_t cost, grain;
} bin;

/* Work of an example, in arbitrary units: linear layers and the head by token, attention by pair. A decoder token passes one
 * attention more and the head. Integers, so that every machine cuts alike. */
static int64_t cost(const tt_sizes *s)
{
    int64_t S = s->S, T = s->T;
    return 512 * S + 1024 * T + S * S + T * T + S * T;
}

typedef struct ranked {
    int64_t cost;
    int at;
} ranked;

static int longest_first(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->cost != b->cost) return a->cost > b->cost ? -1 : 1;
    return a->at - b->at;
}

static bool lighter(const bin *a, const bin *b) { return a->cost != b->cost ? a->cost < b->cost : a->grain < b->grain; }

/* The root of a heap (lightest first) grew: moves it down to its place. */
static void sink(bin *heap, int64_t n)
{
    for (int64_t i = 0;;) {
        int64_t least = i;
        for (int64_t c = 2 * i + 1; c <= 2 * i + 2; c++)
            if (c < n && lighter(&heap[c], &heap[least])) least = c;
        if (least == i) return;
        bin t = heap[i];
        heap[i] = heap[least];
        heap[least] = t;
        i = least;
    }
}

/* Longest first, each to the lightest grain. grain[n] of the items. */
static void balance(const tt_batcher *b, int n, int64_t G, int64_t *grain)
{
    ranked *order = tt_malloc(sizeof *order * (size_t)n);
    bin *heap = tt_malloc(sizeof *heap * (size_t)G);
    for (int i = 0; i < n; i++) order[i] = (ranked){cost(&b->item[i].size), i};
    qsort(order, (size_t)n, sizeof *order, longest_first);
    for (int64_t g = 0; g < G; g++) heap[g] = (bin){0, g};
    for (int i = 0; i < n; i++) {
        grain[order[i].at] = heap[0].grain;
        heap[0].cost += order[i].cost;
        sink(heap, G);
    }
    free(order);
    free(heap);
}

static void count(tt_batcher *b, int n)
{
    tt_batch *o = &b->batch;
    for (int i = 0; i < n; i++) {
        const tt_sizes *s = &b->item[i].size;
        o->src_tokens += s->S;
        o->tgt_tokens += s->T;
        o->truncated += s->cut;
    }
    o->examples = n;
}

/* Examples of every grain in the order of their draws. */
static void fill_grains(tt_batcher *b, int n, const int64_t *grain)
{
    tt_batch *o = &b->batch;
    for (int i = 0; i < n; i++) o->grain[grain[i]].B++;
    for (int64_t g = 0; g < o->G; g++) {
        o->grain[g].ex = TT_NEW(b->a, tt_ex, o->grain[g].B);
        o->grain[g].B = 0;
    }
    for (int i = 0; i < n; i++) {
        const item *it = &b->item[i];
        tt_grain *g = &o->grain[grain[i]];
        g->Rs += it->size.S;
        g->Rt += it->size.T;
        g->ex[g->B++] = (tt_ex){it->draw.set, b->base + i, it->draw.row, it->size.S, it->size.T, NULL, NULL};
    }
}

/* ids of the examples of grain g, made here if another rank counted them. */
static tt_err own_grain(tt_batcher *b, tt_grain *g)
{
    for (int i = 0; i < g->B; i++) {
        tt_ex *ex = &g->ex[i];
        item *it = &b->item[ex->draw - b->base];
        tt_sizes size = it->size;
        if (!it->ids) TT_TRY(tt_maker_ids(&b->maker, ex->draw, it->draw, &it->ids, &size));
        if (size.S != ex->S || size.T != ex->T)
            TT_BUG("draw %lld has %d+%d tokens here, %d+%d elsewhere: the ranks' data or tokenizers differ",
                   (long long)ex->draw, size.S, size.T, ex->S, ex->T);
        ex->src = it->ids;
        ex->tgt = it->ids + ex->S;
    }
    tt_grain_make(b->a, g->B, g->ex, b->pad_id, g);
    return TT_OK;
}

static tt_err own_grains(tt_batcher *b)
{
    for (int64_t g = 0; g < b->batch.G; g++)
        if (tt_deal_has(&b->deal, b->batch.G, g)) TT_TRY(own_grain(b, &b->batch.grain[g]));
    return TT_OK;
}

tt_err tt_batcher_get(tt_batcher *b, int64_t first, int64_t limit, const tt_batch **out)
{
    bool known = first >= b->base && first <= b->base + b->n;
    drop(b, known ? (int)(first - b->base) : b->n);
    b->base = first;
    tt_arena_reset(b->a);
    int n;
    TT_TRY(gather_batch(b, limit > 0 ? limit : INT32_MAX, &n));
    int64_t G = b->job->train.grains;
    b->batch = (tt_batch){.first = first, .next = first + n, .G = G, .grain = TT_ZNEW(b->a, tt_grain, G)};
    int64_t *grain = TT_NEW(b->a, int64_t, n);
    balance(b, n, G, grain);
    count(b, n);
    fill_grains(b, n, grain);
    TT_TRY(tt_agree(b->m, own_grains(b)));
    *out = &b->batch;
    return TT_OK;
}
