/* Exemplars: solved rows of the pool that stand in a prompt before the question. Private to data. */
#ifndef TUTTI_DATA_SHOTS_H
#define TUTTI_DATA_SHOTS_H

#include "sets.h"

typedef struct tt_shotrow {
    int64_t file_row; /* of the pool's file, among its usable rows */
    tt_rowref row;    /* the cells in the order of the asking set's columns */
} tt_shotrow;

/* At most k rows of s->pool that template t fits, drawn by key without replacement, none of them own or another with the same content,
 * nor two alike. Returns how many: fewer only where so few were found in a number of tries that grows with k alone. */
int tt_shots_draw(const tt_set *s, const tt_template *t, const tt_rowref *own, tt_rkey key, int k, tt_arena *a,
                  tt_shotrow *out);

#endif
