/* The paths of a data set: places filled in, patterns, several to choose from, two folders to start from. */
#include "find.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* "data.root (/data)", or the two folders of a data set that stands in a list. */
const char *tt_find_from(tt_arena *a, const tt_item *it)
{
    if (!it->root[1]) return tt_sprintf(a, "data.root (%s)", it->root[0]);
    return tt_sprintf(a, "the list's folder (%s) or data.root (%s)", it->root[0], it->root[1]);
}

tt_err tt_find_fail(const tt_finder *f, const tt_item *it, const char *path)
{
    return tt_fail(TT_EDATA, "%s:%d: %s: %s cannot be read: %s; paths start from %s", it->at->file, it->at->line,
                   f->what, path, strerror(errno), tt_find_from(f->a, it));
}

static bool not_there(void) { return errno == ENOENT || errno == ENOTDIR; }

static tt_err look(tt_finder *f, const tt_item *it, const char *path, tt_found *out)
{
    struct stat st;
    *out = (tt_found){.path = path, .bytes = -1};
    if (!stat(path, &st)) {
        *out = (tt_found){.path = path, .n = 1, .bytes = st.st_size, .file = TT_NEW(f->a, const char *, 1)};
        out->file[0] = path;
    } else if (!not_there()) {
        return tt_find_fail(f, it, path);
    } else if (tt_path_is_glob(path)) {
        out->glob = true;
        out->n = tt_glob(f->folders, f->a, path, &out->file);
    }
    return TT_OK;
}

/* One path, from the first folder where it is. */
static tt_err find_path(tt_finder *f, const tt_item *it, const tt_yaml *y, tt_found *out)
{
    const char *path;
    TT_TRY(tt_item_fill(f->a, it, y, &path));
    TT_TRY(look(f, it, tt_path_under(f->a, it->root[0], path), out));
    if (out->n || !it->root[1] || *path == '/') return TT_OK;
    tt_found second;
    TT_TRY(look(f, it, tt_path_under(f->a, it->root[1], path), &second));
    *out = second;
    return TT_OK;
}

/* A member of a list of paths: a text, or a map of a path and the keys that go with it. */
static tt_err path_of(const tt_yaml *y, const tt_yaml **out)
{
    *out = y->kind == TT_MAP ? tt_yaml_get(y, "path") : y;
    if (*out && (*out)->kind == TT_SCALAR && *(*out)->text) return TT_OK;
    return tt_fail(TT_EJOB, "%s:%d: path takes a text, or a list of texts and of {path: ..., format: ...}", y->file,
                   y->line);
}

/* The first path of the list that is there, or else the first. *with: the item with the keys that go with it. */
tt_err tt_find(tt_finder *f, const tt_item *it, tt_found *out, const tt_item **with)
{
    static const char *const path_itself[] = {"path", NULL};
    const tt_itemkey *k = tt_item_find(it, "path");
    const tt_yaml *list = k->value, *y = list, *text;
    *out = (tt_found){0};
    *with = it;
    for (int i = 0; i < (list->kind == TT_LIST ? list->n : 1) && !out->n; i++) {
        tt_found one;
        if (list->kind == TT_LIST) y = list->child[i];
        TT_TRY(path_of(y, &text));
        TT_TRY(find_path(f, it, text, &one));
        if (i && !one.n) continue;
        tt_item *own = tt_item_copy(f->a, it);
        if (y->kind == TT_MAP) {
            TT_TRY(tt_entry_check(y, "path"));
            tt_item_set_all(f->a, own, y, k->level, path_itself);
        }
        *out = one;
        *with = own;
    }
    return TT_OK;
}
