/* eval: metrics. Local. Later: suites and forgetting. */
#ifndef TUTTI_EVAL_H
#define TUTTI_EVAL_H

#include "tutti/base.h"

typedef struct tt_prf {
    double p, r, f;
} tt_prf;
/* ROUGE as google-research's rouge_score 0.1.2, equal to it to the last bit. Texts are UTF-8; they are lower-cased (Unicode), every run
 * of [a-z0-9] is a token, and with stem tokens longer than 3 go through the Porter stemmer. N: clipped matches of n-grams (n >= 1);
 * L: one longest common subsequence over the whole texts. A score is 0 where a side has no n-gram (no token). Time of L is the
 * product of the lengths, memory is linear. */
tt_prf tt_rouge_n(const char *target, const char *prediction, int n, bool stem);
tt_prf tt_rouge_l(const char *target, const char *prediction, bool stem);
/* The reference with the highest F (the first of equals), as rouge_score's score_multi. kind: 1, 2, ... for n-grams; 0 for L. */
tt_prf tt_rouge_multi(int nref, char *const *ref, const char *prediction, int kind, bool stem);
/* The tokens, one blank between them; heap, the caller frees. */
char *tt_rouge_tokens(const char *text, bool stem);
/* Porter stemmer as nltk's PorterStemmer in its default NLTK_EXTENSIONS mode; in place, ASCII lower case. */
void tt_porter(char *word);
/* True if the prediction is equal to one of the references, blanks (" \t\n\v\f\r") at both ends aside. */
bool tt_exact_match(int nref, char *const *ref, const char *prediction);

#endif
