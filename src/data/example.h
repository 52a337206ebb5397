/* From a draw to token ids. Private to data. */
#ifndef TUTTI_DATA_EXAMPLE_H
#define TUTTI_DATA_EXAMPLE_H

#include "tutti/data.h"

typedef struct tt_sizes {
    int32_t S, T;
    int32_t cut; /* 1: source or target was longer than allowed */
} tt_sizes;

typedef struct tt_maker {
    const tt_job *job;
    const tt_sets *sets;
    const tt_tok *tok;
    int max_spans;
    tt_arena *a; /* one text */
    tt_ids src, tgt;
} tt_maker;

void tt_maker_init(tt_maker *k, const tt_job *job, const tt_sets *sets, const tt_tok *tok);
void tt_maker_fini(tt_maker *k);
/* Local. *ids (heap): source then target after truncation; a function of the job's seed and the draw alone. */
tt_err tt_maker_ids(tt_maker *k, int64_t n, tt_draw draw, int32_t **ids, tt_sizes *size);

#endif
