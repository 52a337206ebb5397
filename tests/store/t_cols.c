// TEST np=1,3
/* Column files: what was written is what is mapped, whatever the cut; damage is named; what cannot be written leaves the old file. */
#include "cols_sample.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char dir[64];

static const char *at(const char *name) /* in the test's folder; good until the next but one call */
{
    static char path[2][160];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static bool same_file(const char *a, const char *b)
{
    size_t n, k;
    char *x = get_bytes(a, &n), *y = get_bytes(b, &k);
    bool same = n == k && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

static int temporaries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) n += strstr(f->d_name, ".tmp") != NULL;
    if (d) closedir(d);
    return n;
}

/* Collective. The highest rank's view counts: a value that must be the same everywhere. */
static bool everywhere(const tt_mesh *m, int64_t v)
{
    int64_t x[2] = {v, -v};
    tt_allmax_i64(m, x, 2);
    return x[0] == -x[1];
}

static void test_cuts(const tt_mesh *m)
{
    tt_err e = m->rank == 0 ? cols_write(NULL, at("alone.h5"), 0, 1) : TT_OK;
    ok(e == TT_OK, "one process alone writes: %s", tt_fail_text());
    for (int cut = 0; cut < CUTS; cut++) {
        e = cols_write(m, at("cols.h5"), cut, 1);
        ok(e == TT_OK, "cut %d: written: %s", cut, tt_fail_text());
        ok(cols_wrong_at(at("cols.h5"), 1) == 0, "cut %d: all columns and texts come back, aligned", cut);
        ok(same_file(at("cols.h5"), at("alone.h5")), "cut %d: the same bytes", cut);
        tt_barrier(m);
    }
    ok(temporaries(dir) == 0, "no temporary is left");
    ok(tt_cols_verify(m, at("cols.h5")) == TT_OK && tt_cols_verify(NULL, at("cols.h5")) == TT_OK, "it verifies: %s",
       tt_fail_text());
    ok(tt_cols_is(at("cols.h5")) && !tt_cols_is(at("none.h5")) && !tt_cols_is(dir), "and is known as a column file");
}

static void test_get(void)
{
    tt_cols *f;
    int64_t n = 5;
    const void *x;
    if (!ok(tt_cols_open(at("cols.h5"), &f) == TT_OK, "open: %s", tt_fail_text())) return;
    ok(!tt_cols_get(f, "id", TT_U64, &n) && !tt_cols_get(f, "ids", TT_I64, &n), "no other type, no other name");
    ok(!tt_cols_get(f, "about", TT_U8, &n) && !tt_cols_get(f, "row", TT_U8, &n), "a text or a group is no column");
    ok(!tt_cols_text(f, "id") && !tt_cols_text(f, "row"), "and no column is a text");
    ok(tt_cols_need(f, "id", TT_I64, &x, &n) == TT_OK && n == 70000, "need what is there");
    ok(tt_cols_need(f, "id", TT_I32, &x, &n) == TT_EFILE &&
           strstr(tt_fail_text(), "no column id of I32, there it is I64"),
       "need another type: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_cols_need(f, "ids", TT_I32, &x, &n) == TT_EFILE && strstr(tt_fail_text(), "no column ids of I32;"),
       "need what is not there: %s", tt_fail_text());
    tt_fail_clear();
    tt_cols_close(f);
    tt_cols_close(NULL);
}

/* Collective. One changed byte in each column: verify names it on all ranks, and inspect marks it. */
static void test_damage(const tt_mesh *m)
{
    size_t size;
    char *good = get_bytes(at("cols.h5"), &size);
    tt_cols *f;
    if (!ok(tt_cols_open(at("cols.h5"), &f) == TT_OK, "open")) return;
    int64_t n;
    const char *map = (const char *)tt_cols_get(f, "empty", TT_I64, &n); /* it has no place: the map itself */
    for (int k = 0; k < COLS; k++) {
        const char *x = tt_cols_get(f, col_rows[k].name, col_rows[k].type, &n), *name = col_rows[k].name;
        if (n == 0) continue;
        size_t last = (size_t)(x - map) + (size_t)n * tt_dtype_size(col_rows[k].type) - 1;
        good[last] ^= 16;
        tt_barrier(m);
        if (m->rank == 0) put_bytes(at("hurt.h5"), good, size);
        good[last] ^= 16;
        tt_barrier(m);
        tt_err e = tt_cols_verify(m, at("hurt.h5"));
        ok(e == TT_EFILE && strstr(tt_fail_text(), name) && strstr(tt_fail_text(), "checksum mismatch"),
           "a changed byte: %s", tt_fail_text());
        tt_fail_clear();
        tt_barrier(m);
    }
    char *list = NULL;
    FILE *out = open_memstream(&list, &size);
    ok(tt_cols_inspect(at("hurt.h5"), out) == TT_EFILE, "inspect: %s", tt_fail_text());
    fclose(out);
    char *hurt = strstr(list, "DAMAGED");
    ok(hurt && !strstr(hurt + 1, "DAMAGED") && strstr(list, "/about") && strstr(list, "i64 "), "one is marked");
    tt_fail_clear();
    free(list);
    free(good);
    tt_cols_close(f);
}

/* Collective. After a failed write: the same text everywhere, no temporary, version 1 unharmed. */
static void expect_old(const tt_mesh *m, const char *folder, const char *path, tt_err e, const char *says)
{
    ok(e == TT_ERUN && strstr(tt_fail_text(), says), "fails: %s", tt_fail_text());
    ok(everywhere(m, (int64_t)(tt_key(0, tt_fail_text(), 0, 0, 0) >> 2)), "with the same text on every rank");
    tt_fail_clear();
    tt_barrier(m);
    ok(temporaries(folder) == 0, "no temporary is left");
    ok(!path || (cols_wrong_at(path, 1) == 0 && tt_cols_verify(m, path) == TT_OK), "the old file is whole");
    tt_barrier(m);
}

static void test_full_disk(const tt_mesh *m)
{
    char small[100], path[120];
    snprintf(small, sizeof small, "%s", at("small"));
    snprintf(path, sizeof path, "%s/cols.h5", small);
    int64_t mounted = 0;
    if (m->rank == 0) {
        mkdir(small, 0777);
        mounted = mount("tmpfs", small, "tmpfs", 0, "size=4m") == 0;
    }
    tt_allsum_i64(m, &mounted, 1);
    if (!mounted) {
        skip(1, "no right to mount a small file system");
        return;
    }
    /* a file takes 2.5 MB, and 1 MB is asked for beyond: one fits, and not its successor beside it */
    ok(cols_write(m, path, 1, 1) == TT_OK, "one fits: %s", tt_fail_text());
    expect_old(m, small, path, cols_write(m, path, 2, 2), "No space left on device; free some space");
    if (m->rank == 0) umount2(small, MNT_DETACH);
}

/* The last rank alone may not write so far into a file. */
static void test_one_rank(const tt_mesh *m)
{
    struct rlimit old, low = {1 << 20, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &old);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    if (m->rank == m->size - 1) setrlimit(RLIMIT_FSIZE, &low);
    tt_err e = cols_write(m, at("cols.h5"), 3, 2);
    setrlimit(RLIMIT_FSIZE, &old);
    char first[40];
    snprintf(first, sizeof first, m->size > 1 ? "first on rank %d; 1 of %d" : "File too large", m->size - 1, m->size);
    expect_old(m, dir, at("cols.h5"), e, first);
}

static void test_replace(const tt_mesh *m)
{
    tt_cols *old;
    expect_old(m, dir, NULL, cols_write(m, at("no/such/cols.h5"), 1, 1), "No such file or directory; make the folder");
    if (!ok(tt_cols_open(at("cols.h5"), &old) == TT_OK, "open")) return;
    tt_barrier(m);
    ok(cols_write(m, at("cols.h5"), 1, 2) == TT_OK, "a new version: %s", tt_fail_text());
    ok(cols_wrong(old, 1) == 0 && cols_wrong_at(at("cols.h5"), 2) == 0, "who has mapped the old one keeps it");
    tt_cols_close(old);
    ok(tt_cols_write(m, at("bare.h5"), 0, NULL, 0, NULL) == TT_OK && tt_cols_verify(m, at("bare.h5")) == TT_OK &&
           tt_cols_open(at("bare.h5"), &old) == TT_OK,
       "a file of nothing: %s", tt_fail_text());
    tt_cols_close(old);
    tt_barrier(m);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    char cmd[128];
    if (tt_mesh_init(&m, &argc, &argv) != TT_OK) return 1;
    tap_mute = m.rank > 0;
    strcpy(dir, "/tmp/tutti-cols-XXXXXX");
    if (m.rank == 0 && !mkdtemp(dir)) abort();
    tt_bcast(&m, dir, sizeof dir, 0);
    test_cuts(&m);
    test_get();
    test_damage(&m);
    test_one_rank(&m);
    test_full_disk(&m);
    test_replace(&m);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    tt_barrier(&m);
    if (m.rank == 0 && system(cmd)) abort();
    int64_t failed = tap_failed;
    tt_allsum_i64(&m, &failed, 1);
    int rc = tap_done() || failed;
    tt_mesh_fini(&m);
    return rc;
}
