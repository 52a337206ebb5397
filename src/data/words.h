/* A bounded memory of words and their ids, for tokenizers whose ids compose at blanks. Private to data. */
#ifndef TUTTI_DATA_WORDS_H
#define TUTTI_DATA_WORDS_H

#include "tutti/base.h"

enum { TT_WORD_BYTES = 64 }; /* longer words are not kept */
typedef struct tt_words tt_words;
tt_words *tt_words_new(void); /* at most about 20 MiB; full, it starts anew */
void tt_words_free(tt_words *w);
/* *n ids, until the next put; NULL: not known. margin: what was put with them. */
const int32_t *tt_words_find(const tt_words *w, const char *word, size_t size, int *n, float *margin);
void tt_words_put(tt_words *w, const char *word, size_t size, const int32_t *id, int n, float margin);

#endif
