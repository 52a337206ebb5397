/* A cache of words: raw bytes -> ids. Private to data. */
#ifndef TUTTI_DATA_WORDS_H
#define TUTTI_DATA_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TT_WORD_BYTES = 128, TT_WORD_IDS = 1024 }; /* what is longer is not kept */

typedef struct tt_word {
    const int32_t *ids; /* of the cache: until the next put */
    int n;
    float cost, slack; /* lattice.h */
} tt_word;

typedef struct tt_words tt_words;
tt_words *tt_words_new(void);
void tt_words_free(tt_words *w);
bool tt_words_get(const tt_words *w, const char *text, size_t size, tt_word *out);
/* A word that is not there yet: size <= TT_WORD_BYTES, n <= TT_WORD_IDS. Memory grows to at most 64 MiB; full, the cache starts anew. */
void tt_words_put(tt_words *w, const char *text, size_t size, const tt_word *word);

#endif
