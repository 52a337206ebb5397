/* Private to the model layer: a T5 as its parameters, and its sublayers. */
#ifndef TUTTI_NET_H
#define TUTTI_NET_H

#include "tutti/model.h"

#include <jansson.h>

typedef struct attn {
    const tt_par *norm, *q, *k, *v, *o;
} attn;
typedef struct ffn {
    const tt_par *norm, *wi, *wu, *wo; /* wu: the linear half of a gated one, else NULL */
} ffn;
typedef struct block {
    attn self, cross; /* cross: decoder only */
    ffn ff;
    int group; /* of the parameter table */
} block;
typedef struct stack {
    int n;
    block *block;
    const tt_par *bias; /* relative positions [nbucket,H], the same in every block */
    const tt_par *norm;
} stack;

/* The share of a part of a model: heads, ffn columns, tokens [lo, hi). */
typedef struct share {
    int64_t lo, hi;
} share;

struct tt_model {
    tt_t5cfg cfg;            /* of the whole model, also in a part */
    bool part;               /* made by tt_model_part */
    share heads, ffn, vocab; /* all of them unless part */
    char *json;              /* config.json as read */
    char *generation;        /* generation_config.json as read, or NULL */
    tt_pars pars;
    stack enc, dec;
    const tt_par *embed, *head; /* the same when tied */
    float head_scale;           /* D^-0.5 when tied (Raffel et al. 2020, mesh-tensorflow), else 1 */
};

/* config.json -> cfg. TT_EFILE. */
tt_err tt_t5cfg_parse(const char *json, size_t size, const char *name, tt_t5cfg *out);

/* The residual stream within a block: h, and a sublayer's result f (or NULL) that is not added to it yet, so that the sum and the norm
 * after it are one pass. */
typedef struct tt_stream {
    tt_t *h, *f;
} tt_stream;
tt_t *tt_stream_rms(tt_tape *t, tt_stream *s, const tt_par *w, float eps); /* h <- h + drop(f); rms(h) w */
tt_t *tt_stream_sum(tt_tape *t, tt_stream *s);                             /* h + drop(f) */

/* Sublayers, without the residual sum and its dropout. The stream is normed inside. kv: the rows attended to (NULL: the normed stream itself), in a
 * part fanned out by the caller. w and a may be a part's: results are whole all the same. */
tt_t *tt_sub_attend(tt_tape *t, const tt_t5cfg *c, const attn *w, tt_stream *s, tt_t *kv, const tt_attn *a,
                    const tt_par *bias);
tt_t *tt_sub_ffn(tt_tape *t, const tt_t5cfg *c, const ffn *w, tt_stream *s);
/* Encoder and decoder self-attention, cross-attention, over nseg segments. */
tt_attn tt_attn_enc(const tt_t5cfg *c, int nseg, const tt_seg *seg);
tt_attn tt_attn_dec(const tt_t5cfg *c, int nseg, const tt_seg *seg);
tt_attn tt_attn_cross(const tt_t5cfg *c, int nseg, const tt_seg *seg);

/* As Python's json.dump(value, indent=2, sort_keys=True) and a newline. */
void tt_json_write(FILE *f, const json_t *value);

#endif
