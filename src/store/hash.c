/* XXH3 (Collet, github.com/Cyan4973/xxHash): 64 bits per block, 128 bits over everything larger. */
#include "tutti/store.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void to_hex(XXH128_hash_t v, char hex[33])
{
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)v.high64, (unsigned long long)v.low64);
}

void tt_bytes_hash(const void *p, size_t bytes, char hex[33]) { to_hex(XXH3_128bits(p, bytes), hex); }

uint64_t tt_block_hash(const void *p, size_t bytes) { return XXH3_64bits(p, bytes); }

tt_whash *tt_whash_new(void)
{
    XXH3_state_t *h = XXH3_createState();
    if (!h) TT_BUG("out of memory for a hash");
    XXH3_128bits_reset(h);
    return h;
}

/* name, 0, ndim, extents as 64-bit little-endian: no two sets of tensors give the same bytes. */
void tt_whash_tensor(tt_whash *h, const char *name, int ndim, const int64_t *shape)
{
    int64_t d = ndim;
    XXH3_128bits_update(h, name, strlen(name) + 1);
    XXH3_128bits_update(h, &d, sizeof d);
    if (ndim > 0) XXH3_128bits_update(h, shape, (size_t)ndim * sizeof *shape);
}

void tt_whash_data(tt_whash *h, const float *x, int64_t n) { XXH3_128bits_update(h, x, (size_t)n * sizeof *x); }

void tt_whash_done(tt_whash *h, char hex[33])
{
    to_hex(XXH3_128bits_digest(h), hex);
    XXH3_freeState(h);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tt_par *const *)a)->name, (*(const tt_par *const *)b)->name);
}

void tt_weights_hash(const tt_pars *pars, char hex[33])
{
    const tt_par **order = tt_malloc(((size_t)pars->n + 1) * sizeof *order);
    for (int i = 0; i < pars->n; i++) order[i] = &pars->p[i];
    qsort(order, (size_t)pars->n, sizeof *order, by_name);
    tt_whash *h = tt_whash_new();
    for (int i = 0; i < pars->n; i++) {
        tt_whash_tensor(h, order[i]->name, order[i]->ndim, order[i]->shape);
        tt_whash_data(h, order[i]->w, order[i]->n);
    }
    tt_whash_done(h, hex);
    free(order);
}
