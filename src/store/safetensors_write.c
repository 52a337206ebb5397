/* Safetensors out, byte for byte as huggingface/safetensors writes (tensor.rs: prepare, serialize). */
#include "tutti/store.h"
#include "dtype.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 65536 }; /* elements converted at a time */

static int64_t count(const tt_stout *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++) n *= t->shape[i];
    return n;
}

static int by_order(const void *a, const void *b)
{
    const tt_stout *s = *(const tt_stout *const *)a, *t = *(const tt_stout *const *)b;
    int d = tt_dtype_order(t->dtype) - tt_dtype_order(s->dtype);
    return d ? d : strcmp(s->name, t->name);
}

/* A JSON string as serde_json writes it: only quote, backslash and control characters are escaped. */
static void put_string(FILE *f, const char *s)
{
    static const char *const named[32] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t"};
    fputc('"', f);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c >= 32)
            fputc(c, f);
        else if (named[c])
            fputs(named[c], f);
        else
            fprintf(f, "\\u%04x", c);
    }
    fputc('"', f);
}

static void put_entry(FILE *f, const tt_stout *t, size_t *at)
{
    put_string(f, t->name);
    fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[", tt_dtype_name(t->dtype));
    for (int i = 0; i < t->ndim; i++) fprintf(f, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    size_t end = *at + (size_t)count(t) * tt_dtype_size(t->dtype);
    fprintf(f, "],\"data_offsets\":[%zu,%zu]}", *at, end);
    *at = end;
}

/* The header with its length in front, padded with blanks to a multiple of 8. Heap. */
static char *make_header(int n, const tt_stout *const *t, bool pt, size_t *size)
{
    char *text;
    FILE *f = open_memstream(&text, size);
    if (!f) TT_BUG("out of memory for a safetensors header");
    uint64_t len = 0;
    fwrite(&len, 8, 1, f);
    fputc('{', f);
    if (pt) fprintf(f, "\"__metadata__\":{\"format\":\"pt\"}%s", n ? "," : "");
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (i) fputc(',', f);
        put_entry(f, t[i], &at);
    }
    fputc('}', f);
    while (ftell(f) % 8) fputc(' ', f);
    fclose(f);
    len = *size - 8;
    memcpy(text, &len, 8);
    return text;
}

static tt_err put_halves(tt_out *o, const tt_stout *t, void (*convert)(int64_t, const float *, uint16_t *))
{
    uint16_t *buf = tt_malloc(CHUNK * sizeof *buf);
    const float *x = t->data;
    tt_err e = TT_OK;
    for (int64_t i = 0, n = count(t); i < n && e == TT_OK; i += CHUNK) {
        int64_t m = n - i < CHUNK ? n - i : CHUNK;
        convert(m, x + i, buf);
        e = tt_out_write(o, buf, (size_t)m * sizeof *buf);
    }
    free(buf);
    return e;
}

static tt_err put_data(tt_out *o, const tt_stout *t)
{
    if (t->dtype == TT_F16) return put_halves(o, t, tt_f16_from_f32);
    if (t->dtype == TT_BF16) return put_halves(o, t, tt_bf16_from_f32);
    return tt_out_write(o, t->data, (size_t)count(t) * tt_dtype_size(t->dtype));
}

static tt_err put_file(tt_out *o, int n, const tt_stout *const *t, bool pt)
{
    size_t size;
    char *head = make_header(n, t, pt, &size);
    tt_err e = tt_out_write(o, head, size);
    free(head);
    for (int i = 0; i < n && e == TT_OK; i++) e = put_data(o, t[i]);
    if (e == TT_OK) e = tt_out_seal(o);
    if (e == TT_OK) e = tt_out_rename(o);
    return e;
}

tt_err tt_st_write(const char *path, int n, const tt_stout *t, bool pt)
{
    tt_out o = {.fd = -1};
    TT_TRY(tt_out_begin(&o, path));
    const tt_stout **order = tt_malloc(((size_t)n + 1) * sizeof *order);
    for (int i = 0; i < n; i++) order[i] = &t[i];
    qsort(order, (size_t)n, sizeof *order, by_order);
    tt_err e = put_file(&o, n, order, pt);
    free(order);
    tt_out_drop(&o);
    return e;
}
