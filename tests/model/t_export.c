// TEST np=1
/* Hugging Face folders out and in again: bytes of the golden ones, round trips, aliases, broken files. */
#include "golden.h"

#include <unistd.h>

static char tmp[] = "/tmp/tutti-export-XXXXXX";

static const char config_text[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 19, \"d_model\": 8, \"d_kv\": 3, \"d_ff\": 12, \"num_layers\": 1, "
    "\"num_heads\": 2, \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false, "
    "\"transformers_version\": \"4.44.2\", \"initializer_factor\": 0.05, \"layer_norm_epsilon\": 1e-06, "
    "\"task_specific_params\": {\"translation\": {\"prefix\": \"translate to Espa\\u00f1ol \\ud83d\\ude00: \", "
    "\"max_length\": 300}, \"x\": []}, \"n\": [1, 2.5, 1e22, 123456789.125, 0.1, true, null]}";

static const char config_want[] = "{\n"
                                  "  \"architectures\": [\n"
                                  "    \"T5ForConditionalGeneration\"\n"
                                  "  ],\n"
                                  "  \"d_ff\": 12,\n"
                                  "  \"d_kv\": 3,\n"
                                  "  \"d_model\": 8,\n"
                                  "  \"feed_forward_proj\": \"gated-gelu\",\n"
                                  "  \"initializer_factor\": 0.05,\n"
                                  "  \"layer_norm_epsilon\": 1e-06,\n"
                                  "  \"model_type\": \"t5\",\n"
                                  "  \"n\": [\n    1,\n    2.5,\n    1e+22,\n    123456789.125,\n    0.1,\n    true,\n"
                                  "    null\n  ],\n"
                                  "  \"num_heads\": 2,\n"
                                  "  \"num_layers\": 1,\n"
                                  "  \"task_specific_params\": {\n"
                                  "    \"translation\": {\n"
                                  "      \"max_length\": 300,\n"
                                  "      \"prefix\": \"translate to Espa\\u00f1ol \\ud83d\\ude00: \"\n"
                                  "    },\n"
                                  "    \"x\": []\n"
                                  "  },\n"
                                  "  \"tie_word_embeddings\": false,\n"
                                  "  \"torch_dtype\": \"float32\",\n"
                                  "  \"transformers_version\": \"4.44.2\",\n"
                                  "  \"vocab_size\": 19\n"
                                  "}\n";

static const char generation_want[] = "{\n"
                                      "  \"_from_model_config\": true,\n"
                                      "  \"decoder_start_token_id\": 0,\n"
                                      "  \"eos_token_id\": 1,\n"
                                      "  \"pad_token_id\": 0,\n"
                                      "  \"transformers_version\": \"4.44.2\"\n"
                                      "}\n";

/* Heap; "" if the file cannot be read. */
static char *text_of(const char *dir, const char *name, size_t *size)
{
    char path[PATH_MAX], *text = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (tt_slurp(path, &text, size) == TT_OK) return text;
    *size = 0;
    return strdup("");
}

static bool same_file(const char *a, const char *b, const char *name)
{
    size_t n, m;
    char *x = text_of(a, name, &n), *y = text_of(b, name, &m);
    bool same = n && n == m && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

static void check_text(const char *dir, const char *name, const char *want)
{
    size_t n;
    char *text = text_of(dir, name, &n);
    ok(!strcmp(text, want), "%s as Python would write it", name);
    free(text);
}

static tt_model *drawn(void)
{
    tt_model *m;
    if (tt_model_parse(config_text, strlen(config_text), "config", &m) != TT_OK) return NULL;
    tt_pars_draw(tt_model_pars(m), 6);
    return m;
}

static tt_model *reopened(const char *dir)
{
    tt_model *m = NULL;
    tt_fail_clear();
    ok(tt_model_open(dir, &m) == TT_OK, "opens again %s", tt_fail_text());
    return m;
}

static void round_trip(const tt_model *m, const char *name, tt_dtype dtype, int64_t shard, double tol)
{
    char dir[1024];
    snprintf(dir, sizeof dir, "%s/%s", tmp, name);
    ok(tt_model_export(m, dir, dtype, NULL, shard) == TT_OK, "%s: exported %s", name, tt_fail_text());
    tt_model *n = reopened(dir);
    if (!n) return;
    const tt_pars *p = tt_model_pars((tt_model *)m);
    near(p->w, tt_model_pars(n)->w, p->size, tol, name);
    tt_model_free(n);
}

/* Writes the weights under other names: renames are pairs (table name, stored name), extra is stored too if not NULL. */
static tt_err write_renamed(const tt_model *m, const char *dir, const char *name, const char *stored, const char *extra)
{
    char path[PATH_MAX];
    const tt_pars *p = tt_model_pars((tt_model *)m);
    tt_stout t[64];
    int n = 0;
    static const float zeros[64];
    for (int i = 0; i < p->n; i++) {
        const tt_par *q = &p->p[i];
        t[n] = (tt_stout){
            .name = strcmp(q->name, name) ? q->name : stored, .dtype = TT_F32, .ndim = q->ndim, .data = q->w};
        memcpy(t[n].shape, q->shape, sizeof q->shape);
        n += t[n].name != NULL;
    }
    if (extra) t[n++] = (tt_stout){.name = extra, .dtype = TT_F32, .ndim = 2, .shape = {32, 2}, .data = zeros};
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    return tt_st_write(path, n, t, true);
}

static void check_alias(const tt_model *m, const char *dir, const char *name, const char *stored, const char *extra)
{
    ok(write_renamed(m, dir, name, stored, extra) == TT_OK, "written %s", tt_fail_text());
    tt_model *n = reopened(dir);
    if (!n) return;
    ok(!memcmp(tt_model_pars(n)->w, tt_model_pars((tt_model *)m)->w, sizeof(float) * (size_t)tt_model_pars(n)->size),
       "%s is read for %s%s%s", stored, name, extra ? ", ignoring " : "", extra ? extra : "");
    tt_model_free(n);
}

static void check_refused(const char *dir, const char *words)
{
    tt_model *m = NULL;
    tt_fail_clear();
    tt_err e = tt_model_open(dir, &m);
    ok(e == TT_EFILE && !m && strstr(tt_fail_text(), words), "refused: %s", tt_fail_text());
    tt_model_free(m);
    tt_fail_clear();
}

static void check_broken(const tt_model *m, const char *dir)
{
    char path[PATH_MAX];
    write_renamed(m, dir, "lm_head.weight", NULL, NULL);
    check_refused(dir, "lm_head.weight");
    write_renamed(m, dir, "shared.weight", "shared.weigth", NULL);
    check_refused(dir, "shared.weight");
    write_renamed(m, dir, "", NULL, "encoder.block.7.layer.0.SelfAttention.q.weight");
    check_refused(dir, "encoder.block.7");
    write_renamed(m, dir, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", NULL,
                  "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    tt_model *n = reopened(dir); /* [32,2] is the right shape */
    tt_model_free(n);
    write_renamed(m, dir, "encoder.final_layer_norm.weight", NULL, "encoder.final_layer_norm.weight");
    check_refused(dir, "encoder.final_layer_norm.weight");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (truncate(path, 3000)) ok(0, "truncate");
    check_refused(dir, "model.safetensors");
    if (truncate(path, 5)) ok(0, "truncate");
    check_refused(dir, "model.safetensors");
    unlink(path);
    check_refused(dir, "model.safetensors");
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    check_refused(dir, "no config.json");
    check_refused("/nonexistent/model", "/nonexistent/model");
}

static void check_golden(const char *shared, const char *name, tt_dtype dtype)
{
    char from[1024], dir[1024];
    snprintf(from, sizeof from, "%s/golden/hf/%s", shared, name);
    snprintf(dir, sizeof dir, "%s/%s", tmp, name);
    tt_model *m = reopened(from);
    if (!m) return;
    ok(tt_model_export(m, dir, dtype, NULL, 0) == TT_OK, "%s: exported %s", name, tt_fail_text());
    const char *const files[] = {"model.safetensors", "config.json", "generation_config.json"};
    for (int i = 0; i < 3; i++) ok(same_file(from, dir, files[i]), "%s: %s is the same to the byte", name, files[i]);
    tt_model_free(m);
}

int main(void)
{
    char command[64], dir[1024];
    if (!ok(mkdtemp(tmp) != NULL, "a folder for the test")) return tap_done();
    tt_model *m = drawn();
    round_trip(m, "f32", TT_F32, 0, 0);
    round_trip(m, "sharded", TT_F32, 2000, 0);
    round_trip(m, "bf16", TT_BF16, 0, 4e-3);
    round_trip(m, "f16", TT_F16, 0, 5e-4);
    snprintf(dir, sizeof dir, "%s/f32", tmp);
    check_text(dir, "config.json", config_want);
    check_text(dir, "generation_config.json", generation_want);
    check_alias(m, dir, "shared.weight", "encoder.embed_tokens.weight", NULL);
    check_alias(m, dir, "shared.weight", "decoder.embed_tokens.weight",
                "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
    check_broken(m, dir);
    tt_model_free(m);
    const char *shared = shared_dir();
    if (shared) {
        check_golden(shared, "t5_v10", TT_F32);
        check_golden(shared, "t5_v11", TT_F32);
        check_golden(shared, "t5_v10/bf16", TT_BF16);
        check_golden(shared, "t5_v11/bf16", TT_BF16);
    } else {
        skip(1, "golden files: ../shared is not here");
    }
    snprintf(command, sizeof command, "rm -rf %s", tmp);
    ok(system(command) == 0, "removed");
    return tap_done();
}
