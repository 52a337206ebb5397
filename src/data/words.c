/* Open addressing over records in one array: a known word costs a probe and a record. A full cache is emptied rather than thinned out: the
 * frequent words are back within a few texts, and none carries an age. */
#define XXH_INLINE_ALL
#include "words.h"
#include "tutti/base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MIN_SLOTS = 1 << 12, MAX_SLOTS = 1 << 20, MIN_UNITS = 1 << 16, MAX_UNITS = 14 << 20 }; /* 8 MiB + 56 MiB */

typedef struct slot {
    uint32_t hash, at; /* at: the record's first unit; 0: empty */
} slot;

typedef struct record { /* then n ids, then size bytes */
    float cost, slack;
    uint16_t n, size;
    int32_t id[];
} record;

struct tt_words {
    slot *slot;
    uint32_t nslot, nword; /* nslot: a power of two */
    uint32_t *unit;
    uint32_t nunit, cap; /* unit 0 is never a record */
};

static uint32_t hash_of(const char *text, size_t size) { return (uint32_t)XXH3_64bits(text, size); }

static const record *record_at(const tt_words *w, uint32_t at) { return (const record *)(w->unit + at); }

static bool is_word(const record *r, const char *text, size_t size)
{
    return r->size == size && !memcmp(r->id + r->n, text, size);
}

static void slots_new(tt_words *w, uint32_t n)
{
    w->nslot = n;
    w->slot = tt_malloc(sizeof *w->slot * n);
    memset(w->slot, 0, sizeof *w->slot * n);
}

tt_words *tt_words_new(void)
{
    tt_words *w = tt_malloc(sizeof *w);
    *w = (tt_words){.nunit = 1, .cap = MIN_UNITS};
    w->unit = tt_malloc(sizeof *w->unit * w->cap);
    slots_new(w, MIN_SLOTS);
    return w;
}

void tt_words_free(tt_words *w)
{
    if (!w) return;
    free(w->slot);
    free(w->unit);
    free(w);
}

bool tt_words_get(const tt_words *w, const char *text, size_t size, tt_word *out)
{
    uint32_t hash = hash_of(text, size), mask = w->nslot - 1;
    for (uint32_t i = hash & mask; w->slot[i].at; i = (i + 1) & mask) {
        if (w->slot[i].hash != hash) continue;
        const record *r = record_at(w, w->slot[i].at);
        if (!is_word(r, text, size)) continue;
        *out = (tt_word){r->id, r->n, r->cost, r->slack};
        return true;
    }
    return false;
}

static void place(tt_words *w, slot s)
{
    uint32_t mask = w->nslot - 1, i = s.hash & mask;
    while (w->slot[i].at) i = (i + 1) & mask;
    w->slot[i] = s;
}

static void more_slots(tt_words *w)
{
    slot *old = w->slot;
    uint32_t n = w->nslot;
    slots_new(w, 2 * n);
    for (uint32_t i = 0; i < n; i++)
        if (old[i].at) place(w, old[i]);
    free(old);
}

static void empty(tt_words *w)
{
    memset(w->slot, 0, sizeof *w->slot * w->nslot);
    w->nword = 0;
    w->nunit = 1;
}

static void make_room(tt_words *w, uint32_t units)
{
    bool crowded = w->nword >= w->nslot / 2;
    if ((crowded && w->nslot == MAX_SLOTS) || w->nunit + units > MAX_UNITS)
        empty(w);
    else if (crowded)
        more_slots(w);
    if (w->nunit + units <= w->cap) return;
    w->cap = 2 * w->cap < MAX_UNITS ? 2 * w->cap : MAX_UNITS;
    w->unit = tt_realloc(w->unit, sizeof *w->unit * w->cap);
}

void tt_words_put(tt_words *w, const char *text, size_t size, const tt_word *word)
{
    assert(size <= TT_WORD_BYTES && word->n <= TT_WORD_IDS);
    uint32_t units = (uint32_t)((sizeof(record) + sizeof(int32_t) * (size_t)word->n + size + 3) / 4);
    make_room(w, units);
    record *r = (record *)(w->unit + w->nunit);
    *r = (record){word->cost, word->slack, (uint16_t)word->n, (uint16_t)size};
    if (word->n) memcpy(r->id, word->ids, sizeof *r->id * (size_t)word->n);
    memcpy(r->id + word->n, text, size);
    place(w, (slot){hash_of(text, size), w->nunit});
    w->nunit += units;
    w->nword++;
}
