/* Cutting a data set into train, validation and test by the content of its rows. Private to data. */
#ifndef TUTTI_DATA_SPLIT_H
#define TUTTI_DATA_SPLIT_H

#include "entry.h"

/* Does the row belong to the part that the spec takes? Decided by the values of all columns that source templates use and the
 * split's seed: rows with the same source go to the same side, and rows added later move none. */
bool tt_split_takes(const tt_spec *spec, const tt_cell *cell, tt_valuefn *value, const void *ctx);

#endif
