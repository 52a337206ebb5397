#include "words.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { SLOTS = 1 << 18, MOST = SLOTS / 2, ROOM = 1 << 22 }; /* ROOM: int32 of records */

typedef struct slot {
    uint32_t tag, at; /* upper half of the hash; place of the record, 0: empty */
} slot;

enum { HEAD = 3 };

/* A record: size, n, margin, the ids, the bytes. */
struct tt_words {
    slot *slot;
    int32_t *room;
    uint32_t used, n;
};

tt_words *tt_words_new(void)
{
    tt_words *w = tt_malloc(sizeof *w);
    *w = (tt_words){.slot = tt_malloc(sizeof(slot) * SLOTS), .room = tt_malloc(sizeof(int32_t) * ROOM), .used = 1};
    memset(w->slot, 0, sizeof(slot) * SLOTS);
    return w;
}

void tt_words_free(tt_words *w)
{
    if (!w) return;
    free(w->slot);
    free(w->room);
    free(w);
}

/* The slot of the word, or the empty one where it would go. */
static slot *place(const tt_words *w, const char *word, size_t size, uint64_t h)
{
    for (uint32_t i = (uint32_t)h % SLOTS;; i = (i + 1) % SLOTS) {
        slot *s = &w->slot[i];
        if (!s->at) return s;
        const int32_t *r = w->room + s->at;
        if (s->tag == (uint32_t)(h >> 32) && r[0] == (int32_t)size && !memcmp(r + HEAD + r[1], word, size)) return s;
    }
}

const int32_t *tt_words_find(const tt_words *w, const char *word, size_t size, int *n, float *margin)
{
    const slot *s = place(w, word, size, XXH3_64bits(word, size));
    if (!s->at) return NULL;
    *n = w->room[s->at + 1];
    memcpy(margin, w->room + s->at + 2, sizeof *margin);
    return w->room + s->at + HEAD;
}

void tt_words_put(tt_words *w, const char *word, size_t size, const int32_t *id, int n, float margin)
{
    uint32_t need = HEAD + (uint32_t)n + ((uint32_t)size + 3) / 4;
    if (size > TT_WORD_BYTES || need > ROOM / 4) return;
    if (w->n == MOST || w->used + need > ROOM) {
        memset(w->slot, 0, sizeof(slot) * SLOTS);
        w->used = 1;
        w->n = 0;
    }
    uint64_t h = XXH3_64bits(word, size);
    slot *s = place(w, word, size, h);
    if (s->at) return;
    int32_t *r = w->room + w->used;
    *s = (slot){(uint32_t)(h >> 32), w->used};
    r[0] = (int32_t)size;
    r[1] = n;
    memcpy(r + 2, &margin, sizeof margin);
    if (n) memcpy(r + HEAD, id, sizeof *id * (size_t)n);
    memcpy(r + HEAD + n, word, size);
    w->used += need;
    w->n++;
}
