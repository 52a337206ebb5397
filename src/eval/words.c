/* Words as numbers. */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FIRST_SLOTS = 256, MANY_WORDS = 1 << 19 };
#define MANY_BYTES ((size_t)64 << 20)

static void clear_words(tt_words *w, uint32_t slots)
{
    w->n = 0;
    w->text_n = 0;
    w->mask = slots - 1;
    w->slot = tt_realloc(w->slot, slots * sizeof *w->slot);
    memset(w->slot, -1, slots * sizeof *w->slot);
}

void tt_words_init(tt_words *w)
{
    *w = (tt_words){0};
    clear_words(w, FIRST_SLOTS);
}

void tt_words_fini(tt_words *w)
{
    free(w->text);
    free(w->word);
    free(w->slot);
}

bool tt_words_trim(tt_words *w)
{
    if (w->n < MANY_WORDS && w->text_n < MANY_BYTES) return false;
    clear_words(w, FIRST_SLOTS);
    return true;
}

static void rehash_words(tt_words *w)
{
    uint32_t slots = 2 * (w->mask + 1);
    w->mask = slots - 1;
    w->slot = tt_realloc(w->slot, slots * sizeof *w->slot);
    memset(w->slot, -1, slots * sizeof *w->slot);
    for (int i = 0; i < w->n; i++) {
        uint32_t k = w->word[i].hash & w->mask;
        while (w->slot[k] >= 0) k = (k + 1) & w->mask;
        w->slot[k] = i;
    }
}

static int32_t add_word(tt_words *w, const char *s, tt_word x)
{
    if (w->n == w->cap) w->word = tt_realloc(w->word, sizeof *w->word * (size_t)(w->cap = 2 * w->cap + 64));
    if (w->text_n + x.n > w->text_cap) w->text = tt_realloc(w->text, w->text_cap = 2 * (w->text_n + x.n) + 512);
    memcpy(w->text + w->text_n, s, x.n);
    x.at = w->text_n;
    w->text_n += x.n;
    w->word[w->n] = x;
    return w->n++;
}

static uint64_t low_bytes(size_t n) { return n >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * n) - 1; }

static tt_word look_at(const char *s, size_t n)
{
    unsigned char b[TT_WORD_PAD];
    memcpy(b, s, sizeof b);
    tt_word x = {.n = (uint32_t)n};
    memcpy(&x.lo, b, 8);
    memcpy(&x.hi, b + 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x.lo = __builtin_bswap64(x.lo);
    x.hi = __builtin_bswap64(x.hi);
#endif
    x.lo &= low_bytes(n);
    x.hi &= n > 8 ? low_bytes(n - 8) : 0;
    uint64_t h = (x.lo ^ n) * 0x9e3779b97f4a7c15U ^ (x.hi + n) * 0xc2b2ae3d27d4eb4fU;
    if (n > TT_WORD_PAD) h ^= XXH3_64bits(s, n);
    x.hash = (uint32_t)((h ^ h >> 29) * 0x9e3779b97f4a7c15U >> 32);
    return x;
}

static bool same_word(const tt_words *w, const tt_word *a, const tt_word *b, const char *s)
{
    if ((a->lo ^ b->lo) | (a->hi ^ b->hi) | (a->n ^ b->n)) return false;
    return b->n <= TT_WORD_PAD || !memcmp(w->text + a->at, s, b->n);
}

int32_t tt_words_id_padded(tt_words *w, const char *s, size_t n)
{
    tt_word x = look_at(s, n);
    uint32_t k = x.hash & w->mask;
    for (; w->slot[k] >= 0; k = (k + 1) & w->mask)
        if (same_word(w, &w->word[w->slot[k]], &x, s)) return w->slot[k];
    int32_t id = w->slot[k] = add_word(w, s, x);
    if ((uint32_t)w->n > w->mask / 2) rehash_words(w);
    return id;
}

int32_t tt_words_id(tt_words *w, const char *s, size_t n)
{
    if (n >= TT_WORD_PAD) return tt_words_id_padded(w, s, n);
    char padded[TT_WORD_PAD] = {0};
    memcpy(padded, s, n);
    return tt_words_id_padded(w, padded, n);
}

void tt_ids32_add(tt_ids32 *x, int32_t v)
{
    if (x->n == x->cap) x->v = tt_realloc(x->v, sizeof *x->v * (size_t)(x->cap = 2 * x->cap + 64));
    x->v[x->n++] = v;
}
