/* Private to the model layer: one step of a T5 decoder over rows in any state, with caches of keys and values.
 *
 * A source is encoded once; its keys and values for cross-attention lie in one run of rows of a pool, which all rows that answer it read.
 * A row has a slot with the keys and values of its own tokens. What a row computes depends on its source and its own tokens alone. */
#ifndef TUTTI_DECODE_H
#define TUTTI_DECODE_H

#include "net.h"

typedef struct tt_decoder tt_decoder;
typedef struct tt_decrow {
    int slot;   /* [0, slots) */
    int source; /* as tt_decoder_enter gave it */
    int t;      /* position of token: the slot holds t tokens before it */
    int32_t token;
} tt_decrow;

/* Room for sources at once, slots of max tokens each. */
tt_decoder *tt_decoder_new(const tt_model *m, const tt_kern *k, int sources, int slots, int max);
void tt_decoder_free(tt_decoder *d);
/* Is there room for a source of S tokens beside those that are in? Always when there is none. */
bool tt_decoder_fits(const tt_decoder *d, int S);
/* Encodes n sources together and numbers them; all must fit. */
void tt_decoder_enter(tt_decoder *d, int n, const int32_t *const *ids, const int *S, int *source);
void tt_decoder_leave(tt_decoder *d, int source);
/* logits[n, V] of the tokens after these, until the next call. Puts the rows' tokens into their slots. */
float *tt_decoder_step(tt_decoder *d, int n, const tt_decrow *row);
/* The first t tokens of slot from into slot to. */
void tt_decoder_copy(tt_decoder *d, int from, int to, int t);

#endif
