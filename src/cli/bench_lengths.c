/* Lengths of examples: all alike, or as in real data. */
#include "bench.h"

#include <stdlib.h>

/* Tokens of the 12,460 training examples of DialogSum (Chen et al. 2021) under T5's tokenizer: each column sorted, its (i + 1/2) / 32
 * quantile. By `tutti tokenize tokenizer=DIR in=FILE` of {"text": dialogue} and of {"text": summary}, end token included; means 224.3 and
 * 41.3, correlation 0.77. Dialogues are cut at 512 and summaries at 128 tokens, as a job does. */
static const short quantile[][2] = {
    {73, 17},  {85, 20},  {96, 22},  {108, 23}, {122, 25}, {133, 26}, {144, 27}, {152, 28},
    {159, 29}, {165, 31}, {171, 32}, {176, 33}, {181, 34}, {187, 35}, {193, 36}, {199, 37},
    {206, 39}, {213, 40}, {221, 41}, {229, 43}, {237, 44}, {246, 46}, {257, 47}, {269, 49},
    {280, 51}, {294, 53}, {309, 56}, {327, 58}, {349, 62}, {378, 67}, {420, 74}, {512, 90},
};
enum { QUANTILES = sizeof quantile / sizeof *quantile };

/* Every quantile once in QUANTILES examples, in drawn order; long dialogues with long summaries, as they mostly are. */
static void real_lengths(tt_bench_batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        tt_rkey key = tt_key(1, "order", (uint64_t)(i / QUANTILES), 0, 0);
        const short *q = quantile[tt_permute(key, QUANTILES, (uint64_t)(i % QUANTILES))];
        b->S[i] = q[0];
        b->T[i] = q[1];
    }
}

tt_bench_batch tt_bench_batch_make(tt_arena *a, int64_t n, int64_t enc, int64_t dec)
{
    tt_bench_batch b = {n, TT_NEW(a, int, n), TT_NEW(a, int, n)};
    for (int64_t i = 0; i < n; i++) {
        b.S[i] = (int)enc;
        b.T[i] = (int)dec;
    }
    if (enc == 0) real_lengths(&b);
    return b;
}
