/* A TSV file with a header line, held as texts. Private to data. */
#ifndef TUTTI_DATA_TABLE_H
#define TUTTI_DATA_TABLE_H

#include "tutti/base.h"

typedef struct tt_table {
    const char *file;
    int ncol, nrow;
    const char **col;  /* [ncol] names */
    const char **cell; /* [nrow][ncol] */
    int *line;         /* [nrow] */
} tt_table;

/* Local. Blank lines are passed over. TT_EDATA: no such file; a line with another number of fields than the header; a name twice. */
tt_err tt_table_read(tt_arena *a, const char *path, tt_table **out);
int tt_table_col(const tt_table *t, const char *name); /* -1: there is none */

#endif
