/* Weights of a Hugging Face folder into the parameter table: one file, or shards by an index. */
#include "tutti/store.h"
#include "hf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char *join(const char *dir, const char *name)
{
    char *p = tt_malloc(strlen(dir) + strlen(name) + 2);
    return strcat(strcat(strcpy(p, dir), "/"), name);
}

static void push_file(tt_hfset *s, tt_stfile *f, const char *name)
{
    s->file = tt_realloc(s->file, ((size_t)s->nfile + 1) * sizeof *s->file);
    s->file_name = tt_realloc(s->file_name, ((size_t)s->nfile + 1) * sizeof *s->file_name);
    s->file[s->nfile] = f;
    s->file_name[s->nfile++] = strdup(name);
}

static tt_err open_shard(tt_hfset *s, const char *name, tt_stfile **out)
{
    for (int i = 0; i < s->nfile; i++)
        if (!strcmp(s->file_name[i], name)) {
            *out = s->file[i];
            return TT_OK;
        }
    if (strchr(name, '/'))
        return tt_fail(TT_EFILE, "%s: shard '%s' lies outside the folder; name it without a path", s->dir, name);
    char *path = join(s->dir, name);
    tt_err e = tt_st_open(path, out);
    free(path);
    if (e == TT_OK) push_file(s, *out, name);
    return e;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tt_sten *const *)a)->name, (*(const tt_sten *const *)b)->name);
}

static void push_tensor(tt_hfset *s, const tt_sten *t)
{
    s->t = tt_realloc(s->t, ((size_t)s->n + 1) * sizeof *s->t);
    s->t[s->n++] = t;
}

static tt_err open_single(tt_hfset *s)
{
    tt_stfile *f;
    TT_TRY(open_shard(s, "model.safetensors", &f));
    for (int i = 0; i < tt_st_count(f); i++) push_tensor(s, tt_st_at(f, i));
    return TT_OK;
}

static tt_err open_mapped(tt_hfset *s, const json_t *map, const char *index)
{
    if (!json_is_object(map)) return tt_fail(TT_EFILE, "%s: no \"weight_map\" object; copy the file again", index);
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)map, name, v)
    {
        if (!json_is_string(v)) return tt_fail(TT_EFILE, "%s: weight_map.%s is not a file name", index, name);
        tt_stfile *f;
        TT_TRY(open_shard(s, json_string_value(v), &f));
        const tt_sten *t = tt_st_find(f, name);
        if (!t)
            return tt_fail(TT_EFILE, "%s: says that %s is in %s, but it is not; copy the folder again", index, name,
                           json_string_value(v));
        push_tensor(s, t);
    }
    if (s->n > 0) qsort(s->t, (size_t)s->n, sizeof *s->t, by_name);
    return TT_OK;
}

static tt_err open_index(tt_hfset *s, const char *index)
{
    json_error_t err;
    json_t *root = json_load_file(index, JSON_REJECT_DUPLICATES, &err);
    if (!root) return tt_fail(TT_EFILE, "%s:%d: %s; copy the file again", index, err.line, err.text);
    tt_err e = open_mapped(s, json_object_get(root, "weight_map"), index);
    json_decref(root);
    return e;
}

static bool has(const char *dir, const char *name)
{
    char *p = join(dir, name);
    bool there = tt_exists(p);
    free(p);
    return there;
}

tt_err tt_hfset_open(tt_hfset *s, const char *dir)
{
    *s = (tt_hfset){.dir = dir};
    if (has(dir, "model.safetensors")) return open_single(s);
    if (has(dir, "model.safetensors.index.json")) {
        char *index = join(dir, "model.safetensors.index.json");
        tt_err e = open_index(s, index);
        free(index);
        return e;
    }
    if (!tt_exists(dir)) return tt_fail(TT_EFILE, "%s: no such folder", dir);
    if (has(dir, "pytorch_model.bin") || has(dir, "pytorch_model.bin.index.json"))
        return tt_fail(TT_EFILE,
                       "%s: has pytorch_model.bin only; save it with save_pretrained(safe_serialization=True)", dir);
    return tt_fail(TT_EFILE, "%s: has neither model.safetensors nor model.safetensors.index.json", dir);
}

void tt_hfset_close(tt_hfset *s)
{
    for (int i = 0; i < s->nfile; i++) {
        tt_st_close(s->file[i]);
        free(s->file_name[i]);
    }
    free(s->file);
    free(s->file_name);
    free(s->t);
    *s = (tt_hfset){0};
}

/* A list of names for a message: the first five and how many more. */
typedef struct names {
    int n;
    char text[512];
} names;

static void names_add(names *l, const char *name)
{
    size_t at = strlen(l->text);
    if (l->n++ < 5) snprintf(l->text + at, sizeof l->text - at, "%s%s", at ? ", " : "", name);
}

static const char *names_more(const names *l) { return l->n > 5 ? ", ..." : ""; }

static tt_err fill(const char *dir, const tt_sten *t, tt_par *p)
{
    char have[96], want[96];
    if (t->ndim != p->ndim || memcmp(t->shape, p->shape, (size_t)p->ndim * sizeof *p->shape))
        return tt_fail(TT_EFILE,
                       "%s: %s is %s, config.json asks for %s; weights and config.json do not belong together", dir,
                       t->name, tt_shape_text(t->ndim, t->shape, have), tt_shape_text(p->ndim, p->shape, want));
    return tt_st_to_f32(t, p->w);
}

/* Two passes: a tensor stored under the table's own name wins over one that an alias leads there (tied copies). */
static tt_err load_set(const tt_hfset *s, tt_pars *pars, const char *(*alias)(const char *, const tt_pars *),
                       bool *done)
{
    names unknown = {0}, missing = {0};
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < s->n; i++) {
            const char *name = alias ? alias(s->t[i]->name, pars) : s->t[i]->name;
            if (!name) continue;
            tt_par *p = tt_pars_find(pars, name);
            if (!p) {
                if (pass == 0) names_add(&unknown, s->t[i]->name);
            } else if (!done[p - pars->p] && (pass == 1 || !strcmp(name, s->t[i]->name))) {
                TT_TRY(fill(s->dir, s->t[i], p));
                done[p - pars->p] = true;
            }
        }
    for (int i = 0; i < pars->n; i++)
        if (!done[i]) names_add(&missing, pars->p[i].name);
    if (missing.n)
        return tt_fail(TT_EFILE, "%s: %d of %d weights are missing: %s%s; the folder is incomplete or of another model",
                       s->dir, missing.n, pars->n, missing.text, names_more(&missing));
    if (unknown.n)
        return tt_fail(TT_EFILE, "%s: %d weights that this model does not have: %s%s; the folder is of another model",
                       s->dir, unknown.n, unknown.text, names_more(&unknown));
    return TT_OK;
}

tt_err tt_hf_load(const char *dir, tt_pars *pars, const char *(*alias)(const char *stored, const tt_pars *pars))
{
    tt_hfset s;
    bool *done = tt_malloc((size_t)pars->n + 1);
    memset(done, 0, (size_t)pars->n + 1);
    tt_err e = tt_hfset_open(&s, dir);
    if (e == TT_OK) e = load_set(&s, pars, alias, done);
    tt_hfset_close(&s);
    free(done);
    return e;
}

const char *tt_shape_text(int ndim, const int64_t *shape, char buf[96])
{
    int at = snprintf(buf, 96, "[");
    for (int i = 0; i < ndim && at < 72; i++) at += snprintf(buf + at, 24, "%s%lld", i ? "," : "", (long long)shape[i]);
    snprintf(buf + at, 2, "]");
    return buf;
}
