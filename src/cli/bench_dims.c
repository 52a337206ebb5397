/* Models by size, for benchmarks: T5 1.1's five, or the sizes in a config.json. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* https://huggingface.co/google/t5-v1_1-small ... -xxl */
static const tt_bench_dims sizes[] = {
    {"small", 512, 1024, 8, 6, 64, 32128},    {"base", 768, 2048, 12, 12, 64, 32128},
    {"large", 1024, 2816, 24, 16, 64, 32128}, {"xl", 2048, 5120, 24, 32, 64, 32128},
    {"xxl", 4096, 10240, 24, 64, 64, 32128},  {{0}, 0, 0, 0, 0, 0, 0},
};

static tt_err of_config(const char *path, tt_bench_dims *d)
{
    json_error_t err;
    json_t *j = json_load_file(path, 0, &err);
    if (!j) return tt_fail(TT_EFILE, "%s: %s; give a Hugging Face config.json", path, err.text);
    const struct {
        const char *key;
        int64_t *to;
    } row[] = {{"d_model", &d->D},   {"d_ff", &d->F}, {"num_layers", &d->L},
               {"num_heads", &d->H}, {"d_kv", &d->K}, {"vocab_size", &d->V}};
    tt_err e = TT_OK;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        *row[i].to = json_integer_value(json_object_get(j, row[i].key));
        if (*row[i].to < 1 && !e) e = tt_fail(TT_EFILE, "%s: has no %s above 0", path, row[i].key);
    }
    json_decref(j);
    snprintf(d->name, sizeof d->name, "config");
    return e;
}

tt_err tt_bench_dims_of(const char *size, const char *config, tt_bench_dims *out)
{
    if (config && *config) return of_config(config, out);
    for (const tt_bench_dims *d = sizes; d->D; d++)
        if (!strcmp(d->name, size)) return *out = *d, TT_OK;
    return tt_fail(TT_EJOB, "model: no size '%s'; there are small, base, large, xl, xxl", size);
}

int64_t tt_bench_params(const tt_bench_dims *d)
{
    int64_t attention = 4 * d->D * d->H * d->K, ff = 3 * d->D * d->F;
    return d->L * (3 * attention + 2 * ff) + 2 * d->V * d->D;
}

tt_err tt_bench_build(const tt_bench_dims *d, tt_model **out)
{
    json_t *j = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:b,s:f,s:i,s:i,s:i}", "model_type", "t5", "d_model",
                          (json_int_t)d->D, "d_kv", (json_int_t)d->K, "d_ff", (json_int_t)d->F, "num_layers",
                          (json_int_t)d->L, "num_decoder_layers", (json_int_t)d->L, "num_heads", (json_int_t)d->H,
                          "vocab_size", (json_int_t)d->V, "feed_forward_proj", "gated-gelu", "tie_word_embeddings", 0,
                          "dropout_rate", 0.0, "pad_token_id", 0, "eos_token_id", 1, "decoder_start_token_id", 0);
    char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    tt_err e = tt_model_parse(text, strlen(text), d->name, out);
    free(text);
    return e;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

tt_bench_stat tt_bench_stat_of(int n, const double *x)
{
    double *s = tt_malloc(sizeof *s * (size_t)n);
    memcpy(s, x, sizeof *s * (size_t)n);
    qsort(s, (size_t)n, sizeof *s, rising);
    tt_bench_stat r = {n, s[0], (s[(n - 1) / 2] + s[n / 2]) / 2, s[n - 1]};
    free(s);
    return r;
}

json_t *tt_bench_stat_json(const tt_bench_stat *s)
{
    return json_pack("{s:i,s:f,s:f,s:f}", "n", s->n, "least", s->least, "median", s->median, "most", s->most);
}
