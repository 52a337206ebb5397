/* Private to the tensor layer: a head that has a part of the vocabulary. */
#ifndef TUTTI_HEAD_PART_H
#define TUTTI_HEAD_PART_H

#include "tape.h"

/* The most tokens that any rank of tp has: the same on all of them, as the chunks must be. */
int64_t tt_head_widest(const tt_tape *t, const tt_par *W);
/* Says in p which part W is and how the parts' rows come together; p->chunk stands. Memory is of the tape's arena. */
void tt_head_part(tt_tape *t, const tt_par *W, tt_head *p);

#endif
