/* Data sets as the rest of the layer sees them: an entry of the job over segments of rows, of which it takes some. Private to data. */
#ifndef TUTTI_DATA_SETS_H
#define TUTTI_DATA_SETS_H

#include "tutti/data.h"
#include "entry.h"
#include "pick.h"
#include "rows.h"

struct tt_set {
    tt_setinfo info;
    const tt_spec *spec; /* templates and how prompts are made */
    tt_style style;      /* the entry's word, else that of its part of the mixture, else the job's */
    int nseg;
    const tt_segment *seg; /* in order of first */
    const int *col;        /* [templates->ncol]: the column of the segments; NULL: the same numbers */
    int nbad;
    const tt_badrun *bad; /* runs of the file's bad rows, in order */
    tt_pick *pick;        /* rows of the file that are taken; NULL: all */
    const tt_set *pool;   /* the set whose rows may stand in a prompt as exemplars; NULL: none */
    int *pool_col;        /* [templates->ncol]: the pool's column of each, where the pool is another set */
};

/* A row where it lies. cell: the templates' columns, in the caller's array or in the segment. */
typedef struct tt_rowref {
    const tt_segment *seg;
    int64_t at; /* row of the segment */
    const tt_cell *cell;
} tt_rowref;
enum { TT_MAX_COLS = 64 };
/* row in [0, info.rows). cell has TT_MAX_COLS places. */
tt_rowref tt_set_row(const tt_set *s, int64_t row, tt_cell *cell);
tt_rowref tt_set_file_ref(const tt_set *s, int64_t file_row, tt_cell *cell); /* by its number in the file */
int64_t tt_set_file_row(const tt_set *s, int64_t row);                       /* among the usable rows of the file */

/* Fills in info from spec; rows of the file, all taken so far, none bad. category lives as long as s. */
void tt_set_describe(tt_set *s, const char *category, int64_t rows);

/* Drops rows of the file from what the set takes. Call tt_set_recount after the last. */
void tt_set_drop(tt_set *s, int64_t file_row);
void tt_set_recount(tt_set *s);

#endif
