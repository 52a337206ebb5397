/* config.json of a T5: keys and defaults of transformers' T5Config. */
#include "net.h"

#include <stdlib.h>
#include <string.h>

/* Whole numbers; the sizes have no default: a file without them is not a T5's. */
static const struct {
    const char *key;
    size_t offset;
    bool wide, required; /* wide: int64_t, else int */
    int64_t def, least, most;
} whole[] = {
    {"vocab_size", offsetof(tt_t5cfg, V), true, true, 0, 2, 1 << 24},
    {"d_model", offsetof(tt_t5cfg, D), true, true, 0, 1, 1 << 17},
    {"d_kv", offsetof(tt_t5cfg, K), true, true, 0, 1, 1 << 13},
    {"num_heads", offsetof(tt_t5cfg, H), true, true, 0, 1, 1 << 12},
    {"d_ff", offsetof(tt_t5cfg, F), true, true, 0, 1, 1 << 20},
    {"num_layers", offsetof(tt_t5cfg, L), true, true, 0, 1, 1024},
    {"num_decoder_layers", offsetof(tt_t5cfg, Ld), true, false, -1, 1, 1024}, /* -1: as num_layers */
    {"relative_attention_num_buckets", offsetof(tt_t5cfg, nbucket), false, false, 32, 4, 1 << 16},
    {"relative_attention_max_distance", offsetof(tt_t5cfg, max_distance), false, false, 128, 2, 1 << 30},
    {"pad_token_id", offsetof(tt_t5cfg, pad_id), false, false, 0, 0, 1 << 24},
    {"eos_token_id", offsetof(tt_t5cfg, eos_id), false, false, 1, 0, 1 << 24},
    {"decoder_start_token_id", offsetof(tt_t5cfg, start_id), false, false, -1, 0, 1 << 24}, /* -1: as pad_token_id */
};

static tt_err read_whole(const json_t *o, const char *name, size_t i, tt_t5cfg *c)
{
    const json_t *v = json_object_get(o, whole[i].key);
    int64_t n = whole[i].def;
    if (v && !json_is_null(v)) {
        if (!json_is_integer(v)) return tt_fail(TT_EFILE, "%s: %s is not a whole number", name, whole[i].key);
        n = json_integer_value(v);
        if (n < whole[i].least || n > whole[i].most)
            return tt_fail(TT_EFILE, "%s: %s is %lld; %lld to %lld is possible", name, whole[i].key, (long long)n,
                           (long long)whole[i].least, (long long)whole[i].most);
    } else if (whole[i].required) {
        return tt_fail(TT_EFILE, "%s: has no %s; a T5's config.json states it", name, whole[i].key);
    }
    char *at = (char *)c + whole[i].offset;
    if (whole[i].wide)
        *(int64_t *)(void *)at = n;
    else
        *(int *)(void *)at = (int)n;
    return TT_OK;
}

static tt_err read_real(const json_t *o, const char *name, const char *key, double def, double below, double *out)
{
    const json_t *v = json_object_get(o, key);
    *out = def;
    if (!v || json_is_null(v)) return TT_OK;
    if (!json_is_number(v)) return tt_fail(TT_EFILE, "%s: %s is not a number", name, key);
    *out = json_number_value(v);
    if (!(*out >= 0 && *out < below))
        return tt_fail(TT_EFILE, "%s: %s is %g; 0 to below %g is possible", name, key, *out, below);
    return TT_OK;
}

static tt_err read_bool(const json_t *o, const char *name, const char *key, bool def, bool *out)
{
    const json_t *v = json_object_get(o, key);
    *out = v && !json_is_null(v) ? json_is_true(v) : def;
    if (v && !json_is_boolean(v) && !json_is_null(v))
        return tt_fail(TT_EFILE, "%s: %s is not true or false", name, key);
    return TT_OK;
}

static tt_err read_text(const json_t *o, const char *name, const char *key, const char *def, const char **out)
{
    const json_t *v = json_object_get(o, key);
    *out = def;
    if (!v || json_is_null(v)) return TT_OK;
    if (!json_is_string(v)) return tt_fail(TT_EFILE, "%s: %s is not a text", name, key);
    *out = json_string_value(v);
    return TT_OK;
}

/* feed_forward_proj is ACT or gated-ACT, and gated-gelu means gelu_new; a dense_act_fn of the file wins over both. */
static tt_err read_activation(const json_t *o, const char *name, tt_t5cfg *c)
{
    const char *proj, *act;
    bool gated;
    TT_TRY(read_text(o, name, "feed_forward_proj", "relu", &proj));
    c->gated = !strncmp(proj, "gated-", 6);
    const char *own = c->gated ? proj + 6 : proj;
    if (c->gated && !strcmp(own, "gelu")) own = "gelu_new";
    if (!tt_act_parse(own, &c->act))
        return tt_fail(TT_EFILE, "%s: feed_forward_proj '%s' is not known; relu, gated-gelu and gated-silu are", name,
                       proj);
    TT_TRY(read_text(o, name, "dense_act_fn", own, &act));
    if (!tt_act_parse(act, &c->act)) return tt_fail(TT_EFILE, "%s: dense_act_fn '%s' is not known", name, act);
    TT_TRY(read_bool(o, name, "is_gated_act", c->gated, &gated));
    if (gated != c->gated)
        return tt_fail(TT_EFILE, "%s: is_gated_act contradicts feed_forward_proj '%s'; remove is_gated_act", name,
                       proj);
    return TT_OK;
}

static tt_err read_type(const json_t *o, const char *name, tt_t5cfg *c)
{
    const char *type;
    TT_TRY(read_text(o, name, "model_type", NULL, &type));
    if (!type) return tt_fail(TT_EFILE, "%s: has no model_type; a T5's config.json says \"model_type\": \"t5\"", name);
    if (strcmp(type, "t5"))
        return tt_fail(TT_EFILE, "%s: model_type '%s' is not supported; t5 is (T5, T5 1.1, FLAN-T5)", name, type);
    const json_t *arch = json_array_get(json_object_get(o, "architectures"), 0);
    c->encoder_only = arch && json_is_string(arch) && !strcmp(json_string_value(arch), "T5EncoderModel");
    return TT_OK;
}

static tt_err check_ids(const tt_t5cfg *c, const char *name)
{
    const struct {
        const char *key;
        int id;
    } id[] = {{"pad_token_id", c->pad_id}, {"eos_token_id", c->eos_id}, {"decoder_start_token_id", c->start_id}};
    for (size_t i = 0; i < sizeof id / sizeof *id; i++)
        if (id[i].id >= c->V)
            return tt_fail(TT_EFILE, "%s: %s %d is not below vocab_size %lld", name, id[i].key, id[i].id,
                           (long long)c->V);
    return TT_OK;
}

/* What no single key shows. */
static tt_err check_whole(tt_t5cfg *c, const char *name)
{
    if (c->Ld < 0) c->Ld = c->L;
    if (c->start_id < 0) c->start_id = c->pad_id;
    if (c->encoder_only) c->Ld = 0;
    TT_TRY(check_ids(c, name));
    if (c->start_id != c->pad_id)
        return tt_fail(TT_EFILE, "%s: decoder_start_token_id %d differs from pad_token_id %d, which is not supported",
                       name, c->start_id, c->pad_id);
    if (c->nbucket % 2) return tt_fail(TT_EFILE, "%s: relative_attention_num_buckets %d is not even", name, c->nbucket);
    if (c->max_distance <= c->nbucket / 2)
        return tt_fail(TT_EFILE, "%s: relative_attention_max_distance %d is not above half of the %d buckets", name,
                       c->max_distance, c->nbucket);
    return TT_OK;
}

static tt_err read_config(const json_t *o, const char *name, tt_t5cfg *c)
{
    double eps, dropout;
    if (!json_is_object(o)) return tt_fail(TT_EFILE, "%s: is not a JSON object", name);
    TT_TRY(read_type(o, name, c));
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) TT_TRY(read_whole(o, name, i, c));
    TT_TRY(read_real(o, name, "layer_norm_epsilon", 1e-6, 1, &eps));
    TT_TRY(read_real(o, name, "dropout_rate", 0.1, 1, &dropout));
    TT_TRY(read_real(o, name, "initializer_factor", 1, 1e6, &c->init_factor));
    c->eps = (float)eps;
    c->dropout = (float)dropout;
    TT_TRY(read_activation(o, name, c));
    TT_TRY(read_bool(o, name, "tie_word_embeddings", true, &c->tied));
    return check_whole(c, name);
}

tt_err tt_t5cfg_parse(const char *json, size_t size, const char *name, tt_t5cfg *out)
{
    json_error_t err;
    json_t *o = json_loadb(json, size, JSON_REJECT_DUPLICATES, &err);
    if (!o) return tt_fail(TT_EFILE, "%s:%d: %s; the file is damaged", name, err.line, err.text);
    *out = (tt_t5cfg){0};
    tt_err e = read_config(o, name, out);
    json_decref(o);
    return e;
}
