#include "select.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool is_glob(const char *s) { return strpbrk(s, "*?[") != NULL; }

static bool same(const char *want, const char *have)
{
    if (!have) return false;
    return !strcmp(want, have) || (is_glob(want) && fnmatch(want, have, 0) == 0);
}

static bool any(const tt_yaml *want, const char *have)
{
    if (want->kind == TT_SCALAR) return same(want->text, have);
    for (int i = 0; i < want->n; i++)
        if (want->child[i]->kind == TT_SCALAR && same(want->child[i]->text, have)) return true;
    return false;
}

bool tt_select_match(const tt_yaml *select, tt_fieldfn *field, const void *item)
{
    for (int i = 0; i < select->n; i++)
        if (!any(select->child[i], field(item, select->child[i]->key))) return false;
    return true;
}

/* ---- checking -------------------------------------------------------------------------------------------------------*/

static tt_err check_key(const tt_yaml *y, const char *what, const char *const *known)
{
    int n = 0;
    while (known && known[n] && strcmp(known[n], y->key)) n++;
    if (!known || known[n]) return TT_OK;
    const char *near = tt_nearest(y->key, known, n);
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", known[i]);
    }
    return tt_fail(TT_EJOB, "%s:%d: %s has no key '%s'%s%s%s; there are %s", y->file, y->line, what, y->key,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list);
}

static tt_err check_value(const tt_yaml *y, const char *key, const char *what, tt_fieldfn *field,
                          const void *const *item, int n, const char *thing)
{
    if (y->kind != TT_SCALAR)
        return tt_fail(TT_EJOB, "%s:%d: %s.%s must be a value or a list of values", y->file, y->line, what, key);
    const char **have = tt_malloc(sizeof *have * (size_t)(n + 1)), *near;
    int nhave = 0;
    for (int i = 0; i < n; i++) {
        const char *v = field(item[i], key);
        if (same(y->text, v)) {
            free(have);
            return TT_OK;
        }
        if (v) have[nhave++] = v;
    }
    near = tt_nearest(y->text, have, nhave);
    tt_err e = tt_fail(TT_EJOB, "%s:%d: %s: no %s has %s '%s'%s%s%s", y->file, y->line, what, thing, key, y->text,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(have);
    return e;
}

tt_err tt_select_check(const tt_yaml *select, const char *what, const char *const *known, tt_fieldfn *field,
                       const void *const *item, int n, const char *thing)
{
    if (select->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: %s must be a map, key: value or list of values", select->file, select->line,
                       what);
    for (int i = 0; i < select->n; i++) {
        const tt_yaml *y = select->child[i];
        TT_TRY(check_key(y, what, known));
        if (y->kind == TT_SCALAR) TT_TRY(check_value(y, y->key, what, field, item, n, thing));
        for (int k = 0; k < y->n && y->kind == TT_LIST; k++)
            TT_TRY(check_value(y->child[k], y->key, what, field, item, n, thing));
    }
    return TT_OK;
}
