// TEST np=1,2
/* Damaged checkpoints: cut short anywhere, bytes changed anywhere. They are skipped with a reason and the one before is used. */
#include "ckpt_sample.h"

#include <fcntl.h>

static char *good;
static size_t size;

static void put(const char *path, const void *x, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (fwrite(x, 1, n, f) != n) abort();
    fclose(f);
}

/* Collective. The step of the newest good checkpoint, -1 if none. */
static int64_t newest(const tt_mesh *m, const char *dir)
{
    tt_arena *a = tt_arena_new(1 << 16);
    const char *path;
    long long step = -1;
    if (tt_ckpt_latest(m, dir, a, &path) == TT_OK && path) sscanf(strrchr(path, '/'), "/step-%lld.h5", &step);
    tt_arena_free(a);
    return step;
}

/* Collective. Puts the good file with n of its bytes, byte at xor mask, in place of step 2; says whether it was used. */
static int64_t try(const tt_mesh *m, const char *dir, size_t n, size_t at, int mask)
{
    if (m->rank == 0) {
        good[at] ^= (char)mask;
        put(in(dir, "step-00000002.h5"), good, n);
        good[at] ^= (char)mask;
    }
    tt_barrier(m);
    int64_t step = newest(m, dir);
    if (*tt_fail_text()) ok(0, "a failure was left behind: %s", tt_fail_text());
    tt_barrier(m);
    return step;
}

static void test_cut_short(const tt_mesh *m, const char *dir)
{
    int used = 0, tries = 0;
    for (size_t n = 0; n < size; n += n < 4096 ? 257 : size / 23) used += try(m, dir, n, 0, 0) != 1, tries++;
    used += try(m, dir, size - 1, 0, 0) != 1;
    ok(used == 0, "of %d files cut short none is used", tries + 1);
    ok(try(m, dir, size, 0, 0) == 2, "the whole one is");
}

/* Some bytes mean nothing: gaps, and those that HDF5 keeps twice. If such a file is used, its content must be right. */
static void test_flipped(const tt_mesh *m, const char *dir)
{
    int used = 0, right = 0, tries = 0;
    tt_rkey key = tt_key(5, "flip", 0, 0, 0);
    for (int i = 0; i < 60; i++, tries++) {
        /* half of them in the first 4 KiB, where the structure is */
        size_t at = (size_t)tt_rand_below(key, (uint64_t)i, i % 2 ? size : 4096);
        if (try(m, dir, size, at, 1 << i % 8) != 2) continue;
        int64_t wrong = 0;
        used++;
        right += sample_read(m, in(dir, "step-00000002.h5"), 0, 2, &wrong) == TT_OK && wrong == 0;
    }
    ok(used == right && used < tries / 2, "%d bytes changed: %d skipped, %d had no meaning", tries, tries - used, used);
}

/* HDF5 itself does not protect the bytes of a text. */
static void test_text(const tt_mesh *m, const char *dir)
{
    const char *text = memmem(good, size, "run: x\nname", 11);
    ok(text && try(m, dir, size, (size_t)(text - good) + 5, 1) == 1, "a changed letter in a text is seen");
}

/* A damaged number is named by read, which the loop calls without latest when a path is given. */
static void test_read(const tt_mesh *m, const char *dir)
{
    int64_t wrong;
    try(m, dir, size, size - 5000, 4);
    tt_err e = sample_read(m, in(dir, "step-00000002.h5"), 3, 2, &wrong);
    ok(e == TT_EFILE && strstr(tt_fail_text(), "checksum mismatch"), "%s", tt_fail_text());
    tt_fail_clear();
    e = sample_read(m, in(dir, "step-00000002.h5"), 2, 2, &wrong);
    ok(e == TT_EFILE && strstr(tt_fail_text(), "checksum mismatch"), "with uneven cuts too: %s", tt_fail_text());
    tt_fail_clear();
    FILE *null = fopen("/dev/null", "w");
    e = tt_ckpt_inspect(in(dir, "step-00000002.h5"), null);
    ok(e == TT_EFILE && strstr(tt_fail_text(), "1 of 7 arrays"), "inspect: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_ckpt_inspect(in(dir, "step-00000001.h5"), null) == TT_OK, "inspect a good one: %s", tt_fail_text());
    fclose(null);
    tt_barrier(m);
}

static void test_all_bad(const tt_mesh *m, const char *dir)
{
    if (m->rank == 0) put(in(dir, "step-00000001.h5"), "no", 2);
    ok(try(m, dir, size / 2, 0, 0) == -1, "none is good: none is used");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    char dir[64];
    if (tt_mesh_init(&m, &argc, &argv) != TT_OK) return 1;
    tap_mute = m.rank > 0;
    tt_log_quiet(true);
    sample_folder(&m, dir);
    ok(sample_write(&m, dir, 0, 1) == TT_OK && sample_write(&m, dir, 0, 2) == TT_OK, "write: %s", tt_fail_text());
    if (tt_slurp(in(dir, "step-00000002.h5"), &good, &size) != TT_OK) return 1;
    test_cut_short(&m, dir);
    test_flipped(&m, dir);
    test_text(&m, dir);
    test_read(&m, dir);
    test_all_bad(&m, dir);
    free(good);
    sample_remove(&m, dir);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
