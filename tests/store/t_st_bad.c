// TEST np=1
/* Safetensors files that lie: one clear message each, and no mutation of a good file makes the reader fall over. */
#include "tutti/store.h"
#include "../tap.h"

#include <unistd.h>

static char path[] = "/tmp/tutti-stbad-XXXXXX";

static void put(const void *x, size_t n)
{
    FILE *f = fopen(path, "wb");
    fwrite(x, 1, n, f);
    fclose(f);
}

/* A file with this header (length as given, or true if < 0) and data bytes. */
static void put_header(const char *head, long long len, int data)
{
    size_t n = strlen(head);
    char *x = calloc(1, 8 + n + (size_t)data);
    uint64_t l = len < 0 ? n : (uint64_t)len;
    memcpy(x, &l, 8);
    memcpy(x + 8, head, n);
    put(x, 8 + n + (size_t)data);
    free(x);
}

#define T(name, shape, at) "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" at "}"

static const struct {
    const char *head;
    long long len;
    int data;
    const char *says; /* NULL: must be read */
} cases[] = {
    {"{" T("a", "[2]", "[0,8]") "}", -1, 8, NULL},
    {"{" T("a", "[2]", "[0,8]") "}      ", -1, 8, NULL},
    {"{}", -1, 0, NULL},
    {"{" T("b", "[0,3]", "[0,0]") "," T("a", "[2]", "[0,8]") "," T("c", "[0]", "[8,8]") "}", -1, 8, NULL},
    {"{" T("a", "[2]", "[0,8]") "}", 1000, 8, "truncated: has "},
    {"{" T("a", "[2]", "[0,8]") "}", 200000000, 8, "at most 100000000"},
    {"{" T("a", "[2]", "[0,8]") "}", 20, 8, "not a JSON object"},
    {"", 0, 0, "not a JSON object"},
    {"[1,2]   ", -1, 0, "not a JSON object"},
    {" {}", -1, 0, "not a JSON object"},
    {"{\"a\":1}", -1, 0, "dtype (none)"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4, "dtype F31 is not known"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", -1, 4, "no \"shape\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", -1, 4, "no \"data_offsets\""},
    {"{" T("a", "[1]", "[0,4,8]") "}", -1, 4, "no \"data_offsets\""},
    {"{" T("a", "[1]", "[0,4.0]") "}", -1, 4, "no \"data_offsets\""},
    {"{" T("a", "[-1]", "[0,4]") "}", -1, 4, "shape[0] is not a count"},
    {"{" T("a", "[\"1\"]", "[0,4]") "}", -1, 4, "shape[0] is not a count"},
    {"{" T("a", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", -1, 4, "9 dimensions"},
    {"{" T("a", "[1]", "[4,0]") "}", -1, 4, "make no sense"},
    {"{" T("a", "[1]", "[-4,0]") "}", -1, 4, "make no sense"},
    {"{" T("a", "[2]", "[0,8]") "}", -1, 7, "truncated: tensor a"},
    {"{" T("a", "[3]", "[0,8]") "}", -1, 8, "its shape needs 12"},
    {"{" T("a", "[4611686018427387904,4]", "[0,0]") "}", -1, 0, "too large"},
    {"{" T("a", "[9223372036854775807,9223372036854775807]", "[0,4]") "}", -1, 4, "too large"},
    {"{" T("a", "[99999999999999999999]", "[0,4]") "}", -1, 4, "not a JSON object"},
    {"{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[4,12]") "}", -1, 12, "tensors overlap"},
    {"{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[0,8]") "}", -1, 8, "tensors overlap"},
    {"{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[12,20]") "}", -1, 20, "a hole"},
    {"{" T("a", "[2]", "[4,12]") "}", -1, 12, "a hole"},
    {"{" T("a", "[2]", "[0,8]") "}", -1, 9, "1 bytes after the last tensor"},
    {"{" T("a", "[2]", "[0,8]") "," T("a", "[2]", "[0,8]") "}", -1, 8, "not a JSON object (duplicate"},
    {"{\"__metadata__\":{\"format\":1}," T("a", "[2]", "[0,8]") "}", -1, 8, "__metadata__"},
    {"{\"__metadata__\":[]}", -1, 0, "__metadata__"},
    {"{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", -1, 4, "not a JSON object"},
    {"{\"\xff\xfe\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", -1, 4, "not a JSON object"},
    {"{" T("a", "[2]", "[0,8]"), -1, 8, "not a JSON object"},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tt_stfile *f;
        put_header(cases[i].head, cases[i].len, cases[i].data);
        tt_err e = tt_st_open(path, &f);
        if (!cases[i].says) {
            ok(e == TT_OK, "good file %zu is read (%s)", i, tt_fail_text());
            tt_st_close(f);
        } else {
            ok(e == TT_EFILE && !f && strstr(tt_fail_text(), cases[i].says) && strstr(tt_fail_text(), path), "%zu: %s",
               i, tt_fail_text());
        }
        tt_fail_clear();
    }
}

static void test_short(void)
{
    tt_stfile *f;
    put("1234567", 7);
    ok(tt_st_open(path, &f) == TT_EFILE && strstr(tt_fail_text(), "has 7 bytes"), "%s", tt_fail_text());
    tt_fail_clear();
    put("", 0);
    ok(tt_st_open(path, &f) == TT_EFILE, "empty: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_st_open("/tmp", &f) == TT_EFILE && strstr(tt_fail_text(), "is not a file"), "folder: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_st_open("/no/such.safetensors", &f) == TT_EFILE, "absent: %s", tt_fail_text());
    tt_fail_clear();
    char deep[3000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = 0;
    put_header(deep, -1, 0);
    ok(tt_st_open(path, &f) == TT_EFILE, "deep: %s", tt_fail_text());
    tt_fail_clear();
}

/* Old writers do not pad: data at an odd address is read all the same. */
static void test_unaligned(void)
{
    const char *head = "{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} ";
    size_t n = strlen(head) | 1;
    char x[256];
    memset(x, ' ', sizeof x);
    uint64_t len = n;
    memcpy(x, &len, 8);
    memcpy(x + 8, head, strlen(head));
    memcpy(x + 8 + n, (uint16_t[]){0x3f80, 0xc000}, 4);
    memcpy(x + 12 + n, &(float){0.1f}, 4);
    put(x, 16 + n);
    tt_stfile *f;
    float v[2], w;
    ok(tt_st_open(path, &f) == TT_OK, "odd header: %s", tt_fail_text());
    ok(tt_st_to_f32(tt_st_find(f, "a"), v) == TT_OK && v[0] == 1 && v[1] == -2, "bf16 at an odd address");
    ok(tt_st_to_f32(tt_st_find(f, "b"), &w) == TT_OK && w == 0.1f, "f32 at an odd address");
    tt_st_close(f);
}

static double touch_all(const tt_stfile *f)
{
    double sum = 0;
    for (int i = 0; i < tt_st_count(f); i++) {
        const tt_sten *t = tt_st_at(f, i);
        float *x = malloc((size_t)t->n * 4 + 4);
        if (tt_st_to_f32(t, x) == TT_OK && t->n > 0) sum += x[t->n - 1];
        tt_fail_clear();
        free(x);
    }
    return sum;
}

static void test_fuzz(void)
{
    float a[6] = {1, 2, 3, 4, 5, 6};
    tt_stout t[] = {
        {"first.weight", TT_F32, 2, {2, 3}, a}, {"second", TT_BF16, 1, {6}, a}, {"third", TT_F32, 1, {1}, a}};
    tt_st_write(path, 3, t, true);
    FILE *fp = fopen(path, "rb");
    unsigned char good[1024], x[1024];
    size_t n = fread(good, 1, sizeof good, fp);
    fclose(fp);
    tt_rkey key = tt_key(7, "fuzz", 0, 0, 0);
    uint64_t c = 0;
    int read = 0, refused = 0;
    static const char swaps[] = "0123456789[]{},:\"-9e.";
    for (int i = 0; i < 4000; i++) {
        memcpy(x, good, n);
        size_t m = tt_rand_below(key, c++, 8) ? n : tt_rand_below(key, c++, n);
        for (int k = 0, ks = 1 + (int)tt_rand_below(key, c++, 3); k < ks; k++) {
            size_t p = tt_rand_below(key, c++, n);
            x[p] = tt_rand_below(key, c++, 2) ? (unsigned char)tt_rand_below(key, c++, 256)
                                              : (unsigned char)swaps[tt_rand_below(key, c++, sizeof swaps - 1)];
        }
        put(x, m);
        tt_stfile *f;
        if (tt_st_open(path, &f) == TT_OK) {
            touch_all(f);
            read++;
        } else
            refused += *tt_fail_text() != 0;
        tt_st_close(f);
        tt_fail_clear();
    }
    ok(read + refused == 4000 && refused > 1000 && read > 100, "4000 mutations: %d refused with a text, %d read",
       refused, read);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    test_cases();
    test_short();
    test_unaligned();
    test_fuzz();
    unlink(path);
    return tap_done();
}
