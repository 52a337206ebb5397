/* A model as a Hugging Face folder. */
#include "net.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static tt_err write_failed(const char *path)
{
    return tt_fail(TT_ERUN, "%s: cannot be written: %s; the export is incomplete", path, strerror(errno));
}

static tt_err write_json(const char *dir, const char *name, const json_t *value)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) return write_failed(path);
    tt_json_write(f, value);
    int bad = ferror(f);
    if (fclose(f) || bad) return write_failed(path);
    return TT_OK;
}

static const char *torch_name(tt_dtype d) { return d == TT_BF16 ? "bfloat16" : d == TT_F16 ? "float16" : "float32"; }

/* The config as read, with the stored type; hand-written ones get what transformers needs to pick its class. */
static json_t *config_json(const tt_model *m, tt_dtype dtype)
{
    json_t *o = json_loads(m->json, 0, NULL);
    assert(o); /* it was parsed when the model was made */
    json_object_set_new(o, "torch_dtype", json_string(torch_name(dtype)));
    if (!json_object_get(o, "architectures"))
        json_object_set_new(o, "architectures", json_pack("[s]", "T5ForConditionalGeneration"));
    return o;
}

/* GenerationConfig.from_model_config: the token ids of the config. */
static json_t *generation_json(const tt_model *m)
{
    json_t *o = m->generation ? json_loads(m->generation, 0, NULL) : NULL;
    if (json_is_object(o)) return o;
    json_decref(o);
    o = json_pack("{s:b, s:i, s:i, s:i}", "_from_model_config", 1, "decoder_start_token_id", m->cfg.start_id,
                  "eos_token_id", m->cfg.eos_id, "pad_token_id", m->cfg.pad_id);
    json_t *config = json_loads(m->json, 0, NULL), *version = json_object_get(config, "transformers_version");
    if (version) json_object_set(o, "transformers_version", version);
    json_decref(config);
    return o;
}

static tt_err copy_stream(FILE *in, FILE *out)
{
    char buf[1 << 16];
    size_t n;
    while ((n = fread(buf, 1, sizeof buf, in)) > 0)
        if (fwrite(buf, 1, n, out) != n) return TT_ERUN;
    return ferror(in) ? TT_ERUN : TT_OK;
}

static tt_err copy_file(const char *from_dir, const char *dir, const char *name)
{
    char from[PATH_MAX], to[PATH_MAX], real_from[PATH_MAX], real_to[PATH_MAX];
    snprintf(from, sizeof from, "%s/%s", from_dir, name);
    snprintf(to, sizeof to, "%s/%s", dir, name);
    if (realpath(from, real_from) && realpath(to, real_to) && !strcmp(real_from, real_to)) return TT_OK;
    FILE *in = fopen(from, "rb");
    if (!in) return errno == ENOENT ? TT_OK : tt_fail(TT_ERUN, "%s: cannot be read: %s", from, strerror(errno));
    FILE *out = fopen(to, "wb");
    if (!out) {
        tt_err e = write_failed(to);
        fclose(in);
        return e;
    }
    tt_err e = copy_stream(in, out);
    fclose(in);
    if (fclose(out) || e != TT_OK) return write_failed(to);
    return TT_OK;
}

static tt_err copy_tokenizer(const char *from, const char *dir)
{
    static const char *const files[] = {"spiece.model",    "tokenizer.json",          "tokenizer_config.json",
                                        "tokenizer.model", "special_tokens_map.json", "added_tokens.json"};
    for (size_t i = 0; from && i < sizeof files / sizeof *files; i++) TT_TRY(copy_file(from, dir, files[i]));
    return TT_OK;
}

static tt_err write_and_free(const char *dir, const char *name, json_t *value)
{
    tt_err e = write_json(dir, name, value);
    json_decref(value);
    return e;
}

tt_err tt_model_export(const tt_model *m, const char *dir, tt_dtype dtype, const char *tok_dir, int64_t shard_bytes)
{
    TT_TRY(tt_mkdirs(dir));
    TT_TRY(write_and_free(dir, "config.json", config_json(m, dtype)));
    TT_TRY(write_and_free(dir, "generation_config.json", generation_json(m)));
    TT_TRY(copy_tokenizer(tok_dir, dir));
    return tt_hf_save(dir, &m->pars, dtype, shard_bytes);
}
