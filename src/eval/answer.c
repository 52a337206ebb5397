/* A rank's examples through the model. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1024 /* examples held at once */,
    TOKENS = 8192 /* of sources and targets in one forward pass, at most */
};

typedef struct example {
    int64_t at;
    int set;
    bool answer; /* to be generated */
    json_t *o;   /* the line of predictions */
    int32_t *src, *tgt;
    int S, T;
    int nopt, gold;
    tt_ids *option; /* [nopt] */
    char **text;    /* [nopt] */
} example;

typedef struct block {
    harness *h;
    int n, at; /* at: generation's next */
    example *x;
    int *asked; /* [n]: examples that generation took, in its order */
    int nasked;
} block;

/* ---- making examples ------------------------------------------------------------------------------------------------------*/

static int64_t count_words(const char *s)
{
    int64_t n = 0;
    while (*(s += strspn(s, " \t\n\r"))) {
        n++;
        s += strcspn(s, " \t\n\r");
    }
    return n;
}

static int32_t *keep_ids(harness *h, const int32_t *ids, int n)
{
    int32_t *copy = TT_NEW(h->block, int32_t, n + 1);
    if (n) memcpy(copy, ids, sizeof *copy * (size_t)n);
    return copy;
}

static tt_err take_options(harness *h, int64_t row, const tt_shown *s, example *x)
{
    const tt_set *set = h->sets->set[x->set];
    tt_prompt_options(set, row, &s->prompt, h->block, &x->nopt, &x->text, &x->gold);
    if (x->nopt == 0)
        return tt_fail(TT_EDATA,
                       "%s:%lld: the answer '%.60s' is none of the options; correct the row or the entry's options, or "
                       "score the data set with answer: generate",
                       tt_set_info(set)->path, (long long)tt_set_line(set, row), s->text.ref[0]);
    x->option = TT_ZNEW(h->block, tt_ids, x->nopt);
    for (int i = 0; i < x->nopt; i++) {
        TT_TRY(tt_tok_encode(h->tok, x->text[i], strlen(x->text[i]), true, &x->option[i]));
        if (x->option[i].n > h->job->data.max_target) x->option[i].n = (int)h->job->data.max_target;
    }
    return TT_OK;
}

static json_t *texts(int n, char *const *text)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(list, json_string(text[i]));
    return list;
}

static tt_err make_example(harness *h, int64_t at, example *x)
{
    tt_shown s;
    int64_t row;
    *x = (example){.at = at};
    TT_TRY(harness_show(h, at, &x->set, &row, &s));
    const tt_set *set = h->sets->set[x->set];
    const tt_setinfo *info = tt_set_info(set);
    const setplan *p = &h->plan[x->set];
    x->S = s.size.S;
    x->T = s.size.T;
    x->src = keep_ids(h, s.src, x->S);
    x->tgt = keep_ids(h, s.tgt, x->T);
    x->answer = p->answer && !p->rank && at - h->first[x->set] < p->answered;
    x->o = json_pack("{s:s, s:s, s:I, s:s, s:o}", "task", info->name, "category", info->category ? info->category : "",
                     "line", (json_int_t)tt_set_line(set, row), "source", s.text.source, "references",
                     texts(s.text.nref, s.text.ref));
    if (!x->o) return tt_fail(TT_EDATA, "%s:%lld: is not UTF-8", info->path, (long long)tt_set_line(set, row));
    if (p->likelihood) {
        json_object_set_new(x->o, "tokens", json_integer(x->T));
        json_object_set_new(x->o, "words", json_integer(count_words(s.text.ref[0])));
        json_object_set_new(x->o, "bytes", json_integer((json_int_t)strlen(s.text.ref[0])));
    }
    return p->options ? take_options(h, row, &s, x) : TT_OK;
}

/* ---- log-likelihoods --------------------------------------------------------------------------------------------------------*/

typedef struct pass { /* one call of tt_t5_loglik */
    int nsrc, ntgt;
    const int32_t **src, **tgt;
    int *S, *T, *of;
    double *sum;
    bool *greedy;
} pass;

static int targets_of(const harness *h, const example *x) { return x->nopt + h->plan[x->set].likelihood; }

static int tokens_of(const harness *h, const example *x)
{
    int n = x->S + (h->plan[x->set].likelihood ? x->T : 0);
    for (int i = 0; i < x->nopt; i++) n += x->option[i].n;
    return n;
}

static void add_target(pass *p, const int32_t *ids, int n)
{
    p->tgt[p->ntgt] = ids;
    p->T[p->ntgt] = n;
    p->of[p->ntgt++] = p->nsrc;
}

static void add_to_pass(const harness *h, pass *p, const example *x)
{
    if (h->plan[x->set].likelihood) add_target(p, x->tgt, x->T);
    for (int i = 0; i < x->nopt; i++) add_target(p, x->option[i].id, x->option[i].n);
    p->src[p->nsrc] = x->src;
    p->S[p->nsrc++] = x->S;
}

/* The score by which options are ranked. */
static double ranked(const harness *h, const example *x, int i, double ll)
{
    size_t bytes = strlen(x->text[i]), chars = 0;
    for (const char *c = x->text[i]; *c; c++) chars += (*c & 0xc0) != 0x80;
    switch (h->job->eval.rank) {
    case TT_RANK_TOKEN: return ll / x->option[i].n;
    case TT_RANK_BYTE: return ll / (double)(bytes ? bytes : 1);
    case TT_RANK_CHAR: return ll / (double)(chars ? chars : 1);
    default: return ll;
    }
}

static void put_options(const harness *h, example *x, const double *ll, const bool *greedy)
{
    json_t *lls = json_array(), *tokens = json_array(), *is_greedy = json_array();
    int best = 0, likely = 0;
    double sum = 0;
    for (int i = 0; i < x->nopt; i++) {
        json_array_append_new(lls, tt_json_number(ll[i]));
        json_array_append_new(tokens, json_integer(x->option[i].n));
        json_array_append_new(is_greedy, json_boolean(greedy[i]));
        if (ranked(h, x, i, ll[i]) > ranked(h, x, best, ll[best])) best = i;
        if (ll[i] > ll[likely]) likely = i;
    }
    for (int i = 0; i < x->nopt; i++) sum += exp(ll[i] - ll[likely]);
    json_object_set_new(x->o, "options", texts(x->nopt, x->text));
    json_object_set_new(x->o, "loglikelihoods", lls);
    json_object_set_new(x->o, "option_tokens", tokens);
    json_object_set_new(x->o, "is_greedy", is_greedy);
    json_object_set_new(x->o, "gold", json_integer(x->gold));
    json_object_set_new(x->o, "confidence", tt_json_number(exp(ll[best] - ll[likely]) / sum));
    json_object_set_new(x->o, "correct", json_integer(best == x->gold));
    if (h->plan[x->set].rank) json_object_set_new(x->o, "prediction", json_string(x->text[best]));
}

static tt_err run_pass(block *b, int lo, int hi)
{
    harness *h = b->h;
    int nt = 0;
    for (int i = lo; i < hi; i++) nt += targets_of(h, &b->x[i]);
    if (nt == 0) return TT_OK;
    tt_mark mark = tt_arena_mark(h->block);
    int ns = hi - lo;
    pass p = {.src = TT_NEW(h->block, const int32_t *, ns), .tgt = TT_NEW(h->block, const int32_t *, nt)};
    p.S = TT_NEW(h->block, int, ns);
    p.T = TT_NEW(h->block, int, nt);
    p.of = TT_NEW(h->block, int, nt);
    p.sum = TT_NEW(h->block, double, nt);
    p.greedy = TT_NEW(h->block, bool, nt);
    for (int i = lo; i < hi; i++)
        if (targets_of(h, &b->x[i])) add_to_pass(h, &p, &b->x[i]);
    TT_TRY(tt_t5_loglik(h->model, h->k, h->block, p.nsrc, p.src, p.S, p.ntgt, p.tgt, p.T, p.of, p.sum, p.greedy));
    int t = 0;
    for (int i = lo; i < hi; i++) {
        example *x = &b->x[i];
        if (h->plan[x->set].likelihood) json_object_set_new(x->o, "loglikelihood", tt_json_number(p.sum[t++]));
        if (x->nopt) put_options(h, x, p.sum + t, p.greedy + t);
        t += x->nopt;
    }
    tt_arena_rewind(h->block, mark);
    tt_watch_kick("evaluation");
    return TT_OK;
}

static tt_err likelihoods(block *b)
{
    for (int lo = 0, hi; lo < b->n; lo = hi) {
        int tokens = 0;
        for (hi = lo; hi < b->n && (hi == lo || tokens + tokens_of(b->h, &b->x[hi]) <= TOKENS); hi++)
            tokens += tokens_of(b->h, &b->x[hi]);
        TT_TRY(run_pass(b, lo, hi));
    }
    return TT_OK;
}

/* ---- generation ---------------------------------------------------------------------------------------------------------------*/

static tt_err next(void *ctx, tt_source *out, bool *more)
{
    block *b = ctx;
    while (b->at < b->n && !b->x[b->at].answer) b->at++;
    *more = b->at < b->n;
    if (!*more) return TT_OK;
    const example *x = &b->x[b->at];
    *out = (tt_source){.ids = x->src, .S = x->S, .key = (uint64_t)x->at};
    b->asked[b->nasked++] = b->at++;
    return TT_OK;
}

static tt_err done(void *ctx, int64_t number, int n, const tt_reply *a)
{
    block *b = ctx;
    example *x = &b->x[b->asked[number]];
    char *text = tt_tok_decode(b->h->tok, a->ids, a->n, true);
    json_t *answer = json_string(text);
    free(text);
    if (!answer)
        return tt_fail(TT_EDATA, "%s: the model's answer is not UTF-8", tt_set_info(b->h->sets->set[x->set])->name);
    json_object_set_new(x->o, "prediction", answer);
    json_object_set_new(x->o, "score", tt_json_number(a->score));
    json_object_set_new(x->o, "new_tokens", json_integer(a->n));
    return TT_OK;
}

static tt_err generate(block *b)
{
    bool any = false;
    for (int i = 0; i < b->n; i++) any |= b->x[i].answer;
    if (!any) return TT_OK;
    b->asked = TT_NEW(b->h->block, int, b->n);
    return tt_generate(b->h->model, b->h->k, &b->h->gen, &(tt_feed){b, next, done});
}

/* ---- blocks of examples ---------------------------------------------------------------------------------------------------------*/

static void put_out(harness *h, int64_t at, const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    int64_t head[2] = {at, (int64_t)strlen(text)};
    size_t need = h->out_n + sizeof head + (size_t)head[1];
    if (need > h->out_cap) h->out = tt_realloc(h->out, h->out_cap = 2 * need);
    memcpy(h->out + h->out_n, head, sizeof head);
    memcpy(h->out + h->out_n + sizeof head, text, (size_t)head[1]);
    h->out_n = need;
    free(text);
}

static tt_err run_block(block *b, const int64_t *at, int n)
{
    harness *h = b->h;
    tt_err e = TT_OK;
    for (; b->n < n && e == TT_OK; b->n++) e = make_example(h, at[b->n], &b->x[b->n]);
    if (e == TT_OK) e = likelihoods(b);
    if (e == TT_OK) e = generate(b);
    for (int i = 0; i < b->n; i++) {
        if (e == TT_OK) put_out(h, b->x[i].at, b->x[i].o);
        json_decref(b->x[i].o);
        for (int k = 0; k < b->x[i].nopt && b->x[i].option; k++) tt_ids_fini(&b->x[i].option[k]);
    }
    return e;
}

tt_err harness_answer(harness *h)
{
    for (int64_t r = 0; r < h->nround; r++) {
        int64_t from = h->round[r], n = h->round[r + 1] - from;
        tt_arena_reset(h->block);
        block b = {.h = h, .x = TT_ZNEW(h->block, example, n + 1)};
        TT_TRY(tt_agree(h->m, run_block(&b, h->mine + from, (int)n)));
        if (h->m->rank == 0)
            tt_log_status("evaluation: about %lld of %lld examples", (long long)((from + n) * h->m->size),
                          (long long)h->first[h->sets->n]);
    }
    tt_log_status("%s", "");
    return TT_OK;
}
