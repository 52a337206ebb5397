/* The rows of a file that a data set takes: a bit a row, with counts to find the k-th in O(log). Private to data. */
#ifndef TUTTI_DATA_PICK_H
#define TUTTI_DATA_PICK_H

#include "tutti/base.h"

typedef struct tt_pick tt_pick;
tt_pick *tt_pick_new(int64_t rows); /* all of them taken; heap, about a seventh of a byte a row */
void tt_pick_free(tt_pick *p);      /* NULL is fine */
void tt_pick_drop(tt_pick *p, int64_t row);
bool tt_pick_has(const tt_pick *p, int64_t row);
void tt_pick_count(tt_pick *p); /* after the last drop, before the two below */
int64_t tt_pick_rows(const tt_pick *p);
int64_t tt_pick_at(const tt_pick *p, int64_t k); /* the k-th row taken, 0 <= k < tt_pick_rows */

#endif
