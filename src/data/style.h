/* How often a data set's prompts carry exemplars and answer options, and its templates' kinds are chosen. Private to data. */
#ifndef TUTTI_DATA_STYLE_H
#define TUTTI_DATA_STYLE_H

#include "tutti/conf.h"

enum { TT_MAX_SHOTS = 64 };

/* An entry's word goes before that of its part of the mixture, and this before the job's data.prompts. */
typedef struct tt_style {
    double few_shot, options; /* shares of the draws */
    double cot, invert;       /* weights of these kinds; direct has 1 */
    int shots_lo, shots_hi;   /* exemplars of a prompt that has some */
} tt_style;

/* data.prompts. TT_EJOB: shots is no range. */
tt_err tt_style_of_job(const tt_job *job, tt_style *out);
/* What the map says of {few_shot, shots, options, cot, invert}; the rest stays. map NULL: all stays. TT_EJOB with its line. */
tt_err tt_style_override(tt_arena *a, const tt_yaml *map, tt_style *style);

#endif
