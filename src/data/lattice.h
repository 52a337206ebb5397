/* How firmly a unigram model decides. Private to data.
 *
 * SentencePiece adds scores in float from the start of a text, so the rounding of a word's paths depends on what stands before it: where
 * two segmentations are as good ("mmm": mm m, m mm), either may win. The lattice says how far the best is ahead. */
#ifndef TUTTI_DATA_LATTICE_H
#define TUTTI_DATA_LATTICE_H

#include "spm.h"
#include "spm_file.h"

typedef struct tt_lattice tt_lattice;
tt_lattice *tt_lattice_new(const tt_spm *s, const tt_spm_file *f); /* NULL: nothing is known (a score is above 0) */
void tt_lattice_free(tt_lattice *l);
float tt_lattice_unk_cost(const tt_lattice *l); /* -score of one unknown character */

/* slack = (best - second best sum of scores) / characters; *cost = -best. If S bounds the sums of a whole text, no rounding can turn the
 * decision while slack > 2^-23 S. 0 if ids[n] is not the best segmentation of text (normalized, the word mark in front), or a user-defined
 * piece occurs in it, which the library scores in its own way. INFINITY: there is no other segmentation. */
float tt_lattice_slack(const tt_lattice *l, const char *text, size_t size, const int32_t *ids, int n, float *cost);

#endif
