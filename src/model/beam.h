/* Private to the model layer: the finished hypotheses of one source in a beam search, as Hugging Face's BeamHypotheses. */
#ifndef TUTTI_BEAM_H
#define TUTTI_BEAM_H

#include "tutti/base.h"

typedef struct tt_hyp {
    double score; /* sum of log-probabilities / length^penalty, length in new tokens, end token included */
    int n;
    int32_t *ids; /* [max] */
} tt_hyp;

typedef struct tt_beams {
    int width, max; /* hypotheses kept; tokens of one at most */
    double penalty; /* of the length */
    int early;      /* TT_EARLY_NO ... */
    int n;
    tt_hyp *hyp; /* [width+1] in the order in which they came */
    double worst;
} tt_beams;

void tt_beams_init(tt_beams *b, tt_arena *a, int width, int max, double penalty, int early);
void tt_beams_clear(tt_beams *b);
/* A finished one with its sum of log-probabilities; kept if it is among the best width. */
void tt_beams_add(tt_beams *b, const int32_t *ids, int n, double sum);
/* Can no open hypothesis enter any more? best: the largest sum among the candidates of a step that gave tokens number n. */
bool tt_beams_done(const tt_beams *b, double best, int n);
/* The index of the best not yet taken (taken[width+1]); of equals the last that came. -1: all are taken. */
int tt_beams_best(const tt_beams *b, const bool *taken);

/* The most largest of a row: place and value, the largest first, of equals the lower id. Returns how many are above -inf. */
typedef struct tt_cand {
    double score;
    int row;
    int32_t id;
} tt_cand;
/* Merges row's candidates score = sum + (z[v] - minus) into best[0..n), sorted, at most `most`; returns the new n. */
int tt_cands_merge(tt_cand *best, int n, int most, int row, double sum, double minus, const float *z, int64_t V);

#endif
