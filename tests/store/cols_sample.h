/* Columns of made-up bytes, cut over the ranks of a mesh in several ways, and a folder for them. */
#ifndef TUTTI_TEST_COLS_SAMPLE_H
#define TUTTI_TEST_COLS_SAMPLE_H

#include "tutti/store.h"
#include "../tap.h"

#include <unistd.h>

static const struct {
    const char *name;
    tt_dtype type;
    int64_t n;
} col_rows[] = {
    {"token/source", TT_I32, 200001}, /* 3.05 blocks of 65536 */
    {"text/bytes", TT_U8, 524288},    /* 2 blocks exactly */
    {"text/deep/er/bytes", TT_U8, 7}, /* what follows is moved to the next multiple of 64 */
    {"id", TT_I64, 70000},
    {"row/line", TT_U32, 65537},
    {"row/key", TT_U64, 1},
    {"row/loss", TT_F32, 3000},
    {"weight", TT_F64, 40000},
    {"empty", TT_I64, 0},
    {"nothing/here", TT_U8, 0},
};
enum { COLS = sizeof col_rows / sizeof *col_rows, CUTS = 5 };

static const char col_about[] = "{\"made\": \"up\", \"by\": \"B\xc3\xa4r\"}";

/* Byte i of column k in version v: any bits, for a float too. */
static uint8_t col_byte(int k, int64_t i, int v)
{
    return (uint8_t)(tt_mix64((uint64_t)(i * 31 + k * 7 + v * 1009)) >> 40);
}

/* 0: all on rank 0; 1: even shares; 2: the same, the last rank first; 3: all on the last rank; 4: at any place, some ranks with nothing. */
static void col_cut(const tt_mesh *m, int cut, int k, int64_t n, int64_t *lo, int64_t *hi)
{
    int rank = m ? m->rank : 0, size = m ? m->size : 1;
    tt_rkey key = tt_key(3, "cut", (uint64_t)k, 0, 0);
    switch (cut) {
    case 1: tt_share(n, rank, size, lo, hi); break;
    case 2: tt_share(n, size - 1 - rank, size, lo, hi); break;
    case 4:
        *lo = rank == 0 ? 0 : (int64_t)tt_rand_below(key, 0, (uint64_t)n + 1);
        *hi = rank == 0 && size > 1 ? (int64_t)tt_rand_below(key, 0, (uint64_t)n + 1) : n;
        if (rank > 1) *lo = n;
        break;
    default: *lo = rank == (cut ? size - 1 : 0) ? 0 : n, *hi = n;
    }
}

/* Collective. Writes version v to path with a cut. */
__attribute__((unused)) static tt_err cols_write(const tt_mesh *m, const char *path, int cut, int v)
{
    tt_arena *a = tt_arena_new(1 << 20);
    tt_col col[COLS];
    for (int k = 0; k < COLS; k++) {
        tt_col *c = &col[k];
        *c = (tt_col){.name = col_rows[k].name, .type = col_rows[k].type, .n = col_rows[k].n};
        col_cut(m, cut, k, c->n, &c->lo, &c->hi);
        int64_t size = (int64_t)tt_dtype_size(c->type);
        uint8_t *x = TT_NEW(a, uint8_t, (c->hi - c->lo) * size + 1);
        for (int64_t i = c->lo * size; i < c->hi * size; i++) x[i - c->lo * size] = col_byte(k, i, v);
        c->x = x;
    }
    tt_cktext text[] = {{"about", (char *)col_about}, {"absent", NULL}, {"void", ""}};
    tt_err e = tt_cols_write(m, path, COLS, col, 3, text);
    tt_arena_free(a);
    return e;
}

/* Local. How many columns and texts of the open file are not those of version v, or not aligned. */
__attribute__((unused)) static int cols_wrong(const tt_cols *f, int v)
{
    int wrong = 0;
    for (int k = 0; k < COLS; k++) {
        int64_t n = -1, bytes = col_rows[k].n * (int64_t)tt_dtype_size(col_rows[k].type), i = 0;
        const uint8_t *x = tt_cols_get(f, col_rows[k].name, col_rows[k].type, &n);
        if (x && n == col_rows[k].n && (uintptr_t)x % 64 == 0)
            while (i < bytes && x[i] == col_byte(k, i, v)) i++;
        wrong += !x || n != col_rows[k].n || i != bytes;
    }
    const char *about = tt_cols_text(f, "about"), *none = tt_cols_text(f, "void");
    return wrong + (!about || strcmp(about, col_about)) + (!none || *none) + (tt_cols_text(f, "absent") != NULL);
}

/* Local. The same for a path: -1 if it cannot be opened. */
__attribute__((unused)) static int cols_wrong_at(const char *path, int v)
{
    tt_cols *f;
    if (tt_cols_open(path, &f) != TT_OK) return -1;
    int wrong = cols_wrong(f, v);
    tt_cols_close(f);
    return wrong;
}

__attribute__((unused)) static void put_bytes(const char *path, const void *x, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(x, 1, n, f) != n || fclose(f)) abort();
}

/* Whole file, heap. */
__attribute__((unused)) static char *get_bytes(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) abort();
    *n = (size_t)ftell(f);
    rewind(f);
    char *x = tt_malloc(*n + 1);
    if (fread(x, 1, *n, f) != *n || fclose(f)) abort();
    return x;
}

#endif
