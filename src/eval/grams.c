/* N-grams of words. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- of a long text --------------------------------------------------------------------------------------------------*/

enum { FIRST_BITS = 9 };

static void new_table(tt_grams *g, int bits)
{
    size_t bytes = sizeof *g->slot << bits;
    g->slot = tt_malloc(bytes);
    memset(g->slot, 0, bytes);
    g->bits = bits;
}

/* Its place, or the free one where it belongs. */
static tt_gram *find(const tt_grams *g, uint64_t key)
{
    size_t mask = ((size_t)1 << g->bits) - 1;
    size_t k = (size_t)((key * 0x9e3779b97f4a7c15U) >> (64 - g->bits));
    while (g->slot[k].born == g->born && g->slot[k].key != key) k = (k + 1) & mask;
    return &g->slot[k];
}

static void grow(tt_grams *g)
{
    tt_gram *old = g->slot;
    size_t n = (size_t)1 << g->bits;
    new_table(g, g->bits + 1);
    for (size_t i = 0; i < n; i++)
        if (old[i].born == g->born) *find(g, old[i].key) = old[i];
    free(old);
}

static uint64_t pair(int32_t shorter, int32_t last) { return (uint64_t)(uint32_t)shorter << 32 | (uint32_t)last; }

static int32_t hold_one(tt_grams *g, uint64_t key)
{
    tt_gram *x = find(g, key);
    if (x->born == g->born) {
        x->count++;
        return x->id;
    }
    int32_t id = ++g->n;
    *x = (tt_gram){.key = key, .born = g->born, .id = id, .count = 1};
    if (((size_t)id << 1) >> g->bits) grow(g);
    return id;
}

/* The next number of a text; when they run out, all places are freed for good and numbers start anew. */
static void next_born(tt_grams *g)
{
    if (++g->born == 0) {
        memset(g->slot, 0, sizeof *g->slot << g->bits);
        g->born = 1;
    }
}

static void hold_long(tt_grams *g, const int32_t *x, int n, int order)
{
    if (!g->slot) new_table(g, FIRST_BITS);
    next_born(g);
    g->n = 0;
    g->turn = 0;
    for (int i = 0; i < n; i++) {
        int32_t id = 0;
        int most = n - i < order ? n - i : order;
        for (int k = 0; k < most; k++) id = hold_one(g, pair(id, x[i + k]));
    }
}

static bool match_one(tt_gram *x, uint32_t turn, bool together)
{
    if (x->turn != turn) {
        x->turn = turn;
        x->left = x->count;
        if (!together) x->best = 0;
    }
    if (x->left == 0) return false;
    int32_t found = x->count - --x->left;
    if (found <= x->best) return false;
    x->best = found;
    return true;
}

static void match_long(tt_grams *g, const int32_t *x, int n, int order, bool together, int64_t *hit)
{
    g->turn++;
    for (int i = 0; i < n; i++) {
        int32_t id = 0;
        int most = n - i < order ? n - i : order;
        for (int k = 0; k < most; k++) {
            tt_gram *y = find(g, pair(id, x[i + k]));
            if (y->born != g->born) break;
            hit[k] += match_one(y, g->turn, together);
            id = y->id;
        }
    }
}

/* ---- of a short text ---------------------------------------------------------------------------------------------------*/

enum { NO_PLACE = TT_GRAM_PLACES - 1 };

static void clear_masks(tt_grams *g)
{
    for (int i = 0; i < g->nword; i++) g->mask[g->word[i]] = 0;
    g->nword = 0;
}

static void room_for(tt_grams *g, int32_t word)
{
    int32_t old = g->mask_cap;
    g->mask_cap = word + word / 2 + 256;
    g->mask = tt_realloc(g->mask, sizeof *g->mask * (size_t)g->mask_cap);
    memset(g->mask + old, 0, sizeof *g->mask * (size_t)(g->mask_cap - old));
}

/* Where the n-grams of the text held end that are equal to the one that ends with word; ends: of the n-gram without it. */
static uint64_t ends_with(const tt_grams *g, uint64_t ends, int32_t word)
{
    return word < g->mask_cap ? ends << 1 & g->mask[word] : 0;
}

static int first_place(uint64_t ends) { return __builtin_ctzll(ends | (uint64_t)1 << NO_PLACE); }

static void hold_short(tt_grams *g, const int32_t *x, int n, int order)
{
    for (int i = 0; i < n; i++) {
        if (x[i] >= g->mask_cap) room_for(g, x[i]);
        g->mask[x[i]] |= (uint64_t)1 << i;
        g->word[i] = x[i];
    }
    g->nword = n;
    memset(g->place, 0, sizeof *g->place * (size_t)order);
    for (int i = 0; i < n; i++) {
        uint64_t ends = ~(uint64_t)0;
        int most = n - i < order ? n - i : order;
        for (int k = 0; k < most; k++) {
            ends = k ? ends_with(g, ends, x[i + k]) : g->mask[x[i]];
            g->place[k].count[first_place(ends)]++;
        }
    }
}

/* Without a jump: which n-grams are there is as hard to foresee as the text. */
static bool match_place(tt_places *p, int place)
{
    int32_t found = ++p->found[place], best = p->best[place];
    bool hit = (found <= p->count[place]) & (found > best);
    p->best[place] = best + hit;
    return hit;
}

static void match_short(tt_grams *g, const int32_t *x, int n, int order, bool together, int64_t *hit)
{
    for (int k = 0; k < order; k++) {
        memset(g->place[k].found, 0, sizeof g->place[k].found);
        if (!together) memset(g->place[k].best, 0, sizeof g->place[k].best);
    }
    for (int i = 0; i < n; i++) {
        uint64_t ends = ~(uint64_t)0;
        int most = n - i < order ? n - i : order;
        for (int k = 0; k < most; k++) {
            ends = k ? ends_with(g, ends, x[i + k]) : x[i] < g->mask_cap ? g->mask[x[i]] : 0;
            hit[k] += match_place(&g->place[k], first_place(ends));
        }
    }
}

/* ---- of either -----------------------------------------------------------------------------------------------------------*/

void tt_grams_init(tt_grams *g)
{
    memset(g, 0, offsetof(tt_grams, place)); /* hold clears what it needs of the rest, and makes the table */
}

void tt_grams_fini(tt_grams *g)
{
    free(g->slot);
    free(g->mask);
}

void tt_grams_hold(tt_grams *g, const int32_t *x, int n, int order)
{
    assert(order <= TT_GRAM_ORDERS);
    clear_masks(g);
    g->is_short = n <= NO_PLACE;
    if (g->is_short)
        hold_short(g, x, n, order);
    else
        hold_long(g, x, n, order);
}

void tt_grams_match(tt_grams *g, const int32_t *x, int n, int order, bool together, int64_t *hit)
{
    if (g->is_short)
        match_short(g, x, n, order, together, hit);
    else
        match_long(g, x, n, order, together, hit);
}
