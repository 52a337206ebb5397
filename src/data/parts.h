/* A text in parts: words of a template, and values whose ids may be stored beside them. Private to data. */
#ifndef TUTTI_DATA_PARTS_H
#define TUTTI_DATA_PARTS_H

#include "tutti/data.h"
#include "sets.h"

typedef struct tt_parts { /* lives in a */
    tt_arena *a;
    int n, cap;
    tt_part *part;
} tt_parts;
void tt_parts_put(tt_parts *p, tt_part part); /* an empty one is left out */
void tt_parts_add(tt_parts *p, const char *text);
void tt_parts_value(tt_parts *p, const tt_segment *s, uint32_t value); /* with its ids, where the segment has them */
char *tt_parts_text(tt_arena *a, int n, const tt_part *part);

#endif
