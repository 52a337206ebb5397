/* Safetensors in. The checks are those of the reference reader (huggingface/safetensors, tensor.rs), plus its README's
 * ban on duplicate names: the header lies inside the file, the tensors tile the data without holes or overlaps. */
#include "tutti/store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors and checkpoints are read and written as they lie");

enum { HEADER_MAX = 100000000 }; /* the reference's limit */

struct tt_stfile {
    char *path;
    const unsigned char *map;
    size_t size;
    json_t *head; /* owns the names and the metadata */
    int n;
    tt_sten *t; /* in name order */
};

void tt_st_close(tt_stfile *f)
{
    if (!f) return;
    if (f->map) munmap((void *)f->map, f->size);
    json_decref(f->head);
    free(f->t);
    free(f->path);
    free(f);
}

static tt_err map_file(tt_stfile *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tt_fail(TT_EFILE, "%s: cannot be opened: %s", f->path, strerror(errno));
    struct stat st;
    tt_err e = TT_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        e = tt_fail(TT_EFILE, "%s: is not a file; a .safetensors file is needed", f->path);
    } else if (st.st_size < 8) {
        e = tt_fail(TT_EFILE, "%s: truncated: has %lld bytes, the header length alone takes 8; copy it again", f->path,
                    (long long)st.st_size);
    } else {
        f->size = (size_t)st.st_size;
        void *p = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            e = tt_fail(TT_EFILE, "%s: cannot be mapped: %s", f->path, strerror(errno));
        else
            f->map = p;
    }
    close(fd);
    return e;
}

static tt_err parse_header(tt_stfile *f, size_t *data_at)
{
    uint64_t len;
    memcpy(&len, f->map, 8);
    if (len > HEADER_MAX)
        return tt_fail(TT_EFILE, "%s: header length says %llu bytes, at most %d are allowed; not a safetensors file?",
                       f->path, (unsigned long long)len, HEADER_MAX);
    if (len > f->size - 8)
        return tt_fail(TT_EFILE, "%s: truncated: has %zu bytes, header length says %llu; copy it again", f->path,
                       f->size, (unsigned long long)(len + 8));
    const char *text = (const char *)f->map + 8;
    json_error_t err;
    f->head = len > 0 && text[0] == '{' ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &err) : NULL;
    if (!f->head)
        return tt_fail(TT_EFILE, "%s: header is not a JSON object (%s at byte %d); copy it again", f->path,
                       len == 0 || text[0] != '{' ? "no '{'" : err.text,
                       len == 0 || text[0] != '{' ? 8 : err.position + 8);
    *data_at = 8 + (size_t)len;
    return TT_OK;
}

static tt_err check_meta(const tt_stfile *f)
{
    const json_t *meta = json_object_get(f->head, "__metadata__");
    if (!meta) return TT_OK;
    bool good = json_is_object(meta);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)meta, key, v) good &= json_is_string(v);
    return good ? TT_OK : tt_fail(TT_EFILE, "%s: __metadata__ is not a map of strings; write the file anew", f->path);
}

/* Bytes of the shape; false on overflow. */
static bool shape_bytes(tt_sten *t, size_t *bytes)
{
    uint64_t n = 1;
    bool over = false;
    for (int i = 0; i < t->ndim; i++) over |= __builtin_mul_overflow(n, (uint64_t)t->shape[i], &n);
    t->n = (int64_t)n;
    over |= n > INT64_MAX / 8;
    *bytes = (size_t)n * tt_dtype_size(t->dtype);
    return !over;
}

static tt_err read_shape(const tt_stfile *f, const json_t *shape, tt_sten *t)
{
    if (!json_is_array(shape))
        return tt_fail(TT_EFILE, "%s: tensor %s: no \"shape\" array; write the file anew", f->path, t->name);
    if (json_array_size(shape) > 8)
        return tt_fail(TT_EFILE, "%s: tensor %s: %zu dimensions, at most 8 are supported", f->path, t->name,
                       json_array_size(shape));
    t->ndim = (int)json_array_size(shape);
    for (int i = 0; i < t->ndim; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return tt_fail(TT_EFILE, "%s: tensor %s: shape[%d] is not a count; write the file anew", f->path, t->name,
                           i);
        t->shape[i] = json_integer_value(d);
    }
    return TT_OK;
}

/* One entry {"dtype","shape","data_offsets"}; t->data is left pointing into the mapped file. */
static tt_err read_entry(const tt_stfile *f, const json_t *v, size_t data_at, tt_sten *t)
{
    const char *dtype = json_string_value(json_object_get(v, "dtype"));
    if (!dtype || !tt_dtype_parse(dtype, &t->dtype))
        return tt_fail(TT_EFILE, "%s: tensor %s: dtype %s is not known; store it as F32, F16 or BF16", f->path, t->name,
                       dtype ? dtype : "(none)");
    TT_TRY(read_shape(f, json_object_get(v, "shape"), t));
    const json_t *off = json_object_get(v, "data_offsets");
    const json_t *b = json_array_get(off, 0), *e = json_array_get(off, 1);
    if (json_array_size(off) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return tt_fail(TT_EFILE, "%s: tensor %s: no \"data_offsets\" [begin,end]; write the file anew", f->path,
                       t->name);
    long long begin = json_integer_value(b), end = json_integer_value(e), room = (long long)(f->size - data_at);
    if (begin < 0 || end < begin)
        return tt_fail(TT_EFILE, "%s: tensor %s: data offsets %lld..%lld make no sense; write the file anew", f->path,
                       t->name, begin, end);
    if (end > room)
        return tt_fail(TT_EFILE,
                       "%s: truncated: tensor %s lies at %lld..%lld, the file has %lld bytes of data; copy it again",
                       f->path, t->name, begin, end, room);
    size_t bytes;
    if (!shape_bytes(t, &bytes))
        return tt_fail(TT_EFILE, "%s: tensor %s: its shape is too large for any file; write the file anew", f->path,
                       t->name);
    if (bytes != (size_t)(end - begin))
        return tt_fail(TT_EFILE, "%s: tensor %s: header says %lld bytes, its shape needs %zu; write the file anew",
                       f->path, t->name, end - begin, bytes);
    t->data = f->map + data_at + begin;
    return TT_OK;
}

static size_t sten_bytes(const tt_sten *t) { return (size_t)t->n * tt_dtype_size(t->dtype); }

static int by_place(const void *a, const void *b)
{
    const tt_sten *s = a, *t = b;
    if (s->data != t->data) return (const char *)s->data < (const char *)t->data ? -1 : 1;
    return (sten_bytes(s) > sten_bytes(t)) - (sten_bytes(s) < sten_bytes(t)); /* empty ones first */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tt_sten *)a)->name, ((const tt_sten *)b)->name);
}

/* Every byte of data belongs to exactly one tensor. */
static tt_err check_tiling(tt_stfile *f, size_t data_at)
{
    if (f->n > 0) qsort(f->t, (size_t)f->n, sizeof *f->t, by_place);
    const unsigned char *at = f->map + data_at;
    for (int i = 0; i < f->n; i++) {
        const tt_sten *t = &f->t[i];
        if (t->data != at)
            return tt_fail(
                TT_EFILE, "%s: tensor %s begins at %td of the data, %td was expected (%s); write the file anew",
                f->path, t->name, (const unsigned char *)t->data - f->map - (ptrdiff_t)data_at,
                at - f->map - (ptrdiff_t)data_at, (const unsigned char *)t->data < at ? "tensors overlap" : "a hole");
        at += sten_bytes(t);
    }
    if (at != f->map + f->size)
        return tt_fail(TT_EFILE, "%s: %td bytes after the last tensor belong to none; write the file anew", f->path,
                       f->map + f->size - at);
    return TT_OK;
}

static tt_err read_entries(tt_stfile *f, size_t data_at)
{
    f->t = tt_malloc((json_object_size(f->head) + 1) * sizeof *f->t);
    const char *key;
    json_t *v;
    json_object_foreach(f->head, key, v)
    {
        if (!strcmp(key, "__metadata__")) continue;
        tt_sten *t = &f->t[f->n];
        *t = (tt_sten){.name = key};
        TT_TRY(read_entry(f, v, data_at, t));
        f->n++;
    }
    return TT_OK;
}

static tt_err read_all(tt_stfile *f)
{
    size_t data_at = 0;
    TT_TRY(map_file(f));
    TT_TRY(parse_header(f, &data_at));
    TT_TRY(check_meta(f));
    TT_TRY(read_entries(f, data_at));
    TT_TRY(check_tiling(f, data_at));
    if (f->n > 0) qsort(f->t, (size_t)f->n, sizeof *f->t, by_name);
    return TT_OK;
}

tt_err tt_st_open(const char *path, tt_stfile **out)
{
    tt_stfile *f = tt_malloc(sizeof *f);
    *f = (tt_stfile){.path = strdup(path)};
    tt_err e = read_all(f);
    if (e != TT_OK) {
        tt_st_close(f);
        f = NULL;
    }
    *out = f;
    return e;
}

int tt_st_count(const tt_stfile *f) { return f->n; }
const tt_sten *tt_st_at(const tt_stfile *f, int i) { return &f->t[i]; }

const tt_sten *tt_st_find(const tt_stfile *f, const char *name)
{
    return f->n > 0 ? bsearch(&(tt_sten){.name = name}, f->t, (size_t)f->n, sizeof *f->t, by_name) : NULL;
}

const char *tt_st_meta(const tt_stfile *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->head, "__metadata__"), key));
}

/* Data may lie at any address (older writers do not pad the header): halves pass through an aligned buffer. */
static void halves_to_f32(const tt_sten *t, float *out, void (*convert)(int64_t, const uint16_t *, float *))
{
    uint16_t buf[4096];
    for (int64_t i = 0; i < t->n; i += 4096) {
        int64_t n = t->n - i < 4096 ? t->n - i : 4096;
        memcpy(buf, (const char *)t->data + 2 * i, 2 * (size_t)n);
        convert(n, buf, out + i);
    }
}

tt_err tt_st_to_f32(const tt_sten *t, float *out)
{
    double d;
    switch (t->dtype) {
    case TT_F32: memcpy(out, t->data, 4 * (size_t)t->n); return TT_OK;
    case TT_F16: halves_to_f32(t, out, tt_f32_from_f16); return TT_OK;
    case TT_BF16: halves_to_f32(t, out, tt_f32_from_bf16); return TT_OK;
    case TT_F64:
        for (int64_t i = 0; i < t->n; i++) {
            memcpy(&d, (const char *)t->data + 8 * i, 8);
            out[i] = (float)d;
        }
        return TT_OK;
    default:
        return tt_fail(TT_EFILE, "tensor %s holds %s, real numbers are needed; store it as F32, F16 or BF16", t->name,
                       tt_dtype_name(t->dtype));
    }
}

#define WIDEN(type)                                                         \
    for (int64_t i = 0; i < t->n; i++) {                                    \
        type v;                                                             \
        memcpy(&v, (const char *)t->data + (size_t)i * sizeof v, sizeof v); \
        out[i] = (int64_t)v;                                                \
    }                                                                       \
    return TT_OK

tt_err tt_st_to_i64(const tt_sten *t, int64_t *out)
{
    switch (t->dtype) {
    case TT_I64: WIDEN(int64_t);
    case TT_I32: WIDEN(int32_t);
    case TT_I16: WIDEN(int16_t);
    case TT_I8: WIDEN(int8_t);
    case TT_U32: WIDEN(uint32_t);
    case TT_U16: WIDEN(uint16_t);
    case TT_U8:
    case TT_BOOL: WIDEN(uint8_t);
    default:
        return tt_fail(TT_EFILE, "tensor %s holds %s, whole numbers are needed; store it as I64 or I32", t->name,
                       tt_dtype_name(t->dtype));
    }
}
