/* The mixture as a function of the draw's number (DESIGN D8). */
#include "tutti/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tt_mix {
    int n;
    uint64_t seed;
    int64_t *first; /* [n+1]: draws of the sets before, in an epoch */
    int64_t *rows;
    const tt_set *const *set;
};

/* Uses of c as the last number of a set's keys: templates have 0 (sets.c), the order of its rows this. */
enum { KEY_ROWS = 2 };
#define MAX_EPOCH ((int64_t)1 << 48)

static int64_t draws_of(const tt_setinfo *s)
{
    if (!s->rows || s->weight <= 0) return 0;
    int64_t count = s->cap > 0 && s->cap < s->rows ? s->cap : s->rows;
    double e = rint(s->weight * (double)count);
    return e < 1 ? 1 : e > (double)MAX_EPOCH ? MAX_EPOCH + 1 : (int64_t)e;
}

tt_err tt_mix_new(const tt_sets *s, uint64_t seed, tt_mix **out)
{
    tt_mix *x = tt_malloc(sizeof *x);
    *x = (tt_mix){.n = s->n, .seed = seed, .set = (const tt_set *const *)s->set};
    x->first = tt_malloc(sizeof *x->first * (size_t)(s->n + 1));
    x->rows = tt_malloc(sizeof *x->rows * (size_t)(s->n + 1));
    x->first[0] = 0;
    tt_err e = TT_OK;
    for (int i = 0; i < s->n; i++) {
        const tt_setinfo *info = tt_set_info(s->set[i]);
        x->rows[i] = info->rows;
        x->first[i + 1] = x->first[i] + draws_of(info);
        if (x->first[i + 1] > MAX_EPOCH)
            e = tt_fail(TT_EDATA, "%s: weight %g makes an epoch of more than 2^48 examples; lower it", info->name,
                        info->weight);
        if (e != TT_OK) break;
    }
    if (e == TT_OK && !x->first[s->n])
        e = tt_fail(TT_EDATA, "the mixture is empty: %d data sets, none with a usable row and a weight above 0", s->n);
    if (e != TT_OK)
        tt_mix_free(x);
    else
        *out = x;
    return e;
}

void tt_mix_free(tt_mix *x)
{
    if (!x) return;
    free(x->first);
    free(x->rows);
    free(x);
}

int64_t tt_mix_epoch(const tt_mix *x) { return x->first[x->n]; }

double tt_mix_share(const tt_mix *x, int set)
{
    return (double)(x->first[set + 1] - x->first[set]) / (double)tt_mix_epoch(x);
}

/* The set whose run holds slot. */
static int set_of(const tt_mix *x, int64_t slot)
{
    int lo = 0, hi = x->n;
    while (lo + 1 < hi) {
        int mid = lo + (hi - lo) / 2;
        *(x->first[mid] <= slot ? &lo : &hi) = mid;
    }
    return lo;
}

tt_draw tt_mix_draw(const tt_mix *x, int64_t n)
{
    int64_t E = tt_mix_epoch(x), epoch = n / E;
    int64_t slot =
        (int64_t)tt_permute(tt_key(x->seed, "mixture", (uint64_t)epoch, 0, 0), (uint64_t)E, (uint64_t)(n % E));
    int i = set_of(x, slot);
    int64_t use = epoch * (x->first[i + 1] - x->first[i]) + slot - x->first[i]; /* of this set, over all epochs */
    int64_t round = use / x->rows[i];
    tt_rkey key = tt_key(x->seed, tt_set_info(x->set[i])->name, (uint64_t)round, 0, KEY_ROWS);
    int64_t row = (int64_t)tt_permute(key, (uint64_t)x->rows[i], (uint64_t)(use % x->rows[i]));
    return (tt_draw){i, row, round};
}
