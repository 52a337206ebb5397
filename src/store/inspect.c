/* The table of contents of a checkpoint, a column file or a Hugging Face folder. */
#include "ckpt.h"
#include "file.h"
#include "hash.h"
#include "hf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_line(FILE *out, const char *name, int ndim, const int64_t *shape, const char *type, int64_t bytes,
                     const char *sum)
{
    char text[96];
    fprintf(out, "%-72s %-16s %-5s %12lld  %s\n", name, tt_shape_text(ndim, shape, text), type, (long long)bytes, sum);
}

/* ---- checkpoints and column files --------------------------------------------------------------------------------------------------------*/
typedef struct look {
    tt_h5 h;
    int fd;
    FILE *out;
    tt_arena *a;
    int n;
    tt_h5row *row;
    int bad; /* arrays whose checksum differs */
} look;

/* "f32" */
static const char *small_name(tt_dtype d, char type[16])
{
    const char *name = tt_dtype_name(d);
    size_t i = 0;
    for (; name[i] && i < 15; i++) type[i] = (char)tolower((unsigned char)name[i]);
    type[i] = 0;
    return type;
}

static void put_row(look *l, const tt_h5row *r, bool good)
{
    char type[16];
    int64_t bytes = r->n * (int64_t)tt_dtype_size(r->type);
    put_line(l->out, r->path, r->ndim, r->shape, small_name(r->type, type), bytes, good ? "ok" : "DAMAGED");
}

/* Hashes array i block by block; weights also go into the hash of the weights. */
static tt_err look_array(look *l, tt_blocks *b, int i, tt_whash *weights)
{
    const tt_h5row *r = &l->row[i];
    bool is_weight = l->h.kind == TT_H5CKPT && !strncmp(r->path, "/weights/", 9);
    int64_t len = tt_block_len(r), size = (int64_t)tt_dtype_size(r->type);
    void *x = tt_malloc(TT_BLOCK_BYTES);
    if (is_weight) tt_whash_tensor(weights, r->path + 9, r->ndim, r->shape);
    tt_err e = TT_OK;
    for (int64_t lo = 0; lo < r->n && e == TT_OK; lo += len) {
        int64_t n = r->n - lo < len ? r->n - lo : len;
        e = tt_read_at(l->fd, l->h.path, x, (size_t)(n * size), r->at + lo * size);
        if (e == TT_OK) tt_blocks_add(b, i, lo, lo + n, x);
        if (e == TT_OK && is_weight) tt_whash_data(weights, x, n);
    }
    free(x);
    if (e != TT_OK) return e;
    char hex[33];
    tt_blocks_sum(b, i, hex);
    bool good = !strcmp(hex, r->hash);
    l->bad += !good;
    put_row(l, r, good);
    return TT_OK;
}

static tt_err look_arrays(look *l, char hex[33])
{
    tt_blocks b;
    tt_blocks_init(&b, l->n, l->row);
    tt_whash *weights = tt_whash_new();
    tt_err e = TT_OK;
    for (int i = 0; i < l->n && e == TT_OK; i++) e = look_array(l, &b, i, weights);
    tt_whash_done(weights, hex);
    tt_blocks_fini(&b);
    return e;
}

static tt_err look_state(look *l)
{
    int n;
    tt_ckattr *attr;
    TT_TRY(tt_h5_attrs(&l->h, l->a, &n, &attr));
    for (int i = 0; i < n; i++) {
        fprintf(l->out, "/state %-24s ", attr[i].name);
        if (attr[i].real)
            fprintf(l->out, "%.17g\n", attr[i].r);
        else
            fprintf(l->out, "%lld\n", (long long)attr[i].i);
    }
    return TT_OK;
}

static tt_err look_texts(look *l)
{
    int n;
    char **name, *text;
    TT_TRY(tt_h5_texts(&l->h, l->a, &n, &name));
    for (int i = 0; i < n; i++) {
        TT_TRY(tt_h5_text(&l->h, name[i], l->a, &text));
        char path[300];
        int64_t size = (int64_t)strlen(text);
        snprintf(path, sizeof path, "/%s", name[i]);
        put_line(l->out, path, 1, &size, "text", size, "ok");
    }
    return TT_OK;
}

static tt_err look_all(look *l)
{
    char hex[33];
    bool columns = l->h.kind == TT_H5COLS;
    TT_TRY(tt_h5_rows(&l->h, &l->n, &l->row));
    TT_TRY(tt_ck_open_read(l->h.path, &l->fd));
    fprintf(l->out, "%s %s, %lld bytes\n", columns ? "columns" : "checkpoint", l->h.path, (long long)l->h.bytes);
    if (!columns) TT_TRY(look_state(l));
    TT_TRY(look_texts(l));
    TT_TRY(look_arrays(l, hex));
    if (!columns) fprintf(l->out, "weights %s\n", hex);
    if (l->bad)
        return tt_fail(TT_EFILE, "%s: %d of %d arrays do not have their checksums, the file is damaged; %s", l->h.path,
                       l->bad, l->n, tt_h5_remedy(l->h.kind));
    return TT_OK;
}

static tt_err inspect(const char *path, tt_h5kind kind, FILE *out)
{
    look l = {.fd = -1, .out = out};
    TT_TRY(tt_h5_open(&l.h, path, kind));
    l.a = tt_arena_new(1 << 16);
    tt_err e = look_all(&l);
    if (l.fd >= 0) close(l.fd);
    tt_h5_close(&l.h);
    tt_arena_free(l.a);
    free(l.row);
    return e;
}

tt_err tt_ckpt_inspect(const char *path, FILE *out) { return inspect(path, TT_H5CKPT, out); }
tt_err tt_cols_inspect(const char *path, FILE *out) { return inspect(path, TT_H5COLS, out); }

/* ---- Hugging Face folders -------------------------------------------------------------------------------------------------*/
static void put_stored(FILE *out, const tt_sten *t)
{
    put_line(out, t->name, t->ndim, t->shape, tt_dtype_name(t->dtype), t->n * (int64_t)tt_dtype_size(t->dtype), "-");
}

static tt_err list_stored(const tt_hfset *s, FILE *out)
{
    for (int i = 0; i < s->n; i++) put_stored(out, s->t[i]);
    return TT_OK;
}

static tt_err hash_stored(const tt_hfset *s, FILE *out, char hex[33])
{
    tt_whash *h = tt_whash_new();
    tt_err e = TT_OK;
    for (int i = 0; i < s->n && e == TT_OK; i++) {
        const tt_sten *t = s->t[i];
        float *x = tt_malloc(((size_t)t->n + 1) * sizeof *x);
        e = tt_st_to_f32(t, x);
        tt_whash_tensor(h, t->name, t->ndim, t->shape);
        if (e == TT_OK) tt_whash_data(h, x, t->n);
        free(x);
        put_stored(out, t);
    }
    tt_whash_done(h, hex);
    return e;
}

tt_err tt_hf_inspect(const char *dir, const tt_pars *pars, FILE *out)
{
    tt_hfset s;
    char hex[33];
    tt_err e = tt_hfset_open(&s, dir);
    if (e == TT_OK) {
        fprintf(out, "folder %s, %d tensors in %d file%s\n", dir, s.n, s.nfile, s.nfile == 1 ? "" : "s");
        e = pars ? list_stored(&s, out) : hash_stored(&s, out, hex);
    }
    if (e == TT_OK && pars) tt_weights_hash(pars, hex);
    if (e == TT_OK) fprintf(out, "weights %s\n", hex);
    tt_hfset_close(&s);
    return e;
}
