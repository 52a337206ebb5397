/* Which part of a cut data set a row belongs to, and the hash of a row's content that decides it. Private to data. */
#ifndef TUTTI_DATA_SPLIT_H
#define TUTTI_DATA_SPLIT_H

#include "entry.h"

/* Hash of the columns that the templates' sources use: the same for a row wherever it stands in the file, whatever stands around it,
 * and in whatever order the templates name the columns. */
uint64_t tt_row_key(const tt_templates *t, const tt_cell *cell, tt_valuefn *value, const void *ctx);
/* Does the entry take the row with this key? True without a split. */
bool tt_split_takes(const tt_split *split, uint64_t key);

#endif
