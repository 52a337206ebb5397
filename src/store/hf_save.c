/* Weights out as transformers' save_pretrained lays them out (modeling_utils.py, huggingface_hub's split into shards). */
#include "tutti/store.h"
#include "file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t default_shard = 5000000000; /* "5GB" */

static int64_t par_bytes(const tt_par *p, tt_dtype dtype) { return p->n * (int64_t)tt_dtype_size(dtype); }

/* shard[i] of every parameter, in table order. A tensor larger than a shard has a file of its own, which is closed at once
 * while the one being filled stays open. Returns the number of shards. */
static int assign(const tt_pars *pars, tt_dtype dtype, int64_t limit, int *shard)
{
    int n = 0, open = -1;
    int64_t filled = 0;
    int *order = tt_malloc(((size_t)pars->n + 1) * sizeof *order); /* provisional shard -> place in closing order */
    int closed = 0;
    for (int i = 0; i < pars->n; i++) {
        int64_t bytes = par_bytes(&pars->p[i], dtype);
        if (bytes > limit) {
            order[n] = closed++;
            shard[i] = n++;
            continue;
        }
        if (open >= 0 && filled + bytes > limit) {
            order[open] = closed++;
            open = -1;
        }
        if (open < 0) {
            open = n++;
            filled = 0;
        }
        filled += bytes;
        shard[i] = open;
    }
    if (open >= 0) order[open] = closed++;
    for (int i = 0; i < pars->n; i++) shard[i] = order[shard[i]];
    free(order);
    return n;
}

static void shard_name(char name[64], int i, int n)
{
    if (n <= 1)
        strcpy(name, "model.safetensors");
    else
        snprintf(name, 64, "model-%05d-of-%05d.safetensors", i + 1, n);
}

static tt_err write_shard(const char *dir, const tt_pars *pars, tt_dtype dtype, const int *shard, int i, int n)
{
    tt_stout *t = tt_malloc(((size_t)pars->n + 1) * sizeof *t);
    int m = 0;
    for (int j = 0; j < pars->n; j++) {
        const tt_par *p = &pars->p[j];
        if (shard[j] != i) continue;
        t[m] = (tt_stout){.name = p->name, .dtype = dtype, .ndim = p->ndim, .data = p->w};
        memcpy(t[m++].shape, p->shape, sizeof p->shape);
    }
    char name[64], path[PATH_MAX];
    shard_name(name, i, n);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    tt_err e = tt_st_write(path, m, t, true);
    free(t);
    return e;
}

/* json.dumps(index, indent=2, sort_keys=True) + "\n" */
static tt_err write_index(const char *dir, const tt_pars *pars, tt_dtype dtype, const int *shard, int n)
{
    json_t *map = json_object();
    int64_t total = 0;
    char name[64];
    for (int i = 0; i < pars->n; i++) {
        shard_name(name, shard[i], n);
        json_object_set_new(map, pars->p[i].name, json_string(name));
        total += par_bytes(&pars->p[i], dtype);
    }
    json_t *root = json_pack("{s:{s:I},s:o}", "metadata", "total_size", (json_int_t)total, "weight_map", map);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    json_decref(root);
    if (!text) TT_BUG("out of memory for an index of %d weights", pars->n);
    text = tt_realloc(text, strlen(text) + 2);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    tt_err e = tt_file_put(path, strcat(text, "\n"));
    free(text);
    return e;
}

/* Weight files of an earlier save with another number of shards would be found by a reader: they go. */
static void remove_stale(const char *dir, int n)
{
    DIR *d = opendir(dir);
    if (!d) return;
    char of[32], path[PATH_MAX];
    snprintf(of, sizeof of, "-of-%05d.safetensors", n);
    for (struct dirent *f; (f = readdir(d));) {
        bool shard = !fnmatch("model-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].safetensors", f->d_name, 0);
        bool stale = n > 1 ? (shard && !strstr(f->d_name, of)) || !strcmp(f->d_name, "model.safetensors")
                           : shard || !strcmp(f->d_name, "model.safetensors.index.json");
        if (!stale) continue;
        snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        unlink(path);
    }
    closedir(d);
}

tt_err tt_hf_save(const char *dir, const tt_pars *pars, tt_dtype dtype, int64_t shard_bytes)
{
    TT_TRY(tt_mkdirs(dir));
    int *shard = tt_malloc(((size_t)pars->n + 1) * sizeof *shard);
    int n = assign(pars, dtype, shard_bytes > 0 ? shard_bytes : default_shard, shard);
    tt_err e = TT_OK;
    for (int i = 0; i < n && e == TT_OK; i++) e = write_shard(dir, pars, dtype, shard, i, n);
    if (e == TT_OK && n > 1) e = write_index(dir, pars, dtype, shard, n);
    if (e == TT_OK) remove_stale(dir, n);
    free(shard);
    return e;
}
