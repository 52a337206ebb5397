/* Templates: texts with {column} places, and one for answer options. Private to data. */
#ifndef TUTTI_DATA_TEMPLATE_H
#define TUTTI_DATA_TEMPLATE_H

#include "tutti/conf.h"
#include "rows.h"

enum { TT_LITERAL = -1, TT_PLACE = -2 }; /* instead of a column */
typedef struct tt_piece {                /* a literal text, a column, or the place {options} */
    const char *text;                    /* of a literal; "" otherwise */
    size_t size;
    int col;
} tt_piece;

typedef struct tt_pattern {
    int n;
    tt_piece *piece;
} tt_pattern;

/* What asks, with answer options and without. */
typedef struct tt_ask {
    tt_pattern shown;  /* without a place for them they go below it */
    tt_pattern hidden; /* no place, nor the blanks that set it apart */
    bool place;
} tt_ask;

typedef struct tt_template {
    tt_pattern source, target; /* source: all that stands in it without exemplars, head first; for keys and checks */
    int nhead;                 /* pieces of source that stand once, before the exemplars */
    tt_ask own, exemplar;      /* the source after the head; what stands in its stead in an exemplar */
    const char *shot;          /* between an exemplar's question and its answer; NULL: drawn */
    int kind;                  /* TT_DIRECT ... */
    double weight;
    int when, unless; /* columns that must be filled, must be blank; -1: none */
} tt_template;

/* The templates of an entry and the columns that they use, in order of first use. */
typedef struct tt_templates {
    int n, ncol;
    tt_template *t;
    const char **col;
    bool *optional;                   /* named by a when or an unless: a row may lack it */
    const struct tt_options *options; /* NULL: none */
} tt_templates;

/* What a format brings, and what a list's entry is read to. */
typedef struct tt_pattern_text {
    const char *source, *target, *when, *unless, *head, *exemplar, *shot;
    int kind;
    double weight; /* 0: 1 */
} tt_pattern_text;

/* list NULL: the defaults (ended by a row without source). known (NULL: any name) are the columns that exist; others are TT_EJOB
 * at the line of the job. at: where the entry stands. options: the entry's answer options or NULL. */
tt_err tt_templates_read(tt_arena *a, const tt_yaml *list, const tt_yaml *options, const tt_yaml *at,
                         const tt_pattern_text *defaults, const char *const *known, int nknown, tt_templates *out);

bool tt_blank(const char *s);
/* cell[ncol] of one row, whose values are value(ctx, i). */
typedef const char *tt_valuefn(const void *ctx, uint32_t i);
bool tt_template_fits(const tt_template *t, const tt_cell *cell, tt_valuefn *value, const void *ctx);
/* The text with value nth of the first column that has several (others: their first), in a. */
char *tt_pattern_fill(tt_arena *a, const tt_pattern *p, const tt_cell *cell, int nth, tt_valuefn *value,
                      const void *ctx);
/* True if all columns of the pattern are blank (the words around them do not help), or, without columns, its words. */
bool tt_pattern_blank(const tt_pattern *p, const tt_cell *cell, tt_valuefn *value, const void *ctx);
/* Texts that the pattern can give: values of the first column that has several, at least 1. */
int tt_pattern_values(const tt_pattern *p, const tt_cell *cell);

#endif
