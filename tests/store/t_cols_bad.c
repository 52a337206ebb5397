// TEST np=1
/* Files that are no column files, or lie: a clear refusal each, nothing outside the file is touched, and nothing falls over. */
#include "cols_sample.h"

#include <hdf5.h>
#include <sys/wait.h>

static char dir[64];

static const char *at(const char *name) /* in the test's folder; good until the next but one call */
{
    static char path[2][160];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

/* Opens and verifies, each on its own. */
static void refused(const char *path, const char *says, const char *what)
{
    tt_cols *f;
    tt_err e = tt_cols_open(path, &f);
    ok(e == TT_EFILE && !f && strstr(tt_fail_text(), says) && strstr(tt_fail_text(), path), "%s: %s", what,
       tt_fail_text());
    tt_fail_clear();
    ok(tt_cols_verify(NULL, path) == TT_EFILE, "%s: verify too", what);
    tt_fail_clear();
}

/* ---- damage -------------------------------------------------------------------------------------------------------*/
static const char some[] = "0123456789abcdef0123456789abcde";

/* A small one: most of it is structure. */
static tt_err write_small(const char *path)
{
    tt_col col[] = {{"a", TT_I64, 3, 0, 3, some}, {"b/c", TT_U8, 31, 0, 31, some}, {"b/d", TT_I32, 5, 0, 5, some}};
    tt_cktext text[] = {{"about", "{}"}};
    return tt_cols_write(NULL, path, 3, col, 1, text);
}

static bool small_is_right(const tt_cols *f)
{
    int64_t n[3] = {0};
    const void *a = tt_cols_get(f, "a", TT_I64, &n[0]), *c = tt_cols_get(f, "b/c", TT_U8, &n[1]),
               *d = tt_cols_get(f, "b/d", TT_I32, &n[2]);
    return a && c && d && n[0] == 3 && n[1] == 31 && n[2] == 5 && !memcmp(a, some, 24) && !memcmp(c, some, 31) &&
           !memcmp(d, some, 20);
}

/* Written by write_small of format 1: what has been written stays readable. */
static void test_kept(void)
{
    tt_cols *f;
    const char *path = "tests/store/columns.h5";
    if (!ok(tt_cols_open(path, &f) == TT_OK && tt_cols_verify(NULL, path) == TT_OK, "a file of long ago: %s",
            tt_fail_text()))
        return;
    ok(small_is_right(f) && tt_cols_text(f, "about") && !strcmp(tt_cols_text(f, "about"), "{}"), "all is in it");
    tt_cols_close(f);
}

static void test_cut_short(const char *x, size_t size)
{
    int taken = 0, tries = 0;
    for (size_t n = 0; n < size; n += n % 3 ? 1 : 5, tries++) {
        tt_cols *f;
        put_bytes(at("cut.h5"), x, n);
        taken += tt_cols_open(at("cut.h5"), &f) != TT_EFILE;
        tt_fail_clear();
    }
    put_bytes(at("cut.h5"), x, size - 1);
    refused(at("cut.h5"), "is not a whole HDF5 file", "a byte short");
    ok(taken == 0 && tries > 500, "of %d files cut short none is opened", tries);
}

/* Some bytes mean nothing: gaps, and those that HDF5 keeps twice. If such a file verifies, what is asked for must be right or absent. */
static void test_flipped(char *x, size_t size)
{
    int good = 0, wrong = 0, tries = 0;
    for (size_t i = 0; i < size; i++, tries++) {
        tt_cols *f;
        x[i] ^= (char)(1 << i % 8);
        put_bytes(at("flip.h5"), x, size);
        x[i] ^= (char)(1 << i % 8);
        if (tt_cols_verify(NULL, at("flip.h5")) == TT_OK && tt_cols_open(at("flip.h5"), &f) == TT_OK) {
            good++;
            wrong += !small_is_right(f);
            tt_cols_close(f);
        }
        tt_fail_clear();
    }
    ok(wrong == 0 && good < tries, "%d bytes changed one by one: %d refused, %d had no meaning", tries, tries - good,
       good);
}

static void test_text(char *x, size_t size)
{
    char *about = memmem(x, size, "{}", 3);
    if (!ok(about != NULL, "the text is in the file")) return;
    *about = '[';
    put_bytes(at("text.h5"), x, size);
    *about = '{';
    refused(at("text.h5"), "/about: checksum mismatch", "a changed letter in a text");
}

/* ---- other kinds --------------------------------------------------------------------------------------------------*/
static void test_kinds(const char *small)
{
    float w = 1;
    tt_ckarray array = {.path = "/weights/a", .ndim = 1, .shape = {1}, .n = 1, .hi = 1, .x = &w};
    tt_ckpt c = {.narray = 1, .array = &array};
    ok(tt_ckpt_save(NULL, at("ckpt.h5"), &c) == TT_OK, "a checkpoint");
    refused(at("ckpt.h5"), "is a checkpoint, not a column file", "a checkpoint");
    ok(!tt_cols_is(at("ckpt.h5")), "and it is told from columns");
    tt_arena *a = tt_arena_new(1 << 16);
    ok(tt_ckpt_read(NULL, small, a, &c) == TT_EFILE && strstr(tt_fail_text(), "is a column file, not a checkpoint"),
       "the other way round: %s", tt_fail_text());
    tt_fail_clear();
    tt_arena_free(a);
    put_bytes(at("text.txt"), some, sizeof some);
    refused(at("text.txt"), "is not a whole HDF5 file", "no HDF5");
    refused(at("none.h5"), "No such file", "no file");
    refused(dir, "is not a file", "a folder");
}

/* ---- made with HDF5 -------------------------------------------------------------------------------------------------*/
typedef enum odd { PLAIN, FOREIGN, CHUNKED, COMPACT, EXTERNAL, VIRTUAL, SQUARE, BACKWARD, WORDS, NO_SUM, NO_HEAD } odd;

static hid_t word_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    return t;
}

static void put_word(hid_t o, const char *name, const char *word)
{
    hid_t t = word_type(strlen(word) + 1), s = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(o, name, t, s, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Awrite(a, t, word) < 0) abort();
    H5Aclose(a);
    H5Sclose(s);
    H5Tclose(t);
}

static hid_t layout(odd o)
{
    hid_t make = H5Pcreate(H5P_DATASET_CREATE), space;
    hsize_t dim = 8;
    H5Pset_alloc_time(make, o == EXTERNAL || o == VIRTUAL ? H5D_ALLOC_TIME_DEFAULT : H5D_ALLOC_TIME_EARLY);
    if (o == CHUNKED) H5Pset_chunk(make, 1, &dim);
    if (o == COMPACT) H5Pset_layout(make, H5D_COMPACT);
    if (o == EXTERNAL) H5Pset_external(make, at("secret"), 0, 64);
    if (o == VIRTUAL) {
        space = H5Screate_simple(1, &dim, NULL);
        H5Pset_virtual(make, space, at("small.h5"), "/a", space);
        H5Sclose(space);
    }
    return make;
}

static void put_set(hid_t file, const char *name, odd o, hsize_t n)
{
    hsize_t dims[2] = {n, 1};
    hid_t s = H5Screate_simple(o == SQUARE ? 2 : 1, dims, NULL), make = layout(o), words = word_type(5);
    hid_t type = o == BACKWARD ? H5T_STD_I64BE : o == WORDS ? words : o == FOREIGN ? H5T_STD_U8LE : H5T_STD_I64LE;
    hid_t way = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(way, 1);
    hid_t d = H5Dcreate2(file, name, type, s, way, make, H5P_DEFAULT);
    if (d < 0) abort();
    if (o != NO_SUM) put_word(d, "xxh3", "00000000000000000000000000000000");
    H5Dclose(d);
    H5Pclose(way);
    H5Pclose(make);
    H5Tclose(words);
    H5Sclose(s);
}

/* Open, with the head of a column file but for NO_HEAD. As old a format as there is: its headers have no checksums, so lies are easy. */
static hid_t new_file(const char *path, odd o)
{
    int64_t format = 1;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access), s = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(file, "format", H5T_STD_I64LE, s, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Awrite(a, H5T_NATIVE_INT64, &format) < 0) abort();
    H5Aclose(a);
    H5Sclose(s);
    H5Pclose(access);
    if (o != NO_HEAD) put_word(file, "kind", "columns");
    return file;
}

static void test_layouts(void)
{
    static const struct {
        odd odd;
        const char *name, *says, *what;
    } cases[] = {
        {CHUNKED, "a", "/a is not stored in one piece; rewrite it with h5repack", "chunks"},
        {COMPACT, "a", "/a is not stored in one piece", "data in the header"},
        {EXTERNAL, "a", "/a is not stored in one piece", "data in another file"},
        {VIRTUAL, "a", "/a is not stored in one piece", "a view of another file"},
        {SQUARE, "a", "/a has 2 dimensions", "two dimensions"},
        {BACKWARD, "a", "/a is of a type", "big-endian numbers"},
        {WORDS, "g/a", "/g/a is of a type", "a text in a group"},
        {WORDS, "a", "/a", "many texts under one name"},
        {NO_SUM, "a", "/a has no checksum", "no checksum"},
        {NO_HEAD, "a", "is a checkpoint, not", "no kind"},
    };
    put_bytes(at("secret"), some, sizeof some);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = new_file(at("odd.h5"), cases[i].odd);
        put_set(file, cases[i].name, cases[i].odd, 8);
        H5Fclose(file);
        refused(at("odd.h5"), cases[i].says, cases[i].what);
    }
    hid_t file = new_file(at("odd.h5"), FOREIGN);
    put_set(file, "a", FOREIGN, 3);
    put_set(file, "b", PLAIN, 3); /* without alignment, three bytes further on */
    H5Fclose(file);
    refused(at("odd.h5"), "no multiple of its 8-byte elements", "an odd place");
    file = new_file(at("odd.h5"), PLAIN);
    char deep[512] = "";
    while (strlen(deep) < 400) strcat(deep, "x/");
    put_set(file, strcat(deep, "a"), PLAIN, 3);
    H5Fclose(file);
    refused(at("odd.h5"), "... is too long", "groups without end");
}

/* Links lead nowhere, so the file opens and has nothing of that name. */
static void test_links(void)
{
    hid_t file = new_file(at("link.h5"), PLAIN);
    put_set(file, "a", PLAIN, 3);
    H5Lcreate_external(at("small.h5"), "/b/d", file, "out", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(at("small.h5"), "/about", file, "about", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/a", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", file, "round", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    tt_cols *f;
    int64_t n;
    if (!ok(tt_cols_open(at("link.h5"), &f) == TT_OK, "links: %s", tt_fail_text())) return;
    ok(tt_cols_get(f, "a", TT_I64, &n) && !tt_cols_get(f, "out", TT_I32, &n) && !tt_cols_get(f, "soft", TT_I64, &n) &&
           !tt_cols_text(f, "about"),
       "links are not followed");
    tt_cols_close(f);
    file = new_file(at("link.h5"), NO_HEAD);
    H5Lcreate_external(at("small.h5"), "/about", file, "job", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    tt_arena *a = tt_arena_new(1 << 12);
    char *text;
    ok(tt_ckpt_text(at("link.h5"), "job", a, &text) == TT_EFILE, "nor in a checkpoint: %s", tt_fail_text());
    tt_fail_clear();
    tt_arena_free(a);
}

/* Puts the place of /b into its header, which has it beside the size, as where. */
static void lie(const char *path, uint64_t from, uint64_t where, uint64_t bytes)
{
    size_t size;
    char *x = get_bytes(path, &size);
    uint64_t want[2] = {from, bytes};
    char *found = memmem(x, size, want, sizeof want);
    if (!ok(found != NULL, "the place is in the header")) return;
    memcpy(found, &where, sizeof where);
    put_bytes(path, x, size);
    free(x);
}

static void test_places(void)
{
    uint64_t lies[] = {0, UINT64_MAX - 1, 1 << 20, (uint64_t)INT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        hid_t file = new_file(at("lie.h5"), PLAIN);
        put_set(file, "a", PLAIN, 8);
        put_set(file, "b", PLAIN, 8);
        hid_t a = H5Dopen2(file, "a", H5P_DEFAULT), b = H5Dopen2(file, "b", H5P_DEFAULT);
        uint64_t at_a = H5Dget_offset(a), at_b = H5Dget_offset(b);
        H5Dclose(a);
        H5Dclose(b);
        H5Fclose(file);
        lie(at("lie.h5"), at_b, i ? lies[i] : at_a + 8, 64);
        refused(at("lie.h5"), i ? "/b" : "/a and /b overlap", i ? "outside the file" : "one upon the other");
    }
}

/* ---- the caller -----------------------------------------------------------------------------------------------------*/
/* How a child ends that writes elements lo..hi of 3. */
static int end_of(const char *name, tt_dtype type, int64_t lo, int64_t hi)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        tt_col c = {name, type, 3, lo, hi, some};
        _exit(tt_cols_write(NULL, at("bug.h5"), 1, &c, 0, NULL));
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_bugs(void)
{
    ok(end_of("a", TT_I32, 0, 3) == 0, "right");
    ok(end_of("a", TT_I32, 0, 2) == -SIGABRT && end_of("a", TT_I32, 1, 3) == -SIGABRT, "parts that leave a gap");
    ok(end_of("a", TT_I32, 0, 4) == -SIGABRT && end_of("a", TT_I32, 3, 0) == -SIGABRT, "parts beyond the array");
    ok(end_of("a", TT_BF16, 0, 3) == -SIGABRT, "a type that no column has");
    ok(end_of("", TT_I32, 0, 3) == -SIGABRT && end_of("/a", TT_I32, 0, 3) == -SIGABRT, "a name that is none");
}

int main(void)
{
    size_t size;
    char cmd[128], small[96];
    strcpy(dir, "/tmp/tutti-colsbad-XXXXXX");
    if (!mkdtemp(dir)) abort();
    snprintf(small, sizeof small, "%s/small.h5", dir);
    ok(write_small(small) == TT_OK, "a good one: %s", tt_fail_text());
    char *x = get_bytes(small, &size);
    test_kept();
    test_cut_short(x, size);
    test_flipped(x, size);
    test_text(x, size);
    test_kinds(small);
    test_layouts();
    test_links();
    test_places();
    test_bugs();
    free(x);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    if (system(cmd)) abort();
    return tap_done();
}
