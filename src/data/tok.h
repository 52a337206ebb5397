/* What the files of the tokenizer share. Private to data. */
#ifndef TUTTI_DATA_TOK_H
#define TUTTI_DATA_TOK_H

#include "tutti/data.h"

typedef struct tt_bytes {
    char *p;
    size_t n, cap;
} tt_bytes;

/* The bytes at which a tokenizer by words may be cut: SentencePiece takes every one for a blank. */
static inline bool tt_is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* Working memory of a tokenizer, which one caller at a time uses. */
tt_ids *tt_tok_scratch(const tt_tok *t);
tt_bytes *tt_tok_bytes(const tt_tok *t);
/* tt_tok_body by the library alone, the whole text at once: what every quicker way is compared with. */
tt_err tt_tok_body_plain(const tt_tok *t, const char *text, size_t size, tt_ids *out);
/* The ids of a stretch of whole words, word by word, if they are the same in any text of at most whole bytes; else *sure is false and what was
 * appended means nothing. */
tt_err tt_tok_try(const tt_tok *t, const char *text, size_t size, size_t whole, tt_ids *out, bool *sure);
void tt_ids_append(tt_ids *v, const int32_t *id, int n);

#endif
