/* Answer options: fixed for a data set or in a column of the row, shown in one of several styles. Private to data. */
#ifndef TUTTI_DATA_OPTIONS_H
#define TUTTI_DATA_OPTIONS_H

#include "parts.h"

typedef struct tt_options {
    int n; /* the fixed ones, the same for all rows; 0: those of col */
    const char **fixed;
    int col; /* the templates' column with a list of them */
} tt_options;

/* options: [no, yes], or {column: NAME}: then *column is NAME, for the caller to find col; else NULL. TT_EJOB. */
tt_err tt_options_read(tt_arena *a, const tt_yaml *y, tt_options *out, const char **column);

/* Of a row: its options, in the order given. It is kept: they may speak of each other ("none of these") or carry letters. */
const char *tt_options_text(const tt_options *o, const tt_rowref *row, int i);
int tt_options_count(const tt_options *o, const tt_rowref *row);
/* One of the styles that can hold the row's options, by counter of key: those that set them apart with commas and the like are left
 * out where an option has such signs itself. */
int tt_options_draw(const tt_options *o, const tt_rowref *row, tt_rkey key, uint64_t counter);
int tt_options_styles(void); /* how many there are; tt_prompt_style names them */
/* The words that show the options, without a line end before or after. */
void tt_options_add(const tt_options *o, const tt_rowref *row, int style, tt_parts *out);

#endif
