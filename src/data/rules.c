/* Rules, selections and closed lists over items. */
#include "registry.h"

#include <stdlib.h>
#include <string.h>

/* ---- what can be asked ---------------------------------------------------------------------------------------------------*/

/* All words that rules and selections may ask for: keys of entries and columns of the tables. */
static int askable(tt_arena *a, const tt_items *l, const char ***out)
{
    int n = 0, most = 0;
    for (const tt_keyrow *k = tt_entry_keys; k->name; k++) most++;
    const tt_table *last = NULL;
    for (int i = 0; i < l->n; i++) {
        if (l->item[i]->table && l->item[i]->table != last) most += l->item[i]->table->ncol;
        last = l->item[i]->table;
    }
    *out = TT_NEW(a, const char *, most);
    for (const tt_keyrow *k = tt_entry_keys; k->name; k++) (*out)[n++] = k->name;
    last = NULL;
    for (int i = 0; i < l->n; i++) {
        const tt_table *t = l->item[i]->table;
        for (int c = 0; t && t != last && c < t->ncol; c++) (*out)[n++] = t->col[c];
        last = t;
    }
    return n;
}

static bool is_one_of(const char *s, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(s, list[i])) return true;
    return false;
}

static tt_err check_condition(tt_arena *a, const tt_yaml *when, const char *what, const tt_items *l)
{
    if (when->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: %s must be a map, key: a value, a glob or a list of them", when->file,
                       when->line, what);
    const char **word;
    int n = askable(a, l, &word);
    for (int i = 0; i < when->n; i++) {
        const tt_yaml *y = when->child[i];
        if (!is_one_of(y->key, word, n)) {
            const char *near = tt_nearest(y->key, word, n);
            return tt_fail(TT_EJOB, "%s:%d: %s: '%s' is neither a key of an entry nor a column of a table%s%s%s",
                           y->file, y->line, what, y->key, near ? "; did you mean '" : "", near ? near : "",
                           near ? "'?" : "");
        }
        for (int k = 0; k < y->n; k++)
            if (y->kind != TT_LIST || y->child[k]->kind != TT_SCALAR)
                return tt_fail(TT_EJOB, "%s:%d: %s.%s takes a value, a glob or a list of them", y->file, y->line, what,
                               y->key);
    }
    return TT_OK;
}

static bool says(tt_arena *a, const tt_item *it, const tt_yaml *want)
{
    if (want->kind == TT_SCALAR) return tt_item_says(a, it, want->key, want->text);
    for (int i = 0; i < want->n; i++)
        if (tt_item_says(a, it, want->key, want->child[i]->text)) return true;
    return false;
}

static bool meets(tt_arena *a, const tt_item *it, const tt_yaml *when)
{
    for (int i = 0; when && i < when->n; i++)
        if (!says(a, it, when->child[i])) return false;
    return true;
}

/* ---- rules ---------------------------------------------------------------------------------------------------------------*/

typedef struct rule {
    const tt_yaml *when, *set;
    bool skip;
} rule;

static const tt_keyrow rule_keys[] = {
    {"when", TT_KTREE, offsetof(rule, when), NULL, NULL, "key or column: a value, a glob or a list; absent: all"},
    {"set", TT_KTREE, offsetof(rule, set), NULL, NULL, "keys of the data sets that match"},
    {"skip", TT_KBOOL, offsetof(rule, skip), "false", NULL, "leave them out"},
    {0},
};

static tt_err check_set(const tt_yaml *y, const rule *r)
{
    if (!r->set == !r->skip)
        return tt_fail(TT_EJOB, "%s:%d: a rule needs either set: {key: value} or skip: true", y->file, y->line);
    if (r->set && r->set->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s:%d: set must be a map, key: value", r->set->file, r->set->line);
    return TT_OK;
}

static void apply(tt_arena *a, const rule *r, tt_items *l)
{
    int kept = 0;
    for (int i = 0; i < l->n; i++) {
        tt_item *it = l->item[i];
        bool hit = meets(a, it, r->when);
        if (hit) tt_item_set_all(a, it, r->set, TT_BY_RULE, NULL);
        if (!hit || !r->skip) l->item[kept++] = it;
    }
    l->n = kept;
}

tt_err tt_items_apply(tt_arena *a, const tt_yaml *rules, tt_items *l)
{
    for (int i = 0; rules && i < rules->n; i++) {
        rule r = {0};
        TT_TRY(tt_keys_bind(a, rules->child[i], rule_keys, &r, "rules."));
        TT_TRY(check_set(rules->child[i], &r));
        TT_TRY(tt_entry_check(r.set, "set"));
        if (r.when) TT_TRY(check_condition(a, r.when, "when", l));
        apply(a, &r, l);
    }
    return TT_OK;
}

/* ---- selections ----------------------------------------------------------------------------------------------------------*/

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

/* The different values of a key, sorted. */
static int values(tt_arena *a, const tt_items *l, const char *key, const char ***out)
{
    int n = 0, kept = 0;
    *out = TT_NEW(a, const char *, l->n + 1);
    for (int i = 0; i < l->n; i++)
        if (((*out)[n] = tt_item_text(a, l->item[i], key))) n++;
    if (n) qsort(*out, (size_t)n, sizeof **out, by_text);
    for (int i = 0; i < n; i++)
        if (!i || strcmp((*out)[i], (*out)[i - 1])) (*out)[kept++] = (*out)[i];
    return kept;
}

enum { TOLD = 8 };

/* "; did you mean 'x'?" or, where nothing is near, "; there are a, b, c ...": what to write instead of a word. */
static const char *instead(tt_arena *a, const char *word, const char *const *have, int n)
{
    const char *near = tt_nearest(word, have, n);
    if (near) return tt_sprintf(a, "; did you mean '%s'?", near);
    const char *list = "";
    for (int i = 0; i < n && i < TOLD; i++) list = tt_sprintf(a, "%s%s%s", list, i ? ", " : "", have[i]);
    return n ? tt_sprintf(a, "; there %s %s%s", n > 1 ? "are" : "is", list, n > TOLD ? ", ..." : "") : "";
}

static tt_err check_found(tt_arena *a, const tt_yaml *want, const char *key, const char *from, const tt_items *l)
{
    for (int i = 0; i < l->n; i++)
        if (tt_item_says(a, l->item[i], key, want->text)) return TT_OK;
    const char **have;
    int n = values(a, l, key, &have);
    return tt_fail(TT_EJOB, "%s:%d: select: no data set of %s has %s: %s%s", want->file, want->line, from, key,
                   want->text, instead(a, want->text, have, n));
}

tt_err tt_items_select(tt_arena *a, const tt_yaml *select, const char *from, tt_items *l)
{
    if (!select) return TT_OK;
    TT_TRY(check_condition(a, select, "select", l));
    for (int i = 0; i < select->n; i++) {
        const tt_yaml *y = select->child[i];
        if (y->kind == TT_SCALAR) TT_TRY(check_found(a, y, y->key, from, l));
        for (int k = 0; k < y->n; k++) TT_TRY(check_found(a, y->child[k], y->key, from, l));
    }
    int kept = 0;
    for (int i = 0; i < l->n; i++)
        if (meets(a, l->item[i], select)) l->item[kept++] = l->item[i];
    if (!kept && l->n)
        return tt_fail(TT_EJOB, "%s:%d: select: none of the %d data sets of %s has all of these; ask for less",
                       select->file, select->line, l->n, from);
    l->n = kept;
    return TT_OK;
}

/* ---- closed lists --------------------------------------------------------------------------------------------------------*/

tt_err tt_items_close(tt_arena *a, const tt_yaml *list, const char *key, const tt_items *l)
{
    if (!list) return TT_OK;
    const char **known = TT_NEW(a, const char *, list->n + 1);
    for (int i = 0; i < list->n; i++) {
        if (list->kind != TT_LIST || list->child[i]->kind != TT_SCALAR)
            return tt_fail(TT_EJOB, "%s:%d: %s must be a list of names", list->file, list->line, list->key);
        known[i] = list->child[i]->text;
    }
    qsort(known, (size_t)list->n, sizeof *known, by_text);
    for (int i = 0; i < l->n; i++) {
        const tt_itemkey *k = tt_item_find(l->item[i], key);
        const char *v = k && k->value->kind == TT_SCALAR ? k->value->text : NULL;
        if (!v || bsearch(&v, known, (size_t)list->n, sizeof *known, by_text)) continue;
        return tt_fail(TT_EJOB, "%s:%d: %s '%s' is not in the list of %s:%d%s", k->value->file, k->value->line, key, v,
                       list->file, list->line, instead(a, v, known, list->n));
    }
    return TT_OK;
}
