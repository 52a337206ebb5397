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
/* The same without memory for weights: the parameter table alone (tt_pars_alloc gives it memory). */
tt_err tt_model_shape(const char *json, size_t size, const char *name, tt_model **out);
tt_err tt_model_new_bare(const char *config_json_path, tt_model **out);
/* Local. The model that tp rank `rank` of size computes with, beside tape->tp: its heads, ffn columns and tokens (tt_share), its own table,
 * laid out without memory: names, order and groups of the whole, shapes of the part (tt_par's axis, lo, hi, of say which). The part stands
 * for itself: m may be freed. Its config is the whole model's; it trains only (tt_t5_loss). Draw and load the whole and cut (tt_par_slice).
 * TT_EJOB: fewer heads, ffn columns or tokens than ranks. */
tt_err tt_model_part(const tt_model *m, int rank, int size, tt_model **part);
/* Local. Weights of a Hugging Face folder into the model; also the hub's aliases of tied weights. */
tt_err tt_model_load(tt_model *m, const char *dir);
/* Local. config + weights of a Hugging Face folder, or of a checkpoint: the file, or the newest in a run's folder. */
tt_err tt_model_open(const char *path, tt_model **out);
/* Collective. Rank 0 reads, the weights are broadcast. */
tt_err tt_model_open_all(const tt_mesh *m, const char *path, tt_model **out);
/* Collective. Rank 0 reads and has the weights; the others have the table, without memory. */
tt_err tt_model_open_first(const tt_mesh *m, const char *path, tt_model **out);
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
void tt_t5_walk(const void *model,
                const tt_hooks *h); /* the calls that the pass of tt_t5_loss makes on its tape's hooks */
void tt_t5_loss(tt_tape *t, const tt_model *m, const tt_grain *g, const float *weight, float smooth, float zloss,
                tt_loss *out);
/* Of the matrix products. s_off and t_off must be there. */
double tt_t5_flops(const tt_t5cfg *c, const tt_grain *g, bool backward);

/* TT_EDATA "what: token 32100 at 17 is not below the model's vocabulary (32000)..." if an id lies outside [0, V). */
tt_err tt_model_check_ids(const tt_model *m, const int32_t *ids, int64_t n, const char *what);

/* ---- generation --------------------------------------------------------------------------------------------------
 * Sources come in one by one and are encoded once; their answers are decoded together, one row each (a beam has several, which share the
 * source's keys and values); an answer that is finished leaves, and the next source takes its place. What a row computes depends on its source
 * and its own tokens alone, so the answers and the bits of their scores do not depend on rows, order or ranks.
 * As transformers 4.44: greedy search, sampling, beam search (BeamSearchScorer), and the processors named below. */
enum { TT_BEAMS_MOST = 64 };
typedef struct tt_gencfg {
    int max_new, min_new; /* new tokens, end token included; before min_new there is no end */
    int beams,
        nreturn; /* beams 1: greedy, or sampling; nreturn answers of each source, at most beams or any number of samples */
    double length_penalty; /* beams: score = sum of log-probabilities / length^penalty */
    int early;             /* beams: TT_EARLY_NO, TT_EARLY_YES, TT_EARLY_NEVER, as early_stopping */
    bool sample;           /* keyed by (seed, the source's key, number of the answer, position) */
    double temperature, top_p;
    int64_t top_k; /* 0: all */
    double repetition_penalty;
    int no_repeat_ngram; /* 0: none */
    uint64_t seed;
    int rows; /* decoded at once; bounds the memory of the caches */
} tt_gencfg;
#define TT_GENCFG_DEFAULT                                                                            \
    {                                                                                                \
        .max_new = 128, .beams = 1, .nreturn = 1, .length_penalty = 1, .temperature = 1, .top_p = 1, \
        .repetition_penalty = 1, .rows = 32                                                          \
    }
tt_err tt_gencfg_check(const tt_gencfg *o, const tt_model *m); /* TT_EJOB */

typedef struct tt_source {
    const int32_t *ids; /* good until the next call of next */
    int S;
    uint64_t key; /* names the example for sampling */
} tt_source;
typedef struct tt_reply {
    int n;
    const int32_t *ids; /* the new ones, end token included when reached */
    double score;       /* sum of log-probabilities of the raw distribution; of a beam its score */
    const float *logp;  /* [n]; NULL in a beam search */
} tt_reply;
typedef struct tt_feed {
    void *ctx;
    tt_err (*next)(void *ctx, tt_source *out, bool *more);
    tt_err (*done)(void *ctx, int64_t number, int n,
                   const tt_reply *answer); /* of source number (0, 1, ... as next gave them), the best first */
} tt_feed;
/* Local. TT_EJOB: the configuration; TT_EDATA: ids outside the vocabulary; or what next and done return. */
tt_err tt_generate(const tt_model *m, const tt_kern *k, const tt_gencfg *o, const tt_feed *feed);
/* The best answer of each of n sources. logp NULL, or per source max_new floats. */
tt_err tt_generate_list(const tt_model *m, const tt_kern *k, const tt_gencfg *o, int n, const int32_t *const *src,
                        const int *S, tt_ids *out, float *const *logp);

/* Log-likelihoods of given targets: of target j, T[j] tokens (the end token, if it counts, is one of them), given source of[j]; of
 * rises. Each source is encoded once. sum[j]: natural logarithms, added in double in the order of the tokens; greedy[j] (NULL: not wanted):
 * is every token the most probable one. Bits depend on source and target alone. Local. TT_EDATA: ids outside the vocabulary. */
tt_err tt_t5_loglik(const tt_model *m, const tt_kern *k, tt_arena *a, int nsrc, const int32_t *const *src, const int *S,
                    int ntgt, const int32_t *const *tgt, const int *T, const int *of, double *sum, bool *greedy);

#endif
