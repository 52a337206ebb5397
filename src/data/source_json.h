/* Rows from JSON objects. Private to data. */
#ifndef TUTTI_DATA_SOURCE_JSON_H
#define TUTTI_DATA_SOURCE_JSON_H

#include "source.h"

#include <jansson.h>

/* Begins, fills and ends a row from an object. */
tt_err tt_json_row(tt_reader *r, const json_t *object, int64_t line);
/* key itself, or a path of keys and indices: instances.0.input; a key in place of an index gives the list of that member of all:
 * choices.text. NULL if there is none; null counts as none. */
const json_t *tt_json_find(const json_t *object, const char *key);
/* Calls tt_json_row for every line; the first is number line. */
tt_err tt_json_lines(tt_reader *r, char *text, int64_t line);

#endif
