#include "parts.h"

#include <string.h>

void tt_parts_put(tt_parts *p, tt_part part)
{
    if (!part.size) return;
    if (p->n == p->cap) {
        tt_part *more = TT_NEW(p->a, tt_part, p->cap = 2 * p->cap + 16);
        if (p->n) memcpy(more, p->part, sizeof *more * (size_t)p->n);
        p->part = more;
    }
    p->part[p->n++] = part;
}

void tt_parts_add(tt_parts *p, const char *text) { tt_parts_put(p, (tt_part){.text = text, .size = strlen(text)}); }

void tt_parts_value(tt_parts *p, const tt_segment *s, uint32_t value)
{
    tt_part part = {.text = tt_segment_value(s, value)};
    part.size = strlen(part.text);
    if (s->id_at && s->sure[value]) {
        part.ids = s->id + s->id_at[value];
        part.n = (int)(s->id_at[value + 1] - s->id_at[value]);
    }
    tt_parts_put(p, part);
}

char *tt_parts_text(tt_arena *a, int n, const tt_part *part)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += part[i].size;
    char *text = tt_alloc(a, size + 1), *w = text;
    for (int i = 0; i < n; w += part[i++].size) memcpy(w, part[i].text, part[i].size);
    *w = 0;
    return text;
}
