// TEST np=1
/* config.json: transformers' defaults, and what is refused with which words. */
#include "golden.h"

#define SIZES "\"vocab_size\": 40, \"d_model\": 8, \"d_kv\": 3, \"d_ff\": 12, \"num_layers\": 2, \"num_heads\": 2"
#define T5(more) "{\"model_type\": \"t5\", " SIZES more "}"

static tt_err parse(const char *json, tt_model **m)
{
    tt_fail_clear();
    *m = NULL;
    return tt_model_parse(json, strlen(json), "config.json", m);
}

static void check_defaults(void)
{
    tt_model *m;
    if (!ok(parse(T5(""), &m) == TT_OK, "sizes alone are enough %s", tt_fail_text())) return;
    const tt_t5cfg *c = tt_model_cfg(m);
    ok(c->tied && !c->gated && c->act == TT_RELU && c->Ld == 2 && c->nbucket == 32 && c->max_distance == 128,
       "defaults: tied, relu, as many decoder layers, 32 buckets to 128");
    ok(c->eps == 1e-6f && c->dropout == 0.1f && c->init_factor == 1 && c->pad_id == 0 && c->eos_id == 1 &&
           c->start_id == 0,
       "defaults: eps, dropout, factor, special ids");
    ok(!tt_pars_find(tt_model_pars(m), "lm_head.weight"), "a tied model has no lm_head.weight");
    ok(!strcmp(tt_model_json(m), T5("")), "the text is kept");
    tt_model_free(m);
}

static void check_activation(const char *json, bool gated, tt_act act)
{
    tt_model *m;
    bool good = parse(json, &m) == TT_OK && tt_model_cfg(m)->gated == gated && tt_model_cfg(m)->act == act;
    ok(good, "activation of %s %s", strstr(json, "feed"), tt_fail_text());
    tt_model_free(m);
}

static void check_refused(const char *json, const char *words)
{
    tt_model *m;
    tt_err e = parse(json, &m);
    ok(e == TT_EFILE && strstr(tt_fail_text(), words), "refused: %s", tt_fail_text());
    tt_model_free(m);
    tt_fail_clear();
}

static const struct {
    const char *json, *words;
} refused[] = {
    {"[]", "not a JSON object"},
    {"{\"model_type\": \"t5\"", "config.json:1:"},
    {"{" SIZES "}", "has no model_type"},
    {"{\"model_type\": \"mt5\", " SIZES "}", "model_type 'mt5' is not supported"},
    {"{\"model_type\": 5, " SIZES "}", "model_type is not a text"},
    {"{\"model_type\": \"t5\", \"d_model\": 8}", "has no vocab_size"},
    {T5(", \"d_model\": 9"), "config.json:1:"}, /* a key twice */
    {T5(", \"num_decoder_layers\": 0"), "num_decoder_layers is 0; 1 to 1024 is possible"},
    {T5(", \"num_decoder_layers\": 2.5"), "num_decoder_layers is not a whole number"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 99999999999}", "vocab_size is 99999999999"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 40, \"d_model\": -8}", "d_model is -8"},
    {T5(", \"feed_forward_proj\": \"gated-swiglu\""), "feed_forward_proj 'gated-swiglu' is not known"},
    {T5(", \"dense_act_fn\": \"mish\""), "dense_act_fn 'mish' is not known"},
    {T5(", \"feed_forward_proj\": \"gated-gelu\", \"is_gated_act\": false"), "is_gated_act contradicts"},
    {T5(", \"tie_word_embeddings\": \"yes\""), "tie_word_embeddings is not true or false"},
    {T5(", \"layer_norm_epsilon\": -1"), "layer_norm_epsilon is -1"},
    {T5(", \"dropout_rate\": 1"), "dropout_rate is 1; 0 to below 1 is possible"},
    {T5(", \"dropout_rate\": \"high\""), "dropout_rate is not a number"},
    {T5(", \"eos_token_id\": 40"), "eos_token_id 40 is not below vocab_size 40"},
    {T5(", \"decoder_start_token_id\": 2"), "differs from pad_token_id"},
    {T5(", \"relative_attention_num_buckets\": 7"), "7 is not even"},
    {T5(", \"relative_attention_max_distance\": 16"), "not above half of the 32 buckets"},
};

static double spread(const tt_model *m, const char *name)
{
    const tt_par *p = tt_pars_find(tt_model_pars((tt_model *)m), name);
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) sum += (double)p->w[i] * p->w[i];
    return sqrt(sum / (double)p->n);
}

/* Drawn weights have transformers' standard deviations; the head of its own has T5X's. */
static void check_drawn(void)
{
    tt_model *m;
    const char *json = "{\"model_type\": \"t5\", \"vocab_size\": 300, \"d_model\": 64, \"d_kv\": 32, \"d_ff\": 96, "
                       "\"num_layers\": 1, \"num_heads\": 4, \"feed_forward_proj\": \"gated-gelu\", "
                       "\"tie_word_embeddings\": false, \"initializer_factor\": 2.0}";
    if (!ok(parse(json, &m) == TT_OK, "a gated, untied model %s", tt_fail_text())) return;
    tt_pars_draw(tt_model_pars(m), 4);
    const struct {
        const char *name;
        double std;
    } row[] = {{"shared.weight", 2},
               {"lm_head.weight", 2 / sqrt(64)},
               {"encoder.block.0.layer.0.SelfAttention.q.weight", 2 / sqrt(64 * 32)},
               {"decoder.block.0.layer.1.EncDecAttention.k.weight", 2 / sqrt(64)},
               {"decoder.block.0.layer.0.SelfAttention.v.weight", 2 / sqrt(64)},
               {"encoder.block.0.layer.0.SelfAttention.o.weight", 2 / sqrt(128)},
               {"encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 2 / sqrt(64)},
               {"decoder.block.0.layer.2.DenseReluDense.wi_1.weight", 2 / sqrt(64)},
               {"decoder.block.0.layer.2.DenseReluDense.wo.weight", 2 / sqrt(96)},
               {"encoder.block.0.layer.1.layer_norm.weight", 1},
               {"decoder.final_layer_norm.weight", 1}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double s = spread(m, row[i].name);
        ok(fabs(s / row[i].std - 1) < 0.05, "%s: drawn with %.4f, expected %.4f", row[i].name, s, row[i].std);
    }
    tt_model_free(m);
}

int main(void)
{
    check_defaults();
    check_activation(T5(", \"feed_forward_proj\": \"gated-gelu\""), true, TT_GELU_NEW);
    check_activation(T5(", \"feed_forward_proj\": \"gated-silu\""), true, TT_SILU);
    check_activation(T5(", \"feed_forward_proj\": \"gelu\""), false, TT_GELU);
    check_activation(T5(", \"feed_forward_proj\": \"gated-gelu\", \"dense_act_fn\": \"gelu\""), true, TT_GELU);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) check_refused(refused[i].json, refused[i].words);
    check_drawn();
    return tap_done();
}
