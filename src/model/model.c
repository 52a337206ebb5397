/* A T5 as a parameter table: names, order and (but for the head) initial values as transformers' T5ForConditionalGeneration. */
#include "net.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------------------------------------------*/
/* While the table is built rows move; so the network holds names' places and looks the rows up once it is sealed. */
typedef struct adder {
    tt_model *m;
    const tt_t5cfg *c;
    bool second; /* second walk: give rows out instead of adding them */
} adder;

/* How a parameter [rows, cols] is cut for a part: along an axis, a share of things that are unit wide. */
typedef struct cut {
    int axis;
    int64_t lo, hi;
} cut;
static const cut whole = {.axis = -1};
static cut along(int axis, share s, int64_t unit) { return (cut){axis, s.lo * unit, s.hi * unit}; }

static void add_row(tt_model *m, const char *name, cut k, int64_t rows, int64_t cols, double std, bool norm)
{
    int64_t shape[] = {rows, cols};
    bool part = m->part && k.axis >= 0;
    if (part) shape[k.axis] = k.hi - k.lo;
    int i = tt_pars_add(&m->pars, name, norm ? 1 : 2, shape, norm ? TT_INIT_ONE : TT_INIT_NORMAL, std, norm);
    if (!part) return;
    tt_par *p = &m->pars.p[i];
    p->axis = k.axis;
    p->lo = k.lo;
    p->hi = k.hi;
    p->of = k.axis ? cols : rows;
}

TT_PRINTF(7, 8)
static const tt_par *row(const adder *a, cut k, int64_t rows, int64_t cols, double std, bool norm, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    if (a->second) return tt_pars_find(&a->m->pars, name);
    add_row(a->m, name, k, rows, cols, std, norm);
    return NULL;
}

/* Initial values: modeling_t5.py, T5PreTrainedModel._init_weights (the q of d_model and d_kv folds 1/sqrt(K) in). */
static attn add_attn(const adder *a, const char *at, const char *kind)
{
    const tt_t5cfg *c = a->c;
    int64_t D = c->D, HK = c->H * c->K;
    double f = c->init_factor, d = f / sqrt((double)D);
    cut in = along(0, a->m->heads, c->K), out = along(1, a->m->heads, c->K);
    attn w;
    w.q = row(a, in, HK, D, d / sqrt((double)c->K), false, "%s.%s.q.weight", at, kind);
    w.k = row(a, in, HK, D, d, false, "%s.%s.k.weight", at, kind);
    w.v = row(a, in, HK, D, d, false, "%s.%s.v.weight", at, kind);
    w.o = row(a, out, D, HK, f / sqrt((double)HK), false, "%s.%s.o.weight", at, kind);
    w.norm = row(a, whole, D, 1, 0, true, "%s.layer_norm.weight", at);
    return w;
}

static ffn add_ffn(const adder *a, const char *at)
{
    const tt_t5cfg *c = a->c;
    double f = c->init_factor, d = f / sqrt((double)c->D);
    const char *dense = "DenseReluDense"; /* whatever the activation */
    cut in = along(0, a->m->ffn, 1), out = along(1, a->m->ffn, 1);
    ffn w = {0};
    w.wi = row(a, in, c->F, c->D, d, false, c->gated ? "%s.%s.wi_0.weight" : "%s.%s.wi.weight", at, dense);
    if (c->gated) w.wu = row(a, in, c->F, c->D, d, false, "%s.%s.wi_1.weight", at, dense);
    w.wo = row(a, out, c->D, c->F, f / sqrt((double)c->F), false, "%s.%s.wo.weight", at, dense);
    w.norm = row(a, whole, c->D, 1, 0, true, "%s.layer_norm.weight", at);
    return w;
}

/* In use in every block of a side. */
static void add_side(const adder *a, stack *s, const char *side)
{
    const tt_t5cfg *c = a->c;
    s->bias = row(a, along(1, a->m->heads, 1), c->nbucket, c->H, c->init_factor / sqrt((double)c->D), false,
                  "%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", side);
    s->norm = row(a, whole, c->D, 1, 0, true, "%s.final_layer_norm.weight", side);
}

static void new_group(const adder *a)
{
    if (!a->second) tt_pars_group(&a->m->pars);
}

static void add_stack(const adder *a, stack *s, const char *side, int64_t n, bool decoder)
{
    char at[64];
    s->n = (int)n;
    if (!s->block) s->block = tt_malloc(sizeof *s->block * (size_t)n);
    for (int i = 0; i < s->n; i++) {
        block *b = &s->block[i];
        int layer = 0;
        new_group(a);
        snprintf(at, sizeof at, "%s.block.%d.layer.%d", side, i, layer++);
        b->self = add_attn(a, at, "SelfAttention");
        snprintf(at, sizeof at, "%s.block.%d.layer.%d", side, i, layer);
        if (decoder) {
            b->cross = add_attn(a, at, "EncDecAttention");
            snprintf(at, sizeof at, "%s.block.%d.layer.%d", side, i, ++layer);
        }
        b->ff = add_ffn(a, at);
        b->group = b->ff.norm ? b->ff.norm->group : 0;
    }
}

/* Not transformers' std of 1, which starts at a loss of about 50: T5X draws a logits layer with 1/sqrt(fan in). */
static void add_head(const adder *a, tt_model *m)
{
    const tt_t5cfg *c = a->c;
    double std = c->init_factor / sqrt((double)c->D);
    m->head = m->embed;
    m->head_scale = c->tied ? 1.f / sqrtf((float)c->D) : 1.f;
    if (c->tied) return;
    new_group(a);
    m->head = row(a, along(0, m->vocab, 1), c->V, c->D, std, false, "lm_head.weight");
}

/* Group 0: what every block or both sides use. */
static void add_all(tt_model *m, bool second)
{
    const tt_t5cfg *c = &m->cfg;
    adder a = {.m = m, .c = c, .second = second};
    m->embed = row(&a, along(0, m->vocab, 1), c->V, c->D, c->init_factor, false, "shared.weight");
    add_side(&a, &m->enc, "encoder");
    if (!c->encoder_only) add_side(&a, &m->dec, "decoder");
    if (!c->encoder_only) add_head(&a, m);
    add_stack(&a, &m->enc, "encoder", c->L, false);
    if (!c->encoder_only) add_stack(&a, &m->dec, "decoder", c->Ld, true);
}

tt_err tt_model_parse(const char *json, size_t size, const char *name, tt_model **out)
{
    TT_TRY(tt_model_shape(json, size, name, out));
    tt_pars_alloc(&(*out)->pars);
    return TT_OK;
}

/* A model with a table without memory; rank's share of it where size > 0. */
static tt_model *lay_model(const tt_t5cfg *c, const char *json, size_t bytes, int rank, int size)
{
    tt_model *m = tt_malloc(sizeof *m);
    *m = (tt_model){.cfg = *c, .json = strndup(json, bytes), .part = size > 0};
    const struct {
        share *s;
        int64_t all;
    } shares[] = {{&m->heads, c->H}, {&m->ffn, c->F}, {&m->vocab, c->V}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        tt_share(shares[i].all, rank, size ? size : 1, &shares[i].s->lo, &shares[i].s->hi);
    tt_pars_init(&m->pars);
    add_all(m, false);
    tt_pars_lay(&m->pars);
    add_all(m, true);
    return m;
}

tt_err tt_model_shape(const char *json, size_t size, const char *name, tt_model **out)
{
    tt_t5cfg c;
    TT_TRY(tt_t5cfg_parse(json, size, name, &c));
    *out = lay_model(&c, json, size, 0, 0);
    return TT_OK;
}

tt_err tt_model_part(const tt_model *m, int rank, int size, tt_model **part)
{
    const tt_t5cfg *c = &m->cfg;
    const struct {
        const char *what;
        int64_t n;
    } in[] = {{"attention heads", c->H}, {"ffn columns", c->F}, {"tokens", c->V}};
    size_t least = 0;
    for (size_t i = 1; i < sizeof in / sizeof *in; i++)
        if (in[i].n < in[least].n) least = i;
    assert(!m->part && rank >= 0 && rank < size);
    *part = NULL;
    if (size > in[least].n)
        return tt_fail(TT_EJOB, "mesh.tp %d: the model has %lld %s to share out; mesh.tp may be %lld at most", size,
                       (long long)in[least].n, in[least].what, (long long)in[least].n);
    *part = lay_model(c, m->json, strlen(m->json), rank, size);
    for (int i = 0; i < m->pars.n; i++) (*part)->pars.p[i].trained = m->pars.p[i].trained;
    return TT_OK;
}

void tt_model_free(tt_model *m)
{
    if (!m) return;
    tt_pars_fini(&m->pars);
    free(m->enc.block);
    free(m->dec.block);
    free(m->json);
    free(m->generation);
    free(m);
}

tt_pars *tt_model_pars(tt_model *m) { return &m->pars; }
const tt_t5cfg *tt_model_cfg(const tt_model *m) { return &m->cfg; }
const char *tt_model_json(const tt_model *m) { return m->json; }

tt_err tt_model_check_ids(const tt_model *m, const int32_t *ids, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= m->cfg.V)
            return tt_fail(TT_EDATA,
                           "%s: token %d at %lld is outside the model's vocabulary of %lld; model and tokenizer do not "
                           "belong together",
                           what, (int)ids[i], (long long)i, (long long)m->cfg.V);
    return TT_OK;
}

/* ---- files -------------------------------------------------------------------------------------------------*/
static tt_err parse_owned(char *json, size_t size, const char *name, bool bare, tt_model **out)
{
    tt_err e = (bare ? tt_model_shape : tt_model_parse)(json, size, name, out);
    if (e == TT_OK && (*out)->cfg.encoder_only) {
        tt_model_free(*out);
        *out = NULL;
        e = tt_fail(TT_EFILE, "%s: a T5EncoderModel has no decoder; a T5ForConditionalGeneration is needed", name);
    }
    return e;
}

static tt_err new_of(const char *path, bool bare, tt_model **out)
{
    char *json;
    size_t size;
    *out = NULL;
    if (tt_slurp(path, &json, &size) != TT_OK) return TT_EFILE;
    tt_err e = parse_owned(json, size, path, bare, out);
    free(json);
    return e;
}

tt_err tt_model_new(const char *path, tt_model **out) { return new_of(path, false, out); }
tt_err tt_model_new_bare(const char *path, tt_model **out) { return new_of(path, true, out); }

/* The hub's files hold any subset of the copies of tied weights (transformers: _tied_weights_keys), and the first T5 files a bias table
 * that cross-attention never uses. */
static const char *stored_alias(const char *stored, const tt_pars *pars)
{
    static const char *const unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
    if (!strcmp(stored, unused)) return NULL;
    if (tt_pars_find(pars, stored)) return stored;
    static const char *const copies[] = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
                                         "lm_head.weight"};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        if (!strcmp(stored, copies[i])) return "shared.weight";
    return stored;
}

tt_err tt_model_load(tt_model *m, const char *dir) { return tt_hf_load(dir, &m->pars, stored_alias); }

static tt_err open_checkpoint(const char *path, tt_model **out)
{
    tt_arena *a = tt_arena_new(0);
    char *json = NULL;
    tt_err e = tt_ckpt_text(path, "model_config", a, &json);
    if (e == TT_OK && !json)
        e = tt_fail(TT_EFILE, "%s: has no model_config; the file is not a checkpoint of this program", path);
    if (e == TT_OK) e = parse_owned(json, strlen(json), path, false, out);
    if (e == TT_OK) e = tt_ckpt_weights(path, &(*out)->pars);
    tt_arena_free(a);
    return e;
}

static tt_err open_folder(const char *dir, tt_model **out)
{
    char path[PATH_MAX];
    size_t size;
    snprintf(path, sizeof path, "%s/config.json", dir);
    if (tt_exists(dir) && !tt_exists(path))
        return tt_fail(TT_EFILE, "%s: is neither a Hugging Face folder (no config.json) nor a run with checkpoints",
                       dir);
    if (!tt_exists(dir)) return tt_fail(TT_EFILE, "%s: no such model folder or checkpoint", dir);
    TT_TRY(tt_model_new(path, out));
    TT_TRY(tt_model_load(*out, dir));
    snprintf(path, sizeof path, "%s/generation_config.json", dir);
    if (tt_exists(path)) TT_TRY(tt_slurp(path, &(*out)->generation, &size));
    return TT_OK;
}

/* A folder with a config.json is Hugging Face's; otherwise a checkpoint, or a folder of checkpoints. */
static tt_err open_any(const char *path, tt_model **out)
{
    char config[PATH_MAX];
    snprintf(config, sizeof config, "%s/config.json", path);
    if (tt_exists(config)) return open_folder(path, out);
    tt_arena *a = tt_arena_new(0);
    const char *file = tt_ckpt_find(path, a);
    tt_err e = file ? open_checkpoint(file, out) : open_folder(path, out);
    tt_arena_free(a);
    return e;
}

tt_err tt_model_open(const char *path, tt_model **out)
{
    *out = NULL;
    tt_err e = open_any(path, out);
    if (e != TT_OK) {
        tt_model_free(*out);
        *out = NULL;
    }
    return e;
}

/* Collective. Makes on every rank but the first the model that the first has read, without memory. */
static tt_err share_model(const tt_mesh *mesh, tt_model **out)
{
    int64_t size = mesh->rank == 0 ? (int64_t)strlen((*out)->json) : 0;
    tt_bcast(mesh, &size, sizeof size, 0);
    char *json = mesh->rank == 0 ? (*out)->json : tt_malloc((size_t)size + 1);
    tt_bcast(mesh, json, (size_t)size, 0);
    if (mesh->rank == 0) return TT_OK;
    tt_err e = tt_model_shape(json, (size_t)size, "config.json of rank 0", out);
    free(json);
    return e;
}

tt_err tt_model_open_first(const tt_mesh *mesh, const char *path, tt_model **out)
{
    *out = NULL;
    TT_TRY(tt_agree(mesh, mesh->rank == 0 ? tt_model_open(path, out) : TT_OK));
    tt_err e = tt_agree(mesh, share_model(mesh, out));
    if (e == TT_OK) return e;
    tt_model_free(*out);
    *out = NULL;
    return e;
}

tt_err tt_model_open_all(const tt_mesh *mesh, const char *path, tt_model **out)
{
    TT_TRY(tt_model_open_first(mesh, path, out));
    tt_pars_alloc(&(*out)->pars);
    tt_bcast(mesh, (*out)->pars.w, sizeof(float) * (size_t)(*out)->pars.size, 0);
    return TT_OK;
}
