/* synth: what the made-up tasks share. Private to the data layer.
 *
 * A family is a rule in code: it draws a question and computes its answer. A family has several kinds (addition, subtraction), and
 * a kind is a category of the collection; a data set is a kind at a level (0 the easiest, 3 the hardest) with its own rows.
 * Everything is drawn with integers from counter-based streams: the same rows on any machine. */
#ifndef TUTTI_DATA_SYNTH_H
#define TUTTI_DATA_SYNTH_H

#include "tutti/base.h"

/* Short names for the sake of the many small rules; hidden, so that no library ever sees them. */
#pragma GCC visibility push(hidden)

enum { GEN_FIELDS = 6, GEN_TEXT = 1024, GEN_LEVELS = 4, MAX_KINDS = 4, MAX_TEMPLATES = 5 };

typedef struct gen {
    tt_rkey key; /* of this row */
    uint64_t drawn;
    tt_rkey lang; /* of this category: names its made-up dictionary */
    int kind, level;
    int nfield;
    struct {
        const char *name;
        int n;
        char text[GEN_TEXT];
    } field[GEN_FIELDS];
} gen;

typedef struct words {
    int n;
    const char *const *w;
} words;

typedef struct family {
    void (*make)(gen *g); /* puts the fields of one row; "answer" is the target */
    struct {
        const char *name, *phrase; /* the category; what stands for % in the templates */
    } kind[MAX_KINDS];             /* ends with name NULL when shorter */
    const char *source[MAX_TEMPLATES];
} family;

extern const family synth_numbers[], synth_lists[], synth_letters[], synth_sentences[], synth_passages[],
    synth_meanings[]; /* each ends with make NULL */

int below(gen *g, int n);                                                 /* 0..n-1 */
int between(gen *g, int lo, int hi);                                      /* lo..hi */
const char *one(gen *g, words list);                                      /* a word */
void some(gen *g, words list, int n, const char **out);                   /* n different words */
void put(gen *g, const char *name, const char *fmt, ...) TT_PRINTF(3, 4); /* appends to a field */
void put_list(gen *g, const char *name, const char *between, const char *const *w, int n);
void put_letters(gen *g, const char *name, const char *word); /* "c a t" */

const char *article(const char *word); /* a or an */

/* The word lists. */
extern const words animals, foods, objects, clothes, places, jobs, vehicles, tools, body, colours, nouns, women, men,
    people, praise, blame, plain, weekdays, months, numerals, syllables;
typedef struct pairs {
    int n;
    const char *const (*w)[2];
} pairs;
extern const pairs opposites, synonyms, capitals, youngs, sounds, plurals;
typedef struct verb {
    const char *base, *past, *third; /* walk walked walks */
} verb;
extern const struct verbs {
    int n;
    const verb *v;
} verbs;
extern const struct sorts {
    int n;
    const struct sort {
        const char *name; /* animal */
        const words *list;
    } * s;
} sorts;

#pragma GCC visibility pop
#endif
