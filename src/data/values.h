/* Stored values and the texts to show in their stead: 0 -> unacceptable. Private to data. */
#ifndef TUTTI_DATA_VALUES_H
#define TUTTI_DATA_VALUES_H

#include "template.h"

/* values: {column: {stored: shown}} of an entry or NULL. *out[t->ncol]: of each column its map or NULL; NULL if none has one.
 * TT_EJOB: a column that no template uses, a map that is none. */
tt_err tt_values_read(tt_arena *a, const tt_yaml *values, const tt_templates *t, const tt_yaml *const **out);
/* The text to show for text[size]; NULL if the map does not list it. */
const char *tt_values_find(const tt_yaml *map, const char *text, size_t size);

#endif
