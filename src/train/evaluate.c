/* Loss, exact match and ROUGE per data set. Examples go in fixed groups, groups round the ranks: nothing depends on the rank count. */
#include "tutti/eval.h"
#include "tutti/train.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 16 };
#define LOSS_UNIT 16777216.0 /* sums of losses and scores are integers: the same in any order */
#define F1_UNIT 1099511627776.0

typedef struct sums { /* one data set; all int64_t so that one exact reduction adds them */
    int64_t examples, tokens, nll, generated, exact, rouge1, rouge2, rougeL;
} sums;

typedef struct line { /* one prediction on its way to rank 0 */
    int64_t at;       /* number of the example in the whole evaluation */
    int64_t size;
} line;

typedef struct eval {
    const tt_job *job;
    tt_model *model;
    const tt_tok *tok;
    const tt_sets *sets;
    const tt_kern *k;
    tt_maker maker;
    bool loss, exact, rouge;
    int64_t *first; /* [n+1]: examples of the sets before */
    int64_t *gen;   /* [n]: examples that are generated */
    sums *sum;
    tt_arena *a;
    char *out; /* predictions: line, text, line, text ... */
    size_t out_n, out_cap;
    bool keep_out;
} eval;

static int64_t limited(int64_t rows, int64_t limit) { return limit > 0 && limit < rows ? limit : rows; }

static tt_err plan(eval *v)
{
    const char *m = v->job->eval.metrics ? v->job->eval.metrics : "loss";
    v->loss = strstr(m, "loss");
    bool answers = v->job->train.objective == TT_OBJ_SEQ2SEQ; /* a corrupted span is no question */
    v->exact = answers && strstr(m, "exact_match");
    v->rouge = answers && strstr(m, "rouge");
    int n = v->sets->n;
    v->first = tt_malloc(sizeof(int64_t) * (size_t)(n + 1));
    v->gen = tt_malloc(sizeof(int64_t) * (size_t)(n + 1));
    v->sum = tt_malloc(sizeof(sums) * (size_t)(n + 1));
    memset(v->sum, 0, sizeof(sums) * (size_t)(n + 1));
    v->first[0] = 0;
    for (int i = 0; i < n; i++) {
        int64_t use = limited(tt_set_info(v->sets->set[i])->rows, v->job->eval.limit);
        v->first[i + 1] = v->first[i] + use;
        v->gen[i] = v->exact || v->rouge ? limited(use, v->job->eval.generate) : 0;
    }
    return TT_OK;
}

static int set_of(const eval *v, int64_t at)
{
    int lo = 0, hi = v->sets->n;
    while (lo + 1 < hi) {
        int mid = (lo + hi) / 2;
        *(v->first[mid] <= at ? &lo : &hi) = mid;
    }
    return lo;
}

/* The maker forgets it at its next draw. */
static tt_text keep_text(tt_arena *a, const tt_text *t)
{
    tt_text out = {.source = tt_strdup(a, t->source), .nref = t->nref, .ref = TT_NEW(a, char *, t->nref + 1)};
    for (int i = 0; i < t->nref; i++) out.ref[i] = tt_strdup(a, t->ref[i]);
    out.target = out.nref ? out.ref[0] : tt_strdup(a, t->target);
    return out;
}

/* Example number at as ids and text. Rows are taken in an order drawn from the seed, so that a limit gives a fair sample and
 * always the same one. *i: its number within the data set. */
static tt_err get_example(eval *v, int64_t at, tt_ex *ex, int64_t *i, tt_text *text)
{
    int set = set_of(v, at);
    const tt_set *s = v->sets->set[set];
    const tt_setinfo *info = tt_set_info(s);
    *i = at - v->first[set];
    tt_rkey order = tt_key((uint64_t)v->job->seed, info->name, 0, 0, 1);
    int64_t row = (int64_t)tt_permute(order, (uint64_t)info->rows, (uint64_t)*i);
    tt_shown shown;
    TT_TRY(tt_maker_show(&v->maker, at, (tt_draw){set, row, 0}, &shown));
    size_t src = sizeof(int32_t) * (size_t)shown.size.S, tgt = sizeof(int32_t) * (size_t)shown.size.T;
    int32_t *copy = tt_alloc(v->a, src + tgt);
    if (src) memcpy(copy, shown.src, src);
    if (tgt) memcpy(copy + shown.size.S, shown.tgt, tgt);
    *text = keep_text(v->a, &shown.text);
    *ex =
        (tt_ex){.set = set, .row = row, .S = shown.size.S, .T = shown.size.T, .src = copy, .tgt = copy + shown.size.S};
    return TT_OK;
}

static void add_loss(eval *v, const tt_grain *g)
{
    tt_tape tape;
    tt_tape_begin(&tape, v->a, v->k, false, 0, 0);
    float *w = TT_ZNEW(v->a, float, g->Rt);
    for (int64_t i = 0; i < g->Rt; i++) w[i] = 1;
    tt_loss l;
    tt_t5_loss(&tape, v->model, g, w, 0, 0, &l);
    for (int e = 0; e < g->B; e++) {
        double nll = 0;
        for (int i = g->t_off[e]; i < g->t_off[e + 1]; i++) nll += l.nll[i];
        sums *s = &v->sum[g->ex[e].set];
        s->examples++;
        s->tokens += g->t_off[e + 1] - g->t_off[e];
        s->nll += llround(nll * LOSS_UNIT);
    }
}

static void put_line(eval *v, int64_t at, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    line head = {at, (int64_t)strlen(text)};
    size_t need = v->out_n + sizeof head + (size_t)head.size;
    if (need > v->out_cap) v->out = tt_realloc(v->out, v->out_cap = 2 * need);
    memcpy(v->out + v->out_n, &head, sizeof head);
    memcpy(v->out + v->out_n + sizeof head, text, (size_t)head.size);
    v->out_n = need;
    free(text);
}

static void score_one(eval *v, int set, int64_t at, const tt_text *t, const char *answer)
{
    sums *s = &v->sum[set];
    s->generated++;
    if (v->exact) s->exact += tt_exact_match(t->nref, t->ref, answer);
    if (v->rouge) {
        s->rouge1 += llround(tt_rouge_multi(t->nref, t->ref, answer, 1, true).f * F1_UNIT);
        s->rouge2 += llround(tt_rouge_multi(t->nref, t->ref, answer, 2, true).f * F1_UNIT);
        s->rougeL += llround(tt_rouge_multi(t->nref, t->ref, answer, 0, true).f * F1_UNIT);
    }
    if (!v->keep_out) return;
    json_t *refs = json_array();
    for (int i = 0; i < t->nref; i++) json_array_append_new(refs, json_string(t->ref[i]));
    json_t *o = json_pack("{s:s, s:s, s:o, s:s}", "task", tt_set_info(v->sets->set[set])->name, "prediction", answer,
                          "references", refs, "source", t->source);
    if (o) put_line(v, at, o);
    json_decref(o);
}

static tt_err generate(eval *v, int n, const int64_t *at, const int *set, const tt_text *text, const tt_ex *ex)
{
    const int32_t *src[GROUP];
    int S[GROUP];
    tt_ids out[GROUP] = {{0}};
    for (int i = 0; i < n; i++) src[i] = ex[i].src, S[i] = ex[i].S;
    tt_err e = tt_t5_generate(v->model, v->k, v->a, n, src, S, (int)v->job->eval.max_new_tokens, out);
    for (int i = 0; i < n && e == TT_OK; i++) {
        char *answer = tt_tok_decode(v->tok, out[i].id, out[i].n, true);
        score_one(v, set[i], at[i], &text[i], answer);
        free(answer);
    }
    for (int i = 0; i < n; i++) tt_ids_fini(&out[i]);
    return e;
}

static tt_err run_group(eval *v, int64_t lo, int64_t hi)
{
    tt_arena_reset(v->a);
    int n = (int)(hi - lo), ngen = 0, gen_set[GROUP];
    int64_t gen_at[GROUP];
    tt_ex ex[GROUP], gen_ex[GROUP];
    tt_text text[GROUP], gen_text[GROUP];
    for (int i = 0; i < n; i++) {
        int64_t row;
        TT_TRY(get_example(v, lo + i, &ex[i], &row, &text[i]));
        if (row >= v->gen[ex[i].set]) continue;
        gen_ex[ngen] = ex[i];
        gen_at[ngen] = lo + i;
        gen_text[ngen] = text[i];
        gen_set[ngen++] = ex[i].set;
    }
    tt_grain g;
    tt_grain_make(v->a, n, ex, tt_model_cfg(v->model)->pad_id, &g);
    if (v->loss) add_loss(v, &g);
    if (!v->loss)
        for (int i = 0; i < n; i++) v->sum[ex[i].set].examples++;
    return ngen ? generate(v, ngen, gen_at, gen_set, gen_text, gen_ex) : TT_OK;
}

static int by_place(const void *a, const void *b)
{
    int64_t x = (*(line *const *)a)->at, y = (*(line *const *)b)->at;
    return (x > y) - (x < y);
}

/* Rank 0. The lines of all ranks in the order of the examples. */
static tt_err write_lines(const char *path, char *all, size_t size)
{
    int64_t n = 0;
    for (size_t i = 0; i < size; n++) {
        line h;
        memcpy(&h, all + i, sizeof h);
        i += sizeof h + (size_t)h.size;
    }
    line **order = tt_malloc(sizeof *order * (size_t)(n + 1)), *heads = tt_malloc(sizeof(line) * (size_t)(n + 1));
    char **texts = tt_malloc(sizeof *texts * (size_t)(n + 1));
    size_t i = 0;
    for (int64_t k = 0; k < n; k++) {
        memcpy(&heads[k], all + i, sizeof(line));
        texts[k] = all + i + sizeof(line);
        i += sizeof(line) + (size_t)heads[k].size;
        order[k] = &heads[k];
    }
    qsort(order, (size_t)n, sizeof *order, by_place);
    FILE *f = fopen(path, "w");
    for (int64_t k = 0; f && k < n; k++) {
        int64_t at = order[k] - heads;
        fwrite(texts[at], 1, (size_t)heads[at].size, f);
        fputc('\n', f);
    }
    bool bad = !f || ferror(f);
    if (f && fclose(f) != 0) bad = true;
    free(order);
    free(heads);
    free(texts);
    return bad ? tt_fail(TT_ERUN, "%s: the predictions cannot be written; is the disk full?", path) : TT_OK;
}

/* Collective. */
static tt_err collect(eval *v, const tt_mesh *m, const char *predictions)
{
    tt_allsum_i64(m, (int64_t *)v->sum, (int64_t)(sizeof(sums) / sizeof(int64_t)) * v->sets->n);
    if (!predictions) return TT_OK;
    void *all = NULL;
    size_t *off = tt_malloc(sizeof(size_t) * (size_t)(m->size + 1));
    tt_gatherv(m, v->out, v->out_n, &all, off, 0);
    tt_err e = m->rank == 0 ? write_lines(predictions, all, off[m->size]) : TT_OK;
    free(all);
    free(off);
    return tt_agree(m, e);
}

static void give(const eval *v, tt_score *score)
{
    for (int i = 0; i < v->sets->n; i++) {
        const sums *s = &v->sum[i];
        score[i] = (tt_score){s->examples,
                              s->tokens,
                              (double)s->nll / LOSS_UNIT,
                              s->generated,
                              s->exact,
                              (double)s->rouge1 / F1_UNIT,
                              (double)s->rouge2 / F1_UNIT,
                              (double)s->rougeL / F1_UNIT};
    }
}

tt_err tt_evaluate(const tt_mesh *m, const tt_job *job, tt_model *model, const tt_tok *tok, const tt_sets *sets,
                   const char *predictions, tt_score *score)
{
    eval v = {
        .job = job, .model = model, .tok = tok, .sets = sets, .k = tt_kern_get(), .keep_out = predictions != NULL};
    tt_err e = plan(&v);
    v.a = tt_arena_new(1 << 20);
    tt_maker_init(&v.maker, job, sets, tok);
    int64_t n = v.first[sets->n];
    for (int64_t g = m->rank; e == TT_OK && g * GROUP < n; g += m->size) {
        e = run_group(&v, g * GROUP, (g + 1) * GROUP < n ? (g + 1) * GROUP : n);
        tt_watch_kick("evaluation");
    }
    e = tt_agree(m, e);
    if (e == TT_OK) e = collect(&v, m, predictions);
    if (e == TT_OK) give(&v, score);
    tt_maker_fini(&v.maker);
    tt_arena_free(v.a);
    free(v.first);
    free(v.gen);
    free(v.sum);
    free(v.out);
    return e;
}
