/* Private to eval: texts as numbers and as classes. */
#ifndef TUTTI_EVAL_NUMBERS_H
#define TUTTI_EVAL_NUMBERS_H

#include "metric.h"

/* A finite decimal number, blanks around it aside: Python's float() without nan, inf, underscores. *x is left alone if it is none. */
bool tt_number(const char *text, double *x);
/* Labels are one class if their texts are equal, blanks around them aside, or equal as numbers: "1", "1.0", " +1". */
bool tt_same_label(const char *a, const char *b);
/* Where an example is, for a message. */
const char *tt_case_at(const tt_case *c);

/* Texts numbered 0, 1, ... in the order in which they come. */
typedef struct tt_names tt_names;
tt_names *tt_names_new(void);
void tt_names_free(tt_names *t);
int tt_names_count(const tt_names *t);
const char *tt_names_text(const tt_names *t, int k); /* as it first came */
int tt_names_put(tt_names *t, const char *text);     /* its number, a new one if it is new */
int tt_names_put_label(tt_names *t, const char *label);
int tt_names_find_label(const tt_names *t, const char *label); /* -1: none */

#endif
