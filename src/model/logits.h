/* Private to the model layer: what is done to a row of scores before a token is taken, in Hugging Face's words and order
 * (transformers 4.44, generation/logits_process.py). z[V] in place; a token that is ruled out gets -inf. */
#ifndef TUTTI_LOGITS_H
#define TUTTI_LOGITS_H

#include "tutti/base.h"

/* Tokens that occur in ids: z / penalty where positive, z * penalty where negative (Keskar et al. 2019). */
void tt_logits_repetition(float *z, const int32_t *ids, int n, double penalty);
/* Tokens that would complete an n-gram of this size that ids hold already. */
void tt_logits_no_repeat(float *z, const int32_t *ids, int n, int size);
void tt_logits_temperature(float *z, int64_t V, double temperature);
void tt_logits_top_k(float *z, int64_t V, int64_t k); /* those below the k-th largest; ties stay */
/* The least probable that make up at most 1 - p together (Holtzman et al. 2020); of equals the first go first. */
void tt_logits_top_p(float *z, int64_t V, double p);
void tt_logits_min_p(float *z, int64_t V, double p);       /* less than p times as probable as the best */
void tt_logits_typical(float *z, int64_t V, double mass);  /* Meister et al. 2022 */
void tt_logits_epsilon(float *z, int64_t V, double least); /* less probable than this; the best stays */
/* z becomes probabilities. */
void tt_logits_softmax(float *z, int64_t V);
/* The token at u in [0,1) of the distribution of softmax(z), by the order of ids. z becomes probabilities. */
int32_t tt_logits_draw(float *z, int64_t V, double u);

#endif
