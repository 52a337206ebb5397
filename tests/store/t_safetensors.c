// TEST np=1
/* Safetensors: our bytes are those of the reference writer, for every golden file and for small samples written out here. */
#include "tutti/store.h"
#include "../tap.h"

#include <ftw.h>
#include <unistd.h>

static char dir[] = "/tmp/tutti-st-XXXXXX";

static const char *at(const char *name)
{
    static char p[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(p[i], sizeof p[i], "%s/%s", dir, name);
    return p[i];
}

static void put(const char *path, const void *x, size_t n)
{
    FILE *f = fopen(path, "wb");
    fwrite(x, 1, n, f);
    fclose(f);
}

static char *get(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *x = malloc(*n + 1);
    if (fread(x, 1, *n, f) != *n) abort();
    x[*n] = 0;
    fclose(f);
    return x;
}

/* ---- samples of our own ---------------------------------------------------------------------------------------------*/
static void test_header(void)
{
    float a[3] = {1, -2, 0.333333343f}, b[2] = {3, 4};
    int64_t ids[2] = {7, -1};
    tt_stout t[] = {
        {"z", TT_F32, 1, {3}, a},         {"half", TT_BF16, 2, {1, 2}, b}, {"a\"\\\n\x01", TT_F32, 2, {2, 1}, b},
        {"ids", TT_I64, 1, {2}, ids},     {"f16", TT_F16, 1, {2}, b},      {"none", TT_F32, 2, {0, 5}, NULL},
        {"scalar", TT_F32, 0, {0}, a + 1}};
    const char *want = "{\"__metadata__\":{\"format\":\"pt\"},"
                       "\"ids\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                       "\"a\\\"\\\\\\n\\u0001\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]},"
                       "\"none\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[24,24]},"
                       "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]},"
                       "\"z\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[28,40]},"
                       "\"half\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[40,44]},"
                       "\"f16\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[44,48]}}";
    ok(tt_st_write(at("own.safetensors"), 7, t, true) == TT_OK, "write: %s", tt_fail_text());
    size_t n;
    char *x = get(at("own.safetensors"), &n);
    uint64_t len;
    memcpy(&len, x, 8);
    ok(len % 8 == 0 && len >= strlen(want) && len < strlen(want) + 8, "header padded to 8: %d", (int)len);
    ok(!memcmp(x + 8, want, strlen(want)), "header text");
    if (memcmp(x + 8, want, strlen(want))) printf("# %.*s\n", (int)len, x + 8);
    ok(n == 8 + len + 48, "file size %zu", n);
    ok(access(at("own.safetensors.tmp"), F_OK) != 0, "no temporary left");
    free(x);

    tt_stfile *f;
    ok(tt_st_open(at("own.safetensors"), &f) == TT_OK, "open: %s", tt_fail_text());
    ok(tt_st_count(f) == 7, "count");
    ok(!strcmp(tt_st_meta(f, "format"), "pt") && !tt_st_meta(f, "none"), "metadata");
    ok(!strcmp(tt_st_at(f, 0)->name, "a\"\\\n\x01") && !strcmp(tt_st_at(f, 6)->name, "z"), "name order");
    ok(!tt_st_find(f, "nobody"), "absent name");
    float v[3];
    int64_t w[2];
    ok(tt_st_to_f32(tt_st_find(f, "half"), v) == TT_OK && v[0] == 3 && v[1] == 4, "bf16 back");
    ok(tt_st_to_f32(tt_st_find(f, "f16"), v) == TT_OK && v[0] == 3 && v[1] == 4, "f16 back");
    ok(tt_st_to_f32(tt_st_find(f, "z"), v) == TT_OK && !memcmp(v, a, sizeof a), "f32 back");
    ok(tt_st_to_i64(tt_st_find(f, "ids"), w) == TT_OK && w[0] == 7 && w[1] == -1, "i64 back");
    ok(tt_st_find(f, "scalar")->n == 1 && tt_st_find(f, "none")->n == 0, "scalar and empty");
    ok(tt_st_to_f32(tt_st_find(f, "ids"), v) == TT_EFILE, "integers are no weights: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_st_to_i64(tt_st_find(f, "z"), w) == TT_EFILE, "weights are no integers: %s", tt_fail_text());
    tt_fail_clear();
    tt_st_close(f);
}

/* ---- every golden file -------------------------------------------------------------------------------------------------*/
static int files, same;

static void *as_given(const tt_sten *t)
{
    void *x = malloc((size_t)t->n * 8 + 8);
    if (t->dtype == TT_BF16 || t->dtype == TT_F16)
        tt_st_to_f32(t, x);
    else
        memcpy(x, t->data, (size_t)t->n * tt_dtype_size(t->dtype));
    return x;
}

static int rewrite(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    const char *dot = strrchr(path, '.');
    tt_stfile *f;
    if (kind != FTW_F || !dot || strcmp(dot, ".safetensors")) return 0;
    files++;
    if (tt_st_open(path, &f) != TT_OK) {
        printf("# %s\n", tt_fail_text());
        tt_fail_clear();
        return 0;
    }
    int n = tt_st_count(f);
    tt_stout *t = malloc(sizeof *t * (size_t)(n + 1));
    for (int i = 0; i < n; i++) {
        const tt_sten *s = tt_st_at(f, n - 1 - i);
        t[i] = (tt_stout){.name = s->name, .dtype = s->dtype, .ndim = s->ndim, .data = as_given(s)};
        memcpy(t[i].shape, s->shape, sizeof s->shape);
    }
    tt_st_write(at("again.safetensors"), n, t, tt_st_meta(f, "format") != NULL);
    size_t a, b;
    char *x = get(path, &a), *y = get(at("again.safetensors"), &b);
    if (a == b && !memcmp(x, y, a))
        same++;
    else
        printf("# %s: differs\n", path);
    free(x);
    free(y);
    for (int i = 0; i < n; i++) free((void *)t[i].data);
    free(t);
    tt_st_close(f);
    return 0;
}

static void test_golden(void)
{
    const char *shared = shared_dir();
    char p[4096];
    if (!shared) {
        skip(1, "no shared folder");
        return;
    }
    snprintf(p, sizeof p, "%s/golden/hf", shared);
    nftw(p, rewrite, 16, FTW_PHYS);
    ok(files > 100 && same == files, "%d of %d golden files come out byte for byte", same, files);
}

/* ---- a failed write leaves the old file ----------------------------------------------------------------------------------*/
static void test_failed_write(void)
{
    float a = 1;
    tt_stout t = {"a", TT_F32, 1, {1}, &a};
    ok(tt_st_write(at("no/such/folder.safetensors"), 1, &t, false) == TT_ERUN, "no folder: %s", tt_fail_text());
    tt_fail_clear();
    put(at("file"), "x", 1);
    ok(tt_st_write(at("file/below.safetensors"), 1, &t, false) == TT_ERUN, "below a file: %s", tt_fail_text());
    tt_fail_clear();
    if (access("/dev/full", F_OK) == 0 && symlink("/dev/full", at("full.safetensors.tmp")) == 0) {
        put(at("full.safetensors"), "old", 3);
        ok(tt_st_write(at("full.safetensors"), 1, &t, false) == TT_ERUN && strstr(tt_fail_text(), "No space left"),
           "full disk: %s", tt_fail_text());
        tt_fail_clear();
        size_t n;
        char *x = get(at("full.safetensors"), &n);
        ok(n == 3 && !memcmp(x, "old", 3), "the old file stays");
        free(x);
    }
}

int main(void)
{
    if (!mkdtemp(dir)) return 1;
    test_header();
    test_golden();
    test_failed_write();
    char cmd[300];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    ok(system(cmd) == 0, "clean");
    return tap_done();
}
