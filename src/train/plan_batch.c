/* Lengths that a plan reckons with. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { QUICK_BYTES = 128 << 20 }; /* files up to this size are read; a token store always is */

/* Bytes of the files of a list of data sets; -1 where a pattern or a registry hides them. */
static int64_t bytes_of(const tt_job *j, const tt_yaml *list)
{
    int64_t sum = 0;
    for (int i = 0; list && i < list->n; i++) {
        const tt_yaml *path = tt_yaml_get(list->child[i], "path");
        char full[4096];
        struct stat st;
        if (!path || !path->text) return -1;
        snprintf(full, sizeof full, "%s/%s", path->text[0] == '/' ? "" : j->data.root, path->text);
        if (stat(full, &st) != 0 || S_ISDIR(st.st_mode)) return -1;
        sum += st.st_size;
    }
    return sum;
}

static bool quick(const tt_job *j)
{
    int64_t bytes = bytes_of(j, j->data.train);
    return j->plan.data && j->data.train && (j->data.store || (bytes >= 0 && bytes <= QUICK_BYTES));
}

static void keep_batch(tt_planner *p, const tt_batch *b)
{
    pbatch *out = &p->batch[p->nbatch++];
    *out = (pbatch){.n = (int)b->examples, .ex = TT_NEW(p->a, pexample, b->examples)};
    int n = 0;
    for (int64_t g = 0; g < b->G; g++)
        for (int i = 0; i < b->grain[g].B; i++) out->ex[n++] = (pexample){b->grain[g].ex[i].S, b->grain[g].ex[i].T, g};
}

tt_err plan_first_batches(tt_planner *p, tt_batcher *b)
{
    int64_t draw = 0;
    const tt_batch *batch;
    while (p->nbatch < BATCHES_MOST && (p->job->train.steps == 0 || p->nbatch < p->job->train.steps)) {
        TT_TRY(tt_batcher_get(b, draw, 0, &batch));
        keep_batch(p, batch);
        draw = batch->next;
    }
    p->grains = p->job->train.grains;
    p->lengths = tt_sprintf(p->a, "the first %d batches of the job's data", p->nbatch);
    return TT_OK;
}

typedef struct reading {
    tt_tok *tok;
    tt_sets *sets;
    tt_mix *mix;
    tt_batcher *batcher;
} reading;

/* As training does, on one rank. */
static tt_err read_data(tt_planner *p, const tt_mesh *alone, reading *r)
{
    const tt_job *j = p->job;
    const char *dir = j->tokenizer.path ? j->tokenizer.path : j->model.path;
    TT_TRY(tt_tok_open(dir, &r->tok));
    TT_TRY(tt_sets_read(alone, j, j->data.train, "data.train", NULL, &r->sets));
    TT_TRY(tt_mix_new(j, r->sets, &r->mix));
    TT_TRY(tt_batcher_new(alone, j, r->sets, r->mix, r->tok, 0, &r->batcher));
    return plan_first_batches(p, r->batcher);
}

static tt_err real_lengths(tt_planner *p)
{
    tt_mesh alone = {.world = MPI_COMM_SELF, .size = 1, .node_size = 1, .chunk = (size_t)1 << 30};
    reading r = {0};
    tt_err e = read_data(p, &alone, &r);
    double base = (double)tt_rss_bytes(); /* with the data in memory, as in training */
    if (p->base == 0 && e == TT_OK) p->base = base;
    if (r.batcher) tt_batcher_free(r.batcher);
    if (r.mix) tt_mix_free(r.mix);
    if (r.sets) tt_sets_free(r.sets);
    if (r.tok) tt_tok_close(r.tok);
    return e;
}

static void longest(tt_planner *p)
{
    const tt_job *j = p->job;
    int64_t each = j->data.max_source + j->data.max_target, n = j->train.batch_tokens / each;
    if (n < 1) n = 1;
    p->nbatch = 1;
    p->batch[0] = (pbatch){.n = (int)n, .ex = TT_NEW(p->a, pexample, n)};
    for (int64_t i = 0; i < n; i++)
        p->batch[0].ex[i] = (pexample){(int32_t)j->data.max_source, (int32_t)j->data.max_target, i % j->train.grains};
    p->lengths = tt_sprintf(p->a, "%lld examples of data.max_source + data.max_target = %lld + %lld tokens",
                            (long long)n, (long long)j->data.max_source, (long long)j->data.max_target);
}

tt_err plan_lengths(tt_planner *p)
{
    p->grains = p->job->train.grains;
    if (quick(p->job) && (p->job->tokenizer.path || p->job->model.path)) return real_lengths(p);
    longest(p);
    return TT_OK;
}

/* ---- other grains -------------------------------------------------------------------------------------------------------*/

typedef struct ranked {
    int64_t cost;
    int at;
} ranked;

static int longest_first(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    return a->cost != b->cost ? (a->cost > b->cost ? -1 : 1) : a->at - b->at;
}

/* As the batcher does: the longest first, each to the lightest grain. */
void plan_cut(const tt_planner *p, const pbatch *b, int64_t G, int64_t *grain)
{
    if (G == p->grains) {
        for (int i = 0; i < b->n; i++) grain[i] = b->ex[i].grain;
        return;
    }
    ranked *order = tt_malloc(sizeof *order * (size_t)b->n);
    int64_t *load = tt_malloc(sizeof *load * (size_t)G);
    memset(load, 0, sizeof *load * (size_t)G);
    for (int i = 0; i < b->n; i++) order[i] = (ranked){b->ex[i].S + 2 * b->ex[i].T, i};
    qsort(order, (size_t)b->n, sizeof *order, longest_first);
    for (int i = 0; i < b->n; i++) {
        int64_t least = 0;
        for (int64_t g = 1; g < G && load[least]; g++)
            if (load[g] < load[least]) least = g;
        grain[order[i].at] = least;
        load[least] += order[i].cost;
    }
    free(order);
    free(load);
}
