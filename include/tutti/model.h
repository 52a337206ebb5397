/* model: T5 1.0, 1.1 and FLAN-T5; generation. Knows nothing of data sources or training. */
#ifndef TUTTI_MODEL_H
#define TUTTI_MODEL_H

#include "tutti/data.h"
#include "tutti/store.h"
#include "tutti/tensor.h"

typedef struct tt_t5cfg {
    int64_t V, D, K, H, F, L, Ld; /* Ld: decoder layers */
    int nbucket, max_distance;
    float eps, dropout;
    bool gated, tied;
    bool encoder_only; /* architectures: T5EncoderModel; only tt_model_parse accepts it */
    tt_act act;
    int pad_id, eos_id, start_id;
    double init_factor;
} tt_t5cfg;

typedef struct tt_model tt_model;

/* Local. A model with zero weights after a config.json with model_type t5 (mt5 and umt5 are refused). Missing keys take Hugging Face's
 * defaults, but the sizes must be there. TT_EFILE names the key that is wrong or not supported. name colours messages. */
tt_err tt_model_new(const char *config_json_path, tt_model **out);
tt_err tt_model_parse(const char *json, size_t size, const char *name, tt_model **out);
/* Local. Weights of a Hugging Face folder into the model; also the hub's aliases of tied weights. */
tt_err tt_model_load(tt_model *m, const char *dir);
/* Local. config + weights of a Hugging Face folder, or of a checkpoint: the file, or the newest in a run's folder. */
tt_err tt_model_open(const char *path, tt_model **out);
/* Collective. Rank 0 reads, the weights are broadcast. */
tt_err tt_model_open_all(const tt_mesh *m, const char *path, tt_model **out);
void tt_model_free(tt_model *m);
tt_pars *tt_model_pars(tt_model *m);
const tt_t5cfg *tt_model_cfg(const tt_model *m);
const char *tt_model_json(const tt_model *m); /* the config text as read */
/* Local. Writes config.json, generation_config.json, model.safetensors (dtype) as transformers does, every key of the config kept;
 * copies the tokenizer files of tok_dir (NULL: none). dir is made. TT_ERUN: a file that cannot be written. */
tt_err tt_model_export(const tt_model *m, const char *dir, tt_dtype dtype, const char *tok_dir, int64_t shard_bytes);

/* Forward of one grain; ids below V (tt_model_check_ids). Without recording, memory is that of one layer, not of all. enc [Rs,D] after the final norm; dec [Rt,D] after the final norm. */
tt_t *tt_t5_encode(tt_tape *t, const tt_model *m, const tt_grain *g);
tt_t *tt_t5_decode(tt_tape *t, const tt_model *m, const tt_grain *g, tt_t *enc);
/* Hidden states of all layers, for tests: hidden[0] embedding output ... hidden[L] after the final norm; NULL to skip. */
typedef struct tt_trace {
    tt_t **enc, **dec; /* [L+1], [Ld+1] */
} tt_trace;
tt_t *tt_t5_encode_traced(tt_tape *t, const tt_model *m, const tt_grain *g, tt_trace *tr);
tt_t *tt_t5_decode_traced(tt_tape *t, const tt_model *m, const tt_grain *g, tt_t *enc, tt_trace *tr);

/* logits[Rt,V] of the decoder's output, all at once: for probes. */
tt_t *tt_t5_logits(tt_tape *t, const tt_model *m, tt_t *dec);

typedef struct tt_loss {
    double loss;        /* sum_r weight[r] * token[r] */
    float *token, *nll; /* [Rt] in the tape's arena */
    int32_t *argmax;    /* [Rt] */
} tt_loss;
/* Loss of a grain with row weights (1/N over the global batch); if the tape records, also runs the backward: gradients are added to the
 * parameters' g. */
void tt_t5_loss(tt_tape *t, const tt_model *m, const tt_grain *g, const float *weight, float smooth, float zloss,
                tt_loss *out);
/* Of the matrix products. s_off and t_off must be there. */
double tt_t5_flops(const tt_t5cfg *c, const tt_grain *g, bool backward);

/* TT_EDATA "what: token 32100 at 17 is not below the model's vocabulary (32000)..." if an id lies outside [0, V). */
tt_err tt_model_check_ids(const tt_model *m, const int32_t *ids, int64_t n, const char *what);

/* ---- generation --------------------------------------------------------------------------------------------------
 * Greedy, with a key/value cache; B ragged sources at once; finished rows leave the batch. out[b]: new ids (without the start
 * token; the end token included when reached; at most max_new). logp NULL, or per row max_new floats for the log-probabilities of out[b].
 * Local; what it needs of a is given back. TT_EDATA: ids outside the vocabulary.
 * Rows do not see each other; yet a row's float bits may depend on how many rows are active, because BLAS picks its kernels by the
 * number of rows. Equal ids are certain only for equal batches. */
tt_err tt_t5_generate(const tt_model *m, const tt_kern *k, tt_arena *a, int B, const int32_t *const *src, const int *S,
                      int max_new, tt_ids *out);
tt_err tt_t5_generate_scored(const tt_model *m, const tt_kern *k, tt_arena *a, int B, const int32_t *const *src,
                             const int *S, int max_new, tt_ids *out, float *const *logp);

#endif
