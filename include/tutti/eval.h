/* eval: metrics. Local. Later: suites and forgetting. */
#ifndef TUTTI_EVAL_H
#define TUTTI_EVAL_H

#include "tutti/base.h"

typedef struct tt_prf {
    double p, r, f;
} tt_prf;
/* ROUGE as google-research's rouge_score 0.1.2: lower-case, [^a-z0-9]+ to blanks, Porter stemmer on words longer than 3 if stem. */
tt_prf tt_rouge_n(const char *target, const char *prediction, int n, bool stem);
tt_prf tt_rouge_l(const char *target, const char *prediction, bool stem);
/* The best F over references, as rouge_score's score_multi. kind: 1, 2, ... for n-grams; 0 for L. */
tt_prf tt_rouge_multi(int nref, char *const *ref, const char *prediction, int kind, bool stem);
/* Porter stemmer as nltk's PorterStemmer in its default NLTK_EXTENSIONS mode; in place, ASCII lower case. */
void tt_porter(char *word);
/* Exact match after stripping blanks at both ends. */
bool tt_exact_match(int nref, char *const *ref, const char *prediction);

#endif
