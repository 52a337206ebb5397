// TEST np=1,2,3
/* What can fail while a checkpoint is written: a full disk, one rank that cannot write, no folder, a newer owner. Every rank gets the
 * same error, nothing that was committed is touched, no temporary stays. */
#include "ckpt_sample.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static int count(const char *dir, const char *end)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *f; d && (f = readdir(d));) {
        size_t k = strlen(f->d_name);
        n += k >= strlen(end) && !strcmp(f->d_name + k - strlen(end), end);
    }
    if (d) closedir(d);
    return n;
}

/* Collective. After a failed write: the code and text on all ranks, and step 1 as the newest, unharmed. */
static void expect(const tt_mesh *m, const char *dir, tt_err e, const char *says, const char *what)
{
    int64_t same[2] = {(int64_t)(tt_key(0, tt_fail_text(), 0, 0, 0) >> 1), 0};
    same[1] = -same[0];
    tt_allmax_i64(m, same, 2);
    ok(e == TT_ERUN && strstr(tt_fail_text(), says), "%s: %s", what, tt_fail_text());
    ok(same[0] == -same[1], "%s: every rank has the same text", what);
    tt_fail_clear();
    tt_arena *a = tt_arena_new(1 << 16);
    const char *path;
    int64_t wrong = -1;
    ok(tt_ckpt_latest(m, dir, a, &path) == TT_OK && path && strstr(path, "step-00000001.h5"),
       "%s: step 1 is the newest", what);
    ok(path && sample_read(m, path, 0, 1, &wrong) == TT_OK && wrong == 0, "%s: and unharmed", what);
    tt_barrier(m);
    ok(count(dir, ".tmp") == 0, "%s: no temporary", what);
    tt_barrier(m);
    tt_arena_free(a);
}

static void test_full_disk(const tt_mesh *m, const char *dir)
{
    char small[80];
    snprintf(small, sizeof small, "%s/small", dir);
    int64_t mounted = 0;
    if (m->rank == 0) {
        mkdir(small, 0777);
        mounted = mount("tmpfs", small, "tmpfs", 0, "size=6m") == 0;
    }
    tt_allsum_i64(m, &mounted, 1);
    if (!mounted) {
        skip(1, "no right to mount a small file system");
        return;
    }
    /* a checkpoint takes 2.4 MB, and 1 MB is asked for beyond: the third does not fit */
    ok(sample_write(m, small, 0, 0) == TT_OK && sample_write(m, small, 0, 1) == TT_OK, "two fit: %s", tt_fail_text());
    expect(m, small, sample_write(m, small, 0, 2), "No space left on device; free some space", "full disk");
    if (m->rank == 0) unlink(in(small, "step-00000000.h5"));
    tt_barrier(m);
    ok(sample_write(m, small, 0, 2) == TT_OK, "after some space is freed it goes on: %s", tt_fail_text());
    tt_barrier(m);
    if (m->rank == 0) umount2(small, MNT_DETACH);
}

/* The last rank alone may not write so far into a file. */
static void test_one_rank(const tt_mesh *m, const char *dir)
{
    struct rlimit old, low = {1 << 20, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &old);
    low.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    if (m->rank == m->size - 1) setrlimit(RLIMIT_FSIZE, &low);
    tt_err e = sample_write(m, dir, 0, 2);
    setrlimit(RLIMIT_FSIZE, &old);
    char first[40];
    snprintf(first, sizeof first, m->size > 1 ? "first on rank %d; 1 of %d" : "File too large", m->size - 1, m->size);
    expect(m, dir, e, first, "a rank that fails alone");
}

static void test_no_folder(const tt_mesh *m, const char *dir)
{
    char below[80];
    snprintf(below, sizeof below, "%s/latest/x", dir);
    tt_err e = sample_write(m, below, 0, 1);
    ok(e == TT_ERUN && strstr(tt_fail_text(), "cannot be made"), "below a file: %s", tt_fail_text());
    tt_fail_clear();
    /* a folder in the way of the temporary */
    if (m->rank == 0) mkdir(in(dir, "step-00000002.h5.tmp"), 0777);
    tt_barrier(m);
    e = sample_write(m, dir, 0, 2);
    tt_barrier(m);
    if (m->rank == 0) rmdir(in(dir, "step-00000002.h5.tmp"));
    tt_barrier(m);
    expect(m, dir, e, "Is a directory", "a folder in the way");
}

/* Collective. */
static void put_owner(const tt_mesh *m, const char *dir, const char *text)
{
    if (m->rank == 0) {
        FILE *f = fopen(in(dir, "owner"), "w");
        fprintf(f, "%s\n", text);
        fclose(f);
    }
    tt_barrier(m);
}

static void test_claim(const tt_mesh *m, const char *dir)
{
    ok(tt_ckpt_claim(m, dir) == TT_OK, "claim: %s", tt_fail_text());
    ok(sample_write(m, dir, 0, 1) == TT_OK, "the owner may write: %s", tt_fail_text());
    put_owner(m, dir, "job 7 restart 1 host elsewhere pid 1 start 1");
    expect(m, dir, sample_write(m, dir, 0, 2), "now belongs to another run (job 7 restart 1 host elsewhere",
           "a new owner");
    ok(tt_ckpt_prune(m, dir, 1, -1) == TT_ERUN, "nor may it remove: %s", tt_fail_text());
    tt_fail_clear();
    ok(tt_ckpt_claim(m, dir) == TT_OK, "a later run takes over: %s", tt_fail_text());
    ok(sample_write(m, dir, 0, 1) == TT_OK, "and writes: %s", tt_fail_text());
    put_owner(m, dir, "job 8 restart 2 host elsewhere pid 1 start 1");
    setenv("SLURM_JOB_ID", "8", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    ok(tt_ckpt_claim(m, dir) == TT_ERUN && strstr(tt_fail_text(), "job 8 restart 2"), "an orphan may not: %s",
       tt_fail_text());
    tt_fail_clear();
    setenv("SLURM_RESTART_COUNT", "3", 1);
    ok(tt_ckpt_claim(m, dir) == TT_OK, "the next incarnation may: %s", tt_fail_text());
    tt_barrier(m);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    char dir[64];
    unsetenv("SLURM_JOB_ID");
    if (tt_mesh_init(&m, &argc, &argv) != TT_OK) return 1;
    tap_mute = m.rank > 0;
    sample_folder(&m, dir);
    ok(sample_write(&m, dir, 0, 1) == TT_OK, "write: %s", tt_fail_text());
    test_one_rank(&m, dir);
    test_no_folder(&m, dir);
    test_full_disk(&m, dir);
    test_claim(&m, dir);
    sample_remove(&m, dir);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
