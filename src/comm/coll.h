/* Private to the comm layer: messages of bytes, and the tags in use. */
#ifndef TUTTI_COLL_H
#define TUTTI_COLL_H

#include "tutti/comm.h"

enum {
    TAG_RING = 32001,
    TAG_GATHER = 32002,
    TAG_ALL = 32003,
    TAG_TP = 32004,
    TAG_TP_DONE = 32005,
    TAG_PARTS = 32006
}; /* out of the way of callers' tags; MPI promises 32767 */

/* In calls of at most m->chunk bytes; the receiver names the same bytes. */
void tt_isend_bytes(const tt_mesh *m, tt_reqs *q, const void *x, size_t bytes, int to, int tag);
void tt_irecv_bytes(const tt_mesh *m, tt_reqs *q, void *x, size_t bytes, int from, int tag);

/* The memory of the sums over tp: NULL is none. */
void tt_tp_free(struct tt_tp *w);
struct tt_tp *tt_tp_new(int tp);

#endif
