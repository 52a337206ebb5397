/* Items: keys with their levels, and texts filled from them. */
#include "item.h"

#include <fnmatch.h>
#include <string.h>

void tt_items_add(tt_arena *a, tt_items *l, tt_item *it)
{
    if (l->n == l->cap) {
        tt_item **grown = TT_NEW(a, tt_item *, l->cap = l->cap ? 2 * l->cap : 16);
        if (l->n) memcpy(grown, l->item, sizeof *grown * (size_t)l->n);
        l->item = grown;
    }
    l->item[l->n++] = it;
}

bool tt_entry_has(const char *key)
{
    for (const tt_keyrow *k = tt_entry_keys; k->name; k++)
        if (!strcmp(k->name, key)) return true;
    return false;
}

/* ---- keys --------------------------------------------------------------------------------------------------------------*/

const tt_itemkey *tt_item_find(const tt_item *it, const char *key)
{
    for (int i = 0; i < it->n; i++)
        if (!strcmp(it->key[i].value->key, key)) return &it->key[i];
    return NULL;
}

void tt_item_set(tt_arena *a, tt_item *it, const tt_yaml *value, tt_level level)
{
    tt_itemkey *have = (tt_itemkey *)tt_item_find(it, value->key);
    if (have && have->level > level) return;
    if (have) {
        *have = (tt_itemkey){value, level};
        return;
    }
    if (it->n == it->cap) {
        tt_itemkey *grown = TT_NEW(a, tt_itemkey, it->cap = it->cap ? 2 * it->cap : 8);
        if (it->n) memcpy(grown, it->key, sizeof *grown * (size_t)it->n);
        it->key = grown;
    }
    it->key[it->n++] = (tt_itemkey){value, level};
}

void tt_item_set_all(tt_arena *a, tt_item *it, const tt_yaml *map, tt_level level, const char *const *except)
{
    for (int i = 0; map && i < map->n; i++) {
        bool left_out = false;
        for (const char *const *x = except; x && *x; x++) left_out = left_out || !strcmp(*x, map->child[i]->key);
        if (!left_out) tt_item_set(a, it, map->child[i], level);
    }
}

tt_item *tt_item_copy(tt_arena *a, const tt_item *it)
{
    tt_item *c = TT_NEW(a, tt_item, 1);
    *c = *it;
    c->cap = it->n + 4;
    c->key = TT_NEW(a, tt_itemkey, c->cap);
    if (it->n) memcpy(c->key, it->key, sizeof *c->key * (size_t)it->n);
    return c;
}

tt_yaml *tt_item_map(tt_arena *a, const tt_item *it)
{
    tt_yaml *m = TT_NEW(a, tt_yaml, 1);
    *m = (tt_yaml){.kind = TT_MAP, .file = it->at->file, .line = it->at->line, .n = it->n};
    m->child = TT_NEW(a, tt_yaml *, it->n);
    for (int i = 0; i < it->n; i++) m->child[i] = (tt_yaml *)it->key[i].value;
    return m;
}

static const char *own_text(const tt_item *it, const char *key)
{
    const tt_itemkey *k = tt_item_find(it, key);
    const char *s = k && k->value->kind == TT_SCALAR ? k->value->text : "";
    return *s && (k->value->quoted || strcmp(s, "~")) ? s : NULL; /* key: ~ takes it away */
}

static const char *column_text(const tt_item *it, const char *name)
{
    int c = it->table ? tt_table_col(it->table, name) : -1;
    return c < 0 ? NULL : it->table->cell[(size_t)it->row * (size_t)it->table->ncol + (size_t)c];
}

/* true and false have several spellings; a data set that says nothing is not held out. */
static const char *truth(const char *s)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    for (int i = 0; s && i < 4; i++)
        if (!strcasecmp(s, yes[i])) return "true";
    return !s || !strcasecmp(s, "false") || !strcasecmp(s, "no") || !strcasecmp(s, "off") || !strcmp(s, "0") ? "false"
                                                                                                             : s;
}

const char *tt_item_text(tt_arena *a, const tt_item *it, const char *key)
{
    const char *s = own_text(it, key);
    if (!s) s = column_text(it, key);
    if (!strcmp(key, "held_out")) return truth(s);
    if (s || strcmp(key, "name")) return s;
    const char *path = own_text(it, "path");
    return path && !tt_path_is_glob(path) && !strpbrk(path, "{}") ? tt_path_stem(a, path) : NULL;
}

bool tt_item_says(tt_arena *a, const tt_item *it, const char *key, const char *want)
{
    const char *have = tt_item_text(a, it, key);
    if (!strcmp(key, "held_out")) want = truth(want);
    return have && (!strcmp(have, want) || (tt_path_is_glob(want) && !fnmatch(want, have, 0)));
}

/* ---- places --------------------------------------------------------------------------------------------------------------*/

static tt_err place(tt_arena *a, const tt_item *it, const tt_yaml *y, const char *key, const char **out)
{
    bool task = !strcmp(key, "task") && !column_text(it, key);
    *out = tt_item_text(a, it, task ? "name" : key);
    if (*out && **out) return TT_OK;
    const char *name = own_text(it, "name");
    return tt_fail(TT_EJOB, "%s:%d: the path needs {%s}, which %s%s (%s:%d) does not have; write {{ for a brace",
                   y->file, y->line, key, name ? "data set " : "the data set", name ? name : "", it->at->file,
                   it->at->line);
}

tt_err tt_item_fill(tt_arena *a, const tt_item *it, const tt_yaml *pattern, const char **out)
{
    const char *s = pattern->text;
    char *done = "";
    if (!strpbrk(s, "{}")) return *out = s, TT_OK;
    while (*s) {
        size_t n = strcspn(s, "{}");
        const char *brace = s + n, *end = *brace ? strpbrk(brace + 1, "{}") : NULL, *value;
        if (!*brace || brace[1] == *brace) {
            done = tt_sprintf(a, "%s%.*s", done, (int)(n + (*brace != 0)), s);
            s = brace + (*brace ? 2 : 0);
            continue;
        }
        if (*brace == '}' || !end || *end != '}' || end == brace + 1)
            return tt_fail(TT_EJOB, "%s:%d: the path has '%c' without a {column}; write {{ or }} for a brace",
                           pattern->file, pattern->line, *brace);
        TT_TRY(place(a, it, pattern, tt_sprintf(a, "%.*s", (int)(end - brace - 1), brace + 1), &value));
        done = tt_sprintf(a, "%s%.*s%s", done, (int)n, s, value);
        s = end + 1;
    }
    *out = done;
    return TT_OK;
}

/* ---- paths ---------------------------------------------------------------------------------------------------------------*/

const char *tt_path_stem(tt_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *s = tt_strdup(a, slash ? slash + 1 : path), *dot;
    size_t n = strlen(s);
    if (n > 3 && !strcmp(s + n - 3, ".gz")) s[n - 3] = 0;
    if ((dot = strrchr(s, '.')) && dot > s) *dot = 0;
    return s;
}

bool tt_path_is_glob(const char *path) { return strpbrk(path, "*?[") != NULL; }

const char *tt_path_under(tt_arena *a, const char *root, const char *path)
{
    return *path == '/' || !root || !*root || !strcmp(root, ".") ? path : tt_sprintf(a, "%s/%s", root, path);
}
