#include "values.h"

#include <string.h>

static tt_err check_map(const tt_yaml *map)
{
    bool good = map->kind == TT_MAP && map->n;
    for (int i = 0; good && i < map->n; i++) good = map->child[i]->kind == TT_SCALAR;
    if (good) return TT_OK;
    return tt_fail(TT_EJOB, "%s:%d: values.%s must be a map, {stored text: text to show}", map->file, map->line,
                   map->key);
}

static tt_err column_of(const tt_yaml *map, const tt_templates *t, int *col)
{
    for (*col = 0; *col < t->ncol; ++*col)
        if (!strcmp(t->col[*col], map->key)) return TT_OK;
    const char *near = tt_nearest(map->key, t->col, t->ncol);
    return tt_fail(TT_EJOB, "%s:%d: values.%s: no template uses {%s}%s%s%s; values go by the names in the templates",
                   map->file, map->line, map->key, map->key, near ? ", did you mean {" : "", near ? near : "",
                   near ? "}" : "");
}

tt_err tt_values_read(tt_arena *a, const tt_yaml *values, const tt_templates *t, const tt_yaml *const **out)
{
    *out = NULL;
    if (!values) return TT_OK;
    if (values->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: values must be a map, {column: {stored text: text to show}}", values->file,
                       values->line);
    const tt_yaml **map = TT_ZNEW(a, const tt_yaml *, t->ncol + 1);
    for (int i = 0; i < values->n; i++) {
        int c;
        TT_TRY(check_map(values->child[i]));
        TT_TRY(column_of(values->child[i], t, &c));
        map[c] = values->child[i];
    }
    *out = map;
    return TT_OK;
}

const char *tt_values_find(const tt_yaml *map, const char *text, size_t size)
{
    for (int i = 0; i < map->n; i++)
        if (strlen(map->child[i]->key) == size && !memcmp(map->child[i]->key, text, size)) return map->child[i]->text;
    return NULL;
}
