/* tutti probe model=PATH batch=FILE out=FILE [grads=1] [hidden=0]: padded token ids in; logits, losses, hidden states and gradients
 * out, in the same padded shape. Between the two the rows lie side by side without padding, as everywhere in this program. */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/model.h"

#include <string.h>

typedef struct opts {
    const char *model, *batch, *out;
    bool grads, hidden;
} opts;

static const tt_keyrow rows[] = {
    {"model", TT_KTEXT, offsetof(opts, model), NULL, NULL, "Hugging Face folder, checkpoint (.h5) or run folder"},
    {"batch", TT_KTEXT, offsetof(opts, batch), NULL, NULL,
     "safetensors with input_ids, attention_mask, labels (-100: no loss) or decoder_input_ids"},
    {"out", TT_KTEXT, offsetof(opts, out), NULL, NULL, "safetensors to write"},
    {"grads", TT_KBOOL, offsetof(opts, grads), "0", NULL, "also the gradient of the loss for every parameter"},
    {"hidden", TT_KBOOL, offsetof(opts, hidden), "1", NULL, "also the hidden states of every layer"},
    {0},
};

/* The batch as it is stored; a NULL array was not in the file. */
typedef struct padded {
    int64_t B, S, T;
    const int64_t *src, *mask, *label, *dec_in, *dec_mask;
} padded;

typedef struct probe {
    const opts *o;
    tt_arena *a;
    tt_model *m;
    const tt_kern *k;
    padded p;
    tt_grain g;
    int nout, cap;
    tt_stout *out;
} probe;

/* ---- the batch in --------------------------------------------------------------------------------------------*/
/* The matrix name [*rows,*cols] (0: any, then set), or NULL if it is absent. */
static tt_err get_matrix(probe *p, const tt_stfile *f, const char *name, int64_t *R, int64_t *C, const int64_t **out)
{
    const tt_sten *t = tt_st_find(f, name);
    *out = NULL;
    if (!t) return TT_OK;
    if (t->ndim != 2 || t->n == 0) return tt_fail(TT_EDATA, "%s: %s is not a matrix [rows, tokens]", p->o->batch, name);
    if (!*R) *R = t->shape[0];
    if (!*C) *C = t->shape[1];
    if (t->shape[0] != *R || t->shape[1] != *C)
        return tt_fail(TT_EDATA, "%s: %s is [%lld,%lld], [%lld,%lld] fits the other matrices", p->o->batch, name,
                       (long long)t->shape[0], (long long)t->shape[1], (long long)*R, (long long)*C);
    int64_t *x = TT_NEW(p->a, int64_t, t->n);
    *out = x;
    return tt_st_to_i64(t, x) == TT_OK ? TT_OK : TT_EDATA;
}

static tt_err check_names(const probe *p, const tt_stfile *f)
{
    static const char *const known[] = {"input_ids", "attention_mask", "labels", "decoder_input_ids",
                                        "decoder_attention_mask"};
    const int n = sizeof known / sizeof *known;
    for (int i = 0; i < tt_st_count(f); i++) {
        const char *name = tt_st_at(f, i)->name;
        int j = 0;
        while (j < n && strcmp(name, known[j])) j++;
        if (j < n) continue;
        const char *near = tt_nearest(name, known, n);
        return tt_fail(TT_EDATA, "%s: a T5 has no use for '%s'%s%s", p->o->batch, name, near ? "; did you mean " : "",
                       near ? near : "");
    }
    return TT_OK;
}

static tt_err read_batch(probe *p, const tt_stfile *f)
{
    padded *b = &p->p;
    TT_TRY(check_names(p, f));
    TT_TRY(get_matrix(p, f, "input_ids", &b->B, &b->S, &b->src));
    if (!b->src) return tt_fail(TT_EDATA, "%s: has no input_ids", p->o->batch);
    TT_TRY(get_matrix(p, f, "attention_mask", &b->B, &b->S, &b->mask));
    TT_TRY(get_matrix(p, f, "labels", &b->B, &b->T, &b->label));
    TT_TRY(get_matrix(p, f, "decoder_input_ids", &b->B, &b->T, &b->dec_in));
    TT_TRY(get_matrix(p, f, "decoder_attention_mask", &b->B, &b->T, &b->dec_mask));
    if (!b->label && !b->dec_in) return tt_fail(TT_EDATA, "%s: has neither labels nor decoder_input_ids", p->o->batch);
    return TT_OK;
}

/* Tokens of row b: ones, then zeros. */
static tt_err masked_length(const probe *p, const char *name, const int64_t *mask, int64_t n, int64_t b, int *out)
{
    *out = (int)n;
    if (!mask) return TT_OK;
    int64_t len = 0;
    while (len < n && mask[b * n + len] == 1) len++;
    for (int64_t i = len; i < n; i++)
        if (mask[b * n + i])
            return tt_fail(TT_EDATA, "%s: %s, row %lld: only ones followed by zeros can be computed; pad on the right",
                           p->o->batch, name, (long long)b);
    if (!len) return tt_fail(TT_EDATA, "%s: %s, row %lld: no token at all", p->o->batch, name, (long long)b);
    *out = (int)len;
    return TT_OK;
}

static tt_err take_ids(const probe *p, const char *name, const int64_t *from, int64_t n, int32_t *to)
{
    int64_t V = tt_model_cfg(p->m)->V;
    for (int64_t i = 0; i < n; i++) {
        if (from[i] < 0 || from[i] >= V)
            return tt_fail(TT_EDATA, "%s: %s holds %lld; the model's vocabulary is 0 to %lld", p->o->batch, name,
                           (long long)from[i], (long long)V - 1);
        to[i] = (int32_t)from[i];
    }
    return TT_OK;
}

static tt_err take_labels(const probe *p, const int64_t *from, int64_t n, int32_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        to[i] = -1;
        if (from[i] != -100) TT_TRY(take_ids(p, "labels", &from[i], 1, &to[i]));
    }
    return TT_OK;
}

/* Row b as an example. Targets keep their padded length: causal, so that the tail changes nothing before it. */
static tt_err take_row(const probe *p, int64_t b, tt_ex *ex)
{
    const padded *q = &p->p;
    int none;
    TT_TRY(masked_length(p, "attention_mask", q->mask, q->S, b, &ex->S));
    if (q->dec_mask) TT_TRY(masked_length(p, "decoder_attention_mask", q->dec_mask, q->T, b, &none));
    int32_t *src = TT_NEW(p->a, int32_t, ex->S), *tgt = TT_NEW(p->a, int32_t, q->T);
    TT_TRY(take_ids(p, "input_ids", q->src + b * q->S, ex->S, src));
    for (int64_t i = 0; i < q->T; i++) tgt[i] = -1;
    if (q->label) TT_TRY(take_labels(p, q->label + b * q->T, q->T, tgt));
    ex->T = (int)q->T;
    ex->src = src;
    ex->tgt = tgt;
    return TT_OK;
}

static tt_err make_grain(probe *p)
{
    const padded *q = &p->p;
    tt_ex *ex = TT_ZNEW(p->a, tt_ex, q->B);
    for (int64_t b = 0; b < q->B; b++) TT_TRY(take_row(p, b, &ex[b]));
    tt_grain_make(p->a, (int)q->B, ex, tt_model_cfg(p->m)->pad_id, &p->g);
    if (!q->dec_in) return TT_OK;
    int32_t *dec = TT_NEW(p->a, int32_t, q->B * q->T);
    p->g.dec_in = dec;
    return take_ids(p, "decoder_input_ids", q->dec_in, q->B * q->T, dec);
}

static tt_err open_batch(probe *p)
{
    tt_stfile *f;
    TT_TRY(tt_st_open(p->o->batch, &f));
    tt_err e = read_batch(p, f);
    tt_st_close(f);
    return e == TT_OK ? make_grain(p) : e;
}

/* ---- tensors out ----------------------------------------------------------------------------------------------*/
static void put(probe *p, const char *name, int ndim, const int64_t *shape, const float *data)
{
    if (p->nout == p->cap) {
        tt_stout *old = p->out;
        p->cap = p->cap ? 2 * p->cap : 64;
        p->out = TT_NEW(p->a, tt_stout, p->cap);
        if (old) memcpy(p->out, old, sizeof *old * (size_t)p->nout);
    }
    tt_stout *t = &p->out[p->nout++];
    *t = (tt_stout){.name = name, .dtype = TT_F32, .ndim = ndim, .data = data};
    memcpy(t->shape, shape, sizeof *shape * (size_t)ndim);
}

/* Ragged rows x[off[B],cols] as name [B,n,cols], zeros behind each example. */
static void put_rows(probe *p, const char *name, const tt_t *x, const int32_t *off, int64_t n)
{
    int64_t B = p->p.B, C = x->cols;
    float *y = TT_ZNEW(p->a, float, B *n *C);
    for (int64_t b = 0; b < B; b++)
        memcpy(y + b * n * C, x->x + off[b] * C, sizeof *y * (size_t)((off[b + 1] - off[b]) * C));
    put(p, name, 3, (int64_t[]){B, n, C}, y);
}

static void run_forward(probe *p)
{
    const tt_t5cfg *c = tt_model_cfg(p->m);
    tt_tape t;
    tt_trace tr = {.enc = TT_NEW(p->a, tt_t *, c->L + 1), .dec = TT_NEW(p->a, tt_t *, c->Ld + 1)};
    tt_tape_begin(&t, p->a, p->k, false, 0, 0);
    tt_t *enc = tt_t5_encode_traced(&t, p->m, &p->g, &tr);
    tt_t *dec = tt_t5_decode_traced(&t, p->m, &p->g, enc, &tr);
    put_rows(p, "logits", tt_t5_logits(&t, p->m, dec), p->g.t_off, p->p.T);
    put_rows(p, "encoder_last_hidden_state", enc, p->g.s_off, p->p.S);
    for (int i = 0; p->o->hidden && i <= c->L; i++)
        put_rows(p, tt_sprintf(p->a, "encoder_hidden_states.%d", i), tr.enc[i], p->g.s_off, p->p.S);
    for (int i = 0; p->o->hidden && i <= c->Ld; i++)
        put_rows(p, tt_sprintf(p->a, "decoder_hidden_states.%d", i), tr.dec[i], p->g.t_off, p->p.T);
}

/* The mean over the labels that count, over the whole batch. */
static void run_loss(probe *p)
{
    int64_t R = p->g.Rt, n = 0;
    for (int64_t r = 0; r < R; r++) n += p->g.label[r] >= 0;
    if (!n) tt_warn_once("probe labels", "%s: no label counts; loss and gradients are zero", p->o->batch);
    float *w = TT_NEW(p->a, float, R), *loss = TT_NEW(p->a, float, 1);
    for (int64_t r = 0; r < R; r++) w[r] = n ? 1.f / (float)n : 0.f;
    tt_tape t;
    tt_loss l;
    tt_tape_begin(&t, p->a, p->k, p->o->grads, 0, 0);
    if (p->o->grads) tt_pars_grads(tt_model_pars(p->m));
    tt_t5_loss(&t, p->m, &p->g, w, 0, 0, &l);
    *loss = (float)l.loss;
    put(p, "loss", 1, (int64_t[]){1}, loss);
    put(p, "token_loss", 2, (int64_t[]){p->p.B, p->p.T}, l.nll);
    const tt_pars *pars = tt_model_pars(p->m);
    for (int i = 0; p->o->grads && i < pars->n; i++)
        put(p, tt_sprintf(p->a, "grad.%s", pars->p[i].name), pars->p[i].ndim, pars->p[i].shape, pars->p[i].g);
}

static tt_err run(probe *p)
{
    TT_TRY(tt_model_open(p->o->model, &p->m));
    TT_TRY(open_batch(p));
    if (p->o->grads && !p->p.label)
        return tt_fail(TT_EJOB, "probe: grads=1 needs labels in %s: there is no loss without them", p->o->batch);
    run_forward(p);
    if (p->p.label) run_loss(p);
    return tt_st_write(p->o->out, p->nout, p->out, false);
}

static tt_err check_options(const opts *o, const tt_args *args)
{
    if (args->n) return tt_fail(TT_EJOB, "probe takes no '%s'; write key=value", args->pos[0]);
    const char *missing = !o->model ? "model=DIR" : !o->batch ? "batch=FILE" : !o->out ? "out=FILE" : NULL;
    if (missing) return tt_fail(TT_EJOB, "probe needs %s; see tutti help probe", missing);
    return TT_OK;
}

tt_err tt_verb_probe(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    TT_TRY(tt_args_bind(args, rows, &o));
    TT_TRY(check_options(&o, args));
    probe p = {.o = &o, .a = tt_arena_new(1 << 24), .k = tt_kern_get()};
    tt_err e = p.k ? run(&p) : TT_EJOB;
    tt_model_free(p.m);
    tt_arena_free(p.a);
    return e;
}
