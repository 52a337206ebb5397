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
/* A tt_parse: a row a line. */
tt_err tt_json_lines(tt_reader *r, char *text, size_t size, int64_t line);
/* The row of a line that is an object of the plain kind nearly all are, without building it. False, and nothing done: it may be unusual
 * (or bad); only the whole way through a parsed object tells. */
bool tt_json_quick(tt_reader *r, const char *text, size_t size, int64_t line, tt_err *e);

#endif
