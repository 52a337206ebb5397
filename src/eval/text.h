/* Private to eval: what the metrics of texts share: characters as Python sees them, words as numbers, n-grams, common subsequences. */
#ifndef TUTTI_EVAL_TEXT_H
#define TUTTI_EVAL_TEXT_H

#include "tutti/eval.h"

/* ---- characters ----------------------------------------------------------------------------------------------------
 * White space, words and lower case as Python 3.11 (Unicode 14), classes as the regex module (Unicode 15), for every code point. */

/* The character at s, *len bytes (1..4). A byte that starts none counts by itself, as U+FFFD; the ending 0 is never passed. */
uint32_t tt_uc_next(const char *s, int *len);
int tt_uc_put(char *s, uint32_t c); /* bytes written, 1..4 */
bool tt_uc_space(uint32_t c);       /* str.split(), str.strip(), \s */
bool tt_uc_word(uint32_t c);        /* \w */
enum { TT_UC_OTHER, TT_UC_N, TT_UC_P, TT_UC_S };
int tt_uc_class(uint32_t c); /* \p{N}, \p{P}, \p{S} */
/* str.lower(): U+0130 becomes two characters, a capital sigma at the end of a word its final form. Heap, the caller frees. */
char *tt_uc_lower(const char *s);
bool tt_ascii_punctuation(uint32_t c); /* Python's string.punctuation */

/* Blanks at the end aside: the bytes of s[0..n) that remain, as str.rstrip(). */
size_t tt_uc_rstrip(const char *s, size_t n);
/* The next run of characters that are no white space; NULL at the end. *s moves behind it. */
const char *tt_uc_split(const char **s, size_t *n);

/* ---- words as numbers -----------------------------------------------------------------------------------------------*/
enum { TT_WORD_PAD = 16 };
typedef struct tt_word {
    uint64_t lo, hi; /* its first 16 bytes, zeros behind its end: most words are compared by these alone */
    size_t at;       /* in text */
    uint32_t n, hash;
} tt_word;

typedef struct tt_words {
    char *text;
    size_t text_n, text_cap;
    tt_word *word;
    int n, cap;
    int32_t *slot; /* number of a word, -1: free; a power of two of them, at most half of them taken */
    uint32_t mask;
} tt_words;

void tt_words_init(tt_words *w);
void tt_words_fini(tt_words *w);
/* The number of the word s[0..n), n > 0: 0, 1, 2 ... in the order of their first appearance. */
int32_t tt_words_id(tt_words *w, const char *s, size_t n);
/* The same where the TT_WORD_PAD bytes from s on may be read, however short the word. */
int32_t tt_words_id_padded(tt_words *w, const char *s, size_t n);
/* Between texts: forgets all words if there are many, so that memory is bounded by the longest text. True if it did. */
bool tt_words_trim(tt_words *w);

typedef struct tt_ids32 { /* a growing list */
    int32_t *v;
    int n, cap;
} tt_ids32;
void tt_ids32_add(tt_ids32 *x, int32_t v);

/* ---- n-grams ----------------------------------------------------------------------------------------------------------
 * The n-grams of one text are held; another's are counted against them.
 * Of a long text they lie in a table, as pairs: the number of the first n-1 words, which are an n-gram themselves, and the last word; so
 * all orders share one table, and a search ends at the first order that is not there. Of a text of up to 63 words the table is a mask
 * of positions for each word: shifted masks meet where an n-gram ends, and the first such place is its number. */
typedef struct tt_gram {
    uint64_t key;              /* number of the shorter one, last word */
    uint32_t born;             /* the text that it belongs to: an older one is a free place */
    int32_t id;                /* from 1 */
    int32_t count, left, best; /* in the text held; not yet matched, and the most found, in the others */
    uint32_t turn;             /* the text that left and best speak of */
} tt_gram;

enum { TT_GRAM_PLACES = 64, TT_GRAM_ORDERS = 32 };
typedef struct
    tt_places { /* one order of a short text; by place of the first of equals, the last place stands for none */
    int32_t count[TT_GRAM_PLACES], found[TT_GRAM_PLACES], best[TT_GRAM_PLACES]; /* as above */
} tt_places;

typedef struct tt_grams {
    tt_gram *slot;
    int bits; /* 2^bits places, at most half of them taken */
    int32_t n;
    uint32_t born, turn;
    bool is_short;
    int32_t word[TT_GRAM_PLACES]; /* of the short text held */
    int nword;
    uint64_t *mask; /* [mask_cap], by word; 0 but for words of the text held */
    int32_t mask_cap;
    tt_places place[TT_GRAM_ORDERS];
} tt_grams;

void tt_grams_init(tt_grams *g);
void tt_grams_fini(tt_grams *g);
/* Holds the n-grams of orders 1..order (at most TT_GRAM_ORDERS) of x[0..n), and forgets those before. Words are not negative. */
void tt_grams_hold(tt_grams *g, const int32_t *x, int n, int order);
/* hit[k-1] += matches of order k, clipped by the counts of the text held. together: also by what earlier calls since the last
 * tt_grams_hold have found, so that a count is the highest of several texts, not their sum. */
void tt_grams_match(tt_grams *g, const int32_t *x, int n, int order, bool together, int64_t *hit);

/* ---- longest common subsequences ----------------------------------------------------------------------------------------
 * Bit-parallel over 64 rows (Crochemore et al. 2001; Hyyro 2004). mask[id] of every word is 0 before and after; carry: nb bytes.
 * column: NULL, or [(na+63)/64, nb]: bit i of column j is 0 where row i of the table of lengths is one more than row i-1. */
int64_t tt_lcs(const int32_t *a, int na, const int32_t *b, int nb, uint64_t *mask, uint8_t *carry, uint64_t *column);
/* Marks the positions of a in the subsequence that rouge_score finds: from the end of both; on unequal words along b if that
 * prefix has the longer one, else along a. */
void tt_lcs_mark(const int32_t *a, int na, const int32_t *b, int nb, const uint64_t *column, uint8_t *marked);

/* ---- BLEU's tokens ------------------------------------------------------------------------------------------------------ */
typedef struct tt_span {
    const char *s;
    size_t n;
} tt_span;
typedef struct tt_spans {
    tt_span *v;
    size_t n, cap;
    char *copy; /* of the text, as prepared */
    size_t copy_cap;
} tt_spans;
void tt_spans_fini(tt_spans *x);
/* The tokens of a text: parts of x->copy, until the next call; padded for tt_words_id_padded. */
void tt_bleu_split(const tt_mopts *o, const char *text, tt_spans *x);

/* ---- metrics of answers -------------------------------------------------------------------------------------------------- */
/* Of a prediction against one reference, both normalised: equality, F1. */
typedef struct tt_answer {
    double exact, f1;
} tt_answer;
/* The best of each over the references. both_empty as tt_answer_f1. */
tt_answer tt_answer_best(int nref, const char *const *ref, const char *prediction, bool trivia, double both_empty);

#endif
