/* Private to store: the hash of a set of named tensors, fed in name order. */
#ifndef TUTTI_STORE_HASH_H
#define TUTTI_STORE_HASH_H

#include "tutti/base.h"

typedef struct XXH3_state_s tt_whash;

tt_whash *tt_whash_new(void);
void tt_whash_tensor(tt_whash *h, const char *name, int ndim, const int64_t *shape); /* then its data */
void tt_whash_data(tt_whash *h, const float *x, int64_t n);
void tt_whash_done(tt_whash *h, char hex[33]); /* frees */

uint64_t tt_block_hash(const void *p, size_t bytes);
void tt_bytes_hash(const void *p, size_t bytes, char hex[33]);

#endif
