#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tt_part_path(const char *dir, int64_t number, char path[4096])
{
    snprintf(path, 4096, "%s/part-%06lld.h5", dir, (long long)number);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------*/

tt_err tt_manifest_load(const char *dir, char **out)
{
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    *out = NULL;
    return tt_exists(path) ? tt_slurp(path, out, &size) : TT_OK;
}

/* Values of a JSON object; what is absent or of another kind makes bad true. */
typedef struct in {
    tt_arena *a;
    bool bad;
} in;

static int64_t number(in *r, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    r->bad = r->bad || !json_is_integer(v) || json_integer_value(v) < 0;
    return json_integer_value(v);
}

static bool flag(in *r, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    r->bad = r->bad || !json_is_boolean(v);
    return json_is_true(v);
}

static const char *word(in *r, const json_t *v)
{
    r->bad = r->bad || !json_is_string(v);
    return tt_strdup(r->a, json_is_string(v) ? json_string_value(v) : "");
}

static void hex(in *r, const json_t *o, const char *key, char out[33])
{
    const json_t *v = json_object_get(o, key);
    r->bad = r->bad || json_string_length(v) != 32;
    snprintf(out, 33, "%s", json_is_string(v) ? json_string_value(v) : "");
}

static tt_want read_want(in *r, const json_t *o)
{
    const json_t *cols = json_object_get(o, "columns");
    tt_want w = {.path = word(r, json_object_get(o, "path")),
                 .format = word(r, json_object_get(o, "format")),
                 .header = word(r, json_object_get(o, "header")),
                 .where = word(r, json_object_get(o, "where")),
                 .cut = word(r, json_object_get(o, "cut")),
                 .ncol = (int)json_array_size(cols)};
    r->bad = r->bad || w.ncol > TT_MAX_COLS;
    w.tag = tt_want_tag(&w);
    w.col = TT_NEW(r->a, const char *, w.ncol + 1);
    w.key = TT_NEW(r->a, const char *, w.ncol + 1);
    for (int c = 0; c < w.ncol; c++) {
        const json_t *pair = json_array_get(cols, (size_t)c);
        w.col[c] = word(r, json_array_get(pair, 0));
        w.key[c] = word(r, json_array_get(pair, 1));
    }
    return w;
}

static tt_kept read_set(in *r, const json_t *o)
{
    tt_kept k = {.want = read_want(r, o),
                 .id = number(r, o, "id"),
                 .size = number(r, o, "size"),
                 .mtime = number(r, o, "mtime_ns"),
                 .done = flag(r, o, "done"),
                 .left_out = flag(r, o, "left_out"),
                 .next = number(r, o, "next"),
                 .rows = number(r, o, "rows"),
                 .lines = number(r, o, "lines"),
                 .bad = number(r, o, "bad"),
                 .values = number(r, o, "values"),
                 .tokens = number(r, o, "tokens"),
                 .bytes = number(r, o, "bytes"),
                 .segments = number(r, o, "segments")};
    hex(r, o, "hash", k.hash);
    hex(r, o, "templates", k.check);
    hex(r, o, "keys", k.keys);
    snprintf(k.category, sizeof k.category, "%s", word(r, json_object_get(o, "category")));
    return k;
}

static tt_partinfo read_part(in *r, const json_t *o)
{
    const json_t *sets = json_object_get(o, "sets");
    tt_partinfo p = {number(r, o, "number"), number(r, o, "bytes"), (int)json_array_size(sets), NULL};
    p.set = TT_NEW(r->a, int64_t, p.n + 1);
    for (int i = 0; i < p.n; i++) p.set[i] = json_integer_value(json_array_get(sets, (size_t)i));
    return p;
}

static void read_all(in *r, const json_t *o, tt_manifest *s)
{
    const json_t *sets = json_object_get(o, "sets"), *parts = json_object_get(o, "parts");
    hex(r, o, "tokenizer", s->tokenizer);
    s->next_set = number(r, o, "next_set");
    s->next_part = number(r, o, "next_part");
    s->n = (int)json_array_size(sets);
    s->npart = (int)json_array_size(parts);
    s->set = tt_malloc(sizeof *s->set * (size_t)(s->n + 1));
    s->part = tt_malloc(sizeof *s->part * (size_t)(s->npart + 1));
    for (int i = 0; i < s->n; i++) s->set[i] = read_set(r, json_array_get(sets, (size_t)i));
    for (int i = 0; i < s->npart; i++) s->part[i] = read_part(r, json_array_get(parts, (size_t)i));
}

tt_err tt_manifest_parse(const char *dir, const char *text, tt_manifest *out)
{
    json_error_t err;
    json_t *o = json_loads(text, 0, &err);
    in r = {.a = tt_arena_new(1 << 16)};
    *out = (tt_manifest){.a = r.a};
    int64_t format = o ? number(&r, o, "format") : 0;
    if (o && format <= TT_STORE_FORMAT) read_all(&r, o, out);
    json_decref(o);
    if (!o)
        return tt_fail(TT_EFILE, "%s/manifest.json:%d: is damaged: %s; remove the folder and run tutti prepare again",
                       dir, err.line, err.text);
    if (format > TT_STORE_FORMAT)
        return tt_fail(TT_EFILE,
                       "%s: the store has format %lld, this program knows %d; use a newer tutti, or another folder",
                       dir, (long long)format, TT_STORE_FORMAT);
    if (r.bad)
        return tt_fail(TT_EFILE,
                       "%s/manifest.json: lacks what a manifest has; remove the folder and run tutti prepare again",
                       dir);
    return TT_OK;
}

void tt_manifest_fini(tt_manifest *s)
{
    free(s->set);
    free(s->part);
    if (s->a) tt_arena_free(s->a);
    *s = (tt_manifest){0};
}

/* ---- writing ----------------------------------------------------------------------------------------------------------*/

static json_t *set_json(const tt_kept *k)
{
    json_t *cols = json_array();
    const tt_want *w = &k->want;
    for (int c = 0; c < w->ncol; c++) json_array_append_new(cols, json_pack("[s, s]", w->col[c], w->key[c]));
    return json_pack("{s:I, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, "
                     "s:I, s:I, s:I, s:s}",
                     "id", (json_int_t)k->id, "path", w->path, "format", w->format, "columns", cols, "header",
                     w->header, "where", w->where, "cut", w->cut, "size", (json_int_t)k->size, "mtime_ns",
                     (json_int_t)k->mtime, "hash", k->hash, "templates", k->check, "keys", k->keys, "done",
                     (int)k->done, "left_out", (int)k->left_out, "next", (json_int_t)k->next, "rows",
                     (json_int_t)k->rows, "lines", (json_int_t)k->lines, "bad", (json_int_t)k->bad, "values",
                     (json_int_t)k->values, "tokens", (json_int_t)k->tokens, "bytes", (json_int_t)k->bytes, "segments",
                     (json_int_t)k->segments, "category", k->category);
}

static json_t *part_json(const tt_partinfo *p)
{
    json_t *sets = json_array();
    for (int i = 0; i < p->n; i++) json_array_append_new(sets, json_integer(p->set[i]));
    return json_pack("{s:I, s:I, s:o}", "number", (json_int_t)p->number, "bytes", (json_int_t)p->bytes, "sets", sets);
}

/* NULL: a name is no UTF-8. */
static json_t *manifest_json(const tt_manifest *s)
{
    json_t *sets = json_array(), *parts = json_array();
    bool bad = false;
    for (int i = 0; i < s->n; i++) bad = json_array_append_new(sets, set_json(&s->set[i])) || bad;
    for (int i = 0; i < s->npart; i++) bad = json_array_append_new(parts, part_json(&s->part[i])) || bad;
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:o, s:o}", "format", TT_STORE_FORMAT, "kind", "tutti token store",
                          "tokenizer", s->tokenizer, "next_set", (json_int_t)s->next_set, "next_part",
                          (json_int_t)s->next_part, "sets", sets, "parts", parts);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

tt_err tt_manifest_write(const char *dir, const tt_manifest *s)
{
    char path[4096];
    json_t *o = manifest_json(s);
    char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
    json_decref(o);
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    if (!text) return tt_fail(TT_EDATA, "%s: the name of a data file or column is not UTF-8; rename it", path);
    tt_err e = tt_file_put(path, text);
    free(text);
    return e;
}

/* ---- sets and parts ---------------------------------------------------------------------------------------------------*/

static bool has_column(const tt_want *have, const char *col, const char *key)
{
    for (int c = 0; c < have->ncol; c++)
        if (!strcmp(have->col[c], col) && !strcmp(have->key[c], key)) return true;
    return false;
}

static bool serves(const tt_want *have, const tt_want *want)
{
    if (have->tag != want->tag || strcmp(have->path, want->path) || strcmp(have->format, want->format) ||
        strcmp(have->header, want->header) || strcmp(have->where, want->where) ||
        (*have->cut && strcmp(have->cut, want->cut)))
        return false;
    for (int c = 0; c < want->ncol; c++)
        if (!has_column(have, want->col[c], want->key[c])) return false;
    return true;
}

int tt_manifest_find(const tt_manifest *s, const tt_want *want)
{
    for (int i = 0; i < s->n; i++)
        if (serves(&s->set[i].want, want)) return i;
    return -1;
}

tt_kept *tt_manifest_add(tt_manifest *s, const tt_want *want)
{
    s->set = tt_realloc(s->set, sizeof *s->set * (size_t)(s->n + 1));
    s->set[s->n] = (tt_kept){.want = *want, .id = s->next_set++, .category = "none"};
    return &s->set[s->n++];
}

void tt_manifest_drop(tt_manifest *s, int i)
{
    memmove(s->set + i, s->set + i + 1, sizeof *s->set * (size_t)(s->n - i - 1));
    s->n--;
}

bool tt_part_lives(const tt_manifest *s, const tt_partinfo *p)
{
    for (int k = 0; k < p->n; k++)
        for (int i = 0; i < s->n; i++)
            if (s->set[i].id == p->set[k]) return true;
    return false;
}
