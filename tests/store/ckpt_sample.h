/* A checkpoint of made-up numbers, cut over the ranks of a mesh in several ways, and a folder for it. */
#ifndef TUTTI_TEST_CKPT_SAMPLE_H
#define TUTTI_TEST_CKPT_SAMPLE_H

#include "tutti/store.h"
#include "../tap.h"

#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *path;
    int ndim;
    int64_t shape[4];
} sample_rows[] = {
    {"/weights/shared.weight", 2, {700, 300}}, /* 3.2 blocks */
    {"/weights/a.norm", 1, {40}},
    {"/weights/block.wo", 2, {512, 256}}, /* 2 blocks exactly */
    {"/optim/m/shared.weight", 2, {700, 300}},
    {"/optim/m/a.norm", 1, {40}},
    {"/optim/row/shared.weight", 1, {700}},
    {"/optim/none", 2, {0, 5}},
};
enum { SAMPLE_ROWS = sizeof sample_rows / sizeof *sample_rows };

/* Element i of array k in the checkpoint of a step. */
static float sample_value(int k, int64_t i, int64_t step)
{
    return (float)((double)(tt_mix64((uint64_t)(i * 31 + k * 7 + step * 1000003)) >> 40) / 1e6 - 8);
}

/* cut 0: blocks dealt out in runs over the ranks; 1: array k belongs to rank k mod size; 2 (reading): at any element, with holes and
 * overlaps; 3 (reading): everything on every rank. */
static void sample_cut(const tt_mesh *m, int cut, int k, int64_t n, int64_t *lo, int64_t *hi)
{
    int64_t blocks = (n + TT_BLOCK - 1) / TT_BLOCK, r = m->rank, P = m->size;
    switch (cut) {
    case 0:
        *lo = blocks * r / P * TT_BLOCK;
        *hi = blocks * (r + 1) / P * TT_BLOCK;
        break;
    case 1:
        *lo = k % P == r ? 0 : n;
        *hi = n;
        break;
    case 2:
        *lo = n * r / (P + 1) + (k % 3);
        *hi = n * (r + 1) / (P + 1) + 11;
        break;
    default: *lo = 0, *hi = n;
    }
    if (*lo > n) *lo = n;
    if (*hi > n) *hi = n;
    if (*hi < *lo) *hi = *lo;
}

typedef struct sample {
    tt_ckpt c;
    tt_ckarray array[SAMPLE_ROWS];
    tt_ckattr attr[4];
    tt_cktext text[4];
} sample;

__attribute__((unused)) static void sample_make(sample *s, const tt_mesh *m, tt_arena *a, int cut, int64_t step)
{
    memset(s, 0, sizeof *s);
    for (int k = 0; k < SAMPLE_ROWS; k++) {
        tt_ckarray *v = &s->array[k];
        snprintf(v->path, sizeof v->path, "%s", sample_rows[k].path);
        v->ndim = sample_rows[k].ndim;
        memcpy(v->shape, sample_rows[k].shape, sizeof v->shape);
        v->n = 1;
        for (int d = 0; d < v->ndim; d++) v->n *= v->shape[d];
        sample_cut(m, cut, k, v->n, &v->lo, &v->hi);
        v->x = TT_ZNEW(a, float, v->hi - v->lo + 1);
        for (int64_t i = v->lo; step >= 0 && i < v->hi; i++) v->x[i - v->lo] = sample_value(k, i, step);
    }
    s->attr[0] = (tt_ckattr){"step", false, step, 0};
    s->attr[1] = (tt_ckattr){"best_loss", true, 0, 0.1 + (double)step};
    s->attr[2] = (tt_ckattr){"seed", false, INT64_MIN + 1, 0};
    s->attr[3] = (tt_ckattr){"inf", true, 0, INFINITY};
    s->text[0] = (tt_cktext){"job", "run: x\nname: \xc3\xa9\n"};
    s->text[1] = (tt_cktext){"model_config", "{}"};
    s->text[2] = (tt_cktext){"tokenizer_hash", ""};
    s->text[3] = (tt_cktext){"absent", NULL};
    s->c = (tt_ckpt){SAMPLE_ROWS, 4, 4, s->array, s->attr, s->text};
}

/* How many numbers, attributes and texts of s are not those of step. */
__attribute__((unused)) static long sample_wrong(const sample *s, int64_t step)
{
    long wrong = 0;
    for (int k = 0; k < SAMPLE_ROWS; k++)
        for (int64_t i = s->array[k].lo; i < s->array[k].hi; i++)
            wrong += s->array[k].x[i - s->array[k].lo] != sample_value(k, i, step);
    wrong += s->attr[0].i != step;
    wrong += s->attr[1].r != 0.1 + (double)step;
    wrong += s->attr[2].i != INT64_MIN + 1;
    wrong += s->attr[3].r != INFINITY;
    wrong += !s->text[0].text || strcmp(s->text[0].text, "run: x\nname: \xc3\xa9\n");
    wrong += !s->text[2].text || *s->text[2].text;
    wrong += s->text[3].text != NULL;
    return wrong;
}

/* Collective. */
__attribute__((unused)) static tt_err sample_write(const tt_mesh *m, const char *dir, int cut, int64_t step)
{
    tt_arena *a = tt_arena_new(1 << 20);
    sample s;
    sample_make(&s, m, a, cut, step);
    tt_err e = tt_ckpt_write(m, dir, step, &s.c);
    tt_arena_free(a);
    return e;
}

/* Collective. Reads with a cut; wrong receives how much differs on all ranks together. */
__attribute__((unused)) static tt_err sample_read(const tt_mesh *m, const char *path, int cut, int64_t step,
                                                  int64_t *wrong)
{
    tt_arena *a = tt_arena_new(1 << 20);
    sample s;
    sample_make(&s, m, a, cut, -1);
    for (int i = 0; i < 4; i++) s.text[i].text = NULL;
    for (int i = 0; i < 4; i++) s.attr[i].i = 0, s.attr[i].r = 0;
    tt_err e = tt_ckpt_read(m, path, a, &s.c);
    *wrong = e == TT_OK ? sample_wrong(&s, step) : -1;
    tt_arena_free(a);
    if (e == TT_OK) tt_allsum_i64(m, wrong, 1);
    return e;
}

/* Collective. A fresh folder, the same on all ranks. */
__attribute__((unused)) static void sample_folder(const tt_mesh *m, char dir[64])
{
    strcpy(dir, "/tmp/tutti-ck-XXXXXX");
    if (m->rank == 0 && !mkdtemp(dir)) abort();
    tt_bcast(m, dir, 64, 0);
}

__attribute__((unused)) static void sample_remove(const tt_mesh *m, const char *dir)
{
    char cmd[200];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    tt_barrier(m);
    if (m->rank == 0 && system(cmd) != 0) abort();
}

static char *in(const char *dir, const char *name)
{
    static char p[4][512];
    static int i;
    i = (i + 1) % 4;
    snprintf(p[i], sizeof p[i], "%s/%s", dir, name);
    return p[i];
}

__attribute__((unused)) static bool there(const char *dir, const char *name)
{
    return access(in(dir, name), F_OK) == 0;
}

#endif
