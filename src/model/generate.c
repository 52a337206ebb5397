/* Generation: sources come in and leave, their rows are decoded together. Greedy, sampling and beam search. */
#include "beam.h"
#include "decode.h"
#include "logits.h"

#include <math.h>
#include <string.h>

typedef struct row { /* one answer in the making */
    int slot;
    int n;        /* new tokens */
    int32_t *ids; /* [max_new+1]: the start token, then the new ones */
    float *logp;  /* [max_new] of the new tokens; not kept in a beam search */
    double sum;   /* of log-probabilities */
    bool open;
} row;

typedef struct group { /* a source and its rows */
    bool active;
    int64_t number;
    uint64_t key;
    int source, first; /* in the decoder; row of this step */
    int n;             /* rows: all of them, or those of the beam that are open */
    row *row, *next;   /* [width] each; next: a beam's rows after the step */
    tt_beams beams;
    bool done;
} group;

typedef struct engine {
    const tt_model *m;
    const tt_kern *k;
    const tt_gencfg *o;
    const tt_feed *feed;
    tt_decoder *d;
    tt_arena *a;
    int width, ngroup; /* rows of a source; sources at once */
    group *group;
    tt_decrow *rows;
    tt_cand *cand; /* [2*width] */
    float *work;   /* [V] */
    tt_reply *answer;
    bool *taken;
    /* the source that waits */
    bool waiting, over;
    tt_source next;
    int64_t count; /* sources taken so far */
} engine;

static bool is_beam(const engine *e) { return e->o->beams > 1; }

/* ---- one row: choosing a token -----------------------------------------------------------------------------------------------*/

static bool has_processors(const tt_gencfg *o, const row *r)
{
    return o->repetition_penalty != 1 || o->no_repeat_ngram > 0 || r->n < o->min_new;
}

static void process(const engine *e, const row *r, float *z)
{
    const tt_gencfg *o = e->o;
    if (o->repetition_penalty != 1) tt_logits_repetition(z, r->ids, r->n + 1, o->repetition_penalty);
    if (o->no_repeat_ngram > 0) tt_logits_no_repeat(z, r->ids, r->n + 1, o->no_repeat_ngram);
    if (r->n < o->min_new) z[e->m->cfg.eos_id] = -INFINITY;
}

static int32_t draw(const engine *e, const group *g, const row *r, float *z)
{
    const tt_gencfg *o = e->o;
    int64_t V = e->m->cfg.V;
    tt_rkey key = tt_key(o->seed, "sample", g->key, (uint64_t)(r - g->row), 0);
    if (o->temperature != 1) tt_logits_temperature(z, V, o->temperature);
    if (o->top_k > 0) tt_logits_top_k(z, V, o->top_k);
    if (o->top_p < 1) tt_logits_top_p(z, V, o->top_p);
    return tt_logits_draw(z, V, tt_rand01(key, (uint64_t)r->n));
}

static void take_token(const engine *e, row *r, int32_t id, double logp)
{
    r->logp[r->n] = (float)logp;
    r->ids[++r->n] = id;
    r->sum += logp;
    r->open = id != e->m->cfg.eos_id && r->n < e->o->max_new;
}

static void choose(engine *e, const group *g, row *r, const float *z)
{
    int64_t V = e->m->cfg.V, best;
    double lse = e->k->logsumexp(V, z, &best);
    if (e->o->sample || has_processors(e->o, r)) {
        memcpy(e->work, z, sizeof *z * (size_t)V);
        process(e, r, e->work);
        if (e->o->sample)
            best = draw(e, g, r, e->work);
        else
            e->k->logsumexp(V, e->work, &best);
    }
    take_token(e, r, (int32_t)best, z[best] - lse);
}

/* ---- one source: beams ---------------------------------------------------------------------------------------------------------*/

static int gather_candidates(engine *e, const group *g, const float *z)
{
    int64_t V = e->m->cfg.V;
    int n = 0;
    for (int i = 0; i < g->n; i++, z += V) {
        const row *r = &g->row[i];
        double lse = e->k->logsumexp(V, z, NULL);
        const float *use = z;
        if (has_processors(e->o, r)) { /* they work on log-probabilities here */
            for (int64_t v = 0; v < V; v++) e->work[v] = (float)(z[v] - lse);
            process(e, r, e->work);
            use = e->work;
            lse = 0;
        }
        n = tt_cands_merge(e->cand, n, 2 * e->width, i, r->sum, lse, use, V);
    }
    return n;
}

static void extend(row *to, const row *from, const tt_cand *c)
{
    memcpy(to->ids, from->ids, sizeof *to->ids * (size_t)(from->n + 1));
    to->n = from->n + 1;
    to->ids[to->n] = c->id;
    to->sum = c->score;
    to->open = true;
}

/* The rows after a step from the candidates, the best first: an end finishes a hypothesis if it is among the first width. */
static int next_rows(engine *e, group *g, int ncand, int *parent)
{
    int n = 0, end = e->m->cfg.eos_id;
    for (int i = 0; i < ncand && n < e->width; i++) {
        const tt_cand *c = &e->cand[i];
        row *from = &g->row[c->row];
        if (c->id != end) {
            parent[n] = c->row;
            extend(&g->next[n++], from, c);
        } else if (i < e->width) {
            from->ids[from->n + 1] = end;
            tt_beams_add(&g->beams, from->ids + 1, from->n + 1, c->score);
        }
    }
    return n;
}

/* A parent's first child keeps its slot, the others get a copy of it in a slot that nobody needs any more. */
static void give_slots(engine *e, group *g, int n, const int *parent)
{
    int base = (int)(g - e->group) * e->width;
    bool used[TT_BEAMS_MOST] = {false}, kept[TT_BEAMS_MOST] = {false};
    for (int i = 0; i < n; i++) {
        int slot = g->row[parent[i]].slot;
        g->next[i].slot = kept[slot - base] ? -1 : slot;
        kept[slot - base] = used[slot - base] = true;
    }
    for (int i = 0, free = 0; i < n; i++) {
        if (g->next[i].slot >= 0) continue;
        while (used[free]) free++;
        used[free] = true;
        g->next[i].slot = base + free;
        tt_decoder_copy(e->d, g->row[parent[i]].slot, base + free, g->row[parent[i]].n + 1);
    }
}

static void advance_beams(engine *e, group *g, const float *z)
{
    int parent[TT_BEAMS_MOST], ncand = gather_candidates(e, g, z);
    int n = next_rows(e, g, ncand, parent), t = g->row[0].n + 1;
    give_slots(e, g, n, parent);
    row *swap = g->row;
    g->row = g->next;
    g->next = swap;
    g->n = n;
    bool full = ncand == 0 || tt_beams_done(&g->beams, e->cand[0].score, t);
    if (!full && t == e->o->max_new)
        for (int i = 0; i < n; i++) tt_beams_add(&g->beams, g->row[i].ids + 1, g->row[i].n, g->row[i].sum);
    g->done = full || n == 0 || t == e->o->max_new;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------------------*/

static int beam_answers(engine *e, const group *g)
{
    int n = 0;
    memset(e->taken, 0, sizeof *e->taken * (size_t)(e->width + 1));
    for (int i; n < e->o->nreturn && (i = tt_beams_best(&g->beams, e->taken)) >= 0; n++) {
        const tt_hyp *h = &g->beams.hyp[i];
        e->taken[i] = true;
        e->answer[n] = (tt_reply){.n = h->n, .ids = h->ids, .score = h->score};
    }
    return n;
}

static tt_err finish(engine *e, group *g)
{
    int n = is_beam(e) ? beam_answers(e, g) : g->n;
    for (int i = 0; i < n && !is_beam(e); i++) {
        const row *r = &g->row[i];
        e->answer[i] = (tt_reply){.n = r->n, .ids = r->ids + 1, .score = r->sum, .logp = r->logp};
    }
    tt_decoder_leave(e->d, g->source);
    g->active = false;
    return e->feed->done(e->feed->ctx, g->number, n, e->answer);
}

static tt_err advance(engine *e, group *g, const float *z)
{
    z += (int64_t)g->first * e->m->cfg.V;
    if (is_beam(e)) {
        advance_beams(e, g, z);
    } else {
        g->done = true;
        for (int i = 0; i < g->n; i++) {
            row *r = &g->row[i];
            if (!r->open) continue;
            choose(e, g, r, z);
            z += e->m->cfg.V;
            g->done = g->done && !r->open;
        }
    }
    return g->done ? finish(e, g) : TT_OK;
}

/* ---- sources come in --------------------------------------------------------------------------------------------------------------*/

/* The next source into e->next, if none waits. */
static tt_err look_ahead(engine *e)
{
    char what[40];
    if (e->waiting || e->over) return TT_OK;
    bool more = true;
    TT_TRY(e->feed->next(e->feed->ctx, &e->next, &more));
    e->waiting = more;
    e->over = !more;
    if (!more) return TT_OK;
    snprintf(what, sizeof what, "source %lld", (long long)e->count + 1);
    return tt_model_check_ids(e->m, e->next.ids, e->next.S, what);
}

static void begin_group(engine *e, group *g)
{
    *g = (group){
        .active = true, .number = e->count++, .key = e->next.key, .row = g->row, .next = g->next, .beams = g->beams};
    g->n = is_beam(e) ? 1 : e->width; /* the rows of a beam are alike before the first token */
    for (int i = 0; i < e->width; i++) {
        row *r = &g->row[i];
        *r = (row){.slot = (int)(g - e->group) * e->width + i, .ids = r->ids, .logp = r->logp, .open = true};
        r->ids[0] = e->m->cfg.start_id;
    }
    tt_beams_clear(&g->beams);
}

static group *free_group(engine *e)
{
    for (int i = 0; i < e->ngroup; i++)
        if (!e->group[i].active) return &e->group[i];
    return NULL;
}

/* Lets sources in as long as there is room. They are encoded one after the other: each by itself fills the processor. */
static tt_err admit(engine *e)
{
    group *g;
    for (; (g = free_group(e)); e->waiting = false) {
        TT_TRY(look_ahead(e));
        if (!e->waiting || !tt_decoder_fits(e->d, e->next.S)) return TT_OK;
        begin_group(e, g);
        tt_decoder_enter(e->d, 1, &e->next.ids, &e->next.S, &g->source);
    }
    return TT_OK;
}

/* ---- steps -------------------------------------------------------------------------------------------------------------------------*/

static int lay_rows(engine *e)
{
    int n = 0;
    for (int i = 0; i < e->ngroup; i++) {
        group *g = &e->group[i];
        g->first = n;
        for (int j = 0; g->active && j < g->n; j++) {
            const row *r = &g->row[j];
            if (r->open) e->rows[n++] = (tt_decrow){r->slot, g->source, r->n, r->ids[r->n]};
        }
    }
    return n;
}

static tt_err run(engine *e)
{
    for (;;) {
        TT_TRY(admit(e));
        int n = lay_rows(e);
        if (n == 0) return TT_OK;
        const float *z = tt_decoder_step(e->d, n, e->rows);
        for (int i = 0; i < e->ngroup; i++)
            if (e->group[i].active) TT_TRY(advance(e, &e->group[i], z));
        tt_watch_kick("generation");
    }
}

static row *make_rows(engine *e)
{
    row *r = TT_ZNEW(e->a, row, e->width);
    for (int i = 0; i < e->width; i++) {
        r[i].ids = TT_NEW(e->a, int32_t, e->o->max_new + 1);
        r[i].logp = TT_NEW(e->a, float, e->o->max_new);
    }
    return r;
}

static void make_groups(engine *e)
{
    const tt_gencfg *o = e->o;
    e->width = is_beam(e) ? o->beams : o->nreturn;
    e->ngroup = o->rows / e->width > 0 ? o->rows / e->width : 1;
    e->group = TT_ZNEW(e->a, group, e->ngroup);
    for (int i = 0; i < e->ngroup; i++) {
        group *g = &e->group[i];
        g->row = make_rows(e);
        g->next = make_rows(e);
        tt_beams_init(&g->beams, e->a, e->width, o->max_new, o->length_penalty, o->early);
    }
    e->rows = TT_NEW(e->a, tt_decrow, e->ngroup * e->width);
    e->cand = TT_NEW(e->a, tt_cand, 2 * e->width);
    e->work = TT_NEW(e->a, float, e->m->cfg.V);
    e->answer = TT_NEW(e->a, tt_reply, e->width);
    e->taken = TT_NEW(e->a, bool, e->width + 1);
    e->d = tt_decoder_new(e->m, e->k, e->ngroup, e->ngroup * e->width, o->max_new);
}

tt_err tt_gencfg_check(const tt_gencfg *o, const tt_model *m)
{
    if (o->max_new < 1 || o->rows < 1 || o->beams < 1 || o->beams > TT_BEAMS_MOST || o->nreturn < 1)
        return tt_fail(TT_EJOB, "generation: new tokens, rows, beams (at most %d) and answers must be 1 or more",
                       TT_BEAMS_MOST);
    if (o->sample && o->beams > 1)
        return tt_fail(TT_EJOB, "generation: beams are not sampled; set beams to 1 or sample to false");
    if (o->nreturn > 1 && !o->sample && o->nreturn > o->beams)
        return tt_fail(TT_EJOB, "generation: %d answers of a prompt need as many beams (there are %d), or sampling",
                       o->nreturn, o->beams);
    if (!(o->temperature > 0) || !(o->top_p > 0) || !(o->repetition_penalty > 0))
        return tt_fail(TT_EJOB, "generation: temperature, top_p and repetition_penalty must be above 0");
    if (2 * (int64_t)o->beams > tt_model_cfg(m)->V && o->beams > 1)
        return tt_fail(TT_EJOB, "generation: %d beams need a vocabulary of twice as many tokens", o->beams);
    if (tt_model_cfg(m)->encoder_only) return tt_fail(TT_EFILE, "generation: the model has no decoder");
    return TT_OK;
}

tt_err tt_generate(const tt_model *m, const tt_kern *k, const tt_gencfg *o, const tt_feed *feed)
{
    TT_TRY(tt_gencfg_check(o, m));
    engine e = {.m = m, .k = k, .o = o, .feed = feed, .a = tt_arena_new(1 << 20)};
    make_groups(&e);
    tt_err err = run(&e);
    tt_decoder_free(e.d);
    tt_arena_free(e.a);
    return err;
}

/* ---- a list of sources ------------------------------------------------------------------------------------------------------------*/

typedef struct list {
    int n, at;
    const int32_t *const *src;
    const int *S;
    tt_ids *out;
    float *const *logp;
} list;

static tt_err next_of_list(void *ctx, tt_source *out, bool *more)
{
    list *l = ctx;
    *more = l->at < l->n;
    if (*more) *out = (tt_source){.ids = l->src[l->at], .S = l->S[l->at], .key = (uint64_t)l->at};
    l->at++;
    return TT_OK;
}

static tt_err done_of_list(void *ctx, int64_t number, int n, const tt_reply *answer)
{
    list *l = ctx;
    for (int i = 0; i < answer->n; i++) tt_ids_push(&l->out[number], answer->ids[i]);
    if (l->logp) memcpy(l->logp[number], answer->logp, sizeof(float) * (size_t)answer->n);
    return TT_OK;
}

tt_err tt_generate_list(const tt_model *m, const tt_kern *k, const tt_gencfg *o, int n, const int32_t *const *src,
                        const int *S, tt_ids *out, float *const *logp)
{
    list l = {n, 0, src, S, out, logp};
    for (int i = 0; i < n; i++) out[i].n = 0;
    return tt_generate(m, k, o, &(tt_feed){&l, next_of_list, done_of_list});
}
